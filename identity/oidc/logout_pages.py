"""`/oidc/logout`: RP-initiated logout (OpenID Connect RP-Initiated Logout 1.0).

A GET with a valid hint of the current session ends it; anything else asks first (decision 21).
"""

from identity.authn.cookies import Cookies
from identity.authn.sso_sessions import SsoSessions
from identity.clock import as_datetime
from identity.domain.sessions import SsoSession
from identity.oidc.front_channel import LogoutFrame, logout_frames
from identity.oidc.logout_request import LogoutRequest, LogoutRequests
from identity.storage.database import Database
from identity.storage.session_applications import list_applications_of_session
from identity.web.messages import Request, Response, redirect
from identity.web.pages import PageResponses
from identity.web.security_headers import form_action_source


class LogoutPages:
    def __init__(
        self,
        requests: LogoutRequests,
        sessions: SsoSessions,
        cookies: Cookies,
        database: Database,
        pages: PageResponses,
        base_url: str,
    ) -> None:
        self._requests = requests
        self._sessions = sessions
        self._cookies = cookies
        self._database = database
        self._pages = pages
        self._base_url = base_url

    async def start(self, request: Request) -> Response:
        """GET, or POST from an application."""
        logout = await self._requests.check(request, request.parameters())
        session = await self._sessions.current(request)
        if session is None and request.method == "POST":
            # Lax cookies do not travel with another site's POST: the GET has them.
            return redirect(f"{request.tenant.prefix}/oidc/logout{logout.query}")
        if session is None:
            return self._over(request, logout, [])
        if logout.is_hint_of(session):
            return await self._end(request, session, logout)
        return await self._ask(request, session, logout)

    async def submit(self, request: Request) -> Response:
        """POST `/logout/<session>`: the answer of the confirmation page."""
        session = await self._sessions.current(request)
        logout = await self._requests.check(request, request.query())
        if session is None or session.id != request.path_value:
            return self._over(request, logout, [])
        form = self._pages.checked_form(request, session.cookie_hash.hex(), f"logout {session.id}")
        if form.get("decision") == "logout":
            return await self._end(request, session, logout)
        return redirect(logout.return_url or f"{request.tenant.prefix}/account")

    async def _ask(self, request: Request, session: SsoSession, logout: LogoutRequest) -> Response:
        reached = await list_applications_of_session(self._database, request.tenant.id, session.id)
        return self._pages.respond(
            request,
            "logout.html",
            form_action=[form_action_source(logout.return_url)] if logout.return_url else [],
            ui_locales=logout.ui_locales,
            action=f"{request.tenant.prefix}/logout/{session.id}{logout.query}",
            csrf_token=self._pages.token(session.cookie_hash.hex(), f"logout {session.id}"),
            application=_shown(logout),
            user={"display_name": session.display_name, "username": session.username},
            applications=[{"name": use.application.name, "opened_at": as_datetime(use.since)} for use in reached],
        )

    async def _end(self, request: Request, session: SsoSession, logout: LogoutRequest) -> Response:
        async with self._database.transaction() as transaction:
            reached = await self._sessions.end(transaction, request, session)
        return self._over(request, logout, logout_frames(self._base_url, request.tenant.tenant, reached))

    def _over(self, request: Request, logout: LogoutRequest, frames: list[LogoutFrame]) -> Response:
        """Nobody is signed in any more. With frames to load it is a page that goes on by itself, else it goes at once.

        RP-Initiated Logout §3: by itself only where a hint tells that the application asked, else by a link.
        """
        goes_on = logout.return_url is not None and logout.hint is not None
        if goes_on and not frames:
            assert logout.return_url is not None
            response = redirect(logout.return_url)
        else:
            response = self._pages.respond(
                request,
                "logged_out.html",
                ui_locales=logout.ui_locales,
                frame_src=[frame.source for frame in frames],
                application=_shown(logout),
                return_url=logout.return_url,
                frames=frames,
                goes_on=goes_on,
            )
        if self._cookies.session(request) is not None:
            # Its session has ended, here or elsewhere. Another site's frame or image brings no cookie, and clears none.
            self._cookies.clear_session(response, request.tenant)
        return response


def _shown(logout: LogoutRequest) -> dict[str, str] | None:
    return {"name": logout.application.name} if logout.application else None
