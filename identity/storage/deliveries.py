"""The outbox: who claims a delivery has it until the lease ends, and nobody else does.

`next_at` is the one moment that counts for claiming: the next try, the end of a lease, or NEVER when it is over.
"""

from dataclasses import fields

from sqlalchemy import bindparam, func, null, select, tuple_, update

from identity.domain.deliveries import Delivery
from identity.domain.tenants import TenantId
from identity.storage.authorization_tables import delivery as table
from identity.storage.database import Database, Runner, Writer, columns, insert_into, of_tenant

NEVER = 2**62

_INSERT = insert_into(table)
_INSERT_ONCE = insert_into(table).on_conflict_do_nothing()
_KEY = select(table.c.id).where(of_tenant(table), table.c.key == bindparam("key"))
_DUE = table.c.next_at <= bindparam("now")
_ANY_DUE = select(table.c.id).where(_DUE).limit(1)
# A CTE with row locks is run once (PostgreSQL does not inline it); SQLite has one writer and leaves the locks out.
_next = (
    select(table.c.tenant, table.c.id)
    .where(_DUE)
    .order_by(table.c.next_at)
    .limit(bindparam("count"))
    .with_for_update(skip_locked=True)
    .cte("due")
)
_CLAIM = (
    update(table)
    .where(tuple_(table.c.tenant, table.c.id).in_(select(_next.c.tenant, _next.c.id)))
    .values(leased_until=bindparam("lease"), next_at=bindparam("lease"))
    .returning(table)
)
_this = (table.c.tenant == bindparam("b_tenant")) & (table.c.id == bindparam("b_id"))
_held = _this & (table.c.leased_until == bindparam("b_lease")) & table.c.delivered_at.is_(None)
_DELIVERED = (
    update(table)
    .where(_this, table.c.delivered_at.is_(None))
    .values(
        delivered_at=bindparam("at"),
        failed_at=null(),
        leased_until=null(),
        next_at=NEVER,
        attempts=table.c.attempts + 1,
        last_status=bindparam("status"),
        last_error="",
    )
)
_NOT_DELIVERED = (
    update(table)
    .where(_held)
    .values(
        failed_at=bindparam("given_up_at"),
        leased_until=null(),
        next_at=bindparam("again_at"),
        attempts=table.c.attempts + 1,
        last_status=bindparam("status"),
        last_error=bindparam("error"),
    )
)
_RELEASE = update(table).where(_held).values(leased_until=null(), next_at=bindparam("again_at"))
_of_origin = func.substr(table.c.target, 1, bindparam("length")) == bindparam("origin")
_others = select(table.c.tenant, table.c.id).where(_DUE, _of_origin).with_for_update(skip_locked=True).cte("others")
_POSTPONE = (
    update(table)
    .where(tuple_(table.c.tenant, table.c.id).in_(select(_others.c.tenant, _others.c.id)))
    .values(leased_until=null(), next_at=bindparam("again_at"))
)
_old = (
    select(table.c.tenant, table.c.id)
    .where(table.c.created_at < bindparam("before"), table.c.next_at < NEVER)
    .where(table.c.leased_until.is_(None) | (table.c.leased_until < bindparam("now")))
    .limit(bindparam("count"))
    .with_for_update(skip_locked=True)
    .cte("old")
)
_GIVE_UP = (
    update(table)
    .where(tuple_(table.c.tenant, table.c.id).in_(select(_old.c.tenant, _old.c.id)))
    .values(failed_at=bindparam("now"), leased_until=null(), next_at=NEVER, last_error=bindparam("error"))
    .returning(table)
)
_WAITING = select(func.count().label("rows")).select_from(
    select(table.c.id).where(table.c.next_at < NEVER).limit(100_000).subquery()
)
_PAGE = (
    select(table)
    .where(of_tenant(table), table.c.id < bindparam("before"))
    .order_by(table.c.id.desc())
    .limit(bindparam("count"))
)
_NAMES = tuple(field.name for field in fields(Delivery))


def _delivery(row: object) -> Delivery:
    values = {name: row[name] for name in _NAMES}  # type: ignore[index]
    return Delivery(**(values | {"payload": bytes(values["payload"])}))


async def insert_delivery(writer: Writer, delivery: Delivery) -> None:
    """Nothing is written when its key is taken."""
    await writer.execute(_INSERT if delivery.key is None else _INSERT_ONCE, **columns(delivery))


async def key_is_taken(runner: Runner, tenant: TenantId, key: str) -> bool:
    return await runner.fetch_one(_KEY, tenant=tenant, key=key) is not None


async def any_due(runner: Runner, now: int) -> bool:
    """Cheap, so that an idle server does not write every second."""
    return await runner.fetch_one(_ANY_DUE, now=now) is not None


async def claim_deliveries(database: Database, *, now: int, lease: int, count: int) -> list[Delivery]:
    """Take up to `count` deliveries that are due; they are the caller's alone until `lease`."""
    rows = await database.fetch_changed(_CLAIM, now=now, lease=lease, count=count)
    return [_delivery(row) for row in rows]


async def mark_delivered(database: Database, delivery: Delivery, *, at: int, status: int) -> None:
    """Even after the lease has ended: what has arrived need not be sent again."""
    await database.execute(_DELIVERED, b_tenant=delivery.tenant, b_id=delivery.id, at=at, status=status)


async def mark_not_delivered(
    database: Database, delivery: Delivery, *, again_at: int | None, at: int, status: int, error: str
) -> None:
    """The try failed: the next one is at `again_at`, or there is none. Nothing, once the lease is another's."""
    await database.execute(
        _NOT_DELIVERED,
        b_tenant=delivery.tenant,
        b_id=delivery.id,
        b_lease=delivery.leased_until,
        given_up_at=at if again_at is None else None,
        again_at=NEVER if again_at is None else again_at,
        status=status,
        error=error,
    )


async def release_delivery(writer: Writer, delivery: Delivery, *, again_at: int) -> None:
    """Give back what was claimed and not tried."""
    await writer.execute(
        _RELEASE, b_tenant=delivery.tenant, b_id=delivery.id, b_lease=delivery.leased_until, again_at=again_at
    )


async def postpone_deliveries(writer: Writer, origin: str, *, now: int, again_at: int) -> int:
    """Whatever is due for this origin (`https://host:port`) and claimed by nobody waits until `again_at`; how many."""
    start = origin + "/"
    return await writer.execute(_POSTPONE, now=now, length=len(start), origin=start, again_at=again_at)


async def give_up_old(database: Database, *, now: int, created_before: int, error: str, count: int) -> list[Delivery]:
    """Up to `count` deliveries that have waited too long, as they are now."""
    rows = await database.fetch_changed(_GIVE_UP, now=now, before=created_before, error=error, count=count)
    return [_delivery(row) for row in rows]


async def count_waiting(runner: Runner) -> int:
    """Deliveries that are neither done nor given up, counted up to 100,000."""
    row = await runner.fetch_one(_WAITING)
    return 0 if row is None else int(row["rows"])


async def list_deliveries(runner: Runner, tenant: TenantId, *, before: str = "~", count: int = 100) -> list[Delivery]:
    """The delivery log, newest first: those with an id below `before`."""
    rows = await runner.fetch(_PAGE, tenant=tenant, before=before, count=count)
    return [_delivery(row) for row in rows]
