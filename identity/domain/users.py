"""A person as tokens know them: the subject, whatever store they live in."""

from dataclasses import dataclass
from typing import NewType

from identity.domain.tenants import TenantId

SubjectId = NewType("SubjectId", str)
"""The `sub` of every token: a UUID of ours, bound to (store, the store's own immutable id)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    tenant: TenantId
    id: SubjectId
    store: str
    """The user store's domain name, upper case ("PRIMARY")."""
    external_id: str
    """The user's immutable id in that store."""
    username: str
    """As last seen in the store, without the domain."""
    version: int
    """Rises with every change of the person made through us."""
    epoch: int
    """Rises when everything granted so far must end: password change, disabling, "sign out everywhere"."""
    enabled: bool

    @property
    def qualified_username(self) -> str:
        """`DOMAIN/user`, or the bare name for the primary store (wso2-contracts §3)."""
        return self.username if self.store == "PRIMARY" else f"{self.store}/{self.username}"
