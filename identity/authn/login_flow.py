"""The only driver of a login. A flow is a row; GET and POST of its page come here, on any worker, any number of times.

load the row → settle what follows from what has happened (`login_steps`, or a script by `scripted_steps`) → ask the
person, or end (`login_end`) → save where the version is still the one that was read. The loser of a race reads again;
after a crash a reload goes on.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace

from identity.authn.authenticators import Refusal
from identity.authn.cookies import Cookies
from identity.authn.login_course import Course
from identity.authn.login_end import LoginEnd
from identity.authn.login_record import (
    ConsentQuestion,
    Denial,
    LoginRecord,
    Pending,
    open_record,
    seal_record,
)
from identity.authn.login_steps import LoginSteps
from identity.authn.script_facts import login_facts
from identity.authn.script_http import LONGEST_SECONDS, calls_under_way
from identity.authn.scripted_steps import ScriptedSteps
from identity.authn.sign_in_plan import Plan, entries_of_session
from identity.authn.sso_sessions import SsoSessions
from identity.clock import SECOND, Clock
from identity.domain.applications import Application, ApplicationId
from identity.domain.login_flows import FlowId, LoginFlow
from identity.domain.sessions import SessionId, SsoSession
from identity.errors import IdentityError, Unavailable
from identity.ids import new_id, new_secret
from identity.secrets import Sealer, token_hash
from identity.storage import applications, login_flows, sso_sessions
from identity.storage.configuration import TenantConfiguration
from identity.storage.database import Database
from identity.storage.write_batch import WriteBatch
from identity.web.messages import Request, Response
from userstores.spi import StoreUnavailable

CALL_WAIT_SECONDS = 0.25
CALL_WAITS = int(LONGEST_SECONDS / CALL_WAIT_SECONDS)

__all__ = ["ConsentQuestion", "FlowNotFound", "LoginFlows", "LoginRecord", "OpenFlow"]


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

    @property
    def needs_sign_in(self) -> bool:
        return not self.record.verdict

    @property
    def denied(self) -> bool:
        return self.record.verdict == "denied"

    @property
    def pending(self) -> Pending:
        assert self.record.pending is not None
        return self.record.pending


class LoginFlows:
    def __init__(
        self,
        *,
        database: Database,
        sessions: SsoSessions,
        steps: LoginSteps,
        scripts: ScriptedSteps,
        end: LoginEnd,
        cookies: Cookies,
        sealer: Sealer,
        clock: Clock,
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._steps = steps
        self._scripts = scripts
        self._end = end
        self._cookies = cookies
        self._sealer = sealer
        self._clock = clock

    async def begin(
        self,
        http: Request,
        *,
        application: Application | None,
        return_path: str,
        request: str,
        record: LoginRecord,
        plan: Plan,
        session: SsoSession | None = None,
        running: SsoSession | None = None,
    ) -> tuple[LoginFlow, str]:
        """A new flow and its cookie value; `{flow}` in `return_path` becomes its id.

        With `session` nobody has to sign in: it goes straight to consent. `running` has shown some of the steps, and
        only what is missing is asked for.
        """
        now = self._clock.now()
        value = new_secret()
        flow_id = FlowId(new_id())
        record = replace(
            record,
            application=application.client_id if application is not None else "",
            trace=http.trace_id,
            started_at=now,
            steps=plan.steps,
            wanted_acr=plan.wanted_acr,
            accepted_acrs=plan.accepted_acrs,
            required_acr=application.minimum_acr if application is not None else "",
            shadow=plan.shadow,
            facts={**record.facts, **login_facts(http, application, record.facts)},
        )
        if session is not None:
            record = replace(record, verdict="done", subject=session.subject)
        elif plan.script:
            record = await self._scripts.begin(http, plan, record)
        if running is not None and session is None and not plan.script:
            entries = entries_of_session(plan.steps, running)
            record = replace(record, entries=entries, subject=running.subject if entries else "")
        flow = LoginFlow(
            tenant=http.tenant.id,
            id=flow_id,
            version=1,
            cookie_hash=token_hash(value),
            application=application.id if application is not None else ApplicationId(""),
            return_path=return_path.format(flow=flow_id),
            request=request,
            record=b"",
            session=session.id if session is not None else None,
            created_at=now,
            expires_at=now + http.tenant.settings.flow_lifetime * SECOND,
        )
        if _unsettled(record) and not record.subject and not record.entries and record.script is None:
            record = await self._first_question(http, flow, record, application)
        flow = replace(flow, record=seal_record(self._sealer, flow.tenant, flow.id, record))
        await login_flows.insert_login_flow(self._database, flow)
        return flow, value

    async def _first_question(
        self, http: Request, flow: LoginFlow, record: LoginRecord, application: Application | None
    ) -> LoginRecord:
        """What is asked of nobody in particular, settled already: that spares the page a write. Where more follows
        than a question, it is left to the page."""
        course = Course(request=http, row=flow, record=record, now=record.started_at, application=application)
        try:
            await self._steps.settle(course)
        except StoreUnavailable as unavailable:
            raise _unavailable(unavailable) from None
        return record if course.record.verdict or course.writes else course.record

    async def open(self, request: Request) -> OpenFlow:
        """The flow named by the path, for the browser that began it, settled. Raises FlowNotFound, Unavailable."""
        cookie = self._cookies.flow(request, request.path_value)
        if cookie is None:
            raise FlowNotFound("no flow cookie")
        return await self._open(request, request.path_value, cookie, native=False)

    async def open_native(self, request: Request, flow: str, secret: str) -> OpenFlow:
        """A flow that an application began for itself, by its id and what the cookie of a browser would be.

        Raises FlowNotFound, Unavailable.
        """
        return await self._open(request, flow, secret, native=True)

    async def _open(self, request: Request, flow: str, cookie: str, *, native: bool, waits: int = 0) -> OpenFlow:
        row = await login_flows.find_login_flow(self._database, request.tenant.id, flow, self._clock.now())
        if row is None or row.cookie_hash != token_hash(cookie):
            raise FlowNotFound("unknown flow or foreign cookie")
        if row.consumed_at is not None:
            raise FlowNotFound("used up")
        record = open_record(self._sealer, row.tenant, row.id, row.record)
        if calls_under_way(record, self._clock.now()) and waits < CALL_WAITS:
            await asyncio.sleep(CALL_WAIT_SECONDS)
            return await self._open(request, flow, cookie, native=native, waits=waits + 1)
        if record.native != native:
            raise FlowNotFound("begun by another door")
        # Every page, event and log line of one login has one trace id.
        request.adopt_trace(record.trace)
        return OpenFlow(row, record, cookie)

    async def settle(self, request: Request, flow: OpenFlow, response: Response | None) -> OpenFlow:
        """Go on until somebody is needed or the login has ended; where it stands then. Changes nothing when it stands
        there already, so that a page may be loaded any number of times; nor before an account was chosen.

        `response` carries what a script or the end of the login puts into it. Raises FlowNotFound, Unavailable.
        """
        if not _unsettled(flow.record):
            return flow
        course = await self._course(request, flow, response)
        return await self._advance(course, flow, response)

    async def answer(
        self, request: Request, flow: OpenFlow, form: Mapping[str, str], *, response: Response | None
    ) -> tuple[OpenFlow, Refusal | None]:
        """Take one answer to what is asked; where the login stands then, and what was wrong with the answer.

        Without a response no browser is there: its cookies, if any came, are not looked at, and none are made.
        """
        pending = flow.record.pending
        if pending is None:
            return flow, None
        course = await self._course(request, flow, response)
        if form.get("remember") == "yes":
            course.change(remember=True)
        try:
            if pending.kind == "prompt":
                error = None
                self._scripts.answer_prompt(course, form)
            else:
                name = form.get("authenticator") or pending.chosen
                if name not in pending.authenticators:
                    raise FlowNotFound("a factor that this step does not offer")
                error = await self._steps.judge(course, name, form)
                if course.record.script is not None and course.record.pending is None:
                    self._scripts.answer_step(course, pending, form)
        except StoreUnavailable as unavailable:
            raise _unavailable(unavailable) from None
        return await self._advance(course, flow, response), error

    async def choose(
        self, request: Request, flow: OpenFlow, name: str, *, response: Response | None
    ) -> tuple[OpenFlow, Refusal | None]:
        """Another factor of the same step, or its code once more; empty: the page that asks which."""
        pending = flow.record.pending
        if pending is None or pending.kind != "step" or (name and name not in pending.authenticators):
            raise FlowNotFound("a factor that this step does not offer")
        course = await self._course(request, flow, response)
        try:
            error = await self._steps.choose(course, name)
        except StoreUnavailable as unavailable:
            raise _unavailable(unavailable) from None
        if course.record.script is not None and course.record.pending is None:
            # It was asked for too often, or had nothing to ask: the step is over, and the script is told.
            self._scripts.answer_step(course, pending, {})
        return await self._advance(course, flow, response), error

    async def _advance(self, course: Course, flow: OpenFlow, response: Response | None) -> OpenFlow:
        """Settle, end, save: everything that has happened in one transaction. Raises FlowNotFound when it was lost."""
        try:
            if course.record.script is not None:
                await self._scripts.settle(course, self._save)
            else:
                await self._steps.settle(course)
            batch = WriteBatch()
            end = await self._end.note(batch, course, response is not None) if course.record.verdict else None
        except StoreUnavailable as unavailable:
            raise _unavailable(unavailable) from None
        await course.note(batch)
        cookie = new_secret() if end is not None and response is not None and end.session is not None else flow.cookie
        row = await self._write(batch, course, cookie, end.session if end is not None else course.row.session)
        if end is not None:
            self._end.told(course, end, response)
        if response is not None:
            response.headers.extend(course.headers)
            if cookie != flow.cookie:
                self._cookies.set_flow(response, row.id, cookie, course.request.tenant.settings.flow_lifetime)
        return OpenFlow(row, course.record, cookie)

    async def _save(self, course: Course) -> None:
        """Keep where the course stands, before something is done that must not be done twice."""
        batch = WriteBatch()
        await course.note(batch)
        course.writes.clear()
        course.counters.clear()
        course.row = await self._write(batch, course, None, course.row.session)

    async def _write(
        self, batch: WriteBatch, course: Course, cookie: str | None, session: SessionId | None
    ) -> LoginFlow:
        row = course.row
        changed = replace(
            row,
            version=row.version + 1,
            record=seal_record(self._sealer, row.tenant, row.id, course.record),
            session=session,
            cookie_hash=token_hash(cookie) if cookie is not None else row.cookie_hash,
        )
        await login_flows.save_login_flow(batch, row, changed)
        batch.expect_one()
        if not await self._database.commit(batch):
            raise FlowNotFound("two tabs at once, or the session ended meanwhile")
        return changed

    async def _course(self, request: Request, flow: OpenFlow, response: Response | None) -> Course:
        application = None
        if flow.row.application:
            application = await applications.find_application_by_id(
                self._database, request.tenant.id, flow.row.application
            )
        session = await self._sessions.current(request) if not flow.record.native else None
        return Course(
            request=request,
            row=flow.row,
            record=flow.record,
            now=self._clock.now(),
            application=application,
            session=session,
        )

    async def go_on_with_session(self, request: Request, flow: OpenFlow, session: SsoSession) -> OpenFlow:
        """The person chose the account that is signed in already: what it has shown is not asked for again."""
        record = replace(flow.record, choose_account=False, pending=None)
        if record.script is None:
            # A script takes from the session what it asks for, step by step.
            entries = entries_of_session(record.steps, session)
            record = replace(record, entries=entries, subject=session.subject if entries else "")
        return await self._change(flow, record)

    async def use_another_account(self, flow: OpenFlow, *, login_hint: str = "") -> OpenFlow:
        """Or the same one anew: nothing of the running session counts."""
        record = replace(
            flow.record,
            choose_account=False,
            reauthenticate=True,
            login_hint=login_hint or flow.record.login_hint,
        )
        return await self._change(flow, record)

    async def cancel(self, request: Request, flow: OpenFlow, *, response: Response) -> OpenFlow:
        """The person gave up: the protocol answers `access_denied`, unless a script goes on without the step."""
        course = await self._course(request, flow, response)
        pending = flow.record.pending
        if pending is None or course.record.script is None or not self._scripts.abort(course, pending):
            course.deny(Denial(reason="cancelled"))
        return await self._advance(course, flow, response)

    async def ask_consent(self, flow: OpenFlow, question: ConsentQuestion) -> None:
        """Consent is due: the consent page may ask."""
        await self._change(flow, replace(flow.record, question=question))

    async def answer_consent(self, flow: OpenFlow, allowed_scope: str | None) -> None:
        """What the person allowed, or None for a refusal."""
        await self._change(flow, replace(flow.record, allowed_scope=allowed_scope, denied=allowed_scope is None))

    async def _change(self, flow: OpenFlow, record: LoginRecord) -> OpenFlow:
        """Save; the loser of a race changes nothing, and sees with its next request what the winner did."""
        row = flow.row
        changed = replace(row, version=row.version + 1, record=seal_record(self._sealer, row.tenant, row.id, record))
        if not await login_flows.save_login_flow(self._database, row, changed):
            return flow
        return replace(flow, row=changed, record=record)

    async def session_of(self, tenant: TenantConfiguration, flow: OpenFlow) -> SsoSession | None:
        """The session that the finished flow stands on, while it lives."""
        if flow.row.session is None:
            return None
        return await sso_sessions.find_session(self._database, tenant.id, flow.row.session, self._clock.now())


def _unavailable(error: StoreUnavailable) -> IdentityError:
    return Unavailable(f"user store: {error}", retry_after=5)


def _unsettled(record: LoginRecord) -> bool:
    """Nothing is asked, though it may be."""
    return not (record.verdict or record.pending is not None or record.undecided or record.choose_account)
