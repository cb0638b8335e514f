"""The embedded database: reads on the loop, every write through one writer thread behind one lock (decision 34)."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy.dialects import sqlite
from sqlalchemy.sql import ClauseElement

from identity.errors import Unavailable
from identity.storage.database import Conflict, Row, Statements, Transaction, in_transaction
from identity.storage.write_batch import WriteBatch

T = TypeVar("T")

WRITE_DEADLINE_SECONDS = 2.0
"""How long a write waits for another process (the command line) that holds the file's lock."""


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection in autocommit mode; transactions are begun by hand."""
    connection = sqlite3.connect(
        path, timeout=0 if read_only else WRITE_DEADLINE_SECONDS, isolation_level=None, check_same_thread=False
    )
    connection.row_factory = sqlite3.Row
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA cache_size=-8000")
        if read_only:
            connection.execute("PRAGMA query_only=ON")
    except BaseException:
        connection.close()
        raise
    return connection


class SqliteDatabase:
    """One file, one server process. A statement's rows are read to the end before the loop goes on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._statements = Statements(sqlite.dialect(paramstyle="named"))
        self._lock = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, "sqlite-writer")
        self._reader: sqlite3.Connection | None = None
        self._writer: sqlite3.Connection | None = None

    async def open(self) -> None:
        self._reader = connect(self.path, read_only=True)
        self._writer = await self._in_thread(lambda: connect(self.path))

    async def close(self) -> None:
        async with self._lock:
            if self._writer is not None:
                await self._in_thread(self._writer.close)
            if self._reader is not None:
                self._reader.close()
            self._reader = self._writer = None
        self._thread.shutdown()

    @property
    def reader(self) -> sqlite3.Connection:
        if self._reader is None:
            raise Unavailable("the database is closed")
        return self._reader

    async def fetch(self, statement: ClauseElement, **parameters: Any) -> Sequence[Row]:
        return _run(self.reader, *self._prepare(statement, parameters)).fetchall()

    async def fetch_one(self, statement: ClauseElement, **parameters: Any) -> Row | None:
        row: Row | None = _run(self.reader, *self._prepare(statement, parameters)).fetchone()
        return row

    async def execute(self, statement: ClauseElement, **parameters: Any) -> int:
        sql, values = self._prepare(statement, parameters)
        return await self.write(lambda connection: max(_run(connection, sql, values).rowcount, 0))

    async def fetch_changed(self, statement: ClauseElement, **parameters: Any) -> Sequence[Row]:
        sql, values = self._prepare(statement, parameters)
        return await self.write(lambda connection: _run(connection, sql, values).fetchall())

    async def commit(self, batch: WriteBatch) -> bool:
        prepared = [self._prepare(statement, parameters) for statement, parameters in batch.writes]

        def work(connection: sqlite3.Connection) -> None:
            for place, (sql, values) in enumerate(prepared):
                changed = _run(connection, sql, values).rowcount
                if place in batch.expected and changed != 1:
                    raise _RowMissed

        try:
            await self.write(work)
        except _RowMissed:
            return False
        return True

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        async with self._lock:
            token = in_transaction.set(True)
            try:
                # A caller that is cancelled while BEGIN runs leaves a transaction open too: it is inside the guard.
                await self._finish(self._in_thread(lambda: _begin(self._open_writer())))
                yield _SqliteTransaction(self)
                await self._finish(self._in_thread(lambda: _commit(self._open_writer())))
            except BaseException:
                await self._finish(self._in_thread(lambda: _roll_back(self._open_writer())))
                raise
            finally:
                in_transaction.reset(token)

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in the writer thread inside one transaction of its own: the token road's way to write."""
        async with self._lock:
            return await self._finish(self._in_thread(lambda: _in_one_transaction(self._open_writer(), work)))

    def _open_writer(self) -> sqlite3.Connection:
        if self._writer is None:
            raise Unavailable("the database is closed")
        return self._writer

    def _prepare(self, statement: ClauseElement, parameters: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        compiled = self._statements(statement)
        return compiled.sql, compiled.defaults | parameters if compiled.defaults else parameters

    def _in_thread(self, work: Callable[[], T]) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._thread, work)

    @staticmethod
    async def _finish(work: asyncio.Future[T]) -> T:
        """Wait for the thread however often the caller is cancelled: the lock must not be freed while it writes."""
        cancelled: asyncio.CancelledError | None = None
        while not work.done():
            try:
                await asyncio.wait([work])
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            with suppress(Exception):
                work.result()
            raise cancelled
        return work.result()


class _RowMissed(Exception):
    """A write of a batch did not find the row it expected."""


class _SqliteTransaction:
    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    async def fetch(self, statement: ClauseElement, **parameters: Any) -> Sequence[Row]:
        return await self._run(statement, parameters, lambda cursor: cursor.fetchall())

    async def fetch_one(self, statement: ClauseElement, **parameters: Any) -> Row | None:
        row: Row | None = await self._run(statement, parameters, lambda cursor: cursor.fetchone())
        return row

    async def execute(self, statement: ClauseElement, **parameters: Any) -> int:
        return await self._run(statement, parameters, lambda cursor: max(cursor.rowcount, 0))

    async def _run(
        self, statement: ClauseElement, parameters: dict[str, Any], read: Callable[[sqlite3.Cursor], T]
    ) -> T:
        database = self._database
        sql, values = database._prepare(statement, parameters)
        return await database._finish(database._in_thread(lambda: read(_run(database._open_writer(), sql, values))))


def _run(connection: sqlite3.Connection, sql: str, values: dict[str, Any]) -> sqlite3.Cursor:
    try:
        return connection.execute(sql, values)
    except sqlite3.IntegrityError as error:
        raise Conflict(str(error)) from error
    except sqlite3.OperationalError as error:
        raise Unavailable(f"sqlite: {error}") from error


def _begin(connection: sqlite3.Connection) -> None:
    _run(connection, "BEGIN IMMEDIATE", {})


def _commit(connection: sqlite3.Connection) -> None:
    try:
        _run(connection, "COMMIT", {})
    except BaseException:
        _roll_back(connection)
        raise


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def _in_one_transaction(connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
    _begin(connection)
    try:
        answer = work(connection)
    except BaseException:
        _roll_back(connection)
        raise
    _commit(connection)
    return answer
