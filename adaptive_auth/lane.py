"""Who runs a script when: a few at once, tenants in turn, a bounded queue, and a pause for those that only hit limits.

Belongs to one event loop. The scripts run in threads at nice 15, below the lane of the password hashes.
"""

import asyncio
import os
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from adaptive_auth.answers import EngineUnavailable, GuestAnswer, ScriptEngine, Stopped
from adaptive_auth.compile import GuestBroken
from adaptive_auth.isolation import Isolation, OpenedEngine

NICE = 15
SUSPECTS_AT_ONCE = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneSettings:
    """`limit_hits` within `window_seconds` pause a tenant's scripts for `pause_seconds`.

    Every run is hurried first, with little fuel. A tenant whose run needed more, or hit a limit, is a suspect for
    `suspect_seconds`: its scripts run with the whole limits, one suspect at a time, in a place of its own beside the
    `at_once` of the others. So scripts that loop for ever take no turn from those that do not.
    """

    at_once: int = field(default_factory=lambda: max(1, (os.cpu_count() or 1) - 1))
    at_once_per_tenant: int = 2
    waiting: int = 256
    waiting_per_tenant: int = 128
    limit_hits: int = 5
    window_seconds: float = 60.0
    pause_seconds: float = 60.0
    suspect_seconds: float = 600.0
    retry_seconds: float = 30.0
    """After the engine could not be opened; until then scripts are refused with the reason."""


Work = Callable[[ScriptEngine, bool], GuestAnswer]
"""A run, hurried or not; or a check."""


class Refused(Exception):
    """The script did not run: the login is denied. The text is for an administrator."""


class Busy(Refused):
    """Too many scripts wait."""


class Paused(Refused):
    """This tenant's scripts have hit limits too often."""


class Unavailable(Refused):
    """There is no engine, or it is not isolated as the settings require."""


@dataclass(frozen=True, slots=True)
class LaneState:
    """For a health page. `reason` says why `locked` is false, or why nothing runs; `paused` are tenants."""

    isolation: Isolation
    locked: bool
    reason: str
    running: int
    waiting: int
    paused: tuple[int, ...]


@dataclass(slots=True, eq=False)
class _Job:
    tenant: int
    work: Work
    counts: bool
    """Whether a limit that it hits counts towards a pause: at saving nobody waits to sign in."""
    answer: asyncio.Future[GuestAnswer]
    suspect: bool = False


class ScriptLane:
    def __init__(
        self,
        isolation: Isolation,
        open_engine: Callable[[], OpenedEngine],
        settings: LaneSettings | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`open_engine` blocks and is called in a thread, at `open` or the first script: see `isolation.opener`."""
        self._isolation = isolation
        self._open_engine = open_engine
        self._settings = settings or LaneSettings()
        self._clock = clock
        self._threads = ThreadPoolExecutor(self._settings.at_once + SUSPECTS_AT_ONCE, "script", _be_nice)
        self._engine: OpenedEngine | None = None
        self._opening: asyncio.Future[None] | None = None
        self._failure = "no script has run yet"
        self._retry_at = float("-inf")
        self._queues: OrderedDict[int, deque[_Job]] = OrderedDict()
        self._running: dict[int, int] = {}
        self._suspected: dict[int, float] = {}
        """Until when, by tenant."""
        self._suspects = 0
        """Of those that run."""
        self._hits: dict[int, deque[float]] = {}
        self._paused: dict[int, float] = {}
        self._closed = False

    @property
    def state(self) -> LaneState:
        now = self._clock()
        return LaneState(
            isolation=self._isolation,
            locked=self._engine is not None and self._engine.locked,
            reason=self._engine.reason if self._engine else self._failure,
            running=sum(self._running.values()),
            waiting=sum(map(len, self._queues.values())),
            paused=tuple(sorted(tenant for tenant, until in self._paused.items() if until > now)),
        )

    @property
    def opened(self) -> bool:
        return self._engine is not None

    async def open(self) -> None:
        """Open the engine now instead of at the first script. Raises Unavailable."""
        if self._closed:
            raise Unavailable("the server is stopping")
        if self._engine is not None:
            return
        if self._opening is None:
            if self._clock() < self._retry_at:
                raise Unavailable(self._failure)
            self._opening = asyncio.ensure_future(self._open())
        # A caller that is cancelled leaves the others the engine that they wait for.
        await asyncio.shield(self._opening)

    async def run(self, tenant: int, given: str, script: str) -> GuestAnswer:
        """One run, in the tenant's turn. Raises Stopped, Busy, Paused, Unavailable."""
        self._refuse_paused(tenant)
        return await self._queued(tenant, partial(_run, given, script), counts=True)

    async def rehearse(self, tenant: int, given: str, script: str) -> GuestAnswer:
        """A run that nobody's login waits for: in the tenant's turn, also while it is paused, and no limit that it hits
        counts towards a pause. Raises Stopped, Busy, Unavailable."""
        return await self._queued(tenant, partial(_run, given, script), counts=False)

    async def check(self, tenant: int, script: str, name: str) -> GuestAnswer:
        """Compile only; also for a tenant that is paused. Raises Stopped, Busy, Unavailable."""
        return await self._queued(tenant, lambda engine, hurried: engine.check(script, name), counts=False)

    async def aclose(self) -> None:
        """Who waits is refused; what runs ends at its limits at the latest."""
        self._closed = True
        for tenant in list(self._queues):
            self._refuse_waiting(tenant, Unavailable("the server is stopping"))
        if self._opening is not None:
            with suppress(Unavailable):
                await asyncio.shield(self._opening)
        await asyncio.to_thread(self._threads.shutdown)
        if self._engine is not None:
            await asyncio.to_thread(self._engine.engine.close)
            self._engine, self._failure = None, "the server is stopping"

    async def _open(self) -> None:
        try:
            self._engine = await asyncio.to_thread(self._open_engine)  # at no lower priority than the rest of a start
        except (EngineUnavailable, GuestBroken) as problem:
            self._failure = str(problem)
            self._retry_at = self._clock() + self._settings.retry_seconds
            raise Unavailable(self._failure) from None
        finally:
            self._opening = None

    async def _queued(self, tenant: int, work: Work, *, counts: bool) -> GuestAnswer:
        job = _Job(tenant, work, counts, asyncio.get_running_loop().create_future())
        self._refuse_flood(tenant)
        self._queues.setdefault(tenant, deque()).append(job)
        try:
            await self.open()
            self._dispatch()
            return await job.answer
        finally:
            self._forget(job)

    def _refuse_flood(self, tenant: int) -> None:
        if self._closed:
            raise Unavailable("the server is stopping")
        if len(self._queues.get(tenant, ())) >= self._settings.waiting_per_tenant:
            raise Busy("too many scripts of this tenant wait")
        if sum(map(len, self._queues.values())) >= self._settings.waiting:
            raise Busy("too many scripts wait")

    def _forget(self, job: _Job) -> None:
        """Whose caller has gone need not run."""
        if job.answer.done() and not job.answer.cancelled():
            job.answer.exception()  # seen, also where the caller was cancelled at that moment
        queue = self._queues.get(job.tenant)
        if queue is not None:
            with suppress(ValueError):
                queue.remove(job)
            if not queue:
                del self._queues[job.tenant]

    def _dispatch(self) -> None:
        while self._engine is not None:
            job = self._next()
            if job is None:
                return
            job.suspect = self._is_suspect(job.tenant)
            self._suspects += job.suspect
            self._running[job.tenant] = self._running.get(job.tenant, 0) + 1
            self._start(job, self._engine.engine)

    def _next(self) -> _Job | None:
        """The oldest of the tenant that has waited longest for a turn and may run one more."""
        others = sum(self._running.values()) - self._suspects
        for tenant, queue in self._queues.items():
            suspect = self._is_suspect(tenant)
            room = self._suspects < SUSPECTS_AT_ONCE if suspect else others < self._settings.at_once
            if room and self._running.get(tenant, 0) < self._settings.at_once_per_tenant:
                job = queue.popleft()
                self._queues.move_to_end(tenant)
                if not queue:
                    del self._queues[tenant]
                return job
        return None

    def _is_suspect(self, tenant: int) -> bool:
        return self._suspected.get(tenant, float("-inf")) > self._clock()

    def _start(self, job: _Job, engine: ScriptEngine) -> None:
        loop = asyncio.get_running_loop()

        def ended(future: "Future[GuestAnswer]") -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(self._ended, job, future)

        self._threads.submit(job.work, engine, not job.suspect).add_done_callback(ended)

    def _ended(self, job: _Job, future: "Future[GuestAnswer]") -> None:
        self._suspects -= job.suspect
        self._running[job.tenant] -= 1
        if not self._running[job.tenant]:
            del self._running[job.tenant]
        problem = future.exception()
        if isinstance(problem, Stopped):
            self._suspected[job.tenant] = self._clock() + self._settings.suspect_seconds
            if problem.limit == "fuel" and not job.suspect and not job.answer.done():
                # It needs more than a hurried run has, and gets it where it delays nobody else.
                self._queues.setdefault(job.tenant, deque()).appendleft(job)
                self._dispatch()
                return
        if isinstance(problem, Stopped) and job.counts and problem.limit != "input":
            self._count_hit(job.tenant)
        if isinstance(problem, EngineUnavailable):
            self._lose_engine(str(problem))
            problem = Unavailable(str(problem))
        if not job.answer.done():
            if problem is None:
                job.answer.set_result(future.result())
            else:
                job.answer.set_exception(problem)
        self._dispatch()

    def _lose_engine(self, reason: str) -> None:
        """The next script opens it anew, after a while; so `preferred` may go on in this process."""
        lost, self._engine = self._engine, None
        if lost is not None:
            self._failure, self._retry_at = reason, self._clock() + self._settings.retry_seconds
            threading.Thread(target=lost.engine.close, name="script-engine-close").start()
            for tenant in list(self._queues):
                self._refuse_waiting(tenant, Unavailable(reason))

    def _count_hit(self, tenant: int) -> None:
        now = self._clock()
        hits = self._hits.setdefault(tenant, deque(maxlen=self._settings.limit_hits))
        hits.append(now)
        if len(hits) == self._settings.limit_hits and hits[0] > now - self._settings.window_seconds:
            self._paused[tenant] = now + self._settings.pause_seconds
            self._refuse_waiting(tenant, self._pause(tenant), only_counting=True)
        self._drop_stale(now)

    def _drop_stale(self, now: float) -> None:
        oldest = now - self._settings.window_seconds
        self._hits = {tenant: hits for tenant, hits in self._hits.items() if hits[-1] > oldest}
        self._paused = {tenant: until for tenant, until in self._paused.items() if until > now}
        self._suspected = {tenant: until for tenant, until in self._suspected.items() if until > now}

    def _refuse_paused(self, tenant: int) -> None:
        if self._paused.get(tenant, float("-inf")) > self._clock():
            raise self._pause(tenant)

    def _pause(self, tenant: int) -> Paused:
        seconds, count = self._paused[tenant] - self._clock(), self._settings.limit_hits
        return Paused(
            f"The sign-in scripts of this tenant hit a limit {count} times within {self._settings.window_seconds:g} s "
            f"and are paused for {seconds:.0f} s more."
        )

    def _refuse_waiting(self, tenant: int, refusal: Refused, *, only_counting: bool = False) -> None:
        for job in list(self._queues.get(tenant, ())):
            if not only_counting or job.counts:
                self._forget(job)
                if not job.answer.done():
                    job.answer.set_exception(refusal)


def _run(given: str, script: str, engine: ScriptEngine, hurried: bool) -> GuestAnswer:
    return engine.run(given, script, hurried=hurried)


def _be_nice() -> None:
    # Linux gives each thread its own nice value, so that the event loop's thread always goes first.
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
