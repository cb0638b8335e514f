"""Client authentication by a signed JWT: `private_key_jwt` and `client_secret_jwt` (RFC 7523 §2.2, §3)."""

from hashlib import sha256

from identity.clock import SECOND, Clock, seconds
from identity.domain.applications import Application
from identity.secrets import Sealer
from identity.storage.hot import HotStorage
from identity.tokens.addresses import base_of, issuer_of
from identity.tokens.algorithms import MAC_HASHES, SIGNATURES
from identity.tokens.client_keys import ClientKeys
from identity.tokens.jose import Claims, InvalidToken, check_times, kid_of, peek, verify_mac
from identity.tokens.single_use import first_use
from identity.web.messages import Request

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
MAXIMUM_LIFETIME = 3600
"""Seconds ahead that `exp` may be: Authlib asks for so much, idpyoidc for 600. The `jti` is kept for as long."""
SKEW = 10
"""Seconds that a client's clock may be off (FAPI 2 Security Profile §5.3.2.1: 10 at least, never more than 60)."""
MAXIMUM_JTI = 512

# RFC 7523 §3 asks for no `typ`; whatever names another kind of JWT is one (RFC 8725 §3.11).
_TYP: frozenset[str | None] = frozenset({None, "JWT", "client-authentication+jwt"})
_ASYMMETRIC = frozenset(SIGNATURES)
_SYMMETRIC = frozenset(MAC_HASHES)


def claimed_client(assertion: str) -> str:
    """Whose assertion it says it is, only to find the keys by; empty when it does not say."""
    try:
        client_id = peek(assertion).get("sub")
    except InvalidToken:
        return ""
    return client_id if isinstance(client_id, str) else ""


class ClientAssertions:
    """`addresses` are our own: the base URL, and that of mTLS when there is one."""

    def __init__(
        self, client_keys: ClientKeys, hot: HotStorage, sealer: Sealer, addresses: tuple[str, ...], clock: Clock
    ) -> None:
        self._client_keys = client_keys
        self._hot = hot
        self._sealer = sealer
        self._addresses = addresses
        self._clock = clock

    async def refusal(self, request: Request, application: Application, assertion: str) -> str | None:
        """Why the assertion does not authenticate the application, for the log; None when it does, this once."""
        try:
            claims = await self._verified(application, assertion)
            self._check(request, application, claims)
        except InvalidToken as error:
            return error.detail
        # RFC 7523 §3 (7): the jti is good once; that somebody else's is the same does not matter.
        spent = sha256(f"client_assertion\0{application.id}\0{claims['jti']}".encode()).digest()
        keep_until = (int(claims["exp"]) + SKEW + 1) * SECOND
        return None if await first_use(self._hot, request, spent, keep_until) else "jti: used before"

    async def _verified(self, application: Application, assertion: str) -> Claims:
        if application.token_endpoint_auth_method == "client_secret_jwt":
            return self._verified_by_secret(application, assertion)
        algorithms = _allowed(application, _ASYMMETRIC)
        keys = await self._client_keys.keys_of(application, kid=kid_of(assertion))
        return keys.verify(assertion, algorithms, _TYP)[1]

    def _verified_by_secret(self, application: Application, assertion: str) -> Claims:
        """Every live secret is tried: while one replaces another, both count."""
        now = self._clock.now()
        algorithms = _allowed(application, _SYMMETRIC)
        cause = InvalidToken("no secret that could be opened")
        for secret in application.secrets:
            if secret.sealed is None or (secret.expires_at is not None and secret.expires_at <= now):
                continue
            value = self._sealer.open(secret.sealed, b"client-secret:" + secret.id.encode())
            try:
                return verify_mac(assertion, value, algorithms, _TYP)[1]
            except InvalidToken as error:
                cause = error
        raise cause

    def _check(self, request: Request, application: Application, claims: Claims) -> None:
        # RFC 7523 §3 (1), (2): issuer and subject are the client.
        if claims.get("iss") != application.client_id or claims.get("sub") != application.client_id:
            raise InvalidToken("iss or sub")
        if not self._is_for_us(request, application, claims.get("aud")):
            raise InvalidToken("aud")
        now = seconds(self._clock.now())
        check_times(claims, now, skew=SKEW)
        if claims["exp"] > now + MAXIMUM_LIFETIME + SKEW:
            raise InvalidToken("exp: too far away")
        jti = claims.get("jti")
        if not isinstance(jti, str) or not 0 < len(jti) <= MAXIMUM_JTI:
            raise InvalidToken("jti")

    def _is_for_us(self, request: Request, application: Application, audience: object) -> bool:
        """Decision 3: FAPI 2 takes the issuer as one string; others also our endpoints, alone or among others."""
        tenant = request.tenant.tenant
        issuer = issuer_of(self._addresses[0], tenant)
        if application.rules.assertion_audience_is_issuer:
            return audience == issuer
        ours = {issuer}
        for address in self._addresses:
            ours |= {f"{base_of(address, tenant)}/oauth2/token", address + request.path}
        listed = audience if isinstance(audience, list) else [audience]
        return all(isinstance(item, str) for item in listed) and not ours.isdisjoint(listed)


def _allowed(application: Application, fitting: frozenset[str]) -> frozenset[str]:
    """The algorithms that the method, the registration and the profile allow together."""
    pinned = application.token_endpoint_auth_signing_alg
    algorithms = fitting if pinned is None else fitting & {pinned}
    return frozenset(filter(application.rules.allows_algorithm, algorithms))
