"""The signature algorithms: the kind of key each is bound to, its hash, and the code that computes it.

RFC 7518 §3.1, RFC 8037 §3.1. An algorithm that is not in these tables does not exist here, `none` least of all.
"""

from typing import Any, NamedTuple

from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from identity.domain.keys import SIGNING_ALGORITHMS, SigningAlgorithm

AsymmetricKey = RSAKey | ECKey | OKPKey
Jwk = dict[str, Any]

RSA_BITS = (2048, 8192)
"""RFC 7518 §3.3 sets the least; the most bounds what a signature of somebody else's key can cost us."""
COORDINATE_BYTES = {"P-256": 32, "P-384": 48, "P-521": 66, "Ed25519": 32}
"""Length of a coordinate on each curve (RFC 7518 §6.2.1.2, RFC 8037 §2)."""


class SignatureAlgorithm(NamedTuple):
    """`crv` is None for RSA; `hash` is hashlib's name of the hash that `at_hash` and its relatives use."""

    kty: str
    crv: str | None
    hash: str


def _of(name: SigningAlgorithm) -> SignatureAlgorithm:
    if name == "EdDSA":
        return SignatureAlgorithm("OKP", "Ed25519", "sha512")
    bits = name[2:]
    if name.startswith("ES"):
        return SignatureAlgorithm("EC", {"256": "P-256", "384": "P-384", "512": "P-521"}[bits], "sha" + bits)
    return SignatureAlgorithm("RSA", None, "sha" + bits)


SIGNATURES: dict[str, SignatureAlgorithm] = {name: _of(name) for name in SIGNING_ALGORITHMS}
MAC_HASHES = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}
"""hashlib's name of the hash of each HMAC algorithm (RFC 7518 §3.2)."""

# Taken from the table itself: `get_alg` would warn of EdDSA, whose successor of RFC 9864 few clients know.
MODELS = {name: JWSRegistry.algorithms[name] for name in (*SIGNATURES, *MAC_HASHES)}


def import_key(jwk: Jwk) -> AsymmetricKey:
    """The key of a JWK whose `kty` is RSA, EC or OKP. Raises ValueError or JoseError."""
    kinds: dict[str, type[AsymmetricKey]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
    return kinds[jwk["kty"]].import_key(jwk)


def generate_key(kty: str, crv: str | None, parameters: Any) -> AsymmetricKey:
    """A new private key: RSA of 2048 bits, or of the curve; `parameters` are members of its JWK."""
    if kty == "RSA":
        return RSAKey.generate_key(RSA_BITS[0], parameters)
    if kty == "EC":
        return ECKey.generate_key(crv, parameters)
    return OKPKey.generate_key("Ed25519", parameters)
