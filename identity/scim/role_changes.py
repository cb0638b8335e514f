"""PATCH and PUT of a role (RFC 7644 §3.5), read as what is added and what is removed.

The API manager's connector replaces `permissions` by an operation without a path (wso2-contracts §7.4).
"""

import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from identity.administration.roles import RoleChanges
from identity.errors import IdentityError

Kind = Literal["users", "groups", "permissions"]
KINDS: tuple[Kind, ...] = ("users", "groups", "permissions")
Present = Callable[[Kind], Awaitable[Iterable[str]]]
"""What the role has now of a kind: read only when an operation replaces or removes all of it."""

MAXIMUM_OPERATIONS = 100
_SCHEMA = "urn:ietf:params:scim:schemas:extension:2.0:role:"
_SELECTED = re.compile(
    r'(users|groups|permissions)\[\s*value\s+eq\s+(?:"([^"\\]{1,300})"|([^\s"\]]{1,300}))\s*\]', re.I
)


class Operation(msgspec.Struct):
    op: str
    path: str | None = None
    value: Any = None


class PatchRequest(msgspec.Struct):
    operations: list[Operation] = msgspec.field(name="Operations")
    schemas: list[str] | None = None


@dataclass(slots=True)
class _Members:
    added: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)

    def add(self, names: Iterable[str]) -> None:
        self.added |= set(names)
        self.removed -= self.added

    def remove(self, names: Iterable[str]) -> None:
        self.removed |= set(names)
        self.added -= self.removed


class RoleDraft:
    def __init__(self, present: Present) -> None:
        self._present = present
        self._name: str | None = None
        self._members: dict[Kind, _Members] = {kind: _Members() for kind in KINDS}

    async def apply(self, operation: Operation) -> None:
        """Raises IdentityError invalid_path, invalid_value, mutability."""
        op = operation.op.lower()
        if op not in ("add", "replace", "remove"):
            raise IdentityError("invalid_syntax", "op must be add, replace or remove.")
        path = operation.path
        if path is None or not path.strip():
            await self._apply_whole(op, operation.value)
            return
        plain = path.strip()
        if plain.lower().startswith(_SCHEMA):
            plain = plain[len(_SCHEMA) :]
        selected = _SELECTED.fullmatch(plain)
        if selected is not None:
            if op != "remove":
                raise IdentityError("invalid_path", "A member that is selected by its value can only be removed.")
            self._members[_kind(selected[1])].remove([selected[2] or selected[3]])
            return
        await self._apply_attribute(op, plain, operation.value)

    async def replace(self, name: str, values: dict[Kind, Any]) -> None:
        """PUT: what is not given is removed."""
        self._name = name
        for kind in KINDS:
            await self._apply_attribute("replace", kind, values.get(kind) or [])

    def changes(self) -> RoleChanges:
        users, groups, permissions = (self._members[kind] for kind in KINDS)
        return RoleChanges(
            name=self._name,
            add_users=frozenset(users.added),
            remove_users=frozenset(users.removed),
            add_groups=frozenset(groups.added),
            remove_groups=frozenset(groups.removed),
            add_scopes=frozenset(permissions.added),
            remove_scopes=frozenset(permissions.removed),
        )

    async def _apply_whole(self, op: str, value: Any) -> None:
        if op == "remove" or not isinstance(value, dict):
            # RFC 7644 §3.5.2.2: a removal names what it removes.
            raise IdentityError("invalid_path", "This operation needs a path, or an object as its value.")
        for name, members in value.items():
            if name.lower() != "schemas":
                await self._apply_attribute(op, name, members)

    async def _apply_attribute(self, op: str, name: str, value: Any) -> None:
        lower = name.lower()
        if lower == "displayname":
            if op == "remove" or not isinstance(value, str):
                raise IdentityError("invalid_value", "displayName is required text.")
            self._name = value
            return
        if lower in ("id", "audience", "meta", "schemas", "associatedapplications"):
            raise IdentityError("mutability", f"{name} cannot be changed.")
        members = self._members[_kind(name)]
        if op == "add":
            members.add(values_of(value))
        elif op == "replace":
            wanted = values_of(value)
            members.remove(set(await self._present(_kind(name))) - wanted)
            members.add(wanted)
        else:
            members.remove(await self._present(_kind(name)) if value is None else values_of(value))


def values_of(value: Any) -> set[str]:
    """The `value` of each object of a multi-valued attribute, or the texts themselves. Raises IdentityError."""
    listed = value if isinstance(value, list) else [value]
    found: set[str] = set()
    for item in listed:
        text = item.get("value") if isinstance(item, dict) else item
        if not isinstance(text, str) or not text:
            raise IdentityError("invalid_value", "Members are objects with a value.")
        found.add(text)
    return found


def _kind(name: str) -> Kind:
    for kind in KINDS:
        if kind == name.lower():
            return kind
    raise IdentityError("invalid_path", f"A role has no {name[:60]!r}.")
