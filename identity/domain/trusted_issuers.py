"""Issuers whose tokens are exchanged for ours and taken as assertions (RFC 8693, RFC 7523, wso2-contracts §1.3)."""

from dataclasses import dataclass
from typing import Literal, NewType

TrustedIssuerId = NewType("TrustedIssuerId", str)

LOOKUP_CLAIMS = ("username", "email", "phone_number")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedIssuer:
    """Only `sub` of its tokens is ever copied; everything else about a person comes from our own stores."""

    id: TrustedIssuerId
    name: str
    issuer: str
    """`iss`, to the letter."""
    enabled: bool = True
    alias: str | None = None
    """Taken in `aud` in place of our issuer."""
    jwks: str | None = None
    """Its public keys as JSON; of a PEM file too."""
    jwks_uri: str | None = None
    """Where its public keys are; not together with `jwks`."""
    linked_account: Literal["required", "preferred", "none"] = "required"
    """`required`: only people who have an account here. `preferred`: others come in by their `sub` alone, without any
    claims. `none`: everybody does."""
    lookup_claims: tuple[str, ...] = ()
    """One or two of `username`, `email`, `phone_number`: who has them all, alone in all stores, has the account."""
    identity_assertions: bool = False
    """It may issue identity assertions (ID-JAG). Preview."""
    software_statements: bool = False
    """It may vouch for what applications say of themselves when they register (RFC 7591 §2.3)."""
    maximum_lifetime: int = 3600
    """Seconds from `iat` (or now) to `exp` that a token of it may have at most."""
