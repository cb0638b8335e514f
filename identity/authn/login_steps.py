"""The steps of a login: which factor is asked for next, and what an answer to it means.

`settle` goes on until somebody is needed or the login ends; `judge` takes one answer. Neither writes: what is to be
written is noted in the course, and the driver commits it with the flow.
"""

from collections.abc import Mapping
from dataclasses import replace

from adaptive_auth.journal import Entry
from adaptive_auth.steps import MAXIMUM_FAILURES, Denied, Done, Need, decide
from identity.authn.assurance import acr_of, reaches
from identity.authn.authenticators import (
    BASIC,
    PASSKEY,
    RECOVERY_CODE,
    SESSION_LIMIT,
    Attempt,
    Authenticator,
    Begun,
    Factors,
    Named,
    Refusal,
    Rejected,
    Verified,
    enrollable,
)
from identity.authn.login_course import Course
from identity.authn.login_record import Denial, LoginRecord, Pending
from identity.authn.people import People, Person
from identity.authn.sign_in_plan import SECOND_FACTORS, definition


class LoginSteps:
    def __init__(self, factors: Factors, people: People) -> None:
        self._factors = factors
        self._people = people

    def factor(self, name: str) -> Authenticator:
        return self._factors[name]

    def knows(self, name: str) -> bool:
        return self._factors.get(name) is not None

    async def settle(self, course: Course) -> None:
        """What follows from what has happened, without a script. Raises StoreUnavailable."""
        while not course.record.verdict and course.record.pending is None:
            record = course.record
            state = decide(definition(record.steps, one_more=_one_more(record)), record.entries)
            if isinstance(state, Need):
                await self.ask(course, Pending(kind="step", step=state.step, authenticators=state.authenticators))
            elif isinstance(state, Done):
                finish(course)
            elif isinstance(state, Denied):
                course.deny(Denial(reason=state.reason))

    async def ask(self, course: Course, pending: Pending) -> None:
        """Ask for one of the step's factors: for those that this person can use. Raises StoreUnavailable."""
        person = await course.whom(self._people)
        if course.record.subject and person is None:
            course.deny(Denial(reason="person_gone"))
            return
        usable = await self._usable(course, pending, person)
        if not usable and self._is_content(course.record, pending):
            finish(course)
            return
        enrolling = not usable and await self._may_enrol(course, pending, person)
        if enrolling:
            usable = [name for name in pending.authenticators if self._enrols(name)]
        if not usable:
            course.deny(Denial(reason=f"no_usable_factor:{','.join(pending.authenticators)}"))
            return
        course.change(pending=replace(pending, authenticators=tuple(usable), enrolling=enrolling))
        if course.record.silent and usable != [SESSION_LIMIT]:
            return
        first = next((name for name in usable if name == BASIC), usable[0])
        if enrolling and len(usable) > 1:
            # What to add is the person's choice; what to use is shown at once, with the others a click away.
            return
        await self.choose(course, first)
        if first == BASIC and PASSKEY in usable and person is None:
            await self._begin(course, PASSKEY)

    def _is_content(self, record: LoginRecord, pending: Pending) -> bool:
        """The step is one more than configured, and the request takes what was reached without it."""
        if pending.step <= len(record.steps):
            return False
        shown = acr_of(method for entry in record.entries if entry.outcome == "succeeded" for method in entry.amr)
        return any(reaches(shown, acr) for acr in record.accepted_acrs)

    async def choose(self, course: Course, name: str) -> Refusal | None:
        """Show this factor's page; empty: the page that asks which."""
        assert course.record.pending is not None
        course.change(pending=replace(course.record.pending, chosen=name))
        return await self._begin(course, name) if name else None

    async def judge(self, course: Course, name: str, answer: Mapping[str, str]) -> Refusal | None:
        """One answer to the pending step. None: the step is over, one way or the other. Raises StoreUnavailable."""
        pending = course.record.pending
        assert pending is not None
        attempt = await self._attempt(course, name)
        factor = self._factors[name]
        added = enrollable(factor) if pending.enrolling else None
        outcome = await (added.enrol if added is not None else factor.verify)(attempt, answer)
        if isinstance(outcome, Rejected):
            return self._rejected(course, name, outcome, over=outcome.over)
        if isinstance(outcome, Named):
            return self._named(course, name, outcome)
        return self._verified(course, name, outcome)

    def _verified(self, course: Course, name: str, verified: Verified) -> Refusal | None:
        record, pending = course.record, course.record.pending
        assert pending is not None
        subject = verified.person.subject.id
        if record.subject and subject != record.subject:
            # A second factor of somebody else: nothing of it counts.
            return self._rejected(course, name, Rejected(error="refused"))
        if verified.writes is not None:
            course.writes.append(verified.writes)
        course.counters.extend(verified.counters)
        course.person = verified.person
        entry = Entry(
            step=pending.step,
            authenticator=name,
            outcome="succeeded",
            at=course.now,
            subject=subject,
            amr=verified.amr,
        )
        course.change(entries=(*record.entries, entry), subject=subject, pending=None)
        return None

    def _named(self, course: Course, name: str, named: Named) -> Refusal | None:
        """Whoever is named is not signed in: the entry shows no method, and a sign-in needs one."""
        record, pending = course.record, course.record.pending
        assert pending is not None
        entry = Entry(step=pending.step, authenticator=name, outcome="succeeded", at=course.now)
        course.change(entries=(*record.entries, entry), typed_name=named.username, pending=None)
        return None

    def _rejected(self, course: Course, name: str, rejected: Rejected, *, over: bool = False) -> Refusal | None:
        """A wrong answer: the page again, or the end of the step where a script wants to know."""
        record, pending = course.record, course.record.pending
        assert pending is not None
        if rejected.writes is not None:
            course.writes.append(rejected.writes)
        if rejected.state is not None:
            pending = replace(pending, states={**pending.states, name: rejected.state})
        if rejected.error != "refused":
            course.change(pending=pending)
            return rejected.error
        entry = Entry(step=pending.step, authenticator=name, outcome="failed", at=course.now)
        pending = replace(pending, failures=pending.failures + 1)
        course.change(entries=(*record.entries, entry), pending=pending)
        if sum(entry.outcome == "failed" for entry in course.record.entries) >= MAXIMUM_FAILURES:
            course.deny(Denial(reason="too_many_failures"))
            return None
        if pending.retry and not over and pending.failures < _maximum_failures(pending, name):
            return "refused"
        course.change(pending=None)
        if record.script is None:
            course.deny(Denial(reason="too_many_failures"))
        return None

    async def _begin(self, course: Course, name: str) -> Refusal | None:
        attempt = await self._attempt(course, name)
        pending = course.record.pending
        assert pending is not None
        factor = self._factors[name]
        added = enrollable(factor) if pending.enrolling else None
        begun = await (added.begin_enrolment if added is not None else factor.begin)(attempt)
        if begun.passed is not None:
            self._verified(course, name, begun.passed)
            return None
        if begun.over:
            return self._rejected(course, name, Rejected(error="refused", writes=begun.writes), over=True)
        self._note_begun(course, name, begun)
        return begun.error

    def _note_begun(self, course: Course, name: str, begun: Begun) -> None:
        if begun.writes is not None:
            course.writes.append(begun.writes)
        pending = course.record.pending
        assert pending is not None
        course.change(pending=replace(pending, states={**pending.states, name: begun.state}))

    async def _attempt(self, course: Course, name: str) -> Attempt:
        person = await course.whom(self._people)
        return attempt_at(course, name, person)

    async def _usable(self, course: Course, pending: Pending, person: Person | None) -> list[str]:
        names = [name for name in pending.authenticators if self.knows(name)]
        found = [
            name
            for name in names
            if (person is not None or self._factors[name].identifies or course.record.typed_name)
            and await self._factors[name].usable(attempt_at(course, name, person, pending))
        ]
        used = {entry.authenticator for entry in course.record.entries if entry.outcome == "succeeded"}
        return [name for name in found if name not in used] or found

    async def _may_enrol(self, course: Course, pending: Pending, person: Person | None) -> bool:
        """Only who has no second factor of any kind adds one while signing in: a stolen password must not add its own
        beside the owner's."""
        if person is None or not any(self._enrols(name) for name in pending.authenticators):
            return False
        for name in SECOND_FACTORS:
            factor = self._factors.get(name)
            if factor is not None and self._enrols(name) and await factor.usable(attempt_at(course, name, person)):
                return False
        return True

    def _enrols(self, name: str) -> bool:
        """Recovery codes prove nothing when they are made, so that no step begins with them."""
        factor = self._factors.get(name)
        return factor is not None and name != RECOVERY_CODE and enrollable(factor) is not None


def finish(course: Course) -> None:
    """Every step is done: the login is, when somebody has shown something and the level is reached."""
    record = course.record
    shown = [entry for entry in record.entries if entry.outcome == "succeeded"]
    acr = acr_of(method for entry in shown for method in entry.amr)
    if not record.subject or not acr:
        course.deny(Denial(reason="nobody_identified"))
    elif not reaches(acr, record.required_acr):
        course.deny(
            Denial(
                reason=f"acr_not_reached:{record.required_acr}",
                kind="oauth_error",
                code="unmet_authentication_requirements",
                message="The sign-in did not reach the level that this application demands.",
            )
        )
    else:
        course.change(verdict="done", pending=None)


def attempt_at(course: Course, name: str, person: Person | None, pending: Pending | None = None) -> Attempt:
    pending = pending or course.record.pending
    given = pending.parameters if pending is not None else {}
    return Attempt(
        request=course.request,
        flow=course.row.id,
        now=course.now,
        person=person,
        username=course.record.typed_name,
        proven=any(entry.outcome == "succeeded" and entry.amr for entry in course.record.entries),
        state=pending.states.get(name, {}) if pending is not None else {},
        parameters={**given.get("common", {}), **given.get(name, {})},
    )


def _one_more(record: LoginRecord) -> bool:
    shown = acr_of(method for entry in record.entries if entry.outcome == "succeeded" for method in entry.amr)
    return bool(shown) and not reaches(shown, record.wanted_acr)


def _maximum_failures(pending: Pending, name: str) -> int:
    """`maximumAllowedFailureAttempts` of the script, else as many as a whole login may have."""
    text = pending.parameters.get(name, {}).get("maximumAllowedFailureAttempts", "")
    limit = int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 0
    return limit or MAXIMUM_FAILURES
