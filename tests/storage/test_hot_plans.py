"""PostgreSQL plans the token road's statements once, perhaps on empty tables: the plans must bear 10^7 rows."""

import asyncio
import re

import asyncpg
import pytest

from identity.storage.hot import postgresql_statements
from identity.storage.hot.postgresql_connections import SETTINGS
from tests.storage.hot_place import HotEngine

STATEMENTS = {name: value for name, value in vars(postgresql_statements).items() if name.isupper() and name[0] != "_"}
EXPECTED = {
    "LOOK_UP",
    "LOOK_UP_CLAIMS",
    "READ_CODE",
    "READ_REFRESH_TOKEN",
    "ISSUE",
    "REDEEM_CODE",
    "REDEEM_REFRESH_TOKEN",
}


async def _plan(url: str, statement: str) -> str:
    connection = await asyncpg.connect(url, server_settings=SETTINGS)
    try:
        await connection.execute(f"prepare planned as {statement}")
        places = max(int(place) for place in re.findall(r"\$(\d+)", statement))
        rows = await connection.fetch(f"explain execute planned({', '.join(['null'] * places)})")
    finally:
        await connection.close()
    return "\n".join(row[0] for row in rows)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_every_table_is_read_by_its_primary_key(hot_on_postgresql: HotEngine, name: str) -> None:
    plan = asyncio.run(_plan(hot_on_postgresql.target, STATEMENTS[name]))
    assert set(re.findall(r"using (\w+)", plan)) <= {
        "pk_access_token", "pk_application", "pk_authorization_code", "pk_grants", "pk_refresh_token", "pk_sso_session",
        "pk_subject", "pk_tenant",
    }  # fmt: skip
    for costly in ("Seq Scan", "Bitmap", "Hash", "Merge", "Sort"):
        assert costly not in plan, plan
    # Each is read by the whole of its key, or else the tenant's rows would be read one by one.
    conditions = re.findall(r"using pk_(\w+).*\n\s*Index Cond: (.*)", plan)
    assert len(conditions) == plan.count("using pk_")
    for table, condition in conditions:
        assert table == "tenant" or " AND " in condition, plan


def test_all_statements_are_looked_at() -> None:
    assert {name for name in STATEMENTS if isinstance(STATEMENTS[name], str)} >= EXPECTED
