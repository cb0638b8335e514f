"""Instances of the frozen guest, used again and again: each is put back to the first state byte for byte.

A new instance would do as well and cost more than most scripts: some hundred page faults. What lasts between calls is
memory alone (see `freezing`), so an instance whose memory and stack pointer are as at first is as good as new. One
whose memory has grown is not kept.
"""

import ctypes
import mmap
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from adaptive_auth.answers import Stopped
from adaptive_auth.freezing import segments

if TYPE_CHECKING:
    from wasmtime import Engine, Func, Global, InstancePre, Memory, Store

Change = tuple[int, bytes]
"""An address in the guest's memory, and what is there."""

PAGE, BLOCK, GAP = max(4096, mmap.PAGESIZE), 256, 512
LONG_ZEROS = 64 * 1024
"""So many are given back to the kernel, which lays zeros there when somebody touches them: buffers and stack."""
ROOM = 192 * 1024
"""Of the free memory behind the heap so much is laid back like data: every run uses it."""
KEPT_BYTES = 16 << 20
"""Of compiled scripts."""
_OBJECTS = 200
"""Bytes of a change beside its data."""


def _madvise() -> Callable[[int, int, int], int] | None:
    if sys.platform != "linux":
        return None
    function = ctypes.CDLL(None, use_errno=True).madvise
    function.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    return function


madvise = _madvise()


def forget(address: int, length: int) -> None:
    """Make whole pages, which were zero at first, zero again."""
    if madvise is None or madvise(address, length, mmap.MADV_DONTNEED):
        ctypes.memset(address, 0, length)


class Instance:
    def __init__(self, store: "Store", ready: "InstancePre") -> None:
        exports = ready.instantiate(store).exports(store)
        self.store = store
        self.compile: Func = exports["compile"]  # type: ignore[assignment]
        self.run: Func = exports["run"]  # type: ignore[assignment]
        self.report: Func = exports["report"]  # type: ignore[assignment]
        self._stack_pointer: Global = exports["__stack_pointer"]  # type: ignore[assignment]
        self._stack_begin = self._stack_pointer.value(store)
        self._memory: Memory = exports["memory"]  # type: ignore[assignment]
        self.size = self._memory.data_len(store)

    def read(self, at: int, length: int) -> bytes:
        """Raises Stopped where that is not inside the guest's memory."""
        if length > self._memory.data_len(self.store) - at:
            raise Stopped("engine", "the guest's report is malformed")
        return ctypes.string_at(self._address() + at, length)

    def write(self, changes: Sequence[Change]) -> None:
        address = self._address()
        for at, data in changes:
            assert at + len(data) <= self.size
            ctypes.memmove(address + at, data, len(data))

    def has_grown(self) -> bool:
        return self._memory.data_len(self.store) != self.size

    def put_back(self, first: Sequence[Change], zeros: Sequence[tuple[int, int]]) -> bool:
        """Everything as at first. False where that cannot be."""
        if self.has_grown():
            return False
        self.write(first)
        address = self._address()
        for at, length in zeros:
            forget(address + at, length)
        self._stack_pointer.set_value(self.store, self._stack_begin)
        return True

    def _address(self) -> int:
        # Not Memory.read: the array type that it makes for every length stays in the cache of ctypes for good.
        return ctypes.addressof(self._memory.data_ptr(self.store).contents)


class Instances:
    """As many as are in use at once, and one idle one for each of them."""

    def __init__(self, engine: "Engine", ready: "InstancePre", memory_bytes: int) -> None:
        self._engine = engine
        self._ready = ready
        self._memory_bytes = memory_bytes
        self._idle: list[Instance] = []
        first = self._new()
        memory = first.read(0, first.size)
        self._zeros = _long_zeros(memory)
        self._data = list(_between(memory, self._zeros))
        self._idle.append(first)

    @contextmanager
    def borrowed(self, fuel: int, ticks: int) -> Iterator[Instance]:
        """One in its first state, with so much fuel and time."""
        try:
            instance = self._idle.pop()
        except IndexError:
            instance = self._new()
        instance.store.set_fuel(fuel)
        instance.store.set_epoch_deadline(ticks)
        try:
            yield instance
        finally:
            if instance.put_back(self._data, self._zeros):
                self._idle.append(instance)
            else:
                instance.store.close()

    def close(self) -> None:
        while self._idle:
            self._idle.pop().store.close()

    def changes(self, instance: Instance) -> list[Change] | None:
        """What is different from the first state, in blocks; None where its memory has grown as well."""
        if instance.has_grown():
            return None
        first = (*self._data, *((at, bytes(length)) for at, length in self._zeros))
        return [change for at, data in first for change in _changes(at, data, instance.read(at, len(data)))]

    def _new(self) -> Instance:
        import wasmtime

        store = wasmtime.Store(self._engine)
        store.set_limits(memory_size=self._memory_bytes, instances=1, memories=1, tables=1)
        store.set_epoch_deadline(1)
        return Instance(store, self._ready)


class CompiledScripts:
    """What compiling a script leaves in memory, kept for the scripts used last."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, list[Change]] = OrderedDict()
        self._bytes = 0
        self._changing = threading.Lock()

    def get(self, script: str) -> list[Change] | None:
        with self._changing:
            changes = self._kept.get(script)
            if changes is not None:
                self._kept.move_to_end(script)
            return changes

    def keep(self, script: str, changes: list[Change]) -> None:
        with self._changing:
            if script in self._kept:
                return
            self._kept[script] = changes
            self._bytes += _size(script, changes)
            while self._bytes > KEPT_BYTES:
                self._bytes -= _size(*self._kept.popitem(last=False))


def _size(script: str, changes: list[Change]) -> int:
    return sys.getsizeof(script) + sum(len(data) + _OBJECTS for _, data in changes)


def _changes(begin: int, first: bytes, now: bytes) -> Iterator[Change]:
    """Of memory that begins at an address, what it was and what it is."""
    different = (
        at
        for page in range(0, len(now), PAGE)
        if now[page : page + PAGE] != first[page : page + PAGE]
        for at in range(page, page + PAGE, BLOCK)
        if now[at : at + BLOCK] != first[at : at + BLOCK]
    )
    for start, end in _joined(different):
        yield begin + start, now[start:end]


def _joined(blocks: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Beginnings of blocks, ascending, as runs from beginning to end; what lies little apart is one run."""
    run: tuple[int, int] | None = None
    for at in blocks:
        if run is not None and at > run[1] + GAP:
            yield run
            run = None
        run = (at if run is None else run[0], at + BLOCK)
    if run is not None:
        yield run


def _long_zeros(memory: bytes) -> list[tuple[int, int]]:
    """Runs of pages that are all zero: where, and how many bytes. The longest is the free memory behind the heap."""
    runs, at = list[tuple[int, int]](), 0
    for start, data in (*segments(memory, PAGE), (len(memory), b"")):
        if start - at >= LONG_ZEROS:
            runs.append((at, start - at))
        at = start + len(data)
    start, length = behind_heap = max(runs, key=lambda run: run[1])
    runs[runs.index(behind_heap)] = (start + ROOM, length - ROOM)
    return runs


def _between(memory: bytes, zeros: Sequence[tuple[int, int]]) -> Iterator[Change]:
    at = 0
    for start, length in (*zeros, (len(memory), 0)):
        if start > at:
            yield at, memory[at:start]
        at = start + length
