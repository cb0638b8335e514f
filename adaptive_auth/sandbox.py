"""Scripts in a WebAssembly sandbox inside this process (the first tier; `worker_pool` is the second).

Each run gets a fresh instance of the frozen guest, which imports nothing: text in, text out. Fuel ends it first, and
the same way everywhere; the epoch of the engine is the wall-clock backstop. wasmtime is imported on first use.
"""

import ctypes
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Self

from adaptive_auth.answers import GuestAnswer, Limit, Stopped
from adaptive_auth.compile import GuestBroken, new_engine
from adaptive_auth.limits import Limits
from adaptive_auth.module_cache import compiled_guest
from adaptive_auth.ticker import TICK_SECONDS, Ticker

if TYPE_CHECKING:
    from wasmtime import Func, Memory, Store, Trap

__all__ = ["GuestAnswer", "Sandbox", "Stopped"]

_REPORT = struct.Struct("<8I")
"""`report` of shim.c: state, length of answer, log lines, their bytes, heap; the addresses of input, answer, logs."""
_ANSWERED, _RAISED = 1, 2
_REFUSED: dict[int, tuple[Limit, str]] = {3: ("memory", "out of memory"), 4: ("answer", "the answer is too large")}


@dataclass(frozen=True, slots=True)
class _Instance:
    store: "Store"
    memory: "Memory"
    run: "Func"
    check: "Func"
    report: "Func"

    def read(self, at: int, length: int) -> bytes:
        """Raises Stopped where that is not inside the guest's memory."""
        if length > self.memory.data_len(self.store) - at:
            raise Stopped("engine", "the guest's report is malformed")
        return ctypes.string_at(self._address() + at, length)

    def write(self, at: int, data: bytes) -> None:
        assert at + len(data) <= self.memory.data_len(self.store)
        ctypes.memmove(self._address() + at, data, len(data))

    def _address(self) -> int:
        # Not Memory.read: the array type that it makes for every length stays in the cache of ctypes for good.
        return ctypes.addressof(self.memory.data_ptr(self.store).contents)


class Sandbox:
    """One per process, for all its threads. The GIL is free while a script runs."""

    def __init__(self, code: bytes, limits: Limits) -> None:
        """`code` as `compiled_guest` gives it. Raises wasmtime.WasmtimeError if it is of another machine or engine."""
        import wasmtime

        self.limits = limits
        self._engine = new_engine(limits)
        self._ready = wasmtime.Linker(self._engine).instantiate_pre(wasmtime.Module.deserialize(self._engine, code))
        self._ticker = Ticker(self._engine.increment_epoch)
        store = self._new_store(limits.fuel)
        try:
            first = self._instance(store)
            self._report_at = first.report(store)
            self._input, self._answer, self._logs = _REPORT.unpack(first.read(self._report_at, _REPORT.size))[5:]
        finally:
            store.close()

    @classmethod
    def open(cls, limits: Limits | None = None, folder: Path | None = None, key: bytes = b"") -> Self:
        """With the compiled guest out of `folder` (see `module_cache`), compiled if need be. Raises GuestBroken."""
        import wasmtime

        limits = limits or Limits()
        try:
            return cls(compiled_guest(limits, folder, key), limits)
        except wasmtime.WasmtimeError:
            code = compiled_guest(limits, folder, key, anew=True)
        try:
            return cls(code, limits)
        except wasmtime.WasmtimeError as problem:
            raise GuestBroken(f"the compiled guest does not load: {problem}") from None

    def run(self, given: str, script: str, *, hurried: bool = False) -> GuestAnswer:
        """Evaluate `script` with the JSON `given`; the answer of the prelude. Raises Stopped."""
        first, second = _encoded(given), _encoded(script)
        return self._guarded("run", first, second, self.limits.hurried_fuel if hurried else self.limits.fuel)

    def check(self, script: str, name: str) -> GuestAnswer:
        """Compile only; an error names the file `name`. Raises Stopped."""
        first, second = _encoded(name), _encoded(script)
        return self._guarded("check", first, second, self.limits.fuel)

    def rehearse(self) -> None:
        """Go every way once, so that nothing is loaded later; no thread is left, so the process may fork."""
        for script in ("for(;;){}", ""):
            try:
                self.run("", script)
                self.check(script, "")
            except Stopped:
                pass
        self._ticker.close()
        self._ticker = Ticker(self._engine.increment_epoch)

    def start_clock(self) -> None:
        """Before a lock that lets no thread begin."""
        self._ticker.start()

    def close(self) -> None:
        self._ticker.close()

    def _guarded(self, call: str, first: bytes, second: bytes, fuel: int) -> GuestAnswer:
        import wasmtime

        if len(first) + len(second) > self.limits.input_bytes:
            raise Stopped("input", "the script and what it is given are too large")
        store = self._new_store(fuel)
        try:
            instance = self._instance(store)
            instance.write(self._input, first + b"\0" + second + b"\0")
            function = instance.run if call == "run" else instance.check
            try:
                with self._ticker.running():
                    function(store, len(first), len(second))
            except wasmtime.Trap as trap:
                self._explain(instance, trap)
            return self._answered(instance, fuel)
        except wasmtime.WasmtimeError as problem:
            raise Stopped("engine", str(problem)) from None
        finally:
            store.close()

    def _new_store(self, fuel: int) -> "Store":
        import wasmtime

        store = wasmtime.Store(self._engine)
        store.set_limits(memory_size=self.limits.memory_bytes, instances=1, memories=1, tables=1)
        store.set_fuel(fuel)
        store.set_epoch_deadline(int(self.limits.wall_seconds / TICK_SECONDS) + 1)
        return store

    def _instance(self, store: "Store") -> _Instance:
        exports = self._ready.instantiate(store).exports(store)
        return _Instance(store, exports["memory"], exports["run"], exports["check"], exports["report"])  # type: ignore[arg-type]

    def _explain(self, instance: _Instance, trap: "Trap") -> None:
        """Returns where the trap is the end of a run that left an answer; otherwise raises Stopped."""
        from wasmtime import TrapCode

        code = trap.trap_code
        state = self._state(instance)[0]
        if code is TrapCode.UNREACHABLE and state == _ANSWERED:
            return
        if code is TrapCode.OUT_OF_FUEL:
            self._stop(instance, "fuel", "too many instructions")
        if code is TrapCode.INTERRUPT:
            self._stop(instance, "wall", f"still running after {self.limits.wall_seconds} s")
        if code is TrapCode.STACK_OVERFLOW:
            self._stop(instance, "stack", "calls are nested too deeply")
        if code is TrapCode.UNREACHABLE and state in _REFUSED:
            self._stop(instance, *_REFUSED[state])
        self._stop(instance, "engine", code.name if code else "trap")

    def _stop(self, instance: _Instance, limit: Limit, message: str) -> NoReturn:
        raise Stopped(limit, message, self._lines(instance)) from None

    def _answered(self, instance: _Instance, fuel: int) -> GuestAnswer:
        state, length = self._state(instance)[:2]
        logs = self._lines(instance)
        if state not in (_ANSWERED, _RAISED):
            raise Stopped("engine", "the guest's report is malformed", logs)
        if length > self.limits.answer_bytes:
            raise Stopped("answer", "the answer is too large", logs)
        text = instance.read(self._answer, length).decode("utf-8", "replace")
        return GuestAnswer(state == _ANSWERED, text, logs, fuel - instance.store.get_fuel())

    def _state(self, instance: _Instance) -> tuple[int, ...]:
        return _REPORT.unpack(instance.read(self._report_at, _REPORT.size))

    def _lines(self, instance: _Instance) -> tuple[str, ...]:
        """The log, each line with two bytes of length before it. Nothing in there is trusted to be well-formed."""
        count, length = self._state(instance)[2:4]
        limit = self.limits.log_lines * (2 + 4 * self.limits.log_characters)
        if not count or length > limit:
            return ()
        text, at, lines = instance.read(self._logs, length), 0, []
        for _ in range(min(count, self.limits.log_lines)):
            end = at + 2 + int.from_bytes(text[at : at + 2], "little")
            lines.append(text[at + 2 : end].decode("utf-8", "replace")[: self.limits.log_characters])
            at = end
        return tuple(lines)


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise Stopped("input", "a character that is none") from None
