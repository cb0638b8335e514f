"""How long a start takes and how much memory a worker holds when it has done nothing yet."""

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from tests.bench.installation import Installation
from tests.bench.machine import SERVER_CORE, command_on_core, pss_megabytes

FIRST_BOUND, SECOND_BOUND, MEMORY_BOUND_MB = 5.0, 3.0, 120.0
SETTLED_SECONDS = 10.0


@dataclass(kw_only=True)
class Start:
    """Seconds from the command to the first discovery answer; `import_s` is what it is measured against."""

    engine: str
    import_s: float
    first_s: float
    second_s: float
    pss_mb: float


def measure_starts(places: Sequence[Installation], settled_seconds: float) -> list[Start]:
    """First and second start of each, left running until their memory has been read, then stopped."""
    begun = [median(_import_seconds() for _ in range(3))]
    found: list[Start] = []
    for place in places:
        first = place.start()
        place.stop()
        second = place.start()
        begun.append(_import_seconds())
        found.append(Start(engine=place.engine, import_s=0.0, first_s=first, second_s=second, pss_mb=0.0))
    time.sleep(settled_seconds)
    for place, start in zip(places, found, strict=True):
        start.import_s = median(begun)
        start.pss_mb = pss_megabytes(place.server.pid)
        place.stop()
    return found


def _import_seconds() -> float:
    begun = time.perf_counter()
    subprocess.run([*command_on_core(SERVER_CORE), sys.executable, "-c", "import fastapi, sqlalchemy"], check=True)
    return time.perf_counter() - begun
