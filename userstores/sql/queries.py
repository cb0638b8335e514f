"""Every query of the SQL store. Each takes tenant and store; nothing here reads another tenant's rows."""

from collections.abc import Sequence

from sqlalchemy import Insert, Table, and_, bindparam, delete, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql import ColumnElement

from userstores.sql.database import Row, Runner, Transaction
from userstores.sql.tables import store_group, store_membership, store_user

_USER_COLUMNS = (
    store_user.c.id,
    store_user.c.username,
    store_user.c.username_key,
    store_user.c.password_hash,
    store_user.c.must_change_password,
    store_user.c.enabled,
    store_user.c.attributes,
    store_user.c.updated_at,
)


def _users(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """The one place that narrows users to a tenant's store."""
    return and_(store_user.c.tenant == bindparam("tenant"), store_user.c.store == bindparam("store"), *conditions)


_same_id = store_user.c.id == bindparam("user_id")

_BY_LOGIN = (
    select(*_USER_COLUMNS)
    .where(_users(or_(store_user.c.username_key == bindparam("key"), store_user.c.email_key == bindparam("key"))))
    .order_by(store_user.c.username_key != bindparam("key"))
    .limit(3)
)
_BY_EMAIL = select(*_USER_COLUMNS).where(_users(store_user.c.email_key == bindparam("key"))).limit(2)
# Read from end to end: telephone numbers are looked for rarely, and have no column of their own.
_BY_ATTRIBUTE = (
    select(*_USER_COLUMNS).where(_users(store_user.c.attributes.like(bindparam("pattern"), escape="\\"))).limit(10)
)
_BY_USERNAME = select(*_USER_COLUMNS).where(_users(store_user.c.username_key == bindparam("key")))
_BY_ID = select(*_USER_COLUMNS).where(_users(_same_id))
_PAGE = (
    select(*_USER_COLUMNS)
    .where(_users(store_user.c.username_key > bindparam("after")))
    .order_by(store_user.c.username_key)
    .limit(bindparam("page_size"))
)
_members = and_(
    store_membership.c.tenant == store_group.c.tenant,
    store_membership.c.store == store_group.c.store,
    store_membership.c.group_id == store_group.c.id,
)
_GROUPS_OF_USER = (
    select(store_group.c.name)
    .select_from(store_membership.join(store_group, _members))
    .where(
        store_membership.c.tenant == bindparam("tenant"),
        store_membership.c.store == bindparam("store"),
        store_membership.c.user_id == bindparam("user_id"),
    )
)
_GROUPS_OF_PAGE = (
    select(store_membership.c.user_id, store_group.c.name)
    .select_from(
        store_user.join(
            store_membership,
            and_(
                store_membership.c.tenant == store_user.c.tenant,
                store_membership.c.store == store_user.c.store,
                store_membership.c.user_id == store_user.c.id,
            ),
        ).join(store_group, _members)
    )
    .where(_users(store_user.c.username_key > bindparam("after"), store_user.c.username_key <= bindparam("last")))
)
_ALL_GROUPS = select(store_group.c.id, store_group.c.name, store_group.c.name_key).where(
    store_group.c.tenant == bindparam("tenant"), store_group.c.store == bindparam("store")
)


def _insert_unless_there(table: Table) -> Insert:
    """One parameter per column; SQLite renders PostgreSQL's `on conflict do nothing` as its own."""
    return (
        insert(table).values({column.name: bindparam(column.name) for column in table.columns}).on_conflict_do_nothing()
    )


_INSERT_USER = _insert_unless_there(store_user)
_INSERT_GROUP = _insert_unless_there(store_group)
_INSERT_MEMBERSHIP = _insert_unless_there(store_membership)
_CHANGEABLE = ("username", "username_key", "email_key", "attributes", "updated_at")
_UPDATE_USER = (
    update(store_user).where(_users(_same_id)).values({name: bindparam(f"new_{name}") for name in _CHANGEABLE})
)
_SET_PASSWORD = (
    update(store_user)
    .where(_users(_same_id))
    .values(
        password_hash=bindparam("new_hash"),
        must_change_password=bindparam("new_must_change"),
        password_changed_at=bindparam("now"),
    )
)
_REPLACE_HASH = (
    update(store_user)
    .where(_users(_same_id, store_user.c.password_hash == bindparam("old_hash")))
    .values(password_hash=bindparam("new_hash"))
)
_SET_ENABLED = update(store_user).where(_users(_same_id)).values(enabled=bindparam("flag"), updated_at=bindparam("now"))
_DELETE_USER = delete(store_user).where(_users(_same_id))
_DELETE_MEMBERSHIPS = delete(store_membership).where(
    store_membership.c.tenant == bindparam("tenant"),
    store_membership.c.store == bindparam("store"),
    store_membership.c.user_id == bindparam("user_id"),
)


async def users_by_login(runner: Runner, tenant: int, store: str, key: str) -> Sequence[Row]:
    """At most 3 rows whose username or email is `key`, the username's first. Two index look-ups."""
    return await runner.fetch(_BY_LOGIN, tenant=tenant, store=store, key=key)


async def users_by_email(runner: Runner, tenant: int, store: str, key: str) -> Sequence[Row]:
    return await runner.fetch(_BY_EMAIL, tenant=tenant, store=store, key=key)


async def users_by_attribute(runner: Runner, tenant: int, store: str, member: str) -> Sequence[Row]:
    """`member`: name and value as they stand in the JSON text of the attributes."""
    escaped = member.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return await runner.fetch(_BY_ATTRIBUTE, tenant=tenant, store=store, pattern=f"%{escaped}%")


async def user_by_username(runner: Runner, tenant: int, store: str, key: str) -> Row | None:
    return await runner.fetch_one(_BY_USERNAME, tenant=tenant, store=store, key=key)


async def user_by_id(runner: Runner, tenant: int, store: str, user_id: str) -> Row | None:
    return await runner.fetch_one(_BY_ID, tenant=tenant, store=store, user_id=user_id)


async def users_after(runner: Runner, tenant: int, store: str, after: str, page_size: int) -> Sequence[Row]:
    """Keyset page in order of username_key."""
    return await runner.fetch(_PAGE, tenant=tenant, store=store, after=after, page_size=page_size)


async def groups_of_user(runner: Runner, tenant: int, store: str, user_id: str) -> tuple[str, ...]:
    rows = await runner.fetch(_GROUPS_OF_USER, tenant=tenant, store=store, user_id=user_id)
    return tuple(sorted(row["name"] for row in rows))


async def groups_of_page(runner: Runner, tenant: int, store: str, after: str, last: str) -> dict[str, list[str]]:
    """Group names by user id, of the users whose username_key lies in (after, last]."""
    found: dict[str, list[str]] = {}
    for row in await runner.fetch(_GROUPS_OF_PAGE, tenant=tenant, store=store, after=after, last=last):
        found.setdefault(row["user_id"], []).append(row["name"])
    return found


async def all_groups(runner: Runner, tenant: int, store: str) -> Sequence[Row]:
    """id, name, name_key of each."""
    return await runner.fetch(_ALL_GROUPS, tenant=tenant, store=store)


async def insert_user(transaction: Transaction, tenant: int, store: str, **columns: object) -> bool:
    """False when the username is taken."""
    return await transaction.execute(_INSERT_USER, tenant=tenant, store=store, **columns) == 1


async def insert_group(transaction: Transaction, tenant: int, store: str, **columns: object) -> None:
    """Leaves a group of the same name as it is."""
    await transaction.execute(_INSERT_GROUP, tenant=tenant, store=store, **columns)


async def insert_membership(transaction: Transaction, tenant: int, store: str, user_id: str, group_id: str) -> None:
    await transaction.execute(_INSERT_MEMBERSHIP, tenant=tenant, store=store, user_id=user_id, group_id=group_id)


async def update_user(transaction: Transaction, tenant: int, store: str, user_id: str, **columns: object) -> bool:
    """Columns as `new_username`, `new_username_key`, `new_email_key`, `new_attributes`, `new_updated_at`."""
    return await transaction.execute(_UPDATE_USER, tenant=tenant, store=store, user_id=user_id, **columns) == 1


async def set_password(
    transaction: Transaction, tenant: int, store: str, user_id: str, new_hash: str, must_change: bool, now: int
) -> bool:
    parameters = {"new_hash": new_hash, "new_must_change": int(must_change), "now": now}
    return await transaction.execute(_SET_PASSWORD, tenant=tenant, store=store, user_id=user_id, **parameters) == 1


async def replace_hash(
    transaction: Transaction, tenant: int, store: str, user_id: str, old_hash: str, new_hash: str
) -> bool:
    """Compare-and-swap: False when the password was changed meanwhile."""
    parameters = {"old_hash": old_hash, "new_hash": new_hash}
    return await transaction.execute(_REPLACE_HASH, tenant=tenant, store=store, user_id=user_id, **parameters) == 1


async def set_enabled(transaction: Transaction, tenant: int, store: str, user_id: str, flag: bool, now: int) -> bool:
    return (
        await transaction.execute(_SET_ENABLED, tenant=tenant, store=store, user_id=user_id, flag=int(flag), now=now)
        == 1
    )


async def delete_user(transaction: Transaction, tenant: int, store: str, user_id: str) -> bool:
    """The memberships first."""
    await delete_memberships(transaction, tenant, store, user_id)
    return await transaction.execute(_DELETE_USER, tenant=tenant, store=store, user_id=user_id) == 1


async def delete_memberships(transaction: Transaction, tenant: int, store: str, user_id: str) -> None:
    await transaction.execute(_DELETE_MEMBERSHIPS, tenant=tenant, store=store, user_id=user_id)
