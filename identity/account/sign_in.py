"""`/account/sign-in`: a login flow that leads to the account page instead of to an application."""

import json

from identity.authn.assurance import MULTI_FACTOR
from identity.authn.cookies import Cookies
from identity.authn.login_flow import FlowNotFound, LoginFlows, LoginRecord
from identity.authn.sign_in_plan import plan_of
from identity.clock import Clock
from identity.domain.applications import ApplicationId
from identity.storage import login_flows
from identity.storage.database import Database
from identity.web.messages import Request, Response, redirect

OUR_OWN = ApplicationId("")
"""The account page is no application: a flow without one is ours."""
_NEXT = {"factors": "account/factors"}
"""`next` → the page that the sign-in leads to, in place of the account page."""


class AccountSignIn:
    def __init__(self, flows: LoginFlows, cookies: Cookies, database: Database, clock: Clock) -> None:
        self._flows = flows
        self._cookies = cookies
        self._database = database
        self._clock = clock

    async def start(self, request: Request) -> Response:
        """`next`: which page follows; `level=2`: two factors are asked for."""
        query = request.query()
        wanted = (MULTI_FACTOR,) if query.get("level") == MULTI_FACTOR else ()
        flow, value = await self._flows.begin(
            request,
            application=None,
            return_path=f"{request.tenant.prefix}/account/sign-in/{{flow}}",
            request=json.dumps({"next": query.get("next", "")}),
            record=LoginRecord(application_host=""),
            plan=plan_of(request.tenant, None, wanted),
        )
        response = redirect(f"{request.tenant.prefix}/login/{flow.id}")
        self._cookies.set_flow(response, flow.id, value, request.tenant.settings.flow_lifetime)
        return response

    async def finish(self, request: Request) -> Response:
        """The end of the flow: signed in or given up, the account page says what is next."""
        flow = await self._flows.open(request)
        if flow.needs_sign_in:
            return redirect(f"{request.tenant.prefix}/login/{flow.row.id}")
        if flow.row.application != OUR_OWN:
            raise FlowNotFound("an application's flow")
        async with self._database.transaction() as transaction:
            await login_flows.consume_login_flow(transaction, flow.row, self._clock.now())
        wanted = _NEXT.get(json.loads(flow.row.request).get("next", ""), "account")
        response = redirect(f"{request.tenant.prefix}/{'' if flow.denied else wanted}")
        self._cookies.clear_flow(response, flow.row.id)
        return response
