"""Finished sign-ins, kept for backtests under a key of their tenant and day: when the key is gone, so are they."""

from dataclasses import dataclass

from sqlalchemy import bindparam, delete, select

from identity.domain.tenants import TenantId
from identity.storage.database import Database, Runner, Transaction, Writer, columns, insert_into, of_tenant
from identity.storage.sign_in_tables import recorded_login as table
from identity.storage.sign_in_tables import recording_key as key_table


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedLogin:
    """`document` is sealed under the day's key; `day` counts from 1970-01-01, moments are microseconds."""

    tenant: TenantId
    id: str
    day: int
    application: str
    subject: str
    script: str
    outcome: str
    document: bytes
    at: int
    expires_at: int


_INSERT = insert_into(table).on_conflict_do_nothing(index_elements=[table.c.tenant, table.c.id])
_SINCE = (
    select(table)
    .where(
        of_tenant(table),
        table.c.at >= bindparam("since"),
        table.c.application == bindparam("application"),
        table.c.id > bindparam("after"),
    )
    .order_by(table.c.id)
    .limit(bindparam("count"))
)
_OF_EVERYBODY = (
    select(table)
    .where(of_tenant(table), table.c.at >= bindparam("since"), table.c.id > bindparam("after"))
    .order_by(table.c.id)
    .limit(bindparam("count"))
)
_FORGET = delete(table).where(of_tenant(table), table.c.subject == bindparam("subject"))
_INSERT_KEY = insert_into(key_table).on_conflict_do_nothing(index_elements=[key_table.c.tenant, key_table.c.day])
_FIND_KEY = select(key_table.c.sealed).where(of_tenant(key_table), key_table.c.day == bindparam("day"))


async def insert_recorded_login(writer: Writer, login: RecordedLogin) -> None:
    await writer.execute(_INSERT, **columns(login))


async def list_recorded_logins(
    runner: Runner, tenant: TenantId, *, since: int, application: str | None, after: str = "", count: int = 500
) -> list[RecordedLogin]:
    """In the order in which they ended; `application` None: of all."""
    parameters = {"tenant": tenant, "since": since, "after": after, "count": count}
    if application is None:
        rows = await runner.fetch(_OF_EVERYBODY, **parameters)
    else:
        rows = await runner.fetch(_SINCE, **parameters, application=application)
    return [
        RecordedLogin(
            tenant=tenant,
            id=row["id"],
            day=row["day"],
            application=row["application"],
            subject=row["subject"],
            script=row["script"],
            outcome=row["outcome"],
            document=bytes(row["document"]),
            at=row["at"],
            expires_at=row["expires_at"],
        )
        for row in rows
    ]


async def forget_recorded_logins(transaction: Transaction, tenant: TenantId, subject: str) -> int:
    """Everything recorded of one person; how many logins went."""
    return await transaction.execute(_FORGET, tenant=tenant, subject=subject)


async def find_recording_key(runner: Runner, tenant: TenantId, day: int) -> bytes | None:
    row = await runner.fetch_one(_FIND_KEY, tenant=tenant, day=day)
    return None if row is None else bytes(row["sealed"])


async def ensure_recording_key(database: Database, tenant: TenantId, day: int, sealed: bytes, expires_at: int) -> bytes:
    """The day's sealed key: the one of whoever came first."""
    await database.execute(_INSERT_KEY, tenant=tenant, day=day, sealed=sealed, expires_at=expires_at)
    found = await find_recording_key(database, tenant, day)
    assert found is not None
    return found
