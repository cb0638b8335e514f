"""The end of a login: a session for who got in, a trace of how it went, a recording for later backtests.

All of it is written in the transaction that ends the flow: there is no session before every step is done.
"""

from dataclasses import dataclass, replace

from identity.authn.assurance import acr_of, joined
from identity.authn.cookies import Cookies
from identity.authn.devices import SECONDS as DEVICE_SECONDS
from identity.authn.devices import marks_with
from identity.authn.login_course import Course
from identity.authn.login_record import Denial
from identity.authn.login_recording import LoginRecordings
from identity.authn.login_trace import LoginTraces
from identity.authn.network_places import NetworkPlaces
from identity.authn.people import People
from identity.authn.session_claims import session_claims
from identity.authn.session_state import SessionStates
from identity.authn.shadow import Shadow
from identity.authn.sso_sessions import SsoSessions
from identity.authn.typed_secrets import as_kept, secrets_typed, without_secrets
from identity.domain.events import Event, EventType
from identity.domain.sessions import SessionId, SsoSession, factors_text
from identity.secrets import Sealer
from identity.storage.events import record
from identity.storage.last_logins import LastLogin, write_last_login
from identity.storage.write_batch import WriteBatch
from identity.telemetry import Metrics
from identity.web.messages import Response


@dataclass(frozen=True, slots=True)
class End:
    session: SessionId | None
    begun: SsoSession | None = None
    cookie: str = ""
    """The new session's cookie value."""


class LoginEnd:
    def __init__(
        self,
        *,
        sessions: SsoSessions,
        people: People,
        traces: LoginTraces,
        recordings: LoginRecordings,
        places: NetworkPlaces,
        sealer: Sealer,
        cookies: Cookies,
        states: SessionStates,
        shadow: Shadow,
        metrics: Metrics,
    ) -> None:
        self._sessions = sessions
        self._people = people
        self._traces = traces
        self._recordings = recordings
        self._places = places
        self._sealer = sealer
        self._cookies = cookies
        self._states = states
        self._shadow = shadow
        self._metrics = metrics

    async def note(self, batch: WriteBatch, course: Course, browser: bool) -> End:
        """Note everything that the end writes; a person who is gone meanwhile does not get in.

        Raises StoreUnavailable.
        """
        # Nothing runs again: from here on nobody needs what was typed into secret fields.
        typed = secrets_typed(course.record)
        if course.record.verdict == "done":
            course.change(claims=session_claims(course.record, course.application))
        course.record = without_secrets(course.record, typed)
        end = await self._done(batch, course, browser) if course.record.verdict == "done" else End(None)
        kept = replace(course, record=as_kept(course.record, typed))
        if kept.record.verdict == "denied":
            await self._record_denial(batch, kept)
        if kept.record.verdict == "done" and kept.record.script is not None:
            await self._keep_last_login(batch, kept)
        await self._traces.note(batch, kept)
        await self._recordings.note(batch, kept)
        return end

    async def _done(self, batch: WriteBatch, course: Course, browser: bool) -> End:
        entries = [entry for entry in course.record.entries if entry.outcome == "succeeded" and entry.amr]
        reused = {entry.authenticator for entry in entries if entry.reused}
        session = course.session
        lives = session is not None and session.subject == course.record.subject and reused <= session.shown.keys()
        if reused and not lives:
            # What it had shown counts no longer: it has ended, another person's took its place, or it shows less now.
            course.deny(Denial(reason="session_ended"))
            return End(None)
        if session is not None and all(entry.reused for entry in entries):
            # Nothing was shown anew: the running session goes on as it is.
            return End(session.id)
        person = await course.whom(self._people)
        if person is None or not person.subject.enabled:
            course.deny(Denial(reason="person_gone"))
            return End(None)
        running = session if browser else None
        shown = {entry.authenticator: entry.amr for entry in entries}
        if running is not None and reused:
            shown = running.shown | shown
            course.change(remember=course.record.remember or running.remembered)
        session, cookie = await self._sessions.begin(
            batch,
            course.request,
            person,
            running=running,
            remember=course.record.remember,
            acr=acr_of(method for methods in shown.values() for method in methods),
            amr=joined(shown.values()),
            factors=factors_text(shown),
        )
        return End(session.id, session, cookie)

    def told(self, course: Course, end: End, response: Response | None) -> None:
        """After the commit: count it, compare it with a candidate script, and give the browser its cookies."""
        self._shadow.watch(course)
        if course.record.verdict == "denied":
            self._metrics.sign_in("denied")
        if end.begun is None:
            return
        self._metrics.sign_in("succeeded")
        if response is None:
            return
        tenant = course.request.tenant
        # Each use prolongs the session's row, not the cookie: it has to last as long as the session possibly can.
        remembered = tenant.settings.session_absolute if course.record.remember else None
        self._cookies.set_session(response, tenant, end.cookie, remembered)
        if course.record.know_device:
            marks = marks_with(self._sealer, course.request, course.record.subject)
            self._cookies.set_device(response, tenant, marks, DEVICE_SECONDS)
        self._states.show(course.request, response, end.begun)

    async def _keep_last_login(self, batch: WriteBatch, course: Course) -> None:
        """For scripts that ask how far away and how long ago the last sign-in was."""
        place = self._places.place(course.request.address)
        login = LastLogin(
            at=course.now,
            latitude=place.latitude if place is not None else None,
            longitude=place.longitude if place is not None else None,
        )
        await write_last_login(batch, self._sealer, course.request.tenant.id, course.record.subject, login)

    async def _record_denial(self, batch: WriteBatch, course: Course) -> None:
        denial = course.record.denial
        if denial is None or denial.reason == "cancelled":
            return
        await record(
            batch,
            Event(
                tenant=course.request.tenant.id,
                type=EventType.SIGN_IN_DENIED,
                at=course.now,
                subject=course.record.subject,
                application=course.row.application,
                address=course.request.address,
                trace_id=course.request.trace_id,
                data={"reason": denial.reason[:200]},
            ),
        )
