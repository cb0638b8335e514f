"""A person's decision on what waits for one: approved, it is a grant and a code under the hash that is polled with."""

from dataclasses import dataclass
from typing import Protocol

from identity.authn.people import People, Person
from identity.clock import SECOND, Clock
from identity.domain.applications import Application
from identity.domain.events import Event, EventType
from identity.domain.grants import AuthorizationCode, Grant, GrantId
from identity.domain.pending_authorizations import PendingAuthorization
from identity.domain.sessions import SsoSession
from identity.domain.users import SubjectId
from identity.errors import IdentityError
from identity.ids import new_id
from identity.oauth2.authorization.authorization_issuer import OFFLINE_GRANT_SECONDS, PersonGone
from identity.oauth2.resources import invalid_target
from identity.oauth2.scope_policy import ScopePolicy
from identity.secrets import Sealer
from identity.storage import grants
from identity.storage.database import Database, Writer
from identity.storage.events import record
from identity.storage.pending_authorizations import decide_pending_authorization
from identity.storage.write_batch import WriteBatch
from identity.tokens.claims import names_of_scope, seal_claims, select_claims
from identity.web.messages import Request


def require_resource(application: Application, resources: tuple[str, ...]) -> None:
    """The person is asked about all that the token can be for, so it is named at the start. Raises OAuthError."""
    if application.require_resource and not resources:
        raise invalid_target("The parameter resource is missing: name the API that the token is for.")


class AlreadyDecided(IdentityError):
    """Answered before, or expired: nothing was done."""

    def __init__(self) -> None:
        super().__init__(
            "request_expired",
            "This request was answered already, or has expired. Start again where it came from.",
            status=410,
        )


@dataclass(frozen=True, slots=True)
class SignIn:
    """How the person who decides has signed in; moments are microseconds."""

    subject: SubjectId
    epoch: int
    auth_time: int
    acr: str
    amr: str

    @classmethod
    def of(cls, session: SsoSession) -> "SignIn":
        return cls(session.subject, session.subject_epoch, session.auth_time, session.acr, session.amr)


class Notices(Protocol):
    """Tells a client, in the same transaction, that its request is decided (`ciba_ping`)."""

    async def decided(self, writer: Writer, application: Application, pending: PendingAuthorization) -> None: ...


class Approvals:
    def __init__(
        self, database: Database, people: People, scopes: ScopePolicy, sealer: Sealer, notices: Notices, clock: Clock
    ) -> None:
        self._database = database
        self._people = people
        self._scopes = scopes
        self._sealer = sealer
        self._notices = notices
        self._clock = clock

    async def approve(
        self, http: Request, pending: PendingAuthorization, application: Application, sign_in: SignIn, asked: str
    ) -> str:
        """Of `asked`, the scope that is granted by the roles and APIs of this moment.

        Raises AlreadyDecided; PersonGone or StoreUnavailable: who is disabled in a directory is noticed here.
        """
        subject = await self._people.subject(http.tenant, sign_in.subject)
        person = await self._people.current(http.tenant, subject) if subject is not None else None
        if person is None or person.subject.epoch != sign_in.epoch:
            raise PersonGone
        scope = " ".join(await self._scopes.allowed(http.tenant, application, sign_in.subject, asked.split()))
        now = self._clock.now()
        grant = self._grant(http, pending, person, sign_in, scope, now)
        code = AuthorizationCode(
            tenant=pending.tenant,
            hash=pending.hash,
            grant=grant.id,
            redirect_uri="",
            code_challenge="",
            # Approved in its last moment, there is still time for the next poll.
            expires_at=max(pending.expires_at, now + http.tenant.settings.code_lifetime * SECOND),
        )
        batch = WriteBatch()
        await decide_pending_authorization(batch, pending, "approved", subject=sign_in.subject, grant=grant.id, now=now)
        batch.expect_one()
        await grants.insert_grant(batch, grant)
        await grants.insert_authorization_code(batch, code)
        data = {"scope": scope, "kind": grant.kind}
        await self._record(batch, http, pending, EventType.GRANT_ISSUED, sign_in.subject, grant.id, data)
        await self._notices.decided(batch, application, pending)
        if not await self._database.commit(batch):
            raise AlreadyDecided
        return scope

    async def deny(
        self, http: Request, pending: PendingAuthorization, application: Application, subject: SubjectId
    ) -> None:
        """Raises AlreadyDecided."""
        batch = WriteBatch()
        await decide_pending_authorization(batch, pending, "denied", subject=subject, grant=None, now=self._clock.now())
        batch.expect_one()
        await self._record(batch, http, pending, EventType.CONSENT_DENIED, subject, "", {"kind": pending.kind})
        await self._notices.decided(batch, application, pending)
        if not await self._database.commit(batch):
            raise AlreadyDecided

    def _grant(
        self,
        http: Request,
        pending: PendingAuthorization,
        person: Person,
        sign_in: SignIn,
        scope: str,
        now: int,
    ) -> Grant:
        grant_id = GrantId(new_id())
        offline = "offline_access" in scope.split()
        lifetime = OFFLINE_GRANT_SECONDS if offline else http.tenant.settings.session_absolute
        return Grant(
            tenant=pending.tenant,
            id=grant_id,
            application=pending.application,
            subject=sign_in.subject,
            # Decision 11: the device has no part in the browser's session, and does not end with it.
            session=None,
            session_bound=False,
            scope=scope,
            claims=seal_claims(self._sealer, select_claims(person.claims, names_of_scope(scope)), grant_id),
            subject_version=person.subject.version,
            subject_epoch=sign_in.epoch,
            requested_claims="",
            auth_time=sign_in.auth_time,
            acr=sign_in.acr,
            amr=sign_in.amr,
            nonce=None,
            created_at=now,
            expires_at=now + lifetime * SECOND,
            kind=pending.kind,
            resources=pending.asked.resources,
            authorization_details=pending.asked.authorization_details,
        )

    async def _record(
        self,
        writer: Writer,
        http: Request,
        pending: PendingAuthorization,
        event: EventType,
        subject: str,
        grant: str,
        data: dict[str, str],
    ) -> None:
        await record(
            writer,
            Event(
                tenant=pending.tenant,
                type=event,
                at=self._clock.now(),
                subject=subject,
                application=pending.application,
                grant=grant,
                address=http.address,
                trace_id=http.trace_id,
                data=data,
            ),
        )
