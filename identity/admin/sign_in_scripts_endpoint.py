"""Sign-in scripts over REST: drafts, publishing, history, shadow, backtest; trying one out without storing it.

Reading never executes. What executes needs the right to change applications, and runs in the lane with its limits.
"""

from dataclasses import replace
from typing import Any

from adaptive_auth.check import CheckingEngine
from adaptive_auth.given import Given, GivenError, read_given
from adaptive_auth.script import Script
from adaptive_auth.simulator import Simulation, simulate
from identity.admin import script_bodies as bodies
from identity.administration import scripts as administration
from identity.administration.backtests import Summary, prepare_backtest
from identity.administration.script_bundles import ScriptAdministration, bundle, surroundings_of
from identity.administration.scripts import Owner
from identity.authn.api_access import ApiAccess
from identity.errors import IdentityError
from identity.web.json_bodies import read_body
from identity.web.messages import Request, Response, json_response

TRACES = "internal_sign_in_trace_view"
MAXIMUM_PAGE = 1000
SECONDS_OF_A_PAGE = 5.0
"""A page of a backtest ends then, and says where the next one begins."""


class SignInScriptsEndpoint:
    def __init__(self, access: ApiAccess, scripting: ScriptAdministration) -> None:
        self._access = access
        self._scripting = scripting
        self._administered = scripting.administration

    async def show(self, request: Request) -> Response:
        """What decides now."""
        await self._access.require(request)
        owner = await self._owner(request)
        versions = await administration.history(self._administered, owner)
        current = administration.current_of(owner, versions)
        return json_response(
            200,
            {
                "published": owner.published or None,
                "version": current.number if current is not None else None,
                "shadow": owner.shadow or None,
                "versions": len(versions),
            },
        )

    async def unpublish(self, request: Request) -> Response:
        caller = await self._access.require(request)
        await administration.unpublish(self._administered, await self._owner(request), by=caller)
        return Response(204)

    async def versions(self, request: Request) -> Response:
        """The newest first."""
        await self._access.require(request)
        owner = await self._owner(request)
        versions = await administration.history(self._administered, owner)
        current = administration.current_of(owner, versions)
        shown = [bodies.listed_version(version, current) for version in versions]
        return json_response(200, {"totalResults": len(shown), "versions": shown})

    async def save(self, request: Request) -> Response:
        """POST: a draft."""
        caller = await self._access.require(request)
        body = read_body(request, bodies.NewVersion)
        saved = await administration.save_version(
            self._scripting,
            await self._owner(request),
            body.script,
            tests=bodies.tests_text(body.tests),
            note=body.note,
            by=caller,
        )
        shown = {**bodies.listed_version(saved.version, None), **bodies.shown_verified(saved.verified)}
        return json_response(201, shown)

    async def version(self, request: Request) -> Response:
        await self._access.require(request)
        owner = await self._owner(request)
        found = await administration.require_version(self._administered, owner, _number(request))
        current = await administration.published_version(self._administered, owner)
        return json_response(200, bodies.shown_version(found, current))

    async def publish(self, request: Request) -> Response:
        caller = await self._access.require(request)
        owner, number = await self._owner(request), _number(request)
        saved = await administration.publish(self._scripting, owner, number, by=caller)
        return self._published(saved)

    async def rollback(self, request: Request) -> Response:
        """POST: the text of an old version, published as a new one."""
        caller = await self._access.require(request)
        owner, number = await self._owner(request), _number(request)
        saved = await administration.rollback(self._scripting, owner, number, by=caller)
        return self._published(saved)

    def _published(self, saved: administration.SavedVersion) -> Response:
        shown = bodies.listed_version(saved.version, saved.version)
        return json_response(200, {**shown, **bodies.shown_verified(saved.verified)})

    async def diff(self, request: Request) -> Response:
        await self._access.require(request)
        query = request.query()
        old, new = (_as_number(query.get(name, "")) for name in ("from", "to"))
        text = await administration.diff(self._administered, await self._owner(request), old, new)
        return json_response(200, {"from": old, "to": new, "diff": text})

    async def shadow(self, request: Request) -> Response:
        """How the candidate compares so far."""
        await self._access.require(request)
        owner = await self._owner(request)
        return await self._shadow(owner)

    async def set_shadow(self, request: Request) -> Response:
        caller = await self._access.require(request)
        body = read_body(request, bodies.Candidate)
        owner = await self._owner(request)
        hash = await administration.set_shadow(self._scripting, owner, body.version, by=caller)
        return json_response(200, {"candidate": hash, "comparisons": []})

    async def clear_shadow(self, request: Request) -> Response:
        caller = await self._access.require(request)
        await administration.set_shadow(self._scripting, await self._owner(request), None, by=caller)
        return Response(204)

    async def _shadow(self, owner: Owner) -> Response:
        found = await administration.shadow_report(self._administered, owner)
        shown = [bodies.shown_comparison(comparison) for comparison in found]
        return json_response(200, {"candidate": owner.shadow or None, "comparisons": shown})

    async def backtest(self, request: Request) -> Response:
        """POST: one page of recorded sign-ins under a changed script, and where the next page begins.

        Whose they were and where from is told to who may read the traces of sign-ins.
        """
        caller = await self._access.require(request)
        body = read_body(request, bodies.WantedBacktest)
        owner = await self._owner(request)
        source = await self._wanted_source(owner, body)
        if body.since < 1 or not 1 <= body.limit <= MAXIMUM_PAGE:
            raise IdentityError("invalid_request", f"since must be positive, limit 1 to {MAXIMUM_PAGE}.")
        test = await prepare_backtest(self._scripting, owner, source, since_seconds=body.since)
        page = await test.page(body.after, body.limit, SECONDS_OF_A_PAGE)
        summary = Summary()
        summary.add(page)
        logins = [
            each.to_json() for each in page.compared if not body.changed_only or each.outcome.comparison != "same"
        ]
        shown = {**summary.to_json(), "changes": logins, "after": page.after or None}
        if TRACES not in caller.scopes:
            _leave_out_people([*logins, *(each for examples in shown["examples"].values() for each in examples)])
        return json_response(200, shown)

    async def _wanted_source(self, owner: Owner, body: bodies.WantedBacktest) -> str:
        if (body.script is None) == (body.version is None):
            raise IdentityError("invalid_request", "Name the script, or the number of a version.")
        if body.version is None:
            assert body.script is not None
            return body.script
        return (await administration.require_version(self._administered, owner, body.version)).source

    async def check(self, request: Request) -> Response:
        """POST: what saving it would say."""
        await self._access.require(request)
        body = read_body(request, bodies.Tried)
        verified = await administration.try_script(self._scripting, await self._named_owner(request, body), body.script)
        return json_response(200, bodies.shown_verified(verified))

    async def test(self, request: Request) -> Response:
        """POST: a script's tests, run."""
        await self._access.require(request)
        body = read_body(request, bodies.Tried)
        owner = await self._named_owner(request, body)
        verified = await administration.try_script(self._scripting, owner, body.script, bodies.tests_text(body.tests))
        passed = not verified.errors and not verified.failed
        return json_response(200, {"passed": passed, **bodies.shown_verified(verified)})

    async def simulate(self, request: Request) -> Response:
        """POST: a whole sign-in with what is given, as `identity script run` does it."""
        await self._access.require(request)
        body = read_body(request, bodies.Tried)
        owner = await self._named_owner(request, body)
        try:
            given = read_given(body.given if body.given is not None else {})
        except GivenError as problem:
            raise IdentityError("invalid_given", f"{problem}.") from None
        around = await surroundings_of(self._administered, owner.tenant, owner.application)
        script, _ = bundle(body.script, around.libraries)
        given = replace(given, authenticators=given.authenticators or around.steps)
        simulation = await self._simulated(request, script, given)
        return json_response(200, simulation.to_json())

    async def _simulated(self, request: Request, script: Script, given: Given) -> Simulation:
        def work(engine: CheckingEngine) -> Simulation:
            return simulate(engine, script, given)

        return await self._scripting.trials.run(request.tenant.id, work)

    async def _owner(self, request: Request) -> Owner:
        """The application of the path, or the tenant where it names none."""
        id = request.path_values.get("id")
        return await self._owner_by(request, id)

    async def _named_owner(self, request: Request, body: bodies.Tried) -> Owner:
        return await self._owner_by(request, body.application or None)

    async def _owner_by(self, request: Request, application: str | None) -> Owner:
        tenant = request.tenant.tenant
        if application is None:
            return Owner(tenant)
        return await administration.owner_by_id(self._administered, tenant, application)


def _leave_out_people(logins: list[dict[str, Any]]) -> None:
    for login in logins:
        for member in ("who", "subject", "from"):
            del login[member]


def _number(request: Request) -> int:
    return _as_number(request.path_values["number"])


def _as_number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise IdentityError("unknown_version", "Versions are named by their number.", status=404)
    return int(text)
