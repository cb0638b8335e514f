"""The SQL store: people in our own database, passwords as argon2id.

Sign-in works with the username, or with an email address that exactly one person of the store has. No transaction is
open while a password is hashed.
"""

import time
import uuid
from collections.abc import Callable

from userstores.attributes import as_presented, check_attributes, from_json, to_json
from userstores.names import SEPARATOR, is_username, username_key
from userstores.passwords import LaneFull, PasswordLane, PasswordRefused, check_password, check_stored
from userstores.spi import (
    Attributes,
    AttributeValue,
    Authenticated,
    Capabilities,
    ConnectionReport,
    InvalidUser,
    NewUser,
    Outcome,
    RefusalReason,
    Refused,
    StoreUnavailable,
    StoreUser,
    UnknownUser,
    UserChanges,
    UserExists,
    UserPage,
)
from userstores.sql import queries
from userstores.sql.database import Database, Row, Transaction, store_errors

CAPABILITIES = Capabilities(create=True, update=True, set_password=True, set_enabled=True, delete=True, list=True)
PAGE_LIMIT = 1000


def _now() -> int:
    return time.time_ns() // 1000


def _new_id() -> str:
    return str(uuid.uuid4())


class SqlUserStore:
    """One store of one tenant. `now` gives microseconds since the epoch, `new_id` an id nobody had before."""

    type = "sql"
    capabilities = CAPABILITIES

    def __init__(
        self,
        database: Database,
        tenant: int,
        name: str,
        lane: PasswordLane,
        *,
        now: Callable[[], int] = _now,
        new_id: Callable[[], str] = _new_id,
        login_by_email: bool = True,
    ) -> None:
        self._database = database
        self._tenant = tenant
        self._name = name
        self._lane = lane
        self._now = now
        self._new_id = new_id
        self._login_by_email = login_by_email

    @property
    def name(self) -> str:
        return self._name

    async def authenticate(self, username: str, password: str) -> Outcome:
        try:
            check_password(password)
        except PasswordRefused:
            return Refused(RefusalReason.WRONG_PASSWORD)
        row = await self._row_by_login(username)
        if row is None or not row["password_hash"]:
            await self._lane.verify_dummy(password)
            return self._refused(RefusalReason.UNKNOWN_USER if row is None else RefusalReason.WRONG_PASSWORD, row)
        verification = await self._lane.verify(row["password_hash"], password)
        if not verification.matches:
            return self._refused(RefusalReason.WRONG_PASSWORD, row)
        if not row["enabled"]:
            return self._refused(RefusalReason.DISABLED, row)
        if verification.outdated:
            await self._rehash(row, password)
        return Authenticated(await self._user_of(row), bool(row["must_change_password"]))

    async def find_by_username(self, username: str) -> StoreUser | None:
        if not is_username(username):
            return None
        with store_errors(self._name):
            row = await queries.user_by_username(self._database, self._tenant, self._name, username_key(username))
        return None if row is None else await self._user_of(row)

    async def find_by_id(self, user_id: str) -> StoreUser | None:
        if not is_username(user_id):
            return None
        with store_errors(self._name):
            row = await queries.user_by_id(self._database, self._tenant, self._name, user_id)
        return None if row is None else await self._user_of(row)

    async def find_by_claim(self, claim: str, value: str) -> tuple[StoreUser, ...]:
        if claim not in ("email", "phone_number") or not is_username(value):
            return ()
        with store_errors(self._name):
            if claim == "email":
                rows = await queries.users_by_email(self._database, self._tenant, self._name, username_key(value))
            else:
                member = to_json({claim: value})[1:-1]
                rows = await queries.users_by_attribute(self._database, self._tenant, self._name, member)
        users = [await self._user_of(row) for row in rows]
        # LIKE does not tell cases apart on every engine, and an address's member could be called like a claim.
        return tuple(user for user in users if claim == "email" or user.attributes.get(claim) == value)[:2]

    async def list_users(self, after: str | None = None, limit: int = 100) -> UserPage:
        """The cursor is the last username_key of the former page."""
        limit = max(1, min(limit, PAGE_LIMIT))
        with store_errors(self._name):
            rows = await queries.users_after(self._database, self._tenant, self._name, after or "", limit + 1)
            page = rows[:limit]
            last = page[-1]["username_key"] if page else ""
            groups = await queries.groups_of_page(self._database, self._tenant, self._name, after or "", last)
        users = tuple(self._user(row, tuple(sorted(groups.get(row["id"], ())))) for row in page)
        return UserPage(users, last if len(rows) > limit else None)

    async def groups(self) -> tuple[str, ...]:
        with store_errors(self._name):
            rows = await queries.all_groups(self._database, self._tenant, self._name)
        return tuple(sorted(row["name"] for row in rows))

    async def create_user(self, user: NewUser) -> StoreUser:
        password_hash = "" if user.password is None else await self._lane.hash(user.password)
        return await self._insert(user, password_hash)

    async def import_user(self, user: NewUser, password_hash: str) -> StoreUser:
        """Create with a hash another program made, `{scheme}hash` (see imported_hashes.SCHEMES).

        Raises InvalidUser too for a hash that could not be verified here.
        """
        try:
            check_stored(password_hash)
        except ValueError as error:
            raise InvalidUser(self._name, str(error)) from None
        return await self._insert(user, password_hash)

    async def update_user(self, user_id: str, changes: UserChanges) -> StoreUser:
        with store_errors(self._name):
            async with self._database.transaction() as transaction:
                row = await queries.user_by_id(transaction, self._tenant, self._name, user_id)
                if row is None:
                    raise UnknownUser(self._name, f"no user {user_id}")
                await self._apply(transaction, row, changes)
                changed = await queries.user_by_id(transaction, self._tenant, self._name, user_id)
                groups = await queries.groups_of_user(transaction, self._tenant, self._name, user_id)
        assert changed is not None
        return self._user(changed, groups)

    async def set_password(self, user_id: str, password: str, *, must_change: bool = False) -> None:
        new_hash = await self._lane.hash(password)
        with store_errors(self._name):
            async with self._database.transaction() as transaction:
                found = await queries.set_password(
                    transaction, self._tenant, self._name, user_id, new_hash, must_change, self._now()
                )
        self._require(found, user_id)

    async def set_enabled(self, user_id: str, enabled: bool) -> None:
        with store_errors(self._name):
            async with self._database.transaction() as transaction:
                found = await queries.set_enabled(transaction, self._tenant, self._name, user_id, enabled, self._now())
        self._require(found, user_id)

    async def delete_user(self, user_id: str) -> None:
        with store_errors(self._name):
            async with self._database.transaction() as transaction:
                found = await queries.delete_user(transaction, self._tenant, self._name, user_id)
        self._require(found, user_id)

    async def check_connection(self) -> ConnectionReport:
        try:
            await self.find_by_id("-")
        except StoreUnavailable as error:
            return ConnectionReport(False, f"The database does not answer: {error.detail}")
        return ConnectionReport(True, "The database answers.")

    async def close(self) -> None:
        """The database and the lane belong to the server, not to the store."""

    async def _row_by_login(self, login: str) -> Row | None:
        """The one row that a login name means; None when nobody or more than one has it as their email."""
        if not is_username(login):
            return None
        key = username_key(login)
        with store_errors(self._name):
            if not self._login_by_email or "@" not in key:
                return await queries.user_by_username(self._database, self._tenant, self._name, key)
            rows = await queries.users_by_login(self._database, self._tenant, self._name, key)
        if rows and rows[0]["username_key"] == key:
            return rows[0]
        return rows[0] if len(rows) == 1 else None

    async def _rehash(self, row: Row, password: str) -> None:
        """Replace an outdated hash, unless the password was changed meanwhile. A busy lane leaves it for next time."""
        try:
            new_hash = await self._lane.hash(password)
        except LaneFull:
            return
        with store_errors(self._name):
            async with self._database.transaction() as transaction:
                await queries.replace_hash(
                    transaction, self._tenant, self._name, row["id"], row["password_hash"], new_hash
                )

    async def _insert(self, user: NewUser, password_hash: str) -> StoreUser:
        attributes = self._checked(user.username, user.attributes)
        now = self._now()
        row = {
            "id": self._new_id(),
            "username": user.username,
            "username_key": username_key(user.username),
            "email_key": _email_key(attributes),
            "password_hash": password_hash,
            "must_change_password": int(user.must_change_password),
            "enabled": int(user.enabled),
            "attributes": to_json(attributes),
            "created_at": now,
            "updated_at": now,
            "password_changed_at": now,
        }
        with store_errors(self._name):
            async with self._database.transaction() as transaction:
                if not await queries.insert_user(transaction, self._tenant, self._name, **row):
                    raise UserExists(self._name, f"the username {user.username} is taken")
                await self._set_groups(transaction, str(row["id"]), user.groups)
        return self._user(row, tuple(sorted(set(user.groups))))

    async def _apply(self, transaction: Transaction, row: Row, changes: UserChanges) -> None:
        username = row["username"] if changes.username is None else changes.username
        kept = from_json(row["attributes"]) if changes.attributes is None else changes.attributes
        attributes = self._checked(username, kept)
        await queries.update_user(
            transaction,
            self._tenant,
            self._name,
            row["id"],
            new_username=username,
            new_username_key=username_key(username),
            new_email_key=_email_key(attributes),
            new_attributes=to_json(attributes),
            new_updated_at=self._now(),
        )
        if changes.groups is not None:
            await queries.delete_memberships(transaction, self._tenant, self._name, row["id"])
            await self._set_groups(transaction, row["id"], changes.groups)

    async def _set_groups(self, transaction: Transaction, user_id: str, names: tuple[str, ...]) -> None:
        """Memberships of a user who has none yet; groups that are missing are made."""
        if not names:
            return
        for name in names:
            if not is_username(name):
                raise InvalidUser(self._name, f"{name[:80]!r} cannot be a group's name")
            row = {"id": self._new_id(), "name": name, "name_key": username_key(name), "created_at": self._now()}
            await queries.insert_group(transaction, self._tenant, self._name, **row)
        ids = {row["name_key"]: row["id"] for row in await queries.all_groups(transaction, self._tenant, self._name)}
        for key in {username_key(name) for name in names}:
            await queries.insert_membership(transaction, self._tenant, self._name, user_id, ids[key])

    def _checked(self, username: str, attributes: Attributes) -> dict[str, AttributeValue]:
        # The separator would make `DOMAIN/user` of it, and a store named so later would take the name over.
        if not is_username(username) or SEPARATOR in username:
            raise InvalidUser(self._name, f"{username[:80]!r} cannot be a username")
        try:
            # The store says itself when a user was changed last.
            return check_attributes({name: value for name, value in attributes.items() if name != "updated_at"})
        except ValueError as error:
            raise InvalidUser(self._name, str(error)) from None

    async def _user_of(self, row: Row) -> StoreUser:
        with store_errors(self._name):
            return self._user(row, await queries.groups_of_user(self._database, self._tenant, self._name, row["id"]))

    def _user(self, row: Row, groups: tuple[str, ...]) -> StoreUser:
        attributes = {**from_json(row["attributes"]), "updated_at": row["updated_at"] // 1_000_000}
        return StoreUser(
            store=self._name,
            id=row["id"],
            username=row["username"],
            attributes=as_presented(attributes, row["username"]),
            groups=groups,
            enabled=bool(row["enabled"]),
        )

    def _refused(self, reason: RefusalReason, row: Row | None) -> Refused:
        return Refused(reason, self._name, row["id"]) if row is not None else Refused(reason)

    def _require(self, found: bool, user_id: str) -> None:
        if not found:
            raise UnknownUser(self._name, f"no user {user_id}")


def _email_key(attributes: Attributes) -> str:
    email = attributes.get("email")
    return username_key(email) if isinstance(email, str) else ""
