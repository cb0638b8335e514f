"""Shadow mode: a candidate script is tried silently on each sign-in that has just ended, after the answer was sent.

It changes nothing and delays nobody: few at once, a short queue, and what does not fit is dropped and counted.
"""

import asyncio

from adaptive_auth.check import CheckingEngine
from identity.authn.backtest import Rehearsal
from identity.authn.login_course import Course
from identity.authn.login_recording import Recording, recording_of
from identity.authn.script_trials import Trials
from identity.authn.sign_in_scripts import SignInScripts
from identity.clock import Clock
from identity.errors import IdentityError
from identity.storage.configuration import TenantConfiguration
from identity.storage.database import Database
from identity.storage.shadow_comparisons import ShadowComparison, count_shadow_comparison
from identity.telemetry import Log, Metrics

MAXIMUM_WAITING = 100
"""Comparisons of one process that are under way or wait."""


class Shadow:
    """Belongs to one event loop."""

    def __init__(
        self, *, database: Database, scripts: SignInScripts, trials: Trials, metrics: Metrics, log: Log, clock: Clock
    ) -> None:
        self._database = database
        self._scripts = scripts
        self._trials = trials
        self._metrics = metrics
        self._log = log
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Semaphore(1)

    def watch(self, course: Course) -> None:
        """A sign-in has ended and is committed: compare, some time soon."""
        record = course.record
        cancelled = record.denial is not None and record.denial.reason == "cancelled"
        if not record.shadow or not record.verdict or cancelled or not course.row.application:
            return
        if len(self._tasks) >= MAXIMUM_WAITING:
            self._metrics.shadow("dropped")
            return
        work = self._compare(
            course.request.tenant, record.shadow, course.row.application, record.trace, recording_of(course)
        )
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def idle(self) -> None:
        """Until nothing is under way: before the process ends, and in tests."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await self.idle()

    async def _compare(
        self, tenant: TenantConfiguration, candidate: str, application: str, trace: str, recording: Recording
    ) -> None:
        try:
            async with self._turn:
                verdict = await self._verdict(tenant, candidate, recording)
            self._metrics.shadow(verdict)
            now = self._clock.now()
            comparison = ShadowComparison(
                application=application, candidate=candidate, verdict=verdict, count=1, example=trace, first_at=now,
                last_at=now,
            )  # fmt: skip
            async with self._database.transaction() as transaction:
                await count_shadow_comparison(transaction, tenant.id, comparison)
        except IdentityError as problem:
            # The lane is busy with logins, or the database with other things: those go first.
            self._metrics.shadow("dropped")
            self._log.info("shadow comparison dropped", error=problem.code, detail=problem.detail, trace_id=trace)
        except Exception as error:
            self._metrics.shadow("dropped")
            self._log.error("shadow comparison failed", trace_id=trace, exc_info=error)

    async def _verdict(self, tenant: TenantConfiguration, candidate: str, recording: Recording) -> str:
        script = await self._scripts.load(tenant, candidate)
        if script is None:
            return "error"
        secrets = await self._scripts.secret_names(tenant)

        def compare(engine: CheckingEngine) -> str:
            return Rehearsal(engine, script, secrets=secrets).compare(recording).comparison

        return await self._trials.run(tenant.id, compare)
