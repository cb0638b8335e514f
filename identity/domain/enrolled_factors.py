"""A factor that a person has set up: an authenticator app, a passkey, a set of recovery codes."""

from dataclasses import dataclass, field
from typing import Any, NewType

from identity.domain.tenants import TenantId
from identity.domain.users import SubjectId

FactorId = NewType("FactorId", str)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolledFactor:
    """`counter` only ever moves by compare-and-swap: what it counts is the factor's own matter."""

    tenant: TenantId
    id: FactorId
    subject: SubjectId
    authenticator: str
    """The factor's name: `totp`, …"""
    label: str
    """As its owner calls it."""
    created_at: int
    last_used_at: int | None = None
    lookup: bytes | None = None
    """What it is found by when nobody said whose it is (a credential id); unique in the tenant."""
    secret: bytes | None = None
    """Sealed."""
    counter: int = 0
    """The last time step used (`totp`), the signature counter (passkeys), how many codes are used (recovery codes)."""
    document: dict[str, Any] = field(default_factory=dict)
    failures: int = 0
    """Wrong codes since the last right one."""
