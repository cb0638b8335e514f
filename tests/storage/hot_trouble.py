"""What a test of faults needs: a deadline to hold, a network to cut, backends to freeze, and a check that all works."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import asyncpg

from identity.errors import Unavailable
from identity.storage.hot import HotStorage, open_hot_storage
from identity.storage.postgresql import PostgresqlDatabase
from tests.storage.cutting_proxy import CuttingProxy, cutting_proxy
from tests.storage.hot_place import NOW, Place, digest

READING = "%nullif(k.application%"
"""The connection whose last statement was a look-up."""

SLACK_SECONDS = 5.0
"""What a busy machine may add to a deadline."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Fail unless the block ends in time; the deadline, not a good day, is what is tested."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    yield
    assert loop.time() - begun < seconds + SLACK_SECONDS


@asynccontextmanager
async def over_network(place: Place) -> AsyncIterator[tuple[HotStorage, CuttingProxy]]:
    """The token road of a worker whose way to the database a test can cut; its statements are prepared."""
    async with cutting_proxy(place.engine.target) as proxy:
        hot = open_hot_storage(PostgresqlDatabase(proxy.url), place.clock)
        await hot.open()
        try:
            await hot.look_up(place.query("prepared"))
            await hot.issue(place.new_token("prepared"))
            yield hot, proxy
        finally:
            await hot.close()


async def redeem(hot: HotStorage, place: Place, suffix: str = "") -> bool:
    return await hot.redeem_code(
        tenant=place.tenant, hash=digest("code"), now=NOW, access=place.new_token(f"access{suffix}", grant="grant"),
        refresh=place.new_refresh_token(f"refresh{suffix}"),
    )  # fmt: skip


async def with_code(place: Place) -> None:
    await place.sign_in()
    await place.add_code()


async def eventually(check: Callable[[], Awaitable[bool]]) -> None:
    """Ask again until it is so; the scenario's own limit ends it otherwise."""
    while not await check():
        await asyncio.sleep(0.01)


async def works(hot: HotStorage, place: Place) -> bool:
    """Reads and writes are answered."""
    try:
        await hot.look_up(place.query("any"))
        await hot.issue(place.new_token("any"))
    except Unavailable:
        return False
    return True


async def backends(administrator: "asyncpg.Connection[asyncpg.Record]", statement: str = "%") -> list[int]:
    rows = await administrator.fetch(
        "select pid from pg_stat_activity where application_name = 'identity token road'"
        " and datname = current_database() and query like $1 and pid <> pg_backend_pid() order by query_start desc",
        statement,
    )
    return [row["pid"] for row in rows]


@asynccontextmanager
async def administrator(place: Place) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(place.engine.target)
    try:
        yield connection
    finally:
        await connection.close()


@contextmanager
def frozen(pids: list[int]) -> Iterator[None]:
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
