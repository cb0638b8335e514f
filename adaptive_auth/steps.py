"""What comes next in a login: a pure function of its definition and its journal.

Deterministic, so that any worker can go on with a login, and a recorded one can be run again. A step that ended in
failure never counts; `Done` needs one success for each step, by an authenticator that the step offers.
"""

from dataclasses import dataclass

from adaptive_auth.journal import Entry, Journal

MAXIMUM_FAILURES = 20
"""Failed tries in one login; then it is denied and has to begin anew."""


@dataclass(frozen=True, slots=True)
class Step:
    """Any one of `authenticators` satisfies it."""

    authenticators: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Definition:
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Need:
    """Ask the person for one of these factors."""

    step: int
    authenticators: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """Every step was satisfied; the entries that did it, one for each step."""

    entries: tuple[Entry, ...]

    @property
    def subject(self) -> str:
        return next(entry.subject for entry in self.entries if entry.subject)


@dataclass(frozen=True, slots=True)
class Denied:
    reason: str


def decide(definition: Definition, journal: Journal) -> Need | Done | Denied:
    """The need, or the end, that follows from what has happened."""
    if any(entry.outcome == "cancelled" for entry in journal):
        return Denied("cancelled")
    if sum(entry.outcome == "failed" for entry in journal) >= MAXIMUM_FAILURES:
        return Denied("too_many_failures")
    satisfied: list[Entry] = []
    for number, step in enumerate(definition.steps, 1):
        entry = _success_of(number, step, journal)
        if entry is None:
            return Need(number, step.authenticators)
        satisfied.append(entry)
    subjects = {entry.subject for entry in satisfied if entry.subject}
    if not subjects:
        return Denied("nobody_identified")
    if len(subjects) > 1:
        return Denied("two_people")
    return Done(tuple(satisfied))


def _success_of(number: int, step: Step, journal: Journal) -> Entry | None:
    for entry in journal:
        if entry.step == number and entry.outcome == "succeeded" and entry.authenticator in step.authenticators:
            return entry
    return None
