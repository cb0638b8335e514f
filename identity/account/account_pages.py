"""`/account`: what a person sees of their own: connected applications and sessions, both to be ended."""

from urllib.parse import urlencode

from identity.authn.consent import Consents
from identity.authn.cookies import Cookies
from identity.authn.sso_sessions import SsoSessions
from identity.clock import Clock, as_datetime
from identity.domain.applications import Application, ApplicationId
from identity.domain.sessions import SsoSession
from identity.storage import consents, sso_sessions
from identity.storage.database import Database
from identity.storage.pending_authorizations import list_waiting_of_subject
from identity.tokens.addresses import issuer_of
from identity.web.messages import Request, Response, redirect
from identity.web.pages import PageResponses

_NOTICES = frozenset({"revoked", "ended"})


class AccountPages:
    """The session is the permission: a person reaches only what is theirs."""

    def __init__(
        self,
        sessions: SsoSessions,
        consent: Consents,
        cookies: Cookies,
        database: Database,
        pages: PageResponses,
        base_url: str,
        clock: Clock,
    ) -> None:
        self._sessions = sessions
        self._consents = consent
        self._cookies = cookies
        self._database = database
        self._pages = pages
        self._base_url = base_url
        self._clock = clock

    async def show(self, request: Request) -> Response:
        session = await self._sessions.current(request)
        if session is None:
            return redirect(f"{request.tenant.prefix}/account/sign-in")
        tenant = request.tenant.id
        now = self._clock.now()
        applications = [
            *await consents.list_consents(self._database, tenant, session.subject),
            *await consents.list_applications_acting(self._database, tenant, session.subject, now),
        ]
        waiting = await list_waiting_of_subject(self._database, tenant, session.subject, now)
        running = await sso_sessions.list_sessions_of_subject(
            self._database, tenant, session.subject, self._clock.now()
        )
        notice = request.query().get("notice")
        return self._pages.respond(
            request,
            "account.html",
            action=f"{request.tenant.prefix}/account",
            csrf_token=self._pages.token(session.cookie_hash.hex(), "account"),
            user={"display_name": session.display_name, "username": session.username},
            applications=[
                {
                    "id": consent.application.id,
                    "name": consent.application.name,
                    "scopes": consent.scope.split(),
                    "granted_at": as_datetime(consent.granted_at),
                    "start_url": self._start_url(request, consent.application, session),
                }
                for consent in applications
            ],
            waiting=len(waiting),
            waiting_path=f"{request.tenant.prefix}/oauth2/ciba_authorize",
            sessions=[_shown(other, current=other.id == session.id) for other in running],
            notice=notice if notice in _NOTICES else None,
        )

    def _start_url(self, request: Request, application: Application, session: SsoSession) -> str | None:
        """Where the application begins a sign-in that somebody else started (OpenID Connect Core §4)."""
        address = application.initiate_login_uri
        if address is None:
            return None
        issuer = issuer_of(self._base_url, request.tenant.tenant)
        mark = "&" if "?" in address else "?"
        return address + mark + urlencode({"iss": issuer, "login_hint": session.username})

    async def submit(self, request: Request) -> Response:
        """POST: take back one application's access, or end one session."""
        session = await self._sessions.current(request)
        if session is None:
            return redirect(f"{request.tenant.prefix}/account/sign-in")
        form = self._pages.checked_form(request, session.cookie_hash.hex(), "account")
        if "revoke_application" in form:
            application = ApplicationId(form["revoke_application"])
            await self._consents.revoke(request.tenant, application, session.subject, request.trace_id)
            return redirect(f"{request.tenant.prefix}/account?notice=revoked")
        return await self._end_session(request, session, form.get("end_session", ""))

    async def _end_session(self, request: Request, session: SsoSession, chosen: str) -> Response:
        response = redirect(f"{request.tenant.prefix}/account?notice=ended")
        other = await sso_sessions.find_session(self._database, request.tenant.id, chosen, self._clock.now())
        if other is None or other.subject != session.subject:
            return response
        async with self._database.transaction() as transaction:
            await self._sessions.end(transaction, request, other)
        if other.id == session.id:
            self._cookies.clear_session(response, request.tenant)
        return response


def _shown(session: SsoSession, *, current: bool) -> dict[str, object]:
    return {
        "id": session.id,
        "user_agent": session.user_agent,
        "address": session.address,
        "started_at": as_datetime(session.created_at),
        "last_seen_at": as_datetime(session.last_seen_at),
        "current": current,
    }
