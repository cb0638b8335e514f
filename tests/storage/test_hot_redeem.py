"""Codes and refresh tokens are redeemed exactly as often as they may be, whoever else tries (decisions 10, 12, 32)."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import Table, func, select, update

from identity.domain.tokens import RedeemableState
from identity.storage import tables
from identity.storage.hot import HotStorage, RefusedRow
from tests.storage.hot_place import HOUR, NOW, HotEngine, Place, digest

GRACE = 60 * 1_000_000


async def _count(place: Place, table: Table) -> int:
    [(rows,)] = await place.rows(select(func.count().label("rows")).where(table.c.tenant == place.tenant))
    return int(rows)


async def _keep_until(place: Place) -> int:
    code = tables.authorization_code
    [(moment,)] = await place.rows(select(code.c.keep_until).where(code.c.tenant == place.tenant))
    return int(moment)


async def _redeem_code(place: Place, suffix: str = "", hot: HotStorage | None = None, now: int = NOW) -> bool:
    return await (hot or place.hot).redeem_code(
        tenant=place.tenant, hash=digest("code"), now=now,
        access=place.new_token(f"access{suffix}", grant="grant"),
        refresh=place.new_refresh_token(f"refresh{suffix}"),
    )  # fmt: skip


async def _refresh(place: Place, name: str, child: str, *, now: int = NOW, rotate: bool = True, uses: int = 5) -> bool:
    return await place.hot.redeem_refresh_token(
        tenant=place.tenant, hash=digest(name), now=now, grace_us=GRACE, grace_uses=uses, rotate=rotate,
        access=place.new_token(f"access of {child}", grant="grant"),
        refresh=place.new_refresh_token(child, parent=name) if rotate else None,
    )  # fmt: skip


async def _state(place: Place, name: str) -> RedeemableState:
    return await place.hot.read_refresh_token(place.tenant, digest(name), "app")


def test_code_as_it_stands(hot_engine: HotEngine) -> None:
    async def scenario(place: Place) -> None:
        told = {"kind": "device", "resources": "urn:a urn:b", "authorization_details": "[]", "actor": "{}"}
        await place.sign_in(nonce="n", requested_claims="{}", confirmation="key", **told)
        await place.add_code(redirect_uri="https://app.example/cb", code_challenge="challenge")
        assert await place.hot.read_code(place.tenant, digest("code"), "app") == RedeemableState(
            tenant_version=1, caller_version=1, found=True, application="app", application_enabled=True,
            grant="grant", grant_revoked=False, grant_expires_at=NOW + 24 * HOUR, session="session",
            session_bound=True, session_over=False, subject="alice-id", subject_current=True, subject_version=3,
            scope="openid", grant_scope="openid", requested_claims="{}", claims=b"sealed", claims_version=2,
            auth_time=NOW, acr="", amr="pwd", nonce="n", expires_at=NOW + HOUR,
            redirect_uri="https://app.example/cb", code_challenge="challenge", consumed_at=None, parent=None,
            first_used_at=None, uses=0, closed_at=None, confirmation="key", **told,
        )  # fmt: skip

    hot_engine.run(scenario)


def test_refresh_token_as_it_stands(hot_engine: HotEngine) -> None:
    async def scenario(place: Place) -> None:
        await place.sign_in(session=None, session_bound=0)
        row: dict[str, Any] = {
            "parent": digest("parent"),
            "first_used_at": 5,
            "uses": 2,
            "closed_at": 6,
            "confirmation": "its own",
        }
        await place.add_refresh_token(scope="email", **row)
        assert await _state(place, "refresh") == RedeemableState(
            tenant_version=1, caller_version=1, found=True, application="app", application_enabled=True,
            grant="grant", grant_revoked=False, grant_expires_at=NOW + 24 * HOUR, session="", session_bound=False,
            session_over=False, subject="alice-id", subject_current=True, subject_version=3, scope="email",
            grant_scope="openid", requested_claims="", claims=b"sealed", claims_version=2, auth_time=NOW, acr="",
            amr="pwd", nonce=None, expires_at=NOW + HOUR, redirect_uri="", code_challenge="", consumed_at=None,
            parent=digest("parent"), first_used_at=5, uses=2, closed_at=6, kind="", resources="",
            authorization_details="", actor="", confirmation="its own",
        )  # fmt: skip

    hot_engine.run(scenario)


def test_unknown_ones_still_tell_the_versions(hot_engine: HotEngine) -> None:
    async def scenario(place: Place) -> None:
        code = await place.hot.read_code(place.tenant, digest("unknown"), "app")
        refresh = await _state(place, "unknown")
        for state in (code, refresh):
            assert (state.tenant_version, state.caller_version, state.found) == (1, 1, False)
            assert (state.application, state.grant, state.subject, state.grant_revoked) == ("", "", "", False)

    hot_engine.run(scenario)


@pytest.mark.parametrize(
    ("table", "values", "field"),
    [
        (tables.grants, {"revoked_at": NOW}, "grant_revoked"),
        (tables.sso_session, {"ended_at": NOW}, "session_over"),
        (tables.sso_session, {"expires_at": NOW}, "session_over"),
    ],
)
def test_grant_or_session_that_is_over(hot_engine: HotEngine, table: Table, values: Any, field: str) -> None:
    async def scenario(place: Place) -> None:
        await place.sign_in()
        await place.add_code()
        await place.add_refresh_token()
        await place.change(update(table).where(table.c.tenant == place.tenant).values(values))
        assert getattr(await place.hot.read_code(place.tenant, digest("code"), "app"), field)
        assert getattr(await _state(place, "refresh"), field)

    hot_engine.run(scenario)


def test_code_gives_its_tokens_once(hot_engine: HotEngine) -> None:
    async def scenario(place: Place) -> None:
        await place.sign_in()
        await place.add_code()
        async with place.another_worker() as elsewhere:
            assert await _redeem_code(place, hot=elsewhere)
            assert not await _redeem_code(place, "again")
        assert (await place.hot.look_up(place.query("access"))).found
        assert (await _state(place, "refresh")).found
        assert not (await place.hot.look_up(place.query("accessagain"))).found
        assert (await place.hot.read_code(place.tenant, digest("code"), "app")).consumed_at == NOW
        # Kept as long as the longest of what it gave, so that a replay finds it.
        assert await _keep_until(place) == NOW + 3 * HOUR

    hot_engine.run(scenario)


def test_code_that_gave_an_unstored_token_is_kept_as_long_as_its_grant(hot_engine: HotEngine) -> None:
    async def scenario(place: Place) -> None:
        await place.sign_in()
        await place.add_code()
        redeemed = await place.hot.redeem_code(
            tenant=place.tenant, hash=digest("code"), now=NOW, access=None, refresh=None
        )
        assert redeemed
        assert await _keep_until(place) == NOW + 24 * HOUR
        assert await _count(place, tables.access_token) == 0

    hot_engine.run(scenario)


def test_expired_code_or_revoked_grant_gives_nothing(hot_engine: HotEngine) -> None:
    async def scenario(place: Place) -> None:
        await place.sign_in()
        await place.add_code()
        assert not await _redeem_code(place, now=NOW + HOUR)
        grants = tables.grants
        await place.change(update(grants).where(grants.c.tenant == place.tenant).values(revoked_at=NOW))
        assert not await _redeem_code(place)
        assert await _count(place, tables.access_token) == await _count(place, tables.refresh_token) == 0

    hot_engine.run(scenario)


def test_200_concurrent_redemptions_of_one_code_have_one_winner(hot_engine: HotEngine) -> None:
    async def scenario(place: Place) -> None:
        await place.sign_in()
        await place.add_code()
        async with place.another_worker() as elsewhere:
            workers = (place.hot, elsewhere)
            outcomes = await asyncio.gather(
                *(_redeem_code(place, str(number), workers[number % 2]) for number in range(200))
            )
        assert sorted(outcomes) == [False] * 199 + [True]
        assert await _count(place, tables.access_token) == await _count(place, tables.refresh_token) == 1

    hot_engine.run(scenario)


def test_redemption_that_cannot_store_its_tokens_consumes_nothing(hot_engine: HotEngine) -> None:
    async def scenario(place: Place) -> None:
        await place.sign_in()
        await place.add_code()
        await place.add_refresh_token("refresh")
        with pytest.raises(RefusedRow):
            await _redeem_code(place)
        assert await _count(place, tables.access_token) == 0
        assert await _redeem_code(place, "other")

    hot_engine.run(scenario)


def test_grace_gives_siblings_within_its_time_and_uses(hot_engine: HotEngine) -> None:
    async def scenario(place: Place) -> None:
        await place.sign_in()
        await place.add_refresh_token("refresh")
        assert await _refresh(place, "refresh", "child 1")
        assert await _refresh(place, "refresh", "child 2", now=NOW + GRACE - 1, uses=3)
        assert not await _refresh(place, "refresh", "late", now=NOW + GRACE)
        assert await _refresh(place, "refresh", "child 3", uses=3)
        assert not await _refresh(place, "refresh", "one too many", uses=3)
        state = await _state(place, "refresh")
        assert (state.first_used_at, state.uses, state.closed_at) == (NOW, 3, None)
        assert await _count(place, tables.refresh_token) == 4
        assert await _count(place, tables.access_token) == 3

    hot_engine.run(scenario)


def test_grace_ends_when_a_successor_is_used(hot_engine: HotEngine) -> None:
    async def scenario(place: Place) -> None:
        await place.sign_in()
        await place.add_refresh_token("refresh")
        assert await _refresh(place, "refresh", "child")
        assert await _refresh(place, "child", "grandchild", now=NOW + 1)
        assert not await _refresh(place, "refresh", "sibling", now=NOW + 2)
        assert not await _refresh(place, "refresh", "sibling", now=NOW + 2, rotate=False)
        assert (await _state(place, "refresh")).closed_at == NOW + 1
        assert (await _state(place, "child")).closed_at is None

    hot_engine.run(scenario)


def test_without_rotation_it_is_used_until_it_expires(hot_engine: HotEngine) -> None:
    async def scenario(place: Place) -> None:
        await place.sign_in()
        await place.add_refresh_token("refresh")
        for number in range(7):
            assert await _refresh(place, "refresh", str(number), now=NOW + number * GRACE, rotate=False)
        assert not await _refresh(place, "refresh", "late", now=NOW + HOUR, rotate=False)
        assert (await _state(place, "refresh")).uses == 7
        assert await _count(place, tables.refresh_token) == 1

    hot_engine.run(scenario)


def test_revoked_grant_refreshes_nothing(hot_engine: HotEngine) -> None:
    async def scenario(place: Place) -> None:
        await place.sign_in(revoked_at=NOW)
        await place.add_refresh_token("refresh")
        assert not await _refresh(place, "refresh", "child")
        assert (await _state(place, "refresh")).uses == 0

    hot_engine.run(scenario)


def test_200_concurrent_uses_of_one_refresh_token_are_counted_exactly(hot_engine: HotEngine) -> None:
    async def scenario(place: Place) -> None:
        await place.sign_in()
        await place.add_refresh_token("refresh")
        outcomes = await asyncio.gather(*(_refresh(place, "refresh", f"child {n}") for n in range(200)))
        assert sum(outcomes) == 5
        assert await _count(place, tables.refresh_token) == 6
        assert (await _state(place, "refresh")).uses == 5

    hot_engine.run(scenario)


def test_family_used_at_once_from_both_ends_keeps_its_rule(hot_engine: HotEngine) -> None:
    """The parent under grace against its child's first use: whichever order, nothing follows the child's."""

    async def scenario(place: Place) -> None:
        await place.sign_in()
        await place.add_refresh_token("refresh")
        assert await _refresh(place, "refresh", "child")
        outcomes = await asyncio.gather(
            *(_refresh(place, "refresh", f"sibling {n}") for n in range(20)),
            *(_refresh(place, "child", f"grandchild {n}") for n in range(20)),
        )
        parent, child = await _state(place, "refresh"), await _state(place, "child")
        assert sum(outcomes[20:]) == child.uses == 5
        assert sum(outcomes[:20]) == parent.uses - 1 <= 4
        assert parent.closed_at is not None
        assert not await _refresh(place, "refresh", "too late")

    hot_engine.run(scenario)


def test_cancelled_caller_leaves_a_whole_transaction(hot_engine: HotEngine) -> None:
    async def scenario(place: Place) -> None:
        await place.sign_in()
        await place.add_code()
        caller = asyncio.ensure_future(_redeem_code(place))
        loop = asyncio.get_running_loop()
        # A turn of the loop later, when the caller waits for its statement.
        loop.call_soon(lambda: loop.call_soon(caller.cancel))
        with pytest.raises(asyncio.CancelledError):
            await caller
        # Whether or not the statement had begun, consuming and giving went together, and the connection serves on.
        outcome = await _redeem_code(place, "again")
        assert await _count(place, tables.access_token) == await _count(place, tables.refresh_token) == 1
        assert outcome == (not (await place.hot.look_up(place.query("access"))).found)

    hot_engine.run(scenario)
