"""JWTs of trusted issuers: verified, and led to a person here (RFC 7521 §5.2, RFC 7523 §3, wso2-contracts §1.3)."""

import json
from dataclasses import dataclass

from identity.authn.people import People, Person, store_unavailable
from identity.clock import Clock, seconds
from identity.domain.keys import SIGNING_ALGORITHMS
from identity.domain.trusted_issuers import TrustedIssuer
from identity.oauth2.grants import TokenCall
from identity.storage import subjects
from identity.storage.configuration import TenantConfiguration
from identity.storage.database import Database
from identity.storage.trusted_issuers import find_trusted_issuer
from identity.tokens.addresses import base_of, issuer_of
from identity.tokens.client_keys import ClientKeys
from identity.tokens.jose import Claims, InvalidToken, PublicKeys, check_times, kid_of, parse_object, peek
from userstores.spi import StoreUnavailable, StoreUser

SKEW = 30
MAXIMUM_SUB = 255
VISITORS = "ISSUER:"
"""Begins the store name of people who have no account here. No user store can be called so."""
_ALGORITHMS = frozenset(SIGNING_ALGORITHMS)
_LOOKED_UP_IN = {"username": ("preferred_username", "username"), "email": ("email",), "phone_number": ("phone_number",)}
"""The claims of the issuer's token that a lookup claim may be read from, the first one that is there."""


@dataclass(frozen=True, slots=True)
class TrustedToken:
    issuer: TrustedIssuer
    claims: Claims

    @property
    def sub(self) -> str:
        sub: str = self.claims["sub"]
        return sub


class TrustedAssertions:
    def __init__(
        self, database: Database, people: People, client_keys: ClientKeys, base_url: str, clock: Clock
    ) -> None:
        self._database = database
        self._people = people
        self._client_keys = client_keys
        self._base_url = base_url
        self._clock = clock

    async def read(
        self, call: TokenCall, token: str, typ: frozenset[str | None], *, maximum_age: int | None = None
    ) -> TrustedToken:
        """A token of a trusted issuer that is meant for us and good now. Raises InvalidToken.

        `typ`: the media types allowed (RFC 8725 §3.11); `maximum_age` seconds, where `iat` has to be recent.
        """
        tenant = call.tenant
        named = peek(token).get("iss")
        issuer = await find_trusted_issuer(self._database, tenant.id, named) if isinstance(named, str) else None
        # Nobody else speaks in our name, whatever was registered.
        if issuer is None or not issuer.enabled or issuer.issuer == issuer_of(self._base_url, tenant.tenant):
            raise InvalidToken("iss: not trusted")
        claims = (await self._keys(issuer, token)).verify(token, _ALGORITHMS, typ)[1]
        # RFC 7523 §3 (1) to (5)
        if claims.get("iss") != issuer.issuer or not self._is_for_us(tenant, issuer, claims.get("aud")):
            raise InvalidToken("iss or aud")
        now = seconds(self._clock.now())
        age = maximum_age if "iat" in claims else None
        check_times(claims, now, skew=SKEW, maximum_age=age, maximum_lifetime=issuer.maximum_lifetime + SKEW)
        sub = claims.get("sub")
        if not isinstance(sub, str) or not 0 < len(sub) <= MAXIMUM_SUB or not sub.isprintable():
            raise InvalidToken("sub")
        if "events" in claims:
            # OpenID Connect Back-Channel Logout §2.4: a logout token is nobody's assertion, whatever its typ.
            raise InvalidToken("a security event")
        # RFC 9449 §7, RFC 8705 §3: a token that is bound to a key is taken from whoever proves that key.
        if "cnf" in claims and claims["cnf"] != json.loads(call.confirmation or "{}"):
            raise InvalidToken("cnf: bound to another key")
        return TrustedToken(issuer, claims)

    async def person(self, tenant: TenantConfiguration, token: TrustedToken) -> Person | None:
        """The account that the token leads to, or its `sub` as a visitor where the issuer may bring visitors in.

        None when an account is needed and there is none, or it is disabled. Raises Unavailable when a store is silent:
        somebody else might have the same address there.
        """
        issuer = token.issuer
        if issuer.linked_account != "none":
            try:
                linked = await self._linked(tenant, token)
            except StoreUnavailable as error:
                raise store_unavailable(error) from None
            if linked is not None or issuer.linked_account == "required":
                return linked if linked and linked.user.enabled and linked.subject.enabled else None
        return await self._visitor(tenant, token)

    async def _linked(self, tenant: TenantConfiguration, token: TrustedToken) -> Person | None:
        wanted: dict[str, str] = {}
        for claim in token.issuer.lookup_claims:
            value = next((token.claims[name] for name in _LOOKED_UP_IN[claim] if name in token.claims), None)
            if not isinstance(value, str) or not value:
                return None
            # Attack row 19: an address or number that its own issuer has not verified shows nothing.
            if claim != "username" and token.claims.get(f"{claim}_verified") is not True:
                return None
            wanted[claim] = value
        return await self._people.find_by_claims(tenant, wanted) if wanted else None

    async def _visitor(self, tenant: TenantConfiguration, token: TrustedToken) -> Person | None:
        """Somebody without an account: known by the `sub` of their issuer, which is all that is copied."""
        store = f"{VISITORS}{token.issuer.id}"
        async with self._database.transaction() as transaction:
            subject = await subjects.ensure_visitor(
                transaction, tenant.id, store=store, sub=token.sub, now=self._clock.now()
            )
        if subject is None or not subject.enabled:
            return None
        return Person(StoreUser(store=store, id=token.sub, username=token.sub), subject)

    async def _keys(self, issuer: TrustedIssuer, token: str) -> PublicKeys:
        if issuer.jwks is not None:
            return PublicKeys(parse_object(issuer.jwks.encode()))
        assert issuer.jwks_uri is not None
        return await self._client_keys.issuer_keys(issuer.jwks_uri, kid_of(token))

    def _is_for_us(self, tenant: TenantConfiguration, issuer: TrustedIssuer, audience: object) -> bool:
        """RFC 7523 §3 (3): our issuer or token endpoint, or the alias that was agreed with this issuer."""
        ours = {issuer_of(self._base_url, tenant.tenant), f"{base_of(self._base_url, tenant.tenant)}/oauth2/token"}
        if issuer.alias:
            ours.add(issuer.alias)
        listed = audience if isinstance(audience, list) else [audience]
        return all(isinstance(item, str) for item in listed) and not ours.isdisjoint(listed)


def is_visitor(person: Person) -> bool:
    """Whether they have no account here, so that nothing but their `sub` is known."""
    return person.subject.store.startswith(VISITORS)
