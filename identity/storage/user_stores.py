"""Connected user stores: type and sealed settings. Changes touch the tenant's version in the same transaction."""

from dataclasses import dataclass

from sqlalchemy import bindparam, delete, select, update

from identity.domain.tenants import TenantId
from identity.storage.database import Row, Runner, Transaction, insert_into, of_tenant
from identity.storage.tables import user_store as table

_ALL = select(table).where(of_tenant(table)).order_by(table.c.position, table.c.name)
_INSERT = insert_into(table)
_UPDATE = (
    update(table)
    .where(table.c.tenant == bindparam("b_tenant"), table.c.name == bindparam("b_name"))
    .values(settings=bindparam("settings"), enabled=bindparam("enabled"), position=bindparam("position"))
)
_DELETE = delete(table).where(of_tenant(table), table.c.name == bindparam("name"))


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreRow:
    """`name` is the domain in `DOMAIN/user`, upper case; `settings` sealed JSON; stores are asked by `position`."""

    name: str
    type: str
    settings: bytes
    enabled: bool
    position: int
    created_at: int


async def list_user_stores(runner: Runner, tenant: TenantId) -> list[StoreRow]:
    return [_store(row) for row in await runner.fetch(_ALL, tenant=tenant)]


async def insert_user_store(transaction: Transaction, tenant: TenantId, store: StoreRow) -> None:
    """Raises Conflict when the name is taken."""
    await transaction.execute(
        _INSERT,
        tenant=tenant,
        name=store.name,
        type=store.type,
        settings=store.settings,
        enabled=int(store.enabled),
        position=store.position,
        created_at=store.created_at,
    )


async def update_user_store(transaction: Transaction, tenant: TenantId, store: StoreRow) -> bool:
    changed = await transaction.execute(
        _UPDATE,
        b_tenant=tenant,
        b_name=store.name,
        settings=store.settings,
        enabled=int(store.enabled),
        position=store.position,
    )
    return changed == 1


async def delete_user_store(transaction: Transaction, tenant: TenantId, name: str) -> bool:
    return await transaction.execute(_DELETE, tenant=tenant, name=name) == 1


def _store(row: Row) -> StoreRow:
    return StoreRow(
        name=row["name"],
        type=row["type"],
        settings=bytes(row["settings"]),
        enabled=bool(row["enabled"]),
        position=row["position"],
        created_at=row["created_at"],
    )
