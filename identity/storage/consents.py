"""Remembered consents: the scopes a person has allowed an application, and at which APIs, until taken back."""

from dataclasses import dataclass

from sqlalchemy import bindparam, delete, literal, select

from identity.domain.applications import Application, ApplicationId
from identity.domain.tenants import TenantId
from identity.domain.users import SubjectId
from identity.storage.applications import application_of_row
from identity.storage.database import Runner, Transaction, insert_into, of_tenant
from identity.storage.tables import application as application_table
from identity.storage.tables import consent as table
from identity.storage.tables import grants as grants_table
from identity.storage.tables import sso_session as session_table
from identity.storage.tables import subject as subject_table


@dataclass(frozen=True, slots=True)
class ConsentedApplication:
    """`scope` space-separated, `granted_at` µs."""

    application: Application
    scope: str
    granted_at: int


@dataclass(frozen=True, slots=True)
class Consent:
    """What was allowed; `resources` are resource indicators (RFC 8707)."""

    scopes: frozenset[str]
    resources: frozenset[str]


_FIND = select(table.c.scope, table.c.resources).where(
    of_tenant(table), table.c.subject == bindparam("subject"), table.c.application == bindparam("application")
)
_INSERT = insert_into(table)
_UPSERT = _INSERT.on_conflict_do_update(
    index_elements=[table.c.tenant, table.c.subject, table.c.application],
    set_={name: _INSERT.excluded[name] for name in ("scope", "resources", "granted_at")},
)
_DELETE = delete(table).where(
    of_tenant(table), table.c.subject == bindparam("subject"), table.c.application == bindparam("application")
)
_OF_SUBJECT = (
    select(table.c.scope, table.c.granted_at, application_table.c.document, application_table.c.version)
    .join(
        application_table,
        (application_table.c.tenant == table.c.tenant) & (application_table.c.id == table.c.application),
    )
    .where(of_tenant(table), table.c.subject == bindparam("subject"))
    .order_by(application_table.c.name)
    .limit(500)
)


_WITHOUT_CONSENT = (
    select(
        application_table.c.id,
        application_table.c.document,
        application_table.c.version,
        grants_table.c.scope,
        grants_table.c.created_at,
    )
    .join(
        application_table,
        (application_table.c.tenant == grants_table.c.tenant) & (application_table.c.id == grants_table.c.application),
    )
    .join(
        subject_table,
        (subject_table.c.tenant == grants_table.c.tenant)
        & (subject_table.c.id == grants_table.c.subject)
        & (subject_table.c.epoch == grants_table.c.subject_epoch),
    )
    .outerjoin(
        session_table,
        (session_table.c.tenant == grants_table.c.tenant) & (session_table.c.id == grants_table.c.session),
    )
    .outerjoin(
        table,
        (table.c.tenant == grants_table.c.tenant)
        & (table.c.subject == grants_table.c.subject)
        & (table.c.application == grants_table.c.application),
    )
    .where(
        of_tenant(grants_table),
        grants_table.c.subject == bindparam("subject"),
        grants_table.c.kind.in_([literal(kind) for kind in ("token_exchange", "jwt_bearer", "password")]),
        grants_table.c.revoked_at.is_(None),
        grants_table.c.expires_at > bindparam("now"),
        (grants_table.c.session_bound == 0) | (session_table.c.id.is_not(None) & session_table.c.ended_at.is_(None)),
        table.c.subject.is_(None),
    )
    .order_by(grants_table.c.created_at)
    .limit(500)
)


async def find_consent(
    runner: Runner, tenant: TenantId, subject: SubjectId, application: ApplicationId
) -> Consent | None:
    """None: the person was never asked, or has taken it back."""
    row = await runner.fetch_one(_FIND, tenant=tenant, subject=subject, application=application)
    return None if row is None else Consent(frozenset(row["scope"].split()), frozenset(row["resources"].split()))


async def remember_consent(
    transaction: Transaction,
    tenant: TenantId,
    subject: SubjectId,
    application: ApplicationId,
    consent: Consent,
    *,
    now: int,
) -> None:
    """Replace what was remembered."""
    await transaction.execute(
        _UPSERT,
        tenant=tenant,
        subject=subject,
        application=application,
        scope=" ".join(sorted(consent.scopes)),
        resources=" ".join(sorted(consent.resources)),
        granted_at=now,
    )


async def forget_consent(
    transaction: Transaction, tenant: TenantId, subject: SubjectId, application: ApplicationId
) -> bool:
    return await transaction.execute(_DELETE, tenant=tenant, subject=subject, application=application) == 1


async def list_consents(runner: Runner, tenant: TenantId, subject: SubjectId) -> list[ConsentedApplication]:
    """Everything this person has allowed, by the application's name."""
    rows = await runner.fetch(_OF_SUBJECT, tenant=tenant, subject=subject)
    return [ConsentedApplication(application_of_row(row), row["scope"], row["granted_at"]) for row in rows]


async def list_applications_acting(
    runner: Runner, tenant: TenantId, subject: SubjectId, now: int
) -> list[ConsentedApplication]:
    """Applications that act for this person without having asked them: by token exchange, assertion or password.

    With every scope of their live grants, and since when.
    """
    found: dict[str, ConsentedApplication] = {}
    for row in await runner.fetch(_WITHOUT_CONSENT, tenant=tenant, subject=subject, now=now):
        before = found.get(row["id"])
        scopes = dict.fromkeys([*(before.scope.split() if before else ()), *row["scope"].split()])
        since = before.granted_at if before else row["created_at"]
        found[row["id"]] = ConsentedApplication(application_of_row(row), " ".join(scopes), since)
    return list(found.values())
