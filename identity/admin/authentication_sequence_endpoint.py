"""`/api/server/v1/applications/{id}/authenticationSequence`: an application's steps and script, in WSO2's model."""

import json
from typing import Any

from adaptive_auth import templates
from identity.admin import script_bodies as bodies
from identity.administration import applications, scripts
from identity.administration.published_scripts import require_fitting, source_of
from identity.administration.script_bundles import ScriptAdministration
from identity.administration.scripts import Owner
from identity.authn.api_access import ApiAccess, Caller
from identity.domain.tenants import SignInStep
from identity.errors import IdentityError
from identity.web.json_bodies import read_body
from identity.web.messages import Request, Response, json_response


class AuthenticationSequenceEndpoint:
    def __init__(self, access: ApiAccess, scripting: ScriptAdministration) -> None:
        self._access = access
        self._scripting = scripting
        self._administered = scripting.administration

    async def show(self, request: Request) -> Response:
        await self._access.require(request)
        return await self._shown(await self._owner(request))

    async def replace(self, request: Request) -> Response:
        """PUT: what is named. A script is saved as a version and published; an empty one ends what is published."""
        caller = await self._access.require(request)
        body = read_body(request, bodies.AuthenticationSequence)
        owner = await self._owner(request)
        if body.type not in ("DEFAULT", "USER_DEFINED"):
            raise IdentityError("invalid_request", "type is DEFAULT or USER_DEFINED.")
        if any(step not in (None, 1) for step in (body.subject_step_id, body.attribute_step_id)):
            raise IdentityError("invalid_request", "A script names its subject and attribute step by stepOptions.")
        if body.type == "DEFAULT":
            await self._set_steps(owner, (), body.minimum_acr)
            await scripts.unpublish(self._administered, owner, by=caller)
            return await self._shown(await self._owner(request))
        steps = bodies.steps_of(body)
        await require_fitting(self._scripting, owner, steps, body.script)
        if body.script is not None:
            await scripts.require_room(self._administered, owner)
        await self._set_steps(owner, steps, body.minimum_acr)
        if body.script is not None:
            await self._publish(await self._owner(request), body.script, "", "", caller)
        return await self._shown(await self._owner(request))

    async def replace_script(self, request: Request) -> Response:
        """PUT: saved as a version and published."""
        caller = await self._access.require(request)
        body = read_body(request, bodies.ScriptOnly)
        owner = await self._owner(request)
        await self._publish(owner, body.script, bodies.tests_text(body.tests), body.note, caller)
        return await self._shown(await self._owner(request))

    async def authenticators(self, request: Request) -> Response:
        """The factors of its steps."""
        await self._access.require(request)
        owner = await self._owner(request)
        assert owner.application is not None
        steps = owner.application.sign_in_steps or owner.tenant.settings.sign_in_steps
        names = dict.fromkeys(name for step in steps for name in step.authenticators)
        return json_response(200, [{"idp": bodies.LOCAL, "authenticator": name} for name in names])

    async def templates(self, request: Request) -> Response:
        """Scripts to begin with. `templatesJSON` is for clients of WSO2's."""
        await self._access.require(request)
        found = [
            {
                "name": name,
                "title": name.replace("-", " ").capitalize(),
                "summary": templates.summary(name),
                "code": templates.source(name).splitlines(),
                "tests": json.loads(templates.tests(name)),
            }
            for name in templates.names()
        ]
        return json_response(200, {"templatesJSON": json.dumps(found), "templates": found})

    async def _publish(self, owner: Owner, script: str, tests: str, note: str, caller: Caller) -> None:
        if not script.strip():
            await scripts.unpublish(self._administered, owner, by=caller)
            return
        saved = await scripts.save_version(self._scripting, owner, script, tests=tests, note=note, by=caller)
        await scripts.publish(self._scripting, owner, saved.version.number, by=caller)

    async def _set_steps(self, owner: Owner, steps: tuple[SignInStep, ...] | None, minimum_acr: str | None) -> None:
        assert owner.application is not None
        changes: dict[str, Any] = {}
        if steps is not None:
            changes["sign_in_steps"] = steps
        if minimum_acr is not None:
            changes["minimum_acr"] = minimum_acr
        if changes:
            client_id = owner.application.client_id
            same_script = scripts.unless_published_meanwhile(owner)
            await applications.update_application(
                self._administered, owner.tenant, client_id, changes, require=same_script
            )

    async def _shown(self, owner: Owner) -> Response:
        version = await scripts.published_version(self._administered, owner)
        return json_response(200, bodies.shown_sequence(owner, version, await source_of(self._administered, owner)))

    async def _owner(self, request: Request) -> Owner:
        return await scripts.owner_by_id(self._administered, request.tenant.tenant, request.path_values["id"])
