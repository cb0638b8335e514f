"""Exact counters of sign-in tries, shared by all workers: lockout per account, limits per address and tenant."""

from dataclasses import dataclass

from sqlalchemy import BigInteger, bindparam, case, delete, null, select, update

from identity.domain.tenants import TenantId
from identity.storage.database import Runner, Transaction, insert_into, of_tenant
from identity.storage.tables import attempt as table

_FIND = select(table.c.count, table.c.window_ends_at, table.c.locked_until).where(
    of_tenant(table), table.c.key == bindparam("key")
)
_INSERT = insert_into(table)
# A window that has ended, or a lock that has run out, begins a new count. The row outlives its lock: a window that
# ended first, or the purge, would open the account early.
_OVER = (table.c.window_ends_at <= bindparam("now")) | (table.c.locked_until <= bindparam("now"))
_NEXT = case((_OVER, 1), else_=table.c.count + 1)
_LOCK_UNTIL = bindparam("lock_until", type_=BigInteger)
_COUNT = _INSERT.on_conflict_do_update(
    index_elements=[table.c.tenant, table.c.key],
    set_={
        "count": _NEXT,
        "window_ends_at": case(
            (_OVER, _INSERT.excluded.window_ends_at),
            ((bindparam("limit") == _NEXT) & (table.c.window_ends_at < _LOCK_UNTIL), _LOCK_UNTIL),
            else_=table.c.window_ends_at,
        ),
        # The lock begins at the limit and is not prolonged by tries during it.
        "locked_until": case(
            (bindparam("limit") == _NEXT, _LOCK_UNTIL),
            (_OVER, _INSERT.excluded.locked_until),
            else_=table.c.locked_until,
        ),
    },
).returning(table.c.count, table.c.locked_until)
_TAKE_BACK = (
    update(table)
    .where(table.c.tenant == bindparam("b_tenant"), table.c.key == bindparam("b_key"), table.c.count > 0)
    .values(
        count=table.c.count - 1,
        locked_until=case((table.c.count == bindparam("limit"), null()), else_=table.c.locked_until),
    )
)
_CLEAR = delete(table).where(of_tenant(table), table.c.key == bindparam("key"))


@dataclass(frozen=True, slots=True)
class Attempts:
    count: int
    locked_until: int | None


async def find_attempts(runner: Runner, tenant: TenantId, key: str, now: int) -> Attempts:
    row = await runner.fetch_one(_FIND, tenant=tenant, key=key)
    if row is None:
        return Attempts(0, None)
    locked = row["locked_until"] if row["locked_until"] is not None and row["locked_until"] > now else None
    return Attempts(row["count"] if row["window_ends_at"] > now else 0, locked)


async def count_attempt(
    transaction: Transaction, tenant: TenantId, key: str, *, now: int, window: int, limit: int, lock_until: int | None
) -> Attempts:
    """Count one try in the running window of `window` µs; from the `limit`th on, locked until `lock_until`."""
    row = await transaction.fetch_one(
        _COUNT,
        tenant=tenant,
        key=key,
        count=1,
        window_ends_at=max(now + window, lock_until or 0) if limit == 1 else now + window,
        locked_until=lock_until if limit <= 1 else None,
        now=now,
        limit=limit,
        lock_until=lock_until,
    )
    assert row is not None
    return Attempts(row["count"], row["locked_until"])


async def take_back_attempt(transaction: Transaction, tenant: TenantId, key: str, *, limit: int) -> None:
    """A try that nobody could judge does not count; nor does the lock that it alone began."""
    await transaction.execute(_TAKE_BACK, b_tenant=tenant, b_key=key, limit=limit)


async def clear_attempts(transaction: Transaction, tenant: TenantId, key: str) -> None:
    await transaction.execute(_CLEAR, tenant=tenant, key=key)
