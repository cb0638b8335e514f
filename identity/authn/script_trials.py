"""Runs of scripts that nobody's login waits for: checks and tests at save, simulations, backtests.

On a server each single run takes its turn in the lane, as the caller's tenant and within the lane's limits, so logins
go first wherever both wait. The command line has an engine of its own, under the same rule about isolation.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Protocol, TypeVar

from adaptive_auth.answers import EngineUnavailable, GuestAnswer
from adaptive_auth.check import CheckingEngine
from adaptive_auth.compile import GuestBroken
from adaptive_auth.isolation import OpenedEngine
from adaptive_auth.lane import Refused
from identity.authn.script_runner import ScriptRunner
from identity.domain.tenants import TenantId
from identity.errors import IdentityError

T = TypeVar("T")
AT_ONCE = 2
WAITING_PER_TENANT = 4
MAXIMUM_SECONDS = 15.0
"""Of one piece of work on a server: a script may ask a hundred things, each run at the edge of its limits."""


class Trials(Protocol):
    async def run(self, tenant: TenantId, work: Callable[[CheckingEngine], T]) -> T:
        """`work` in a thread, with something to run scripts with. Raises IdentityError: 503 where that cannot be, 400
        where it takes too long."""
        ...


class _Cancelled(Exception):
    """Whoever wanted to know has gone."""


class LaneTrials:
    """Belongs to one event loop. Of one tenant one piece of work runs at a time."""

    def __init__(self, runner: ScriptRunner) -> None:
        self._runner = runner
        self._threads = ThreadPoolExecutor(AT_ONCE, "script-trial")
        self._locks: dict[int, asyncio.Lock] = {}
        self._wanted: Counter[int] = Counter()

    async def run(self, tenant: TenantId, work: Callable[[CheckingEngine], T]) -> T:
        if self._wanted[tenant] >= WAITING_PER_TENANT:
            raise _busy("too many trials of this tenant")
        self._wanted[tenant] += 1
        lock = self._locks.setdefault(tenant, asyncio.Lock())
        try:
            async with lock:
                return await self._run(tenant, work)
        except Refused as refused:
            raise _busy(str(refused)) from None
        finally:
            self._wanted[tenant] -= 1
            if not self._wanted[tenant]:
                del self._wanted[tenant]
                self._locks.pop(tenant, None)

    async def _run(self, tenant: TenantId, work: Callable[[CheckingEngine], T]) -> T:
        await self._runner.require_isolation()
        loop = asyncio.get_running_loop()
        engine = _LaneEngine(self._runner, tenant, loop)
        future = loop.run_in_executor(self._threads, work, engine)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            # The thread ends at its next run; until then nobody else of this tenant begins.
            engine.cancelled = True
            with suppress(_Cancelled, Refused):
                await future
            raise

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


class _LaneEngine:
    """The lane, for a thread that may block."""

    def __init__(self, runner: ScriptRunner, tenant: TenantId, loop: asyncio.AbstractEventLoop) -> None:
        self._lane = runner.lane
        self._tenant = tenant
        self._loop = loop
        self._end = time.monotonic() + MAXIMUM_SECONDS
        self.cancelled = False

    def run(self, given: str, script: str) -> GuestAnswer:
        return self._wait_for(self._lane.rehearse(self._tenant, given, script))

    def check(self, script: str, name: str) -> GuestAnswer:
        return self._wait_for(self._lane.check(self._tenant, script, name))

    def _wait_for(self, work: Coroutine[Any, Any, GuestAnswer]) -> GuestAnswer:
        if self.cancelled or self._loop.is_closed():
            work.close()
            raise _Cancelled
        if time.monotonic() > self._end:
            work.close()
            raise IdentityError("too_long", f"Trying this takes more than {MAXIMUM_SECONDS:g} s.")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


class OwnEngineTrials:
    """For the command line: an engine of its own, opened when first needed. `open_engine` blocks (see
    `isolation.opener`); `refusal` says why no script runs in what was opened, or nothing."""

    def __init__(
        self, open_engine: Callable[[], OpenedEngine], refusal: Callable[[OpenedEngine], Awaitable[str]]
    ) -> None:
        self._open_engine = open_engine
        self._refusal = refusal
        self._opened: OpenedEngine | None = None

    async def run(self, tenant: TenantId, work: Callable[[CheckingEngine], T]) -> T:
        if self._opened is None:
            self._opened = await self._open()
        try:
            return await asyncio.to_thread(work, self._opened.engine)
        except EngineUnavailable as problem:
            raise _busy(str(problem)) from None

    async def _open(self) -> OpenedEngine:
        try:
            opened = await asyncio.to_thread(self._open_engine)
        except (EngineUnavailable, GuestBroken) as problem:
            raise _busy(str(problem)) from None
        refusal = await self._refusal(opened)
        if refusal:
            opened.engine.close()
            raise _busy(refusal)
        return opened

    def close(self) -> None:
        if self._opened is not None:
            self._opened.engine.close()


def _busy(reason: str) -> IdentityError:
    """For administrators, who may read why."""
    error = IdentityError("scripts_unavailable", f"Scripts cannot be run now: {reason}.", status=503)
    error.retry_after = 2  # type: ignore[attr-defined]
    return error
