"""Gateways that hear of revocations."""

from sqlalchemy import bindparam, delete, select, update

from identity.domain.notification_targets import NotificationTarget
from identity.domain.tenants import TenantId
from identity.storage.authorization_tables import notification_target as table
from identity.storage.database import Row, Runner, Writer, insert_into, of_tenant

_ALL = select(table).where(of_tenant(table)).order_by(table.c.id).limit(100)
_BY_ID = select(table).where(of_tenant(table), table.c.id == bindparam("id"))
_INSERT = insert_into(table)
_RESEAL = (
    update(table)
    .where(table.c.tenant == bindparam("b_tenant"), table.c.id == bindparam("b_id"))
    .values(settings=bindparam("settings"))
)
_DELETE = delete(table).where(of_tenant(table), table.c.id == bindparam("id"))


async def list_notification_targets(runner: Runner, tenant: TenantId) -> list[NotificationTarget]:
    return [_target(row) for row in await runner.fetch(_ALL, tenant=tenant)]


async def find_notification_target(runner: Runner, tenant: TenantId, target: str) -> NotificationTarget | None:
    row = await runner.fetch_one(_BY_ID, tenant=tenant, id=target)
    return None if row is None else _target(row)


async def insert_notification_target(writer: Writer, tenant: TenantId, target: NotificationTarget) -> None:
    await writer.execute(
        _INSERT,
        tenant=tenant,
        id=target.id,
        kind=target.kind,
        url=target.url,
        settings=target.settings,
        created_at=target.created_at,
    )


async def reseal_notification_target(writer: Writer, tenant: TenantId, target: str, settings: bytes) -> None:
    await writer.execute(_RESEAL, b_tenant=tenant, b_id=target, settings=settings)


async def delete_notification_target(writer: Writer, tenant: TenantId, target: str) -> bool:
    return await writer.execute(_DELETE, tenant=tenant, id=target) == 1


def _target(row: Row) -> NotificationTarget:
    return NotificationTarget(
        id=row["id"], kind=row["kind"], url=row["url"], settings=bytes(row["settings"]), created_at=row["created_at"]
    )
