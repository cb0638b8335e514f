"""Tokens of client credentials: shared inserts, exact against configuration, and no one fails for another's row."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select, update

from identity.domain.tokens import TokenState
from identity.storage import tables
from identity.storage.hot import RefusedRow
from tests.storage.hot_place import HotEngine, Place


def test_issued_token_is_there_on_every_worker(hot_engine: HotEngine) -> None:
    async def scenario(place: Place) -> None:
        async with place.another_worker() as elsewhere:
            assert await place.hot.issue(place.new_token(scope="a b", audience="x y"))
            state = await elsewhere.look_up(place.query("token"))
            assert (state.found, state.scope, state.audience, state.application) == (True, "a b", "x y", "app")
            assert not state.token_revoked

    hot_engine.run(scenario)


@pytest.mark.parametrize(
    ("table", "values"),
    [
        (tables.application, {"version": 2}),
        (tables.application, {"enabled": 0}),
        (tables.tenant, {"version": 2}),
        (tables.tenant, {"enabled": 0}),
    ],
)
def test_nothing_is_issued_by_an_outdated_configuration(hot_engine: HotEngine, table: Any, values: Any) -> None:
    async def scenario(place: Place) -> None:
        column = table.c.id if table is tables.tenant else table.c.tenant
        async with place.another_worker() as elsewhere:
            assert await elsewhere.issue(place.new_token("before"))
            await place.change(update(table).where(column == place.tenant).values(values))
            assert not await elsewhere.issue(place.new_token("after"))
            assert not (await elsewhere.look_up(place.query("after"))).found

    hot_engine.run(scenario)


def test_unknown_application_and_tenant_get_no_token(hot_engine: HotEngine) -> None:
    async def scenario(place: Place) -> None:
        tokens = [
            place.new_token("1", application="nobody"),
            place.new_token("2", tenant=place.tenant + 1_000_000),
            place.new_token("3"),
        ]
        assert await asyncio.gather(*map(place.hot.issue, tokens)) == [False, False, True]

    hot_engine.run(scenario)


def test_hash_that_exists_is_not_issued_again(hot_engine: HotEngine) -> None:
    async def scenario(place: Place) -> None:
        await place.add_token(scope="first")
        assert not await place.hot.issue(place.new_token(scope="second"))
        assert (await place.hot.look_up(place.query("token"))).scope == "first"

    hot_engine.run(scenario)


POISON: dict[str, dict[str, Any]] = {
    "number beyond 64 bits": {"expires_at": 2**63},
    "lone surrogate": {"scope": "\ud800"},
}


@pytest.mark.parametrize("poison", POISON)
def test_poison_row_fails_only_its_own_caller(hot_engine: HotEngine, poison: str) -> None:
    async def scenario(place: Place) -> None:
        tokens = [place.new_token(f"token {number}") for number in range(9)]
        tokens.insert(4, place.new_token("poison", **POISON[poison]))
        outcomes = await asyncio.gather(*map(place.hot.issue, tokens), return_exceptions=True)
        assert isinstance(outcomes.pop(4), RefusedRow)
        assert outcomes == [True] * 9
        stored = await place.rows(
            select(tables.access_token.c.hash).where(tables.access_token.c.tenant == place.tenant)
        )
        assert len(stored) == 9

    hot_engine.run(scenario)


def test_poison_question_fails_only_its_own_caller(hot_engine: HotEngine) -> None:
    async def scenario(place: Place) -> None:
        await place.add_token()
        asked = [place.query("token"), place.query("token", tenant=2**63), place.query("token")]
        first, poison, last = await asyncio.gather(*map(place.hot.look_up, asked), return_exceptions=True)
        assert isinstance(poison, RefusedRow)
        assert isinstance(first, TokenState)
        assert first == last
        assert first.found

    hot_engine.run(scenario)


def test_text_with_nul_is_refused_by_postgresql_alone(hot_on_postgresql: HotEngine) -> None:
    async def scenario(place: Place) -> None:
        tokens = [place.new_token("good"), place.new_token("poison", scope="a\0b")]
        good, poison = await asyncio.gather(*map(place.hot.issue, tokens), return_exceptions=True)
        assert good is True
        assert isinstance(poison, RefusedRow)

    hot_on_postgresql.run(scenario)
