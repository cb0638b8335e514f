"""A database that freezes, dies, locks or loses its network: 503 within the deadline, and no wrong answer (31, 32)."""

import asyncio
import sqlite3

import pytest

from identity.domain.tokens import RedeemableState, TokenState
from identity.errors import Unavailable
from identity.storage import sqlite_writer
from identity.storage.hot import HotStorage, open_hot_storage
from identity.storage.hot.postgresql_connections import DEADLINE_SECONDS
from identity.storage.postgresql import PostgresqlDatabase
from tests.storage.cutting_proxy import cutting_proxy
from tests.storage.hot_place import NOW, HotEngine, Place, digest
from tests.storage.hot_trouble import (
    READING,
    administrator,
    backends,
    eventually,
    frozen,
    over_network,
    redeem,
    with_code,
    within,
    works,
)


def test_read_whose_connection_is_lost_is_asked_once_more(hot_on_postgresql: HotEngine) -> None:
    async def scenario(place: Place) -> None:
        await place.add_token(scope="found")
        async with over_network(place) as (hot, proxy):
            proxy.cut_request = True
            assert (await hot.look_up(place.query("token"))).scope == "found"
            proxy.cut_answer = True
            assert (await hot.look_up(place.query("token"))).scope == "found"
            assert hot.counters.retries == 2

    hot_on_postgresql.run(scenario)


def test_read_of_a_code_whose_connection_is_lost_is_asked_once_more(hot_on_postgresql: HotEngine) -> None:
    async def scenario(place: Place) -> None:
        await with_code(place)
        async with over_network(place) as (hot, proxy):
            proxy.cut_answer = True
            assert (await hot.read_code(place.tenant, digest("code"), "app")).found

    hot_on_postgresql.run(scenario)


def test_loss_before_commit(hot_on_postgresql: HotEngine) -> None:
    async def scenario(place: Place) -> None:
        await with_code(place)
        async with over_network(place) as (hot, proxy):
            proxy.cut_request = True
            with pytest.raises(Unavailable), within(0):
                await hot.issue(place.new_token("token"))
            assert not (await place.hot.look_up(place.query("token"))).found
            proxy.cut_request = True
            with pytest.raises(Unavailable), within(0):
                await redeem(hot, place)
            assert (await place.hot.read_code(place.tenant, digest("code"), "app")).consumed_at is None
            assert await redeem(hot, place)

    hot_on_postgresql.run(scenario)


def test_loss_after_commit_is_unknown_and_never_answered_as_success(hot_on_postgresql: HotEngine) -> None:
    async def scenario(place: Place) -> None:
        await with_code(place)
        async with over_network(place) as (hot, proxy):
            proxy.cut_answer = True
            with pytest.raises(Unavailable), within(0):
                await hot.issue(place.new_token("token"))
            assert (await place.hot.look_up(place.query("token"))).found
            await redeem(hot, place, "prepared")

    hot_on_postgresql.run(scenario)


def test_refresh_lost_after_commit_falls_under_grace(hot_on_postgresql: HotEngine) -> None:
    async def scenario(place: Place) -> None:
        await place.sign_in()
        await place.add_refresh_token("refresh")

        async def refresh(hot: HotStorage, name: str, child: str) -> bool:
            return await hot.redeem_refresh_token(
                tenant=place.tenant, hash=digest(name), now=NOW, grace_us=60_000_000, grace_uses=5, rotate=True,
                access=None, refresh=place.new_refresh_token(child, parent=name),
            )  # fmt: skip

        async with over_network(place) as (hot, proxy):
            assert not await refresh(hot, "unknown", "prepared")
            proxy.cut_answer = True
            with pytest.raises(Unavailable), within(0):
                await refresh(hot, "refresh", "lost")
            assert (await place.hot.read_refresh_token(place.tenant, digest("lost"), "app")).found
            assert await refresh(hot, "refresh", "second try")

    hot_on_postgresql.run(scenario)


def test_frozen_backend_is_replaced(hot_on_postgresql: HotEngine) -> None:
    async def scenario(place: Place) -> None:
        query = await place.add_token(scope="found")
        await place.hot.look_up(query)
        async with administrator(place) as database:
            reading = (await backends(database, READING))[:1]
        with frozen(reading):
            with within(DEADLINE_SECONDS):
                states = await asyncio.gather(*(place.hot.look_up(query) for _ in range(50)))
            assert [state.scope for state in states] == ["found"] * 50
            assert place.hot.counters.timeouts == place.hot.counters.retries == 1
            # By then a new connection has been made: no second deadline.
            assert (await place.hot.look_up(query)).scope == "found"
            assert place.hot.counters.timeouts == 1

    hot_on_postgresql.run(scenario)


def test_all_backends_frozen(hot_on_postgresql: HotEngine) -> None:
    async def scenario(place: Place) -> None:
        await with_code(place)
        query = place.query("token")
        await place.hot.look_up(query)
        async with administrator(place) as database:
            pids = await backends(database)
        with frozen(pids):
            with within(2 * DEADLINE_SECONDS):
                outcomes = await asyncio.gather(
                    *(place.hot.look_up(query) for _ in range(10)), place.hot.look_up_claims(query),
                    place.hot.issue(place.new_token()), place.hot.read_code(place.tenant, digest("code"), "app"),
                    redeem(place.hot, place), return_exceptions=True,
                )  # fmt: skip
            # Reads may have been answered by a connection made meanwhile; no write is taken for done.
            assert {type(outcome) for outcome in outcomes} <= {Unavailable, TokenState, RedeemableState}
            await eventually(lambda: works(place.hot, place))

    hot_on_postgresql.run(scenario)


def test_network_that_stands_still(hot_on_postgresql: HotEngine) -> None:
    async def scenario(place: Place) -> None:
        await with_code(place)
        async with over_network(place) as (hot, proxy):
            proxy.hold()
            query = place.query("token")
            # The first have both connections' deadlines before them, those that come meanwhile no more than that.
            with within(2 * DEADLINE_SECONDS):
                outcomes = await asyncio.gather(
                    *(hot.look_up(query) for _ in range(300)), hot.issue(place.new_token()), redeem(hot, place),
                    return_exceptions=True,
                )  # fmt: skip
            assert {type(outcome) for outcome in outcomes} == {Unavailable}
            with within(2 * DEADLINE_SECONDS):
                assert not await works(hot, place)
            proxy.release()
            await eventually(lambda: works(hot, place))
        assert (await place.hot.read_code(place.tenant, digest("code"), "app")).consumed_at is None

    hot_on_postgresql.run(scenario)


def test_database_that_is_down_and_comes_back(hot_on_postgresql: HotEngine) -> None:
    async def scenario(place: Place) -> None:
        async with over_network(place) as (hot, proxy):
            await proxy.down()
            for _ in range(3):
                with within(2 * DEADLINE_SECONDS), pytest.raises(Unavailable):
                    await hot.look_up(place.query("token"))
                with within(DEADLINE_SECONDS), pytest.raises(Unavailable):
                    await hot.issue(place.new_token())
                with within(2 * DEADLINE_SECONDS), pytest.raises(Unavailable):
                    await hot.read_code(place.tenant, digest("code"), "app")
            await proxy.up()
            await eventually(lambda: works(hot, place))

    hot_on_postgresql.run(scenario)


def test_cancelled_reconnection_is_begun_again(hot_on_postgresql: HotEngine) -> None:
    async def scenario(place: Place) -> None:
        async with over_network(place) as (hot, proxy):
            await proxy.down()
            await eventually(lambda: _cancel_reconnections(4))
            await proxy.up()
            await eventually(lambda: works(hot, place))

    async def _cancel_reconnections(expected: int) -> bool:
        connecting = [task for task in asyncio.all_tasks() if "_keep_connecting" in repr(task)]
        if len(connecting) < expected:
            return False
        for task in connecting:
            task.cancel()
        return True

    hot_on_postgresql.run(scenario)


def test_start_without_a_database_says_so(hot_on_postgresql: HotEngine) -> None:
    async def scenario(place: Place) -> None:
        async with cutting_proxy(place.engine.target) as proxy:
            await proxy.down()
            hot = open_hot_storage(PostgresqlDatabase(proxy.url))
            with pytest.raises(Unavailable):
                await hot.open()

    hot_on_postgresql.run(scenario)


def test_killed_backends_are_replaced(hot_on_postgresql: HotEngine) -> None:
    async def scenario(place: Place) -> None:
        query = await place.add_token(scope="found")
        async with administrator(place) as database:
            for _ in range(3):
                await place.hot.look_up(query)
                reading = (await backends(database, READING))[0]
                await database.execute("select pg_terminate_backend($1)", reading)
                assert (await place.hot.look_up(query)).scope == "found"
            for pid in await backends(database):
                await database.execute("select pg_terminate_backend($1)", pid)
            await eventually(lambda: works(place.hot, place))

    hot_on_postgresql.run(scenario)


def test_backend_killed_in_the_middle_of_a_redemption(hot_on_postgresql: HotEngine) -> None:
    async def scenario(place: Place) -> None:
        await with_code(place)
        async with administrator(place) as holder, administrator(place) as database, holder.transaction():
            await holder.execute("select 1 from authorization_code where tenant = $1 for update", place.tenant)
            redemption = asyncio.ensure_future(redeem(place.hot, place))

            async def kill() -> bool:
                return bool(await database.fetch(
                    "select pg_terminate_backend(pid) from pg_stat_activity"
                    " where wait_event_type = 'Lock' and datname = current_database()"
                    " and application_name = 'identity token road'"
                ))  # fmt: skip

            await eventually(kill)
            with pytest.raises(Unavailable):
                await redemption
        assert not (await place.hot.look_up(place.query("access"))).found
        assert await redeem(place.hot, place)

    hot_on_postgresql.run(scenario)


def test_held_row_lock_ends_at_the_deadline_and_consumes_nothing(hot_on_postgresql: HotEngine) -> None:
    async def scenario(place: Place) -> None:
        await with_code(place)
        async with administrator(place) as holder, holder.transaction():
            await holder.execute("select 1 from authorization_code where tenant = $1 for update", place.tenant)
            with within(DEADLINE_SECONDS), pytest.raises(Unavailable):
                await redeem(place.hot, place)
            # Nobody else waits for that row.
            with within(0):
                assert await works(place.hot, place)
        assert (await place.hot.read_code(place.tenant, digest("code"), "app")).consumed_at is None
        assert await redeem(place.hot, place)
        assert place.hot.counters.reconnects == 0

    hot_on_postgresql.run(scenario)


def test_held_table_lock(hot_on_postgresql: HotEngine) -> None:
    async def scenario(place: Place) -> None:
        async with administrator(place) as holder:
            async with holder.transaction():
                await holder.execute("lock table access_token in access exclusive mode")
                with within(2 * DEADLINE_SECONDS):
                    outcomes = await asyncio.gather(
                        *(place.hot.look_up(place.query("token")) for _ in range(5)),
                        place.hot.issue(place.new_token()), return_exceptions=True,
                    )  # fmt: skip
                assert {type(outcome) for outcome in outcomes} == {Unavailable}
            with within(0):
                assert await works(place.hot, place)
            # The connections were kept: the server itself gave up waiting.
            assert place.hot.counters.reconnects == 0

    hot_on_postgresql.run(scenario)


def test_cancelled_look_up_leaves_the_others_and_the_connection(hot_engine: HotEngine) -> None:
    async def scenario(place: Place) -> None:
        query = await place.add_token(scope="found")
        leaving = asyncio.ensure_future(place.hot.look_up(query))
        staying = asyncio.ensure_future(place.hot.look_up(query))
        asyncio.get_running_loop().call_soon(leaving.cancel)
        assert (await staying).scope == "found"
        assert (await place.hot.look_up(query)).scope == "found"

    hot_engine.run(scenario)


def test_cancelled_statement_leaves_nobody_waiting(hot_on_postgresql: HotEngine) -> None:
    async def scenario(place: Place) -> None:
        query = await place.add_token(scope="found")
        async with administrator(place) as holder, holder.transaction():
            await holder.execute("lock table access_token in access exclusive mode")
            asked = [asyncio.ensure_future(place.hot.look_up(query)) for _ in range(3)]

            async def cancel() -> bool:
                waiting = await holder.fetch("select 1 from pg_locks where not granted")
                if waiting:
                    runners = [task for task in asyncio.all_tasks() if "Coalescer._run" in repr(task)]
                    [runner.cancel() for runner in runners]
                return bool(waiting)

            await eventually(cancel)
            outcomes = await asyncio.gather(*asked, return_exceptions=True)
            assert {type(outcome) for outcome in outcomes} == {Unavailable}
        # What the abandoned statement would have answered is not taken for the answer to this one.
        assert not (await place.hot.look_up(place.query("unknown"))).found
        assert (await place.hot.look_up(query)).scope == "found"

    hot_on_postgresql.run(scenario)


def test_file_locked_by_another_process(hot_on_sqlite: HotEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_writer, "WRITE_DEADLINE_SECONDS", 0.05)

    async def scenario(place: Place) -> None:
        await with_code(place)
        holder = sqlite3.connect(hot_on_sqlite.target, isolation_level=None)
        holder.execute("begin immediate")
        with within(1):
            outcomes = await asyncio.gather(
                place.hot.issue(place.new_token()), redeem(place.hot, place), return_exceptions=True
            )
        assert {type(outcome) for outcome in outcomes} == {Unavailable}
        assert (await place.hot.read_code(place.tenant, digest("code"), "app")).consumed_at is None
        holder.execute("rollback")
        holder.close()
        assert await works(place.hot, place)
        assert await redeem(place.hot, place)

    hot_on_sqlite.run(scenario)


def test_closed_sqlite_is_unavailable(hot_on_sqlite: HotEngine) -> None:
    async def scenario(place: Place) -> None:
        await place.database.close()
        with pytest.raises(Unavailable):
            await place.hot.look_up(place.query("token"))

    hot_on_sqlite.run(scenario)
