"""`/oauth2/authn`: the steps of a sign-in by JSON (wso2-contracts §1.6).

It is the flow of the pages, with its driver, lockout, limits and checks. Instead of a cookie the application holds the
`flowId`, which no page takes.
"""

from identity.authn.authenticators import Refusal
from identity.authn.login_flow import LoginFlows, OpenFlow
from identity.authn.login_steps import LoginSteps
from identity.authn.sso_sessions import SsoSessions
from identity.errors import IdentityError, Unavailable
from identity.oauth2.authorization.authorization_endpoint import AuthorizationEndpoint
from identity.oauth2.native.native_login import StepAnswer, error_answer, not_offered, read_answer, require_values
from identity.oauth2.native.native_prompts import NativePrompts
from identity.storage.database import Database
from identity.web.messages import Request, Response, json_response


class NativeLoginEndpoint:
    def __init__(
        self,
        flows: LoginFlows,
        sessions: SsoSessions,
        authorize: AuthorizationEndpoint,
        steps: LoginSteps,
        prompts: NativePrompts,
        database: Database,
    ) -> None:
        self._flows = flows
        self._sessions = sessions
        self._database = database
        self._authorize = authorize
        self._steps = steps
        self._prompts = prompts

    async def __call__(self, http: Request) -> Response:
        try:
            answer = read_answer(http)
            flow = await self._flows.open_native(http, answer.flow, answer.secret)
            if flow.needs_sign_in:
                again = await self._step(http, flow, answer)
                if again is not None:
                    return again
                flow = await self._flows.open_native(http, answer.flow, answer.secret)
            response = await self._authorize.go_on(http, flow)
            if response.status != 200:
                await self._end_session(http, flow)
        except IdentityError as error:
            return error_answer(http, error)
        # No browser is there to keep a cookie, or to forget one.
        response.headers = [header for header in response.headers if header[0] != b"set-cookie"]
        return response

    async def _end_session(self, http: Request, flow: OpenFlow) -> None:
        """The sign-in was refused after the password: nobody holds the session that it began."""
        session = await self._flows.session_of(http.tenant, flow)
        if session is not None:
            async with self._database.transaction() as transaction:
                await self._sessions.end(transaction, http, session)

    async def _step(self, http: Request, flow: OpenFlow, answer: StepAnswer) -> Response | None:
        """None when the sign-in has ended. Raises OAuthError, Unavailable."""
        pending = flow.pending
        if pending.kind != "step" or answer.authenticator not in pending.authenticators:
            raise not_offered()
        error: Refusal | None = None
        if answer.authenticator not in pending.states or not answer.values:
            flow, error = await self._flows.choose(http, flow, answer.authenticator, response=None)
        if answer.values and flow.needs_sign_in and error is None:
            require_values(self._steps.factor(answer.authenticator), answer.values)
            values = {**answer.values, "authenticator": answer.authenticator}
            flow, error = await self._flows.answer(http, flow, values, response=None)
        if error in ("unavailable", "busy"):
            raise Unavailable(error, retry_after=5)
        if not flow.needs_sign_in:
            return None
        return json_response(200, await self._prompts.of(http, flow, "FAIL_INCOMPLETE" if error else "INCOMPLETE"))
