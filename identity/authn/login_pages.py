"""`/login/<flow>`: the page of what is asked for now: a factor, the choice of one, an account, a script's form."""

from typing import Any
from urllib.parse import urlencode, urlsplit

from identity.authn.authenticators import BASIC, PASSKEY, Refusal, enrollable
from identity.authn.cookies import Cookies
from identity.authn.login_course import Course
from identity.authn.login_flow import LoginFlows, OpenFlow
from identity.authn.login_record import Denial, Pending
from identity.authn.login_steps import LoginSteps, attempt_at
from identity.authn.people import People
from identity.authn.script_prompts import shown_prompt
from identity.authn.shown_application import shown_application
from identity.authn.sso_sessions import SsoSessions
from identity.clock import Clock
from identity.errors import IdentityError
from identity.storage import applications
from identity.storage.configuration import TenantConfiguration
from identity.storage.database import Database
from identity.web.messages import Request, Response, redirect
from identity.web.pages import PageResponses

# The answer to a wrong password is a page, not a failure of HTTP; browsers keep the form's history clean with 422.
UNPROCESSABLE = 422
UNAVAILABLE = 503
_STATUS: dict[Refusal | None, int] = {None: 200, "refused": 422, "expired": 422, "unavailable": 503, "busy": 503}


class SignInStopped(IdentityError):
    """A script shows the error page instead of telling the application."""

    def __init__(self, denial: Denial) -> None:
        super().__init__(
            "sign_in_denied",
            denial.message or "This sign-in was stopped by the rules of your organisation.",
            detail=denial.reason,
            status=403,
        )


class LoginPages:
    def __init__(
        self,
        flows: LoginFlows,
        steps: LoginSteps,
        sessions: SsoSessions,
        people: People,
        database: Database,
        cookies: Cookies,
        pages: PageResponses,
        clock: Clock,
    ) -> None:
        self._flows = flows
        self._steps = steps
        self._sessions = sessions
        self._people = people
        self._database = database
        self._cookies = cookies
        self._pages = pages
        self._clock = clock

    async def show(self, request: Request) -> Response:
        """GET: the page of the need at hand; a finished flow goes on to where it came from."""
        flow = await self._flows.open(request)
        if flow.record.choose_account and flow.needs_sign_in:
            return await self._accounts(request, flow)
        early = Response(200)
        flow = await self._flows.settle(request, flow, early)
        return _with(early, await self._page_or_onward(request, flow))

    async def submit(self, request: Request) -> Response:
        """POST: one answer, then 303 onwards; a refused one shows the page again."""
        flow = await self._flows.open(request)
        form = self._pages.checked_form(request, flow.cookie, flow.row.id)
        if not flow.needs_sign_in:
            return self._onward(request, flow)
        action = form.get("action", "")
        if action == "cancel":
            response = Response(303)
            cancelled = await self._flows.cancel(request, flow, response=response)
            return _with(response, self._onward(request, cancelled))
        if flow.record.choose_account:
            return await self._choose_account(request, flow, form.get("account", ""))
        if action in ("another", "choose", "resend"):
            return await self._choose(request, flow, action, form.get("authenticator", ""))
        response = Response(303)
        answered, error = await self._flows.answer(request, flow, form, response=response)
        if error is not None:
            return _with(response, await self._step(request, answered, error=error, form=form))
        return _with(response, self._onward(request, answered))

    async def _choose(self, request: Request, flow: OpenFlow, action: str, name: str) -> Response:
        """Another factor, the page that asks which, or the same code once more."""
        name = {"another": "", "choose": name}.get(action, name or flow.pending.chosen)
        response = Response(303)
        flow, error = await self._flows.choose(request, flow, name, response=response)
        if error is not None and flow.needs_sign_in:
            return _with(response, await self._step(request, flow, error=error))
        return _with(response, self._onward(request, flow))

    async def _choose_account(self, request: Request, flow: OpenFlow, account: str) -> Response:
        session = await self._sessions.current(request)
        chosen = session if session is not None and account == session.id else None
        if chosen is not None and not flow.record.reauthenticate:
            flow = await self._flows.go_on_with_session(request, flow, chosen)
        else:
            flow = await self._flows.use_another_account(flow, login_hint=chosen.username if chosen is not None else "")
        response = Response(303)
        flow = await self._flows.settle(request, flow, response)
        return _with(response, self._onward(request, flow))

    def _onward(self, request: Request, flow: OpenFlow) -> Response:
        """To the page of the next step, or where the flow came from."""
        if flow.needs_sign_in:
            return redirect(_login_path(request.tenant, flow))
        denial = flow.record.denial
        if denial is not None and denial.kind == "error_page":
            return redirect(_error_address(denial) or _login_path(request.tenant, flow))
        return redirect(flow.row.return_path)

    async def _page_or_onward(self, request: Request, flow: OpenFlow) -> Response:
        denial = flow.record.denial
        if denial is not None and denial.kind == "error_page" and not denial.uri:
            raise SignInStopped(denial)
        if not flow.needs_sign_in or flow.record.pending is None:
            return self._onward(request, flow)
        return await self._step(request, flow)

    async def _accounts(self, request: Request, flow: OpenFlow) -> Response:
        session = await self._sessions.current(request)
        accounts = (
            [{"value": session.id, "display_name": session.display_name, "username": session.username}]
            if session is not None
            else []
        )
        return await self._page(request, flow, "account_chooser.html", accounts=accounts)

    async def _step(
        self, request: Request, flow: OpenFlow, *, error: Refusal | None = None, form: dict[str, str] | None = None
    ) -> Response:
        pending, form = flow.pending, form or {}
        status = _STATUS[error]
        if pending.kind == "prompt":
            return await self._page(
                request, flow, "prompt.html", prompt=shown_prompt(pending.data), user=None, can_cancel=True
            )
        course = Course(request=request, row=flow.row, record=flow.record, now=self._clock.now())
        person = await course.whom(self._people)
        name = form.get("authenticator") or pending.chosen
        shared: dict[str, Any] = {
            "error": error,
            "user": {"display_name": person.display_name, "username": person.subject.qualified_username}
            if person is not None
            else None,
            "authenticator": name,
            "other_ways": bool(_not_shown(pending, name)),
            "username": form.get("username", "") or flow.record.login_hint,
            "remember": form.get("remember") == "yes",
            "choose_account_url": None,
            "can_cancel": True,
        }
        if not name:
            ways = [self._steps.factor(way) for way in pending.authenticators]
            return await self._page(
                request, flow, "choose_factor.html", ways=[way.name for way in ways], enrolling=pending.enrolling,
                **shared,
            )  # fmt: skip
        for extra in pending.states.keys() - {name}:
            # A passkey is offered in the field of the name, too.
            shared |= await self._steps.factor(extra).page(attempt_at(course, extra, person))
        factor = self._steps.factor(name)
        added = enrollable(factor) if pending.enrolling else None
        attempt = attempt_at(course, name, person)
        shown = await (added.enrolment_page(attempt) if added is not None else factor.page(attempt))
        template = added.enrol_template if added is not None else factor.template
        response = await self._page(request, flow, template, status=status, **(shared | shown))
        if status == UNAVAILABLE:
            response.headers.append((b"retry-after", b"5"))
        return response

    async def _page(
        self, request: Request, flow: OpenFlow, template: str, *, status: int = 200, **context: Any
    ) -> Response:
        return self._pages.respond(
            request,
            template,
            status=status,
            form_action=flow.record.form_action,
            ui_locales=flow.record.ui_locales,
            action=_login_path(request.tenant, flow),
            csrf_token=self._pages.token(flow.cookie, flow.row.id),
            application=await self._application(request.tenant, flow),
            **context,
        )

    async def _application(self, tenant: TenantConfiguration, flow: OpenFlow) -> dict[str, Any]:
        application = await applications.find_application_by_id(self._database, tenant.id, flow.row.application)
        return await shown_application(self._database, tenant, application, flow.record.application_host)


def _not_shown(pending: Pending, name: str) -> set[str]:
    """Factors of the step that this page does not offer itself: the page of the name offers passkeys, too."""
    shown = {name, PASSKEY} if name == BASIC and PASSKEY in pending.states else {name}
    return set(pending.authenticators) - shown


def _error_address(denial: Denial) -> str:
    """Where `sendError` leads, with its map in the query; relative to the root of the host (wso2-contracts §2.1)."""
    if not denial.uri:
        return ""
    address = denial.uri if urlsplit(denial.uri).scheme or denial.uri.startswith("/") else f"/{denial.uri}"
    if not denial.parameters:
        return address
    return f"{address}{'&' if '?' in address else '?'}{urlencode(denial.parameters)}"


def _with(early: Response, response: Response) -> Response:
    """Cookies and headers that came about before it was known which page follows."""
    response.headers[:0] = early.headers
    return response


def _login_path(tenant: TenantConfiguration, flow: OpenFlow) -> str:
    return f"{tenant.prefix}/login/{flow.row.id}"
