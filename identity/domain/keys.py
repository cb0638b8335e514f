"""A tenant's signing keys: one per algorithm, retired ones kept for verification (decision 14)."""

from dataclasses import dataclass
from typing import Literal

SigningAlgorithm = Literal["RS256", "ES256"]
SIGNING_ALGORITHMS: tuple[SigningAlgorithm, ...] = ("RS256", "ES256")


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """`private_jwk` is the sealed JSON of the private JWK; `public_jwk` JSON text. Times are microseconds.

    A key is published when made, signs from `active_at` on, and after `retired_at` only verifies.
    """

    kid: str
    algorithm: SigningAlgorithm
    public_jwk: str
    private_jwk: bytes
    created_at: int
    active_at: int
    retired_at: int | None = None
