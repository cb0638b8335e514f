"""Scripts that nobody's sign-in waits for: bounded, in turn, ended when whoever asked has gone."""

import asyncio
from typing import Any, cast

import pytest

from adaptive_auth.answers import GuestAnswer
from adaptive_auth.check import CheckingEngine
from adaptive_auth.lane import Busy
from identity.authn import script_trials
from identity.authn.script_runner import ScriptRunner
from identity.authn.script_trials import WAITING_PER_TENANT, LaneTrials
from identity.domain.tenants import TenantId
from identity.errors import IdentityError

pytestmark = pytest.mark.long

TENANT = TenantId(1)


class Lane:
    """Counts runs; refuses where it is told to."""

    def __init__(self) -> None:
        self.runs = 0
        self.full = False

    async def rehearse(self, tenant: int, given: str, script: str) -> GuestAnswer:
        if self.full:
            raise Busy("too many scripts wait")
        self.runs += 1
        return GuestAnswer(True, str(self.runs))


class Runner:
    def __init__(self) -> None:
        self.lane = Lane()

    async def require_isolation(self) -> None:
        return None


def trials(runner: Runner) -> LaneTrials:
    return LaneTrials(cast(ScriptRunner, runner))


def endless(engine: CheckingEngine) -> Any:
    while True:
        engine.run("", "")


def once(engine: CheckingEngine) -> str:
    return engine.run("", "").text


def test_work_ends_when_its_caller_has_gone() -> None:
    async def main() -> None:
        runner = Runner()
        tried = trials(runner)
        task = asyncio.create_task(tried.run(TENANT, endless))
        while runner.lane.runs < 3:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        runs = runner.lane.runs
        assert await tried.run(TENANT, once) == str(runs + 1), "the thread of before runs nothing any more"
        tried.close()

    asyncio.run(main())


def test_a_tenant_waits_for_itself_only_and_not_without_bound() -> None:
    async def main() -> None:
        runner = Runner()
        tried = trials(runner)
        tasks = [asyncio.create_task(tried.run(TENANT, endless)) for _ in range(WAITING_PER_TENANT)]
        while not runner.lane.runs:
            await asyncio.sleep(0)
        with pytest.raises(IdentityError) as refused:
            await tried.run(TENANT, once)
        assert refused.value.status == 503
        assert await tried.run(TenantId(2), once)
        for task in reversed(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert await tried.run(TENANT, once)
        tried.close()

    asyncio.run(main())


def test_a_busy_lane_is_told_to_administrators() -> None:
    async def main() -> None:
        runner = Runner()
        runner.lane.full = True
        with pytest.raises(IdentityError) as refused:
            await trials(runner).run(TENANT, once)
        assert (refused.value.code, refused.value.status) == ("scripts_unavailable", 503)
        assert "too many scripts wait" in refused.value.public

    asyncio.run(main())


def test_work_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attack row 28: a script that asks a hundred things, each run at the edge of its limits."""
    monkeypatch.setattr(script_trials, "MAXIMUM_SECONDS", -1.0)

    async def main() -> None:
        with pytest.raises(IdentityError) as refused:
            await trials(Runner()).run(TENANT, endless)
        assert refused.value.code == "too_long"

    asyncio.run(main())
