"""The types of user stores: one line each. A directory's client library is imported when its first store is built."""

import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from userstores.passwords import PasswordLane
from userstores.spi import UserStore
from userstores.sql.database import Database

RESERVED_NAMES = frozenset(("INTERNAL", "APPLICATION", "AGENT"))
_NAME = re.compile(r"[A-Z][A-Z0-9_.-]{0,31}")


class InvalidSettings(ValueError):
    """A store's name, type or settings cannot work; the text says which and why, for an administrator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreContext:
    """What the server lends to its stores. `now` is in microseconds, `new_id` gives an id nobody had before."""

    tenant: int
    database: Database
    lane: PasswordLane
    now: Callable[[], int] = field(default=lambda: time.time_ns() // 1000)
    new_id: Callable[[], str] = field(default=lambda: str(uuid.uuid4()))


def build_store(type: str, name: str, settings: Mapping[str, object], context: StoreContext) -> UserStore:
    """A store, not yet connected to anything. Raises InvalidSettings."""
    builder = STORE_TYPES.get(type)
    if builder is None:
        raise InvalidSettings(f"{type!r} is no type of user store; there are {', '.join(STORE_TYPES)}")
    return builder(check_store_name(name), settings, context)


def check_store_name(name: str) -> str:
    """A domain name in upper case: letters, digits, `_.-`, at most 32 characters. Raises InvalidSettings."""
    upper = name.upper()
    if not _NAME.fullmatch(upper) or upper in RESERVED_NAMES:
        raise InvalidSettings(f"{name[:40]!r} cannot be a user store's name")
    return upper


def _sql_store(name: str, settings: Mapping[str, object], context: StoreContext) -> UserStore:
    from userstores.sql.store import SqlUserStore

    login_by_email = settings.get("login_by_email", True)
    unknown = sorted(set(settings) - {"login_by_email"})
    if unknown:
        raise InvalidSettings(f"{unknown[0]}: there is no such setting")
    if not isinstance(login_by_email, bool):
        raise InvalidSettings("login_by_email: must be true or false")
    return SqlUserStore(
        context.database,
        context.tenant,
        name,
        context.lane,
        now=context.now,
        new_id=context.new_id,
        login_by_email=login_by_email,
    )


def _ldap_store(name: str, settings: Mapping[str, object], context: StoreContext) -> UserStore:
    from userstores.ldap.settings import parse_settings
    from userstores.ldap.store import LdapUserStore

    try:
        return LdapUserStore(name, parse_settings(settings))
    except ValueError as error:
        raise InvalidSettings(str(error)) from None


STORE_TYPES: Mapping[str, Callable[[str, Mapping[str, object], StoreContext], UserStore]] = {
    "sql": _sql_store,
    "ldap": _ldap_store,
}
