"""PostgreSQL through asyncpg: a small pool for everything but the token road, which has connections of its own."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.sql import ClauseElement

from identity.errors import Unavailable
from identity.storage.database import Conflict, Row, Statements, Transaction, in_transaction
from identity.storage.write_batch import WriteBatch

if TYPE_CHECKING:
    from asyncpg import Connection, Pool, Record

POOL_SIZE = 8
_PLACE = re.compile(r"\$(\d+)")
ACQUIRE_DEADLINE_SECONDS = 2.0
STATEMENT_DEADLINE_SECONDS = 2.0


class PostgresqlDatabase:
    def __init__(self, url: str) -> None:
        self.url = url
        self._statements = Statements(PGDialect_asyncpg())  # type: ignore[no-untyped-call]
        self._batches: dict[tuple[int, ...], str] = {}
        self._pool: Pool[Record] | None = None

    async def open(self) -> None:
        import asyncpg

        try:
            self._pool = await asyncpg.create_pool(
                self.url,
                min_size=1,
                max_size=POOL_SIZE,
                timeout=5,
                command_timeout=STATEMENT_DEADLINE_SECONDS,
                reset=_leave_as_it_is,
                server_settings={"application_name": "identity", "jit": "off"},
            )
        except (OSError, asyncpg.PostgresError, TimeoutError) as error:
            raise Unavailable(f"postgresql: {error}") from error

    async def close(self) -> None:
        if self._pool is not None:
            pool, self._pool = self._pool, None
            try:
                async with asyncio.timeout(2):
                    await pool.close()
            except TimeoutError:
                pool.terminate()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator["Connection[Record]"]:
        """A pooled connection; driver and network errors become Unavailable."""
        import asyncpg

        if self._pool is None:
            raise Unavailable("the database is closed")
        try:
            async with self._pool.acquire(timeout=ACQUIRE_DEADLINE_SECONDS) as connection:
                yield connection  # type: ignore[misc]  # a proxy with the connection's own methods
        except asyncpg.IntegrityConstraintViolationError as error:
            raise Conflict(str(error)) from error
        except (
            OSError,
            TimeoutError,
            asyncpg.PostgresConnectionError,
            asyncpg.InterfaceError,
            asyncpg.InternalClientError,
        ) as error:
            raise Unavailable(f"postgresql: {type(error).__name__} {error}") from error
        except asyncpg.OperatorInterventionError as error:
            raise Unavailable(f"postgresql: {error}") from error

    async def fetch(self, statement: ClauseElement, **parameters: Any) -> Sequence[Row]:
        compiled = self._statements(statement)
        async with self.connection() as connection:
            return await connection.fetch(compiled.sql, *compiled.values(parameters))

    async def fetch_one(self, statement: ClauseElement, **parameters: Any) -> Row | None:
        compiled = self._statements(statement)
        async with self.connection() as connection:
            return await connection.fetchrow(compiled.sql, *compiled.values(parameters))

    async def execute(self, statement: ClauseElement, **parameters: Any) -> int:
        async with self.connection() as connection:
            return await _PostgresqlTransaction(connection, self._statements).execute(statement, **parameters)

    async def fetch_changed(self, statement: ClauseElement, **parameters: Any) -> Sequence[Row]:
        return await self.fetch(statement, **parameters)

    async def commit(self, batch: WriteBatch) -> bool:
        import asyncpg

        values = [
            value for statement, parameters in batch.writes for value in self._statements(statement).values(parameters)
        ]
        try:
            async with self.connection() as connection:
                await connection.fetchval(self._together(batch), *values)
        except asyncpg.DivisionByZeroError:
            return False
        return True

    def _together(self, batch: WriteBatch) -> str:
        """One statement whose parts are the batch's writes, with their parameters numbered through."""
        key = (*(id(statement) for statement, _ in batch.writes), -1, *sorted(batch.expected))
        known = self._batches.get(key)
        if known is not None:
            return known
        parts, conditions, offset = [], ["1"], 0
        for place, (statement, _) in enumerate(batch.writes):
            compiled = self._statements(statement)
            sql = _PLACE.sub(lambda match, by=offset: f"${int(match[1]) + by}", compiled.sql)  # type: ignore[misc]
            parts.append(f"w{place} as ({sql} returning 1)")
            offset += len(compiled.names)
            if place in batch.expected:
                # A part that changed no row makes the division fail, and with it the whole statement.
                conditions.append(f"1 / (select count(*) from w{place})")  # noqa: S608  # a number
        text = f"with {', '.join(parts)} select {' + '.join(conditions)}"  # our own statements
        self._batches[key] = text
        return text

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        async with self.connection() as connection:
            token = in_transaction.set(True)
            try:
                async with connection.transaction():
                    yield _PostgresqlTransaction(connection, self._statements)
            finally:
                in_transaction.reset(token)


class _PostgresqlTransaction:
    def __init__(self, connection: "Connection[Record]", statements: Statements) -> None:
        self._connection = connection
        self._statements = statements

    async def fetch(self, statement: ClauseElement, **parameters: Any) -> Sequence[Row]:
        compiled = self._statements(statement)
        return await self._connection.fetch(compiled.sql, *compiled.values(parameters))

    async def fetch_one(self, statement: ClauseElement, **parameters: Any) -> Row | None:
        compiled = self._statements(statement)
        return await self._connection.fetchrow(compiled.sql, *compiled.values(parameters))

    async def execute(self, statement: ClauseElement, **parameters: Any) -> int:
        compiled = self._statements(statement)
        status = await self._connection.execute(compiled.sql, *compiled.values(parameters))
        return int(status.rpartition(" ")[2] or 0)


async def _leave_as_it_is(connection: object) -> None:
    """Our transactions end themselves and nothing sets session state, so a returned connection needs no reset."""
