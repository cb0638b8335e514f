"""What the server and its workers say to each other: four bytes of length, then texts or JSON.

A worker that a script has taken over may answer anything, so `parse_reply` believes nothing.
"""

import json
import os
import socket
import struct
import time
from collections.abc import Callable
from typing import Any, Literal, get_args

from adaptive_auth.answers import GuestAnswer, Limit, Stopped
from adaptive_auth.limits import Limits

MAXIMUM_BYTES = 64 << 20
"""Of the compiled guest, by far the largest message."""
Call = Literal["run", "hurry", "check"]
_CALLS: tuple[Call, ...] = get_args(Call)
_LENGTH = struct.Struct(">I")
_REQUEST = struct.Struct(">BI")
"""Which call, and how long the first of its two texts is."""


class Malformed(Exception):
    """Not what was agreed, or the other side is gone."""


def frame(content: bytes) -> bytes:
    return _LENGTH.pack(len(content)) + content


def receive(read: Callable[[int], bytes], maximum: int = MAXIMUM_BYTES) -> bytes:
    """One message by `read(bytes at most)`. Raises Malformed, EOFError at an orderly end."""
    length = _LENGTH.unpack(_exactly(read, _LENGTH.size, orderly=True))[0]
    if length > maximum:
        raise Malformed(f"{length} bytes")
    return _exactly(read, length)


def _exactly(read: Callable[[int], bytes], count: int, orderly: bool = False) -> bytes:
    parts: list[bytes] = []
    missing = count
    while missing:
        part = read(min(missing, 1 << 20))
        if not part:
            raise EOFError if orderly and missing == count else Malformed("ended in mid-message")
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def write_all(descriptor: int, data: bytes) -> None:
    """With `write` alone, which a locked worker may call."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def reader(connection: socket.socket, deadline: float) -> Callable[[int], bytes]:
    """`connection.recv` up to `deadline` of `time.monotonic`; then TimeoutError."""

    def read(count: int) -> bytes:
        connection.settimeout(max(0.001, deadline - time.monotonic()))
        return connection.recv(count)

    return read


def request(call: Call, first: str, script: str) -> bytes:
    """Raises UnicodeEncodeError."""
    beginning = first.encode()
    return _REQUEST.pack(_CALLS.index(call), len(beginning)) + beginning + script.encode()


def parse_request(message: bytes) -> tuple[Call, str, str]:
    call, length = _REQUEST.unpack_from(message)
    middle = _REQUEST.size + length
    return _CALLS[call], message[_REQUEST.size : middle].decode(), message[middle:].decode()


def reply(answer: GuestAnswer | Stopped) -> bytes:
    if isinstance(answer, Stopped):
        said: list[Any] = [answer.limit, answer.message, answer.logs]
    else:
        said = [answer.ok, answer.text, answer.logs, answer.fuel]
    return json.dumps(said).encode()


def parse_reply(content: bytes, limits: Limits) -> GuestAnswer | Stopped:
    """Raises Malformed for anything that the sandbox could not have answered."""
    try:
        match json.loads(content):
            case [bool(ok), str(text), list(lines), int(fuel)] if type(fuel) is int and 0 <= fuel <= limits.fuel:
                if len(text) <= limits.answer_bytes:
                    _require_characters(text)
                    return GuestAnswer(ok, text, _lines(lines, limits), fuel)
            case [str(limit), str(message), list(lines)] if limit in get_args(Limit):
                _require_characters(message)
                return Stopped(limit, message[:500], _lines(lines, limits))  # type: ignore[arg-type]
    except (ValueError, RecursionError):
        pass
    raise Malformed("no answer that a sandbox gives")


def _require_characters(text: str) -> None:
    """Half a surrogate pair is none. Raises ValueError."""
    text.encode()


def _lines(lines: list[Any], limits: Limits) -> tuple[str, ...]:
    """Raises Malformed, ValueError."""
    good = all(isinstance(line, str) and len(line) <= limits.log_characters for line in lines)
    if not good or len(lines) > limits.log_lines:
        raise Malformed("log lines")
    _require_characters("".join(lines))
    return tuple(lines)
