"""`/oauth2/authorize`: check the request, see who is signed in, ask what is missing, answer with what was asked for.

A request that needs nobody asked is answered at once. Any other becomes a login flow, whose end comes back to
`/oauth2/authorize/<flow>`: there the flow is used up, and only the request saved in it is read.
"""

from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import msgspec

from identity.authn.cookies import Cookies
from identity.authn.login_flow import ConsentQuestion, FlowNotFound, LoginFlows, LoginRecord, OpenFlow
from identity.authn.sign_in_plan import Plan, plan_of
from identity.authn.sso_sessions import SsoSessions
from identity.clock import SECOND, Clock
from identity.domain.applications import Application
from identity.domain.redirect_uris import match_redirect_uri
from identity.domain.sessions import SsoSession
from identity.oauth2.authorization.authentication_demands import (
    LOGIN_REQUIRED,
    require_essential_acr,
    script_facts,
    sign_in_denied,
    told_acr,
)
from identity.oauth2.authorization.authorization_checks import check_authorization_request, refused_unread
from identity.oauth2.authorization.authorization_issuer import AuthorizationIssuer, Decision, PersonGone
from identity.oauth2.authorization.authorization_request import (
    AuthorizationRequest,
    Draft,
    Grounds,
    PageError,
    Presented,
    RefusedRequest,
)
from identity.oauth2.authorization.authorization_response import AuthorizationResponses, new_request
from identity.oauth2.authorization.claims_consent import as_allowed
from identity.oauth2.authorization.request_sources import RequestSources
from identity.oauth2.clients.client_metadata_documents import ClientMetadataDocuments
from identity.oauth2.errors import OAuthError
from identity.oauth2.native.native_login import DIRECT, error_answer
from identity.oauth2.native.native_login_start import NativeLoginStart
from identity.oauth2.scope_policy import ScopePolicy
from identity.storage import login_flows, pushed_requests
from identity.storage.configuration import Configuration, TenantConfiguration
from identity.tokens.subjects import shown_subject
from identity.web.messages import Request, Response, redirect
from identity.web.security_headers import form_action_source
from userstores.spi import StoreUnavailable

REPEATABLE = frozenset({"resource"})
"""RFC 8707 §2: this one parameter may come several times (decision 24)."""

CONSENT_REQUIRED = ("consent_required", "The person has to allow the application's request first.")


class AuthorizationEndpoint:
    def __init__(
        self,
        *,
        configuration: Configuration,
        documents: ClientMetadataDocuments,
        sources: RequestSources,
        grounds: Grounds,
        sessions: SsoSessions,
        flows: LoginFlows,
        scopes: ScopePolicy,
        issuer: AuthorizationIssuer,
        responses: AuthorizationResponses,
        native: NativeLoginStart,
        cookies: Cookies,
        clock: Clock,
    ) -> None:
        self._configuration = configuration
        self._documents = documents
        self._sources = sources
        self._grounds = grounds
        self._sessions = sessions
        self._flows = flows
        self._scopes = scopes
        self._issuer = issuer
        self._responses = responses
        self._native = native
        self._cookies = cookies
        self._clock = clock

    async def __call__(self, http: Request) -> Response:
        """GET or POST (OpenID Connect Core §3.1.2.1)."""
        outer = http.parameters(REPEATABLE)
        try:
            return await self._answer(http, outer)
        except PageError as error:
            if outer.get("response_mode") == DIRECT:
                return error_answer(http, error)
            raise

    async def _answer(self, http: Request, outer: dict[str, str]) -> Response:
        client_id = outer.get("client_id")
        if client_id is None:
            raise PageError("invalid_request", "The parameter client_id is missing.")
        await self._documents.ensure(http, client_id)
        application = await self._configuration.exact_application(http.tenant, client_id)
        if application is None or not application.enabled:
            raise PageError("invalid_client", "The client_id is unknown here, or the application is disabled.")
        try:
            presented = await self._presented(http, application, outer)
            request = await check_authorization_request(self._draft(http, application, presented))
            return await self._decide(http, application, request)
        except RefusedRequest as refused:
            return await self._refused(http, application, refused)

    async def _presented(self, http: Request, application: Application, outer: dict[str, str]) -> Presented:
        try:
            return await self._sources.read(http, application, outer)
        except OAuthError as error:
            raise refused_unread(self._draft(http, application, Presented(parameters=outer)), error) from None

    def _draft(self, http: Request, application: Application, presented: Presented) -> Draft:
        return Draft(presented, http.tenant, application, new_request(application, presented), self._grounds)

    async def _refused(self, http: Request, application: Application, refused: RefusedRequest) -> Response:
        """The error goes back to the application; it is a response, so a pushed request is used up by it."""
        request = refused.request
        if request.pushed:
            await pushed_requests.consume_pushed_request(
                self._grounds.database, http.tenant.id, bytes.fromhex(request.pushed), self._clock.now()
            )
        return await self._responses.error(http, application, request, refused.error)

    async def _decide(self, http: Request, application: Application, request: AuthorizationRequest) -> Response:
        if request.response_mode == DIRECT:
            return await self._native.begin(http, application, request)
        # A POST from another site arrives without Lax cookies, whoever is signed in: the GET it becomes has them
        # (decision 17).
        if http.method == "POST":
            return await self._begin_flow(http, application, request, plan_of(http.tenant, application))
        session = await self._sessions.current(http)
        plan = plan_of(http.tenant, application, request.acr_values)
        fresh = session is not None and self._fresh(http.tenant, application, session, request)
        if session is None or not fresh or {"login", "select_account"}.intersection(request.prompt):
            if "none" in request.prompt:
                raise RefusedRequest(request, OAuthError(*LOGIN_REQUIRED))
            return await self._begin_flow(http, application, request, plan, reauthenticate=not fresh)
        if not plan.satisfied_by(session):
            # A script decides, or something is missing: only that is asked for.
            if "none" in request.prompt and plan.needs_somebody(session):
                raise RefusedRequest(request, OAuthError(*LOGIN_REQUIRED))
            return await self._begin_flow(http, application, request, plan, running=session)
        decision = await self._decision(http.tenant, application, request, session, request.scope)
        decision = replace(decision, acr=told_acr(request, session.acr))
        question = await self._issuer.missing_consent(http.tenant, decision)
        if question is None:
            return await self._issue(http, decision)
        if "none" in request.prompt:
            raise RefusedRequest(request, OAuthError(*CONSENT_REQUIRED))
        return await self._begin_flow(http, application, request, plan, session=session, question=question)

    async def _decision(
        self,
        tenant: TenantConfiguration,
        application: Application,
        request: AuthorizationRequest,
        session: SsoSession,
        scope: str,
    ) -> Decision:
        """RFC 6749 §3.3: what this application may not have for this person is left out."""
        try:
            allowed = await self._scopes.allowed(tenant, application, session.subject, scope.split())
        except OAuthError as error:
            raise RefusedRequest(request, error) from None
        return Decision(application, request, session, " ".join(allowed))

    def _fresh(
        self, tenant: TenantConfiguration, application: Application, session: SsoSession, request: AuthorizationRequest
    ) -> bool:
        """Whether the session counts for this request; a step-up challenge may come as `max_age` (RFC 9470 §5)."""
        if not _is_expected(tenant, application, session, request):
            return False
        return request.max_age is None or self._clock.now() - session.auth_time <= request.max_age * SECOND

    async def _begin_flow(
        self,
        http: Request,
        application: Application,
        request: AuthorizationRequest,
        plan: Plan,
        *,
        session: SsoSession | None = None,
        running: SsoSession | None = None,
        reauthenticate: bool = False,
        question: ConsentQuestion | None = None,
    ) -> Response:
        """303 to the page that asks what is missing: everything with `reauthenticate`, only what the `running` session
        has not shown, or with `session` nothing but consent."""
        prefix = http.tenant.prefix
        by_post = http.method == "POST"
        record = LoginRecord(
            application_host=_host(request.redirect_uri),
            form_action=(form_action_source(request.redirect_uri),),
            login_hint=request.login_hint,
            ui_locales=request.ui_locales,
            choose_account="select_account" in request.prompt,
            reauthenticate=reauthenticate or "login" in request.prompt,
            question=question,
            undecided=by_post,
            silent="none" in request.prompt,
            facts=script_facts(request),
        )
        flow, value = await self._flows.begin(
            http,
            application=application,
            return_path=f"{prefix}/oauth2/authorize/{{flow}}",
            request=msgspec.json.encode(request).decode(),
            record=record,
            plan=plan,
            session=session,
            running=running,
        )
        page = "consent" if session is not None else "login"
        # A script, or the limit of sessions, may find that the running session is enough: then no page is shown at all.
        direct = by_post or (running is not None and (bool(plan.script) or record.silent))
        path = f"{prefix}/oauth2/authorize/{flow.id}" if direct else f"{prefix}/{page}/{flow.id}"
        response = redirect(path)
        self._cookies.set_flow(response, flow.id, value, http.tenant.settings.flow_lifetime)
        return response

    async def resume(self, http: Request) -> Response:
        """GET `/oauth2/authorize/<flow>`: the end of a flow, or the page that is still due."""
        flow = await self._flows.open(http)
        early = Response(303)
        flow = await self._flows.settle(http, flow, early)
        response = await self.go_on(http, flow)
        # What a script or the end of the sign-in put into the answer.
        response.headers[:0] = early.headers
        return response

    async def go_on(self, http: Request, flow: OpenFlow) -> Response:
        """The same for a flow that its owner has opened, by cookie or (native login) by its secret."""
        # A flow for a device or the account page answers nothing here, and ours answers nothing there.
        own = "" if flow.record.native else f"{http.tenant.prefix}/oauth2/authorize/{flow.row.id}"
        if not flow.row.application or flow.row.return_path != own:
            raise FlowNotFound("another page's flow")
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
            response = await self._refused(http, application, refused)
            self._cookies.clear_flow(response, flow.row.id)
            return response

    async def _finish(
        self, http: Request, flow: OpenFlow, application: Application, request: AuthorizationRequest
    ) -> Response:
        _require_still_allowed(application, request)
        if flow.record.undecided:
            return await self._decide_late(http, flow, application, request)
        if flow.needs_sign_in:
            if "none" in request.prompt:
                raise RefusedRequest(request, OAuthError(*LOGIN_REQUIRED))
            return redirect(f"{http.tenant.prefix}/login/{flow.row.id}")
        if flow.denied or flow.record.denied:
            raise RefusedRequest(request, sign_in_denied(flow.record.denial))
        session = await self._flows.session_of(http.tenant, flow)
        if session is None:
            raise FlowNotFound("the session has ended")
        if not _is_expected(http.tenant, application, session, request):
            raise RefusedRequest(request, OAuthError(*LOGIN_REQUIRED))
        if request.max_age is not None and flow.row.created_at - session.auth_time > request.max_age * SECOND:
            # It was younger when the sign-in began, or another session has taken its place.
            raise RefusedRequest(request, OAuthError(*LOGIN_REQUIRED))
        allowed, scope = flow.record.allowed_scope, request.scope
        if allowed is not None:
            request, scope = as_allowed(request, allowed.split())
        decision = await self._decision(http.tenant, application, request, session, scope)
        decision = replace(
            decision,
            acr=flow.record.acr or told_acr(request, session.acr),
            session_claims=flow.record.claims,
        )
        require_essential_acr(request, decision.acr or session.acr)
        if allowed is None:
            question = await self._issuer.missing_consent(http.tenant, decision)
            if question is not None and (flow.record.native or "none" in request.prompt):
                raise RefusedRequest(request, OAuthError(*CONSENT_REQUIRED))
            if question is not None:
                await self._flows.ask_consent(flow, question)
                return redirect(f"{http.tenant.prefix}/consent/{flow.row.id}")
        response = await self._issue(http, decision, flow)
        self._cookies.clear_flow(response, flow.row.id)
        return response

    async def _decide_late(
        self, http: Request, flow: OpenFlow, application: Application, request: AuthorizationRequest
    ) -> Response:
        """A request that came by POST, now that the browser's cookies are here: decide it as a GET would be."""
        await self._use_up(flow)
        response = await self._decide(http, application, request)
        self._cookies.clear_flow(response, flow.row.id)
        return response

    async def _use_up(self, flow: OpenFlow) -> None:
        """A flow is good for one answer; of two requests with it, one gets it."""
        if not await login_flows.consume_login_flow(self._grounds.database, flow.row, self._clock.now()):
            raise FlowNotFound("used up meanwhile")

    async def _issue(self, http: Request, decision: Decision, flow: OpenFlow | None = None) -> Response:
        request = decision.request
        try:
            parameters: dict[str, Any] = await self._issuer.issue(http, decision, flow.row if flow else None)
        except PersonGone:
            raise RefusedRequest(request, OAuthError(*LOGIN_REQUIRED)) from None
        except StoreUnavailable:
            raise RefusedRequest(
                request, OAuthError("temporarily_unavailable", "The person's directory does not answer.")
            ) from None
        await self._sessions.touch(http.tenant, decision.session)
        return await self._responses.success(http, decision.application, request, parameters, decision.session)


def _is_expected(
    tenant: TenantConfiguration, application: Application, session: SsoSession, request: AuthorizationRequest
) -> bool:
    """Whether the session is of somebody whom `id_token_hint` or `claims` name, as this application sees them."""
    return not request.subjects or shown_subject(tenant, application, session.subject) in request.subjects


def _require_still_allowed(application: Application, request: AuthorizationRequest) -> None:
    """What may have been switched off since the sign-in began."""
    by_code = "code" in request.response_words and "authorization_code" not in application.grant_types
    by_json = request.response_mode == DIRECT and not application.native_login
    if by_code or by_json or request.response_type not in application.response_types:
        raise RefusedRequest(request, OAuthError("unauthorized_client", "This application may no longer do this."))


def _host(redirect_uri: str) -> str:
    parts = urlsplit(redirect_uri)
    return parts.netloc or f"{parts.scheme}:"
