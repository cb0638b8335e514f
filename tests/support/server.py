"""A real `identity serve` process for tests, and an open database of the same installation in the test process."""

import asyncio
import secrets
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import pytest

from identity.storage.database import Database
from tests.support.processes import Program, environment

if TYPE_CHECKING:
    from tests.support.postgres import PostgresCluster

T = TypeVar("T")

Engine = Literal["sqlite", "postgresql"]
ENGINES: tuple[Engine, ...] = ("sqlite", "postgresql")

_ROOT = Path(__file__).parents[2]


class RunningServer:
    """`settings` are names and values of `identity.config.Settings`, beside those the test needs anyway."""

    def __init__(self, engine: Engine, data: Path, *, database_url: str | None = None, **settings: str) -> None:
        self.engine = engine
        self.data = data
        self.database_url = database_url
        self.master_key = secrets.token_hex(32)
        self.base_url = ""
        # In test mode the servers that tests start on loopback may be called.
        needed = {"data": str(data), "master_key": self.master_key, "log_level": "info", "test_mode": "true"}
        self._settings = needed | settings
        if database_url is not None:
            self._settings["database_url"] = database_url
        self._program: Program | None = None
        self._mark = 0
        self._loop: LoopThread | None = None
        self._database: Database | None = None

    def start(self) -> None:
        """Start the process, again after `stop` or `kill`, and wait for its ready line. The port may change."""
        variables = {f"IDENTITY_{name.upper()}": value for name, value in self._settings.items()}
        self._mark = 0
        self._program = Program(
            [sys.executable, "-m", "identity", "serve", "--port", "0"],
            env=environment(PYTHONPATH=str(_ROOT), **variables),
            cwd=self.data,
        )
        self.base_url = self._program.wait_for(r"^ready (http\S+)$", 30)[1]

    @property
    def program(self) -> Program:
        assert self._program is not None, "the server is not started"
        return self._program

    @property
    def pid(self) -> int:
        """Of the process that was started; workers are its children."""
        return self.program.pid

    def run(self, work: Callable[[Database], Coroutine[Any, Any, T]], seconds: float = 30) -> T:
        """Run a coroutine in the test process, with the server's own database open, and return what it returns."""
        if self._loop is None:
            self._loop = LoopThread()
        loop = self._loop

        async def with_database() -> T:
            return await work(await self._open_database())

        return loop.run(with_database(), seconds)

    async def _open_database(self) -> Database:
        if self._database is None:
            database = _database(self.engine, self.data, self.database_url)
            await database.open()
            self._database = database
        return self._database

    def mark_log(self) -> None:
        self._mark = len(self.program.lines)

    def log_since_mark(self) -> str:
        """What the server wrote since the test began."""
        return "\n".join(self.program.lines[self._mark :])

    def stop(self) -> int:
        """Close the test's database and end the server as an operator would; its exit code."""
        self._close_database()
        return self.program.stop(signal.SIGTERM)

    def kill(self) -> None:
        """End the server as `kill -9` does. The test's own database stays open."""
        self.program.kill()

    def _close_database(self) -> None:
        if self._loop is not None:
            if self._database is not None:
                self._loop.run(self._database.close(), 10)
                self._database = None
            self._loop.stop()
            self._loop = None


def start_server(engine: Engine, request: pytest.FixtureRequest, data: Path, **settings: str) -> RunningServer:
    """A server of a test's own, in the folder `data`; on PostgreSQL in a fresh database. The caller stops it."""
    database_url = None
    if engine == "postgresql":
        cluster: PostgresCluster = request.getfixturevalue("postgres")
        database_url = cluster.create_database()
    running = RunningServer(engine, data, database_url=database_url, **settings)
    running.start()
    return running


def _database(engine: Engine, data: Path, database_url: str | None) -> Database:
    if engine == "sqlite":
        from identity.storage.sqlite_writer import SqliteDatabase

        return SqliteDatabase(data / "identity.sqlite3")
    from identity.storage.postgresql import PostgresqlDatabase

    assert database_url is not None
    return PostgresqlDatabase(database_url)


class LoopThread:
    """An event loop in a thread of its own, for synchronous tests that call coroutines."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="test loop", daemon=True)
        self._thread.start()

    def run(self, work: Awaitable[T], seconds: float) -> T:
        """Raises what `work` raises, or TimeoutError."""

        async def awaited() -> T:
            return await work

        future: Future[T] = asyncio.run_coroutine_threadsafe(awaited(), self._loop)
        try:
            return future.result(seconds)
        finally:
            future.cancel()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
