"""A login in progress: one row per sign-in, advanced by compare-and-swap on its version."""

from dataclasses import dataclass
from typing import NewType

from identity.domain.applications import ApplicationId
from identity.domain.sessions import SessionId
from identity.domain.tenants import TenantId

FlowId = NewType("FlowId", str)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginFlow:
    tenant: TenantId
    id: FlowId
    version: int
    cookie_hash: bytes
    """SHA-256 of the flow cookie: a flow is bound to its browser (decision 18)."""
    application: ApplicationId
    return_path: str
    """The protocol's path that consumes the flow when it is done."""
    request: str
    """JSON of the protocol request as it was checked; the only thing the resume path reads."""
    record: bytes
    """What happened so far, sealed: `authn.login_record`."""
    session: SessionId | None
    """The session that the flow came with or made."""
    created_at: int
    expires_at: int
    consumed_at: int | None = None
