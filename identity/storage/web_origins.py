"""Origins whose scripts may call the token road, by application."""

from collections.abc import Iterable

from sqlalchemy import bindparam, delete, select

from identity.domain.applications import ApplicationId
from identity.domain.tenants import TenantId
from identity.storage.database import Runner, Transaction, insert_into, of_tenant
from identity.storage.tables import web_origin as table

_ANY = select(table.c.application).where(of_tenant(table), table.c.origin == bindparam("origin")).limit(1)
_INSERT = insert_into(table)
_DELETE = delete(table).where(of_tenant(table), table.c.application == bindparam("application"))


async def is_registered(runner: Runner, tenant: TenantId, origin: str) -> bool:
    """Whether some application of the tenant registers this origin."""
    return await runner.fetch_one(_ANY, tenant=tenant, origin=origin) is not None


async def replace_web_origins(
    transaction: Transaction, tenant: TenantId, application: ApplicationId, origins: Iterable[str]
) -> None:
    await transaction.execute(_DELETE, tenant=tenant, application=application)
    for origin in origins:
        await transaction.execute(_INSERT, tenant=tenant, origin=origin, application=application)
