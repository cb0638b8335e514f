"""What a look-up says of a token, and that it is exact on every worker (decisions 8, 31 and 35)."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import ColumnElement, Table, delete, update
from sqlalchemy.sql import ClauseElement

from identity.domain.tokens import TokenState
from identity.storage import tables
from tests.storage.hot_place import HOUR, NOW, HotEngine, Place, digest

ACTIVE = TokenState(
    tenant_version=1, caller_version=1, found=True, application="app", application_enabled=True, scope="read",
    audience="app", issued_at=NOW, expires_at=NOW + HOUR, token_revoked=False, grant="grant", grant_found=True,
    grant_revoked=False, session_ended=False, subject="alice-id", subject_username="alice", subject_current=True,
    subject_version=3, claims=b"", claims_version=0,
    requested_claims="",
)  # fmt: skip


def _of(place: Place, table: Table) -> ColumnElement[bool]:
    column: ColumnElement[int] = table.c.id if table is tables.tenant else table.c.tenant
    return column == place.tenant


def _set(table: Table, **values: Any) -> Callable[[Place], ClauseElement]:
    return lambda place: update(table).where(_of(place, table)).values(values)


def _drop(table: Table) -> Callable[[Place], ClauseElement]:
    return lambda place: delete(table).where(_of(place, table))


CHANGES: dict[str, tuple[Callable[[Place], ClauseElement], dict[str, Any]]] = {
    "tenant changed": (_set(tables.tenant, version=7), {"tenant_version": 7}),
    "tenant disabled": (_set(tables.tenant, enabled=0), {"tenant_version": None}),
    "tenant gone": (_drop(tables.tenant), {"tenant_version": None}),
    "application changed": (_set(tables.application, version=9), {"caller_version": 9}),
    "application disabled": (_set(tables.application, enabled=0), {"application_enabled": False}),
    "application gone": (_drop(tables.application), {"caller_version": None, "application_enabled": False}),
    "token revoked": (_set(tables.access_token, revoked_at=NOW), {"token_revoked": True}),
    "grant revoked": (_set(tables.grants, revoked_at=NOW), {"grant_revoked": True}),
    "grant gone": (
        _drop(tables.grants),
        {
            "grant_found": False, "subject": "", "subject_username": "", "subject_version": 0,
            "subject_current": False,
        },
    ),
    "session ended": (_set(tables.sso_session, ended_at=NOW), {"session_ended": True}),
    "session gone": (_drop(tables.sso_session), {"session_ended": True}),
    "session past its time": (_set(tables.sso_session, expires_at=NOW - 1), {}),
    "subject disabled": (_set(tables.subject, enabled=0), {"subject_current": False}),
    "everywhere signed out": (_set(tables.subject, epoch=1), {"subject_current": False}),
    "subject changed": (_set(tables.subject, version=4), {"subject_version": 4}),
    "subject of another store": (_set(tables.subject, store="STAFF"), {"subject_username": "STAFF/alice"}),
    "subject gone": (
        _drop(tables.subject),
        {"subject_current": False, "subject_version": 0, "subject_username": ""},
    ),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_committed_change_is_seen_by_the_next_look_up_of_another_worker(hot_engine: HotEngine, change: str) -> None:
    statement, difference = CHANGES[change]

    async def scenario(place: Place) -> None:
        await place.sign_in()
        query = await place.add_token(grant_id="grant")
        async with place.another_worker() as elsewhere:
            assert await elsewhere.look_up(query) == ACTIVE
            await place.change(statement(place))
            expected = {name: getattr(ACTIVE, name) for name in TokenState._fields} | difference
            assert await elsewhere.look_up(query) == TokenState(**expected)

    hot_engine.run(scenario)


def test_grant_with_offline_access_outlives_the_session(hot_engine: HotEngine) -> None:
    async def scenario(place: Place) -> None:
        await place.sign_in(session_bound=0)
        await place.change(update(tables.sso_session).where(_of(place, tables.sso_session)).values(ended_at=NOW))
        query = await place.add_token(grant_id="grant")
        assert await place.hot.look_up(query) == ACTIVE

    hot_engine.run(scenario)


def test_claims_come_only_where_they_are_asked_for(hot_engine: HotEngine) -> None:
    async def scenario(place: Place) -> None:
        await place.sign_in(requested_claims="{}")
        query = await place.add_token(grant_id="grant")
        with_claims = await place.hot.look_up_claims(query)
        assert (with_claims.claims, with_claims.claims_version, with_claims.requested_claims) == (b"sealed", 2, "{}")
        assert await place.hot.look_up(query) == ACTIVE
        without_grant = await place.hot.look_up_claims(await place.add_token("machine"))
        assert (without_grant.claims, without_grant.claims_version, without_grant.requested_claims) == (b"", 0, "")

    hot_engine.run(scenario)


def test_token_of_client_credentials_needs_no_grant(hot_engine: HotEngine) -> None:
    async def scenario(place: Place) -> None:
        state = await place.hot.look_up(await place.add_token())
        assert (state.found, state.grant, state.grant_found, state.subject) == (True, "", False, "")
        assert (state.grant_revoked, state.session_ended, state.subject_current) == (False, False, True)

    hot_engine.run(scenario)


def test_unknown_token_still_tells_the_versions(hot_engine: HotEngine) -> None:
    async def scenario(place: Place) -> None:
        state = await place.hot.look_up(place.query("never issued"))
        assert (state.tenant_version, state.caller_version, state.found) == (1, 1, False)
        nobody = await place.hot.look_up(place.query("never issued", caller=""))
        assert (nobody.tenant_version, nobody.caller_version) == (1, None)

    hot_engine.run(scenario)


def test_jwt_is_judged_by_the_grant_and_application_it_names(hot_engine: HotEngine) -> None:
    async def scenario(place: Place) -> None:
        await place.sign_in()
        jwt = place.query("jti", grant="grant", application="app")
        state = await place.hot.look_up(jwt)
        assert (state.found, state.application, state.application_enabled) == (False, "app", True)
        assert (state.grant_found, state.subject, state.subject_current) == (True, "alice-id", True)
        await place.add_token("jti", grant_id="grant", revoked_at=NOW)
        state = await place.hot.look_up(jwt)
        assert (state.found, state.token_revoked) == (True, True)

    hot_engine.run(scenario)


def test_row_of_a_token_outweighs_what_the_caller_says_of_it(hot_engine: HotEngine) -> None:
    async def scenario(place: Place) -> None:
        await place.sign_in()
        await place.insert(tables.grants, id="revoked", subject="alice-id", revoked_at=NOW)
        await place.add_token(grant_id="revoked")
        state = await place.hot.look_up(place.query("token", grant="grant", application="other"))
        assert (state.application, state.grant, state.grant_revoked) == ("app", "revoked", True)

    hot_engine.run(scenario)


def test_same_hash_under_two_tenants(hot_engine: HotEngine) -> None:
    async def scenario(place: Place) -> None:
        other = place.tenant + 1_000_000
        await place.settle(other)
        await place.add_token(scope="ours")
        await place.add_token(tenant=other, scope="theirs")
        third = place.query("token", tenant=other + 1)
        ours, theirs, nobody = await asyncio.gather(
            place.hot.look_up(place.query("token")), place.hot.look_up(place.query("token", tenant=other)),
            place.hot.look_up(third),
        )  # fmt: skip
        assert (ours.scope, theirs.scope) == ("ours", "theirs")
        assert (nobody.tenant_version, nobody.caller_version, nobody.found) == (None, None, False)

    hot_engine.run(scenario)


def test_grant_of_another_tenant_is_not_found(hot_engine: HotEngine) -> None:
    async def scenario(place: Place) -> None:
        await place.sign_in()
        other = place.tenant + 1_000_000
        await place.settle(other)
        await place.add_token(tenant=other, grant_id="grant")
        state = await place.hot.look_up_claims(place.query("token", tenant=other))
        assert (state.grant, state.grant_found, state.subject, state.claims) == ("grant", False, "", b"")

    hot_engine.run(scenario)


def test_more_callers_than_a_batch_holds_hear_each_of_their_own_token(hot_engine: HotEngine) -> None:
    async def scenario(place: Place) -> None:
        names = [f"token {number}" for number in range(600)]
        await asyncio.gather(*(place.hot.issue(place.new_token(name, scope=name)) for name in names))
        # Each twice, and unknown ones between them: an answer belongs to its place, not to its hash.
        asked = [place.query(name) for name in names for _ in range(2)]
        asked[::3] = [place.query(f"unknown {number}") for number in range(len(asked[::3]))]
        states = await asyncio.gather(*map(place.hot.look_up, asked))
        by_hash = {digest(name): name for name in names}
        assert [state.scope for state in states] == [by_hash.get(query.hash, "") for query in asked]

    hot_engine.run(scenario)
