"""A login under a script: run it on what has happened so far, answer what it asks, until a person is needed or it ends.

A run is a pure function of script and journal, so every round begins from the top, on any worker. Questions are
answered by `script_answers`, HTTP calls by `script_http`, effects are handed on once, by `script_effects`, in the
transaction that saves the journal. Whatever goes wrong denies the login.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from adaptive_auth.evaluation import (
    Asked,
    Diverged,
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
from adaptive_auth.lane import Busy, Paused
from adaptive_auth.lane import Unavailable as NoEngine
from adaptive_auth.replay import Runner, evaluate
from identity.authn.assurance import REACHABLE_ACRS, acr_of, reaches
from identity.authn.login_course import Course
from identity.authn.login_record import Answer, Denial, LoginRecord, Pending, ScriptState
from identity.authn.login_steps import LoginSteps, finish
from identity.authn.people import People
from identity.authn.script_answers import ScriptAnswers
from identity.authn.script_effects import ScriptEffects
from identity.authn.script_facts import is_true, request_facts, shown_person, typed
from identity.authn.script_http import ScriptHttp
from identity.authn.script_prompts import prompt_answers, secret_fields
from identity.authn.sign_in_plan import Plan, entries_of_session
from identity.authn.sign_in_scripts import SignInScripts
from identity.authn.typed_secrets import told_without_secrets
from identity.domain.sessions import SsoSession
from identity.errors import Unavailable
from identity.telemetry import Log, Metrics
from identity.web.messages import Request

MAXIMUM_ROUNDS = 200
MILLISECOND = 1000

Save = Callable[[Course], Awaitable[None]]


class ScriptedSteps:
    def __init__(
        self,
        *,
        steps: LoginSteps,
        scripts: SignInScripts,
        runner: Runner,
        answers: ScriptAnswers,
        http: ScriptHttp,
        effects: ScriptEffects,
        people: People,
        metrics: Metrics,
        log: Log,
    ) -> None:
        self._steps = steps
        self._scripts = scripts
        self._runner = runner
        self._answers = answers
        self._http = http
        self._effects = effects
        self._people = people
        self._metrics = metrics
        self._log = log

    async def begin(self, http: Request, plan: Plan, record: LoginRecord) -> LoginRecord:
        """Pin the script and the names that it may use: they stay as they are through the login."""
        names = await self._scripts.secret_names(http.tenant)
        facts = {**record.facts, "secrets": list(names)}
        return replace(record, script=ScriptState(script=plan.script), facts=facts)

    async def settle(self, course: Course, save: Save) -> None:
        """Go on until somebody is asked or the login ends. Raises StoreUnavailable, Unavailable."""
        for _ in range(MAXIMUM_ROUNDS):
            if course.record.verdict or course.record.pending is not None:
                return
            evaluation = await self._run(course)
            if course.record.verdict or evaluation is None:
                return
            await self._take(course, evaluation, save)
        course.deny(Denial(reason="script_limit:rounds"))

    async def _run(self, course: Course) -> Evaluation | None:
        state = _state(course.record)
        tenant = course.request.tenant
        script = await self._scripts.load(tenant, state.script)
        if script is None:
            course.deny(Denial(reason="script_missing"))
            return None
        facts = facts_of(course.record, course.row.id)
        begun = time.perf_counter()
        try:
            evaluation = await evaluate(self._runner, tenant.id, script, facts, journal_of(course.record))
        except Busy as busy:
            self._metrics.script("busy")
            raise Unavailable(f"scripts: {busy}", retry_after=2) from None
        except (Paused, NoEngine) as refused:
            self._metrics.script("not_run")
            self._fail(course, f"script_not_run:{refused}")
            return None
        self._metrics.script(_outcome(evaluation), time.perf_counter() - begun)
        course.change(
            script=replace(
                _state(course.record),
                log=tuple(line.text for line in evaluation.logs) or state.log,
                last={"effects": list(evaluation.effects), "verdict": _outcome(evaluation)},
            )
        )
        return evaluation

    async def _take(self, course: Course, evaluation: Evaluation, save: Save) -> None:
        await self._hand_on(course, evaluation)
        match evaluation:
            case Asked(operations=operations):
                await self._answer(course, operations, save)
            case Finished():
                self._finished(course, evaluation)
            case Refused():
                course.deny(_denial(evaluation))
            case Failed(message=message, line=line, column=column, file=file):
                place = f" ({file}, line {line}, column {column})" if line is not None else ""
                self._fail(course, f"script_error:{message}{place}")
            case Limited(limit=limit, message=message):
                self._fail(course, f"script_limit:{limit}: {message}")
            case Diverged(asked=asked, recorded=recorded):
                # By their kinds: what they ask with may hold what people have typed.
                kinds = [str(key).partition(":")[0] for key in (asked, recorded)]
                self._fail(course, f"script_diverged: it asks {kinds[0]}, the journal holds {kinds[1]}")

    async def _hand_on(self, course: Course, evaluation: Evaluation) -> None:
        """Effects that were not seen before; a later run gives the same ones first. A denial keeps its effects: a mail
        about a refused login is often what the script is for. A broken run has none."""
        if isinstance(evaluation, Failed | Limited | Diverged):
            return
        state = _state(course.record)
        for place in range(state.effects, len(evaluation.effects)):
            await self._effects.hand_on(course, evaluation.effects[place], place)
        course.change(script=replace(_state(course.record), effects=max(state.effects, len(evaluation.effects))))

    def _fail(self, course: Course, reason: str) -> None:
        """Every failure of a script denies, and is seen: in the log, the trace, the event and the metric."""
        kind, colon, message = reason.partition(":")
        reason = kind + colon + told_without_secrets(course.record.script, message)
        self._log.warning(
            "sign-in script denied a login", reason=reason[:500], trace_id=course.request.trace_id,
            application=course.record.application,
        )  # fmt: skip
        course.deny(Denial(reason=reason[:500]))

    def _finished(self, course: Course, evaluation: Finished) -> None:
        record = course.record
        chosen = evaluation.acr or ""
        shown = acr_of(m for entry in record.entries if entry.outcome == "succeeded" for m in entry.amr)
        if chosen in REACHABLE_ACRS and not reaches(shown, chosen):
            # A script may name what it likes, but not a level of ours that was not reached.
            chosen = ""
        course.change(acr=chosen)
        finish(course)

    async def _answer(self, course: Course, operations: tuple[Operation, ...], save: Save) -> None:
        first = operations[0]
        if first.kind == "step":
            await self._ask_step(course, first)
        elif first.kind == "prompt":
            course.change(
                pending=Pending(
                    kind="prompt",
                    template=first.arguments["template"],
                    data=_object(first.arguments["data"]),
                    key=first.key,
                )
            )
        elif first.kind == "http":
            await self._http.call(course, operations, save)
        else:
            value = await self._answers.answer(course, first.kind, first.arguments)
            add_answer(course, first.key, value)

    async def _ask_step(self, course: Course, operation: Operation) -> None:
        number, options = operation.arguments["step"], operation.arguments["options"]
        record = course.record
        if not 1 <= number <= len(record.steps):
            self._fail(course, f"script_error:the application has no step {number}")
            return
        forced = is_true(_object(options.get("stepOptions")).get("forceAuth"))
        session = course.session
        if session is not None and not forced and not record.reauthenticate and self._shows(course, session, number):
            await self._reuse(course, session, operation)
            return
        offered = record.steps[number - 1]
        wanted = options.get("authenticationOptions")
        if isinstance(wanted, list) and wanted:
            names = {option.get("authenticator") for option in wanted if isinstance(option, dict)}
            offered = tuple(name for name in offered if name in names)
        await self._steps.ask(
            course,
            Pending(
                kind="step",
                step=number,
                authenticators=offered,
                retry=operation.arguments["retry"],
                parameters=_parameters(options.get("authenticatorParams")),
                key=operation.key,
            ),
        )
        if course.record.pending is None and not course.record.verdict:
            # A factor that had nothing to ask.
            self._note_step(course, operation.key, ok=course.record.entries[-1].outcome == "succeeded")

    def _shows(self, course: Course, session: SsoSession, number: int) -> bool:
        """The running session has shown a factor of this step, of the person whom the login is about, and the script
        has not asked for the step before: who asks twice wants it anew."""
        record = course.record
        return (
            record.subject in ("", session.subject)
            and any(entry.step == number for entry in entries_of_session(record.steps, session))
            and not any(entry.step == number for entry in record.entries)
        )

    async def _reuse(self, course: Course, session: SsoSession, operation: Operation) -> None:
        number = operation.arguments["step"]
        entries = [entry for entry in entries_of_session(course.record.steps, session) if entry.step == number]
        course.change(entries=(*course.record.entries, *entries), subject=session.subject)
        if await course.whom(self._people) is None:
            course.deny(Denial(reason="person_gone"))
            return
        self._note_step(course, operation.key, ok=True)

    def answer_step(self, course: Course, pending: Pending, form: Mapping[str, str]) -> None:
        """The step is over; what the script is told of it."""
        last = course.record.entries[-1] if course.record.entries else None
        self._note_step(course, pending.key, ok=last is not None and last.outcome == "succeeded", form=form)

    def _note_step(self, course: Course, key: str, *, ok: bool, form: Mapping[str, str] | None = None) -> None:
        record = course.record
        last = record.entries[-1] if record.entries else None
        person = course.person
        value: dict[str, Any] = {
            "ok": ok,
            "subject": shown_person(course.request.tenant, person) if ok and person is not None else None,
            "authenticator": last.authenticator if last is not None else "",
            "idp": "LOCAL",
            "options": self._options(course, last),
            "data": None,
            "request": request_facts(course.request, typed(form or {})),
        }
        add_answer(course, key, value)

    @staticmethod
    def _options(course: Course, last: Entry | None) -> list[dict[str, str]]:
        """Every factor of the step, as `filterAuthenticators` takes them."""
        steps = course.record.steps
        offered = steps[last.step - 1] if last is not None and last.step <= len(steps) else ()
        return [{"idp": "LOCAL", "authenticator": name} for name in offered]

    def answer_prompt(self, course: Course, form: Mapping[str, str]) -> None:
        pending = course.record.pending
        assert pending is not None
        course.change(pending=None)
        answers = prompt_answers(pending.data, dict(form))
        value = {"ok": True, "request": request_facts(course.request, answers)}
        add_answer(course, pending.key, value, secret=secret_fields(pending.data))

    def abort(self, course: Course, pending: Pending) -> bool:
        """The person gave up. True: the step has a callback for that, so the script says what is next."""
        if pending.retry or not pending.key.startswith("step:"):
            return False
        course.change(pending=None)
        add_answer(
            course,
            pending.key,
            {
                "ok": False,
                "aborted": True,
                "subject": None,
                "authenticator": pending.chosen,
                "idp": "LOCAL",
                "options": [],
                "data": None,
                "request": request_facts(course.request, None),
            },
        )
        return True


def add_answer(course: Course, key: str, value: Any, *, secret: tuple[str, ...] = ()) -> None:
    state = _state(course.record)
    answer = Answer(key=key, value=value, at=course.now // MILLISECOND, secret=secret)
    course.change(script=replace(state, journal=(*state.journal, answer), http_begun=-1))


def facts_of(record: LoginRecord, flow: str) -> Facts:
    """The facts as the login's script is given them in every run."""
    told = record.facts
    return Facts(
        application=told["application"],
        tenant=told["tenant"],
        request=told["request"],
        started=record.started_at // MILLISECOND,
        seed=flow,
        steps=dict(enumerate(record.steps, 1)),
        requested_acr=tuple(told.get("requested_acr", ())),
        secrets=tuple(told.get("secrets", ())),
        scopes=tuple(told.get("scopes", ())),
        authorization_details=tuple(told.get("authorization_details", ())),
    )


def journal_of(record: LoginRecord) -> list[JournalEntry]:
    return [JournalEntry(key=answer.key, value=answer.value, at=answer.at) for answer in _state(record).journal]


def _state(record: LoginRecord) -> ScriptState:
    assert record.script is not None
    return record.script


def _outcome(evaluation: Evaluation) -> str:
    return type(evaluation).__name__.lower()


def _denial(refused: Refused) -> Denial:
    reason = "script" if refused.reason == "script" else refused.reason
    if refused.kind == "error_page":
        texts = {str(name): str(value)[:500] for name, value in refused.parameters.items()}
        return Denial(reason=reason, kind="error_page", uri=refused.url or "", parameters=texts,
                      message=texts.get("statusMsg", ""))  # fmt: skip
    return Denial(
        reason=reason, kind="oauth_error", code=refused.code, message=refused.message or "", uri=refused.uri or ""
    )


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {"data": value}


def _parameters(given: Any) -> dict[str, dict[str, str]]:
    """`authenticatorParams`: `{common: {…}, local: {<authenticator>: {…}}}`; values become texts."""
    if not isinstance(given, dict):
        return {}
    found: dict[str, dict[str, str]] = {}
    local = given.get("local")
    for name, values in [("common", given.get("common")), *(local.items() if isinstance(local, dict) else ())]:
        if isinstance(values, dict):
            found[str(name)] = {str(key): str(value) for key, value in values.items()}
    return found
