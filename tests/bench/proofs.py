"""JWTs as clients sign them with ES256: DPoP proofs and client assertions, as cheaply as possible."""

import base64
import hashlib
import json
import secrets
import time
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

JWT_BEARER_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def public_jwk(key: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    numbers = key.public_key().public_numbers()
    x, y = (_encoded(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
    return {"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": "bench", "alg": "ES256", "use": "sig"}


def proof(key: ec.EllipticCurvePrivateKey, method: str, address: str, access_token: str | None = None) -> str:
    """A DPoP proof (RFC 9449 §4.2)."""
    jwk = {name: value for name, value in public_jwk(key).items() if name in ("kty", "crv", "x", "y")}
    claims: dict[str, Any] = {"jti": secrets.token_urlsafe(16), "htm": method, "htu": address, "iat": int(time.time())}
    if access_token is not None:
        claims["ath"] = _encoded(hashlib.sha256(access_token.encode()).digest())
    return _signed(key, {"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk}, claims)


def assertion(key: ec.EllipticCurvePrivateKey, client_id: str, audience: str) -> str:
    """A client assertion (RFC 7523 §2.2)."""
    now = int(time.time())
    claims = {
        "iss": client_id, "sub": client_id, "aud": audience, "iat": now, "exp": now + 60,
        "jti": secrets.token_urlsafe(16),
    }  # fmt: skip
    return _signed(key, {"typ": "JWT", "alg": "ES256", "kid": "bench"}, claims)


def _signed(key: ec.EllipticCurvePrivateKey, header: dict[str, Any], claims: dict[str, Any]) -> str:
    message = f"{_encoded(json.dumps(header).encode())}.{_encoded(json.dumps(claims).encode())}"
    r, s = decode_dss_signature(key.sign(message.encode(), ec.ECDSA(SHA256())))
    return f"{message}.{_encoded(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
