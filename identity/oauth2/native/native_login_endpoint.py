"""`/oauth2/authn`: the steps of a sign-in by JSON (wso2-contracts §1.6).

It is the flow of the pages, with its driver, lockout, limits and checks. Instead of a cookie the application holds the
`flowId`, which no page takes.
"""

from identity.authn.login_flow import LoginFlows, OpenFlow
from identity.authn.sso_sessions import SsoSessions
from identity.errors import IdentityError, Unavailable
from identity.oauth2.authorization.authorization_endpoint import AuthorizationEndpoint
from identity.oauth2.native.native_login import StepAnswer, error_answer, flow_id, prompt, read_answer
from identity.oauth2.native.native_login_start import authn_address
from identity.storage.database import Database
from identity.web.messages import Request, Response, json_response


class NativeLoginEndpoint:
    def __init__(
        self,
        flows: LoginFlows,
        sessions: SsoSessions,
        authorize: AuthorizationEndpoint,
        database: Database,
        base_url: str,
    ) -> None:
        self._flows = flows
        self._sessions = sessions
        self._database = database
        self._authorize = authorize
        self._base_url = base_url

    async def __call__(self, http: Request) -> Response:
        try:
            answer = read_answer(http)
            flow = await self._flows.open_native(http, answer.flow, answer.secret)
            if flow.needs_sign_in:
                again = await self._sign_in(http, flow, answer)
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

    async def _sign_in(self, http: Request, flow: OpenFlow, answer: StepAnswer) -> Response | None:
        """None when the password was right. Raises Unavailable."""
        outcome = await self._flows.answer_password(
            http, flow, username=answer.username, secret=answer.password, remember=False, response=None
        )
        if outcome.user is not None:
            return None
        if outcome.error != "refused":
            raise Unavailable(outcome.error, retry_after=5)
        identifier = flow_id(answer.flow, answer.secret)
        return json_response(200, prompt(identifier, authn_address(self._base_url, http), "FAIL_INCOMPLETE"))
