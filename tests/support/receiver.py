"""Somebody else's HTTP server on loopback: it keeps what it receives, and answers as it is told.

receiver.answer("/jwks", Reply.json({"keys": []}))
receiver.answer("/logout", Reply(503), Reply(200))  # the first time 503, from then on 200
request = receiver.wait_for("/logout", count=2)[-1]

It listens on 127.0.0.1 and is called `localhost`; a server in test mode may be given its addresses.
"""

import json
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Event, Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest


@dataclass(frozen=True)
class Received:
    """One request: header names in lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """With `after` the answer waits until the test sets the event, or the receiver is closed."""

    status: int = 200
    body: bytes | str = b""
    headers: tuple[tuple[str, str], ...] = ()
    after: Event | None = None

    @classmethod
    def json(cls, document: Any, status: int = 200) -> "Reply":
        return cls(status, json.dumps(document), (("content-type", "application/json"),))


class Receiver:
    """Answers 200 without a body wherever nothing else was set. With `tls` it speaks https."""

    def __init__(self, tls: ssl.SSLContext | None = None, *, port: int = 0) -> None:
        self.received: list[Received] = []
        self._replies: dict[str, list[Reply]] = {}
        self._arrived = Condition()
        self._held: list[Event] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._server.daemon_threads = True
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = int(self._server.server_address[1])
        self.origin = f"{'http' if tls is None else 'https'}://localhost:{self.port}"
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def url(self, path: str) -> str:
        return self.origin + path

    def answer(self, path: str, *replies: Reply) -> str:
        """Answer requests for `path` (without its query) by these in turn, then by the last; its address."""
        with self._arrived:
            self._replies[path] = list(replies)
            self._held += [reply.after for reply in replies if reply.after is not None]
        return self.url(path)

    def at(self, path: str) -> list[Received]:
        """What came to `path` so far."""
        with self._arrived:
            return [request for request in self.received if request.path == path]

    def wait_for(self, path: str, count: int = 1, seconds: float = 15) -> list[Received]:
        """Everything that came to `path`, once it is at least `count` requests."""
        with self._arrived:
            come = self._arrived.wait_for(lambda: len(self.at(path)) >= count, seconds)
            assert come, f"{len(self.at(path))} of {count} requests at {path}; all: {self.received}"
            return self.at(path)

    def wait_for_all(self, count: int, seconds: float = 30) -> list[Received]:
        """Everything that came, once it is at least `count` requests."""
        with self._arrived:
            come = self._arrived.wait_for(lambda: len(self.received) >= count, seconds)
            assert come, f"{len(self.received)} of {count} requests"
            return list(self.received)

    def close(self) -> None:
        for event in self._held:
            event.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _keep(self, request: Received) -> Reply:
        with self._arrived:
            self.received.append(request)
            self._arrived.notify_all()
            replies = self._replies.get(request.path, [Reply()])
            return replies.pop(0) if len(replies) > 1 else replies[0]


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            reply = receiver._keep(
                Received(
                    self.command,
                    parts.path,
                    dict(parse_qsl(parts.query, keep_blank_values=True)),
                    {name.lower(): value for name, value in self.headers.items()},
                    self.rfile.read(int(self.headers.get("content-length", 0))),
                )
            )
            if reply.after is not None:
                reply.after.wait(30)
            body = reply.body.encode() if isinstance(reply.body, str) else reply.body
            self.send_response(reply.status)
            for name, value in (("content-length", str(len(body))), *reply.headers):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_PUT = do_DELETE = do_GET

        def log_message(self, format: str, *arguments: Any) -> None:
            """Quiet."""

        def handle(self) -> None:
            # A caller that goes away, or does not trust our certificate, is no error of the receiver.
            try:
                super().handle()
            except OSError:
                self.close_connection = True

    return Handler


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver of the test's own, by plain http."""
    made = Receiver()
    try:
        yield made
    finally:
        made.close()
