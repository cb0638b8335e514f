"""The only driver of a login. A flow is a row; GET and POST of its page come here, on any worker, any number of times.

load the row → `adaptive_auth.steps.decide` → answer the need (a page, a factor) → save where the version is still the
one that was read. The loser of a race reads again; after a crash a reload goes on.
"""

from dataclasses import dataclass, replace
from typing import Literal

import msgspec

from adaptive_auth.journal import Entry
from adaptive_auth.steps import Definition, Denied, Done, Need, Step, decide
from identity.authn.authenticators import password
from identity.authn.authenticators.password import PasswordAnswer, PasswordAuthenticator
from identity.authn.cookies import Cookies
from identity.authn.people import Person
from identity.authn.session_state import SessionStates
from identity.authn.sso_sessions import SsoSessions
from identity.clock import SECOND, Clock
from identity.domain.applications import ApplicationId
from identity.domain.login_flows import FlowId, LoginFlow
from identity.domain.sessions import SessionId, SsoSession
from identity.domain.users import Subject
from identity.errors import IdentityError
from identity.ids import new_id, new_secret
from identity.secrets import token_hash
from identity.storage import attempts, login_flows, sso_sessions
from identity.storage.configuration import TenantConfiguration
from identity.storage.database import Database
from identity.storage.subjects import ensure_subject, find_subject_of_user
from identity.storage.write_batch import WriteBatch
from identity.telemetry import Metrics
from identity.web.messages import Request, Response
from userstores.spi import StoreUser

PASSWORD_ONLY = Definition((Step((password.NAME,)),))


@dataclass(frozen=True, slots=True)
class ConsentQuestion:
    """What the consent page asks about."""

    scope: str
    """Each scope may be left out by the person; one that stands for requested claims was perhaps not asked for."""
    details: str = ""
    """JSON of `authorization_details` (RFC 9396), allowed or refused as a whole."""
    resources: str = ""
    """The resource indicators that it is for, space-separated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginRecord:
    """What the flow's row keeps beside the protocol's request: how to greet the person, and the journal."""

    application_host: str
    form_action: tuple[str, ...] = ()
    """CSP sources that the last form of the flow may lead to: the redirect address's origin."""
    login_hint: str = ""
    ui_locales: str = ""
    choose_account: bool = False
    """Show the account chooser first (`prompt=select_account`)."""
    reauthenticate: bool = False
    """The running session does not answer the request (`prompt=login`, `max_age`): choosing it asks the password."""
    entries: tuple[Entry, ...] = ()
    question: ConsentQuestion | None = None
    """What the consent page asks about, once it is due."""
    allowed_scope: str | None = None
    """What the person allowed on the consent page; None until asked."""
    undecided: bool = False
    """The request came by POST and has not been looked at with the browser's cookies yet."""
    denied: bool = False
    """The person refused on the consent page."""
    native: bool = False
    """The application signs the person in by JSON: no browser stands behind the flow, and no page goes on with it."""


class FlowNotFound(IdentityError):
    """Unknown, expired, used up, or another browser's: the same for all."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            "flow_expired",
            "This sign-in has expired, was finished already, or began in another browser. Start again from the "
            "application.",
            detail=detail,
            status=410,
        )


@dataclass(frozen=True, slots=True)
class OpenFlow:
    """A flow that this browser may go on with, and where it stands."""

    row: LoginFlow
    record: LoginRecord
    cookie: str
    state: Need | Done | Denied

    @property
    def needs_sign_in(self) -> bool:
        return isinstance(self.state, Need)

    @property
    def denied(self) -> bool:
        return isinstance(self.state, Denied)


class LoginFlows:
    def __init__(
        self,
        database: Database,
        sessions: SsoSessions,
        authenticator: PasswordAuthenticator,
        cookies: Cookies,
        states: SessionStates,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._authenticator = authenticator
        self._cookies = cookies
        self._states = states
        self._metrics = metrics
        self._clock = clock

    async def begin(
        self,
        tenant: TenantConfiguration,
        *,
        application: ApplicationId,
        return_path: str,
        request: str,
        record: LoginRecord,
        session: SsoSession | None = None,
    ) -> tuple[LoginFlow, str]:
        """A new flow and its cookie value; `{flow}` in `return_path` becomes its id.

        With `session` nobody has to sign in: it goes straight to consent.
        """
        now = self._clock.now()
        value = new_secret()
        if session is not None:
            record = replace(record, entries=(_success(session.subject, session.auth_time),))
        flow_id = FlowId(new_id())
        flow = LoginFlow(
            tenant=tenant.id,
            id=flow_id,
            version=1,
            cookie_hash=token_hash(value),
            application=application,
            return_path=return_path.format(flow=flow_id),
            request=request,
            journal=_encode(record),
            session=session.id if session is not None else None,
            created_at=now,
            expires_at=now + tenant.settings.flow_lifetime * SECOND,
        )
        await login_flows.insert_login_flow(self._database, flow)
        return flow, value

    async def open(self, request: Request) -> OpenFlow:
        """The flow named by the path, for the browser that began it. Raises FlowNotFound."""
        cookie = self._cookies.flow(request, request.path_value)
        if cookie is None:
            raise FlowNotFound("no flow cookie")
        return await self._open(request, request.path_value, cookie, native=False)

    async def open_native(self, request: Request, flow: str, secret: str) -> OpenFlow:
        """A flow that an application began for itself, by its id and what the cookie of a browser would be.

        Raises FlowNotFound.
        """
        return await self._open(request, flow, secret, native=True)

    async def _open(self, request: Request, flow: str, cookie: str, *, native: bool) -> OpenFlow:
        row = await login_flows.find_login_flow(self._database, request.tenant.id, flow, self._clock.now())
        if row is None or row.cookie_hash != token_hash(cookie):
            raise FlowNotFound("unknown flow or foreign cookie")
        if row.consumed_at is not None:
            raise FlowNotFound("used up")
        record = msgspec.json.decode(row.journal, type=LoginRecord)
        if record.native != native:
            raise FlowNotFound("begun by another door")
        return OpenFlow(row, record, cookie, decide(PASSWORD_ONLY, record.entries))

    async def answer_password(
        self, request: Request, flow: OpenFlow, *, username: str, secret: str, remember: bool, response: Response | None
    ) -> PasswordAnswer:
        """Try a password; on success the flow is done, and `response` carries the new cookies.

        Without a response no browser is there: its cookies, if any came, are not looked at, and none are made.
        """
        answer = await self._authenticator.authenticate(request, username, secret, self._clock.now())
        if answer.user is None:
            if answer.error == "refused":
                await self._note(flow, "failed")
            return answer
        running = await self._sessions.current(request) if response is not None else None
        now = self._clock.now()
        cookie = new_secret() if response is not None else flow.cookie
        subject = await self._subject(request.tenant, answer.user, now)
        if not subject.enabled:
            return await self._authenticator.refuse_disabled(request, answer, now)
        batch = WriteBatch()
        session, value = await self._sessions.begin(
            batch, request, Person(answer.user, subject), running=running, remember=remember, amr=password.AMR
        )
        for counter in answer.counters:
            await attempts.clear_tries(batch, request.tenant.id, counter)
        record = replace(flow.record, entries=(*flow.record.entries, _success(subject.id, now)))
        await login_flows.save_login_flow(
            batch, flow.row, journal=_encode(record), session=session.id, cookie_hash=token_hash(cookie)
        )
        batch.expect_one()
        if not await self._database.commit(batch):
            raise FlowNotFound("two tabs at once, or the session ended meanwhile")
        self._metrics.sign_in("succeeded")
        if response is None:
            return answer
        # Each use prolongs the session's row, not the cookie: it has to last as long as the session possibly can.
        self._cookies.set_session(
            response, request.tenant, value, request.tenant.settings.session_absolute if remember else None
        )
        self._states.show(request, response, session)
        self._cookies.set_flow(response, flow.row.id, cookie, request.tenant.settings.flow_lifetime)
        return answer

    async def _subject(self, tenant: TenantConfiguration, user: StoreUser, now: int) -> Subject:
        """Who this person is in tokens; written only at the first sign-in and after a renaming."""
        known = await find_subject_of_user(self._database, tenant.id, user.store, user.id)
        if known is not None and known.username == user.username:
            return known
        async with self._database.transaction() as transaction:
            return await ensure_subject(
                transaction, tenant.id, store=user.store, external_id=user.id, username=user.username, now=now
            )

    async def go_on_with_session(self, flow: OpenFlow, session: SsoSession) -> None:
        """The person chose the account that is signed in already."""
        record = replace(flow.record, entries=(_success(session.subject, session.auth_time),))
        await self._save(flow, record, session.id)

    async def use_another_account(self, flow: OpenFlow, *, login_hint: str = "") -> None:
        record = replace(flow.record, choose_account=False, login_hint=login_hint or flow.record.login_hint)
        await self._save(flow, record, flow.row.session)

    async def cancel(self, flow: OpenFlow) -> None:
        """The person gave up: the protocol answers `access_denied`."""
        await self._note(flow, "cancelled")

    async def ask_consent(self, flow: OpenFlow, question: ConsentQuestion) -> None:
        """Consent is due: the consent page may ask."""
        await self._save(flow, replace(flow.record, question=question), flow.row.session)

    async def answer_consent(self, flow: OpenFlow, allowed_scope: str | None) -> None:
        """What the person allowed, or None for a refusal."""
        await self._save(
            flow, replace(flow.record, allowed_scope=allowed_scope, denied=allowed_scope is None), flow.row.session
        )

    async def session_of(self, tenant: TenantConfiguration, flow: OpenFlow) -> SsoSession | None:
        """The session that the finished flow stands on, while it lives."""
        if flow.row.session is None:
            return None
        return await sso_sessions.find_session(self._database, tenant.id, flow.row.session, self._clock.now())

    async def _note(self, flow: OpenFlow, outcome: Literal["failed", "cancelled"]) -> None:
        entry = Entry(step=1, authenticator=password.NAME, outcome=outcome, at=self._clock.now())
        await self._save(flow, replace(flow.record, entries=(*flow.record.entries, entry)), flow.row.session)

    async def _save(self, flow: OpenFlow, record: LoginRecord, session: SessionId | None) -> None:
        await login_flows.save_login_flow(
            self._database, flow.row, journal=_encode(record), session=session, cookie_hash=flow.row.cookie_hash
        )


def _success(subject: str, at: int) -> Entry:
    return Entry(step=1, authenticator=password.NAME, outcome="succeeded", at=at, subject=subject)


def _encode(record: LoginRecord) -> str:
    return msgspec.json.encode(record).decode()
