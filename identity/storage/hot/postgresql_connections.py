"""A connection of the token road's own: a deadline on every statement, and a new connection when one is lost."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from identity.errors import Unavailable
from identity.storage.hot.coalesce import HotCounters, RefusedRow

if TYPE_CHECKING:
    from asyncpg import Connection, Record
    from asyncpg.prepared_stmt import PreparedStatement

DEADLINE_SECONDS = 0.5
CONNECT_DEADLINE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 0.5

SETTINGS = {
    "application_name": "identity token road",
    "jit": "off",
    # A statement is planned once, and stays a chain of index look-ups whatever the statistics say: on a fresh table
    # without any, and on 10^7 rows.
    "plan_cache_mode": "force_generic_plan",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_sort": "off",
    "enable_incremental_sort": "off",
    # A server that is alive gives up first, so that a held lock leaves neither a lost connection nor a backend that
    # writes after its caller has been told 503. The deadline here is for one that is not.
    "statement_timeout": "400",
}


class HotConnection:
    """One PostgreSQL connection, one statement at a time, callers served in their order.

    Waiting for one's turn, for a connection being made, and for the statement each end after 500 ms.
    """

    def __init__(self, url: str, counters: HotCounters) -> None:
        self._url = url
        self._counters = counters
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._connection: Connection[Record] | None = None
        self._statements: dict[str, PreparedStatement[Record]] = {}
        self._attempt: asyncio.Future[None] | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._closed = True
        self._was_connected = False

    @property
    def idle(self) -> bool:
        return self._connection is not None and not self._turn.locked()

    async def open(self) -> None:
        """Raises Unavailable when the first attempt to connect fails; later ones go on in the background."""
        self._closed = False
        attempt = self._reconnect()
        try:
            await attempt
        except Unavailable:
            await self.close()
            raise

    async def close(self) -> None:
        self._closed = True
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait([self._connecting])
        connection, self._connection = self._connection, None
        self._statements = {}
        if connection is not None:
            connection.terminate()

    async def fetch(self, sql: str, arguments: Sequence[Any]) -> "list[Record]":
        """The rows of `sql`. Raises RefusedRow when the arguments are at fault, otherwise Unavailable: then a reading
        statement may be asked elsewhere, and what a writing one did is unknown."""
        await self._take_turn()
        try:
            connection = self._connection
            if connection is None or connection.is_closed():
                connection = await self._connected()
            return await self._fetch(connection, sql, arguments)
        finally:
            self._turn.release()

    async def _take_turn(self) -> None:
        if not self._waiting and not self._turn.locked():
            await self._turn.acquire()
            return
        self._waiting += 1
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                await self._turn.acquire()
        except TimeoutError:
            raise Unavailable("postgresql: too many statements are waiting") from None
        finally:
            self._waiting -= 1

    async def _fetch(self, connection: "Connection[Record]", sql: str, arguments: Sequence[Any]) -> "list[Record]":
        import asyncpg

        expiry = asyncio.get_running_loop().call_later(DEADLINE_SECONDS, self._expire, connection)
        try:
            statement = self._statements.get(sql)
            if statement is None:
                statement = self._statements[sql] = await connection.prepare(sql)
            rows = await statement.fetch(*arguments)
        except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, ValueError, OverflowError) as error:
            raise RefusedRow(f"postgresql: {error}") from error
        except asyncpg.QueryCanceledError as error:
            self._counters.timeouts += 1
            raise Unavailable(f"postgresql: {error}") from error
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError) as error:
            self._drop(connection)
            raise Unavailable(f"postgresql: {type(error).__name__} {error}") from error
        except BaseException:
            # Cancelled in the middle: nobody knows what the connection would answer next.
            self._drop(connection)
            raise
        finally:
            expiry.cancel()
        self._counters.statements += 1
        return rows

    def _expire(self, connection: "Connection[Record]") -> None:
        """The waiting statement ends with a connection error at once; the frozen backend is left to the server."""
        self._counters.timeouts += 1
        self._drop(connection)

    def _drop(self, connection: "Connection[Record]") -> None:
        connection.terminate()
        self._lost(connection)

    def _lost(self, connection: object) -> None:
        if connection is self._connection:
            self._connection = None
            self._statements = {}
            if not self._closed:
                self._reconnect()

    async def _connected(self) -> "Connection[Record]":
        """The connection that is being made; Unavailable when the attempt fails or none is under way just now."""
        if self._connection is not None and self._connection.is_closed():
            self._lost(self._connection)
        if not self._closed and (self._connecting is None or self._connecting.done()):
            self._reconnect()
        if self._attempt is None:
            raise Unavailable("postgresql: no connection")
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                await asyncio.shield(self._attempt)
        except TimeoutError:
            raise Unavailable("postgresql: no connection in time") from None
        if self._connection is None:
            raise Unavailable("postgresql: no connection")
        return self._connection

    def _reconnect(self) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        attempt = self._attempt = loop.create_future()
        self._connecting = loop.create_task(self._keep_connecting())
        return attempt

    async def _keep_connecting(self) -> None:
        import asyncpg

        pause = 0.02
        while True:
            attempt = self._attempt = self._attempt or asyncio.get_running_loop().create_future()
            try:
                connection = await asyncpg.connect(
                    self._url, timeout=CONNECT_DEADLINE_SECONDS, server_settings=SETTINGS
                )
            except Exception as error:
                # Whatever it was: one that gave up here would never be used again.
                self._attempt = None
                _refuse(attempt, f"postgresql: {type(error).__name__} {error}")
            except BaseException:
                self._attempt = None
                _refuse(attempt, "the database is closed")
                raise
            else:
                connection.add_termination_listener(self._lost)
                self._connection, self._attempt = connection, None
                self._counters.reconnects += self._was_connected
                self._was_connected = True
                attempt.set_result(None)
                return
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)


def _refuse(attempt: asyncio.Future[None], detail: str) -> None:
    attempt.set_exception(Unavailable(detail))
    attempt.exception()  # seen: often nobody waits for it
