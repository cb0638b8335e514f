"""One HTTP request and its answer over an open connection (RFC 9112), within bounds."""

from asyncio import StreamReader
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from identity.messaging.outbound_policy import OutboundError, OutboundRefused
from identity.messaging.targets import Target

if TYPE_CHECKING:
    import h11

MAXIMUM_HEAD = 16_384
MAXIMUM_PIECES = 1000
"""Chunks and interim answers: each costs us work, however small it is."""

_READ = 16_384
_OWN_HEADERS = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "accept-encoding", "expect", "upgrade"}
)


class OutboundFailed(OutboundError):
    """No usable answer: no name, no connection, bad certificate, too slow, too large, not HTTP."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Header names are in lower case; repeated headers are joined by `, ` (RFC 9110 §5.3)."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Request:
    connection: "h11.Connection"
    head_and_body: bytes


def make_request(target: Target, method: str, headers: Iterable[tuple[str, str]], body: bytes) -> Request:
    """Raises ValueError for headers that are the client's own; OutboundRefused for what HTTP does not allow."""
    import h11

    given = list(headers)
    if any(name.lower() in _OWN_HEADERS for name, _ in given):
        raise ValueError("a header that the guarded client sets itself")
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAXIMUM_HEAD)
    own = [("Host", target.authority), ("User-Agent", "identity"), ("Connection", "close")]
    # RFC 9110 §12.5.3: nothing is to be decompressed, so that a small answer is a small answer.
    own.append(("Accept-Encoding", "identity"))
    if body or method != "GET":
        own.append(("Content-Length", str(len(body))))
    try:
        parts = [connection.send(h11.Request(method=method, target=target.path, headers=own + given))]
        if body:
            parts.append(connection.send(h11.Data(data=body)))
        parts.append(connection.send(h11.EndOfMessage()))
    except h11.LocalProtocolError as error:
        raise OutboundRefused(f"{target.authority}: {error}") from None
    return Request(connection, b"".join(part for part in parts if part))


async def read_answer(connection: "h11.Connection", reader: StreamReader, target: Target, limit: int) -> Answer:
    import h11

    status, headers, body, pieces = 0, {}, bytearray(), 0
    try:
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                data = await reader.read(_READ)
                if not data and not status:
                    raise OutboundFailed(f"{target.authority}: the connection ended before the answer")
                connection.receive_data(data)
                continue
            pieces += 1
            if pieces > MAXIMUM_PIECES:
                raise OutboundFailed(f"{target.authority}: the answer comes in too many pieces")
            if isinstance(event, h11.Response):
                status, headers = event.status_code, _joined(event)
                _check_head(target, headers, limit)
                if limit == 0:
                    return Answer(status, headers, b"")
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > limit:
                    raise OutboundFailed(f"{target.authority}: the answer is longer than {limit} bytes")
            elif isinstance(event, h11.EndOfMessage):
                return Answer(status, headers, bytes(body))
    except h11.RemoteProtocolError as error:
        raise OutboundFailed(f"{target.authority}: {error}") from None


def _joined(response: "h11.Response") -> dict[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw_value in response.headers:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _check_head(target: Target, headers: Mapping[str, str], limit: int) -> None:
    """Before a byte of the body is taken."""
    if not limit:
        return
    length = headers.get("content-length", "")
    if length.isdigit() and int(length) > limit:
        raise OutboundFailed(f"{target.authority}: the answer is longer than {limit} bytes")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise OutboundFailed(f"{target.authority}: the answer is compressed, which was not asked for")
