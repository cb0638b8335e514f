"""The token road on SQLite: reads on the loop, writes shared through the database's writer thread (decision 34)."""

import sqlite3
from collections.abc import Callable
from typing import Any, TypeVar

from identity.clock import Clock
from identity.domain.tokens import NewRefreshToken, NewToken, RedeemableState, TokenQuery, TokenState
from identity.errors import Unavailable
from identity.storage.hot import statements
from identity.storage.hot.coalesce import Coalescer, HotCounters, RefusedRow
from identity.storage.hot.statements import ACCESS_COLUMNS, REFRESH_COLUMNS
from identity.storage.sqlite_writer import SqliteDatabase

T = TypeVar("T")

_QUESTIONS = "(select ? as tenant, ? as hash, ? as caller, ? as grant_id, ? as application) q"
_QUESTION = "(select ? as tenant, ? as hash, ? as caller, ? as asked_at) q"


def _row_of(alias: str, table: str, tenant: str, key: str) -> str:
    return f"left join {table} {alias} on {alias}.tenant = {tenant} and {alias}.id = {key}"


_LOOK_UP = statements.look_up(_QUESTIONS, _row_of, claims=False, empty="x''")
_LOOK_UP_CLAIMS = statements.look_up(_QUESTIONS, _row_of, claims=True, empty="x''")
_READ_CODE = statements.read_code(_QUESTION, _row_of, empty="x''")
_READ_REFRESH_TOKEN = statements.read_refresh_token(_QUESTION, _row_of, empty="x''")

_INSERT_ACCESS = f"insert into access_token ({ACCESS_COLUMNS}) values (?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
_INSERT_REFRESH = f"insert into refresh_token ({REFRESH_COLUMNS}) values (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)"  # noqa: S608
_ISSUE = f"""
insert into access_token ({ACCESS_COLUMNS}) select ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9
where exists (select 1 from application where tenant = ?1 and id = ?3 and enabled = 1 and version = ?10)
 and exists (select 1 from tenant where id = ?1 and enabled = 1 and version = ?11)
on conflict do nothing
"""  # noqa: S608
_USE_ONCE = "insert into used_value (tenant, hash, expires_at) values (?, ?, ?) on conflict do nothing"
_CONSUME_CODE = """
update authorization_code
set consumed_at = :now, keep_until = max(keep_until, coalesce(:given_until,
 (select expires_at from grants g where g.tenant = :tenant and g.id = authorization_code.grant_id)))
where tenant = :tenant and hash = :hash and consumed_at is null and expires_at > :now
 and exists (select 1 from grants g where g.tenant = :tenant and g.id = authorization_code.grant_id
  and g.revoked_at is null)
"""
_USE_REFRESH = """
update refresh_token set first_used_at = coalesce(first_used_at, :now), uses = uses + 1
where tenant = :tenant and hash = :hash and closed_at is null and expires_at > :now
 and (not :rotate or first_used_at is null or (first_used_at > :now - :grace_us and uses < :grace_uses))
 and exists (select 1 from grants g where g.tenant = :tenant and g.id = refresh_token.grant_id
  and g.revoked_at is null)
"""
_CLOSE_PARENT = """
update refresh_token set closed_at = :now
where tenant = :tenant and closed_at is null
 and hash = (select parent from refresh_token where tenant = :tenant and hash = :hash)
"""


class SqliteHot:
    """A look-up is one statement of some microseconds on the loop; it needs nobody to share it with."""

    def __init__(self, database: SqliteDatabase, clock: Clock | None = None) -> None:
        self.counters = HotCounters()
        self._database = database
        self._clock = clock or Clock()
        self._issue = Coalescer(self._issue_all)
        self._use_once = Coalescer(self._use_all)

    async def open(self) -> None:
        """The database itself is opened and closed by its owner."""

    async def close(self) -> None:
        await self._issue.close()
        await self._use_once.close()

    async def look_up(self, query: TokenQuery) -> TokenState:
        return self._state(_LOOK_UP, query)

    async def look_up_claims(self, query: TokenQuery) -> TokenState:
        return self._state(_LOOK_UP_CLAIMS, query)

    async def issue(self, token: NewToken) -> bool:
        return await self._issue(token)

    async def use_once(self, tenant: int, hash: bytes, expires_at: int) -> bool:
        return await self._use_once((tenant, hash, expires_at))

    async def read_code(self, tenant: int, hash: bytes, caller: str) -> RedeemableState:
        return _redeemable(self._read(_READ_CODE, (tenant, hash, caller, self._clock.now())))

    async def read_refresh_token(self, tenant: int, hash: bytes, caller: str) -> RedeemableState:
        return _redeemable(self._read(_READ_REFRESH_TOKEN, (tenant, hash, caller, self._clock.now())))

    async def redeem_code(
        self, *, tenant: int, hash: bytes, now: int, access: NewToken | None, refresh: NewRefreshToken | None
    ) -> bool:
        given_until = max((given.expires_at for given in (access, refresh) if given is not None), default=None)
        parameters = {"tenant": tenant, "hash": hash, "now": now, "given_until": given_until}

        def redeem(connection: sqlite3.Connection) -> bool:
            if connection.execute(_CONSUME_CODE, parameters).rowcount != 1:
                return False
            _give(connection, access, refresh)
            return True

        return await self._write(redeem, 1)

    async def redeem_refresh_token(
        self, *, tenant: int, hash: bytes, now: int, grace_us: int, grace_uses: int, rotate: bool,
        access: NewToken | None, refresh: NewRefreshToken | None,
    ) -> bool:  # fmt: skip
        parameters = {"tenant": tenant, "hash": hash, "now": now}
        rule = {"rotate": rotate, "grace_us": grace_us, "grace_uses": grace_uses}

        def redeem(connection: sqlite3.Connection) -> bool:
            if connection.execute(_USE_REFRESH, parameters | rule).rowcount != 1:
                return False
            connection.execute(_CLOSE_PARENT, parameters)
            _give(connection, access, refresh)
            return True

        return await self._write(redeem, 1)

    def _state(self, sql: str, query: TokenQuery) -> TokenState:
        row = self._read(sql, (query.tenant, query.hash, query.caller, query.grant, query.application))
        (
            tenant_version, caller_version, found, application, application_enabled, scope, audience, issued_at,
            expires_at, token_revoked, grant, grant_found, grant_revoked, session_ended, subject, username,
            subject_current, subject_version, claims, claims_version, requested_claims, extra,
        ) = row  # fmt: skip
        return TokenState(
            tenant_version, caller_version, found == 1, application, application_enabled == 1, scope, audience,
            issued_at, expires_at, token_revoked == 1, grant, grant_found == 1, grant_revoked == 1,
            session_ended == 1, subject, username, subject_current == 1, subject_version, claims, claims_version,
            requested_claims, extra,
        )  # fmt: skip

    def _read(self, sql: str, values: tuple[Any, ...]) -> tuple[Any, ...]:
        self.counters.statements += 1
        self.counters.rows += 1
        try:
            cursor = self._database.reader.cursor()
            cursor.row_factory = None
            # Read to the end: an unfinished statement would hold its snapshot, and the next would read the past.
            rows: list[tuple[Any, ...]] = cursor.execute(sql, values).fetchall()
        except (sqlite3.Error, OverflowError, ValueError) as error:
            raise _as_ours(error) from error
        return rows[0]

    async def _issue_all(self, tokens: list[NewToken]) -> list[bool]:
        def insert(connection: sqlite3.Connection) -> list[bool]:
            return [connection.execute(_ISSUE, _issue_values(token)).rowcount == 1 for token in tokens]

        return await self._write(insert, len(tokens))

    async def _use_all(self, values: list[tuple[int, bytes, int]]) -> list[bool]:
        def insert(connection: sqlite3.Connection) -> list[bool]:
            return [connection.execute(_USE_ONCE, value).rowcount == 1 for value in values]

        return await self._write(insert, len(values))

    async def _write(self, work: Callable[[sqlite3.Connection], T], rows: int) -> T:
        self.counters.statements += 1
        self.counters.rows += rows
        try:
            return await self._database.write(work)
        except (sqlite3.Error, OverflowError, ValueError) as error:
            raise _as_ours(error) from error


def _give(connection: sqlite3.Connection, access: NewToken | None, refresh: NewRefreshToken | None) -> None:
    if access is not None:
        connection.execute(_INSERT_ACCESS, _issue_values(access)[:9])
    if refresh is not None:
        connection.execute(
            _INSERT_REFRESH,
            (
                refresh.tenant, refresh.hash, refresh.grant, refresh.application, refresh.scope, refresh.parent,
                refresh.issued_at, refresh.expires_at, refresh.confirmation,
            ),
        )  # fmt: skip


def _issue_values(token: NewToken) -> tuple[Any, ...]:
    return (
        token.tenant, token.hash, token.application, token.grant, token.scope, token.audience,
        token.issued_at, token.expires_at, token.extra, token.application_version, token.tenant_version,
    )  # fmt: skip


def _redeemable(row: tuple[Any, ...]) -> RedeemableState:
    fields = list(row)
    for place in (2, 4, 6, 9, 10, 12):
        fields[place] = fields[place] == 1
    return RedeemableState(*fields)


def _as_ours(error: Exception) -> Exception:
    """What is wrong with the file or its lock is Unavailable; what is wrong with the values is the row's own fault."""
    if isinstance(error, sqlite3.OperationalError):
        return Unavailable(f"sqlite: {error}")
    return RefusedRow(f"sqlite: {error}")
