"""The narrow port to a directory: pooled connections, failover, deadlines, circuit breaker.

The store gives `Directory.run` a function; it runs in one of this store's own threads with a `Session` that searches
and binds. Another engine than ldap3 would replace this file and `client.py`, nothing else.

* Threads are bounded per store, so that a frozen directory holds none that another store needs.
* The whole operation has one deadline; when it passes, the caller is answered and the connection is cut under the
  thread, which therefore ends too.
* Searches use connections of the service account, people's binds use others that never search.
* A pooled connection that turns out to be dead (the directory was restarted) is replaced once, unseen by the caller.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from enum import Enum
from typing import TYPE_CHECKING, TypeVar

from userstores.ldap.answers import (
    BindAnswer,
    ConnectionBroken,
    DirectoryFailure,
    DirectoryTimeout,
    Entry,
    TooManyEntries,
    Unreachable,
)
from userstores.ldap.breaker import CircuitBreaker
from userstores.ldap.filters import Filter
from userstores.ldap.messages import Scope
from userstores.ldap.settings import LdapSettings, LdapUrl
from userstores.spi import StoreUnavailable

if TYPE_CHECKING:
    import ssl

    from userstores.ldap.client import DirectoryConnection

T = TypeVar("T")

PAGE_SIZE = 500
"""Entries a page of a scan; Active Directory gives at most 1000."""


class Role(Enum):
    SERVICE = "service"
    PERSON = "person"


class Connections:
    """Idle connections of both roles, and the order in which servers are tried. Used by several threads."""

    def __init__(self, settings: LdapSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._idle: dict[Role, list[DirectoryConnection]] = {role: [] for role in Role}
        self._order = list(settings.urls)
        self._context: ssl.SSLContext | None = None
        self._closed = False

    def servers(self) -> tuple[LdapUrl, ...]:
        with self._lock:
            return tuple(self._order)

    def take(self, role: Role) -> "DirectoryConnection | None":
        """The most recently used idle connection, which is the least likely to be dead."""
        oldest = time.monotonic() - self._settings.idle_seconds
        with self._lock:
            idle = self._idle[role]
            expired = [each for each in idle if each.used_at < oldest]
            self._idle[role] = fresh = [each for each in idle if each.used_at >= oldest]
            taken = fresh.pop() if fresh else None
        _close_all(expired)
        return taken

    def give_back(self, role: Role, connection: "DirectoryConnection") -> None:
        with self._lock:
            keep = not self._closed and len(self._idle[role]) < self._settings.pool_size
            if keep:
                self._idle[role].append(connection)
        if not keep:
            connection.close()

    def forget(self, url: LdapUrl, *, last: bool) -> None:
        """Drop the idle connections to a server; with `last` it is from now on tried after the others."""
        with self._lock:
            dropped = [each for idle in self._idle.values() for each in idle if each.url == url]
            self._idle = {role: [each for each in idle if each.url != url] for role, idle in self._idle.items()}
            if last:
                self._order.sort(key=lambda each: each == url)
        _close_all(dropped)

    def open(self, role: Role, url: LdapUrl, deadline: float) -> "DirectoryConnection":
        """A new connection, bound already when it is the service account's."""
        from userstores.ldap.client import DirectoryConnection, tls_context

        if self._context is None:
            self._context = tls_context(self._settings)
        soon = min(deadline, time.monotonic() + self._settings.connect_seconds)
        connection = DirectoryConnection(url, self._settings, self._context, soon)
        if role is Role.SERVICE:
            try:
                connection.bind_service(soon)
            except BaseException:
                connection.close()
                raise
        return connection

    def close(self) -> None:
        with self._lock:
            self._closed = True
            dropped = [each for idle in self._idle.values() for each in idle]
            self._idle = {role: [] for role in Role}
        _close_all(dropped)


class Session:
    """What one operation may do, until `deadline` (of `time.monotonic`). Blocking; raises DirectoryFailure."""

    def __init__(self, connections: Connections, deadline: float) -> None:
        self._connections = connections
        self.deadline = deadline
        self._current: DirectoryConnection | None = None
        self._aborted = False

    def search(
        self, base: str, tree: Filter, attributes: Sequence[str], limit: int, scope: Scope = "SUBTREE"
    ) -> list[Entry]:
        return self._on_connection(
            Role.SERVICE,
            lambda connection: connection.search(base, tree, attributes, limit, self.deadline, scope),
        )

    def scan(self, base: str, tree: Filter, attributes: Sequence[str], limit: int) -> list[Entry]:
        """Every entry, read in pages. Raises TooManyEntries."""

        def read(connection: "DirectoryConnection") -> list[Entry]:
            found: list[Entry] = []
            for page in connection.search_pages(base, tree, attributes, PAGE_SIZE, self.deadline):
                found += page
                if len(found) > limit:
                    raise TooManyEntries(f"more than {limit} entries below {base}")
            return found

        return self._on_connection(Role.SERVICE, read)

    def bind(self, dn: str, password: str) -> BindAnswer:
        return self._on_connection(Role.PERSON, lambda connection: connection.bind(dn, password, self.deadline))

    def abort(self) -> None:
        """From the event loop: nobody waits for this operation any more."""
        self._aborted = True
        connection = self._current
        if connection is not None:
            connection.abort()

    def _on_connection(self, role: Role, action: "Callable[[DirectoryConnection], T]") -> T:
        servers = self._connections.servers()
        pooled = self._connections.take(role)
        if pooled is not None:
            try:
                return self._use(role, pooled, action)
            except ConnectionBroken:
                self._connections.forget(pooled.url, last=False)
            except DirectoryTimeout:
                # It is frozen, not restarted: with no other server, waiting once more would help nobody.
                self._connections.forget(pooled.url, last=True)
                if len(servers) == 1:
                    raise
        return self._on_new_connection(role, action)

    def _on_new_connection(self, role: Role, action: "Callable[[DirectoryConnection], T]") -> T:
        failures = []
        for url in self._connections.servers():
            if self._aborted:
                break
            try:
                return self._use(role, self._connections.open(role, url, self.deadline), action)
            except (Unreachable, ConnectionBroken, DirectoryTimeout) as error:
                self._connections.forget(url, last=True)
                failures.append(str(error))
        raise DirectoryFailure(" ".join(failures) or "the operation was ended")

    def _use(self, role: Role, connection: "DirectoryConnection", action: "Callable[[DirectoryConnection], T]") -> T:
        self._current = connection
        try:
            if self._aborted:
                raise DirectoryFailure("the operation was ended")
            answer = action(connection)
        except BaseException:
            connection.close()
            raise
        finally:
            self._current = None
        self._connections.give_back(role, connection)
        return answer


class Directory:
    """One store's directory. Belongs to the event loop that first uses it."""

    def __init__(self, store: str, settings: LdapSettings, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._settings = settings
        self.breaker = CircuitBreaker(settings.breaker_failures, settings.breaker_seconds, monotonic)
        self._connections = Connections(settings)
        self._threads = ThreadPoolExecutor(settings.pool_size, f"ldap-{store}")
        self._slots = asyncio.Semaphore(settings.pool_size)
        self._last_failure = ""

    async def run(self, work: Callable[[Session], T]) -> T:
        """Run `work` in a thread. Raises StoreUnavailable: within `operation_seconds`, or at once while the circuit is
        open."""
        if not self.breaker.admit():
            raise StoreUnavailable(self._store, f"not asked, because it failed before: {self._last_failure}")
        session = Session(self._connections, time.monotonic() + self._settings.operation_seconds)
        begun = False
        try:
            async with asyncio.timeout(self._settings.operation_seconds):
                await self._slots.acquire()
                begun = True
                answer = await asyncio.wrap_future(self._submit(work, session))
        except TimeoutError as error:
            session.abort()
            seconds = self._settings.operation_seconds
            if not begun:
                self.breaker.abandoned()
                raise StoreUnavailable(self._store, f"no thread was free within {seconds:g} s") from error
            raise self._failed(f"no answer within {seconds:g} s") from error
        except DirectoryFailure as error:
            raise self._failed(str(error)) from error
        except BaseException:
            session.abort()
            self.breaker.abandoned()
            raise
        self.breaker.succeeded()
        return answer

    async def close(self) -> None:
        """Threads that still wait for a frozen directory end by their own deadline."""
        self._connections.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _failed(self, detail: str) -> StoreUnavailable:
        self._last_failure = detail
        self.breaker.failed()
        return StoreUnavailable(self._store, detail)

    def _submit(self, work: Callable[[Session], T], session: Session) -> Future[T]:
        loop = asyncio.get_running_loop()

        def free_slot(_: Future[T]) -> None:
            # When the thread is free, not when the caller is gone. The loop may be closed by then.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._slots.release)

        try:
            future = self._threads.submit(work, session)
        except RuntimeError:
            self._slots.release()
            raise DirectoryFailure("the store is closed") from None
        future.add_done_callback(free_slot)
        return future


def _close_all(connections: Sequence["DirectoryConnection"]) -> None:
    for connection in connections:
        connection.close()
