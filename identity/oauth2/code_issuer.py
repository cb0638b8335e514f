"""Writes a grant and its authorization code: the end of every authorization that succeeds."""

from identity.authn.consent import Consents
from identity.authn.login_flow import FlowNotFound
from identity.authn.people import People
from identity.clock import SECOND, Clock
from identity.domain.applications import Application
from identity.domain.events import Event, EventType
from identity.domain.grants import AuthorizationCode, Grant, GrantId
from identity.domain.login_flows import LoginFlow
from identity.domain.sessions import SsoSession
from identity.ids import new_id, new_secret
from identity.oauth2.authorization_request import AuthorizationRequest
from identity.secrets import Sealer, token_hash
from identity.storage import grants, login_flows
from identity.storage.configuration import TenantConfiguration
from identity.storage.database import Database
from identity.storage.events import record
from identity.storage.write_batch import WriteBatch
from identity.tokens.claims import names_of_scope, requested_names, seal_claims, select_claims
from identity.tokens.issuer import AUTHORIZATION_CODE_PREFIX
from identity.web.messages import Request

OFFLINE_GRANT_SECONDS = 365 * 86400
"""The longest life of a family of refresh tokens that survives its session."""


class PersonGone(Exception):
    """The person is no longer in their store, or disabled there."""


class CodeIssuer:
    def __init__(self, database: Database, consents: Consents, people: People, sealer: Sealer, clock: Clock) -> None:
        self._database = database
        self._consents = consents
        self._people = people
        self._sealer = sealer
        self._clock = clock

    async def missing_consent(
        self,
        tenant: TenantConfiguration,
        application: Application,
        session: SsoSession,
        request: AuthorizationRequest,
    ) -> list[str]:
        """The scopes that the person has to be asked about first."""
        return await self._consents.missing(
            tenant, application, session.subject, request.scope, ask="consent" in request.prompt
        )

    async def issue(
        self,
        http: Request,
        application: Application,
        request: AuthorizationRequest,
        session: SsoSession,
        scope: str,
        flow: LoginFlow | None,
    ) -> str:
        """The code; `flow`, when there is one, is used up with it.

        Raises FlowNotFound when somebody used it before, PersonGone or StoreUnavailable: who is disabled in a directory
        is noticed here.
        """
        tenant = http.tenant
        subject = await self._people.subject(tenant, session.subject)
        person = await self._people.current(tenant, subject) if subject is not None else None
        if person is None:
            raise PersonGone
        now = self._clock.now()
        offline = "offline_access" in scope.split()
        names = (
            names_of_scope(scope)
            | requested_names(request.requested_claims, "userinfo")
            | requested_names(request.requested_claims, "id_token")
        )
        grant_id = GrantId(new_id())
        lifetime = OFFLINE_GRANT_SECONDS if offline else tenant.settings.session_absolute
        grant = Grant(
            tenant=tenant.id,
            id=grant_id,
            application=application.id,
            subject=session.subject,
            session=session.id,
            session_bound=not offline,
            scope=scope,
            claims=seal_claims(self._sealer, select_claims(person.claims, names), grant_id),
            subject_version=person.subject.version,
            subject_epoch=session.subject_epoch,
            requested_claims=request.requested_claims,
            auth_time=session.auth_time,
            acr=session.acr,
            amr=session.amr,
            nonce=request.nonce,
            created_at=now,
            expires_at=now + lifetime * SECOND,
        )
        return await self._store(http, grant, request, flow)

    async def _store(self, http: Request, grant: Grant, request: AuthorizationRequest, flow: LoginFlow | None) -> str:
        code = AUTHORIZATION_CODE_PREFIX + new_secret()
        row = AuthorizationCode(
            tenant=grant.tenant,
            hash=token_hash(code),
            grant=grant.id,
            redirect_uri=request.redirect_uri if request.redirect_uri_given else "",
            code_challenge=request.code_challenge,
            expires_at=grant.created_at + http.tenant.settings.code_lifetime * SECOND,
        )
        batch = WriteBatch()
        if flow is not None:
            await login_flows.consume_login_flow(batch, flow, grant.created_at)
            batch.expect_one()
        await grants.insert_grant(batch, grant)
        await grants.insert_authorization_code(batch, row)
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
        if not await self._database.commit(batch):
            raise FlowNotFound("used up meanwhile")
        return code
