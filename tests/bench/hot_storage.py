"""What a look-up, an issue and a redemption cost: CPU µs of this process and of the database's, on both engines.

`python -m tests.bench.hot_storage [--rows N] [--callers 1 32 …]` starts a PostgreSQL of its own.
"""

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import uvloop

from identity.domain.tokens import TokenQuery
from identity.storage import tables
from tests.storage.hot_place import NOW, HotEngine, Place, StoppedClock, digest
from tests.support.postgres import PostgresCluster, find_postgres

ROTATION = 5000
TICK = os.sysconf("SC_CLK_TCK")


def database_cpu(parent: int) -> float:
    """CPU seconds of the living children of PostgreSQL's first process."""
    total = 0.0
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == parent:
                total += (int(fields[11]) + int(fields[12])) / TICK
    return total


class Bench:
    def __init__(self, place: Place, postgresql: int | None) -> None:
        self.place = place
        self._postgresql = postgresql

    async def measure(self, what: str, work: Callable[[int], Awaitable[object]], calls: int, callers: int) -> None:
        """`callers` tasks make `calls` calls together, each its next when it has heard its last answer."""
        numbers = iter(range(calls))

        async def caller() -> None:
            for number in numbers:
                await work(number)

        await asyncio.gather(*(work(-number - 1) for number in range(8)))
        counters = self.place.hot.counters
        statements, rows = counters.statements, counters.rows
        wall, own, theirs = time.perf_counter(), time.process_time(), self._theirs()
        await asyncio.gather(*(caller() for _ in range(callers)))
        wall, own, theirs = time.perf_counter() - wall, time.process_time() - own, self._theirs() - theirs
        batch = (counters.rows - rows) / max(1, counters.statements - statements)
        print(
            f"{self.place.engine.name:10} {what:28} {callers:4} callers  {own / calls * 1e6:6.1f} µs here "
            f"{theirs / calls * 1e6:6.1f} µs database  {calls / wall:7.0f}/s  {batch:5.1f} a statement"
        )

    def _theirs(self) -> float:
        return 0.0 if self._postgresql is None else database_cpu(self._postgresql)


async def fill(place: Place, rows: int) -> tuple[list[TokenQuery], list[TokenQuery]]:
    """Machine tokens and people's tokens to look up, among `rows` others."""
    await place.sign_in()
    machine = [f"machine {number}" for number in range(ROTATION)]
    person = [f"person {number}" for number in range(ROTATION)]
    others = [f"other {number}" for number in range(rows)]
    tokens = [place.new_token(name) for name in machine + others]
    tokens += [place.new_token(name, grant=f"grant {name}", scope="openid profile") for name in person]
    for first in range(0, len(tokens), 2048):
        await asyncio.gather(*map(place.hot.issue, tokens[first : first + 2048]))
    for number in range(0, ROTATION, 1):
        await place.insert(
            tables.grants, id=f"grant person {number}", application="app", subject="alice-id", session="session",
            session_bound=1, scope="openid profile", claims=bytes(400), expires_at=NOW * 2,
        )  # fmt: skip
    return [place.query(name) for name in machine], [place.query(name) for name in person]


async def run(engine: HotEngine, postgresql: int | None, rows: int, callers: Sequence[int]) -> None:
    async with engine.open(StoppedClock()) as (database, hot):
        place = Place(database, hot, engine, StoppedClock())
        await place.settle()
        machine, person = await fill(place, rows)
        bench = Bench(place, postgresql)
        for count in callers:
            calls = 2000 * min(count, 16)
            tokens = [place.new_token(f"issued {count} {number}") for number in range(-8, calls)]
            await bench.measure("look_up, machine token", lambda n: hot.look_up(machine[n % ROTATION]), calls, count)
            await bench.measure("look_up, person's token", lambda n: hot.look_up(person[n % ROTATION]), calls, count)
            await bench.measure("look_up_claims", lambda n: hot.look_up_claims(person[n % ROTATION]), calls, count)
            await bench.measure("issue", lambda n, tokens=tokens: hot.issue(tokens[n + 8]), calls // 2, count)  # type: ignore[misc]
            await measure_redemptions(bench, f"for {count}", 500 * min(count, 8), count)


async def measure_redemptions(bench: Bench, name: str, calls: int, callers: int) -> None:
    place = bench.place
    for number in range(-8, calls):
        await place.add_refresh_token(f"refresh {name} {number}", grant_id=f"grant person {number % ROTATION}")

    async def refresh(number: int) -> None:
        await place.hot.read_refresh_token(place.tenant, digest(f"refresh {name} {number}"), "app")
        assert await place.hot.redeem_refresh_token(
            tenant=place.tenant, hash=digest(f"refresh {name} {number}"), now=NOW, grace_us=60_000_000, grace_uses=5,
            rotate=True, access=place.new_token(f"access {name} {number}", grant="grant"),
            refresh=place.new_refresh_token(f"next {name} {number}", parent=f"refresh {name} {number}"),
        )  # fmt: skip

    await bench.measure("read and redeem a refresh", refresh, calls, callers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000, help="other tokens in the table")
    parser.add_argument("--callers", type=int, nargs="+", default=[1, 32, 128])
    parser.add_argument("--engine", choices=["sqlite", "postgresql"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.engine != "postgresql":
            engine = HotEngine("sqlite", f"{folder}/identity.sqlite3")
            engine.create_schema()
            uvloop.run(run(engine, None, options.rows, options.callers))
    programs = find_postgres()
    if programs is None or options.engine == "sqlite":
        return
    cluster = PostgresCluster(programs, fsync=True)
    try:
        cluster.start()
        engine = HotEngine("postgresql", cluster.create_database())
        engine.create_schema()
        uvloop.run(run(engine, cluster.program.pid, options.rows, options.callers))
    finally:
        cluster.stop()


if __name__ == "__main__":
    main()
