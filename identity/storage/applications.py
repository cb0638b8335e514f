"""Applications: one JSON document a row, beside the columns that are searched or joined."""

from dataclasses import replace

import msgspec
from sqlalchemy import bindparam, delete, select, update

from identity.domain.applications import Application, ApplicationId
from identity.domain.tenants import TenantId
from identity.storage.database import Row, Runner, Transaction, insert_into, of_tenant
from identity.storage.tables import application as table

_COLUMNS = select(table.c.document, table.c.version)
_BY_CLIENT_ID = _COLUMNS.where(of_tenant(table), table.c.client_id == bindparam("client_id"))
_LOCKED = _BY_CLIENT_ID.with_for_update()
_BY_ID = _COLUMNS.where(of_tenant(table), table.c.id == bindparam("id"))
_BY_NAME = _COLUMNS.where(of_tenant(table), table.c.name == bindparam("name")).order_by(table.c.id.desc()).limit(1)
_PAGE = _COLUMNS.where(of_tenant(table), table.c.id > bindparam("after")).order_by(table.c.id).limit(bindparam("count"))
_VERSION = select(table.c.id, table.c.version).where(of_tenant(table), table.c.client_id == bindparam("client_id"))
_INSERT = insert_into(table)
_UPDATE = (
    update(table)
    .where(table.c.tenant == bindparam("b_tenant"), table.c.id == bindparam("b_id"))
    .values(
        name=bindparam("name"),
        enabled=bindparam("enabled"),
        document=bindparam("document"),
        version=table.c.version + 1,
    )
    .returning(table.c.version)
)
_DELETE = delete(table).where(of_tenant(table), table.c.id == bindparam("id"))


async def find_application(runner: Runner, tenant: TenantId, client_id: str) -> Application | None:
    row = await runner.fetch_one(_BY_CLIENT_ID, tenant=tenant, client_id=client_id)
    return None if row is None else application_of_row(row)


async def lock_application(transaction: Transaction, tenant: TenantId, client_id: str) -> Application | None:
    """As it is now, and as it stays until the transaction ends: whoever stores it whole reads it like this first."""
    row = await transaction.fetch_one(_LOCKED, tenant=tenant, client_id=client_id)
    return None if row is None else application_of_row(row)


async def find_application_by_id(runner: Runner, tenant: TenantId, application: str) -> Application | None:
    row = await runner.fetch_one(_BY_ID, tenant=tenant, id=application)
    return None if row is None else application_of_row(row)


async def find_application_by_name(runner: Runner, tenant: TenantId, name: str) -> Application | None:
    """The newest of this name: names are not unique."""
    row = await runner.fetch_one(_BY_NAME, tenant=tenant, name=name)
    return None if row is None else application_of_row(row)


async def find_application_version(
    runner: Runner, tenant: TenantId, client_id: str
) -> tuple[ApplicationId, int] | None:
    """Id and version: a client id that was deleted and registered anew counts from 1 again, under another id."""
    row = await runner.fetch_one(_VERSION, tenant=tenant, client_id=client_id)
    return None if row is None else (ApplicationId(row["id"]), int(row["version"]))


async def list_applications_page(
    runner: Runner, tenant: TenantId, *, after: str = "", count: int = 100
) -> list[Application]:
    """Up to `count` applications with an id above `after`, in the order of their ids."""
    rows = await runner.fetch(_PAGE, tenant=tenant, after=after, count=count)
    return [application_of_row(row) for row in rows]


async def insert_application(transaction: Transaction, tenant: TenantId, application: Application) -> None:
    """Raises Conflict when the client id is taken in this tenant."""
    await transaction.execute(
        _INSERT,
        tenant=tenant,
        id=application.id,
        client_id=application.client_id,
        name=application.name,
        enabled=int(application.enabled),
        version=application.version,
        document=msgspec.json.encode(application).decode(),
        created_at=application.created_at,
    )


async def update_application(transaction: Transaction, tenant: TenantId, application: Application) -> int:
    """Store it whole, as it was locked and changed; the new version. 0 when it is gone."""
    row = await transaction.fetch_one(
        _UPDATE,
        b_tenant=tenant,
        b_id=application.id,
        name=application.name,
        enabled=int(application.enabled),
        document=msgspec.json.encode(application).decode(),
    )
    return 0 if row is None else int(row["version"])


async def delete_application(transaction: Transaction, tenant: TenantId, application: ApplicationId) -> bool:
    return await transaction.execute(_DELETE, tenant=tenant, id=application) == 1


def application_of_row(row: Row) -> Application:
    """From the columns `document` and `version`."""
    return replace(msgspec.json.decode(row["document"], type=Application), version=row["version"])
