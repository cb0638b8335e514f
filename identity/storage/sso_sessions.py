"""Single-sign-on sessions, found by the hash of their cookie."""

from sqlalchemy import bindparam, select, update

from identity.domain.sessions import SessionId, SsoSession
from identity.domain.tenants import TenantId
from identity.domain.users import SubjectId
from identity.storage.database import Row, Runner, Transaction, columns, insert_into, of_tenant
from identity.storage.tables import sso_session as table
from identity.storage.tables import subject as subject_table

LIVE = (table.c.ended_at.is_(None), table.c.expires_at > bindparam("now"))
CURRENT_SUBJECT = (
    (subject_table.c.tenant == table.c.tenant)
    & (subject_table.c.id == table.c.subject)
    & (subject_table.c.epoch == table.c.subject_epoch)
    & (subject_table.c.enabled == 1)
)
_BY_COOKIE = (
    select(table)
    .join(subject_table, CURRENT_SUBJECT)
    .where(of_tenant(table), table.c.cookie_hash == bindparam("cookie_hash"), *LIVE)
)
_BY_ID = (
    select(table).join(subject_table, CURRENT_SUBJECT).where(of_tenant(table), table.c.id == bindparam("id"), *LIVE)
)
_OF_SUBJECT = (
    select(table)
    .join(subject_table, CURRENT_SUBJECT)
    .where(of_tenant(table), table.c.subject == bindparam("subject"), *LIVE)
    .order_by(table.c.created_at.desc())
    .limit(100)
)
_INSERT = insert_into(table)
_SEEN = (
    update(table)
    .where(table.c.tenant == bindparam("b_tenant"), table.c.id == bindparam("b_id"), table.c.ended_at.is_(None))
    .values(last_seen_at=bindparam("at"), expires_at=bindparam("until"))
)
_REPLACE = (
    update(table)
    .where(table.c.tenant == bindparam("b_tenant"), table.c.id == bindparam("b_id"), table.c.ended_at.is_(None))
    .values(
        cookie_hash=bindparam("new_cookie_hash"),
        auth_time=bindparam("new_auth_time"),
        last_seen_at=bindparam("at"),
        expires_at=bindparam("until"),
        remembered=bindparam("is_remembered"),
        acr=bindparam("new_acr"),
        amr=bindparam("new_amr"),
        factors=bindparam("new_factors"),
    )
)
_END = (
    update(table)
    .where(table.c.tenant == bindparam("b_tenant"), table.c.id == bindparam("b_id"), table.c.ended_at.is_(None))
    .values(ended_at=bindparam("at"))
)


async def find_session_by_cookie(runner: Runner, tenant: TenantId, cookie_hash: bytes, now: int) -> SsoSession | None:
    """A live session of an enabled person, else None."""
    row = await runner.fetch_one(_BY_COOKIE, tenant=tenant, cookie_hash=cookie_hash, now=now)
    return None if row is None else _session(row)


async def find_session(runner: Runner, tenant: TenantId, session: str, now: int) -> SsoSession | None:
    row = await runner.fetch_one(_BY_ID, tenant=tenant, id=session, now=now)
    return None if row is None else _session(row)


async def list_sessions_of_subject(runner: Runner, tenant: TenantId, subject: SubjectId, now: int) -> list[SsoSession]:
    return [_session(row) for row in await runner.fetch(_OF_SUBJECT, tenant=tenant, subject=subject, now=now)]


async def insert_session(transaction: Transaction, session: SsoSession) -> None:
    await transaction.execute(_INSERT, **(columns(session) | {"remembered": int(session.remembered)}))


async def mark_session_seen(
    transaction: Transaction, tenant: TenantId, session: SessionId, *, at: int, until: int
) -> None:
    await transaction.execute(_SEEN, b_tenant=tenant, b_id=session, at=at, until=until)


async def replace_session_cookie(
    transaction: Transaction,
    tenant: TenantId,
    session: SessionId,
    *,
    cookie_hash: bytes,
    auth_time: int,
    at: int,
    until: int,
    remembered: bool,
    acr: str,
    amr: str,
    factors: str,
) -> bool:
    """A gain of privilege: same `sid`, new cookie value. False when it ended meanwhile."""
    changed = await transaction.execute(
        _REPLACE,
        b_tenant=tenant,
        b_id=session,
        new_cookie_hash=cookie_hash,
        new_auth_time=auth_time,
        at=at,
        until=until,
        is_remembered=int(remembered),
        new_acr=acr,
        new_amr=amr,
        new_factors=factors,
    )
    return changed == 1


async def end_session(transaction: Transaction, tenant: TenantId, session: SessionId, at: int) -> bool:
    """End it; what is bound to it is inactive from the commit on. False when it had ended."""
    return await transaction.execute(_END, b_tenant=tenant, b_id=session, at=at) == 1


def _session(row: Row) -> SsoSession:
    return SsoSession(
        tenant=TenantId(row["tenant"]),
        id=SessionId(row["id"]),
        cookie_hash=bytes(row["cookie_hash"]),
        subject=SubjectId(row["subject"]),
        subject_epoch=row["subject_epoch"],
        username=row["username"],
        display_name=row["display_name"],
        auth_time=row["auth_time"],
        acr=row["acr"],
        amr=row["amr"],
        factors=row["factors"],
        remembered=bool(row["remembered"]),
        created_at=row["created_at"],
        last_seen_at=row["last_seen_at"],
        expires_at=row["expires_at"],
        ended_at=row["ended_at"],
        user_agent=row["user_agent"],
        address=row["address"],
    )
