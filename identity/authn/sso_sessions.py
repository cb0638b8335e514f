"""Single-sign-on sessions: begun at sign-in, good for as long as the tenant says, ended once for everybody."""

from dataclasses import replace

from identity.authn.assurance import raised
from identity.authn.cookies import Cookies
from identity.authn.logout_notices import enqueue_logout_notices
from identity.authn.people import Person
from identity.authn.revocation_notices import tell_subject_ended
from identity.clock import SECOND, Clock
from identity.domain.events import Event, EventType
from identity.domain.sessions import SessionId, SsoSession, factors_text
from identity.domain.users import SubjectId
from identity.ids import new_id, new_secret
from identity.messaging.outbox import Outbox
from identity.secrets import token_hash
from identity.storage import sso_sessions
from identity.storage.configuration import TenantConfiguration
from identity.storage.database import Database, Transaction
from identity.storage.events import record
from identity.storage.session_applications import ReachedApplication, list_applications_of_session
from identity.storage.write_batch import WriteBatch
from identity.web.messages import Request

TOUCH_AFTER = 60 * SECOND
"""A session's last use is written at most this often."""


class SsoSessions:
    def __init__(self, database: Database, cookies: Cookies, outbox: Outbox, clock: Clock) -> None:
        self._database = database
        self._cookies = cookies
        self._outbox = outbox
        self._clock = clock

    async def current(self, request: Request) -> SsoSession | None:
        """The live session of the request's browser in the request's tenant."""
        value = self._cookies.session(request)
        if value is None:
            return None
        return await sso_sessions.find_session_by_cookie(
            self._database, request.tenant.id, token_hash(value), self._clock.now()
        )

    async def touch(self, tenant: TenantConfiguration, session: SsoSession) -> None:
        """Note that the session was used: it idles out later. Once a minute is enough."""
        now = self._clock.now()
        if now - session.last_seen_at < TOUCH_AFTER:
            return
        async with self._database.transaction() as transaction:
            await sso_sessions.mark_session_seen(
                transaction, tenant.id, session.id, at=now, until=self._until(tenant, session, now)
            )

    async def begin(
        self,
        batch: WriteBatch,
        request: Request,
        person: Person,
        *,
        running: SsoSession | None,
        remember: bool,
        acr: str,
        amr: str,
        factors: str,
    ) -> tuple[SsoSession, str]:
        """Note a session for this person in `batch`; the session and its new cookie value.

        A running session of the same person goes on under its `sid` with a new cookie and `auth_time`; another
        person's is ended first: one browser, one person.
        """
        now = self._clock.now()
        value = new_secret()
        if running is not None and running.subject == person.subject.id:
            renewed = replace(
                running,
                cookie_hash=token_hash(value),
                auth_time=now,
                last_seen_at=now,
                remembered=remember,
                acr=acr,
                amr=amr,
                factors=factors,
            )
            renewed = replace(renewed, expires_at=self._until(request.tenant, renewed, now))
            await sso_sessions.replace_session_cookie(
                batch,
                request.tenant.id,
                running.id,
                cookie_hash=renewed.cookie_hash,
                auth_time=now,
                at=now,
                until=renewed.expires_at,
                remembered=remember,
                acr=acr,
                amr=amr,
                factors=factors,
            )
            batch.expect_one()
            await self._record(batch, EventType.SESSION_REAUTHENTICATED, request, renewed)
            return renewed, value
        if running is not None:
            reached = await list_applications_of_session(self._database, request.tenant.id, running.id)
            await self._end(batch, request, running, reached)
        session = self._new_session(request, person, token_hash(value), now)
        session = replace(session, remembered=remember, acr=acr, amr=amr, factors=factors)
        session = replace(session, expires_at=self._until(request.tenant, session, now))
        await sso_sessions.insert_session(batch, session)
        await self._record(batch, EventType.SIGN_IN_SUCCEEDED, request, session)
        return session, value

    async def show_more(
        self, batch: WriteBatch, request: Request, session: SsoSession, factor: str, methods: tuple[str, ...]
    ) -> str:
        """Note in `batch` that the session's person has shown this factor, too; the session's new cookie value.

        `auth_time` stays as it is: whoever adds factors does not stay fresh by it.
        """
        value = new_secret()
        acr, amr = raised(session.acr, session.amr, methods)
        await sso_sessions.replace_session_cookie(
            batch,
            request.tenant.id,
            session.id,
            cookie_hash=token_hash(value),
            auth_time=session.auth_time,
            at=self._clock.now(),
            until=session.expires_at,
            remembered=session.remembered,
            acr=acr,
            amr=amr,
            factors=factors_text(session.shown | {factor: methods}),
        )
        batch.expect_one()
        await self._record(batch, EventType.SESSION_RAISED, request, session)
        return value

    async def end(self, transaction: Transaction, request: Request, session: SsoSession) -> list[ReachedApplication]:
        """End it: everything bound to it is inactive from the commit on, and its applications are told.

        Which applications it reached; none when it had ended already.
        """
        if not await sso_sessions.end_session(transaction, request.tenant.id, session.id, self._clock.now()):
            return []
        reached = await list_applications_of_session(transaction, request.tenant.id, session.id)
        await self._tell(transaction, request, session, reached)
        return reached

    async def end_with(self, batch: WriteBatch, request: Request, session: SsoSession) -> None:
        """Note in `batch` that it ends."""
        reached = await list_applications_of_session(self._database, request.tenant.id, session.id)
        await self._end(batch, request, session, reached)

    async def _end(
        self, batch: WriteBatch, request: Request, session: SsoSession, reached: list[ReachedApplication]
    ) -> None:
        await sso_sessions.end_session(batch, request.tenant.id, session.id, self._clock.now())
        await self._tell(batch, request, session, reached)

    async def _tell(
        self, writer: Transaction, request: Request, session: SsoSession, reached: list[ReachedApplication]
    ) -> None:
        await enqueue_logout_notices(self._outbox, writer, request.tenant, reached)
        if reached:
            await tell_subject_ended(self._outbox, writer, request.tenant, session.subject)
        await self._record(writer, EventType.SESSION_ENDED, request, session)

    @staticmethod
    def _new_session(request: Request, person: Person, cookie_hash: bytes, now: int) -> SsoSession:
        return SsoSession(
            tenant=request.tenant.id,
            id=SessionId(new_id()),
            cookie_hash=cookie_hash,
            subject=SubjectId(person.subject.id),
            subject_epoch=person.subject.epoch,
            username=person.subject.qualified_username,
            display_name=person.display_name,
            auth_time=now,
            acr="",
            amr="",
            factors="",
            remembered=False,
            created_at=now,
            last_seen_at=now,
            expires_at=now,
            user_agent=(request.header(b"user-agent") or "")[:256],
            address=request.address,
        )

    @staticmethod
    def _until(tenant: TenantConfiguration, session: SsoSession, now: int) -> int:
        settings = tenant.settings
        idle = settings.session_remembered if session.remembered else settings.session_idle
        return min(now + idle * SECOND, session.created_at + settings.session_absolute * SECOND)

    async def _record(self, transaction: Transaction, event: EventType, request: Request, session: SsoSession) -> None:
        await record(
            transaction,
            Event(
                tenant=request.tenant.id,
                type=event,
                at=self._clock.now(),
                subject=session.subject,
                session=session.id,
                address=request.address,
                trace_id=request.trace_id,
            ),
        )
