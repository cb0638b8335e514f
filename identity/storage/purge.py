"""Expiring tables stay bounded: what is past its time is deleted in batches, and what is left is a metric."""

from sqlalchemy import ColumnElement, Table, bindparam, delete, func, select, tuple_

from identity.storage.authorization_tables import (
    captured_mail,
    delivery,
    initial_access_token,
    pending_authorization,
    pushed_request,
    used_value,
)
from identity.storage.database import Database, Runner
from identity.storage.tables import (
    access_token,
    attempt,
    authorization_code,
    grants,
    login_flow,
    refresh_token,
    sso_session,
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
    )
}


def _expired_keys(table: Table, column: ColumnElement[int]) -> ColumnElement[bool]:
    keys = tuple(table.primary_key.columns)
    oldest = select(*keys).where(column < bindparam("before")).order_by(column).limit(bindparam("batch"))
    return tuple_(*keys).in_(oldest)


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


async def count_backlog(runner: Runner, table: str, *, before: int) -> int:
    """Expired rows still there, counted up to 100,000."""
    row = await runner.fetch_one(_BACKLOG[table], before=before)
    return 0 if row is None else int(row["rows"])
