"""A recorded login, run again under another script: what would have come of it?

Only what the recording holds is used: nothing is guessed, nobody is called, no effect happens. A step that was recorded
under other options is answered by what the person showed in it, where the new options allow that factor.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from adaptive_auth.evaluation import (
    Asked,
    Evaluation,
    Facts,
    Failed,
    Finished,
    JournalEntry,
    Limited,
    Operation,
    Refused,
)
from adaptive_auth.journal import Entry
from adaptive_auth.replay import Engine, evaluate_now
from adaptive_auth.script import FILE, Script
from identity.authn.assurance import REACHABLE_ACRS, acr_of, reaches
from identity.authn.login_recording import Recording

Comparison = Literal["same", "stricter", "weaker", "error", "unknown"]
COMPARISONS: tuple[Comparison, ...] = ("same", "stricter", "weaker", "error", "unknown")
MAXIMUM_ROUNDS = 20
KNOWN_STEPS = 50
"""Steps with their options that a rehearsal remembers the script to ask for."""
_NOT_BY_POLICY = ("person_gone", "session_ended")
"""Why logins were denied whatever the steps and scripts said."""
_BROKEN = ("script_error", "script_limit", "script_diverged", "script_missing", "script_not_run")


@dataclass(frozen=True, slots=True)
class Outcome:
    """`before`, `after`: in words, such as `done (BasicAuthenticator + totp)`; `detail`: why it is unknown, or what
    the error is."""

    comparison: Comparison
    before: str
    after: str
    detail: str = ""


@dataclass(slots=True)
class _History:
    """The journal that a run is given, and which recorded attempt each of its steps stands for."""

    recording: Recording
    journal: list[JournalEntry] = field(default_factory=list)
    attempts: dict[int, int] = field(default_factory=dict)
    """Place in the journal => place in the recording's entries."""
    asked: dict[str, int] = field(default_factory=dict)
    """How often each step was answered that the recording has under another key only."""

    @property
    def person(self) -> dict[str, Any] | None:
        """Who it was, as far as the recording tells."""
        if self.recording.person is not None:
            return self.recording.person
        told = (answer.value.get("subject") for answer in self.recording.journal if isinstance(answer.value, dict))
        return next((subject for subject in told if isinstance(subject, dict)), None)

    def add(self, key: str, value: Any, at: int, attempt: int | None) -> None:
        if attempt is not None:
            self.attempts[len(self.journal)] = attempt
        self.journal.append({"key": key, "value": value, "at": at})

    def shown(self, taken: Sequence[int]) -> list[int]:
        """The attempts behind the answers that a run took, in order."""
        return [self.attempts[place] for place in taken if place in self.attempts]


class Rehearsal:
    """One changed script, tried on any number of recorded logins. May be used by several threads at once.

    `steps`: those of the application now; without them those of each recording. `secrets`: names.
    """

    def __init__(
        self,
        engine: Engine,
        script: Script,
        *,
        steps: tuple[tuple[str, ...], ...] | None = None,
        secrets: Collection[str] = (),
    ) -> None:
        self.engine = engine
        """May be exchanged between two comparisons, not during one."""
        self._script = script
        self._steps = steps
        self._secrets = tuple(secrets)
        self._known: dict[str, Operation] = {}

    def compare(self, recording: Recording) -> Outcome:
        history = _history_of(recording)
        for operation in list(self._known.values()):
            # Steps that this script is known to ask for are answered before it does: that spares a run each.
            self._answer_all(history, operation)
        facts = self._facts(recording)
        for _ in range(MAXIMUM_ROUNDS):
            evaluation = evaluate_now(self.engine, self._script, facts, history.journal, lenient=True)
            if not isinstance(evaluation, Asked) or not self._answer_more(history, evaluation.operations[0]):
                return _outcome(recording, history, evaluation, facts)
        return Outcome("unknown", _before(recording), "not known", "it asks for more than the recording can answer")

    def _answer_more(self, history: _History, operation: Operation) -> bool:
        if operation.kind != "step" or operation.key in history.asked:
            return False
        if len(self._known) < KNOWN_STEPS:
            self._known[operation.key] = operation
        return self._answer_all(history, operation)

    def _answer_all(self, history: _History, operation: Operation) -> bool:
        """Every answer that the recording has to this step under other options; False when it has none."""
        if operation.key in history.asked or any(entry["key"] == operation.key for entry in history.journal):
            return False
        number = operation.arguments["step"]
        steps = self._steps if self._steps is not None else history.recording.steps
        if not 1 <= number <= len(steps):
            return False
        allowed = _allowed(steps[number - 1], operation.arguments["options"])
        places = _ends(history.recording.entries, number, allowed, retry=operation.arguments["retry"])
        if history.person is None and any(history.recording.entries[place].amr for place in places):
            return False
        for place in places:
            entry = history.recording.entries[place]
            history.add(operation.key, _step_answer(history, entry), entry.at // 1000, place)
        history.asked[operation.key] = len(places)
        return bool(places)

    def _facts(self, recording: Recording) -> Facts:
        told = recording.facts
        return Facts(
            application=told["application"],
            tenant=told["tenant"],
            request=told["request"],
            started=recording.started_at // 1000,
            seed=recording.flow,
            steps=dict(enumerate(self._steps if self._steps is not None else recording.steps, 1)),
            requested_acr=tuple(told.get("requested_acr", ())),
            secrets=tuple(dict.fromkeys((*told.get("secrets", ()), *self._secrets))),
            scopes=tuple(told.get("scopes", ())),
            authorization_details=tuple(told.get("authorization_details", ())),
        )


def _history_of(recording: Recording) -> _History:
    """The recorded journal, with each step's answer tied to the attempt that it tells of."""
    history = _History(recording)
    left = set(range(len(recording.entries)))
    for answer in recording.journal:
        if answer.secret:
            # What was typed is not there any more, so nothing is known of what follows from it.
            continue
        attempt = _attempt_of(answer.key, answer.value, recording.entries, left)
        if attempt is not None:
            left = {place for place in left if place > attempt or recording.entries[place].step != _step_of(answer.key)}
        history.add(answer.key, answer.value, answer.at, attempt)
    return history


def _step_of(key: str) -> int:
    number: int = json.loads(key.removeprefix("step:"))["step"]
    return number


def _attempt_of(key: str, value: Any, entries: Sequence[Entry], left: Collection[int]) -> int | None:
    if not key.startswith("step:") or not isinstance(value, dict) or value.get("aborted"):
        return None
    wanted = "succeeded" if value.get("ok") is True else "failed"
    number = _step_of(key)
    fitting = [p for p in sorted(left) if entries[p].step == number and entries[p].outcome == wanted]
    return fitting[0] if fitting else None


def _allowed(offered: tuple[str, ...], options: Mapping[str, Any]) -> tuple[str, ...]:
    wanted = options.get("authenticationOptions")
    if not isinstance(wanted, list) or not wanted:
        return offered
    names = {option.get("authenticator") for option in wanted if isinstance(option, dict)}
    return tuple(name for name in offered if name in names)


def _ends(entries: Sequence[Entry], step: int, allowed: Collection[str], *, retry: bool) -> list[int]:
    """The recorded attempts that end this step, in order: where the page itself offers another try, only successes."""
    outcomes = ("succeeded",) if retry else ("succeeded", "failed")
    return [
        place
        for place, entry in enumerate(entries)
        if entry.step == step and entry.authenticator in allowed and entry.outcome in outcomes
    ]


def _step_answer(history: _History, entry: Entry) -> dict[str, Any]:
    ok = entry.outcome == "succeeded"
    return {
        "ok": ok,
        "subject": history.person if ok else None,
        "authenticator": entry.authenticator,
        "idp": "LOCAL",
        "options": [],
        "data": None,
        "request": history.recording.facts["request"],
    }


def _outcome(recording: Recording, history: _History, evaluation: Evaluation, facts: Facts) -> Outcome:
    before, shown = _before(recording), history.shown(evaluation.taken)
    repeated = next((place for place in shown if shown.count(place) > 1), None)
    if repeated is not None:
        return _asks_more(recording, before, recording.entries[repeated].step, ())
    match evaluation:
        case Asked(operations=operations):
            return _open(history, before, operations[0], facts)
        case Finished(acr=acr):
            return _let_in(recording, before, [recording.entries[place] for place in shown], acr)
        case Refused(reason=reason):
            return Outcome("same" if recording.verdict == "denied" else "stricter", before, f"denied ({reason})")
        case Failed(message=message, line=line, column=column, file=file):
            place = f", {file or FILE} line {line}, column {column}" if line is not None else ""
            return _broken(recording, before, f"{message}{place}")
        case Limited(limit=limit, message=message):
            return _broken(recording, before, f"{limit}: {message}")
    return _broken(recording, before, "it asks for something else when it runs again")


def _broken(recording: Recording, before: str, detail: str) -> Outcome:
    was_broken = recording.verdict == "denied" and recording.reason.startswith(_BROKEN)
    return Outcome("same" if was_broken else "error", before, "denied (error)", detail)


def _open(history: _History, before: str, operation: Operation, facts: Facts) -> Outcome:
    """It asks what the recording has no answer to."""
    recording = history.recording
    if operation.kind == "step":
        number = operation.arguments["step"]
        if number not in facts.steps:
            return _broken(recording, before, f"the application has no step {number}")
        allowed = _allowed(facts.steps[number], operation.arguments["options"])
        places = _ends(recording.entries, number, allowed, retry=operation.arguments["retry"])
        if history.person is None and any(recording.entries[place].amr for place in places):
            return Outcome("unknown", before, "not known", "the recording does not tell who it was")
        if recording.reason == "too_many_failures" and any(entry.step == number for entry in recording.entries):
            return Outcome("same", before, "denied (too_many_failures)")
        return _asks_more(recording, before, number, allowed)
    if any(answer.secret and answer.key == operation.key for answer in recording.journal):
        return Outcome("unknown", before, "not known", f"secrets typed into {_question(operation)} are not kept")
    return Outcome("unknown", before, "not known", f"the recording has no answer to {_question(operation)}")


def _asks_more(recording: Recording, before: str, step: int, factors: Iterable[str]) -> Outcome:
    named = " or ".join(factors)
    after = f"asks for step {step}" + (f" ({named})" if named else " once more")
    if recording.verdict == "done":
        return Outcome("stricter", before, after)
    return Outcome("unknown", before, after, f"the login was denied before anybody answered step {step}")


def _question(operation: Operation) -> str:
    """By its kind, and for an HTTP call whom it goes to: arguments may hold personal data."""
    if operation.kind == "http":
        url = urlsplit(str(operation.arguments["url"]))
        return f"{operation.arguments['method']} {url.scheme}://{url.hostname}{url.path}"
    return f"prompt {operation.arguments['template']}" if operation.kind == "prompt" else operation.kind


def _let_in(recording: Recording, before: str, shown: Sequence[Entry], chosen: str | None) -> Outcome:
    reached = acr_of(method for entry in shown for method in entry.amr)
    if not reached or not reaches(reached, recording.required_acr):
        reason = "acr_not_reached" if reached else "nobody_identified"
        return Outcome("same" if recording.verdict == "denied" else "stricter", before, f"denied ({reason})")
    after = f"done ({_factors(shown)})"
    if recording.verdict == "denied":
        if recording.reason in _NOT_BY_POLICY:
            return Outcome("same", before, before)
        return Outcome("weaker", before, after)
    proven = [entry for entry in recording.entries if entry.outcome == "succeeded"]
    return Outcome(_strength(proven, recording.acr, shown, chosen or ""), before, after)


def _strength(before: Sequence[Entry], said_before: str, after: Sequence[Entry], says: str) -> Comparison:
    """By the level reached, then by how many factors, then by the level that the script chose to say."""
    pairs = [
        (_level(acr_of(m for entry in before for m in entry.amr)), _level(acr_of(m for e in after for m in e.amr))),
        (_count(before), _count(after)),
    ]
    if said_before in REACHABLE_ACRS and says in REACHABLE_ACRS:
        pairs.append((_level(said_before), _level(says)))
    for old, new in pairs:
        if old != new:
            return "weaker" if new < old else "stricter"
    return "same"


def _level(acr: str) -> int:
    return REACHABLE_ACRS.index(acr) if acr in REACHABLE_ACRS else -1


def _count(entries: Sequence[Entry]) -> int:
    return len({entry.authenticator for entry in entries if entry.amr})


def _factors(entries: Iterable[Entry]) -> str:
    names = dict.fromkeys(entry.authenticator for entry in entries if entry.outcome == "succeeded")
    return " + ".join(names) or "no factor"


def _before(recording: Recording) -> str:
    if recording.verdict == "done":
        return f"done ({_factors(recording.entries)})"
    return f"denied ({recording.reason.partition(':')[0] or 'no reason kept'})"
