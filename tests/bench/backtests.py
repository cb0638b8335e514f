"""How many recorded sign-ins a second one core tries under a changed script, read and unsealed from the database.

The recordings are those that the server made of real sign-ins to the scripted application of the bench.
"""

import time
from dataclasses import dataclass
from functools import partial

import uvloop

from adaptive_auth.isolation import OpenedEngine
from adaptive_auth.limits import Limits
from adaptive_auth.sandbox import Sandbox
from identity.administration import tenants
from identity.administration.backtests import Summary, prepare_backtest
from identity.administration.context import Administration
from identity.administration.script_bundles import ScriptAdministration
from identity.administration.scripts import owner_of
from identity.authn.script_trials import OwnEngineTrials
from identity.domain.tenants import ROOT_HANDLE
from tests.bench.cells import CONNECTIONS, cells
from tests.bench.installation import Installation
from tests.bench.load import Crowd
from tests.bench.scripted import ONE_STEP

BOUND = 1000.0
CHANGED = ONE_STEP.replace("'plain'", "'ordinary'")
"""Decides as before: the common case of a backtest."""


@dataclass(kw_only=True)
class BacktestSpeed:
    """`logins` in one pass over the recordings, `passes` of them; per second of one core's CPU."""

    logins: int
    passes: int
    per_second: float

    @property
    def holds(self) -> bool:
        return self.per_second >= BOUND


def measure_backtest(place: Installation, *, seconds: float) -> BacktestSpeed:
    work = next(cell.work for cell in cells(place) if cell.name == "scripted login")
    assert work is not None
    uvloop.run(Crowd(place.server.base_url, CONNECTIONS, work).run(seconds))
    client_id = place.clients["scripted"].application.client_id
    return place.administer(partial(_measure, client_id=client_id, seconds=seconds))


async def _allowed(_: OpenedEngine) -> str:
    return ""


async def _measure(administration: Administration, *, client_id: str, seconds: float) -> BacktestSpeed:
    """CPU of all threads of this process, which are one at a time; the database is not among it."""
    tenant = await tenants.require_tenant(administration, ROOT_HANDLE)
    owner = await owner_of(administration, tenant, client_id)
    sandbox = Sandbox.open(Limits())
    trials = OwnEngineTrials(lambda: OpenedEngine(sandbox, False, "isolation is off"), _allowed)
    scripting = ScriptAdministration(administration, trials)
    test = await prepare_backtest(scripting, owner, CHANGED, since_seconds=86_400, own_threads=1)
    passes, logins = 0, 0
    begun, cpu = time.perf_counter(), time.process_time()
    while not passes or time.perf_counter() - begun < seconds:
        summary = Summary()
        async for page in test.pages():
            summary.add(page)
        assert summary.counts["same"] == summary.counts.total() > 0, summary.counts
        passes, logins = passes + 1, summary.counts.total()
    used = time.process_time() - cpu
    sandbox.close()
    return BacktestSpeed(logins=logins, passes=passes, per_second=passes * logins / used)
