"""What a run of a script may use."""

from dataclasses import dataclass

MIB = 1 << 20

INPUT_BYTES = 512 * 1024
ANSWER_BYTES = 256 * 1024
LOG_LINES = 200
LOG_CHARACTERS = 500
"""These four are the sizes of the guest's buffers in `shim.c`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Of one run. `fuel` is deterministic (about one instruction of WebAssembly each), so it ends a run first.

    `wall_seconds` stops what fuel counts too cheaply, such as filling large buffers. The two stacks are part of the
    compiled guest and of the engine's settings: another value means compiling anew.
    """

    fuel: int = 2_000_000_000
    hurried_fuel: int = 50_000_000
    """Of a first try in the lane: a few milliseconds, many times what an ordinary script needs."""
    wall_seconds: float = 1.0
    heap_bytes: int = 32 * MIB
    memory_bytes: int = 36 * MIB
    js_stack_bytes: int = 256 * 1024
    wasm_stack_bytes: int = MIB
    input_bytes: int = INPUT_BYTES
    answer_bytes: int = ANSWER_BYTES
    log_lines: int = LOG_LINES
    log_characters: int = LOG_CHARACTERS
