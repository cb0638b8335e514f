"""Factors that people have begun to add through `/api/users`: one of a kind each, for minutes, used up once."""

from dataclasses import dataclass

from sqlalchemy import bindparam, delete, select

from identity.domain.tenants import TenantId
from identity.storage.database import Runner, Writer, columns, insert_into, of_tenant
from identity.storage.sign_in_tables import pending_enrolment as table
from identity.storage.write_batch import WriteBatch


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingEnrolment:
    """`state` is sealed; `id` is another one each time it is begun."""

    tenant: TenantId
    subject: str
    authenticator: str
    id: str
    state: bytes
    expires_at: int


_one = of_tenant(table) & (table.c.subject == bindparam("subject")) & (
    table.c.authenticator == bindparam("authenticator")
)  # fmt: skip
_FIND = select(table).where(_one, table.c.expires_at > bindparam("now"))
_INSERT = insert_into(table)
_UPSERT = _INSERT.on_conflict_do_update(
    index_elements=[table.c.tenant, table.c.subject, table.c.authenticator],
    set_={name: getattr(_INSERT.excluded, name) for name in ("id", "state", "expires_at")},
)
_USE_UP = delete(table).where(_one, table.c.id == bindparam("id"))
_FORGET = delete(table).where(of_tenant(table), table.c.subject == bindparam("subject"))


async def write_pending_enrolment(writer: Writer, pending: PendingEnrolment) -> None:
    """In the place of an earlier one of its kind."""
    await writer.execute(_UPSERT, **columns(pending))


async def find_pending_enrolment(
    runner: Runner, tenant: TenantId, subject: str, authenticator: str, now: int
) -> PendingEnrolment | None:
    row = await runner.fetch_one(_FIND, tenant=tenant, subject=subject, authenticator=authenticator, now=now)
    if row is None:
        return None
    return PendingEnrolment(
        tenant=TenantId(row["tenant"]),
        subject=row["subject"],
        authenticator=row["authenticator"],
        id=row["id"],
        state=bytes(row["state"]),
        expires_at=row["expires_at"],
    )


async def use_up_pending_enrolment(batch: WriteBatch, pending: PendingEnrolment) -> None:
    """With the batch's commit it is gone; the batch is left undone when it is gone already, or was begun anew."""
    await batch.execute(
        _USE_UP,
        tenant=pending.tenant,
        subject=pending.subject,
        authenticator=pending.authenticator,
        id=pending.id,
    )
    batch.expect_one()


async def forget_pending_enrolments(writer: Writer, tenant: TenantId, subject: str) -> None:
    await writer.execute(_FORGET, tenant=tenant, subject=subject)
