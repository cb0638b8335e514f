"""A recorded sign-in under a changed script: what is the same, stricter, weaker, broken, and what nobody can know."""

import json
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from adaptive_auth.journal import Entry
from adaptive_auth.sandbox import Sandbox
from adaptive_auth.script import Script
from identity.authn.backtest import Outcome, Rehearsal
from identity.authn.login_record import Answer
from identity.authn.login_recording import Recording

pytestmark = pytest.mark.long

STEPS = (("BasicAuthenticator",), ("totp", "email-otp-authenticator"))
JANE = {"id": "s1", "username": "jane", "identifier": "jane", "domain": "PRIMARY", "tenant": "root"}
REQUEST: dict[str, Any] = {"ip": "192.0.2.7", "headers": {}, "params": {}, "cookies": {}}
PASSWORD = Entry(step=1, authenticator="BasicAuthenticator", outcome="succeeded", at=1_000_000, amr=("pwd",))
TOTP = Entry(step=2, authenticator="totp", outcome="succeeded", at=2_000_000, amr=("otp",))

ONE = "function onLoginRequest(c) { executeStep(1); }"
BOTH = "function onLoginRequest(c) { executeStep(1); executeStep(2); }"
ROLE = """function onLoginRequest(c) {
  executeStep(1, { onSuccess: (c) => { if (hasRole(c.steps[1].subject, 'admin')) executeStep(2); } });
}"""


def recording(*entries: Entry, verdict: str = "done", **changes: Any) -> Recording:
    """Of a login without a script."""
    made = Recording(
        facts={"application": "Shop", "tenant": "root", "request": REQUEST},
        steps=STEPS,
        journal=(),
        entries=entries,
        verdict=verdict,
        reason="" if verdict == "done" else "script",
        acr="",
        effects=[],
        trace="t1",
        flow="f1",
        started_at=500_000,
        person=JANE,
    )
    return msgspec.structs.replace(made, **changes)


def step_key(number: int, options: Any = None, *, retry: bool = True) -> str:
    arguments = {"step": number, "options": options or {}, "retry": retry}
    return "step:" + json.dumps(arguments, separators=(",", ":"))


def step_answer(key: str, factor: str, *, ok: bool = True) -> Answer:
    value: dict[str, Any] = {
        "ok": ok,
        "subject": JANE if ok else None,
        "authenticator": factor,
        "idp": "LOCAL",
        "options": [],
        "data": None,
        "request": REQUEST,
    }
    return Answer(key=key, value=value, at=1000)


def by_role(admin: bool) -> Recording:
    """Of a login under ROLE."""
    question = 'hasAnyOfTheRoles:{"user":"s1","roles":["admin"]}'
    journal = [step_answer(step_key(1), "BasicAuthenticator"), Answer(key=question, value=admin, at=1000)]
    return recording(
        PASSWORD,
        *([TOTP] if admin else []),
        journal=(*journal, *([step_answer(step_key(2), "totp")] if admin else [])),
    )


@pytest.fixture
def tried(sandbox: Sandbox) -> Any:
    def compare(source: str, recorded: Recording, **known: Any) -> Outcome:
        return Rehearsal(sandbox, Script(source), **known).compare(recorded)

    return compare


@pytest.mark.parametrize(
    ("source", "recorded", "comparison", "words"),
    [
        (ONE, recording(PASSWORD), "same", "done (BasicAuthenticator)"),
        (BOTH, recording(PASSWORD, TOTP), "same", "done (BasicAuthenticator + totp)"),
        (ONE, recording(PASSWORD, TOTP), "weaker", "done (BasicAuthenticator)"),
        (BOTH, recording(PASSWORD), "stricter", "asks for step 2 (totp or email-otp-authenticator)"),
        ("function onLoginRequest(c) { fail(); }", recording(PASSWORD), "stricter", "denied (script)"),
        ("function onLoginRequest(c) { fail(); }", recording(PASSWORD, verdict="denied"), "same", "denied (script)"),
        (ONE, recording(PASSWORD, verdict="denied"), "weaker", "done (BasicAuthenticator)"),
        (BOTH, recording(PASSWORD, verdict="denied"), "unknown", "asks for step 2"),
        ("function onLoginRequest(c) { c.x.y; }", recording(PASSWORD), "error", "denied (error)"),
        ("function onLoginRequest(c) { for (;;) {} }", recording(PASSWORD), "error", "denied (error)"),
        ("function onLoginRequest(c) { executeStep(7); }", recording(PASSWORD), "error", "denied (error)"),
        (ROLE, recording(PASSWORD), "unknown", "not known"),
        (ROLE, by_role(True), "same", "done (BasicAuthenticator + totp)"),
        (ROLE, by_role(False), "same", "done (BasicAuthenticator)"),
        (BOTH, by_role(False), "stricter", "asks for step 2"),
        (ONE, by_role(True), "weaker", "done (BasicAuthenticator)"),
        (ROLE.replace("hasRole(", "!hasRole("), by_role(True), "weaker", "done (BasicAuthenticator)"),
        (ROLE.replace("'admin'", "'boss'"), by_role(True), "unknown", "not known"),
    ],
)  # fmt: skip
def test_what_would_have_come_of_it(tried: Any, source: str, recorded: Recording, comparison: str, words: str) -> None:
    outcome = tried(source, recorded)
    assert (outcome.comparison, words in outcome.after) == (comparison, True), outcome


def test_a_question_that_was_never_asked_is_named_without_its_arguments(tried: Any) -> None:
    outcome = tried(ROLE, recording(PASSWORD))
    assert outcome.detail == "the recording has no answer to hasAnyOfTheRoles"
    source = """function onLoginRequest(c) {
      httpGet('https://risk.example/score?name=jane', { onSuccess: (c) => { executeStep(1); } });
    }"""
    assert tried(source, recording(PASSWORD)).detail == "the recording has no answer to GET https://risk.example/score"


OTHER_OPTIONS = """function onLoginRequest(c) {
  executeStep(1, { onSuccess: () => {
    executeStep(2, { authenticationOptions: [{ authenticator: 'FACTOR' }] }, {});
  } });
}"""


@pytest.mark.parametrize(
    ("factor", "comparison"), [("totp", "same"), ("email-otp-authenticator", "stricter"), ("unknown", "stricter")]
)
def test_a_step_under_other_options_is_answered_by_what_was_shown_in_it(
    tried: Any, factor: str, comparison: str
) -> None:
    for recorded in (recording(PASSWORD, TOTP), by_role(True)):
        assert tried(OTHER_OPTIONS.replace("FACTOR", factor), recorded).comparison == comparison


def test_showing_a_factor_once_is_not_showing_it_twice(tried: Any) -> None:
    twice = """function onLoginRequest(c) {
      executeStep(1, { onSuccess: () => { executeStep(1, { stepOptions: { forceAuth: 'true' } }, {}); } });
    }"""
    outcome = tried(twice, recording(PASSWORD))
    assert (outcome.comparison, outcome.after) == ("stricter", "asks for step 1 once more")


RETRIES = """function ask(left) {
  executeStep(2, { onFail: () => { if (left > 1) ask(left - 1); else fail(); } });
}
function onLoginRequest(c) { executeStep(1, { onSuccess: () => ask(TRIES) }); }"""


@pytest.mark.parametrize(("tries", "comparison"), [(1, "stricter"), (2, "stricter"), (3, "same")])
def test_failed_attempts_are_played_in_their_order(tried: Any, tries: int, comparison: str) -> None:
    failed = replace(TOTP, outcome="failed", amr=())
    recorded = recording(PASSWORD, failed, failed, TOTP)
    assert tried(RETRIES.replace("TRIES", str(tries)), recorded).comparison == comparison


def test_too_many_wrong_answers_stay_a_denial(tried: Any) -> None:
    failed = replace(PASSWORD, outcome="failed", amr=())
    recorded = recording(failed, failed, verdict="denied", reason="too_many_failures", person=None)
    assert tried(ONE, recorded).comparison == "same"


def test_nobody_gets_in_below_what_the_application_demands(tried: Any) -> None:
    outcome = tried(ONE, recording(PASSWORD, TOTP, required_acr="2"))
    assert (outcome.comparison, outcome.after) == ("stricter", "denied (acr_not_reached)")


def test_who_it_was_is_not_guessed(tried: Any) -> None:
    outcome = tried(ONE, recording(PASSWORD, verdict="denied", person=None))
    assert (outcome.comparison, outcome.detail) == ("unknown", "the recording does not tell who it was")
    told = msgspec.structs.replace(by_role(False), person=None)
    assert tried(ROLE.replace("executeStep(1,", "executeStep(1, {stepOptions: {}},"), told).comparison == "same"


def test_a_login_that_was_over_for_another_reason_is_no_weakness(tried: Any) -> None:
    assert tried(ONE, recording(PASSWORD, verdict="denied", reason="person_gone")).comparison == "same"


def test_a_broken_login_that_stays_broken_is_the_same(tried: Any) -> None:
    recorded = recording(PASSWORD, verdict="denied", reason="script_error:TypeError")
    assert tried("function onLoginRequest(c) { c.x.y; }", recorded).comparison == "same"


def test_time_is_the_recorded_one_and_chance_the_flows(tried: Any) -> None:
    source = "function onLoginRequest(c) { if (Date.now() === 500 && Math.random() < 2) executeStep(1); else fail(); }"
    assert tried(source, recording(PASSWORD)).comparison == "same"


def test_the_steps_of_now_may_differ(tried: Any) -> None:
    assert tried(BOTH, recording(PASSWORD), steps=(("BasicAuthenticator",),)).comparison == "error"


def test_a_script_learns_nothing_of_one_login_from_another(sandbox: Sandbox) -> None:
    rehearsal = Rehearsal(sandbox, Script(BOTH))
    outcomes = [rehearsal.compare(each).comparison for each in (recording(PASSWORD, TOTP), recording(PASSWORD)) * 2]
    assert outcomes == ["same", "stricter", "same", "stricter"]
