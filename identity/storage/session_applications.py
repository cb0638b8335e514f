"""Which applications a session reached: each that got a grant in it, revoked ones too, since it may have kept its own
session."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, bindparam, func, select

from identity.domain.applications import Application
from identity.domain.sessions import SessionId
from identity.domain.tenants import TenantId
from identity.domain.users import SubjectId
from identity.storage.applications import application_of_row
from identity.storage.database import Row, Runner, of_tenant
from identity.storage.sso_sessions import CURRENT_SUBJECT, LIVE
from identity.storage.tables import application as application_table
from identity.storage.tables import grants as grants_table
from identity.storage.tables import sso_session as session_table
from identity.storage.tables import subject as subject_table


@dataclass(frozen=True, slots=True)
class ReachedApplication:
    """`since`: when it first got a grant in the session, µs."""

    session: SessionId
    subject: SubjectId
    application: Application
    since: int


def _reached(condition: ColumnElement[bool]) -> Select[tuple[str, str, int, str, int]]:
    # Grouped first: an application that asks every minute has many grants in one session.
    use = (
        select(
            grants_table.c.tenant,
            grants_table.c.session,
            grants_table.c.subject,
            grants_table.c.application,
            func.min(grants_table.c.created_at).label("since"),
        )
        .where(of_tenant(grants_table), condition)
        .group_by(grants_table.c.tenant, grants_table.c.session, grants_table.c.subject, grants_table.c.application)
        .subquery()
    )
    return (
        select(use.c.session, use.c.subject, use.c.since, application_table.c.document, application_table.c.version)
        .join(
            application_table,
            (application_table.c.tenant == use.c.tenant) & (application_table.c.id == use.c.application),
        )
        .order_by(use.c.since, application_table.c.id)
    )


_BY_SESSION = _reached(grants_table.c.session == bindparam("session"))
_BY_SUBJECT = _reached(
    grants_table.c.session.in_(
        select(session_table.c.id)
        .join(subject_table, CURRENT_SUBJECT)
        .where(of_tenant(session_table), session_table.c.subject == bindparam("subject"), *LIVE)
    )
)


async def list_applications_of_session(
    runner: Runner, tenant: TenantId, session: SessionId
) -> list[ReachedApplication]:
    """In the order of their first use."""
    return [_read(row) for row in await runner.fetch(_BY_SESSION, tenant=tenant, session=session)]


async def list_applications_of_running_sessions(
    runner: Runner, tenant: TenantId, subject: SubjectId, now: int
) -> list[ReachedApplication]:
    """Of every live session of a person: ask before they are ended."""
    rows = await runner.fetch(_BY_SUBJECT, tenant=tenant, subject=subject, now=now)
    return [_read(row) for row in rows]


def _read(row: Row) -> ReachedApplication:
    return ReachedApplication(
        SessionId(row["session"]), SubjectId(row["subject"]), application_of_row(row), row["since"]
    )
