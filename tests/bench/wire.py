"""HTTP as the generators speak it: bytes on one kept connection, with as little work of their own as possible."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urlencode, urlsplit

FORM = "application/x-www-form-urlencoded"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_COOKIE = re.compile(rb"\r\nset-cookie: *([^=]+)=([^;\r]*)", re.IGNORECASE)
_LOCATION = re.compile(rb"\r\nlocation: *([^\r]*)", re.IGNORECASE)


class Surprise(Exception):
    """The server answered otherwise than it should have: counted as an error, and the work begun anew."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    head: bytes
    body: bytes

    @property
    def location(self) -> str:
        found = _LOCATION.search(self.head)
        assert found is not None, self
        return found[1].decode()


def request_bytes(
    base_url: str,
    method: str,
    path: str,
    headers: Mapping[str, str],
    form: Mapping[str, str] | None = None,
    json: bytes | None = None,
) -> bytes:
    """One request as it goes over the wire, with a form or a JSON body."""
    body = json or (urlencode(form).encode() if form is not None else b"")
    lines = [f"{method} {path} HTTP/1.1", f"Host: {urlsplit(base_url).netloc}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if form is not None or json is not None:
        lines += [f"Content-Type: {'application/json' if json else FORM}", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Http:
    """One connection of one client. Cookies are kept whatever their attributes, and sent with every request."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self.cookies: dict[str, str] = {}
        self.requests = 0

    async def __aenter__(self) -> Self:
        parts = urlsplit(self._base_url)
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", parts.port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()

    async def request(self, method: str, path: str, form: Mapping[str, str] | None = None, **headers: str) -> Answer:
        """`path` may be a whole address of ours."""
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        path = path.removeprefix(self._base_url)
        answer = await self.send(request_bytes(self._base_url, method, path, headers, form))
        for name, value in _COOKIE.findall(answer.head):
            self.cookies[name.decode()] = value.decode()
        return answer

    async def send(self, request: bytes) -> Answer:
        self.requests += 1
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        body = await self._reader.readexactly(int(length[1])) if length else b""
        return Answer(int(head[9:12]), head, body)
