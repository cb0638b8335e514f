"""What the sandbox promises: limits one by one, logs, fuel, errors with places."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from adaptive_auth import guest
from adaptive_auth.answers import ScriptEngine, Stopped
from adaptive_auth.compile import new_engine
from adaptive_auth.limits import LOG_CHARACTERS, LOG_LINES, Limits
from adaptive_auth.sandbox import Sandbox
from adaptive_auth.script import FILE
from tests.adaptive_auth.conftest import LIMITS
from tests.adaptive_auth.honest import TWO_STEPS, check_honest_run, given, outcome

pytestmark = pytest.mark.long


def test_guest_imports_nothing() -> None:
    import wasmtime

    assert wasmtime.Module(new_engine(Limits()), guest.wasm()).imports == []


def test_wasmtime_is_imported_on_first_use_only() -> None:
    modules = "answers, compile, isolation, lane, limits, lockdown, module_cache, sandbox, worker, worker_pool"
    code = f"import sys; from adaptive_auth import {modules}; sys.exit('wasmtime' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_fuel_is_the_same_every_time(tier: ScriptEngine, sandbox: Sandbox) -> None:
    used = {tier.run(given(), TWO_STEPS).fuel for _ in range(10)}
    assert used == {sandbox.run(given(), TWO_STEPS).fuel}
    assert 0 < min(used) < LIMITS.fuel


def test_fuel_limit_stops_at_the_same_line_every_time(tier: ScriptEngine) -> None:
    def lines() -> tuple[str, ...]:
        with pytest.raises(Stopped) as stopped:
            tier.run(given(), "for (let i = 0; ; i++) if (i % 100000 === 0) Log.info(i)")
        assert stopped.value.limit == "fuel"
        return stopped.value.logs

    once = lines()
    assert once[:2] == ("info 0", "info 100000")
    assert lines() == once


def test_wall_clock_is_the_backstop(guest_folder: Path) -> None:
    sandbox = Sandbox.open(Limits(fuel=10**15, wall_seconds=0.1), guest_folder)
    with pytest.raises(Stopped) as stopped:
        sandbox.run(given(), "Log.warn('on'); for (;;) ;")
    assert (stopped.value.limit, stopped.value.logs) == ("wall", ("warn on",))
    check_honest_run(sandbox)
    sandbox.close()


def test_clock_rests_while_nothing_runs(guest_folder: Path) -> None:
    sandbox = Sandbox.open(LIMITS, guest_folder)
    check_honest_run(sandbox)
    assert not sandbox._ticker._wanted.is_set()
    sandbox.close()
    assert not [thread for thread in threading.enumerate() if thread is sandbox._ticker._thread]


def test_log_survives_every_end_and_is_bounded(tier: ScriptEngine) -> None:
    answer = tier.run(given(), f"for (let i = 0; i < 300; i++) Log.info('é'.repeat({LOG_CHARACTERS}) + i); fail()")
    assert len(answer.logs) == LOG_LINES
    assert set(answer.logs) == {("info " + "é" * LOG_CHARACTERS)[:LOG_CHARACTERS]}
    with pytest.raises(Stopped) as stopped:
        tier.run(given(), "Log.error('before', {a: 1}); 'x'.repeat(1e9)")
    assert (stopped.value.limit, stopped.value.logs) == ("memory", ('error before {"a":1}',))


def test_log_lines_keep_characters_beyond_the_first_plane(tier: ScriptEngine) -> None:
    assert tier.run(given(), "Log.info('🦉'.repeat(500)); fail()").logs == ("info " + "🦉" * (LOG_CHARACTERS - 5),)


def test_nothing_is_left_for_the_next_run(tier: ScriptEngine) -> None:
    tier.run(given(), "var secret = 1; Array.prototype.leak = 2; Log.info('mine'); fail()")
    answer = tier.run(given(), "sendError(null, { names: typeof secret + typeof [].leak })")
    assert outcome(answer)["parameters"] == {"names": "undefinedundefined"}
    assert answer.logs == ()


def test_error_tells_file_line_and_column(tier: ScriptEngine) -> None:
    raised = tier.run(given(), "let a = 1;\nnull.deep")
    assert not raised.ok
    assert raised.text.startswith("TypeError: cannot read property 'deep' of null\n")
    assert "script.js:2:" in raised.text
    checked = tier.check("let a = 1;\nlet a = 2;", "sign-in.js")
    assert not checked.ok
    assert "sign-in.js:2:" in checked.text


def test_check_does_not_run(tier: ScriptEngine) -> None:
    answer = tier.check("Log.info('ran'); for (;;) ;", "script.js")
    assert (answer.ok, answer.text, answer.logs) == (True, "", ())


@pytest.mark.parametrize("text", ["x" * (LIMITS.input_bytes + 1), "é" * (LIMITS.input_bytes // 2 + 1), "\ud800"])
def test_input_that_is_too_large_or_no_text_is_refused(text: str, tier: ScriptEngine) -> None:
    attempts = [partial(tier.run, given(), text), partial(tier.run, text, ""), partial(tier.check, text, "x")]
    for attempt in attempts:
        with pytest.raises(Stopped) as stopped:
            attempt()
        assert stopped.value.limit == "input"


def test_largest_input_and_answer_pass(tier: ScriptEngine) -> None:
    script = f"sendError(null, {{ x: 'y'.repeat({LIMITS.answer_bytes - 200}) }}) //"
    script += "é" * ((LIMITS.input_bytes - len(given()) - len(FILE) - len(script)) // 2)
    assert len(outcome(tier.run(given(), script))["parameters"]["x"]) == LIMITS.answer_bytes - 200


def test_nul_in_a_script_does_not_end_it(tier: ScriptEngine) -> None:
    assert outcome(tier.run(given(), "let s = '\0'; sendError(null, { n: s.length })"))["parameters"] == {"n": 1}
    assert not tier.check("let s = 1;\0 let s = 2;", "x.js").ok


def test_malformed_given_is_an_error_and_no_answer(tier: ScriptEngine) -> None:
    assert not tier.run("{", "fail()").ok


def test_lower_limits_bind(guest_folder: Path) -> None:
    sandbox = Sandbox.open(replace(LIMITS, fuel=100_000, answer_bytes=10), guest_folder)
    with pytest.raises(Stopped, match="fuel"):
        sandbox.run(given(), "for (let i = 0; i < 1e6; i++) ;")
    sandbox = Sandbox.open(replace(LIMITS, answer_bytes=10), guest_folder)
    with pytest.raises(Stopped, match="answer"):
        sandbox.run(given(), "fail()")


def test_threads_do_not_disturb_each_other(tier: ScriptEngine) -> None:
    def one(number: int) -> bool:
        if number % 4 == 0:
            with pytest.raises(Stopped):
                tier.run(given(), "for (;;) ;")
        answer = tier.run(given(), f"Log.info({number}); sendError(null, {{ n: {number} }})")
        return answer.logs == (f"info {number}",) and outcome(answer)["parameters"] == {"n": number}

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(one, range(40)))
