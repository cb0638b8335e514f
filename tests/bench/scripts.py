"""What sign-in scripts cost: `python -m tests.bench.scripts`.

A replay of three steps in this process and in a locked worker, an instance, a start with a warm cache, and what eight
tenants that loop for ever cost an honest one in the lane.
"""

import asyncio
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adaptive_auth.answers import EngineUnavailable, GuestAnswer, ScriptEngine, Stopped
from adaptive_auth.evaluation import Facts, JournalEntry
from adaptive_auth.isolation import Isolation, opener
from adaptive_auth.lane import LaneSettings, Refused, ScriptLane
from adaptive_auth.limits import Limits
from adaptive_auth.replay import given
from adaptive_auth.sandbox import Sandbox
from adaptive_auth.script import Script
from adaptive_auth.worker_pool import WorkerPool

THREE_STEPS = """
function onLoginRequest(context) {
  Log.info('from ' + context.request.ip);
  executeStep(1, { onSuccess: function (context) {
    var user = context.currentKnownSubject;
    Log.info('mail ' + user.localClaims['http://wso2.org/claims/emailaddress']);
    if (hasRole(user, 'admin')) executeStep(2, { onSuccess: function (context) {
      executeStep(3, { onFail: function () { fail({ errorCode: 'third' }); } });
    } });
  } });
}
"""
LOOP = "for (;;) ;"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptRow:
    """Milliseconds."""

    name: str
    p50_ms: float
    p99_ms: float
    note: str = ""


_REQUEST = {"ip": "203.0.113.7", "headers": {"user-agent": "Mozilla/5.0"}, "params": {}, "cookies": {}}
_PASSED = {
    "ok": True,
    "subject": {"id": "u1", "username": "ann", "domain": "PRIMARY", "tenant": "carbon.super", "identifier": "ann"},
    "authenticator": "BasicAuthenticator",
    "idp": "LOCAL",
    "request": _REQUEST,
}
_ANSWERS: tuple[tuple[str, Any], ...] = (
    ('step:{"step":1,"options":{},"retry":true}', _PASSED),
    ('claims:{"user":"u1"}', {"http://wso2.org/claims/emailaddress": "ann@example.org"}),
    ('hasAnyOfTheRoles:{"user":"u1","roles":["admin"]}', True),
    ('step:{"step":2,"options":{},"retry":true}', _PASSED),
    ('step:{"step":3,"options":{},"retry":false}', _PASSED),
)
_FACTS = Facts(
    application="portal",
    tenant="carbon.super",
    request=_REQUEST,
    started=1_700_000_000_000,
    seed="flow",
    steps=dict.fromkeys((1, 2, 3), ("BasicAuthenticator",)),
)


def journal(answered: int) -> str:
    """What is given to a login of three steps once that many of its five questions have been answered."""
    entries: list[JournalEntry] = [{"key": key, "value": value, "at": 1_700_000_000_000} for key, value in _ANSWERS]
    return given(Script(THREE_STEPS), _FACTS, entries[:answered])


def measure_scripts(runs: int = 1000) -> Iterator[ScriptRow]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        cache = Path(folder) / "cache"
        yield _starts("start of an empty cache", 1, lambda: Sandbox.open(Limits(), cache))
        yield _starts("start with a warm cache", 20, lambda: Sandbox.open(Limits(), cache))
        sandbox = Sandbox.open(Limits(), cache)
        yield _row("instance alone", _times(runs, lambda: sandbox.check("", "x.js")), "an empty script, compiled only")
        yield _replay("replay of 3 steps, in process", sandbox, runs)
        try:
            yield _starts("start of a locked worker", 5, lambda: WorkerPool(Limits(), cache))
            pool = WorkerPool(Limits(), cache)
            yield _replay("replay of 3 steps, locked worker", pool, runs)
            pool.close()
        except EngineUnavailable as problem:
            print(f"no locked worker here: {problem}")
        isolations: tuple[Isolation, ...] = ("off", "preferred")
        for isolation in isolations:
            yield from _lane_rows(isolation, cache, runs)


def _lane_rows(isolation: Isolation, cache: Path, runs: int) -> Iterator[ScriptRow]:
    """An honest tenant alone, beside eight that loop until they are paused, and beside eight that never are."""
    for tenants, hits, count in ((0, 5, runs // 10), (8, 5, runs // 10), (8, 1_000_000, 10)):
        lane = ScriptLane(isolation, opener(isolation, Limits(), cache), LaneSettings(limit_hits=hits))
        times = asyncio.run(_beside(lane, tenants, count))
        note = f"worst {1000 * max(times):.0f} ms" + (", never paused" if hits > 5 else "")
        yield _row(f"lane, isolation {isolation}, {tenants} tenants loop", times, note)


def _replay(name: str, engine: ScriptEngine, runs: int) -> ScriptRow:
    answer = engine.run(journal(len(_ANSWERS)), THREE_STEPS)
    assert json.loads(answer.text)["status"] == "done"
    return _row(name, _times(runs, lambda: engine.run(journal(len(_ANSWERS)), THREE_STEPS)), f"{answer.fuel} fuel")


def _starts(name: str, count: int, open_engine: Callable[[], ScriptEngine]) -> ScriptRow:
    times = []
    for _ in range(count):
        begun = time.perf_counter()
        engine = open_engine()
        times.append(time.perf_counter() - begun)
        engine.close()
    return _row(name, times)


async def _beside(lane: ScriptLane, tenants: int, runs: int) -> list[float]:
    """Seconds of an honest tenant's runs while others run endless loops, two at once each."""

    async def loop_for_ever(tenant: int) -> None:
        while True:
            try:
                await lane.run(tenant, journal(0), LOOP)
            except (Stopped, Refused):
                await asyncio.sleep(0.01)

    await lane.open()
    looping = [asyncio.ensure_future(loop_for_ever(tenant)) for tenant in range(tenants) for _ in range(2)]
    times = []
    for _ in range(runs):
        begun = time.perf_counter()
        answer: GuestAnswer = await lane.run(1000, journal(len(_ANSWERS)), THREE_STEPS)
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
    print(f"{row.name:44} p50 {row.p50_ms:8.2f} ms  p99 {row.p99_ms:8.2f} ms  {row.note}", flush=True)


if __name__ == "__main__":
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    for measured in measure_scripts():
        print_script_row(measured)
