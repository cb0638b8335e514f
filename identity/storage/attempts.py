"""Exact counters of sign-in tries, shared by all workers: lockout per account, limits per address and tenant."""

from dataclasses import dataclass

from sqlalchemy import BigInteger, bindparam, case, delete, null, update
from sqlalchemy.dialects.postgresql import insert

from identity.domain.tenants import TenantId
from identity.storage.database import Database, Transaction, of_tenant
from identity.storage.tables import attempt as table

EVERYBODY = "tenant"
_ROWS = [
    {
        "tenant": bindparam("tenant"),
        "key": bindparam(name),
        "count": 1,
        "window_ends_at": bindparam(f"{name}_window"),
        "locked_until": bindparam("first_lock", type_=BigInteger) if name == "account" else null(),
    }
    for name in ("account", "address", "everybody")
]
_INSERT = insert(table).values(_ROWS)
# A window that has ended, or a lock that has run out, begins a new count. The row outlives its lock: a window that
# ended first, or the purge, would open the account early.
_OVER = (table.c.window_ends_at <= bindparam("now")) | (table.c.locked_until <= bindparam("now"))
_NEXT = case((_OVER, 1), else_=table.c.count + 1)
_LOCK_UNTIL = bindparam("lock_until", type_=BigInteger)
_LOCKS_NOW = (table.c.key == bindparam("account")) & (bindparam("limit") == _NEXT)
_COUNT = _INSERT.on_conflict_do_update(
    index_elements=[table.c.tenant, table.c.key],
    set_={
        "count": _NEXT,
        "window_ends_at": case(
            (_OVER, _INSERT.excluded.window_ends_at),
            (_LOCKS_NOW & (table.c.window_ends_at < _LOCK_UNTIL), _LOCK_UNTIL),
            else_=table.c.window_ends_at,
        ),
        # The lock begins at the limit and is not prolonged by tries during it.
        "locked_until": case(
            (_LOCKS_NOW, _LOCK_UNTIL),
            (_OVER, _INSERT.excluded.locked_until),
            else_=table.c.locked_until,
        ),
    },
).returning(table.c.key, table.c.count)
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
class Tries:
    """How often each has tried in its running window, this try included."""

    account: int
    address: int
    everybody: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """Lengths of the windows in µs; from the `limit`th try of an account on, it is locked for `lock` µs."""

    account: int
    address: int
    everybody: int
    limit: int
    lock: int


async def count_try(
    database: Database, tenant: TenantId, *, account: str, address: str, windows: Windows, now: int
) -> Tries:
    """Count one try for the account, the address and the whole tenant, in one statement."""
    lock_until = now + windows.lock
    first_lock = lock_until if windows.limit == 1 else None
    rows = await database.fetch_changed(
        _COUNT,
        tenant=tenant,
        account=account,
        address=address,
        everybody=EVERYBODY,
        account_window=max(now + windows.account, first_lock or 0),
        address_window=now + windows.address,
        everybody_window=now + windows.everybody,
        first_lock=first_lock,
        lock_until=lock_until,
        limit=windows.limit,
        now=now,
    )
    counts = {row["key"]: int(row["count"]) for row in rows}
    return Tries(counts[account], counts[address], counts[EVERYBODY])


async def take_back_attempt(database: Database, tenant: TenantId, key: str, *, limit: int) -> None:
    """A try that nobody could judge does not count; nor does the lock that it alone began."""
    await database.execute(_TAKE_BACK, b_tenant=tenant, b_key=key, limit=limit)


async def clear_attempts(transaction: Transaction, tenant: TenantId, key: str) -> None:
    await transaction.execute(_CLEAR, tenant=tenant, key=key)
