"""The pages of `/login/<flow>`: username and password, or the choice of an account."""

from typing import Any

from identity.authn.cookies import Cookies
from identity.authn.login_flow import LoginFlows, OpenFlow
from identity.authn.shown_application import shown_application
from identity.authn.sso_sessions import SsoSessions
from identity.storage import applications
from identity.storage.configuration import TenantConfiguration
from identity.storage.database import Database
from identity.web.messages import Request, Response, redirect
from identity.web.pages import PageResponses

# The answer to a wrong password is a page, not a failure of HTTP; browsers keep the form's history clean with 422.
UNPROCESSABLE = 422
UNAVAILABLE = 503


class LoginPages:
    def __init__(
        self, flows: LoginFlows, sessions: SsoSessions, database: Database, cookies: Cookies, pages: PageResponses
    ) -> None:
        self._flows = flows
        self._sessions = sessions
        self._database = database
        self._cookies = cookies
        self._pages = pages

    async def show(self, request: Request) -> Response:
        """GET: the page of the need at hand; a finished flow goes on to where it came from."""
        flow = await self._flows.open(request)
        if not flow.needs_sign_in:
            return redirect(flow.row.return_path)
        application = await self._application(request.tenant, flow)
        if flow.record.choose_account:
            session = await self._sessions.current(request)
            accounts = (
                [{"value": session.id, "display_name": session.display_name, "username": session.username}]
                if session is not None
                else []
            )
            return self._page(request, flow, application, "account_chooser.html", accounts=accounts)
        return self._login(request, flow, application, username=flow.record.login_hint)

    async def submit(self, request: Request) -> Response:
        """POST: one answer, then 303 onwards; a refused password shows the page again."""
        flow = await self._flows.open(request)
        form = self._pages.checked_form(request, flow.cookie, flow.row.id)
        if not flow.needs_sign_in:
            return redirect(flow.row.return_path)
        if form.get("action") == "cancel":
            await self._flows.cancel(flow)
            return redirect(flow.row.return_path)
        if flow.record.choose_account:
            return await self._choose(request, flow, form.get("account", ""))
        return await self._sign_in(request, flow, form)

    async def _choose(self, request: Request, flow: OpenFlow, account: str) -> Response:
        session = await self._sessions.current(request)
        chosen = session if session is not None and account == session.id else None
        if chosen is not None and not flow.record.reauthenticate:
            await self._flows.go_on_with_session(flow, chosen)
            return redirect(flow.row.return_path)
        await self._flows.use_another_account(flow, login_hint=chosen.username if chosen is not None else "")
        return redirect(_login_path(request.tenant, flow))

    async def _sign_in(self, request: Request, flow: OpenFlow, form: dict[str, str]) -> Response:
        username, secret = form.get("username", ""), form.get("password", "")
        onward = redirect(flow.row.return_path)
        remember = form.get("remember") == "yes"
        answer = await self._flows.answer_password(
            request, flow, username=username, secret=secret, remember=remember, response=onward
        )
        if answer.user is not None:
            return onward
        application = await self._application(request.tenant, flow)
        status = UNPROCESSABLE if answer.error == "refused" else UNAVAILABLE
        return self._login(
            request, flow, application, username=username, error=answer.error, remember=remember, status=status
        )

    def _login(
        self,
        request: Request,
        flow: OpenFlow,
        application: dict[str, Any],
        *,
        username: str,
        error: str | None = None,
        remember: bool = False,
        status: int = 200,
    ) -> Response:
        response = self._page(
            request,
            flow,
            application,
            "login.html",
            status=status,
            username=username,
            error=error,
            remember=remember,
            choose_account_url=None,
        )
        if status == UNAVAILABLE:
            response.headers.append((b"retry-after", b"5"))
        return response

    def _page(
        self,
        request: Request,
        flow: OpenFlow,
        application: dict[str, Any],
        template: str,
        *,
        status: int = 200,
        **context: Any,
    ) -> Response:
        return self._pages.respond(
            request,
            template,
            status=status,
            form_action=flow.record.form_action,
            ui_locales=flow.record.ui_locales,
            action=_login_path(request.tenant, flow),
            csrf_token=self._pages.token(flow.cookie, flow.row.id),
            application=application,
            **context,
        )

    async def _application(self, tenant: TenantConfiguration, flow: OpenFlow) -> dict[str, Any]:
        application = await applications.find_application_by_id(self._database, tenant.id, flow.row.application)
        return await shown_application(self._database, tenant, application, flow.record.application_host)


def _login_path(tenant: TenantConfiguration, flow: OpenFlow) -> str:
    return f"{tenant.prefix}/login/{flow.row.id}"
