"""Exact counters of sign-in tries, shared by all workers: lockout per account, limits per address and tenant.

A try is counted before it is judged, so `count` holds failures and tries in flight; `failures` are judged. Only
failures lock.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, bindparam, case, delete, literal, null, select, update
from sqlalchemy.dialects.postgresql import Insert, insert

from identity.domain.tenants import TenantId
from identity.storage.database import Database, Runner, Transaction, of_tenant
from identity.storage.tables import attempt as table

EVERYBODY = "tenant"

# A window that has ended, or a lock that has run out, begins a new count.
_OVER = (table.c.window_ends_at <= bindparam("now")) | (table.c.locked_until <= bindparam("now"))
_LOCK_UNTIL = bindparam("lock_until", type_=BigInteger)
_FAILURES = case((_OVER, 1), else_=table.c.failures + 1)


def _row(name: str, *, failures: int) -> dict[str, Any]:
    return {
        "tenant": bindparam("tenant"),
        "key": bindparam(name),
        "count": 1,
        "failures": failures,
        "window_ends_at": bindparam(f"{name}_window"),
        "locked_until": bindparam("first_lock", type_=BigInteger) if failures else null(),
    }


def _upsert(names: Iterable[str], *, failures: int, values: dict[str, Any]) -> Insert:
    inserted = insert(table).values([_row(name, failures=failures) for name in names])
    return inserted.on_conflict_do_update(index_elements=[table.c.tenant, table.c.key], set_=values)


_BEGIN = _upsert(
    ("account", "address", "everybody"),
    failures=0,
    values={
        "count": case((_OVER, 1), else_=table.c.count + 1),
        "failures": case((_OVER, 0), else_=table.c.failures),
        "window_ends_at": case((_OVER, insert(table).excluded.window_ends_at), else_=table.c.window_ends_at),
        "locked_until": case((_OVER, null()), else_=table.c.locked_until),
    },
).returning(table.c.key, table.c.count, table.c.locked_until)
_FAIL_VALUES = {
    "failures": _FAILURES,
    # The row outlives its lock: a window that ended first, or the purge, would open the account early.
    "window_ends_at": case(
        (bindparam("limit") == _FAILURES, bindparam("outlives", type_=BigInteger)),
        (_OVER, insert(table).excluded.window_ends_at),
        else_=table.c.window_ends_at,
    ),
    # The lock begins at the limit and is not prolonged by tries during it.
    "locked_until": case(
        (bindparam("limit") == _FAILURES, _LOCK_UNTIL),
        (_OVER, null()),
        else_=table.c.locked_until,
    ),
}
_FAIL = {
    1: _upsert(("account",), failures=1, values=_FAIL_VALUES).returning(table.c.failures),
    2: _upsert(("account", "user"), failures=1, values=_FAIL_VALUES).returning(table.c.failures),
}
_TAKE_BACK = (
    update(table)
    .where(
        table.c.tenant == bindparam("b_tenant"),
        table.c.key.in_([bindparam("b_account"), bindparam("b_address"), literal(EVERYBODY)]),
        table.c.count > 0,
    )
    .values(count=table.c.count - 1)
)
_LAND = (
    update(table)
    .where(table.c.tenant == bindparam("b_tenant"), table.c.key == bindparam("b_account"), table.c.count > 0)
    .values(count=table.c.count - 1)
)
_LOCKED = select(table.c.key).where(
    of_tenant(table), table.c.key == bindparam("key"), table.c.locked_until > bindparam("now")
)
_FAILURES_OF = select(table.c.failures).where(
    of_tenant(table), table.c.key == bindparam("key"), table.c.window_ends_at > bindparam("now")
)
_CLEAR = delete(table).where(of_tenant(table), table.c.key == bindparam("key"))


@dataclass(frozen=True, slots=True)
class Tries:
    """How often each has tried in its running window, this try included; `locked`: the account is."""

    account: int
    address: int
    everybody: int
    locked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """Lengths of the windows in µs; with its `limit`th failure an account is locked for `lock` µs."""

    account: int
    address: int
    everybody: int
    limit: int
    lock: int


async def begin_try(
    database: Database, tenant: TenantId, *, account: str, address: str, windows: Windows, now: int
) -> Tries:
    """Count one try for the account, the address and the whole tenant, in one statement."""
    rows = await database.fetch_changed(
        _BEGIN, tenant=tenant, account=account, address=address, everybody=EVERYBODY,
        account_window=now + windows.account, address_window=now + windows.address,
        everybody_window=now + windows.everybody, now=now,
    )  # fmt: skip
    found = {row["key"]: row for row in rows}
    return Tries(
        found[account]["count"],
        found[address]["count"],
        found[EVERYBODY]["count"],
        found[account]["locked_until"] is not None,
    )


async def fail_try(
    database: Database, tenant: TenantId, *, account: str, user: str | None, windows: Windows, now: int
) -> bool:
    """A try was judged wrong: for the name as typed, and for the account it named if there is one.

    True when this failure began a lock.
    """
    lock_until = now + windows.lock
    parameters: dict[str, Any] = {"account": account, "account_window": now + windows.account}
    if user is not None:
        parameters |= {"user": user, "user_window": now + windows.account}
    rows = await database.fetch_changed(
        _FAIL[1 if user is None else 2],
        tenant=tenant,
        first_lock=lock_until if windows.limit == 1 else None,
        limit=windows.limit,
        lock_until=lock_until,
        outlives=max(lock_until, now + windows.account),
        now=now,
        **parameters,
    )
    return any(row["failures"] == windows.limit for row in rows)


async def take_back_try(database: Database, tenant: TenantId, *, account: str, address: str) -> None:
    """A try that nobody could judge does not count."""
    await database.execute(_TAKE_BACK, b_tenant=tenant, b_account=account, b_address=address)


async def land_try(database: Database, tenant: TenantId, *, account: str) -> None:
    """A try of a locked account is no longer in flight, and no failure; its address has tried all the same."""
    await database.execute(_LAND, b_tenant=tenant, b_account=account)


async def is_locked(runner: Runner, tenant: TenantId, key: str, now: int) -> bool:
    return await runner.fetch_one(_LOCKED, tenant=tenant, key=key, now=now) is not None


async def clear_tries(transaction: Transaction, tenant: TenantId, key: str) -> None:
    await transaction.execute(_CLEAR, tenant=tenant, key=key)


async def count_failures(runner: Runner, tenant: TenantId, key: str, now: int) -> int:
    """Judged failures of the running window."""
    row = await runner.fetch_one(_FAILURES_OF, tenant=tenant, key=key, now=now)
    return 0 if row is None else int(row["failures"])
