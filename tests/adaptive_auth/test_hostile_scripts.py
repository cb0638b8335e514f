"""Whatever a script does, it ends by a limit, an error or an answer, and the next honest run is right."""

import resource
from collections.abc import Callable

import pytest

from adaptive_auth.answers import GuestAnswer, ScriptEngine, Stopped
from adaptive_auth.sandbox import Sandbox
from adaptive_auth.worker_pool import WorkerPool
from tests.adaptive_auth.honest import TWO_STEPS, check_honest_run, given
from tests.adaptive_auth.hostile_scripts import HOSTILE

pytestmark = pytest.mark.long


def ending(run: Callable[[], GuestAnswer]) -> str:
    try:
        return "answered" if run().ok else "raised"
    except Stopped as stopped:
        return stopped.limit


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_script_ends_and_harms_nobody(name: str, tier: ScriptEngine) -> None:
    script, expected = HOSTILE[name]
    process = tier.pids if isinstance(tier, WorkerPool) else ()
    assert ending(lambda: tier.run(given(), script)) == expected
    check_honest_run(tier)
    assert not isinstance(tier, WorkerPool) or tier.pids == process


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_script_is_compiled_harmlessly(name: str, sandbox: Sandbox) -> None:
    script = HOSTILE[name][0]
    assert ending(lambda: sandbox.check(script, "hostile.js")) == (
        "raised" if name == "import statement" else "answered"
    )


@pytest.mark.parametrize("source", ["(" * 100_000, "[" * 100_000, "{" * 100_000, "a=>" * 100_000, "`${" * 50_000])
def test_parser_bomb_is_refused_at_saving(source: str, tier: ScriptEngine) -> None:
    assert ending(lambda: tier.check(source, "bomb.js")) in {"raised", "stack", "memory", "fuel"}
    check_honest_run(tier)


def test_both_tiers_answer_the_same(sandbox: Sandbox, workers: ScriptEngine) -> None:
    for script, _ in HOSTILE.values():
        assert told(sandbox, script) == told(workers, script)


def told(engine: ScriptEngine, script: str) -> GuestAnswer | tuple[str, str, tuple[str, ...]]:
    try:
        return engine.run(given(), script)
    except Stopped as stopped:
        return stopped.limit, stopped.message, stopped.logs


def test_memory_is_flat_over_thousands_of_runs(sandbox: Sandbox) -> None:
    spoiler = "let a = []; for (;;) a.push(new Uint8Array(1e6))"
    for _ in range(20):
        assert ending(lambda: sandbox.run(given(), spoiler)) == "memory"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(2000):
        sandbox.run(given(), TWO_STEPS)
        if number % 50 == 0:
            assert ending(lambda: sandbox.run(given(), spoiler)) == "memory"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000, "KiB that did not come back"
