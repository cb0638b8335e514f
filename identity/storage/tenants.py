"""Tenants: rows in, `Tenant` out. A change raises the version, which every worker's cache compares."""

import msgspec
from sqlalchemy import bindparam, exists, func, select, update

from identity.domain.tenants import Tenant, TenantId, TenantSettings
from identity.storage.database import Row, Runner, Transaction, insert_into
from identity.storage.tables import tenant as table
from identity.storage.tables import user_store

_BY_HANDLE = select(table).where(table.c.handle == bindparam("handle"))
_LOCKED = _BY_HANDLE.with_for_update()
_ALL = select(table).order_by(table.c.id)
_WITH_DIRECTORIES = (
    select(table)
    .where(
        table.c.enabled == 1,
        exists().where(user_store.c.tenant == table.c.id, user_store.c.enabled == 1, user_store.c.type != "sql"),
    )
    .order_by(table.c.id)
)
_COUNT = select(func.count().label("tenants")).select_from(table)
_INSERT = insert_into(table)
_UPDATE = (
    update(table)
    .where(table.c.id == bindparam("b_tenant"))
    .values(settings=bindparam("settings"), enabled=bindparam("enabled"), version=table.c.version + 1)
)
_TOUCH = update(table).where(table.c.id == bindparam("b_tenant")).values(version=table.c.version + 1)


async def find_tenant(runner: Runner, handle: str) -> Tenant | None:
    row = await runner.fetch_one(_BY_HANDLE, handle=handle)
    return None if row is None else _tenant(row)


async def lock_tenant(transaction: Transaction, handle: str) -> Tenant | None:
    """As it is now, and as it stays until the transaction ends: whoever stores it whole reads it like this first."""
    row = await transaction.fetch_one(_LOCKED, handle=handle)
    return None if row is None else _tenant(row)


async def list_tenants(runner: Runner) -> list[Tenant]:
    return [_tenant(row) for row in await runner.fetch(_ALL)]


async def list_tenants_with_directories(runner: Runner) -> list[Tenant]:
    """The enabled ones with a user store that is not ours."""
    return [_tenant(row) for row in await runner.fetch(_WITH_DIRECTORIES)]


async def count_tenants(runner: Runner) -> int:
    row = await runner.fetch_one(_COUNT)
    return 0 if row is None else int(row["tenants"])


async def insert_tenant(transaction: Transaction, tenant: Tenant, now: int) -> None:
    """Raises Conflict when the id or handle is taken."""
    await transaction.execute(
        _INSERT,
        id=tenant.id,
        handle=tenant.handle,
        enabled=int(tenant.enabled),
        version=tenant.version,
        settings=msgspec.json.encode(tenant.settings).decode(),
        created_at=now,
    )


async def update_tenant(transaction: Transaction, tenant: Tenant) -> None:
    await transaction.execute(
        _UPDATE,
        b_tenant=tenant.id,
        settings=msgspec.json.encode(tenant.settings).decode(),
        enabled=int(tenant.enabled),
    )


async def touch_tenant(transaction: Transaction, tenant: TenantId) -> None:
    """Raise the version: keys or stores changed, and every cache must look again."""
    await transaction.execute(_TOUCH, b_tenant=tenant)


def _tenant(row: Row) -> Tenant:
    return Tenant(
        id=TenantId(row["id"]),
        handle=row["handle"],
        enabled=bool(row["enabled"]),
        version=row["version"],
        settings=msgspec.json.decode(row["settings"], type=TenantSettings),
    )
