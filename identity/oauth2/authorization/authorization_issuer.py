"""The end of every authorization that succeeds: a grant, and whatever of code, access token and ID token was asked for.

All of it is written in one round trip, together with the end of the flow and of the pushed request. What leaves by the
browser hangs on the same grant as what the code will give: one family, revoked together.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from identity.authn.consent import Consents
from identity.authn.login_flow import ConsentQuestion, FlowNotFound
from identity.authn.people import People, Person
from identity.clock import SECOND, Clock
from identity.domain.applications import Application
from identity.domain.events import Event, EventType
from identity.domain.grants import AuthorizationCode, Grant, GrantId
from identity.domain.login_flows import LoginFlow
from identity.domain.sessions import SsoSession
from identity.ids import new_id, new_secret
from identity.oauth2.authorization.authorization_request import AuthorizationRequest
from identity.oauth2.authorization.claims_consent import scopes_of_claims
from identity.oauth2.authorization.front_channel_tokens import FrontChannelTokens
from identity.secrets import Sealer, token_hash
from identity.storage import grants, login_flows, pushed_requests
from identity.storage.configuration import TenantConfiguration
from identity.storage.database import Database
from identity.storage.events import record
from identity.storage.write_batch import WriteBatch
from identity.tokens.claims import (
    names_of_scope,
    requested_names,
    seal_claims,
    select_claims,
    with_session_claims,
)
from identity.tokens.issuer import AUTHORIZATION_CODE_PREFIX
from identity.web.messages import Request

OFFLINE_GRANT_SECONDS = 365 * 86400
"""The longest life of a family of refresh tokens that survives its session."""


class PersonGone(Exception):
    """The person is no longer in their store, or disabled there."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be answered: the request, who allowed it in which session, and the scopes granted."""

    application: Application
    request: AuthorizationRequest
    session: SsoSession
    scope: str
    acr: str = ""
    """What the script chose to say about the sign-in; empty: the session's."""
    session_claims: Mapping[str, str] = field(default_factory=dict)
    """What the script chose to say about the person, in the tokens of this sign-in alone."""

    def claims_of(self, person: Person) -> dict[str, Any]:
        return with_session_claims(person.claims, self.session_claims)


class AuthorizationIssuer:
    def __init__(
        self,
        database: Database,
        consents: Consents,
        people: People,
        tokens: FrontChannelTokens,
        sealer: Sealer,
        clock: Clock,
    ) -> None:
        self._database = database
        self._consents = consents
        self._people = people
        self._tokens = tokens
        self._sealer = sealer
        self._clock = clock

    async def missing_consent(self, tenant: TenantConfiguration, decision: Decision) -> ConsentQuestion | None:
        """What the person has to be asked about first. Details are asked about each time: they are never the same."""
        application, request = decision.application, decision.request
        ask = "consent" in request.prompt
        details = request.authorization_details if ask or not application.skip_consent else ""
        scopes = await self._consents.missing(
            tenant,
            application,
            decision.session.subject,
            " ".join([*decision.scope.split(), *scopes_of_claims(request, decision.scope)]),
            ask=ask or bool(details),
            resources=request.resources,
        )
        return None if scopes is None else ConsentQuestion(" ".join(scopes), details, request.resources)

    async def issue(self, http: Request, decision: Decision, flow: LoginFlow | None) -> dict[str, Any]:
        """The parameters of the response; `flow`, when there is one, is used up with it.

        Raises FlowNotFound when somebody used it, or the pushed request, before; PersonGone or StoreUnavailable: who is
        disabled in a directory is noticed here; NoEncryptionKey.
        """
        subject = await self._people.subject(http.tenant, decision.session.subject)
        person = await self._people.current(http.tenant, subject) if subject is not None else None
        if person is None:
            raise PersonGone
        batch = WriteBatch()
        now = self._clock.now()
        if flow is not None:
            await login_flows.consume_login_flow(batch, flow, now)
            batch.expect_one()
        if decision.request.pushed:
            digest = bytes.fromhex(decision.request.pushed)
            await pushed_requests.consume_pushed_request(batch, http.tenant.id, digest, now)
            batch.expect_one()
        answer = await self._note(batch, http, decision, person)
        if batch.writes and not await self._database.commit(batch):
            raise FlowNotFound("used up meanwhile")
        return answer

    async def _note(self, batch: WriteBatch, http: Request, decision: Decision, person: Person) -> dict[str, Any]:
        words = decision.request.response_words
        if "none" in words:
            # Multiple Response Types §4
            return {}
        answer: dict[str, Any] = {}
        grant = self._grant(http.tenant, decision, person)
        await grants.insert_grant(batch, grant)
        if "code" in words:
            answer["code"] = await self._note_code(batch, http.tenant, decision, grant)
        if words & {"token", "id_token"}:
            made = await self._tokens.make(http.tenant, decision, grant, person, answer.get("code"))
            answer |= made.answer
            if made.access is not None:
                await grants.insert_access_token(batch, made.access)
        await self._record(batch, http, grant)
        return answer

    def _grant(self, tenant: TenantConfiguration, decision: Decision, person: Person) -> Grant:
        application, request, session = decision.application, decision.request, decision.session
        now = self._clock.now()
        survives = "offline_access" in decision.scope.split() and application.token_binding != "sso-session"
        names = (
            names_of_scope(decision.scope)
            | requested_names(request.requested_claims, "userinfo")
            | requested_names(request.requested_claims, "id_token")
            | set(application.access_token_claims)
        )
        grant_id = GrantId(new_id())
        lifetime = OFFLINE_GRANT_SECONDS if survives else tenant.settings.session_absolute
        return Grant(
            tenant=tenant.id,
            id=grant_id,
            application=application.id,
            subject=session.subject,
            session=session.id,
            session_bound=not survives,
            scope=decision.scope,
            claims=seal_claims(
                self._sealer,
                select_claims(decision.claims_of(person), names),
                grant_id,
                decision.session_claims,
            ),
            subject_version=person.subject.version,
            subject_epoch=session.subject_epoch,
            requested_claims=request.requested_claims,
            auth_time=session.auth_time,
            acr=decision.acr or session.acr,
            amr=session.amr,
            nonce=request.nonce,
            created_at=now,
            expires_at=now + lifetime * SECOND,
            resources=request.resources,
            authorization_details=request.authorization_details,
            confirmation=request.confirmation,
        )

    async def _note_code(self, batch: WriteBatch, tenant: TenantConfiguration, decision: Decision, grant: Grant) -> str:
        request, longest = decision.request, decision.application.rules.maximum_code_lifetime
        lifetime = tenant.settings.code_lifetime if longest is None else min(tenant.settings.code_lifetime, longest)
        code = AUTHORIZATION_CODE_PREFIX + new_secret()
        row = AuthorizationCode(
            tenant=grant.tenant,
            hash=token_hash(code),
            grant=grant.id,
            redirect_uri=request.redirect_uri if request.redirect_uri_given else "",
            code_challenge=request.code_challenge,
            expires_at=grant.created_at + lifetime * SECOND,
        )
        await grants.insert_authorization_code(batch, row)
        return code

    async def _record(self, batch: WriteBatch, http: Request, grant: Grant) -> None:
        await record(
            batch,
            Event(
                tenant=grant.tenant,
                type=EventType.GRANT_ISSUED,
                at=grant.created_at,
                subject=grant.subject,
                application=grant.application,
                session=grant.session or "",
                grant=grant.id,
                address=http.address,
                trace_id=http.trace_id,
                data={"scope": grant.scope},
            ),
        )
