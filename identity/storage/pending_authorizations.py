"""Authorizations that a person decides on elsewhere: waiting, decided once, polled with one read."""

from dataclasses import dataclass

import msgspec
from sqlalchemy import and_, bindparam, func, select, update

from identity.domain.applications import ApplicationId
from identity.domain.grants import GrantId
from identity.domain.pending_authorizations import AskedAuthorization, PendingAuthorization, PendingStatus
from identity.domain.tenants import TenantId
from identity.domain.users import SubjectId
from identity.storage.authorization_tables import pending_authorization as table
from identity.storage.database import Row, Runner, Writer, insert_into, of_tenant
from identity.storage.tables import application as application_table
from identity.storage.tables import tenant as tenant_table

WAITING_SHOWN = 50

_INSERT = insert_into(table)
_BY_HASH = select(table).where(of_tenant(table), table.c.hash == bindparam("hash"))
_BY_USER_CODE = select(table).where(
    of_tenant(table),
    table.c.user_code == bindparam("user_code"),
    table.c.status == "pending",
    table.c.expires_at > bindparam("now"),
)
_waits = and_(
    of_tenant(table),
    table.c.subject == bindparam("subject"),
    table.c.kind == "ciba",
    table.c.status == "pending",
    table.c.expires_at > bindparam("now"),
)
_WAITING = select(table).where(_waits).order_by(table.c.created_at).limit(WAITING_SHOWN)
_HOW_MANY = (
    select(func.count().label("waiting"))
    .select_from(table)
    .where(_waits, table.c.application == bindparam("application"))
)
_POLL = (
    select(
        tenant_table.c.version.label("tenant_version"),
        application_table.c.version.label("caller_version"),
        table,
    )
    .select_from(
        tenant_table.outerjoin(
            application_table,
            (application_table.c.tenant == tenant_table.c.id) & (application_table.c.id == bindparam("caller")),
        ).outerjoin(table, (table.c.tenant == tenant_table.c.id) & (table.c.hash == bindparam("hash")))
    )
    .where(tenant_table.c.id == bindparam("tenant"), tenant_table.c.enabled == 1)
)
_DECIDE = (
    update(table)
    .where(
        table.c.tenant == bindparam("b_tenant"),
        table.c.hash == bindparam("b_hash"),
        table.c.status == "pending",
        table.c.expires_at > bindparam("now"),
    )
    .values(status=bindparam("new_status"), subject=bindparam("new_subject"), grant_id=bindparam("new_grant"))
)
_SLOW_DOWN = (
    update(table)
    .where(table.c.tenant == bindparam("b_tenant"), table.c.hash == bindparam("b_hash"))
    .values(interval_seconds=table.c.interval_seconds + bindparam("more"), next_poll_at=bindparam("not_before"))
)


@dataclass(frozen=True, slots=True)
class Poll:
    """One answer to a poll: the versions that make it exact, and the authorization if there is one."""

    tenant_version: int | None
    caller_version: int | None
    pending: PendingAuthorization | None


async def insert_pending_authorization(writer: Writer, pending: PendingAuthorization) -> None:
    """Raises Conflict when the user code is taken."""
    await writer.execute(
        _INSERT,
        tenant=pending.tenant,
        hash=pending.hash,
        kind=pending.kind,
        application=pending.application,
        user_code=pending.user_code,
        request=msgspec.json.encode(pending.asked).decode(),
        status=pending.status,
        subject=pending.subject,
        grant_id=pending.grant,
        interval_seconds=pending.interval,
        next_poll_at=pending.next_poll_at,
        created_at=pending.created_at,
        expires_at=pending.expires_at,
    )


async def poll_pending_authorization(runner: Runner, tenant: TenantId, hash: bytes, caller: ApplicationId) -> Poll:
    """One statement: the authorization of this hash, whoever's it is, and the versions of tenant and caller."""
    row = await runner.fetch_one(_POLL, tenant=tenant, hash=hash, caller=caller)
    if row is None:
        return Poll(None, None, None)
    pending = None if row["hash"] is None else _pending(row)
    return Poll(row["tenant_version"], row["caller_version"], pending)


async def find_pending_authorization(runner: Runner, tenant: TenantId, hash: bytes) -> PendingAuthorization | None:
    """In whatever state it is."""
    row = await runner.fetch_one(_BY_HASH, tenant=tenant, hash=hash)
    return None if row is None else _pending(row)


async def find_waiting_by_user_code(
    runner: Runner, tenant: TenantId, user_code: str, now: int
) -> PendingAuthorization | None:
    row = await runner.fetch_one(_BY_USER_CODE, tenant=tenant, user_code=user_code, now=now)
    return None if row is None else _pending(row)


async def list_waiting_of_subject(
    runner: Runner, tenant: TenantId, subject: SubjectId, now: int
) -> list[PendingAuthorization]:
    """What the back channel waits for this person to decide, oldest first, at most WAITING_SHOWN."""
    return [_pending(row) for row in await runner.fetch(_WAITING, tenant=tenant, subject=subject, now=now)]


async def count_waiting_of_application(
    runner: Runner, tenant: TenantId, subject: SubjectId, application: ApplicationId, now: int
) -> int:
    """How many requests of this application the back channel waits for this person to decide."""
    row = await runner.fetch_one(_HOW_MANY, tenant=tenant, subject=subject, application=application, now=now)
    return row["waiting"] if row is not None else 0


async def decide_pending_authorization(
    writer: Writer,
    pending: PendingAuthorization,
    status: PendingStatus,
    *,
    subject: SubjectId | None,
    grant: GrantId | None,
    now: int,
) -> bool:
    """Decide it once. False: decided before, or expired meanwhile."""
    changed = await writer.execute(
        _DECIDE,
        b_tenant=pending.tenant,
        b_hash=pending.hash,
        now=now,
        new_status=status,
        new_subject=subject,
        new_grant=grant,
    )
    return changed == 1


async def slow_down(writer: Writer, pending: PendingAuthorization, *, more: int, not_before: int) -> None:
    """The client polls too often: `more` seconds are added to its interval, and it may come at `not_before` (µs)."""
    await writer.execute(_SLOW_DOWN, b_tenant=pending.tenant, b_hash=pending.hash, more=more, not_before=not_before)


def _pending(row: Row) -> PendingAuthorization:
    return PendingAuthorization(
        tenant=TenantId(row["tenant"]),
        hash=bytes(row["hash"]),
        kind=row["kind"],
        application=ApplicationId(row["application"]),
        user_code=row["user_code"],
        asked=msgspec.json.decode(row["request"], type=AskedAuthorization),
        status=row["status"],
        subject=None if row["subject"] is None else SubjectId(row["subject"]),
        grant=None if row["grant_id"] is None else GrantId(row["grant_id"]),
        interval=row["interval_seconds"],
        next_poll_at=row["next_poll_at"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
    )
