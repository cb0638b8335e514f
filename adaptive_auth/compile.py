"""The guest, frozen and compiled to native code. `python -m adaptive_auth.compile` writes that code to standard output.

A process of its own because Cranelift takes two seconds and a few hundred MB, which the server need not keep.
"""

import json
import struct
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from adaptive_auth import guest
from adaptive_auth.freezing import freeze
from adaptive_auth.limits import Limits

if TYPE_CHECKING:
    from wasmtime import Engine

START_FUEL = 1_000_000_000


class GuestBroken(Exception):
    """The guest or its prelude did not start: a fault of the installation."""


def new_engine(limits: Limits) -> "Engine":
    """Cranelift, never Winch (CVE-2026-34987); the default allocator, never the pooling one (CVE-2026-34988)."""
    import wasmtime

    settings = wasmtime.Config()
    settings.strategy = "cranelift"
    settings.consume_fuel = True
    settings.epoch_interruption = True
    settings.max_wasm_stack = limits.wasm_stack_bytes
    return wasmtime.Engine(settings)


def settings_of(limits: Limits) -> dict[str, int]:
    """The limits that are part of the frozen, compiled guest."""
    kept = ("heap_bytes", "memory_bytes", "js_stack_bytes", "wasm_stack_bytes")
    return {name: value for name, value in asdict(limits).items() if name in kept}


def compile_guest(limits: Limits) -> bytes:
    """Native code for this machine and these limits, as `Module.deserialize` takes it. Raises GuestBroken."""
    import wasmtime

    engine = new_engine(limits)
    return bytes(wasmtime.Module(engine, _frozen(engine, limits)).serialize())


def _frozen(engine: "Engine", limits: Limits) -> bytes:
    """The guest after it has started and evaluated the prelude."""
    import wasmtime

    wasm, prelude = guest.wasm(), guest.prelude().encode()
    module = wasmtime.Module(engine, wasm)
    if module.imports:
        raise GuestBroken("the guest wants something of the host")
    store = wasmtime.Store(engine)
    store.set_fuel(START_FUEL)
    store.set_epoch_deadline(1)
    exports = wasmtime.Instance(store, module, []).exports(store)
    memory = exports["memory"]
    initialize, report, start = exports["_initialize"], exports["report"], exports["start"]
    assert isinstance(memory, wasmtime.Memory)
    assert isinstance(initialize, wasmtime.Func)
    assert isinstance(report, wasmtime.Func)
    assert isinstance(start, wasmtime.Func)
    initialize(store)
    _, length, _, _, _, read_from, written_to, _ = struct.unpack_from("<8I", memory.read(store), report(store))
    memory.write(store, prelude + b"\0", read_from)
    if start(store, limits.heap_bytes, limits.js_stack_bytes, len(prelude)):
        length = struct.unpack_from("<I", memory.read(store), report(store) + 4)[0]
        raise GuestBroken(memory.read(store, written_to, written_to + length).decode("utf-8", "replace"))
    return freeze(wasm, bytes(memory.read(store)))


if __name__ == "__main__":
    sys.stdout.buffer.write(compile_guest(Limits(**json.load(sys.stdin))))
