"""Whether size matters: the hot figures with few rows and with very many, on PostgreSQL.

Applications from 10 to 100,000; live tokens from 10,000 to 10,000,000. The rows are made in the database itself. A
figure may grow by a factor of 1.3 at most.
"""

import asyncio
import time
from collections.abc import Sequence

from tests.bench.cells import Bench, Figures, cells
from tests.bench.installation import Installation

BOUND = 1.3
APPLICATIONS = 100_000
TOKENS = 10_000_000
_STEP = 500_000
_HOT = (
    "introspection, person", "introspection, machine", "introspection, ES256", "client credentials, opaque",
    "userinfo", "refresh with rotation",
)  # fmt: skip

_MORE_APPLICATIONS = """
insert into application (tenant, id, client_id, name, enabled, version, document, created_at)
select tenant, 'bench-' || n, 'bench-' || n, name, enabled, 1,
 jsonb_set(jsonb_set(document::jsonb, '{id}', to_jsonb('bench-' || n)), '{client_id}', to_jsonb('bench-' || n))::text,
 created_at
from application, generate_series(1, $2::bigint) n where client_id = $1
"""
_MORE_TOKENS = """
insert into access_token (tenant, hash, application, grant_id, scope, audience, issued_at, expires_at, extra)
select a.tenant, sha256(convert_to('bench-' || n, 'UTF8')), a.id, '', 'read', a.client_id, $2::bigint,
 $2::bigint + 86400000000, ''
from application a, generate_series($3::bigint, $4::bigint) n where a.client_id = $1
"""


def measure_scale(bench: Bench, place: Installation) -> list[str]:
    """Prints the table; the names of the figures that grew too much."""
    small = _figures(bench, place)
    client = place.clients["opaque"].application.client_id
    begun = time.perf_counter()
    asyncio.run(_fill(place, client))
    print(f"{APPLICATIONS:,} applications and {TOKENS:,} live tokens made in {time.perf_counter() - begun:.0f} s")
    large = _figures(bench, place)
    grown = []
    print(f"{'workload':27} {'few':>8} {'many':>8} {'factor':>7}  (CPU ms of server and database together)")
    for one, other in zip(small, large, strict=True):
        before, after = (figures.cpu_ms + (figures.database_ms or 0) for figures in (one, other))
        verdict = "ok" if after <= BOUND * before else "MISS"
        print(f"{one.name:27} {before:8.4f} {after:8.4f} {after / before:7.2f}  {verdict}", flush=True)
        if verdict != "ok":
            grown.append(f"{one.name} with many rows")
    return grown


def _figures(bench: Bench, place: Installation) -> Sequence[Figures]:
    chosen = [cell for cell in cells(place) if cell.name in _HOT]
    return [bench.measure(cell) for cell in chosen]


async def _fill(place: Installation, client: str) -> None:
    import asyncpg

    assert place.server.database_url is not None
    connection = await asyncpg.connect(place.server.database_url)
    try:
        await connection.execute(_MORE_APPLICATIONS, client, APPLICATIONS)
        now = time.time_ns() // 1000
        for first in range(1, TOKENS, _STEP):
            await connection.execute(_MORE_TOKENS, client, now, first, first + _STEP - 1, timeout=600)
        for table in ("access_token", "application"):
            await connection.execute(f"vacuum analyze {table}", timeout=600)
    finally:
        await connection.close()
