"""Request objects (RFC 9101, OpenID Connect Core §6): an authorization request as a JWT of the application.

Only what is inside counts (RFC 9101 §6.3), for every application; the looser rule of OpenID Connect Core §6.1, by which
parameters beside the object are added to it, is not followed: they could be anybody's.
"""

from hashlib import sha256
from typing import Any

import msgspec

from identity.clock import SECOND, Clock, seconds
from identity.domain.applications import Application
from identity.domain.keys import CONTENT_ENCRYPTIONS, KEY_MANAGEMENT_ALGORITHMS, SIGNING_ALGORITHMS
from identity.oauth2.errors import OAuthError
from identity.storage.configuration import TenantConfiguration
from identity.storage.hot import HotStorage
from identity.tokens.addresses import issuer_of
from identity.tokens.client_keys import ClientKeys
from identity.tokens.jose import Claims, InvalidToken, check_times, is_encrypted, kid_of
from identity.tokens.keyring import Keyring
from identity.tokens.single_use import first_use
from identity.web.messages import Request

SKEW = 10
MAXIMUM_LIFETIME = 3600
MAXIMUM_JTI = 512
_TYPES = frozenset({"oauth-authz-req+jwt", "jwt", None})
_CLAIMS_OF_THE_JWT = frozenset({"iss", "aud", "exp", "nbf", "iat", "jti"})
_JSON_PARAMETERS = frozenset({"claims", "authorization_details"})


class RequestObjects:
    def __init__(self, keyring: Keyring, client_keys: ClientKeys, hot: HotStorage, base_url: str, clock: Clock) -> None:
        self._keyring = keyring
        self._client_keys = client_keys
        self._hot = hot
        self._base_url = base_url
        self._clock = clock

    async def read(self, http: Request, application: Application, text: str, *, pushed: bool) -> dict[str, str]:
        """The parameters in a request object. Raises OAuthError invalid_request_object.

        `pushed`: it is at the door of pushed requests, where a signed one of a profile is good once.
        """
        try:
            claims = await self._verified(http.tenant, application, text)
        except InvalidToken as error:
            # Why a key could not be fetched is nobody's business outside.
            raise invalid_request_object(
                "it is malformed, of a wrong type, or not signed by a registered key of the application with an "
                "algorithm that it may use",
                detail=error.detail,
            ) from None
        self._check(http.tenant, application, claims)
        parameters = _parameters(claims)
        if pushed and application.rules.require_signed_request:
            await self._use_once(http, application, claims)
        return parameters

    async def _verified(self, tenant: TenantConfiguration, application: Application, text: str) -> Claims:
        signed = self._decrypted(tenant, application, text) if is_encrypted(text) else text
        named = application.request_object_signing_alg
        rules = application.rules
        # RFC 9101 §10.2: only what the application registered; `none` is in no list.
        algorithms = frozenset(
            algorithm for algorithm in ((named,) if named else SIGNING_ALGORITHMS) if rules.allows_algorithm(algorithm)
        )
        keys = await self._client_keys.keys_of(application, kid=kid_of(signed))
        _, claims = keys.verify(signed, algorithms, _TYPES)
        return claims

    def _decrypted(self, tenant: TenantConfiguration, application: Application, text: str) -> str:
        """RFC 9101 §6.1: signed, then encrypted to one of our keys."""
        from identity.tokens.encryption import decrypt_jwt

        wrapping, content = application.request_object_encryption_alg, application.request_object_encryption_enc
        return decrypt_jwt(
            text,
            self._keyring.of(tenant).decryption,
            frozenset((wrapping,) if wrapping else KEY_MANAGEMENT_ALGORITHMS),
            frozenset((content,) if content else CONTENT_ENCRYPTIONS),
        )

    def _check(self, tenant: TenantConfiguration, application: Application, claims: Claims) -> None:
        rules = application.rules
        strict = bool(rules.name) or application.require_signed_request_object
        for name in ("iss", "client_id"):
            # RFC 9101 §4, §5.2: both are the client's id.
            if claims.get(name, application.client_id) != application.client_id:
                raise invalid_request_object(f"{name} is not the client_id of the request")
        if "iss" not in claims and "client_id" not in claims:
            raise invalid_request_object("iss is missing")
        audience = claims.get("aud")
        issuer = issuer_of(self._base_url, tenant.tenant)
        # Decision 3.
        if ("aud" in claims or strict) and issuer not in (audience if isinstance(audience, list) else [audience]):
            raise invalid_request_object(f"aud does not name this issuer, {issuer}")
        if "sub" in claims:
            # RFC 9101 §10.8: so that no client assertion passes as a request.
            raise invalid_request_object("sub must not be in it")
        self._check_times(rules.require_request_lifetime, strict, claims)

    def _check_times(self, bounded: bool, strict: bool, claims: Claims) -> None:
        """FAPI 1 Advanced §5.2.2 (13), (14), FAPI 2 Message Signing §5.3.1 when `bounded`. OpenID Connect Core demands
        no `exp` of an application without a profile."""
        try:
            check_times(
                claims,
                seconds(self._clock.now()),
                skew=SKEW,
                maximum_age=MAXIMUM_LIFETIME if bounded else None,
                maximum_lifetime=MAXIMUM_LIFETIME if bounded else None,
                require=("exp", "nbf") if bounded else ("exp",) if strict else (),
            )
        except InvalidToken as error:
            raise invalid_request_object(error.detail) from None

    async def _use_once(self, http: Request, application: Application, claims: Claims) -> None:
        """Of an object that a profile demands, where it has a `jti`; there it always has `exp` too."""
        jti = claims.get("jti")
        if jti is None:
            return
        if not isinstance(jti, str) or not 0 < len(jti) <= MAXIMUM_JTI:
            raise invalid_request_object("jti is not a string of 1 to 512 characters")
        spent = sha256(f"request_object\0{application.client_id}\0{jti}".encode()).digest()
        if not await first_use(self._hot, http, spent, (int(claims["exp"]) + SKEW) * SECOND):
            raise invalid_request_object("jti was used before")


def _parameters(claims: Claims) -> dict[str, str]:
    """RFC 9101 §4: each claim a parameter; numbers and JSON objects are not quoted as text."""
    if "request" in claims or "request_uri" in claims:
        # RFC 9101 §4
        raise invalid_request_object("request and request_uri must not be in it")
    texts = ((name, _text(name, value)) for name, value in claims.items() if name not in _CLAIMS_OF_THE_JWT)
    return {name: text for name, text in texts if text}


def _text(name: str, value: Any) -> str:
    if name in _JSON_PARAMETERS and isinstance(value, (dict, list)):
        return msgspec.json.encode(value).decode()
    if name == "resource" and isinstance(value, list) and all(isinstance(item, str) for item in value):
        return " ".join(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise invalid_request_object(f"{name[:40]} is not a string")
    return value


def invalid_request_object(cause: str, *, detail: str = "") -> OAuthError:
    """RFC 9101 §7"""
    return OAuthError("invalid_request_object", f"The request object is not valid: {cause}.", detail=detail)
