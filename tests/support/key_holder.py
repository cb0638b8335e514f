"""Somebody with a key of their own: signs client assertions (RFC 7523) and DPoP proofs (RFC 9449)."""

import base64
import hashlib
import json
import secrets
import time
from typing import Any

from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}


class KeyHolder:
    """`now` is the holder's clock, in seconds."""

    def __init__(
        self,
        algorithm: str = "ES256",
        *,
        kid: str | None = "k1",
        key: ECKey | OKPKey | RSAKey | OctKey | None = None,
    ) -> None:
        self.algorithm = algorithm
        self.kid = kid
        self.key = key or _new_key(algorithm)

    @classmethod
    def of_secret(cls, secret: str, algorithm: str = "HS256") -> "KeyHolder":
        """Signs with a client secret."""
        return cls(algorithm, kid=None, key=OctKey.import_key(secret))

    @property
    def jwk(self) -> dict[str, Any]:
        """The public key alone."""
        return self.key.as_dict(private=False)

    @property
    def jwks(self) -> str:
        """What is registered: a key set as JSON text."""
        named = {} if self.kid is None else {"kid": self.kid}
        return json.dumps({"keys": [self.jwk | named | {"use": "sig"}]})

    @property
    def thumbprint(self) -> str:
        return self.key.thumbprint()

    def sign(self, header: dict[str, Any], claims: dict[str, Any]) -> str:
        """A JWS; members that are None are left out."""
        shown = {name: value for name, value in ({"alg": self.algorithm} | header).items() if value is not None}
        told = {name: value for name, value in claims.items() if value is not None}
        message = b".".join(_base64url(json.dumps(part).encode()) for part in (shown, told))
        # By its own class: joserfc warns of EdDSA when it is asked by name.
        signature = JWSRegistry.algorithms[self.algorithm].sign(message, self.key)
        return (message + b"." + _base64url(signature)).decode()

    def assertion(
        self, client_id: str, audience: Any, *, now: float | None = None, typ: str | None = None, **claims: Any
    ) -> str:
        at = int(time.time() if now is None else now)
        told = {"iss": client_id, "sub": client_id, "aud": audience, "iat": at, "exp": at + 60, "jti": new_jti()}
        return self.sign({"kid": self.kid, "typ": typ}, told | claims)

    def proof(
        self,
        method: str,
        uri: str,
        *,
        access_token: str | None = None,
        now: float | None = None,
        header: dict[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        at = int(time.time() if now is None else now)
        told: dict[str, Any] = {"jti": new_jti(), "htm": method, "htu": uri, "iat": at}
        if access_token is not None:
            told["ath"] = base64url_sha256(access_token)
        return self.sign({"typ": "dpop+jwt", "jwk": self.jwk} | (header or {}), told | claims)


def assertion_form(assertion: str, **form: str) -> dict[str, str]:
    """The token request's parameters of RFC 7521 §4.2."""
    return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion} | form


def new_jti() -> str:
    return secrets.token_urlsafe(16)


def base64url_sha256(text: str) -> str:
    return _base64url(hashlib.sha256(text.encode()).digest()).decode()


def _base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _new_key(algorithm: str) -> ECKey | OKPKey | RSAKey:
    if algorithm == "EdDSA":
        return OKPKey.generate_key("Ed25519")
    if algorithm in _CURVES:
        return ECKey.generate_key(_CURVES[algorithm])
    return RSAKey.generate_key(2048)
