"""Trusted token issuers of a tenant. Few, and read when one of their tokens comes."""

import json
from dataclasses import asdict

import msgspec
from sqlalchemy import bindparam, delete, select, update

from identity.domain.tenants import TenantId
from identity.domain.trusted_issuers import TrustedIssuer
from identity.storage.authorization_tables import trusted_issuer as table
from identity.storage.database import Row, Runner, Writer, insert_into, of_tenant

_BY_ISSUER = select(table).where(of_tenant(table), table.c.issuer == bindparam("issuer"))
_BY_NAME = select(table).where(of_tenant(table), table.c.name == bindparam("name"))
_ALL = select(table).where(of_tenant(table)).order_by(table.c.name).limit(1000)
_INSERT = insert_into(table)
_UPDATE = (
    update(table)
    .where(table.c.tenant == bindparam("b_tenant"), table.c.id == bindparam("b_id"))
    .values(name=bindparam("new_name"), issuer=bindparam("new_issuer"), document=bindparam("new_document"))
)
_DELETE = delete(table).where(of_tenant(table), table.c.id == bindparam("id"))
_COLUMNS = frozenset({"id", "name", "issuer"})


async def find_trusted_issuer(runner: Runner, tenant: TenantId, issuer: str) -> TrustedIssuer | None:
    """By `iss`; a disabled one too."""
    row = await runner.fetch_one(_BY_ISSUER, tenant=tenant, issuer=issuer)
    return None if row is None else _issuer(row)


async def find_trusted_issuer_by_name(runner: Runner, tenant: TenantId, name: str) -> TrustedIssuer | None:
    row = await runner.fetch_one(_BY_NAME, tenant=tenant, name=name)
    return None if row is None else _issuer(row)


async def list_trusted_issuers(runner: Runner, tenant: TenantId) -> list[TrustedIssuer]:
    return [_issuer(row) for row in await runner.fetch(_ALL, tenant=tenant)]


async def insert_trusted_issuer(writer: Writer, tenant: TenantId, issuer: TrustedIssuer, now: int) -> None:
    """Raises Conflict when `iss` is trusted already."""
    await writer.execute(
        _INSERT,
        tenant=tenant,
        id=issuer.id,
        name=issuer.name,
        issuer=issuer.issuer,
        document=_document(issuer),
        created_at=now,
    )


async def update_trusted_issuer(writer: Writer, tenant: TenantId, issuer: TrustedIssuer) -> None:
    """Raises Conflict when another one has its `iss`."""
    await writer.execute(
        _UPDATE,
        b_tenant=tenant,
        b_id=issuer.id,
        new_name=issuer.name,
        new_issuer=issuer.issuer,
        new_document=_document(issuer),
    )


async def delete_trusted_issuer(writer: Writer, tenant: TenantId, issuer: TrustedIssuer) -> None:
    await writer.execute(_DELETE, tenant=tenant, id=issuer.id)


def _document(issuer: TrustedIssuer) -> str:
    return json.dumps({name: value for name, value in asdict(issuer).items() if name not in _COLUMNS})


def _issuer(row: Row) -> TrustedIssuer:
    document = json.loads(row["document"]) | {name: row[name] for name in _COLUMNS}
    return msgspec.convert(document, TrustedIssuer)
