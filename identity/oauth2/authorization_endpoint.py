"""`/oauth2/authorize`: check the request, see who is signed in, ask what is missing, answer with a code.

A request that needs nobody asked is answered at once. Any other becomes a login flow, whose end comes back to
`/oauth2/authorize/<flow>`: there the flow is used up, and only the request saved in it is read.
"""

from urllib.parse import urlsplit

import msgspec

from identity.authn.cookies import Cookies
from identity.authn.login_flow import FlowNotFound, LoginFlows, LoginRecord, OpenFlow
from identity.authn.sso_sessions import PASSWORD_ACR, SsoSessions
from identity.clock import SECOND, Clock
from identity.domain.applications import Application
from identity.domain.redirect_uris import match_redirect_uri
from identity.domain.sessions import SsoSession
from identity.oauth2.authorization_request import (
    AuthorizationRequest,
    Draft,
    PageError,
    RefusedRequest,
    check_authorization_request,
)
from identity.oauth2.authorization_response import AuthorizationResponses
from identity.oauth2.code_issuer import CodeIssuer, PersonGone
from identity.oauth2.errors import OAuthError
from identity.oauth2.id_token_hint import subject_of_hint
from identity.storage import login_flows
from identity.storage.configuration import Configuration, TenantConfiguration
from identity.storage.database import Database
from identity.tokens.claims import parse_claim_requests
from identity.tokens.jose import InvalidToken
from identity.tokens.keyring import Keyring
from identity.web.messages import Request, Response, redirect
from identity.web.security_headers import form_action_source
from userstores.spi import StoreUnavailable

REPEATABLE = frozenset({"resource"})
"""RFC 8707 §2: this one parameter may come several times (decision 24)."""

LOGIN_REQUIRED = ("login_required", "Nobody is signed in, or not recently enough.")
CONSENT_REQUIRED = ("consent_required", "The person has to allow the application's request first.")


class AuthorizationEndpoint:
    def __init__(
        self,
        *,
        configuration: Configuration,
        sessions: SsoSessions,
        flows: LoginFlows,
        codes: CodeIssuer,
        responses: AuthorizationResponses,
        keyring: Keyring,
        cookies: Cookies,
        database: Database,
        base_url: str,
        clock: Clock,
    ) -> None:
        self._configuration = configuration
        self._sessions = sessions
        self._flows = flows
        self._codes = codes
        self._responses = responses
        self._keyring = keyring
        self._cookies = cookies
        self._database = database
        self._base_url = base_url
        self._clock = clock

    async def __call__(self, http: Request) -> Response:
        """GET or POST (OpenID Connect Core §3.1.2.1)."""
        parameters = http.parameters(REPEATABLE)
        client_id = parameters.get("client_id")
        if client_id is None:
            raise PageError("invalid_request", "The parameter client_id is missing.")
        application = await self._configuration.exact_application(http.tenant, client_id)
        try:
            request, draft = check_authorization_request(parameters, http.tenant, application)
            assert application is not None
            return await self._decide(http, application, request, draft)
        except RefusedRequest as refused:
            return self._responses.error(http, refused.request, refused.error.code, refused.error.public)

    async def _decide(
        self, http: Request, application: Application, request: AuthorizationRequest, draft: Draft
    ) -> Response:
        self._require_possible_acr(request, draft)
        expected = self._expected_subject(http.tenant, application, request, draft)
        # A POST from another site arrives without Lax cookies, whoever is signed in: the GET it becomes has them
        # (decision 17).
        if http.method == "POST":
            return await self._begin_flow(http, application, request, session=None)
        session = await self._sessions.current(http)
        good = session is not None and self._good_enough(session, request, expected)
        if "none" in request.prompt:
            if session is None or not good:
                raise RefusedRequest(request, OAuthError(*LOGIN_REQUIRED))
            return await self._silently(http, application, request, session)
        if not good or "login" in request.prompt or "select_account" in request.prompt:
            return await self._begin_flow(http, application, request, session=None, reauthenticate=not good)
        assert session is not None
        if await self._codes.missing_consent(http.tenant, application, session, request):
            return await self._begin_flow(http, application, request, session=session)
        return await self._issue(http, application, request, session, request.scope)

    def _require_possible_acr(self, request: AuthorizationRequest, draft: Draft) -> None:
        # OpenID Connect Core §5.5.1.1: an essential acr that cannot be met is an error; voluntary ones may be missed.
        demand = draft.claims.get("id_token", {}).get("acr")
        if not demand or not demand.get("essential"):
            return
        values = demand.get("values") or ([demand["value"]] if "value" in demand else [])
        if values and PASSWORD_ACR not in values:
            raise RefusedRequest(
                request,
                OAuthError("unmet_authentication_requirements", "The demanded acr cannot be reached here."),
            )

    def _expected_subject(
        self, tenant: TenantConfiguration, application: Application, request: AuthorizationRequest, draft: Draft
    ) -> str | None:
        """The `sub` that the application insists on, by `id_token_hint` or by the `claims` parameter."""
        demand = draft.claims.get("id_token", {}).get("sub") or {}
        expected = demand.get("value")
        if request.id_token_hint:
            try:
                hinted = subject_of_hint(self._keyring, self._base_url, tenant, request.id_token_hint, application)
            except InvalidToken:
                raise RefusedRequest(
                    request, OAuthError("invalid_request", "The id_token_hint is not an ID token of ours.")
                ) from None
            if expected is not None and expected != hinted:
                raise RefusedRequest(request, OAuthError(*LOGIN_REQUIRED))
            expected = hinted
        if expected is not None and not isinstance(expected, str):
            raise RefusedRequest(request, OAuthError("invalid_request", "The demanded sub is not a string."))
        return expected

    def _good_enough(self, session: SsoSession, request: AuthorizationRequest, expected: str | None) -> bool:
        if expected is not None and session.subject != expected:
            return False
        if request.max_age is not None:
            return self._clock.now() - session.auth_time <= request.max_age * SECOND
        return True

    async def _silently(
        self, http: Request, application: Application, request: AuthorizationRequest, session: SsoSession
    ) -> Response:
        if await self._codes.missing_consent(http.tenant, application, session, request):
            raise RefusedRequest(request, OAuthError(*CONSENT_REQUIRED))
        return await self._issue(http, application, request, session, request.scope)

    async def _begin_flow(
        self,
        http: Request,
        application: Application,
        request: AuthorizationRequest,
        *,
        session: SsoSession | None,
        reauthenticate: bool = False,
    ) -> Response:
        """303 to the page that asks what is missing; `reauthenticate` when a running session is not good enough."""
        prefix = http.tenant.prefix
        by_post = http.method == "POST"
        record = LoginRecord(
            application_host=_host(request.redirect_uri),
            form_action=(form_action_source(request.redirect_uri),),
            login_hint=request.login_hint,
            ui_locales=request.ui_locales,
            choose_account="select_account" in request.prompt,
            reauthenticate=reauthenticate or "login" in request.prompt,
            asked_scope=request.scope if session is not None else "",
            undecided=by_post,
        )
        flow, value = await self._flows.begin(
            http.tenant,
            application=application.id,
            return_path=f"{prefix}/oauth2/authorize/{{flow}}",
            request=msgspec.json.encode(request).decode(),
            record=record,
            session=session,
        )
        page = "consent" if session is not None else "login"
        path = f"{prefix}/oauth2/authorize/{flow.id}" if by_post else f"{prefix}/{page}/{flow.id}"
        response = redirect(path)
        self._cookies.set_flow(response, flow.id, value, http.tenant.settings.flow_lifetime)
        return response

    async def resume(self, http: Request) -> Response:
        """GET `/oauth2/authorize/<flow>`: the end of a flow, or the page that is still due."""
        flow = await self._flows.open(http)
        if not flow.row.application:
            raise FlowNotFound("the account page's flow")
        request = msgspec.json.decode(flow.row.request, type=AuthorizationRequest)
        application = await self._configuration.exact_application(http.tenant, request.client_id)
        if application is None or not application.enabled:
            raise PageError("invalid_client", "The application is disabled or gone.")
        if not match_redirect_uri(request.redirect_uri, application.redirect_uris):
            # It was when the sign-in began; meanwhile it may have been taken away, with good reason.
            raise PageError("invalid_request", "The redirect_uri is no longer registered for this application.")
        try:
            return await self._finish(http, flow, application, request)
        except RefusedRequest as refused:
            if not flow.record.undecided:
                await self._use_up(flow)
            response = self._responses.error(http, request, refused.error.code, refused.error.public)
            self._cookies.clear_flow(response, flow.row.id)
            return response

    async def _finish(
        self, http: Request, flow: OpenFlow, application: Application, request: AuthorizationRequest
    ) -> Response:
        if "authorization_code" not in application.grant_types:
            raise RefusedRequest(request, OAuthError("unauthorized_client", "This application may no longer do this."))
        if flow.record.undecided:
            return await self._decide_late(http, flow, application, request)
        if flow.needs_sign_in:
            return redirect(f"{http.tenant.prefix}/login/{flow.row.id}")
        if flow.denied or flow.record.denied:
            raise RefusedRequest(request, OAuthError("access_denied", "The person did not allow the request."))
        session = await self._flows.session_of(http.tenant, flow)
        if session is None:
            raise FlowNotFound("the session has ended")
        expected = self._expected_subject(http.tenant, application, request, self._draft(http, application, request))
        if expected is not None and session.subject != expected:
            raise RefusedRequest(request, OAuthError(*LOGIN_REQUIRED))
        scope = flow.record.allowed_scope
        if scope is None:
            missing = await self._codes.missing_consent(http.tenant, application, session, request)
            if missing:
                await self._flows.ask_consent(flow, " ".join(missing))
                return redirect(f"{http.tenant.prefix}/consent/{flow.row.id}")
            scope = request.scope
        response = await self._issue(http, application, request, session, scope, flow)
        self._cookies.clear_flow(response, flow.row.id)
        return response

    async def _decide_late(
        self, http: Request, flow: OpenFlow, application: Application, request: AuthorizationRequest
    ) -> Response:
        """A request that came by POST, now that the browser's cookies are here: decide it as a GET would be."""
        await self._use_up(flow)
        response = await self._decide(http, application, request, self._draft(http, application, request))
        self._cookies.clear_flow(response, flow.row.id)
        return response

    async def _use_up(self, flow: OpenFlow) -> None:
        """A flow is good for one answer; of two requests with it, one gets it."""
        if not await login_flows.consume_login_flow(self._database, flow.row, self._clock.now()):
            raise FlowNotFound("used up meanwhile")

    async def _issue(
        self,
        http: Request,
        application: Application,
        request: AuthorizationRequest,
        session: SsoSession,
        scope: str,
        flow: OpenFlow | None = None,
    ) -> Response:
        try:
            code = await self._codes.issue(http, application, request, session, scope, flow.row if flow else None)
        except PersonGone:
            raise RefusedRequest(request, OAuthError(*LOGIN_REQUIRED)) from None
        except StoreUnavailable:
            raise RefusedRequest(
                request, OAuthError("temporarily_unavailable", "The person's directory does not answer.")
            ) from None
        await self._sessions.touch(http.tenant, session)
        return self._responses.success(http, request, code)

    def _draft(self, http: Request, application: Application, request: AuthorizationRequest) -> Draft:
        claims = parse_claim_requests(request.requested_claims) if request.requested_claims else {}
        return Draft({}, http.tenant, application, request, claims)


def _host(redirect_uri: str) -> str:
    parts = urlsplit(redirect_uri)
    return parts.netloc or f"{parts.scheme}:"
