"""Factors that people have set up. What uses one moves its counter from the value that was read, or does nothing."""

import msgspec
from sqlalchemy import bindparam, delete, literal, select, update

from identity.domain.enrolled_factors import EnrolledFactor, FactorId
from identity.domain.tenants import TenantId
from identity.domain.users import SubjectId
from identity.storage.database import Database, Row, Runner, Writer, insert_into, of_tenant
from identity.storage.tables import enrolled_factor as table

MOST = 50
"""Factors of one person."""

_one = (table.c.tenant == bindparam("b_tenant")) & (table.c.id == bindparam("b_id"))
_of_subject = of_tenant(table) & (table.c.subject == bindparam("subject"))
_OF_SUBJECT = select(table).where(_of_subject).order_by(table.c.created_at, table.c.id).limit(MOST)
_BY_LOOKUP = select(table).where(of_tenant(table), table.c.lookup == bindparam("lookup"))
_INSERT = insert_into(table)
_USE = (
    update(table)
    .where(_one, table.c.counter == bindparam("read_counter"))
    .values(
        counter=bindparam("new_counter"),
        document=bindparam("new_document"),
        last_used_at=bindparam("at"),
        failures=literal(0),
    )
)
_COUNT_FAILURE = (
    update(table).where(_one, table.c.failures < bindparam("maximum")).values(failures=table.c.failures + 1)
)
_FORGIVE = (
    update(table)
    .where(
        table.c.tenant == bindparam("b_tenant"),
        table.c.subject == bindparam("b_subject"),
        table.c.authenticator == bindparam("b_authenticator"),
    )
    .values(failures=literal(0))
)
_SEALED = (
    select(table)
    .where(of_tenant(table), table.c.id > bindparam("after"), table.c.secret.is_not(None))
    .order_by(table.c.tenant, table.c.id)
    .limit(500)
)
_RESEAL = update(table).where(_one, table.c.secret == bindparam("read_secret")).values(secret=bindparam("new_secret"))
_RENAME = update(table).where(_one, table.c.subject == bindparam("b_subject")).values(label=bindparam("new_label"))
_DELETE = delete(table).where(_of_subject, table.c.id == bindparam("id"))
_DELETE_KIND = delete(table).where(_of_subject, table.c.authenticator == bindparam("authenticator"))
_DELETE_ALL = delete(table).where(_of_subject)


async def list_factors_of_subject(runner: Runner, tenant: TenantId, subject: SubjectId) -> list[EnrolledFactor]:
    """Oldest first, at most MOST."""
    return [_factor(row) for row in await runner.fetch(_OF_SUBJECT, tenant=tenant, subject=subject)]


async def find_factor_by_lookup(runner: Runner, tenant: TenantId, lookup: bytes) -> EnrolledFactor | None:
    row = await runner.fetch_one(_BY_LOOKUP, tenant=tenant, lookup=lookup)
    return None if row is None else _factor(row)


async def insert_factor(writer: Writer, factor: EnrolledFactor) -> None:
    """Raises Conflict when its `lookup` is taken in the tenant."""
    await writer.execute(
        _INSERT,
        tenant=factor.tenant,
        id=factor.id,
        subject=factor.subject,
        authenticator=factor.authenticator,
        label=factor.label,
        lookup=factor.lookup,
        secret=factor.secret,
        counter=factor.counter,
        document=_encode(factor),
        created_at=factor.created_at,
        last_used_at=factor.last_used_at,
        failures=factor.failures,
    )


async def use_factor(writer: Writer, factor: EnrolledFactor, *, counter: int, at: int) -> bool:
    """Move the counter from what `factor` was read with to `counter`, and keep its document as it is now.

    False: another use came first (in a batch, `expect_one` says so).
    """
    changed = await writer.execute(
        _USE,
        b_tenant=factor.tenant,
        b_id=factor.id,
        read_counter=factor.counter,
        new_counter=counter,
        new_document=_encode(factor),
        at=at,
    )
    return changed == 1


async def count_failure(database: Database, factor: EnrolledFactor, maximum: int) -> bool:
    """Count a try before it is judged; `use_factor` clears the count. False: there were `maximum` already."""
    return await database.execute(_COUNT_FAILURE, b_tenant=factor.tenant, b_id=factor.id, maximum=maximum) == 1


async def forgive_failures(writer: Writer, tenant: TenantId, subject: SubjectId, authenticator: str) -> None:
    """The owner showed who they are in another way."""
    await writer.execute(_FORGIVE, b_tenant=tenant, b_subject=subject, b_authenticator=authenticator)


async def list_sealed_factors_page(runner: Runner, tenant: TenantId, *, after: str) -> list[EnrolledFactor]:
    """Those with a sealed secret and an id above `after`, up to 500."""
    return [_factor(row) for row in await runner.fetch(_SEALED, tenant=tenant, after=after)]


async def reseal_factor(writer: Writer, factor: EnrolledFactor, secret: bytes) -> None:
    """Unless it was changed meanwhile."""
    await writer.execute(_RESEAL, b_tenant=factor.tenant, b_id=factor.id, read_secret=factor.secret, new_secret=secret)


async def rename_factor(writer: Writer, tenant: TenantId, subject: SubjectId, factor: str, label: str) -> bool:
    """False: this person has no such factor."""
    changed = await writer.execute(_RENAME, b_tenant=tenant, b_id=factor, b_subject=subject, new_label=label)
    return changed == 1


async def delete_factor(writer: Writer, tenant: TenantId, subject: SubjectId, factor: FactorId) -> bool:
    """False: this person has no such factor."""
    return await writer.execute(_DELETE, tenant=tenant, subject=subject, id=factor) == 1


async def delete_factors_of_kind(writer: Writer, tenant: TenantId, subject: SubjectId, authenticator: str) -> None:
    await writer.execute(_DELETE_KIND, tenant=tenant, subject=subject, authenticator=authenticator)


async def delete_factors_of_subject(writer: Writer, tenant: TenantId, subject: SubjectId) -> None:
    """A deleted person has no factors."""
    await writer.execute(_DELETE_ALL, tenant=tenant, subject=subject)


def _encode(factor: EnrolledFactor) -> str:
    return msgspec.json.encode(factor.document).decode()


def _factor(row: Row) -> EnrolledFactor:
    return EnrolledFactor(
        tenant=TenantId(row["tenant"]),
        id=FactorId(row["id"]),
        subject=SubjectId(row["subject"]),
        authenticator=row["authenticator"],
        label=row["label"],
        created_at=row["created_at"],
        last_used_at=row["last_used_at"],
        lookup=None if row["lookup"] is None else bytes(row["lookup"]),
        secret=None if row["secret"] is None else bytes(row["secret"]),
        counter=row["counter"],
        document=msgspec.json.decode(row["document"]),
        failures=row["failures"],
    )
