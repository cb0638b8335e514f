"""Subjects: who a person of some store is in our tokens, and the counters that end what they granted."""

from sqlalchemy import Exists, Table, bindparam, delete, exists, or_, select, update
from sqlalchemy.sql import ColumnElement

from identity.domain.tenants import TenantId
from identity.domain.users import Subject, SubjectId
from identity.ids import new_id
from identity.storage.database import Row, Runner, Transaction, insert_into, of_tenant
from identity.storage.tables import grants, sso_session
from identity.storage.tables import subject as table

_BY_ID = select(table).where(of_tenant(table), table.c.id == bindparam("id"))
_BY_EXTERNAL_ID = select(table).where(
    of_tenant(table), table.c.store == bindparam("store"), table.c.external_id == bindparam("external_id")
)
_INSERT = insert_into(table).on_conflict_do_nothing()
_RENAME = (
    update(table)
    .where(
        table.c.tenant == bindparam("b_tenant"),
        table.c.id == bindparam("b_id"),
        table.c.username != bindparam("username"),
    )
    .values(username=bindparam("username"), version=table.c.version + 1)
)
_TOUCH = (
    update(table)
    .where(table.c.tenant == bindparam("b_tenant"), table.c.id == bindparam("b_id"))
    .values(version=table.c.version + 1)
)
_END_ALL = (
    update(table)
    .where(table.c.tenant == bindparam("b_tenant"), table.c.id == bindparam("b_id"))
    .values(version=table.c.version + 1, epoch=table.c.epoch + 1, enabled=bindparam("enabled"))
)
_DELETE = delete(table).where(of_tenant(table), table.c.id == bindparam("id"))


def _holds(held: Table, ended: ColumnElement[int]) -> Exists:
    """A live row of theirs, from before nothing of theirs was ended."""
    return exists().where(
        held.c.tenant == table.c.tenant,
        held.c.subject == table.c.id,
        held.c.subject_epoch == table.c.epoch,
        held.c.expires_at > bindparam("now"),
        ended.is_(None),
    )


_WITH_ACCESS = (
    select(table)
    .where(
        of_tenant(table),
        table.c.store == bindparam("store"),
        table.c.enabled == 1,
        table.c.id > bindparam("after"),
        or_(_holds(sso_session, sso_session.c.ended_at), _holds(grants, grants.c.revoked_at)),
    )
    .order_by(table.c.id)
    .limit(bindparam("count"))
)


async def list_subjects_with_access(
    runner: Runner, tenant: TenantId, store: str, *, after: str, now: int, count: int
) -> list[Subject]:
    """People of a store with a live session or grant, by id, from the one behind `after`."""
    rows = await runner.fetch(_WITH_ACCESS, tenant=tenant, store=store, after=after, now=now, count=count)
    return [_subject(row) for row in rows]


async def find_subject(runner: Runner, tenant: TenantId, subject: str) -> Subject | None:
    row = await runner.fetch_one(_BY_ID, tenant=tenant, id=subject)
    return None if row is None else _subject(row)


async def find_subject_of_user(runner: Runner, tenant: TenantId, store: str, external_id: str) -> Subject | None:
    row = await runner.fetch_one(_BY_EXTERNAL_ID, tenant=tenant, store=store, external_id=external_id)
    return None if row is None else _subject(row)


async def ensure_subject(
    transaction: Transaction, tenant: TenantId, *, store: str, external_id: str, username: str, now: int
) -> Subject:
    """The subject of a store's user, made at the first sign-in; keeps the name as last seen."""
    found = await find_subject_of_user(transaction, tenant, store, external_id)
    if found is None:
        await transaction.execute(
            _INSERT,
            tenant=tenant,
            id=new_id(),
            store=store,
            external_id=external_id,
            username=username,
            version=1,
            epoch=1,
            enabled=1,
            created_at=now,
        )
    elif found.username == username:
        return found
    else:
        await transaction.execute(_RENAME, b_tenant=tenant, b_id=found.id, username=username)
    renamed = await find_subject_of_user(transaction, tenant, store, external_id)
    assert renamed is not None
    return renamed


async def ensure_visitor(
    transaction: Transaction, tenant: TenantId, *, store: str, sub: str, now: int
) -> Subject | None:
    """The subject of somebody without an account, whose id is the `sub` of their issuer (`store` names it).

    None when the id is somebody else's: no issuer may speak for people of another one, or for ours.
    """
    await transaction.execute(
        _INSERT, tenant=tenant, id=sub, store=store, external_id=sub, username=sub, version=1, epoch=1, enabled=1,
        created_at=now,
    )  # fmt: skip
    found = await find_subject(transaction, tenant, sub)
    return found if found is not None and found.store == store else None


async def touch_subject(transaction: Transaction, tenant: TenantId, subject: SubjectId) -> None:
    """Attributes changed: userinfo reads the store once more for every running grant."""
    await transaction.execute(_TOUCH, b_tenant=tenant, b_id=subject)


async def end_everything_of_subject(
    transaction: Transaction, tenant: TenantId, subject: SubjectId, *, enabled: bool = True
) -> None:
    """Raise the epoch: every session, grant and token of this person is over at once."""
    await transaction.execute(_END_ALL, b_tenant=tenant, b_id=subject, enabled=int(enabled))


async def delete_subject(transaction: Transaction, tenant: TenantId, subject: SubjectId) -> None:
    await transaction.execute(_DELETE, tenant=tenant, id=subject)


def _subject(row: Row) -> Subject:
    return Subject(
        tenant=TenantId(row["tenant"]),
        id=SubjectId(row["id"]),
        store=row["store"],
        external_id=row["external_id"],
        username=row["username"],
        version=row["version"],
        epoch=row["epoch"],
        enabled=bool(row["enabled"]),
    )
