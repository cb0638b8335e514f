"""Remembered consents: the scopes a person has allowed an application, until taken back."""

from sqlalchemy import bindparam, delete, select

from identity.domain.applications import ApplicationId
from identity.domain.tenants import TenantId
from identity.domain.users import SubjectId
from identity.storage.database import Runner, Transaction, insert_into, of_tenant
from identity.storage.tables import application as application_table
from identity.storage.tables import consent as table

_SCOPE = select(table.c.scope).where(
    of_tenant(table), table.c.subject == bindparam("subject"), table.c.application == bindparam("application")
)
_INSERT = insert_into(table)
_UPSERT = _INSERT.on_conflict_do_update(
    index_elements=[table.c.tenant, table.c.subject, table.c.application],
    set_={"scope": _INSERT.excluded.scope, "granted_at": _INSERT.excluded.granted_at},
)
_DELETE = delete(table).where(
    of_tenant(table), table.c.subject == bindparam("subject"), table.c.application == bindparam("application")
)
_OF_SUBJECT = (
    select(table.c.application, table.c.scope, table.c.granted_at, application_table.c.name)
    .join(
        application_table,
        (application_table.c.tenant == table.c.tenant) & (application_table.c.id == table.c.application),
    )
    .where(of_tenant(table), table.c.subject == bindparam("subject"))
    .order_by(application_table.c.name)
    .limit(500)
)


async def find_consented_scopes(
    runner: Runner, tenant: TenantId, subject: SubjectId, application: ApplicationId
) -> frozenset[str]:
    row = await runner.fetch_one(_SCOPE, tenant=tenant, subject=subject, application=application)
    return frozenset() if row is None else frozenset(row["scope"].split())


async def remember_consent(
    transaction: Transaction, tenant: TenantId, subject: SubjectId, application: ApplicationId, *, scope: str, now: int
) -> None:
    """Replace what was remembered by `scope` (space-separated)."""
    await transaction.execute(
        _UPSERT, tenant=tenant, subject=subject, application=application, scope=scope, granted_at=now
    )


async def forget_consent(
    transaction: Transaction, tenant: TenantId, subject: SubjectId, application: ApplicationId
) -> bool:
    return await transaction.execute(_DELETE, tenant=tenant, subject=subject, application=application) == 1


async def list_consents(
    runner: Runner, tenant: TenantId, subject: SubjectId
) -> list[tuple[ApplicationId, str, str, int]]:
    """(application id, its name, scope, granted at) of everything this person has allowed."""
    rows = await runner.fetch(_OF_SUBJECT, tenant=tenant, subject=subject)
    return [(ApplicationId(row["application"]), row["name"], row["scope"], row["granted_at"]) for row in rows]
