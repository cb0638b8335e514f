"""The lane: whose turn it is, what is refused, what a cancelled caller leaves. The engine is a scripted one."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import Any

import pytest

from adaptive_auth.answers import EngineUnavailable, GuestAnswer, Stopped
from adaptive_auth.isolation import Isolation, OpenedEngine, opener
from adaptive_auth.lane import Busy, LaneSettings, Paused, ScriptLane, Unavailable
from tests.adaptive_auth.conftest import LIMITS, needs_lock
from tests.adaptive_auth.honest import TWO_STEPS, given, outcome

Test = Callable[..., Coroutine[Any, Any, None]]


def in_loop(test: Test) -> Callable[..., None]:
    @wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


class ScriptedEngine:
    """Does what the script says: `stop`, `break`, `lost`; others wait until `step` or `free` lets them end."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.nice: set[int] = set()
        self.closed = False
        self._begun = threading.Condition()
        self._ends = threading.Semaphore(0)

    def run(self, given: str, script: str, *, hurried: bool = False) -> GuestAnswer:
        with self._begun:
            self.begun.append(given)
            self._begun.notify_all()
        self.nice.add(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        if script == "stop":
            raise Stopped("wall", "too long")
        if script == "slow" and hurried:
            raise Stopped("fuel", "too many instructions")
        if script == "input":
            raise Stopped("input", "too large")
        if script == "break":
            raise ZeroDivisionError
        if script == "lost":
            raise EngineUnavailable("no worker starts")
        if script in ("wait", "slow"):
            self._ends.acquire()
        return GuestAnswer(True, given)

    def check(self, script: str, name: str) -> GuestAnswer:
        return self.run(name, script)

    def close(self) -> None:
        self.closed = True

    def end(self, count: int = 1) -> None:
        self._ends.release(count)

    async def wait_begun(self, count: int) -> list[str]:
        def wait() -> list[str]:
            with self._begun:
                assert self._begun.wait_for(lambda: len(self.begun) >= count, 30)
                return list(self.begun)

        return await asyncio.to_thread(wait)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def lane_of(engine: ScriptedEngine, clock: Clock | None = None, **settings: Any) -> AsyncIterator[ScriptLane]:
    lane = ScriptLane(
        "off",
        lambda: OpenedEngine(engine, False, "isolation is off"),
        LaneSettings(**{"at_once": 1, **settings}),
        clock or Clock(),
    )
    await lane.open()
    yield lane
    engine.end(1000)
    await lane.aclose()
    assert engine.closed


async def begin(*calls: Coroutine[Any, Any, GuestAnswer]) -> list[asyncio.Task[GuestAnswer]]:
    """Each call in its queue, in this order."""
    tasks = []
    for call in calls:
        tasks.append(asyncio.ensure_future(call))
        await asyncio.sleep(0)
    return tasks


@in_loop
async def test_tenants_take_turns() -> None:
    engine = ScriptedEngine()
    async with lane_of(engine) as lane:
        flood = await begin(*(lane.run(1, f"flood {number}", "wait") for number in range(5)))
        await engine.wait_begun(1)
        others = await begin(lane.run(2, "two", "wait"), lane.run(3, "three", "wait"), lane.run(2, "two more", "wait"))
        engine.end(8)
        await asyncio.gather(*flood, *others)
        assert engine.begun == ["flood 0", "flood 1", "two", "three", "flood 2", "two more", "flood 3", "flood 4"]


@in_loop
async def test_a_tenant_gets_two_at_once_at_most() -> None:
    engine = ScriptedEngine()
    async with lane_of(engine, at_once=4) as lane:
        tasks = await begin(
            *(lane.run(1, f"flood {number}", "wait") for number in range(4)), lane.run(2, "two", "wait")
        )
        assert sorted(await engine.wait_begun(3)) == ["flood 0", "flood 1", "two"]
        assert (lane.state.running, lane.state.waiting) == (3, 2)
        engine.end(5)
        await asyncio.gather(*tasks)
        assert (lane.state.running, lane.state.waiting) == (0, 0)


@in_loop
async def test_threads_are_below_everything_else() -> None:
    engine = ScriptedEngine()
    async with lane_of(engine) as lane:
        await lane.run(1, "", "")
        assert engine.nice == {15}


@in_loop
async def test_queue_is_bounded_for_each_tenant_and_for_all() -> None:
    engine = ScriptedEngine()
    async with lane_of(engine, waiting=4, waiting_per_tenant=2) as lane:
        tasks = await begin(*(lane.run(1, "flood", "wait") for _ in range(3)))
        await engine.wait_begun(1)
        with pytest.raises(Busy, match="this tenant"):
            await lane.run(1, "", "")
        tasks += await begin(lane.run(2, "two", "wait"), lane.run(3, "three", "wait"))
        with pytest.raises(Busy, match="too many scripts wait"):
            await lane.run(4, "", "")
        engine.end(5)
        await asyncio.gather(*tasks)
        await lane.run(1, "", "")


@in_loop
async def test_cancelled_while_waiting_never_runs() -> None:
    engine = ScriptedEngine()
    async with lane_of(engine) as lane:
        first, second, third = await begin(*(lane.run(1, f"{number}", "wait") for number in range(3)))
        await engine.wait_begun(1)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        assert lane.state.waiting == 1
        engine.end(2)
        assert [(await task).text for task in (first, third)] == ["0", "2"]
        assert engine.begun == ["0", "2"]


@pytest.mark.parametrize("script", ["wait", "stop", "break"])
@in_loop
async def test_cancelled_while_running_frees_its_place(script: str) -> None:
    engine = ScriptedEngine()
    async with lane_of(engine) as lane:
        (running,) = await begin(lane.run(1, "gone", script))
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        engine.end()
        assert (await lane.run(2, "two", "")).text == "two"
        assert lane.state.running == 0
        assert not lane._queues
        assert not lane._running


@in_loop
async def test_cancelled_while_the_engine_opens_leaves_it_to_the_others() -> None:
    engine, opening = ScriptedEngine(), threading.Event()

    def open_slowly() -> OpenedEngine:
        assert opening.wait(30)
        return OpenedEngine(engine, False, "")

    lane = ScriptLane("off", open_slowly, LaneSettings(at_once=1))
    first, second = await begin(lane.run(1, "first", ""), lane.run(1, "second", ""))
    first.cancel()
    with suppress(asyncio.CancelledError):
        await first
    opening.set()
    assert (await second).text == "second"
    assert engine.begun == ["second"]
    await lane.aclose()


@in_loop
async def test_limits_pause_a_tenant_and_nobody_else() -> None:
    engine, clock = ScriptedEngine(), Clock()
    async with lane_of(engine, clock) as lane:
        for number in range(5):
            clock.now += 10
            with pytest.raises(Stopped):
                await lane.run(1, f"{number}", "stop")
        assert list(lane.state.paused) == [1]
        with pytest.raises(Paused, match=r"hit a limit 5 times within 60 s and are paused for 60 s more"):
            await lane.run(1, "paused", "")
        assert (await lane.run(2, "two", "")).ok
        assert (await lane.check(1, "", "mended.js")).ok, "who saves a better script may check it"
        clock.now += 59.9
        with pytest.raises(Paused):
            await lane.run(1, "paused", "")
        clock.now += 0.1
        assert (await lane.run(1, "again", "")).ok
        assert not lane.state.paused
        assert "paused" not in engine.begun


@in_loop
async def test_who_has_hit_a_limit_takes_no_turn_from_others() -> None:
    engine, clock = ScriptedEngine(), Clock()
    async with lane_of(engine, clock) as lane:
        for tenant in (1, 2, 3):
            with pytest.raises(Stopped):
                await lane.run(tenant, f"loop of {tenant}", "stop")
        suspects = await begin(*(lane.run(tenant, f"again {tenant}", "wait") for tenant in (1, 2, 3)))
        await engine.wait_begun(4)
        honest = await begin(lane.run(4, "honest", "wait"), lane.run(5, "other", "wait"))
        begun = await engine.wait_begun(5)
        assert begun[-2:] == ["again 1", "honest"], "one suspect runs, and the first of the others beside it"
        assert (lane.state.running, lane.state.waiting) == (2, 3)
        engine.end(5)
        await asyncio.gather(*suspects, *honest)
        clock.now += 601
        later = await begin(lane.run(1, "trusted again", "wait"), lane.run(2, "waits for its turn", "wait"))
        await engine.wait_begun(9)
        assert lane.state.running == 1
        engine.end(2)
        await asyncio.gather(*later)


@in_loop
async def test_a_slow_script_goes_on_beside_the_others() -> None:
    engine = ScriptedEngine()
    async with lane_of(engine) as lane:
        (slow,) = await begin(lane.run(1, "slow", "slow"))
        await engine.wait_begun(2)
        (honest,) = await begin(lane.run(2, "honest", "wait"))
        assert await engine.wait_begun(3) == ["slow", "slow", "honest"], "once hurried, once with the whole limit"
        engine.end(2)
        assert (await slow).text == "slow"
        assert (await honest).ok
        assert not lane.state.paused
        (again,) = await begin(lane.run(1, "slow again", "slow"))
        await engine.wait_begun(4)
        engine.end()
        assert (await again).ok, "known to be slow, it is not hurried any more"
        assert engine.begun[3:] == ["slow again"]


@in_loop
async def test_what_waits_is_refused_when_the_pause_begins() -> None:
    engine = ScriptedEngine()
    async with lane_of(engine, limit_hits=1) as lane:
        (holder,) = await begin(lane.run(2, "two", "wait"))
        await engine.wait_begun(1)
        bad, waiting, check = await begin(
            lane.run(1, "bad", "stop"), lane.run(1, "next", ""), lane.check(1, "", "check")
        )
        engine.end()
        await holder
        with pytest.raises(Stopped):
            await bad
        with pytest.raises(Paused):
            await waiting
        assert (await check).ok
        assert engine.begun == ["two", "bad", "check"]


@in_loop
async def test_limits_far_apart_or_of_checks_or_input_pause_nobody() -> None:
    engine, clock = ScriptedEngine(), Clock()
    async with lane_of(engine, clock) as lane:
        for _ in range(10):
            clock.now += 15
            with pytest.raises(Stopped):
                await lane.run(1, "", "stop")
        for _ in range(10):
            with pytest.raises(Stopped):
                await lane.check(2, "stop", "x.js")
            with pytest.raises(Stopped):
                await lane.run(3, "", "input")
        assert lane.state.paused == ()
        clock.now += 1000
        with pytest.raises(Stopped):
            await lane.run(4, "", "stop")
        assert set(lane._hits) == {4}, "what is old is forgotten"


@in_loop
async def test_engine_that_does_not_open_is_tried_again_after_a_while() -> None:
    engine, clock, tries = ScriptedEngine(), Clock(), 0

    def open_second_time() -> OpenedEngine:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise EngineUnavailable("Isolation is required, and no lock.")
        return OpenedEngine(engine, True, "seccomp holds")

    lane = ScriptLane("required", open_second_time, LaneSettings(at_once=1), clock)
    assert lane.state.reason == "no script has run yet"
    for _ in range(3):
        with pytest.raises(Unavailable, match="no lock"):
            await lane.run(1, "", "")
    assert (tries, lane.state.locked, lane.state.reason) == (1, False, "Isolation is required, and no lock.")
    assert lane.state.waiting == 0
    clock.now += 30
    assert (await lane.run(1, "", "")).ok
    assert (lane.state.locked, lane.state.reason) == (True, "seccomp holds")
    await lane.aclose()


@in_loop
async def test_engine_that_is_lost_is_opened_anew() -> None:
    engines, clock = [ScriptedEngine(), ScriptedEngine()], Clock()
    left = iter(engines)
    lane = ScriptLane("preferred", lambda: OpenedEngine(next(left), True, ""), LaneSettings(at_once=1), clock)
    lost, waiting = await begin(lane.run(1, "", "lost"), lane.run(2, "", ""))
    for task in (lost, waiting):
        with pytest.raises(Unavailable, match="no worker starts"):
            await task
    assert (lane.state.locked, lane.state.reason) == (False, "no worker starts")
    clock.now += 30
    assert (await lane.run(1, "second", "")).ok
    assert engines[1].begun == ["second"]
    await lane.aclose()


@in_loop
async def test_a_fault_of_ours_reaches_the_caller_and_nobody_else() -> None:
    engine = ScriptedEngine()
    async with lane_of(engine) as lane:
        with pytest.raises(ZeroDivisionError):
            await lane.run(1, "", "break")
        assert (await lane.run(1, "fine", "")).ok


@in_loop
async def test_closing_refuses_who_waits_and_lets_end_what_runs() -> None:
    others = set(threading.enumerate())
    engine = ScriptedEngine()
    async with lane_of(engine) as lane:
        running, waiting = await begin(lane.run(1, "runs", "wait"), lane.run(2, "waits", "wait"))
        await engine.wait_begun(1)
        closing = asyncio.ensure_future(lane.aclose())
        with pytest.raises(Unavailable, match="stopping"):
            await waiting
        engine.end()
        assert (await running).text == "runs"
        await closing
        with pytest.raises(Unavailable, match="stopping"):
            await lane.run(1, "", "")
        assert not [each for each in threading.enumerate() if each.name.startswith("script_") and each not in others]


@pytest.mark.parametrize("isolation", ["off", "required"])
@in_loop
async def test_real_scripts_run_in_the_lane(isolation: Isolation, guest_folder: Path) -> None:
    if isolation == "required":
        needs_lock()
    lane = ScriptLane(isolation, opener(isolation, LIMITS, guest_folder))
    looping = await begin(*(lane.run(tenant, given(), "for (;;) ;") for tenant in range(3)))
    assert outcome(await lane.run(9, given(), TWO_STEPS))["status"] == "asked"
    assert not (await lane.check(9, "let let", "x.js")).ok
    ended = await asyncio.gather(*looping, return_exceptions=True)
    assert [type(end) for end in ended] == [Stopped] * 3
    assert lane.state.locked is (isolation == "required")
    await lane.aclose()
