"""What a user store is: read this file first.

A store keeps people somewhere (our database, a directory) and answers for them. The server above knows only the
`UserStore` protocol, the outcomes and the exceptions of this file. `tests/userstores/test_conformance.py` is the same
contract as tests; every store passes it.

Rules every store keeps:

* `StoreUser.id` never changes and is never given to another person; the username may change.
* What a store cannot do, its `capabilities` say, and it raises `NotSupported` before any network call.
* A store that does not answer within its own deadline raises `StoreUnavailable`; it never blocks the event loop.
* `authenticate` takes alike for a known and an unknown name: an unknown one costs one dummy hash or bind.
* Usernames compare without regard to case (Unicode case folding of the NFC form).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

AttributeValue = str | bool | int | tuple[str, ...] | Mapping[str, str]
"""Text, flag, number of seconds, several texts, or the members of `address` (OpenID Connect Core §5.1.1)."""

Attributes = Mapping[str, AttributeValue]
"""By OpenID Connect's standard claim names (Core §5.1), or an installation's own names beside them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreUser:
    """A person as their store knows them now."""

    store: str
    """The store's domain name, upper case ("PRIMARY")."""
    id: str
    """Immutable in the store: our UUID, or the directory's (entryUUID)."""
    username: str
    """As the store spells it, without the domain."""
    attributes: Attributes = field(default_factory=dict)
    """Already mapped to claim names; `sub` is never among them."""
    groups: tuple[str, ...] = ()
    """Names, sorted."""
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a store can do besides finding and authenticating people."""

    create: bool = False
    update: bool = False
    set_password: bool = False
    set_enabled: bool = False
    delete: bool = False
    list: bool = False


class RefusalReason(StrEnum):
    """Why a sign-in was refused: for logs and events only; a stranger is told the same for all."""

    UNKNOWN_USER = "unknown_user"
    WRONG_PASSWORD = "wrong_password"  # a word, not a password
    DISABLED = "disabled"
    LOCKED = "locked"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Authenticated:
    """The password was right. With `must_change_password` nothing may be granted before a new one is set."""

    user: StoreUser
    must_change_password: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """`store` and `user_id` name the account that refused, when there is one: private, like the reason."""

    reason: RefusalReason
    store: str = ""
    user_id: str = ""


Outcome = Authenticated | Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class NewUser:
    """A person to create. Groups that do not exist yet are made. Without a password nobody can sign in."""

    username: str
    password: str | None = None
    attributes: Attributes = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    enabled: bool = True
    must_change_password: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UserChanges:
    """None leaves as it is; what is given replaces the whole (all attributes, all groups)."""

    username: str | None = None
    attributes: Attributes | None = None
    groups: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class UserPage:
    """`next` is the cursor of the following page, None on the last one."""

    users: tuple[StoreUser, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class ConnectionReport:
    """What the connection test found: `reason` is a sentence an administrator can act upon."""

    ok: bool
    reason: str


class StoreError(Exception):
    """Base of everything a store raises on purpose. The text is for logs and administrators."""

    def __init__(self, store: str, detail: str) -> None:
        super().__init__(f"user store {store}: {detail}")
        self.store = store
        self.detail = detail


class StoreUnavailable(StoreError):
    """The store is dead, frozen, or its circuit is open: try again later (503)."""


class NotSupported(StoreError):
    """The store's capabilities exclude the operation."""


class UserExists(StoreError):
    """The username is taken in this store."""


class UnknownUser(StoreError):
    """A change of a user who is not, or no longer, in the store."""


class InvalidUser(StoreError):
    """A username, attribute or group that no store accepts (empty, NUL, too long, wrong type)."""


class UserStore(Protocol):
    """One store of one tenant. All methods may raise StoreUnavailable."""

    @property
    def name(self) -> str:
        """Domain name, upper case."""
        ...

    @property
    def type(self) -> str:
        """ "sql", "ldap"."""
        ...

    @property
    def capabilities(self) -> Capabilities: ...

    async def authenticate(self, username: str, password: str) -> Outcome:
        """Check a password. Never raises for bad input; raises passwords.LaneFull when too many hashes wait."""
        ...

    async def find_by_username(self, username: str) -> StoreUser | None:
        """By exact username; other login attributes do not count here."""
        ...

    async def find_by_id(self, user_id: str) -> StoreUser | None: ...

    async def find_by_claim(self, claim: str, value: str) -> tuple[StoreUser, ...]:
        """At most two of the people whose `email` (in any case) or `phone_number` is exactly this; nobody for other
        claims."""
        ...

    async def list_users(self, after: str | None = None, limit: int = 100) -> UserPage:
        """A page in stable order of usernames; `after` is a former page's `next`. Raises NotSupported."""
        ...

    async def groups(self) -> tuple[str, ...]:
        """Names of all groups, sorted."""
        ...

    async def create_user(self, user: NewUser) -> StoreUser:
        """Raises UserExists, InvalidUser, passwords.PasswordRefused, NotSupported."""
        ...

    async def update_user(self, user_id: str, changes: UserChanges) -> StoreUser:
        """Raises UnknownUser, UserExists, InvalidUser, NotSupported."""
        ...

    async def set_password(self, user_id: str, password: str, *, must_change: bool = False) -> None:
        """Raises UnknownUser, passwords.PasswordRefused, NotSupported."""
        ...

    async def set_enabled(self, user_id: str, enabled: bool) -> None:
        """Raises UnknownUser, NotSupported."""
        ...

    async def delete_user(self, user_id: str) -> None:
        """Raises UnknownUser, NotSupported."""
        ...

    async def check_connection(self) -> ConnectionReport:
        """Try the whole way (name, port, certificate, service account, search base) and say what is wrong."""
        ...

    async def close(self) -> None: ...
