"""Sign-in for the pages on which a person decides requests of elsewhere: a login flow that leads back to the page."""

from dataclasses import dataclass
from urllib.parse import urlencode

import msgspec

from identity.authn.cookies import Cookies
from identity.authn.login_flow import FlowNotFound, LoginFlows, LoginRecord, OpenFlow
from identity.authn.sign_in_plan import Plan, plan_of
from identity.clock import Clock
from identity.domain.applications import Application
from identity.domain.sessions import SsoSession
from identity.oauth2.approvals.approval_policy import ApprovalDemand, ApprovalPolicy
from identity.storage import login_flows
from identity.storage.database import Database
from identity.web.messages import Request, Response, redirect

CLEARED = "cleared"
"""The page's parameter and the form's field for the token of a login that was gone through."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageReturn:
    """Where a flow leads back to, and which demand (`ApprovalDemand.purpose`) its end fulfils."""

    parameters: dict[str, str]
    purpose: str = ""


class PageSignIn:
    """`path` is the page's, below the tenant's prefix; the end of the flow is `<path>/{flow}`."""

    def __init__(
        self,
        path: str,
        flows: LoginFlows,
        policy: ApprovalPolicy,
        cookies: Cookies,
        database: Database,
        clock: Clock,
    ) -> None:
        self._path = path
        self._flows = flows
        self._policy = policy
        self._cookies = cookies
        self._database = database
        self._clock = clock

    async def begin(self, request: Request, parameters: dict[str, str]) -> Response:
        """To the sign-in page, and after it to the page with these parameters."""
        plan, record = plan_of(request.tenant, None), LoginRecord(application_host="")
        return await self._begin(request, PageReturn(parameters=parameters), plan, record)

    async def go_further(
        self, request: Request, demand: ApprovalDemand, session: SsoSession, parameters: dict[str, str]
    ) -> Response:
        """To what the session lacks for this demand, or to what a script asks, and then to the page again."""
        back = PageReturn(parameters=parameters, purpose=demand.purpose)
        record = LoginRecord(application_host="", facts=demand.facts)
        return await self._begin(request, back, demand.plan, record, application=demand.application, running=session)

    async def _begin(
        self,
        request: Request,
        back: PageReturn,
        plan: Plan,
        record: LoginRecord,
        *,
        application: Application | None = None,
        running: SsoSession | None = None,
    ) -> Response:
        prefix = request.tenant.prefix
        flow, value = await self._flows.begin(
            request,
            application=application,
            return_path=f"{prefix}{self._path}/{{flow}}",
            request=msgspec.json.encode(back).decode(),
            record=record,
            plan=plan,
            running=running,
        )
        response = redirect(f"{prefix}/login/{flow.id}")
        self._cookies.set_flow(response, flow.id, value, request.tenant.settings.flow_lifetime)
        return response

    async def finish(self, request: Request) -> Response:
        """The end of the flow: signed in it leads to the page, given up or denied to the home page."""
        flow = await self._flows.open(request)
        if flow.row.return_path != f"{request.tenant.prefix}{self._path}/{flow.row.id}":
            raise FlowNotFound("another page's flow")
        early = Response(303)
        flow = await self._flows.settle(request, flow, early)
        response = await self._onward(request, flow)
        # What a script or the end of the sign-in put into the answer.
        response.headers[:0] = early.headers
        return response

    async def _onward(self, request: Request, flow: OpenFlow) -> Response:
        prefix = request.tenant.prefix
        if flow.needs_sign_in:
            return redirect(f"{prefix}/login/{flow.row.id}")
        if not await login_flows.consume_login_flow(self._database, flow.row, self._clock.now()):
            raise FlowNotFound("used up meanwhile")
        response = redirect(f"{prefix}/" if flow.denied else await self._page(request, flow))
        self._cookies.clear_flow(response, flow.row.id)
        return response

    async def _page(self, request: Request, flow: OpenFlow) -> str:
        """The page's address, with a token for the session that the flow ended with."""
        back = msgspec.json.decode(flow.row.request, type=PageReturn)
        parameters = back.parameters
        session = await self._flows.session_of(request.tenant, flow) if back.purpose else None
        if session is not None:
            parameters = {**parameters, CLEARED: self._policy.token(back.purpose, session)}
        query = f"?{urlencode(parameters)}" if parameters else ""
        return f"{request.tenant.prefix}{self._path}{query}"
