"""Why was I asked? The trace of a sign-in by its id, and a person's last ones."""

from identity.administration.context import Administration
from identity.authn.api_access import ApiAccess
from identity.authn.login_trace import LoginTraces
from identity.errors import IdentityError
from identity.web.messages import Request, Response, json_response


class SignInTracesEndpoint:
    def __init__(self, access: ApiAccess, administered: Administration) -> None:
        self._access = access
        self._administered = administered
        self._traces = LoginTraces(administered.sealer)

    async def show(self, request: Request) -> Response:
        await self._access.require(request)
        found = await self._traces.find(
            self._administered.database, request.tenant.id, request.path_values["trace"], self._administered.clock.now()
        )
        if found is None:
            raise IdentityError("unknown_trace", "There is no such trace, or it is not kept any more.", status=404)
        return json_response(200, found)

    async def of_person(self, request: Request) -> Response:
        """By the person's id in our tokens (`sub`)."""
        await self._access.require(request)
        found = await self._traces.of_subject(
            self._administered.database, request.tenant.id, request.path_values["id"], self._administered.clock.now()
        )
        return json_response(200, {"totalResults": len(found), "traces": found})
