"""The guest compiled once, and each tier that can run it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from adaptive_auth import lockdown
from adaptive_auth.answers import ScriptEngine
from adaptive_auth.limits import Limits
from adaptive_auth.module_cache import compiled_guest
from adaptive_auth.sandbox import Sandbox

LIMITS = Limits(fuel=300_000_000, wall_seconds=60)
"""Less fuel, so that what loops ends soon; and a clock that a slow machine does not reach before that."""


@pytest.fixture(scope="session")
def guest_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with the compiled guest in it."""
    folder = tmp_path_factory.mktemp("guest")
    compiled_guest(Limits(), folder)
    return folder


@pytest.fixture(scope="session")
def sandbox(guest_folder: Path) -> Iterator[Sandbox]:
    sandbox = Sandbox.open(LIMITS, guest_folder)
    yield sandbox
    sandbox.close()


@pytest.fixture(scope="session")
def workers(guest_folder: Path) -> Iterator[ScriptEngine]:
    needs_lock()
    from adaptive_auth.worker_pool import WorkerPool

    pool = WorkerPool(LIMITS, guest_folder)
    yield pool
    pool.close()


@pytest.fixture(params=["sandbox", "workers"])
def tier(request: pytest.FixtureRequest) -> ScriptEngine:
    """The test runs once in this process, and once in locked workers."""
    engine: ScriptEngine = request.getfixturevalue(request.param)
    return engine


def needs_lock() -> None:
    try:
        lockdown.check_supported()
    except lockdown.LockFailed as problem:
        pytest.skip(str(problem))
