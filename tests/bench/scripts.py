"""What sign-in scripts cost without a server: an evaluation of a sign-in of three steps beside its bounds, and what
many runs leave in memory. `python -m tests.bench.scripts` measures the engine in more detail: an instance, a start, the
lane beside tenants that loop for ever.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from adaptive_auth.answers import EngineUnavailable, GuestAnswer, ScriptEngine, Stopped
from adaptive_auth.evaluation import Finished
from adaptive_auth.isolation import Isolation, opener
from adaptive_auth.lane import LaneSettings, Refused, ScriptLane
from adaptive_auth.limits import Limits
from adaptive_auth.replay import evaluate_now, given
from adaptive_auth.sandbox import Sandbox
from adaptive_auth.script import Script
from adaptive_auth.worker_pool import WorkerPool
from tests.adaptive_auth.login import FACTS, PASSED, Login
from tests.bench.machine import pss_megabytes

P50_BOUND_MS, P99_BOUND_MS, WORKER_FACTOR, GROWTH_BOUND_MB = 1.0, 3.0, 1.2, 2.0
THREE_STEPS = """
var onLoginRequest = function (context) {
    executeStep(1, {
        onSuccess: function (context) {
            var user = context.currentKnownSubject;
            var mail = user.localClaims['http://wso2.org/claims/emailaddress'];
            Log.info(user.username + ' <' + mail + '> from ' + context.request.ip);
            if (hasAnyOfTheRolesV2(context, ['admin', 'manager'])) {
                executeStep(2, {
                    onSuccess: function (context) {
                        context.response.headers['X-Signed-In'] = 'privileged';
                        executeStep(3, { onFail: function (context) { fail({ errorCode: 'third' }); } });
                    }
                });
            }
        }
    });
};
"""
WARM_UP = 5000
"""Until a forked worker has pages of its own for whatever it touches."""
LOOP = "for (;;) ;"
_MAIL = "http://wso2.org/claims/emailaddress"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptRow:
    """Milliseconds, or megabytes. Without a bound it is only shown."""

    name: str
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    note: str = ""
    bound: str = ""
    holds: bool = True


class Recorded:
    """A sign-in of three steps as it stands before the script's last run: the whole journal, five answers."""

    def __init__(self, sandbox: Sandbox) -> None:
        answers = {"step": PASSED, "hasAnyOfTheRolesV2": True, "claims": {_MAIL: "ann@example.org"}}
        login = Login(sandbox, THREE_STEPS, answers)
        assert isinstance(login.run(), Finished)
        self.script, self.journal = Script(THREE_STEPS), login.journal
        self.given = given(self.script, FACTS, self.journal)

    def evaluate(self, engine: ScriptEngine) -> None:
        """One evaluation, as sign-in does it: what is given is written, the answer read and checked."""
        evaluation = evaluate_now(engine, self.script, FACTS, self.journal)
        assert isinstance(evaluation, Finished), evaluation


def measure_evaluations(runs: int = 1000, rounds: int = 5) -> Iterator[ScriptRow]:
    """In this process and in a locked worker, by turns; the medians of the rounds."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        sandbox = Sandbox.open(Limits(), Path(folder) / "cache")
        recorded = Recorded(sandbox)
        try:
            pool: WorkerPool | None = WorkerPool(Limits(), Path(folder) / "cache")
        except EngineUnavailable as problem:
            print(f"no locked worker here: {problem}")
            pool = None
        inside, beside = [], []
        for _ in range(rounds):
            inside.append(_row("", _times(runs // rounds, lambda: recorded.evaluate(sandbox))))
            if pool is not None:
                beside.append(_row("", _times(runs // rounds, lambda: recorded.evaluate(pool))))
        yield _bounded("script, 3 steps, in process", inside, P50_BOUND_MS, P99_BOUND_MS)
        if pool is not None:
            bound = WORKER_FACTOR * median(row.p50_ms for row in inside)
            yield _bounded("script, 3 steps, locked worker", beside, bound, None)
            pool.close()
        sandbox.close()


def _bounded(name: str, rows: list[ScriptRow], p50_bound: float, p99_bound: float | None) -> ScriptRow:
    p50, p99 = median(row.p50_ms for row in rows), median(row.p99_ms for row in rows)
    bound = f"p50 {p50_bound:.2f} ms" + (f", p99 {p99_bound:.2f} ms" if p99_bound else f" ({WORKER_FACTOR} ×)")
    good = p50 <= p50_bound and (p99_bound is None or p99 <= p99_bound)
    return ScriptRow(name=name, p50_ms=p50, p99_ms=p99, bound=bound, holds=good)


def measure_memory(runs: int) -> Iterator[ScriptRow]:
    """What so many runs leave behind, in a process of their own for each tier."""
    for tier in ("in process", "locked worker"):
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.scripts", "--memory", tier, str(runs)],
            cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            print(f"memory, {tier}: not measured: {done.stderr.strip()[-300:]}")
            continue
        before, after = json.loads(done.stdout)
        yield ScriptRow(
            name=f"script memory, {tier}", note=f"{before:.1f} → {after:.1f} MB PSS over {runs:,} runs",
            bound=f"{GROWTH_BOUND_MB:g} MB more", holds=after - before <= GROWTH_BOUND_MB,
        )  # fmt: skip


def _memory(tier: str, runs: int) -> tuple[float, float]:
    """PSS of this process and its workers in MB, after a warm-up and after the runs."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        sandbox = Sandbox.open(Limits(), Path(folder) / "cache")
        recorded = Recorded(sandbox)
        engine: ScriptEngine = sandbox if tier == "in process" else WorkerPool(Limits(), Path(folder) / "cache")
        for _ in range(WARM_UP):
            recorded.evaluate(engine)
        before = pss_megabytes(os.getpid())
        for _ in range(runs):
            recorded.evaluate(engine)
        after = pss_megabytes(os.getpid())
        engine.close()
        return before, after


def measure_engine(runs: int = 1000) -> Iterator[ScriptRow]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        cache = Path(folder) / "cache"
        yield _starts("start of an empty cache", 1, lambda: Sandbox.open(Limits(), cache))
        yield _starts("start with a warm cache", 20, lambda: Sandbox.open(Limits(), cache))
        sandbox = Sandbox.open(Limits(), cache)
        yield _row("instance alone", _times(runs, lambda: sandbox.check("", "x.js")), "an empty script, compiled only")
        try:
            yield _starts("start of a locked worker", 5, lambda: WorkerPool(Limits(), cache))
        except EngineUnavailable as problem:
            print(f"no locked worker here: {problem}")
        recorded = Recorded(sandbox)
        sandbox.close()
        isolations: tuple[Isolation, ...] = ("off", "preferred")
        for isolation in isolations:
            yield from _lane_rows(isolation, cache, recorded.given, runs)


def _lane_rows(isolation: Isolation, cache: Path, honest: str, runs: int) -> Iterator[ScriptRow]:
    """An honest tenant alone, beside eight that loop until they are paused, and beside eight that never are."""
    for tenants, hits, count in ((0, 5, runs // 10), (8, 5, runs // 10), (8, 1_000_000, 10)):
        lane = ScriptLane(isolation, opener(isolation, Limits(), cache), LaneSettings(limit_hits=hits))
        times = asyncio.run(_beside(lane, honest, tenants, count))
        note = f"worst {1000 * max(times):.0f} ms" + (", never paused" if hits > 5 else "")
        yield _row(f"lane, isolation {isolation}, {tenants} tenants loop", times, note)


def _starts(name: str, count: int, open_engine: Callable[[], ScriptEngine]) -> ScriptRow:
    times = []
    for _ in range(count):
        begun = time.perf_counter()
        engine = open_engine()
        times.append(time.perf_counter() - begun)
        engine.close()
    return _row(name, times)


async def _beside(lane: ScriptLane, honest: str, tenants: int, runs: int) -> list[float]:
    """Seconds of an honest tenant's runs while others run endless loops, two at once each."""

    async def loop_for_ever(tenant: int) -> None:
        while True:
            try:
                await lane.run(tenant, honest, LOOP)
            except (Stopped, Refused):
                await asyncio.sleep(0.01)

    await lane.open()
    looping = [asyncio.ensure_future(loop_for_ever(tenant)) for tenant in range(tenants) for _ in range(2)]
    times = []
    for _ in range(runs):
        begun = time.perf_counter()
        answer: GuestAnswer = await lane.run(1000, honest, THREE_STEPS)
        times.append(time.perf_counter() - begun)
        assert answer.ok
    for task in looping:
        task.cancel()
    await asyncio.gather(*looping, return_exceptions=True)
    await lane.aclose()
    return times


def _times(count: int, work: Callable[[], object]) -> list[float]:
    times = []
    for _ in range(count):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return times


def _row(name: str, seconds: list[float], note: str = "") -> ScriptRow:
    ordered = sorted(seconds)
    last = len(ordered) - 1
    return ScriptRow(name=name, p50_ms=1000 * ordered[last // 2], p99_ms=1000 * ordered[int(last * 0.99)], note=note)


def print_script_row(row: ScriptRow) -> None:
    times = f"p50 {row.p50_ms:7.2f} ms  p99 {row.p99_ms:7.2f} ms  " if row.p50_ms else ""
    bound = f"bound {row.bound} {'ok' if row.holds else 'MISS'}" if row.bound else ""
    print(f"{row.name:44} {times}{row.note}{'  ' * bool(row.note)}{bound}", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--memory"]:
        print(json.dumps(_memory(sys.argv[2], int(sys.argv[3]))))
    else:
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
        for measured in (*measure_evaluations(), *measure_engine()):
            print_script_row(measured)
