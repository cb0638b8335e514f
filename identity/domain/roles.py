"""Roles: named sets of scopes that people have, themselves or by a group (wso2-contracts §6.2)."""

from dataclasses import dataclass
from typing import Literal, NewType

RoleId = NewType("RoleId", str)
AudienceType = Literal["organization", "application"]
MemberKind = Literal["user", "group"]

ADMIN_ROLE = "admin"
"""The organization role that every tenant has: it grants every `internal_…` scope, and cannot be renamed or deleted."""

ADMIN_ROLE_ID = RoleId("00000000-0000-7000-8000-000000000001")
"""The same in every tenant."""

SYSTEM_PRIMARY = "system_primary_"
INTERNAL = "Internal/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    id: RoleId
    name: str
    audience_type: AudienceType = "organization"
    audience: str = ""
    """The application's id; empty for the organization."""
    created_at: int = 0

    @property
    def is_admin(self) -> bool:
        return self.name == ADMIN_ROLE and self.audience_type == "organization"


def role_of_manager_name(name: str) -> str:
    """An API manager's role name as our role is called: `manager` of its primary store is `system_primary_manager`,
    `Internal/publisher` is `publisher` (wso2-contracts §7.1)."""
    if name.startswith(INTERNAL):
        return name.removeprefix(INTERNAL)
    return name if name.startswith(SYSTEM_PRIMARY) else SYSTEM_PRIMARY + name


def manager_name_of_role(name: str) -> str:
    """The same backwards."""
    return name.removeprefix(SYSTEM_PRIMARY) if name.startswith(SYSTEM_PRIMARY) else INTERNAL + name
