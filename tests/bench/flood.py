"""Whether a flood of logins delays others: introspection at a fixed rate, in windows quiet and flooded in turn."""

import asyncio
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

import uvloop

from tests.bench.cells import CONNECTIONS, Cell, cells
from tests.bench.installation import Installation
from tests.bench.load import Crowd, Load, SteadyRate

SHARE = 0.6
BOUND = 3.0


@dataclass(kw_only=True)
class Delay:
    """`ratio`: the median of the windows' ratios of the 99th percentiles."""

    per_second: float
    ratio: float = 0.0
    quiet_p99_ms: float = 0.0
    flooded_p99_ms: float = 0.0
    logins_per_second: float = 0.0
    errors: int = 0
    windows: list[dict[str, Any]] = field(default_factory=list)


def measure_delay(place: Installation, maximum: float, *, seconds: float, pairs: int) -> Delay:
    """`maximum`: the introspections per second that the server reaches when nothing else is asked."""
    found = {cell.name: cell for cell in cells(place)}
    delay = Delay(per_second=SHARE * maximum)
    for _ in range(pairs):
        quiet, _ = uvloop.run(_window(place, found, delay.per_second, seconds, flooded=False))
        flooded, logins = uvloop.run(_window(place, found, delay.per_second, seconds, flooded=True))
        assert logins is not None
        delay.errors += quiet.errors + flooded.errors + logins.errors
        ratio = flooded.p99_ms / max(quiet.p99_ms, 1e-3)
        delay.windows.append({
            "quiet": asdict(quiet), "flooded": asdict(flooded), "logins": asdict(logins), "ratio": ratio,
        })  # fmt: skip
    delay.ratio = median(window["ratio"] for window in delay.windows)
    delay.quiet_p99_ms = median(window["quiet"]["p99_ms"] for window in delay.windows)
    delay.flooded_p99_ms = median(window["flooded"]["p99_ms"] for window in delay.windows)
    delay.logins_per_second = median(
        window["logins"]["requests"] / window["logins"]["seconds"] for window in delay.windows
    )
    return delay


async def _window(
    place: Installation, found: dict[str, Cell], per_second: float, seconds: float, *, flooded: bool
) -> tuple[Load, Load | None]:
    base_url = place.server.base_url
    steady = SteadyRate(found["introspection, person"].requests, per_second, CONNECTIONS)
    if not flooded:
        return await steady.run(base_url, seconds), None
    work = found["full login"].work
    assert work is not None
    crowd = Crowd(base_url, CONNECTIONS, work)
    # The flood begins a little before and ends a little after what it is to disturb.
    logins = asyncio.create_task(crowd.run(seconds + 0.4))
    await asyncio.sleep(0.2)
    return await steady.run(base_url, seconds), await logins
