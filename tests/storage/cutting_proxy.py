"""A network between the server and its PostgreSQL that a test can cut, hold or take down."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass
class CuttingProxy:
    """Forwards bytes both ways. `cut_request` and `cut_answer` act once, on the next bytes of that direction."""

    upstream: str
    """The URL of the database."""
    cut_request: bool = False
    """Lose the next bytes for the database, and their connection with them."""
    cut_answer: bool = False
    """Lose the next answer of the database, and its connection."""
    _open: asyncio.Event = field(default_factory=asyncio.Event)
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _pumps: set[asyncio.Task[None]] = field(default_factory=set)
    _server: asyncio.Server | None = None
    _port: int = 0

    @property
    def url(self) -> str:
        parts = urlsplit(self.upstream)
        return f"postgresql://{parts.username}@127.0.0.1:{self._port}{parts.path}"

    async def up(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]
        self._open.set()

    async def down(self) -> None:
        """Break every connection and refuse new ones."""
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        self._open.set()
        if self._pumps:
            await asyncio.wait(self._pumps)

    def hold(self) -> None:
        """Everything stands still: connections are accepted, and nothing comes through."""
        self._open.clear()

    def release(self) -> None:
        self._open.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        other_reader, other_writer = await self._connect()
        ends = (writer, other_writer)
        self._writers.update(ends)
        for source, target, forward in ((reader, other_writer, True), (other_reader, writer, False)):
            pump = asyncio.create_task(self._pump(source, target, ends, forward))
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        parts = urlsplit(self.upstream)
        folder = parse_qs(parts.query).get("host", [""])[0]
        if folder:
            return await asyncio.open_unix_connection(f"{unquote(folder)}/.s.PGSQL.5432")
        return await asyncio.open_connection(parts.hostname, parts.port)

    async def _pump(
        self,
        source: asyncio.StreamReader,
        target: asyncio.StreamWriter,
        ends: tuple[asyncio.StreamWriter, asyncio.StreamWriter],
        forward: bool,
    ) -> None:
        with suppress(OSError):
            while data := await source.read(65536):
                await self._open.wait()
                if self.cut_request and forward:
                    self.cut_request = False
                    break
                if self.cut_answer and not forward:
                    self.cut_answer = False
                    break
                target.write(data)
        for end in ends:
            end.transport.abort()
            self._writers.discard(end)


@asynccontextmanager
async def cutting_proxy(upstream: str) -> AsyncIterator[CuttingProxy]:
    proxy = CuttingProxy(upstream)
    await proxy.up()
    try:
        yield proxy
    finally:
        await proxy.down()
