"""Scripts in a WebAssembly sandbox inside this process (the first tier; `worker_pool` is the second).

Each run begins in the first state of the frozen guest (`instances`), which imports nothing: text in, text out. Fuel
ends it first, and the same way everywhere; the epoch of the engine is the wall-clock backstop. wasmtime is imported on
first use.
"""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Self

from adaptive_auth.answers import GuestAnswer, Limit, Stopped
from adaptive_auth.compile import GuestBroken, new_engine
from adaptive_auth.instances import CompiledScripts, Instance, Instances
from adaptive_auth.limits import Limits
from adaptive_auth.module_cache import compiled_guest
from adaptive_auth.script import FILE
from adaptive_auth.ticker import TICK_SECONDS, Ticker

if TYPE_CHECKING:
    from wasmtime import Func, Trap

__all__ = ["GuestAnswer", "Sandbox", "Stopped"]

_REPORT = struct.Struct("<8I")
"""`report` of shim.c: state, length of answer, log lines, their bytes, heap; the addresses of input, answer, logs."""
_ANSWERED, _RAISED, _COMPILED = 1, 2, 5
_REFUSED: dict[int, tuple[Limit, str]] = {3: ("memory", "out of memory"), 4: ("answer", "the answer is too large")}


class Sandbox:
    """One per process, for all its threads. The GIL is free while a script runs."""

    def __init__(self, code: bytes, limits: Limits) -> None:
        """`code` as `compiled_guest` gives it. Raises wasmtime.WasmtimeError if it is of another machine or engine."""
        import wasmtime

        self.limits = limits
        self._engine = new_engine(limits)
        ready = wasmtime.Linker(self._engine).instantiate_pre(wasmtime.Module.deserialize(self._engine, code))
        self._ticker = Ticker(self._engine.increment_epoch)
        self.instances = Instances(self._engine, ready, limits.memory_bytes)
        self._compiled = CompiledScripts()
        with self.instances.borrowed(limits.fuel, 1) as first:
            self._report_at = first.report(first.store)
            self._input, self._answer, self._logs = _REPORT.unpack(first.read(self._report_at, _REPORT.size))[5:]

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
        fuel = self.limits.hurried_fuel if hurried else self.limits.fuel
        content, source, file = self._checked(given, script, FILE)
        with self._borrowed(fuel) as instance:
            compiled = self._compiled.get(script)
            if compiled is not None:
                instance.write(compiled)
            else:
                failure = self._compile(instance, file, source, fuel)
                if failure is not None:
                    return failure
                changes = self.instances.changes(instance)
                if changes is not None:
                    self._compiled.keep(script, changes)
                # Whether it was compiled now or before makes no difference to what a run may use.
                instance.store.set_fuel(fuel)
            instance.write([(self._input, content + b"\0")])
            self._call(instance, instance.run, len(content))
            return self._answered(instance, fuel)

    def check(self, script: str, name: str) -> GuestAnswer:
        """Compile only; an error names the file `name`. Raises Stopped."""
        fuel = self.limits.fuel
        file, source = self._checked(name, script)
        with self._borrowed(fuel) as instance:
            failure = self._compile(instance, file, source, fuel)
            return failure or GuestAnswer(True, "", (), fuel - instance.store.get_fuel())

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
        self.instances.close()

    def _checked(self, *texts: str) -> list[bytes]:
        encoded = [_encoded(text) for text in texts]
        if sum(map(len, encoded)) > self.limits.input_bytes:
            raise Stopped("input", "the script and what it is given are too large")
        return encoded

    @contextmanager
    def _borrowed(self, fuel: int) -> Iterator[Instance]:
        import wasmtime

        try:
            ticks = int(self.limits.wall_seconds / TICK_SECONDS) + 1
            with self.instances.borrowed(fuel, ticks) as instance, self._ticker.running():
                yield instance
        except wasmtime.WasmtimeError as problem:
            raise Stopped("engine", str(problem)) from None

    def _compile(self, instance: Instance, file: bytes, source: bytes, fuel: int) -> GuestAnswer | None:
        """None when it compiled, otherwise the error."""
        instance.write([(self._input, file + b"\0" + source + b"\0")])
        self._call(instance, instance.compile, len(file), len(source))
        return None if self._state(instance)[0] == _COMPILED else self._answered(instance, fuel)

    def _call(self, instance: Instance, function: "Func", *lengths: int) -> None:
        import wasmtime

        try:
            function(instance.store, *lengths)
        except wasmtime.Trap as trap:
            self._explain(instance, trap)

    def _explain(self, instance: Instance, trap: "Trap") -> None:
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

    def _stop(self, instance: Instance, limit: Limit, message: str) -> NoReturn:
        raise Stopped(limit, message, self._lines(instance)) from None

    def _answered(self, instance: Instance, fuel: int) -> GuestAnswer:
        state, length = self._state(instance)[:2]
        logs = self._lines(instance)
        if state not in (_ANSWERED, _RAISED):
            raise Stopped("engine", "the guest's report is malformed", logs)
        if length > self.limits.answer_bytes:
            raise Stopped("answer", "the answer is too large", logs)
        text = instance.read(self._answer, length).decode("utf-8", "replace")
        return GuestAnswer(state == _ANSWERED, text, logs, fuel - instance.store.get_fuel())

    def _state(self, instance: Instance) -> tuple[int, ...]:
        return _REPORT.unpack(instance.read(self._report_at, _REPORT.size))

    def _lines(self, instance: Instance) -> tuple[str, ...]:
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
