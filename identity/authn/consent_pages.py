"""The pages of `/consent/<flow>`: what the application asks for, allowed or not, and remembered."""

from identity.authn.consent import Consents
from identity.authn.consent_details import shown_details, shown_resources
from identity.authn.login_flow import FlowNotFound, LoginFlows, OpenFlow
from identity.authn.people import People
from identity.authn.shown_application import shown_application
from identity.domain.applications import Application
from identity.domain.sessions import SsoSession
from identity.storage import applications
from identity.storage.database import Database
from identity.tokens.claims import CLAIMS_OF_SCOPE, with_session_claims
from identity.web.messages import Request, Response, redirect
from identity.web.pages import PageResponses
from userstores.spi import StoreUnavailable


class ConsentPages:
    def __init__(
        self, flows: LoginFlows, consents: Consents, people: People, database: Database, pages: PageResponses
    ) -> None:
        self._flows = flows
        self._consents = consents
        self._people = people
        self._database = database
        self._pages = pages

    async def show(self, request: Request) -> Response:
        flow, session, application = await self._open(request)
        claims = with_session_claims(await self._claims(request, session), flow.record.claims)
        question = flow.record.question
        assert question is not None
        return self._pages.respond(
            request,
            "consent.html",
            form_action=flow.record.form_action,
            ui_locales=flow.record.ui_locales,
            action=f"{request.tenant.prefix}/consent/{flow.row.id}",
            csrf_token=self._pages.token(flow.cookie, f"consent {flow.row.id}"),
            application=await shown_application(
                self._database, request.tenant, application, flow.record.application_host
            ),
            user={"display_name": session.display_name, "username": session.username},
            scopes=[
                {
                    "name": scope,
                    "required": scope == "openid",
                    "checked": True,
                    "hint": _hint(scope, claims),
                    "description": "",
                }
                for scope in question.scope.split()
            ],
            details=await shown_details(self._database, request.tenant, question.details),
            resources=await shown_resources(self._database, request.tenant, question.resources),
            account_path=f"{request.tenant.prefix}/account",
        )

    async def submit(self, request: Request) -> Response:
        flow, session, application = await self._open(request)
        form = self._pages.checked_form(request, flow.cookie, f"consent {flow.row.id}")
        if form.get("decision") == "allow":
            ticked = form.get("scope", "").split()
            asked = flow.record.question.scope.split() if flow.record.question else []
            allowed = " ".join(s for s in asked if s in ticked or s == "openid")
            await self._flows.answer_consent(flow, allowed)
            resources = flow.record.question.resources if flow.record.question else ""
            await self._consents.remember(
                request.tenant, application.id, session.subject, allowed, request.trace_id, resources=resources
            )
        else:
            await self._flows.answer_consent(flow, None)
            await self._consents.denied(request.tenant, application.id, session.subject, request.trace_id)
        return redirect(flow.row.return_path)

    async def _open(self, request: Request) -> tuple[OpenFlow, SsoSession, Application]:
        """A signed-in flow that waits for consent. Raises FlowNotFound for any other."""
        flow = await self._flows.open(request)
        session = None if flow.needs_sign_in else await self._flows.session_of(request.tenant, flow)
        answered = flow.record.allowed_scope is not None or flow.record.denied
        if session is None or flow.record.question is None or answered:
            raise FlowNotFound("no consent is due")
        application = await applications.find_application_by_id(self._database, request.tenant.id, flow.row.application)
        if application is None or not application.enabled:
            raise FlowNotFound("the application is gone")
        return flow, session, application

    async def _claims(self, request: Request, session: SsoSession) -> dict[str, object]:
        subject = await self._people.subject(request.tenant, session.subject)
        try:
            person = await self._people.current(request.tenant, subject) if subject is not None else None
        except StoreUnavailable:
            return {}
        return person.claims if person is not None else {}


def _hint(scope: str, claims: dict[str, object]) -> str:
    """The values that the application would see, as one line of text."""
    shown: list[str] = []
    for name in CLAIMS_OF_SCOPE.get(scope, ()):
        value = claims.get(name)
        if isinstance(value, str):
            shown.append(value)
        elif isinstance(value, (list, tuple)):
            shown.extend(str(item) for item in value)
        elif isinstance(value, dict):
            shown.append(str(value.get("formatted") or ", ".join(str(part) for part in value.values())))
    return ", ".join(shown)[:200]
