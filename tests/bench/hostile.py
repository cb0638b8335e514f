"""Whether tenants whose scripts loop for ever delay others: an honest tenant's scripted sign-ins and a gateway's
introspections at fixed rates, in windows quiet and hostile in turn.

The sign-ins to the hostile tenants are begun again and again, by one visitor of each tenant. The first pairs of windows
fall into the time in which their scripts run and hit the limit; the later ones into the pause that follows five hits of
a tenant within a minute, in which its sign-ins are refused without a run.
"""

import asyncio
import time
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

import uvloop

from tests.bench.cells import CONNECTIONS, Cell, Figures, cells
from tests.bench.flood import BACKLOG
from tests.bench.installation import Installation
from tests.bench.load import Crowd, Load, SteadyRate, percentile
from tests.bench.scripted import HostileTenants
from tests.bench.wire import Http, Surprise

TENANTS = 8
SHARE = 0.25
"""Of the most introspections: with the sign-ins the server has something to do, and room for more."""
SIGN_IN_EVERY = 0.2
AGAIN_AFTER = 0.5
"""Seconds until a visitor of a hostile tenant begins again."""
MORE_MS, FACTOR = 50.0, 2.0
"""The bounds: a sign-in's p99 may be so much later, an introspection's so many times as late."""


@dataclass(kw_only=True)
class Hostility:
    """`looping`: what the hostile windows had: scripts that run into their limit, or tenants that are paused."""

    looping: bool
    per_second: float
    quiet_login_p99_ms: float = 0.0
    hostile_login_p99_ms: float = 0.0
    ratio: float = 0.0
    """Of introspection: the median over the pairs."""
    quiet_p99_ms: float = 0.0
    hostile_p99_ms: float = 0.0
    logins: int = 0
    stopped: int = 0
    refused: int = 0
    errors: int = 0
    windows: list[dict[str, Any]] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return self.later_ms <= MORE_MS and self.ratio <= FACTOR and not self.errors

    @property
    def later_ms(self) -> float:
        return self.hostile_login_p99_ms - self.quiet_login_p99_ms


@dataclass
class _Window:
    introspections: Load
    logins: list[float]
    errors: int


def measure_hostility(place: Installation, full: Figures, *, seconds: float, pairs: int) -> list[Hostility]:
    """`full`: the figures of introspection when nothing else is asked."""
    found = {cell.name: cell for cell in cells(place)}
    tenants = HostileTenants(place, TENANTS)
    warm = uvloop.run(_window(place, found, SHARE * full.per_second, 2.0, None))
    assert not warm.errors, warm
    measured = [_pairs(place, found, full, tenants, seconds, pairs, looping=True)]
    uvloop.run(_use_up(place, tenants))
    measured.append(_pairs(place, found, full, tenants, seconds, pairs, looping=False))
    return measured


def _pairs(
    place: Installation, found: dict[str, Cell], full: Figures, tenants: HostileTenants, seconds: float, pairs: int,
    *, looping: bool,
) -> Hostility:  # fmt: skip
    hostility = Hostility(looping=looping, per_second=SHARE * full.per_second)
    stopped, refused = tenants.stopped_by_limit, tenants.refused_at_once
    quiet_logins: list[float] = []
    hostile_logins: list[float] = []
    for _ in range(pairs):
        quiet = uvloop.run(_window(place, found, hostility.per_second, seconds, None))
        hostile = uvloop.run(_window(place, found, hostility.per_second, seconds, tenants))
        quiet_logins += quiet.logins
        hostile_logins += hostile.logins
        hostility.errors += quiet.errors + hostile.errors
        hostility.windows.append({
            "quiet": asdict(quiet), "hostile": asdict(hostile),
            "counts": quiet.introspections.p50_ms <= BACKLOG * full.p50_ms,
            "ratio": hostile.introspections.p99_ms / max(quiet.introspections.p99_ms, 1e-3),
        })  # fmt: skip
    hostility.quiet_login_p99_ms = 1000 * percentile(sorted(quiet_logins), 0.99)
    hostility.hostile_login_p99_ms = 1000 * percentile(sorted(hostile_logins), 0.99)
    hostility.logins = len(hostile_logins)
    counted = [window for window in hostility.windows if window["counts"]] or hostility.windows
    hostility.ratio = median(window["ratio"] for window in counted)
    hostility.quiet_p99_ms = median(window["quiet"]["introspections"]["p99_ms"] for window in counted)
    hostility.hostile_p99_ms = median(window["hostile"]["introspections"]["p99_ms"] for window in counted)
    hostility.stopped = tenants.stopped_by_limit - stopped
    hostility.refused = tenants.refused_at_once - refused
    return hostility


async def _use_up(place: Installation, tenants: HostileTenants) -> None:
    """Until every tenant is paused: each is stopped five times, and one script that is suspect runs at a time."""

    async def one(number: int) -> None:
        async with Http(place.server.base_url) as http:
            while True:
                refused = tenants.refused_at_once
                await tenants.begin(http, number)
                if tenants.refused_at_once > refused:
                    return

    for number in range(TENANTS):
        await one(number)


async def _window(
    place: Installation, found: dict[str, Cell], per_second: float, seconds: float, tenants: HostileTenants | None
) -> _Window:
    base_url = place.server.base_url
    crowd = Crowd(base_url, TENANTS, _patient(tenants)) if tenants is not None else None
    others = asyncio.create_task(crowd.run(seconds + 0.4)) if crowd is not None else None
    await asyncio.sleep(0.2 if crowd is not None else 0)
    window = _Window(Load(0, 0, 0, 0, 0), [], 0)
    work = found["scripted login"].work
    assert work is not None
    logins = [
        asyncio.create_task(_sign_in(place, work, number * SIGN_IN_EVERY, window))
        for number in range(int(seconds / SIGN_IN_EVERY))
    ]
    steady = SteadyRate(found["introspection, person"].requests, per_second, CONNECTIONS)
    window.introspections = await steady.run(base_url, seconds)
    await asyncio.gather(*logins)
    window.errors += window.introspections.errors
    if others is not None and crowd is not None:
        window.errors += (await others).errors
        if crowd.surprise:
            print("unexpected answer:", crowd.surprise)
    return window


def _patient(tenants: HostileTenants) -> Any:
    async def work(http: Http, number: int) -> None:
        begun = time.perf_counter()
        await tenants.begin(http, number)
        await asyncio.sleep(max(0.0, begun + AGAIN_AFTER - time.perf_counter()))

    return work


async def _sign_in(place: Installation, work: Any, after: float, window: _Window) -> None:
    """At its moment, whether or not those before have ended."""
    await asyncio.sleep(after)
    begun = time.perf_counter()
    try:
        async with Http(place.server.base_url) as http:
            await work(http, 0)
    except Surprise as surprise:
        window.errors += 1
        print("unexpected answer:", surprise)
    else:
        window.logins.append(time.perf_counter() - begun)
