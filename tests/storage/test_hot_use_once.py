"""Values that are good once: one caller is first, over all workers, and nobody is told so twice."""

import asyncio

from sqlalchemy import select

from identity.storage import authorization_tables
from identity.storage.purge import purge_batch
from tests.storage.hot_place import HOUR, NOW, HotEngine, Place, digest


def test_first_use_is_told_once(hot_engine: HotEngine) -> None:
    async def scenario(place: Place) -> None:
        async with place.another_worker() as elsewhere:
            assert await place.hot.use_once(place.tenant, digest("jti"), NOW + HOUR)
            assert not await place.hot.use_once(place.tenant, digest("jti"), NOW + HOUR)
            assert not await elsewhere.use_once(place.tenant, digest("jti"), NOW + HOUR)
            assert await elsewhere.use_once(place.tenant, digest("another"), NOW + HOUR)

    hot_engine.run(scenario)


def test_of_many_at_once_one_is_first(hot_engine: HotEngine) -> None:
    async def scenario(place: Place) -> None:
        async with place.another_worker() as elsewhere:
            workers = (place.hot, elsewhere)
            answers = await asyncio.gather(
                *(workers[n % 2].use_once(place.tenant, digest("jti"), NOW + HOUR) for n in range(100))
            )
            assert sum(answers) == 1

    hot_engine.run(scenario)


def test_tenants_do_not_share_values(hot_engine: HotEngine) -> None:
    async def scenario(place: Place) -> None:
        assert await place.hot.use_once(place.tenant, digest("jti"), NOW + HOUR)
        assert await place.hot.use_once(place.tenant + 10_000, digest("jti"), NOW + HOUR)

    hot_engine.run(scenario)


def test_values_go_when_their_time_is_over(hot_engine: HotEngine) -> None:
    async def scenario(place: Place) -> None:
        table = authorization_tables.used_value
        await place.hot.use_once(place.tenant, digest("old"), NOW)
        await place.hot.use_once(place.tenant, digest("new"), NOW + HOUR)
        await purge_batch(place.database, "used_value", before=NOW + 1)
        assert await place.rows(select(table.c.hash).where(table.c.tenant == place.tenant)) == [(digest("new"),)]

    hot_engine.run(scenario)
