"""Instances that are used again: nothing of a run is left, whatever it did."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from adaptive_auth import instances
from adaptive_auth.answers import Stopped
from adaptive_auth.instances import CompiledScripts, Instance
from adaptive_auth.sandbox import Sandbox
from tests.adaptive_auth.conftest import LIMITS
from tests.adaptive_auth.honest import TWO_STEPS, check_honest_run, given, outcome

pytestmark = pytest.mark.long


@pytest.fixture
def fresh(guest_folder: Path) -> Iterator[Sandbox]:
    sandbox = Sandbox.open(LIMITS, guest_folder)
    yield sandbox
    sandbox.close()


def idle(sandbox: Sandbox) -> Instance:
    """The one that the next run gets."""
    with sandbox.instances.borrowed(LIMITS.fuel, 1) as instance:
        return instance


RUNS = {
    "passes": TWO_STEPS,
    "has an error of syntax": "let a = ;",
    "has an error": "null.deep",
    "answers at length": "sendError(null, { x: 'a'.repeat(200000) })",
    "logs at length": "for (let i = 0; i < 200; i++) Log.info('é'.repeat(500)); fail()",
    "loops": "for (;;) ;",
    "fills the memory": "const all = []; for (;;) all.push('x'.repeat(100000) + all.length)",
    "nests deeply": "(function deeper() { return [deeper()] })()",
    "holds on to much": "globalThis.kept = Array.from({ length: 20000 }, (_, i) => ({ i })); fail()",
}


@pytest.mark.parametrize("script", RUNS.values(), ids=RUNS)
def test_an_instance_is_put_back_byte_for_byte(fresh: Sandbox, script: str) -> None:
    with suppress(Stopped):
        fresh.run(given(), script)
    with fresh.instances.borrowed(LIMITS.fuel, 1) as instance:
        assert fresh.instances.changes(instance) == []
    check_honest_run(fresh)


def test_one_that_has_grown_is_not_used_again(fresh: Sandbox) -> None:
    first = idle(fresh)
    fresh.run(given(), "globalThis.long = new Uint8Array(6e6); fail()")
    assert idle(fresh) is not first


def test_an_instance_is_used_again(fresh: Sandbox) -> None:
    first = idle(fresh)
    fresh.run(given(), TWO_STEPS)
    assert idle(fresh) is first


def test_a_long_script_needs_no_more_memory_than_there_is(fresh: Sandbox) -> None:
    more = (f"function f{i}(c) {{ if (hasRole(c.steps[1].subject, 'r{i}')) fail(); }}" for i in range(500))
    long = TWO_STEPS + "".join(more)
    first = idle(fresh)
    fresh.run(given(), long)
    assert idle(fresh) is first


def test_a_script_that_was_compiled_before_sees_no_difference(fresh: Sandbox) -> None:
    script = """const seen = (globalThis.runs = (globalThis.runs ?? 0) + 1);
    sendError(null, { seen, line: new Error().stack })"""
    first, second = (fresh.run(given(), script) for _ in range(2))
    assert first == second
    assert outcome(first)["parameters"]["seen"] == 1
    other = fresh.run(given(), "sendError(null, { seen: typeof seen })")
    assert outcome(other)["parameters"] == {"seen": "undefined"}


def test_a_script_whose_compiling_takes_much_memory(fresh: Sandbox) -> None:
    long = f"const text = '{'x' * 400_000}'; sendError(null, {{ n: text.length }})"
    for _ in range(2):
        assert outcome(fresh.run(given(), long))["parameters"] == {"n": 400_000}
    check_honest_run(fresh)


def test_compiling_may_use_as_much_as_a_run(guest_folder: Path) -> None:
    """And no more: an honest run has what it would have if its script had been compiled before."""
    long = "var a = 1;\n" * 2000 + "fail()"
    sandbox = Sandbox.open(LIMITS, guest_folder)
    compiling, running = sandbox.check(long, "x.js").fuel, sandbox.run(given(), long).fuel
    sandbox.close()
    tight = Sandbox.open(replace(LIMITS, fuel=max(compiling, running) + 1000), guest_folder)
    assert tight.run(given(), long).fuel == running
    tight.close()
    tighter = Sandbox.open(replace(LIMITS, fuel=compiling - 1000), guest_folder)
    with pytest.raises(Stopped, match="fuel"):
        tighter.run(given(), long)
    tighter.close()


def test_compiled_scripts_are_kept_up_to_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instances, "KEPT_BYTES", 1700)
    compiled = CompiledScripts()
    for name in "abc":
        compiled.keep(name, [(0, bytes(300))])
    assert compiled.get("a")  # and so "b" is the one that nobody used for longest
    compiled.keep("d", [(0, bytes(300))])
    assert [name for name in "abcd" if compiled.get(name)] == ["a", "c", "d"]
