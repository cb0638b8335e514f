"""Whether a flood of logins delays others: introspection at a fixed rate, in windows quiet and flooded in turn."""

import asyncio
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

import uvloop

from tests.bench.cells import CONNECTIONS, Cell, Figures, cells
from tests.bench.installation import Installation
from tests.bench.load import Crowd, Load, SteadyRate

SHARE = 0.6
BOUND = 3.0
BACKLOG = 2.0
"""A quiet window whose median is above this multiple of the median at full speed was no quiet one: somebody else had
the core, and requests queued. Its pair does not count, since a late quiet answer makes the flood look harmless. What
happens in a flooded window always counts."""


@dataclass(kw_only=True)
class Delay:
    """`ratio`: the median over the pairs that count; None when they were fewer than `wanted`: not measured."""

    per_second: float
    wanted: int
    counted: int = 0
    ratio: float | None = None
    quiet_p99_ms: float = 0.0
    flooded_p99_ms: float = 0.0
    logins_per_second: float = 0.0
    errors: int = 0
    windows: list[dict[str, Any]] = field(default_factory=list)


def measure_delay(place: Installation, full: Figures, *, seconds: float, pairs: int) -> Delay:
    """`full`: the figures of introspection when nothing else is asked. Tries twice as many pairs as wanted at most."""
    found = {cell.name: cell for cell in cells(place)}
    delay = Delay(per_second=SHARE * full.per_second, wanted=pairs)
    for _ in range(2 * pairs):
        quiet, _ = uvloop.run(_window(place, found, delay.per_second, seconds, flooded=False))
        flooded, logins = uvloop.run(_window(place, found, delay.per_second, seconds, flooded=True))
        assert logins is not None
        counts = quiet.p50_ms <= BACKLOG * full.p50_ms
        delay.counted += counts
        delay.errors += quiet.errors + flooded.errors + logins.errors
        delay.windows.append({
            "quiet": asdict(quiet), "flooded": asdict(flooded), "logins": asdict(logins), "counts": counts,
            "ratio": flooded.p99_ms / max(quiet.p99_ms, 1e-3),
        })  # fmt: skip
        if delay.counted == pairs:
            break
    _conclude(delay)
    return delay


def _conclude(delay: Delay) -> None:
    counted = [window for window in delay.windows if window["counts"]]
    if len(counted) < delay.wanted:
        return
    delay.ratio = median(window["ratio"] for window in counted)
    delay.quiet_p99_ms = median(window["quiet"]["p99_ms"] for window in counted)
    delay.flooded_p99_ms = median(window["flooded"]["p99_ms"] for window in counted)
    delay.logins_per_second = median(window["logins"]["requests"] / window["logins"]["seconds"] for window in counted)


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
