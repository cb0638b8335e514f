"""Reads an access token that somebody presents: opaque or JWT, one statement, exact at the moment of asking."""

from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import msgspec

from identity.clock import Clock, seconds
from identity.domain.applications import Application
from identity.domain.tokens import TokenQuery, TokenState
from identity.secrets import token_hash
from identity.storage.configuration import Configuration, ConfigurationMoved, TenantConfiguration
from identity.storage.hot import HotStorage
from identity.tokens.addresses import issuer_of
from identity.tokens.dpop import DpopProofs
from identity.tokens.issuer import ACCESS_TOKEN_PREFIX, NO_GRANT
from identity.tokens.jose import Claims, InvalidToken
from identity.tokens.keyring import Keyring

SEEN_SIGNATURES = 20_000
MAXIMUM_TOKEN = 16_384
CLOCK_SKEW = 2
"""Seconds that the clocks of two workers may be apart (`identity check` warns beyond)."""
_ACCESS_TOKEN_TYP = frozenset({"at+jwt"})


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A live access token. Times are seconds; `claims` are a JWT's own, None for an opaque token."""

    application: str
    scope: str
    audience: tuple[str, ...]
    issued_at: int
    expires_at: int
    hash: bytes
    state: TokenState
    claims: Claims | None

    @property
    def subject(self) -> str:
        """Empty for an application's own token."""
        return self.state.subject

    @property
    def grant(self) -> str:
        """Empty for an application's own token."""
        if self.claims is None:
            return self.state.grant
        grant: str = self.claims["jti"].partition(".")[0]
        return "" if grant == NO_GRANT else grant

    @property
    def confirmation(self) -> dict[str, Any]:
        """`cnf` (RFC 7800 §3): what its sender has to prove; empty for a token that is bound to nothing."""
        members = self.claims if self.claims is not None else msgspec.json.decode(self.state.extra or "{}")
        confirmation: dict[str, Any] = members.get("cnf") or {}
        return confirmation


class TokenReader:
    """`proofs` are for those that rely on a token (tokens.bearer); reading one asks for none."""

    def __init__(
        self,
        hot: HotStorage,
        configuration: Configuration,
        keyring: Keyring,
        proofs: DpopProofs,
        base_url: str,
        clock: Clock,
    ) -> None:
        self.proofs = proofs
        self._hot = hot
        self._configuration = configuration
        self._keyring = keyring
        self._base_url = base_url
        self._clock = clock
        self._seen: OrderedDict[bytes, Claims] = OrderedDict()

    async def read(
        self, tenant: TenantConfiguration, token: str, caller: Application | None, *, with_claims: bool = False
    ) -> AccessToken | None:
        """The token when it is live in this tenant, else None.

        Raises ConfigurationMoved when the tenant or the caller is not as cached, Unavailable without a database.
        """
        claims: Claims | None = None
        if token.startswith(ACCESS_TOKEN_PREFIX):
            query = TokenQuery(tenant.id, token_hash(token), caller.id if caller else "")
        else:
            claims = self._verified(tenant, token)
            query = await self._query_of_jwt(tenant, claims, caller)
        state = await (self._hot.look_up_claims(query) if with_claims else self._hot.look_up(query))
        if state.tenant_version != tenant.tenant.version or (
            caller is not None and state.caller_version != caller.version
        ):
            raise ConfigurationMoved
        if claims is not None and query.hash:
            return self._live_jwt(claims, query, state)
        if claims is None and state.found:
            return self._live_opaque(query, state)
        return None

    async def _query_of_jwt(
        self, tenant: TenantConfiguration, claims: Claims | None, caller: Application | None
    ) -> TokenQuery:
        caller_id = caller.id if caller else ""
        owner = await self._configuration.application(tenant, claims["client_id"]) if claims else None
        if claims is None or owner is None:
            return TokenQuery(tenant.id, b"", caller_id)
        if claims["iat"] < seconds(owner.created_at) - CLOCK_SKEW:
            # Its application was deleted, and another was registered under the same client id since.
            return TokenQuery(tenant.id, b"", caller_id)
        grant = claims["jti"].partition(".")[0]
        return TokenQuery(tenant.id, token_hash(claims["jti"]), caller_id, "" if grant == NO_GRANT else grant, owner.id)

    def _live_opaque(self, query: TokenQuery, state: TokenState) -> AccessToken | None:
        if state.token_revoked or state.expires_at <= self._clock.now() or not _stands(state, state.grant):
            return None
        return AccessToken(
            state.application,
            state.scope,
            tuple(state.audience.split()),
            seconds(state.issued_at),
            seconds(state.expires_at),
            query.hash,
            state,
            None,
        )

    def _live_jwt(self, claims: Claims, query: TokenQuery, state: TokenState) -> AccessToken | None:
        # A row exists for a JWT only when it was revoked one by one.
        if state.found or claims["exp"] <= seconds(self._clock.now()) or not _stands(state, query.grant):
            return None
        audience, scope = claims["aud"], claims.get("scope", "")
        return AccessToken(
            query.application,
            scope if isinstance(scope, str) else " ".join(scope),
            (audience,) if isinstance(audience, str) else tuple(audience),
            claims["iat"],
            claims["exp"],
            query.hash,
            state,
            claims,
        )

    def _verified(self, tenant: TenantConfiguration, token: str) -> Claims | None:
        """The claims of a JWT whose signature and issuer are ours; remembered, since signatures do not change."""
        if len(token) > MAXIMUM_TOKEN or token.count(".") != 2:
            return None
        digest = sha256(f"{tenant.id}:{tenant.tenant.version}:{token}".encode()).digest()
        known = self._seen.get(digest)
        if known is not None:
            return known
        try:
            claims = self._keyring.of(tenant).verification.verify(token, _ACCESS_TOKEN_TYP)
        except InvalidToken:
            return None
        if claims.get("iss") != issuer_of(self._base_url, tenant.tenant) or not _is_whole(claims):
            return None
        self._seen[digest] = claims
        if len(self._seen) > SEEN_SIGNATURES:
            self._seen.popitem(last=False)
        return claims


def _is_whole(claims: Claims) -> bool:
    """Every claim that is read here is there and of its type (RFC 9068 §2.2)."""
    audience = claims.get("aud")
    listed = audience if isinstance(audience, list) else [audience]
    scope = claims.get("scope", "")
    scopes = scope if isinstance(scope, list) else [scope]
    texts = (claims.get("jti"), claims.get("client_id"), claims.get("sub"), *scopes, *listed)
    return all(isinstance(text, str) for text in texts) and all(type(claims.get(at)) is int for at in ("exp", "iat"))


def _stands(state: TokenState, grant: str) -> bool:
    """Whether application, grant, session and subject are all as they must be."""
    if not state.application_enabled:
        return False
    return not grant or (
        state.grant_found and not state.grant_revoked and not state.session_ended and state.subject_current
    )
