"""Messages to other systems that are delivered until they arrive, and the log of how that went."""

from dataclasses import dataclass
from enum import StrEnum

from identity.domain.tenants import TenantId


class DeliveryKind(StrEnum):
    BACKCHANNEL_LOGOUT = "backchannel_logout"
    REVOCATION_EVENT = "revocation_event"
    CIBA_PING = "ciba_ping"
    CLAIM_CHANGE = "claim_change"
    """A claim that a sign-in script wrote, into its user store."""
    MAIL = "mail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A row of the outbox; moments are microseconds. `payload` is sealed."""

    tenant: TenantId
    id: str
    kind: str
    target: str
    application: str
    subject: str
    payload: bytes
    created_at: int
    next_at: int
    """When it is tried next; while a worker has it, when others may take it over."""
    leased_until: int | None
    attempts: int
    """Tries that have ended."""
    delivered_at: int | None
    failed_at: int | None
    """When it was given up."""
    last_status: int
    """Of the last answer (RFC 9110 §15; of mail RFC 5321 §4.2), 0 without one."""
    last_error: str
    """Why the last try failed, for administrators."""
    expires_at: int
    """Until when the row is kept."""
    key: str | None = None
    """Of two rows of a tenant with the same key the second is not written."""
