"""An authorization that a person decides on elsewhere: a device's (RFC 8628) or one of the back channel (CIBA)."""

from dataclasses import dataclass
from typing import Literal

from identity.domain.applications import ApplicationId
from identity.domain.grants import GrantId
from identity.domain.tenants import TenantId
from identity.domain.users import SubjectId

PendingKind = Literal["device", "ciba"]
PendingStatus = Literal["pending", "approved", "denied", "failed"]

DEVICE_CODE_PREFIX = "dc_"
AUTH_REQ_ID_PREFIX = "cb_"


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedAuthorization:
    """What was asked for, checked; and what the person is shown of where it was asked."""

    scope: str
    resources: str = ""
    """Space-separated (RFC 8707)."""
    authorization_details: str = ""
    """JSON (RFC 9396), or empty."""
    acr_values: str = ""
    binding_message: str = ""
    """Shown on both devices, so that the person can tell that they belong together (CIBA Core §7.1)."""
    address: str = ""
    user_agent: str = ""
    notification: str = ""
    """Base64 of what a ping needs, sealed; empty without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingAuthorization:
    """Stored by the hash of the device code or `auth_req_id`; once approved, that hash is also a code's."""

    tenant: TenantId
    hash: bytes
    kind: PendingKind
    application: ApplicationId
    user_code: str | None
    """Of a device, in its plain form: eight letters."""
    asked: AskedAuthorization
    status: PendingStatus = "pending"
    """`failed`: whoever was to ask the person could not."""
    subject: SubjectId | None
    """Whom the back channel asks; of a device, who decided."""
    grant: GrantId | None = None
    interval: int
    """Seconds that the client has to wait between two polls; rises when it does not."""
    next_poll_at: int
    """µs; stored only when the client was told to slow down."""
    created_at: int
    expires_at: int
