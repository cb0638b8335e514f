"""Pushed authorization requests (RFC 9126): kept by the hash of their `request_uri`, used up by the response."""

from dataclasses import dataclass

from sqlalchemy import bindparam, exists, select, update
from sqlalchemy.dialects.postgresql import insert

from identity.domain.tenants import TenantId
from identity.storage.authorization_tables import pushed_request as table
from identity.storage.database import Runner, Writer, of_tenant
from identity.storage.tables import application as application_table
from identity.storage.tables import tenant as tenant_table


@dataclass(frozen=True, slots=True, kw_only=True)
class PushedRequest:
    """Moments are microseconds."""

    tenant: TenantId
    hash: bytes
    application: str
    parameters: str
    """JSON of the parameters that count, and of what else was proved at the door."""
    expires_at: int
    """Until then a page may be opened with it."""
    keep_until: int
    """Until then a sign-in that began with it may end."""
    consumed_at: int | None = None


_COLUMNS = [column for column in table.columns if column.name != "consumed_at"]
_BY_HASH = select(table).where(of_tenant(table), table.c.hash == bindparam("hash"))
_INSERT = insert(table).from_select(
    [column.name for column in _COLUMNS],
    select(*(bindparam(column.name, type_=column.type) for column in _COLUMNS)).where(
        exists(
            select(application_table.c.id).where(
                of_tenant(application_table),
                application_table.c.id == bindparam("application"),
                application_table.c.version == bindparam("application_version"),
                application_table.c.enabled == 1,
            )
        ),
        exists(
            select(tenant_table.c.id).where(
                tenant_table.c.id == bindparam("tenant"),
                tenant_table.c.version == bindparam("tenant_version"),
                tenant_table.c.enabled == 1,
            )
        ),
    ),
)
_CONSUME = (
    update(table)
    .where(table.c.tenant == bindparam("b_tenant"), table.c.hash == bindparam("b_hash"), table.c.consumed_at.is_(None))
    .values(consumed_at=bindparam("at"))
)


async def insert_pushed_request(
    writer: Writer, request: PushedRequest, *, application_version: int, tenant_version: int
) -> bool:
    """False, and nothing stored: application or tenant are not of these versions any more, or disabled."""
    stored = await writer.execute(
        _INSERT,
        tenant=request.tenant,
        hash=request.hash,
        application=request.application,
        parameters=request.parameters,
        expires_at=request.expires_at,
        keep_until=request.keep_until,
        application_version=application_version,
        tenant_version=tenant_version,
    )
    return stored == 1


async def find_pushed_request(runner: Runner, tenant: TenantId, hash: bytes) -> PushedRequest | None:
    """One that has expired or was used up is returned too, while it is kept."""
    row = await runner.fetch_one(_BY_HASH, tenant=tenant, hash=hash)
    if row is None:
        return None
    return PushedRequest(
        tenant=tenant,
        hash=hash,
        application=row["application"],
        parameters=row["parameters"],
        expires_at=row["expires_at"],
        keep_until=row["keep_until"],
        consumed_at=row["consumed_at"],
    )


async def consume_pushed_request(writer: Writer, tenant: TenantId, hash: bytes, at: int) -> bool:
    """Use it up: of two that try, one succeeds. Whoever opened a page in time may, even when it has expired since."""
    return await writer.execute(_CONSUME, b_tenant=tenant, b_hash=hash, at=at) == 1
