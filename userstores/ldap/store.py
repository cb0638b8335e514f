"""The LDAP store: people of a directory, found by search and proven by bind. It reads, and writes nothing."""

import asyncio
import heapq
import secrets
import time
from collections.abc import Callable

from userstores.ldap.answers import Entry, TooManyEntries
from userstores.ldap.breaker import CircuitState
from userstores.ldap.connection import Directory, Session
from userstores.ldap.diagnosis import diagnose
from userstores.ldap.entries import (
    answers_to,
    entry_id,
    id_value,
    is_enabled,
    is_named,
    user_of,
    usernames,
    wanted_attributes,
)
from userstores.ldap.filters import And, Equal, Filter, Or, Present
from userstores.ldap.groups import all_groups, groups_of
from userstores.ldap.settings import LdapSettings
from userstores.names import is_username, username_key
from userstores.passwords import PasswordRefused, check_password
from userstores.spi import (
    Authenticated,
    Capabilities,
    ConnectionReport,
    NewUser,
    NotSupported,
    Outcome,
    RefusalReason,
    Refused,
    StoreUser,
    UserChanges,
    UserPage,
)

PAGE_LIMIT = 1000
_SAME_NAME_LIMIT = 3
_CHUNK = 50


class LdapUserStore:
    """`monotonic` gives seconds, for the circuit breaker."""

    type = "ldap"
    capabilities = Capabilities(list=True)

    def __init__(self, name: str, settings: LdapSettings, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._settings = settings
        self._directory = Directory(name, settings, monotonic)
        self._wanted = wanted_attributes(settings)

    @property
    def name(self) -> str:
        return self._name

    @property
    def circuit(self) -> CircuitState:
        """For metrics and the administrator's page."""
        return self._directory.breaker.state

    async def authenticate(self, username: str, password: str) -> Outcome:
        """One search and one bind, for a name that nobody has too. Names and passwords that no directory could hold
        are refused before the network."""
        try:
            check_password(password)
        except PasswordRefused:
            return Refused(RefusalReason.WRONG_PASSWORD)
        if not is_username(username):
            return Refused(RefusalReason.UNKNOWN_USER)
        begun = time.monotonic()
        outcome = await self._directory.run(lambda session: self._sign_in(session, username, password))
        if isinstance(outcome, Refused):
            step = self._settings.refusal_seconds
            await asyncio.sleep(step - (time.monotonic() - begun) % step)
        return outcome

    async def find_by_username(self, username: str) -> StoreUser | None:
        if not is_username(username):
            return None
        tree = self._people(Equal(self._settings.username_attribute, username))
        return await self._directory.run(
            lambda session: self._found(session, tree, lambda entry: is_named(entry, self._settings, username))
        )

    async def find_by_id(self, user_id: str) -> StoreUser | None:
        if not is_username(user_id):
            return None
        try:
            tree = self._people(Equal(self._settings.id_attribute, id_value(user_id, self._settings)))
        except ValueError:
            return None
        return await self._directory.run(
            lambda session: self._found(session, tree, lambda entry: entry_id(entry, self._settings) == user_id)
        )

    async def find_by_claim(self, claim: str, value: str) -> tuple[StoreUser, ...]:
        sources = [name for name, mapped in self._settings.attribute_claims.items() if mapped == claim]
        if claim not in ("email", "phone_number") or not sources or not is_username(value):
            return ()
        equals = tuple(Equal(name, value) for name in sources)
        tree = self._people(Or(equals) if equals[1:] else equals[0])
        return await self._directory.run(lambda session: self._with_claim(session, tree, claim, value))

    async def list_users(self, after: str | None = None, limit: int = 100) -> UserPage:
        """Reads all usernames (at most `list_limit`) for each page, because directories do not sort alike, if at all.

        Raises NotSupported for a directory with more people: they are found by name.
        """
        size = max(1, min(limit, PAGE_LIMIT))
        return await self._directory.run(lambda session: self._page(session, after or "", size))

    async def groups(self) -> tuple[str, ...]:
        return tuple(await self._directory.run(lambda session: all_groups(session, self._settings)))

    async def create_user(self, user: NewUser) -> StoreUser:
        raise self._read_only("create users")

    async def update_user(self, user_id: str, changes: UserChanges) -> StoreUser:
        raise self._read_only("change users")

    async def set_password(self, user_id: str, password: str, *, must_change: bool = False) -> None:
        raise self._read_only("set passwords")

    async def set_enabled(self, user_id: str, enabled: bool) -> None:
        raise self._read_only("enable or disable users")

    async def delete_user(self, user_id: str) -> None:
        raise self._read_only("delete users")

    async def check_connection(self) -> ConnectionReport:
        """Opens connections of its own to every server, also while the circuit is open."""
        return await diagnose(self._settings)

    async def close(self) -> None:
        await self._directory.close()

    def _sign_in(self, session: Session, login: str, password: str) -> Outcome:
        entry = self._entry_by_login(session, login)
        if entry is None:
            # The answer is looked at like a person's, so that a busy directory is busy for both.
            _ = session.bind(self._dummy_dn(), password).reason
            return Refused(RefusalReason.UNKNOWN_USER)
        user_id = entry_id(entry, self._settings)
        answer = session.bind(entry.dn, password)
        reason = answer.reason
        if reason is None and not is_enabled(entry):
            reason = RefusalReason.DISABLED
        if reason is not None:
            return Refused(reason, self._name, user_id)
        user = user_of(entry, self._settings, self._name, groups_of(session, entry, self._settings))
        return Authenticated(user, answer.must_change_password)

    def _entry_by_login(self, session: Session, login: str) -> Entry | None:
        """The one entry a login name means: the owner of the username, else the only one with the login attribute."""
        settings = self._settings
        names = (settings.username_attribute, *settings.login_attributes)
        tree = self._people(Or(tuple(Equal(name, login) for name in names)) if names[1:] else Equal(names[0], login))
        found = session.search(settings.user_search_base, tree, self._wanted, _SAME_NAME_LIMIT)
        candidates = [entry for entry in found if self._is_whole(entry) and answers_to(entry, settings, login)]
        owners = [entry for entry in candidates if is_named(entry, settings, login)]
        chosen = owners or candidates
        return chosen[0] if len(chosen) == 1 else None

    def _found(self, session: Session, tree: Filter, is_it: Callable[[Entry], bool]) -> StoreUser | None:
        found = session.search(self._settings.user_search_base, tree, self._wanted, _SAME_NAME_LIMIT)
        entries = [entry for entry in found if self._is_whole(entry) and is_it(entry)]
        return self._user(session, entries[0]) if len(entries) == 1 else None

    def _with_claim(self, session: Session, tree: Filter, claim: str, value: str) -> tuple[StoreUser, ...]:
        found = session.search(self._settings.user_search_base, tree, self._wanted, _SAME_NAME_LIMIT)
        users = (self._user(session, entry) for entry in found if self._is_whole(entry))
        # By our own rule: directories also ignore blanks and widths.
        key = username_key if claim == "email" else str
        return tuple(user for user in users if key(str(user.attributes.get(claim, ""))) == key(value))[:2]

    def _page(self, session: Session, after: str, size: int) -> UserPage:
        settings = self._settings
        attributes = [settings.username_attribute, settings.id_attribute]
        everyone = self._people(Present(settings.username_attribute))
        try:
            entries = session.scan(settings.user_search_base, everyone, attributes, settings.list_limit)
        except TooManyEntries as error:
            raise NotSupported(self._name, f"{error}: look people up by name") from None
        keys = {
            username_key(min(usernames(entry, settings))): entry_id(entry, settings)
            for entry in entries
            if self._is_whole(entry)
        }
        page = heapq.nsmallest(size + 1, (key for key in keys if key > after))
        users = self._by_ids(session, [keys[key] for key in page[:size]])
        return UserPage(users, page[size - 1] if len(page) > size else None)

    def _by_ids(self, session: Session, ids: list[str]) -> tuple[StoreUser, ...]:
        """Users in order of username. One search for every 50, so that no filter becomes too long for a directory."""
        users: list[StoreUser] = []
        for start in range(0, len(ids), _CHUNK):
            wanted = tuple(
                Equal(self._settings.id_attribute, id_value(user_id, self._settings))
                for user_id in ids[start : start + _CHUNK]
            )
            tree = self._people(Or(wanted))
            found = session.search(self._settings.user_search_base, tree, self._wanted, _CHUNK)
            users += [self._user(session, entry) for entry in found if self._is_whole(entry)]
        return tuple(sorted(users, key=lambda user: username_key(user.username)))

    def _people(self, condition: Filter) -> Filter:
        return And((Equal("objectClass", self._settings.user_object_class), condition))

    def _is_whole(self, entry: Entry) -> bool:
        """A person needs a DN to bind as, a username, and an id that lasts."""
        return bool(entry.dn and usernames(entry, self._settings) and entry_id(entry, self._settings))

    def _user(self, session: Session, entry: Entry) -> StoreUser:
        return user_of(entry, self._settings, self._name, groups_of(session, entry, self._settings))

    def _dummy_dn(self) -> str:
        settings = self._settings
        name = f"{settings.username_attribute}=-{secrets.token_hex(8)}"
        return settings.dummy_bind_dn or f"{name},{settings.user_search_base}"

    def _read_only(self, what: str) -> NotSupported:
        return NotSupported(self._name, f"this store cannot {what}: the directory's own tools do")
