"""Expiring tables stay bounded: what is past its time is deleted in batches, and what is left is a metric."""

from sqlalchemy import ColumnElement, Table, bindparam, delete, func, select, tuple_

from identity.clock import SECOND
from identity.storage.authorization_tables import (
    captured_mail,
    delivery,
    initial_access_token,
    pending_authorization,
    pushed_request,
    used_value,
)
from identity.storage.database import Database, Runner
from identity.storage.sign_in_tables import (
    login_trace,
    pending_enrolment,
    recorded_login,
    recording_key,
    script_bundle,
    script_version,
)
from identity.storage.tables import (
    access_token,
    application,
    attempt,
    authorization_code,
    grants,
    login_flow,
    refresh_token,
    sso_session,
    tenant,
)

BATCH = 1000

_EXPIRES: dict[str, tuple[Table, ColumnElement[int]]] = {
    table.name: (table, column)
    for table, column in (
        (access_token, access_token.c.expires_at),
        (refresh_token, refresh_token.c.expires_at),
        (authorization_code, authorization_code.c.keep_until),
        (login_flow, login_flow.c.expires_at),
        (sso_session, sso_session.c.expires_at),
        (grants, grants.c.expires_at),
        (attempt, attempt.c.window_ends_at),
        (delivery, delivery.c.expires_at),
        (pushed_request, pushed_request.c.keep_until),
        (pending_authorization, pending_authorization.c.expires_at),
        (used_value, used_value.c.expires_at),
        (captured_mail, captured_mail.c.expires_at),
        (initial_access_token, initial_access_token.c.expires_at),
        (login_trace, login_trace.c.expires_at),
        (recorded_login, recorded_login.c.expires_at),
        (pending_enrolment, pending_enrolment.c.expires_at),
        (recording_key, recording_key.c.expires_at),
    )
}


def _expired_keys(table: Table, column: ColumnElement[int]) -> ColumnElement[bool]:
    keys = tuple(table.primary_key.columns)
    oldest = select(*keys).where(column < bindparam("before")).order_by(column).limit(bindparam("batch"))
    return tuple_(*keys).in_(oldest)


_FLOWS_BEGIN_LATE = 60 * SECOND
"""A worker may begin a flow with a script for so long after it was replaced."""
_BEGUN_WITH_IT = (
    select(login_flow.c.id)
    .where(
        login_flow.c.tenant == script_bundle.c.tenant,
        login_flow.c.created_at <= script_bundle.c.created_at + _FLOWS_BEGIN_LATE,
        login_flow.c.expires_at > bindparam("now"),
    )
    .exists()
)
_IN_HISTORY = (
    select(script_version.c.number)
    .where(script_version.c.tenant == script_bundle.c.tenant, script_version.c.hash == script_bundle.c.hash)
    .exists()
)
_OF_APPLICATION = (
    select(application.c.id)
    .where(application.c.tenant == script_bundle.c.tenant, application.c.document.contains(script_bundle.c.hash))
    .exists()
)
_OF_TENANT = (
    select(tenant.c.id)
    .where(tenant.c.id == script_bundle.c.tenant, tenant.c.settings.contains(script_bundle.c.hash))
    .exists()
)
# `created_at` of a bundle moves when it is replaced (`scripts.leave_bundle`).
_UNUSED_BUNDLES = delete(script_bundle).where(
    script_bundle.c.created_at < bindparam("before"), ~_IN_HISTORY, ~_OF_APPLICATION, ~_OF_TENANT, ~_BEGUN_WITH_IT
)

_DELETE = {name: delete(table).where(_expired_keys(table, column)) for name, (table, column) in _EXPIRES.items()}
_BACKLOG = {
    name: select(func.count().label("rows")).select_from(
        select(column).where(column < bindparam("before")).limit(100_000).subquery()
    )
    for name, (table, column) in _EXPIRES.items()
}
EXPIRING_TABLES = tuple(_EXPIRES)


async def purge_batch(database: Database, table: str, *, before: int) -> int:
    """Delete up to BATCH rows of `table` that expired before `before` (µs); how many went."""
    async with database.transaction() as transaction:
        return await transaction.execute(_DELETE[table], before=before, batch=BATCH)


async def purge_bundles(database: Database, *, before: int, now: int) -> int:
    """Delete scripts that no version, application or tenant names, and with which no open flow may have begun."""
    async with database.transaction() as transaction:
        return await transaction.execute(_UNUSED_BUNDLES, before=before, now=now)


async def count_backlog(runner: Runner, table: str, *, before: int) -> int:
    """Expired rows still there, counted up to 100,000."""
    row = await runner.fetch_one(_BACKLOG[table], before=before)
    return 0 if row is None else int(row["rows"])
