"""Public keys and certificates as PEM, made a JWK set. Only for what an administrator registers."""

import json
import re
from typing import Any

from identity.secrets import base64url

_BLOCK = re.compile(r"-----BEGIN ([A-Z ]+)-----.+?-----END \1-----", re.DOTALL)
MAXIMUM_PEM = 65_536


def jwks_of_pem(text: str) -> str:
    """The JWK set (RFC 7517 §5) of every certificate and public key in the text. Raises ValueError that says why not.

    A certificate is a container for its key here: who registered it vouches for it, so neither its dates nor its
    issuer are looked at.
    """
    if len(text) > MAXIMUM_PEM:
        raise ValueError(f"it is longer than {MAXIMUM_PEM} letters")
    keys = [_jwk(match[1], match[0]) for match in _BLOCK.finditer(text)]
    if not keys:
        raise ValueError("there is no PEM block in it")
    return json.dumps({"keys": keys})


def _jwk(kind: str, block: str) -> dict[str, Any]:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

    if kind == "CERTIFICATE":
        key: Any = x509.load_pem_x509_certificate(block.encode()).public_key()
    elif kind in ("PUBLIC KEY", "RSA PUBLIC KEY"):
        key = load_pem_public_key(block.encode())
    else:
        raise ValueError(f"a block of {kind} is neither a certificate nor a public key")
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        return {"kty": "RSA", "n": _integer(numbers.n), "e": _integer(numbers.e)}
    if isinstance(key, ec.EllipticCurvePublicKey):
        point, size = key.public_numbers(), (key.curve.key_size + 7) // 8
        curve = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}.get(key.curve.name, key.curve.name)
        return {
            "kty": "EC",
            "crv": curve,
            "x": base64url(point.x.to_bytes(size)),
            "y": base64url(point.y.to_bytes(size)),
        }
    if isinstance(key, ed25519.Ed25519PublicKey):
        return {"kty": "OKP", "crv": "Ed25519", "x": base64url(key.public_bytes(Encoding.Raw, PublicFormat.Raw))}
    raise ValueError("the key is neither RSA, EC nor Ed25519")


def _integer(value: int) -> str:
    return base64url(value.to_bytes((value.bit_length() + 7) // 8))
