"""`/oauth2/ciba_authorize`: what waits for the signed-in person's decision, and the decision.

In test mode a program may decide instead (decision 27): `POST ?auth_req_id=&action=allow|deny&key=`.
"""

import hmac
from urllib.parse import urlencode

from pydantic import SecretStr

from identity.authn.assurance import SINGLE_FACTOR
from identity.authn.consent import Consents
from identity.authn.consent_details import shown_details, shown_resources
from identity.authn.people import People
from identity.authn.shown_application import shown_application
from identity.authn.sso_sessions import SsoSessions
from identity.clock import Clock, as_datetime
from identity.domain.applications import Application
from identity.domain.pending_authorizations import PendingAuthorization
from identity.domain.sessions import SsoSession
from identity.domain.users import SubjectId
from identity.errors import IdentityError
from identity.oauth2.approvals.approval_policy import ApprovalPolicy, demand_of
from identity.oauth2.approvals.approvals import AlreadyDecided, Approvals, SignIn
from identity.oauth2.approvals.page_sign_in import CLEARED, PageSignIn
from identity.oauth2.authorization.authorization_issuer import PersonGone
from identity.oauth2.scope_policy import ScopePolicy
from identity.secrets import token_hash
from identity.storage import applications
from identity.storage.database import Database
from identity.storage.pending_authorizations import find_pending_authorization, list_waiting_of_subject
from identity.web.messages import Request, Response, json_response, redirect
from identity.web.pages import PageResponses

PATH = "/oauth2/ciba_authorize"
DECISION_PATH = f"{PATH}/decision"
_NOTICES = frozenset({"allowed", "denied"})
_FORM = "ciba"


class CibaPages:
    def __init__(
        self,
        *,
        sessions: SsoSessions,
        sign_in: PageSignIn,
        policy: ApprovalPolicy,
        consents: Consents,
        approvals: Approvals,
        scopes: ScopePolicy,
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
        self._database = database
        self._pages = pages
        self._clock = clock

    async def show(self, request: Request) -> Response:
        """All that waits; with `request` first to what its application demands of whoever decides on it."""
        session = await self._sessions.current(request)
        query = request.query()
        named = {"request": query["request"][:128]} if "request" in query else {}
        if session is None:
            return await self._sign_in.begin(request, named)
        waiting = await list_waiting_of_subject(self._database, request.tenant.id, session.subject, self._clock.now())
        notice, cleared = query.get("notice"), query.get(CLEARED, "")
        for pending in waiting:
            if pending.hash.hex() == query.get("request"):
                further = await self._further(request, session, pending, cleared)
                if further is not None:
                    return further
        return self._pages.respond(
            request,
            "ciba_requests.html",
            action=f"{request.tenant.prefix}{DECISION_PATH}",
            page_path=f"{request.tenant.prefix}{PATH}",
            csrf_token=self._pages.token(session.cookie_hash.hex(), _FORM),
            user={"display_name": session.display_name, "username": session.username},
            requests=[shown for pending in waiting if (shown := await self._shown(request, session, pending, cleared))],
            cleared=cleared,
            notice=notice if notice in _NOTICES else None,
            account_path=f"{request.tenant.prefix}/account",
        )

    async def _further(
        self, request: Request, session: SsoSession, pending: PendingAuthorization, cleared: str
    ) -> Response | None:
        """To what the application of this one request demands beyond what the session has shown; None: nothing."""
        application = await require_live_application(self._database, request, pending)
        demand = demand_of(request.tenant, application, pending)
        if self._policy.met(demand, session, cleared):
            return None
        return await self._sign_in.go_further(request, demand, session, {"request": pending.hash.hex()})

    async def submit(self, request: Request) -> Response:
        """POST `…/decision`: one request, allowed or not."""
        session = await self._sessions.current(request)
        if session is None:
            return redirect(f"{request.tenant.prefix}{PATH}")
        form = self._pages.checked_form(request, session.cookie_hash.hex(), _FORM)
        pending = await require_waiting(self._database, request, _hash_of(form.get("request", "")))
        # Another person's request looks like none at all.
        if pending.subject != session.subject:
            raise AlreadyDecided
        application = await require_live_application(self._database, request, pending)
        if not self._policy.met(demand_of(request.tenant, application, pending), session, form.get(CLEARED, "")):
            return redirect(f"{request.tenant.prefix}{PATH}?{urlencode({'request': pending.hash.hex()})}")
        allowed = form.get("decision") == "allow"
        if allowed:
            try:
                sign_in, asked = SignIn.of(session), pending.asked
                scope = await self._approvals.approve(request, pending, application, sign_in, asked.scope)
            except PersonGone:
                return redirect(f"{request.tenant.prefix}{PATH}")
            await self._consents.remember(
                request.tenant, application.id, session.subject, scope, request.trace_id, resources=asked.resources
            )
        else:
            await self._approvals.deny(request, pending, application, session.subject)
        notice = urlencode({"notice": "allowed" if allowed else "denied"})
        return redirect(f"{request.tenant.prefix}{PATH}?{notice}")

    async def _shown(
        self, request: Request, session: SsoSession, pending: PendingAuthorization, cleared: str
    ) -> dict[str, object] | None:
        """Of a request whose application demands more of the session, only who asks and when (`met` is false)."""
        application = await applications.find_application_by_id(self._database, request.tenant.id, pending.application)
        if application is None or not application.enabled:
            return None
        shown: dict[str, object] = {
            "id": pending.hash.hex(),
            "met": self._policy.met(demand_of(request.tenant, application, pending), session, cleared),
            "application": await shown_application(self._database, request.tenant, application, ""),
            "asked_at": as_datetime(pending.created_at),
            "expires_at": as_datetime(pending.expires_at),
        }
        if not shown["met"]:
            return shown
        return shown | {
            "binding_message": pending.asked.binding_message,
            "scopes": await self._scopes.allowed(
                request.tenant, application, session.subject, pending.asked.scope.split()
            ),
            "details": await shown_details(self._database, request.tenant, pending.asked.authorization_details),
            "resources": await shown_resources(self._database, request.tenant, pending.asked.resources),
        }


class CibaTestDoor:
    """Only in test mode, and only with the key of the settings. It decides as the person would."""

    def __init__(self, approvals: Approvals, people: People, database: Database, key: SecretStr, clock: Clock) -> None:
        self._approvals = approvals
        self._people = people
        self._database = database
        self._key = key
        self._clock = clock

    async def __call__(self, request: Request) -> Response:
        query = request.query()
        key = self._key.get_secret_value()
        if not hmac.compare_digest(query.get("key", "").encode(), key.encode()):
            raise IdentityError("access_denied", "The key is not that of the settings.", status=403)
        action = query.get("action")
        if action not in ("allow", "deny"):
            raise IdentityError("invalid_request", "The action must be allow or deny.")
        pending = await require_waiting(self._database, request, token_hash(query.get("auth_req_id", "")))
        application = await require_live_application(self._database, request, pending)
        assert pending.subject is not None
        if action == "deny":
            await self._approvals.deny(request, pending, application, pending.subject)
        else:
            _require_password_alone(request, application, pending)
            await self._allow(request, pending, application, pending.subject)
        return json_response(200, {"status": "approved" if action == "allow" else "denied"})

    async def _allow(
        self, request: Request, pending: PendingAuthorization, application: Application, subject: SubjectId
    ) -> None:
        known = await self._people.subject(request.tenant, subject)
        sign_in = SignIn(subject, known.epoch if known else 0, self._clock.now(), SINGLE_FACTOR, "pwd")
        try:
            await self._approvals.approve(request, pending, application, sign_in, pending.asked.scope)
        except PersonGone:
            raise AlreadyDecided from None


def _require_password_alone(request: Request, application: Application, pending: PendingAuthorization) -> None:
    """The door stands for a person with a password: it reaches acr 1 and runs no script. Raises IdentityError."""
    if not demand_of(request.tenant, application, pending).plan.password_alone:
        raise IdentityError(
            "unmet_authentication_requirements",
            "Signing in to this application takes more than a password, so that only a person can allow its request.",
            status=403,
        )


async def require_waiting(database: Database, request: Request, hash: bytes) -> PendingAuthorization:
    """Raises AlreadyDecided; whether it has expired is seen when it is decided."""
    pending = await find_pending_authorization(database, request.tenant.id, hash)
    if pending is None or pending.kind != "ciba" or pending.status != "pending":
        raise AlreadyDecided
    return pending


async def require_live_application(database: Database, request: Request, pending: PendingAuthorization) -> Application:
    """Raises AlreadyDecided when it is disabled or gone: nothing comes of the request any more."""
    application = await applications.find_application_by_id(database, request.tenant.id, pending.application)
    if application is None or not application.enabled:
        raise AlreadyDecided
    return application


def _hash_of(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""
