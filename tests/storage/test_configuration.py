"""What a process keeps of a tenant: one snapshot a version, however many requests read it at once."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import update

from identity.storage import signing_keys
from identity.storage.configuration import Configuration
from identity.storage.installation import take_turn
from identity.storage.tables import tenant as tenants
from tests.storage.hot_place import HotEngine, Place


@pytest.mark.any_engine
def test_of_one_version_there_is_one_snapshot(hot_engine: HotEngine) -> None:
    """Whoever compares snapshots must find no change where there is none."""

    async def work(place: Place) -> None:
        configuration = Configuration(place.database, place.clock)
        found = await asyncio.gather(*(configuration.load(f"tenant-{place.tenant}") for _ in range(20)))
        assert len({id(snapshot) for snapshot in found}) == 1

    hot_engine.run(work)


@pytest.mark.any_engine
def test_what_was_read_before_replaces_nothing_newer(hot_engine: HotEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    reading, go_on = asyncio.Event(), asyncio.Event()
    list_keys = signing_keys.list_signing_keys

    async def slowly(*arguments: Any) -> Any:
        if not reading.is_set():
            reading.set()
            await go_on.wait()
        return await list_keys(*arguments)

    async def work(place: Place) -> None:
        configuration = Configuration(place.database, place.clock)
        monkeypatch.setattr(signing_keys, "list_signing_keys", slowly)
        before = asyncio.ensure_future(configuration.load(f"tenant-{place.tenant}"))
        await reading.wait()
        await place.change(update(tenants).where(tenants.c.id == place.tenant).values(version=tenants.c.version + 1))
        newer = await configuration.load(f"tenant-{place.tenant}")
        go_on.set()
        assert newer is not None
        assert await before is newer
        assert configuration.cached(f"tenant-{place.tenant}") is newer

    hot_engine.run(work)


def test_a_turn_is_taken_once_in_its_time(hot_engine: HotEngine) -> None:
    async def work(place: Place) -> None:
        name, second = f"test:{place.tenant}", 1_000_000

        async def turn(seconds: int) -> bool:
            return await take_turn(place.database, name, now=place.clock.now(), seconds=seconds)

        assert sorted(await asyncio.gather(*(turn(100) for _ in range(10)))) == [False] * 9 + [True]
        place.clock.at += 99 * second
        assert not await turn(100)
        place.clock.at += second
        assert await turn(100)
        assert await turn(30), "a shorter interval counts at once"
        place.clock.at -= 3600 * second
        assert await turn(30), "a clock that ran ahead holds nobody up"

    hot_engine.run(work)
