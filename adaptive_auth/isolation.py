"""Which tier scripts run in: in workers that are locked, or in this process."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from adaptive_auth.answers import EngineUnavailable, ScriptEngine
from adaptive_auth.limits import Limits

Isolation = Literal["required", "preferred", "off"]
"""`required`: locked workers or nothing. `preferred`: this process where they cannot be had. `off`: this process."""


@dataclass(frozen=True, slots=True)
class OpenedEngine:
    """`locked`: in workers that have proved their lock; `reason` describes it, or says why not."""

    engine: ScriptEngine
    locked: bool
    reason: str


def opener(
    isolation: Isolation,
    limits: Limits | None = None,
    folder: Path | None = None,
    key: bytes = b"",
    *,
    workers: int = 1,
) -> Callable[[], OpenedEngine]:
    """What a ScriptLane opens its engine with. `folder`, `key`: see `module_cache`; `workers` is how many stay."""
    return partial(open_engine, isolation, limits or Limits(), folder, key, workers)


def open_engine(isolation: Isolation, limits: Limits, folder: Path | None, key: bytes, workers: int) -> OpenedEngine:
    """Blocks, for seconds where the guest has to be compiled. Raises EngineUnavailable with a reason, GuestBroken."""
    from adaptive_auth.sandbox import Sandbox

    reason = "isolation is off"
    if isolation != "off":
        try:
            return _open_workers(limits, folder, key, workers)
        except EngineUnavailable as problem:
            if isolation == "required":
                raise EngineUnavailable(f"Isolation is required, and {problem}.") from None
            reason = str(problem)
    return OpenedEngine(Sandbox.open(limits, folder, key), False, reason)


def _open_workers(limits: Limits, folder: Path | None, key: bytes, workers: int) -> OpenedEngine:
    try:
        from adaptive_auth import lockdown
        from adaptive_auth.worker_pool import WorkerPool

        lockdown.check_supported()
    except ImportError:  # `resource`, which Windows has not
        raise EngineUnavailable("this system has no lock for processes") from None
    except lockdown.LockFailed as problem:
        raise EngineUnavailable(str(problem)) from None
    pool = WorkerPool(limits, folder, key, keep=workers)
    return OpenedEngine(pool, True, str(pool.lock))
