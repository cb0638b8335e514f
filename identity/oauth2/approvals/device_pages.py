"""`/oauth2/device` (RFC 8628 §3.3): a signed-in person types or confirms a device's code, and decides.

Only who is signed in can try codes, and each wrong one counts against them like a wrong password. The page shows what
is approved: application, scopes, and where it was asked from (§5.4, decision 18); to whom has signed in as that
application demands.
"""

from typing import Literal

from identity.authn.consent import Consents
from identity.authn.consent_details import shown_details, shown_resources
from identity.authn.lockout import Lockout
from identity.authn.shown_application import shown_application
from identity.authn.sso_sessions import SsoSessions
from identity.clock import Clock, as_datetime
from identity.domain.applications import Application
from identity.domain.events import Event, EventType
from identity.domain.pending_authorizations import PendingAuthorization
from identity.domain.sessions import SsoSession
from identity.oauth2.approvals.approval_policy import ApprovalPolicy, demand_of
from identity.oauth2.approvals.approvals import AlreadyDecided, Approvals, SignIn
from identity.oauth2.approvals.device_endpoint import VERIFICATION_PATH
from identity.oauth2.approvals.page_sign_in import CLEARED, PageSignIn
from identity.oauth2.approvals.user_codes import read_user_code, shown_user_code
from identity.oauth2.authorization.authorization_issuer import PersonGone
from identity.oauth2.scope_policy import ScopePolicy
from identity.storage import applications
from identity.storage.configuration import TenantConfiguration
from identity.storage.database import Database
from identity.storage.events import record
from identity.storage.pending_authorizations import find_waiting_by_user_code
from identity.web.messages import Request, Response, redirect
from identity.web.pages import PageResponses

_OUTCOMES = ("allowed", "denied")
_ENTRY = "device"
"""Purpose of the form where the code is typed; that of a decision names the code too."""
UNPROCESSABLE = 422
UNAVAILABLE = 503


class DevicePages:
    def __init__(
        self,
        *,
        sessions: SsoSessions,
        sign_in: PageSignIn,
        policy: ApprovalPolicy,
        consents: Consents,
        approvals: Approvals,
        scopes: ScopePolicy,
        lockout: Lockout,
        database: Database,
        pages: PageResponses,
        clock: Clock,
    ) -> None:
        self._sessions = sessions
        self._sign_in = sign_in
        self._policy = policy
        self._consents = consents
        self._approvals = approvals
        self._scopes = scopes
        self._lockout = lockout
        self._database = database
        self._pages = pages
        self._clock = clock

    async def show(self, request: Request) -> Response:
        """GET: the form for the code; with `user_code` what that device asks for; with `done` how it ended."""
        query = request.query()
        session = await self._sessions.current(request)
        if session is None:
            typed = {"user_code": query["user_code"][:64]} if "user_code" in query else {}
            return await self._sign_in.begin(request, typed)
        if query.get("done") in _OUTCOMES:
            account = f"{request.tenant.prefix}/account"
            return self._pages.respond(request, "device_done.html", outcome=query["done"], account_path=account)
        if "user_code" not in query:
            return self._entry(request, session)
        found = await self._look_up(request, session, query["user_code"])
        if not isinstance(found, PendingAuthorization):
            return self._entry(request, session, typed=query["user_code"][:64], error=found)
        application = await self._application(request, found)
        demand, cleared = demand_of(request.tenant, application, found), query.get(CLEARED, "")
        if not self._policy.met(demand, session, cleared):
            return await self._sign_in.go_further(request, demand, session, {"user_code": query["user_code"][:64]})
        return await self._confirmation(request, session, found, application, cleared)

    async def submit(self, request: Request) -> Response:
        """POST: a code that was typed leads to its page; a decision there ends it."""
        session = await self._sessions.current(request)
        if session is None:
            return redirect(_path(request.tenant))
        cookie = session.cookie_hash.hex()
        if "decision" not in request.form(frozenset({"scope"})):
            form = self._pages.checked_form(request, cookie, _ENTRY)
            code = read_user_code(form.get("user_code", ""))
            # What cannot be a code is looked up as a wrong one, so that it is told in one place.
            return redirect(f"{_path(request.tenant)}?user_code={shown_user_code(code) if code else '-'}")
        form = self._pages.checked_form(request, cookie, _decision_on(request.form(frozenset({"scope"}))))
        return await self._decide(request, session, form)

    async def _decide(self, request: Request, session: SsoSession, form: dict[str, str]) -> Response:
        code = read_user_code(form.get("user_code", "")) or ""
        pending = await find_waiting_by_user_code(self._database, request.tenant.id, code, self._clock.now())
        if pending is None:
            raise AlreadyDecided
        application = await self._application(request, pending)
        if not self._policy.met(demand_of(request.tenant, application, pending), session, form.get(CLEARED, "")):
            return redirect(f"{_path(request.tenant)}?user_code={shown_user_code(code)}")
        if form["decision"] != "allow":
            await self._approvals.deny(request, pending, application, session.subject)
            return redirect(f"{_path(request.tenant)}?done=denied")
        ticked = {*form.get("scope", "").split(), "openid"}
        wanted = " ".join(name for name in pending.asked.scope.split() if name in ticked)
        try:
            allowed = await self._approvals.approve(request, pending, application, SignIn.of(session), wanted)
        except PersonGone:
            return redirect(_path(request.tenant))
        await self._consents.remember(
            request.tenant,
            application.id,
            session.subject,
            allowed,
            request.trace_id,
            resources=pending.asked.resources,
        )
        return redirect(f"{_path(request.tenant)}?done=allowed")

    async def _look_up(
        self, request: Request, session: SsoSession, typed: str
    ) -> PendingAuthorization | Literal["unknown", "busy"]:
        """Whose code this is; tries are counted by person, address and tenant, as those of passwords are."""
        tenant = request.tenant
        admission = await self._lockout.admit(tenant, f"user code by {session.subject}", request.address)
        if admission.verdict != "admitted":
            if admission.verdict == "locked":
                await self._lockout.turned_away(tenant, admission)
            return "busy"
        code = read_user_code(typed)
        found = code and await find_waiting_by_user_code(self._database, tenant.id, code, self._clock.now())
        if found:
            await self._lockout.take_back(tenant, admission)
            return found
        await self._lockout.failed(tenant, admission, None)
        event = Event(
            tenant=tenant.id,
            type=EventType.USER_CODE_REFUSED,
            at=self._clock.now(),
            subject=session.subject,
            session=session.id,
            address=request.address,
            trace_id=request.trace_id,
        )
        await record(self._database, event)
        return "unknown"

    def _entry(
        self, request: Request, session: SsoSession, *, typed: str = "", error: Literal["unknown", "busy"] | None = None
    ) -> Response:
        return self._pages.respond(
            request,
            "device_code.html",
            status={None: 200, "unknown": UNPROCESSABLE, "busy": UNAVAILABLE}[error],
            action=_path(request.tenant),
            csrf_token=self._pages.token(session.cookie_hash.hex(), _ENTRY),
            user={"display_name": session.display_name, "username": session.username},
            user_code=typed.strip("-"),
            error=error,
        )

    async def _confirmation(
        self,
        request: Request,
        session: SsoSession,
        pending: PendingAuthorization,
        application: Application,
        cleared: str,
    ) -> Response:
        assert pending.user_code is not None
        code = shown_user_code(pending.user_code)
        return self._pages.respond(
            request,
            "device_confirm.html",
            action=_path(request.tenant),
            csrf_token=self._pages.token(session.cookie_hash.hex(), _decision_on({"user_code": code})),
            user_code=code,
            cleared=cleared,
            application=await shown_application(self._database, request.tenant, application, ""),
            user={"display_name": session.display_name, "username": session.username},
            scopes=[
                {"name": name, "hint": ""} for name in await self._scopes_of(request, session, application, pending)
            ],
            details=await shown_details(self._database, request.tenant, pending.asked.authorization_details),
            resources=await shown_resources(self._database, request.tenant, pending.asked.resources),
            asked={
                "at": as_datetime(pending.created_at),
                "address": pending.asked.address,
                "user_agent": pending.asked.user_agent,
            },
            account_path=f"{request.tenant.prefix}/account",
        )

    async def _scopes_of(
        self, request: Request, session: SsoSession, application: Application, pending: PendingAuthorization
    ) -> list[str]:
        return await self._scopes.allowed(request.tenant, application, session.subject, pending.asked.scope.split())

    async def _application(self, request: Request, pending: PendingAuthorization) -> Application:
        """Raises AlreadyDecided when it is disabled or gone: nothing comes of the request any more."""
        found = await applications.find_application_by_id(self._database, request.tenant.id, pending.application)
        if found is None or not found.enabled:
            raise AlreadyDecided
        return found


def _decision_on(form: dict[str, str]) -> str:
    return f"{_ENTRY} {form.get('user_code', '')}"


def _path(tenant: TenantConfiguration) -> str:
    return f"{tenant.prefix}{VERIFICATION_PATH}"
