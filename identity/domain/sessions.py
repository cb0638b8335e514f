"""A single-sign-on session: one browser, one person, until it ends."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, NewType

from identity.domain.tenants import TenantId

if TYPE_CHECKING:
    from identity.domain.users import SubjectId

SessionId = NewType("SessionId", str)
"""The stable `sid`; the cookie carries another, secret value that changes at each gain of privilege (decision 18)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SsoSession:
    tenant: TenantId
    id: SessionId
    cookie_hash: bytes
    subject: "SubjectId"
    subject_epoch: int
    username: str
    """For the pages: who is signed in, `DOMAIN/user` outside the primary store."""
    display_name: str
    auth_time: int
    acr: str
    amr: str
    remembered: bool
    created_at: int
    last_seen_at: int
    expires_at: int
    ended_at: int | None = None
    user_agent: str = ""
    address: str = ""
