"""The server in this process, with a clock that tests set: for whatever happens only when time has passed.

def test_a_code_lives_a_minute(timed: TimedSite) -> None:
    code = timed.code(client, person)
    timed.clock.advance(61)
"""

import asyncio
import base64
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import httpx
import pytest

from identity.administration.context import Administration
from identity.app import Server, prepare
from identity.clock import SECOND, Clock
from identity.config import Settings
from identity.domain.tenants import TenantSettings
from identity.storage.database import Database
from tests.support.browser import Browser, Page, Request
from tests.support.builders import Site
from tests.support.server import LoopThread, RunningServer

T = TypeVar("T")

BASE_URL = "http://localhost:8000"


class SetClock(Clock):
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self._now = super().now()

    def now(self) -> int:
        return self._now

    def advance(self, seconds: float) -> None:
        self._now += int(seconds * SECOND)


class InProcessServer(RunningServer):
    """One worker's server over SQLite, called without a socket."""

    def __init__(self, data: Path) -> None:
        super().__init__("sqlite", data)
        self.base_url = BASE_URL
        self.clock = SetClock()
        self._threads = LoopThread()
        settings = Settings(data=data, master_key=self.master_key, test_mode=True)
        self._threads.run(prepare(settings, BASE_URL, lambda _: None), 30)
        self.server = Server(settings, BASE_URL, clock=self.clock)
        self._threads.run(self._open(), 30)
        self._transport = httpx.ASGITransport(self.server.app, client=("127.0.0.1", 1))

    async def _open(self) -> None:
        await self.server.foundation.open()
        await self.server.parts.hot.open()

    async def _close(self) -> None:
        await self.server.parts.sign_in.shadow.stop()
        self.server.parts.sign_in.trials.close()
        await self.server.parts.sign_in.runner.lane.aclose()
        await self.server.parts.hot.close()
        await self.server.foundation.close()

    def close(self) -> None:
        self._threads.run(self._close(), 30)
        self._threads.stop()

    def run(self, work: Callable[[Database], Coroutine[Any, Any, T]], seconds: float = 30) -> T:
        return self._threads.run(work(self.server.foundation.database), seconds)

    def answer(self, request: httpx.Request) -> httpx.Response:
        """What the application answers to a request."""
        return self.answer_all([request])[0]

    def answer_all(self, requests: list[httpx.Request]) -> list[httpx.Response]:
        """The answers to requests that are all under way at once, in their order."""

        async def ask(request: httpx.Request) -> httpx.Response:
            response = await self._transport.handle_async_request(request)
            return httpx.Response(response.status_code, headers=response.headers.raw, content=await response.aread())

        async def everybody() -> list[httpx.Response]:
            return await asyncio.gather(*map(ask, requests))

        return self._threads.run(everybody(), 30)


class _Transport(httpx.BaseTransport):
    def __init__(self, server: InProcessServer) -> None:
        self._server = server

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._server.answer(request)


class InProcessBrowser(Browser):
    """A browser whose clock is the server's."""

    def __init__(self, server: InProcessServer) -> None:
        super().__init__(BASE_URL, now=lambda: server.clock.now() / SECOND)
        self._server = server

    def _exchange(self, request: Request, headers: dict[str, str], body: bytes | None) -> Page:
        url = urlunsplit((*urlsplit(request.url)[:4], ""))
        response = self._server.answer(httpx.Request(request.method, url, headers=headers, content=body))
        given = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers.raw]
        return Page(self, request.url, response.status_code, given, response.content)


class TimedSite(Site):
    """A tenant whose time the test sets by `clock`."""

    def __init__(self, server: InProcessServer) -> None:
        self._timed = server
        super().__init__(server, f"t{secrets.token_hex(6)}", TenantSettings())
        self.http.close()
        self.http = httpx.Client(base_url=self.base, transport=_Transport(server))

    @property
    def in_process(self) -> InProcessServer:
        return self._timed

    @property
    def clock(self) -> SetClock:
        return self._timed.clock

    def at_once(self, count: int, path: str, form: dict[str, str], auth: tuple[str, str]) -> list[httpx.Response]:
        """The same form posted so many times, none waiting for another."""
        requests = [self.http.build_request("POST", path, data=form) for _ in range(count)]
        for request in requests:
            request.headers["Authorization"] = "Basic " + base64.b64encode(":".join(auth).encode()).decode()
        return self._timed.answer_all(requests)

    def administer(self, work: Callable[[Administration], Awaitable[T]]) -> T:
        async def run(database: Database) -> T:
            return await work(self._timed.server.foundation.administration)

        return self._timed.run(run)

    def deliver(self) -> None:
        """Deliver what the outbox holds and is due, mail too, to its end."""

        async def run(database: Database) -> None:
            await self._timed.server.courier.dispatch()
            await self._timed.server.courier.idle()

        self._timed.run(run)

    def browser(self) -> Browser:
        return InProcessBrowser(self._timed)


@pytest.fixture(scope="session")
def in_process_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcessServer]:
    server = InProcessServer(tmp_path_factory.mktemp("in-process"))
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def timed(in_process_server: InProcessServer) -> Iterator[TimedSite]:
    """A tenant of its own for each test, in the server whose clock stands still."""
    made = TimedSite(in_process_server)
    try:
        yield made
    finally:
        made.close()
