"""A tenant: everything belongs to one, and nothing crosses from one to another."""

from dataclasses import dataclass, field
from typing import NewType

TenantId = NewType("TenantId", int)
"""Small integer: the first column of every key."""

ROOT_TENANT = TenantId(1)
ROOT_HANDLE = "root"


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """At most `count` tries in `seconds`; a count of 0 switches the limit off."""

    count: int
    seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantSettings:
    """What an administrator may set for a tenant. Lifetimes are seconds."""

    issuer: str | None = None
    """Default `<base>[/t/<tenant>]/oauth2/token`, which the neighbours expect (decision 1)."""
    display_name: str = ""
    """The organisation's name on the pages."""
    require_pkce: bool = False
    """Of confidential clients too; public clients always have to (decision 26)."""
    legacy_discovery: bool = True
    """Discovery also at spellings whose issuer is not their prefix (decision 2)."""
    default_algorithm: str = "RS256"
    """Signs where an application names no algorithm: `RS256` or `ES256`, which is thirteen times cheaper."""
    session_idle: int = 8 * 3600
    """A session ends when it was not used for so long."""
    session_remembered: int = 14 * 86400
    """The same for people who asked to be kept signed in."""
    session_absolute: int = 30 * 86400
    """A session ends so long after sign-in, however much it is used."""
    code_lifetime: int = 60
    """Of an authorization code."""
    flow_lifetime: int = 1800
    """How long a sign-in page may stay open."""
    lockout_attempts: int = 5
    """Failures that lock an account; 0 switches the lockout off."""
    lockout_window: int = 900
    """Failures further apart than this are counted anew."""
    lockout_seconds: int = 300
    """How long an account stays locked."""
    login_limit_address: RateLimit = field(default_factory=lambda: RateLimit(count=100, seconds=300))
    """Sign-in tries of one address (IPv6: one /64), like `{"count": 100, "seconds": 300}`."""
    login_limit_tenant: RateLimit = field(default_factory=lambda: RateLimit(count=6000, seconds=60))
    """Sign-in tries of the whole tenant."""
    token_limit_client: RateLimit = field(default_factory=lambda: RateLimit(count=0, seconds=1))
    """Per client on the token road, counted per process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    id: TenantId
    handle: str
    enabled: bool
    version: int
    """Rises with every change of the settings or keys (decision 35)."""
    settings: TenantSettings

    @property
    def prefix(self) -> str:
        """What its paths begin with: empty for the root tenant."""
        return "" if self.id == ROOT_TENANT else f"/t/{self.handle}"
