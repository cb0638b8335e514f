"""A tenant's keys: one per use and algorithm, retired ones kept (decision 14)."""

from dataclasses import dataclass
from typing import Literal

SigningAlgorithm = Literal[
    "RS256", "ES256", "PS256", "EdDSA", "RS384", "RS512", "PS384", "PS512", "ES384", "ES512"
]  # fmt: skip
EncryptionAlgorithm = Literal["RSA-OAEP-256", "ECDH-ES"]
KeyAlgorithm = SigningAlgorithm | EncryptionAlgorithm
KeyUse = Literal["sig", "enc"]

SIGNING_ALGORITHMS: tuple[SigningAlgorithm, ...] = (
    "RS256", "ES256", "PS256", "EdDSA", "RS384", "RS512", "PS384", "PS512", "ES384", "ES512"
)  # fmt: skip
"""RFC 7518 §3.1; EdDSA is Ed25519 (RFC 8037 §3.1)."""
FIRST_ALGORITHMS: tuple[SigningAlgorithm, ...] = ("RS256", "ES256")
"""Every tenant has these; a key of another algorithm is made when something first names it."""

ENCRYPTION_ALGORITHMS: tuple[EncryptionAlgorithm, ...] = ("RSA-OAEP-256", "ECDH-ES")
"""The kinds of key that others may encrypt to (RFC 7518 §4.1); the one of ECDH-ES serves its key wrapping forms too."""
KEY_ALGORITHMS: tuple[KeyAlgorithm, ...] = (*SIGNING_ALGORITHMS, *ENCRYPTION_ALGORITHMS)

KEY_MANAGEMENT_ALGORITHMS = ("RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A256KW")
"""`alg` of what we encrypt and decrypt (RFC 7518 §4.1)."""
CONTENT_ENCRYPTIONS = ("A128GCM", "A256GCM")
"""`enc` of what we encrypt and decrypt (RFC 7518 §5.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """`private_jwk` is the sealed JSON of the private JWK; `public_jwk` JSON text. Times are microseconds.

    A key is published when made, signs from `active_at` on, and after `retired_at` only verifies. One of use `enc` is
    published until another takes its place, and decrypts for good.
    """

    kid: str
    algorithm: KeyAlgorithm
    public_jwk: str
    private_jwk: bytes
    created_at: int
    active_at: int
    retired_at: int | None = None

    @property
    def use(self) -> KeyUse:
        return use_of(self.algorithm)


def use_of(algorithm: KeyAlgorithm) -> KeyUse:
    return "enc" if algorithm in ENCRYPTION_ALGORITHMS else "sig"
