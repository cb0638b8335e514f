"""A module whose initial memory is what an instance of it had become: the engine and its prelude start only once.

The method of Wizer. Only memory is kept, so between calls the guest may hold nothing elsewhere: its one mutable
global is the stack pointer, which is the same between calls, it has no start function, and its code changes no table.
"""

from collections.abc import Iterator

PAGE = 4096
WASM_PAGE = 65536
_MEMORY, _GLOBAL, _START, _DATA, _DATA_COUNT = 5, 6, 8, 11, 12


def freeze(module: bytes, memory: bytes) -> bytes:
    """`module` with `memory`, a whole number of WebAssembly pages, as its initial memory. Raises ValueError."""
    kept = list(segments(memory))
    frozen = bytearray(module[:8])
    for kind, body in _sections(module):
        if kind == _START:
            raise ValueError("a module with a start function cannot be frozen")
        if kind == _GLOBAL and sum(_mutable(body)) > 1:
            raise ValueError("a module with several mutable globals cannot be frozen")
        if kind == _MEMORY:
            body = _grown(body, len(memory) // WASM_PAGE)
        elif kind == _DATA_COUNT:
            body = unsigned(len(kept))
        elif kind == _DATA:
            body = unsigned(len(kept)) + b"".join(_segment(start, data) for start, data in kept)
        frozen += bytes([kind]) + unsigned(len(body)) + body
    return bytes(frozen)


def unsigned(number: int) -> bytes:
    """LEB128, as WebAssembly writes numbers (core specification §5.2.2)."""
    encoded = bytearray()
    while True:
        number, low = number >> 7, number & 0x7F
        encoded.append(low | (0x80 if number else 0))
        if not number:
            return bytes(encoded)


def _read_unsigned(data: bytes, at: int) -> tuple[int, int]:
    """The number and where what follows it begins."""
    number = shift = 0
    while True:
        byte, at = data[at], at + 1
        number |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return number, at


def _signed(number: int) -> bytes:
    """Signed LEB128 of a number that is not negative: the highest bit of the last byte has to be 0."""
    encoded = bytearray(unsigned(number))
    if encoded[-1] & 0x40:
        encoded[-1] |= 0x80
        encoded.append(0)
    return bytes(encoded)


def _sections(module: bytes) -> Iterator[tuple[int, bytes]]:
    at = 8
    while at < len(module):
        size, start = _read_unsigned(module, at + 1)
        yield module[at], module[start : start + size]
        at = start + size


def _mutable(globals_: bytes) -> Iterator[bool]:
    """Of each global: its type, whether it may change, and an expression: one constant and the end."""
    count, at = _read_unsigned(globals_, 0)
    for _ in range(count):
        yield globals_[at + 1] == 1
        end = _read_unsigned(globals_, at + 3)[1]
        if globals_[at + 2] not in (0x41, 0x42) or globals_[end] != 0x0B:
            raise ValueError("a module whose globals are integers is wanted")
        at = end + 1


def _grown(memories: bytes, pages: int) -> bytes:
    """The section of the one memory, with another minimum; its flags and maximum stay."""
    count, at = _read_unsigned(memories, 0)
    flags, at = _read_unsigned(memories, at)
    _, at = _read_unsigned(memories, at)
    if count != 1:
        raise ValueError("a module with one memory is wanted")
    return unsigned(1) + unsigned(flags) + unsigned(pages) + memories[at:]


def segments(memory: bytes, page: int = PAGE) -> Iterator[tuple[int, bytes]]:
    """Runs of pages that are not all zero, each with its address."""
    begun, nothing = None, bytes(page)
    for at in range(0, len(memory) + 1, page):
        used = at < len(memory) and memory[at : at + page] != nothing
        if used and begun is None:
            begun = at
        elif not used and begun is not None:
            yield begun, memory[begun:at]
            begun = None


def _segment(start: int, data: bytes) -> bytes:
    """An active segment of memory 0: `i32.const start`, end, the bytes."""
    return b"\x00\x41" + _signed(start) + b"\x0b" + unsigned(len(data)) + data
