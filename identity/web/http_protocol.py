"""The edge of the HTTP server: uvicorn's httptools protocol with bounds on what a stranger may send and how slowly.

uvicorn bounds neither the bytes, the number nor the arrival time of headers, so one client with a 32 MB header stops
everybody for most of a second. Here a head is at most 32 kB, 100 headers and 10 s, else 431 or 408; a body has 30 s.
What frames a message in two ways (request smuggling, RFC 9112 §11.2) is 400. A request pays for no timer of its own:
one timer per server looks at every open connection, and uvicorn's keep-alive timer per answer is replaced by it.
"""

import asyncio
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any, cast
from weakref import WeakKeyDictionary

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from identity.telemetry import get_logger
from identity.web.client_certificate import peer_certificate
from identity.web.one_write import OneWrite

MAXIMUM_HEADERS = 100
BODY_SECONDS = 30.0
"""For a body to arrive whole, or a reader to take an answer that fills its connection."""
_LINGER_SECONDS = 1.0
_LINGER_BYTES = 1 << 20
_CHUNK_OVERHEAD = 16
"""Bytes of framing allowed for one byte of a chunked body: a chunk of one byte needs 6."""
_LOGGED_PER_LOOK = 10

_AWAITING, _HEAD, _BODY, _REFUSED = range(4)

refused: Counter[int] = Counter()
"""Requests refused here in this process, by status; telemetry reads it at scrape."""

_log = get_logger("identity.http")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    head_bytes: int
    head_seconds: float
    body_seconds: float = BODY_SECONDS

    @property
    def look_seconds(self) -> float:
        """How often the connections are looked at, hence how late a deadline may be noticed."""
        return min(1.0, self.head_seconds / 4, self.body_seconds / 4)


class Refusal(Exception):
    """Raised inside a parser callback; httptools carries it out as the context of its own error."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class _Watch:
    """Looks at every connection of one server in one timer; runs only while there is a connection."""

    def __init__(self, loop: asyncio.AbstractEventLoop, connections: set[Any], seconds: float) -> None:
        self._loop = loop
        self._connections = connections
        self._seconds = seconds
        self._running = False
        self._may_log = _LOGGED_PER_LOOK

    def start(self) -> None:
        if not self._running:
            self._running = True
            self._loop.call_later(self._seconds, self._look)

    def _look(self) -> None:
        self._may_log = _LOGGED_PER_LOOK
        now = self._loop.time()
        for connection in [found for found in self._connections if found.deadline < now]:
            connection.expire()
        self._running = False
        if self._connections:
            self.start()

    def log_refusal(self, status: int, reason: str, client: tuple[str, int] | None) -> None:
        """A flood of bad requests must not become a flood of log lines: the counter has them all."""
        refused[status] += 1
        self._may_log -= 1
        if self._may_log >= 0:
            _log.warning("request refused", status=status, reason=reason, peer=client[0] if client else "")


_watches: WeakKeyDictionary[ServerState, _Watch] = WeakKeyDictionary()


class LimitedProtocol(HttpToolsProtocol):
    """One connection. `deadline` is in loop time; what was to happen until then depends on the stage."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        limits: Limits,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.ws_protocol_class = None  # an upgrade is never agreed to (RFC 9110 §7.8 leaves it to the server)
        watch = _watches.get(server_state)
        if watch is None:
            watch = _watches[server_state] = _Watch(self.loop, self.connections, limits.look_seconds)
        self._watch = watch
        self._limits = limits
        self._head_limit = limits.head_bytes
        self._stage = _AWAITING
        self._seen = 0
        """Bytes of the head so far, of a chunked body's framing, or discarded after a refusal: by the stage."""
        self._hosts = 0
        self._chunked = False
        self.deadline = math.inf

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._one_write = OneWrite(transport)
        self._certificate = peer_certificate(transport)
        self.deadline = self.loop.time() + self._limits.head_seconds
        self._watch.start()

    # What arrives

    def data_received(self, data: bytes) -> None:
        if self._stage == _AWAITING and len(data) <= self._head_limit:
            self._parse(data)
            if self._stage != _AWAITING:
                self._incomplete(len(data))
        else:
            self._receive_in_pieces(data)

    def _receive_in_pieces(self, data: bytes) -> None:
        """No piece is longer than a head may be, so a long one is noticed after two at most."""
        view = memoryview(data)
        for start in range(0, len(data), self._head_limit):
            piece = view[start : start + self._head_limit]
            stage = self._stage
            if stage == _REFUSED:
                self._discard(len(data) - start)
                return
            received = len(self.cycle.body) if stage == _BODY else 0
            self._parse(piece)
            if self._stage != stage:
                if self._stage in (_HEAD, _BODY):
                    self._incomplete(len(piece) if stage == _AWAITING else 0)
            elif stage == _HEAD:
                self._count_head(len(piece))
            elif stage == _BODY:
                self._count_body(len(piece), len(self.cycle.body) - received)

    def _parse(self, data: bytes | memoryview) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # What follows was written for another protocol: answer this request, read nothing more.
            self._stop_after_answer()
        except httptools.HttpParserError as error:
            cause = error.__context__
            if isinstance(cause, Refusal):
                self._refuse(cause.status, cause.reason)
            else:
                self._refuse(400, str(error) if cause is None else "the request line is malformed")

    def _incomplete(self, size: int) -> None:
        """A message has begun and not ended; `size` bytes of the piece were certainly its head's."""
        now = self.loop.time()
        if self._stage == _HEAD:
            self._seen = 0
            self.deadline = now + self._limits.head_seconds
            self._count_head(size)
        elif self._stage == _BODY:
            self._seen = 0
            self.deadline = now + self._limits.body_seconds

    def _count_head(self, size: int) -> None:
        self._seen += size
        if self._seen >= self._head_limit:
            self._refuse(431, "the head is too long")

    def _count_body(self, size: int, body: int) -> None:
        """Endless chunk extensions and trailers are framing without a body; so is a body nobody reads any more."""
        if self.cycle.response_complete:
            self._seen += size
            if self._seen > _LINGER_BYTES:
                self.transport.close()
        elif self._chunked:
            self._seen += max(0, size - (1 + _CHUNK_OVERHEAD) * body)
            if self._seen > self._head_limit:
                self._refuse(400, "a chunked body is mostly framing")

    def _discard(self, size: int) -> None:
        self._seen += size
        if self._seen > _LINGER_BYTES:
            self.transport.abort()

    # Parser callbacks

    def on_message_begin(self) -> None:
        _on_message_begin(self)
        if self._certificate is not None:
            self.scope["client_certificate"] = self._certificate  # type: ignore[typeddict-unknown-key]  # ours
        self._stage = _HEAD
        self._hosts = 0
        self._chunked = False

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name in _WATCHED:
            self._note(name, value)
        self.headers.append((name, value))

    def _note(self, name: bytes, value: bytes) -> None:
        if name == b"host":
            self._hosts += 1
        elif name == b"transfer-encoding":
            # RFC 9112 §6.1: llhttp refuses it beside Content-Length, and would hand us "gzip, chunked" undecoded.
            if self._chunked or value.strip().lower() != b"chunked" or self.parser.get_http_version() != "1.1":
                raise Refusal(400, "Transfer-Encoding must be chunked, once, in HTTP/1.1")
            self._chunked = True
        elif value.lower() == b"100-continue":
            self.expect_100_continue = True

    def on_headers_complete(self) -> None:
        if len(self.headers) > MAXIMUM_HEADERS:
            raise Refusal(431, "there are too many headers")
        # RFC 9112 §3.2
        if self._hosts != 1 and (self._hosts or self.parser.get_http_version() == "1.1"):
            raise Refusal(400, "there must be one Host header")
        self._stage = _BODY
        self.deadline = math.inf
        _on_headers_complete(self)
        # What comes now are trailers, which may be discarded (RFC 9110 §6.5.1); uvicorn would add them to the headers
        # of the running request.
        self.headers = []

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        if cycle.scope["http_version"] not in _VERSIONS:
            app = _version_not_supported
        cycle.transport = self._one_write  # type: ignore[assignment]  # all of a transport that a cycle uses
        _start_asgi_task(self, cycle, app)

    def on_message_complete(self) -> None:
        _on_message_complete(self)
        self._stage = _AWAITING
        if self.cycle.response_complete:
            self._await_next()

    # The answer

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        self._one_write.flush()
        if self.transport.is_closing():
            self.deadline = self.loop.time() + self._limits.body_seconds  # for the answer to be taken
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
        else:
            self._await_next()

    def _await_next(self) -> None:
        if self.flow.write_paused:
            return  # resume_writing comes back here
        if self._stage == _AWAITING:
            self.deadline = self.loop.time() + self.timeout_keep_alive
        elif self._stage == _BODY:
            # The application answered before the body was read: the rest is thrown away, but not for long.
            self._seen = 0
            self.deadline = self.loop.time() + _LINGER_SECONDS
        elif self._stage == _HEAD:
            self.deadline = self.loop.time() + self._limits.head_seconds

    def pause_writing(self) -> None:
        super().pause_writing()
        self.deadline = self.loop.time() + self._limits.body_seconds

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._answering():
            self.deadline = math.inf
        else:
            self._await_next()

    # The end

    def expire(self) -> None:
        """Called when the deadline is over: close, and say why when a request had begun to arrive."""
        self.deadline = math.inf
        if self.transport.is_closing() or self._stage == _REFUSED or self.flow.write_paused:
            self.transport.abort()  # close() would wait for a reader that does not read
        elif self._stage == _HEAD and self._answering():
            return  # _await_next sets the deadline anew
        elif self._stage == _HEAD:
            self._refuse(408, "the head did not arrive in time")
        elif self._stage == _BODY and self.flow.read_paused:
            self.deadline = self.loop.time() + self._limits.body_seconds  # we keep it waiting, not the client us
        elif self._stage == _BODY and self._answering():
            self._refuse(408, "the body did not arrive in time")
        else:
            self.transport.close()
            self.deadline = self.loop.time() + self._limits.body_seconds

    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _refuse(self, status: int, reason: str) -> None:
        self._watch.log_refusal(status, reason, self.client)
        in_head = self._stage in (_AWAITING, _HEAD)
        if self._answering() and in_head:
            # An earlier request of this connection is still being answered; writing now would garble its answer.
            self._stop_after_answer()
            return
        self._stage = _REFUSED
        if self._answering():
            self.cycle.disconnected = True  # the application learns by http.disconnect; what it sends goes nowhere
            self.cycle.message_event.set()
            if self.cycle.response_started or self.pipeline:
                self.transport.close()
                return
        self.transport.write(self._refusal(status))
        self._linger()

    def _stop_after_answer(self) -> None:
        self._stage = _REFUSED
        self._seen = 0
        self.deadline = math.inf
        self.cycle.keep_alive = False

    def _linger(self) -> None:
        """Ends our half and reads on a little: closing at once would reset the connection and lose the answer."""
        self._seen = 0
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self.deadline = self.loop.time() + _LINGER_SECONDS
        else:
            self.transport.close()

    def _refusal(self, status: int) -> bytes:
        phrase = HTTPStatus(status).phrase.encode()
        head = [b"HTTP/1.1 %d %s\r\n" % (status, phrase)]
        head += [b"%s: %s\r\n" % header for header in self.server_state.default_headers]
        head.append(b"content-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\n" % len(phrase))
        head.append(b"cache-control: no-store\r\nconnection: close\r\n\r\n")
        return b"".join(head) + phrase


_WATCHED = frozenset({b"host", b"transfer-encoding", b"expect"})
_VERSIONS = frozenset({"1.1", "1.0"})

# Called for every request, and a third cheaper than through super().
_on_message_begin = HttpToolsProtocol.on_message_begin
_on_headers_complete = HttpToolsProtocol.on_headers_complete
_on_message_complete = HttpToolsProtocol.on_message_complete
_start_asgi_task = HttpToolsProtocol._start_asgi_task


async def _version_not_supported(scope: Any, receive: Any, send: Any) -> None:
    """RFC 9110 §15.6.6, in place of the application: the parser also lets HTTP/0.9 and HTTP/2.0 pass."""
    refused[505] += 1
    headers = [(b"content-length", b"0"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 505, "headers": headers})
    await send({"type": "http.response.body"})


def limited_protocol(
    head_limit: int, head_seconds: float, body_seconds: float = BODY_SECONDS
) -> type[HttpToolsProtocol]:
    """What `uvicorn.Config(http=…)` takes: `head_limit` in bytes, the others in seconds.

    It is a factory, not a class: uvicorn only calls it, and a partial of a module's class can be pickled to the workers
    that uvicorn spawns, where a class made here could not.
    """
    limits = Limits(head_bytes=head_limit, head_seconds=head_seconds, body_seconds=body_seconds)
    factory: Callable[..., LimitedProtocol] = partial(LimitedProtocol, limits=limits)
    return cast(type[HttpToolsProtocol], factory)
