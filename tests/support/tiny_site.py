"""A small site in a thread, to test the test browser against: it does what its handler function says."""

import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass
class Received:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    fields: list[tuple[str, str]]


@dataclass
class Answer:
    body: str = ""
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()


Handle = Callable[[Received], Answer]


@contextmanager
def tiny_site(handle: Handle) -> Iterator[tuple[str, list[Received]]]:
    """Its address, on localhost, and the list of what it received so far."""
    received: list[Received] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer([])

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._answer(parse_qsl(body, keep_blank_values=True))

        def _answer(self, fields: list[tuple[str, str]]) -> None:
            parts = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Received(self.command, parts.path, dict(parse_qsl(parts.query)), headers, fields)
            received.append(request)
            answer = handle(request)
            body = answer.body.encode()
            self.send_response(answer.status)
            for name, value in (("Content-Length", str(len(body))), *answer.headers):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None:
            """Quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}", received
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
