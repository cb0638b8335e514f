"""Requests byte by byte, as no client library would send them."""

import contextlib
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.support.server import RunningServer
from tests.web.edge_server import read_all, status_of


@dataclass(frozen=True)
class Answer:
    status: int
    head: bytes
    body: bytes

    def headers(self, name: bytes) -> list[bytes]:
        lines = self.head.split(b"\r\n")[1:]
        return [value.strip() for key, _, value in (line.partition(b":") for line in lines) if key.lower() == name]


def exchange(server: RunningServer, request: bytes) -> Answer:
    """Status 0: closed without an answer. The request should ask for `Connection: close`."""
    parts = urlsplit(server.base_url)
    with socket.create_connection((parts.hostname or "", parts.port or 80), timeout=20) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(request)
        answer = read_all(connection)
    head, _, body = answer.partition(b"\r\n\r\n")
    return Answer(status_of(answer), head, body)


def get(
    server: RunningServer, target: bytes, *headers: bytes, host: bytes | None = None, method: bytes = b"GET"
) -> Answer:
    """`host` in place of the server's own; empty: no Host header at all."""
    own = urlsplit(server.base_url).netloc.encode() if host is None else host
    lines = [method + b" " + target + b" HTTP/1.1", *([b"Host: " + own] if own else []), *headers, b"Connection: close"]
    return exchange(server, b"\r\n".join(lines) + b"\r\n\r\n")
