"""Sign-in for the pages on which a person decides requests of elsewhere: a login flow that leads back to the page."""

from urllib.parse import urlencode

import msgspec

from identity.authn.cookies import Cookies
from identity.authn.login_flow import FlowNotFound, LoginFlows, LoginRecord
from identity.authn.sign_in_plan import plan_of
from identity.clock import Clock
from identity.storage import login_flows
from identity.storage.database import Database
from identity.web.messages import Request, Response, redirect


class PageSignIn:
    """`path` is the page's, below the tenant's prefix; the end of the flow is `<path>/{flow}`."""

    def __init__(self, path: str, flows: LoginFlows, cookies: Cookies, database: Database, clock: Clock) -> None:
        self._path = path
        self._flows = flows
        self._cookies = cookies
        self._database = database
        self._clock = clock

    async def begin(self, request: Request, parameters: dict[str, str]) -> Response:
        """To the sign-in page, and after it to the page with these parameters."""
        prefix = request.tenant.prefix
        flow, value = await self._flows.begin(
            request,
            application=None,
            return_path=f"{prefix}{self._path}/{{flow}}",
            request=msgspec.json.encode(parameters).decode(),
            record=LoginRecord(application_host=""),
            plan=plan_of(request.tenant, None),
        )
        response = redirect(f"{prefix}/login/{flow.id}")
        self._cookies.set_flow(response, flow.id, value, request.tenant.settings.flow_lifetime)
        return response

    async def finish(self, request: Request) -> Response:
        """The end of the flow: signed in it leads to the page, given up to the home page."""
        flow = await self._flows.open(request)
        prefix = request.tenant.prefix
        if flow.row.return_path != f"{prefix}{self._path}/{flow.row.id}":
            raise FlowNotFound("another page's flow")
        if flow.needs_sign_in:
            return redirect(f"{prefix}/login/{flow.row.id}")
        if not await login_flows.consume_login_flow(self._database, flow.row, self._clock.now()):
            raise FlowNotFound("used up meanwhile")
        parameters = msgspec.json.decode(flow.row.request, type=dict[str, str])
        query = f"?{urlencode(parameters)}" if parameters else ""
        response = redirect(f"{prefix}/" if flow.denied else f"{prefix}{self._path}{query}")
        self._cookies.clear_flow(response, flow.row.id)
        return response
