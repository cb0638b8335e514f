"""`/oidc/logout`: RP-initiated logout (OpenID Connect RP-Initiated Logout 1.0).

A GET with a valid hint of the current session ends it; anything else asks first (decision 21). A bad hint or an
unregistered address is an error page, never a redirect.
"""

from dataclasses import dataclass
from urllib.parse import urlencode

from identity.authn.cookies import Cookies
from identity.authn.sso_sessions import SsoSessions
from identity.clock import as_datetime
from identity.domain.applications import Application
from identity.domain.sessions import SsoSession
from identity.errors import IdentityError
from identity.oauth2.id_token_hint import read_hint
from identity.storage import sso_sessions
from identity.storage.configuration import Configuration
from identity.storage.database import Database
from identity.tokens.jose import Claims, InvalidToken
from identity.tokens.keyring import Keyring
from identity.web.messages import Request, Response, redirect
from identity.web.pages import PageResponses
from identity.web.security_headers import form_action_source

_KEPT = ("id_token_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales")


@dataclass(frozen=True, slots=True)
class LogoutRequest:
    """A checked request; `return_url` is registered and carries the state."""

    application: Application | None
    hint: Claims | None
    return_url: str | None
    ui_locales: str


class LogoutPages:
    def __init__(
        self,
        configuration: Configuration,
        sessions: SsoSessions,
        keyring: Keyring,
        cookies: Cookies,
        database: Database,
        pages: PageResponses,
        base_url: str,
    ) -> None:
        self._configuration = configuration
        self._sessions = sessions
        self._keyring = keyring
        self._cookies = cookies
        self._database = database
        self._pages = pages
        self._base_url = base_url

    async def start(self, request: Request) -> Response:
        """GET, or POST from an application."""
        parameters = request.parameters()
        logout = await self._check(request, parameters)
        session = await self._sessions.current(request)
        if session is None and request.method == "POST":
            # Lax cookies do not travel with another site's POST: the GET has them.
            kept = {name: value for name, value in parameters.items() if name in _KEPT}
            return redirect(f"{request.tenant.prefix}/oidc/logout?{urlencode(kept)}")
        if session is None:
            return self._done(request, logout)
        if logout.hint is not None and logout.hint.get("sid") == session.id:
            return await self._end(request, session, logout)
        return await self._ask(request, session, logout, parameters)

    async def _ask(
        self, request: Request, session: SsoSession, logout: LogoutRequest, parameters: dict[str, str]
    ) -> Response:
        applications = await sso_sessions.list_applications_of_session(self._database, request.tenant.id, session.id)
        kept = {name: value for name, value in parameters.items() if name in _KEPT}
        query = f"?{urlencode(kept)}" if kept else ""
        return self._pages.respond(
            request,
            "logout.html",
            form_action=[form_action_source(logout.return_url)] if logout.return_url else [],
            ui_locales=logout.ui_locales,
            action=f"{request.tenant.prefix}/logout/{session.id}{query}",
            csrf_token=self._pages.token(session.cookie_hash.hex(), f"logout {session.id}"),
            application={"name": logout.application.name} if logout.application else None,
            user={"display_name": session.display_name, "username": session.username},
            applications=[{"name": name, "opened_at": as_datetime(at)} for _, name, at in applications],
        )

    async def submit(self, request: Request) -> Response:
        """POST `/logout/<session>`: the answer of the confirmation page."""
        session = await self._sessions.current(request)
        parameters = request.query()
        logout = await self._check(request, parameters)
        if session is None or session.id != request.path_value:
            return self._done(request, logout)
        form = self._pages.checked_form(request, session.cookie_hash.hex(), f"logout {session.id}")
        if form.get("decision") == "logout":
            return await self._end(request, session, logout)
        return redirect(logout.return_url or f"{request.tenant.prefix}/account")

    async def _end(self, request: Request, session: SsoSession, logout: LogoutRequest) -> Response:
        async with self._database.transaction() as transaction:
            await self._sessions.end(transaction, request, session)
        response = self._done(request, logout)
        self._cookies.clear_session(response, request.tenant)
        return response

    def _done(self, request: Request, logout: LogoutRequest) -> Response:
        if logout.return_url is not None and logout.hint is not None:
            return redirect(logout.return_url)
        return self._pages.respond(
            request,
            "logged_out.html",
            ui_locales=logout.ui_locales,
            application={"name": logout.application.name} if logout.application else None,
            return_url=logout.return_url,
        )

    async def _check(self, request: Request, parameters: dict[str, str]) -> LogoutRequest:
        hint: Claims | None = None
        if "id_token_hint" in parameters:
            try:
                hint = read_hint(self._keyring, self._base_url, request.tenant, parameters["id_token_hint"])
            except InvalidToken:
                raise IdentityError("invalid_request", "The id_token_hint is not an ID token of ours.") from None
        client_id = parameters.get("client_id") or (hint["aud"] if hint else None)
        if hint is not None and client_id != hint["aud"]:
            raise IdentityError("invalid_request", "The client_id is not the one of the id_token_hint.")
        application = (
            await self._configuration.exact_application(request.tenant, client_id) if client_id is not None else None
        )
        if client_id is not None and application is None:
            raise IdentityError("invalid_request", "The client_id is unknown here.")
        return LogoutRequest(
            application, hint, self._return_url(application, parameters), parameters.get("ui_locales", "")[:200]
        )

    @staticmethod
    def _return_url(application: Application | None, parameters: dict[str, str]) -> str | None:
        uri = parameters.get("post_logout_redirect_uri")
        if uri is None:
            return None
        # RP-Initiated Logout §3: exactly one of those registered.
        if application is None or uri not in application.post_logout_redirect_uris:
            raise IdentityError(
                "invalid_request", "The post_logout_redirect_uri is not registered for this application."
            )
        state = parameters.get("state")
        if state is None:
            return uri
        return f"{uri}{'&' if '?' in uri else '?'}{urlencode({'state': state})}"
