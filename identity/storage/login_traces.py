"""How each sign-in went, sealed, by its trace id."""

from dataclasses import dataclass

from sqlalchemy import bindparam, delete, select

from identity.domain.tenants import TenantId
from identity.storage.database import Row, Runner, Writer, columns, insert_into, of_tenant
from identity.storage.sign_in_tables import login_trace as table


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTrace:
    """`document` is sealed; moments are microseconds."""

    tenant: TenantId
    id: str
    application: str
    subject: str
    outcome: str
    script: str
    document: bytes
    at: int
    expires_at: int


_INSERT = insert_into(table).on_conflict_do_nothing(index_elements=[table.c.tenant, table.c.id])
_FIND = select(table).where(of_tenant(table), table.c.id == bindparam("id"), table.c.expires_at > bindparam("now"))
_OF_SUBJECT = (
    select(table)
    .where(of_tenant(table), table.c.subject == bindparam("subject"), table.c.expires_at > bindparam("now"))
    .order_by(table.c.at.desc())
    .limit(bindparam("count"))
)

_FORGET = delete(table).where(of_tenant(table), table.c.subject == bindparam("subject"))


async def insert_login_trace(writer: Writer, trace: StoredTrace) -> None:
    await writer.execute(_INSERT, **columns(trace))


async def find_login_trace(runner: Runner, tenant: TenantId, trace: str, now: int) -> StoredTrace | None:
    row = await runner.fetch_one(_FIND, tenant=tenant, id=trace, now=now)
    return None if row is None else _trace(row)


async def list_login_traces_of_subject(
    runner: Runner, tenant: TenantId, subject: str, now: int, count: int = 20
) -> list[StoredTrace]:
    """The newest first."""
    rows = await runner.fetch(_OF_SUBJECT, tenant=tenant, subject=subject, now=now, count=count)
    return [_trace(row) for row in rows]


async def forget_login_traces(writer: Writer, tenant: TenantId, subject: str) -> None:
    """Everything traced of one person."""
    await writer.execute(_FORGET, tenant=tenant, subject=subject)


def _trace(row: Row) -> StoredTrace:
    return StoredTrace(
        tenant=TenantId(row["tenant"]),
        id=row["id"],
        application=row["application"],
        subject=row["subject"],
        outcome=row["outcome"],
        script=row["script"],
        document=bytes(row["document"]),
        at=row["at"],
        expires_at=row["expires_at"],
    )
