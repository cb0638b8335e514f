"""What comes of steps and calls that fail: never a pass by mistake, and who it is in the end."""

from typing import Any

import pytest

from adaptive_auth.evaluation import Failed, Finished, Refused
from adaptive_auth.sandbox import Sandbox
from tests.adaptive_auth.login import ANN, BOB, PASSED, after_first_step, failed, run

pytestmark = pytest.mark.long


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"ok": False, "timeout": True}, "timeout"),
        ({"ok": False, "timeout": False, "status": 500, "data": {"a": 1}}, "failed"),
    ],
)
def test_http_that_fails(answer: Any, expected: str, sandbox: Sandbox) -> None:
    source = after_first_step(
        "httpGet('https://a.example/', { onSuccess() { Log.info('ok') }, onFail() { Log.info('failed') },"
        " onTimeout() { Log.info('timeout') } })"
    )
    assert run(sandbox, source, {"http": answer}).logs[0].text == expected


def test_http_that_fails_without_a_handler_denies(sandbox: Sandbox) -> None:
    failing = {"http": {"ok": False, "timeout": True}}
    result = run(sandbox, after_first_step("httpGet('https://a.example/', { onSuccess() {} });"), failing)
    assert isinstance(result, Refused)
    assert result.reason == "http_failed"
    assert isinstance(run(sandbox, after_first_step("httpPost('https://a.example/', {});"), failing), Finished)


def test_failure_that_nobody_handles_denies(sandbox: Sandbox) -> None:
    for source in (
        "function onLoginRequest() { executeStep(1); executeStep(2); }",
        "function onLoginRequest() { executeStep(1); executeStep(2, { onFail() { Log.info('saw it'); } }); }",
        "async function onLogin() { await step(1); await step(2); }",
        "async function onLogin() { await step(1); const r = await step(2); Log.info(r.aborted); }",
        "async function onLogin() { await step(1); step(2); }",
    ):
        result = run(sandbox, source, {"step": [PASSED, failed()]})
        assert isinstance(result, Refused), source
        assert result.reason == "step_failed"


def test_failure_that_the_script_looked_at_is_its_decision(sandbox: Sandbox) -> None:
    source = "async function onLogin() { await step(1); if (!(await step(2)).ok) Log.info('optional'); }"
    assert isinstance(run(sandbox, source, {"step": [PASSED, failed()]}), Finished)


def test_success_after_a_handled_failure_counts(sandbox: Sandbox) -> None:
    source = "function onLoginRequest() { executeStep(1); executeStep(2, { onFail() { executeStep(3); } }); }"
    assert isinstance(run(sandbox, source, {"step": [PASSED, failed(), PASSED]}), Finished)


def test_abort_has_its_own_handler(sandbox: Sandbox) -> None:
    handlers = "{ onFail() { Log.info('fail') }, onUserAbort() { Log.info('abort') } }"
    source = f"function onLoginRequest() {{ executeStep(1, {handlers}); }}"
    assert run(sandbox, source, {"step": failed(aborted=True)}).logs[0].text == "abort"
    without = run(sandbox, "function onLoginRequest() { executeStep(1); }", {"step": failed(aborted=True)})
    assert isinstance(without, Refused)
    assert without.reason == "aborted"


def test_nobody_identified_is_no_pass(sandbox: Sandbox) -> None:
    for source in (
        "function onLoginRequest() {}",
        "async function onLogin() {}",
        "async function onLogin() { (await step(1)).ok; }",
    ):
        result = run(sandbox, source, {"step": {**PASSED, "subject": None}})
        assert isinstance(result, Refused), source
        assert result.reason == "nobody_identified"


def test_failed_step_names_nobody(sandbox: Sandbox) -> None:
    source = """function onLoginRequest(c) { executeStep(1, { onFail(c) {
      Log.info(c.lastLoginFailedUser.username, c.currentKnownSubject, c.lastAuthenticatedUser, c.steps[1].subject);
    } }); }"""
    result = run(sandbox, source, {"step": failed(subject=ANN)})
    assert isinstance(result, Refused)
    assert result.logs[0].text == "ann null null null"


def test_subject_is_of_the_first_step_or_of_the_marked_one(sandbox: Sandbox) -> None:
    second = {**PASSED, "subject": BOB}
    plain = run(sandbox, "function onLoginRequest() { executeStep(1); executeStep(2); }", {"step": [PASSED, second]})
    assert isinstance(plain, Finished)
    assert (plain.subject_step, plain.attribute_step) == (1, 1)
    marked = """function onLoginRequest() { executeStep(1);
      executeStep(2, { stepOptions: { markAsSubjectIdentifierStep: 'true' } }, { onSuccess(c) {
        Log.info(c.currentKnownSubject.username, c.lastAuthenticatedUser.username, c.steps[1].subject.username);
      } }); }"""
    result = run(sandbox, marked, {"step": [PASSED, second]})
    assert isinstance(result, Finished)
    assert (result.subject_step, result.attribute_step, result.logs[0].text) == (2, 1, "bob bob ann")


@pytest.mark.parametrize(
    "forgotten",
    [
        "second();",
        "second().finally(() => 1);",
        "Promise.reject(new Error('no second factor'));",
        "Promise.all([second(), step(3)]);",
        "new Promise(() => { throw new Error('no second factor'); });",
    ],
)
def test_forgotten_await_loses_no_error(forgotten: str, sandbox: Sandbox) -> None:
    source = f"""async function second() {{ if (!(await step(2)).ok) throw new Error('no second factor'); }}
      async function onLogin() {{ await step(1); {forgotten} }}"""
    result = run(sandbox, source, {"step": [PASSED, failed(), PASSED]})
    assert isinstance(result, Failed)
    assert "no second factor" in result.message
    assert result.file == "script.js"


def test_error_that_is_handled_later_is_none(sandbox: Sandbox) -> None:
    source = """async function second() { if (!(await step(2)).ok) throw new Error('no'); }
      async function onLogin() {
        await step(1);
        const early = Promise.reject(new Error('early'));
        const waits = second();
        await step(3);
        try { await waits; } catch (e) { Log.info(e.message); }
        try { await early; } catch (e) { Log.info(e.message); }
      }"""
    result = run(sandbox, source, {"step": [PASSED, failed(), PASSED]})
    assert isinstance(result, Finished)
    assert [line.text for line in result.logs] == ["no", "early"]
