"""A login is a function of its script and journal: it can go on anywhere, and nothing happens twice."""

import json
from typing import Any

import pytest

from adaptive_auth.answers import GuestAnswer, Stopped
from adaptive_auth.evaluation import Asked, Diverged, Effect, Failed, Finished, JournalEntry, Limited, Refused
from adaptive_auth.replay import evaluate
from adaptive_auth.sandbox import Sandbox
from adaptive_auth.script import Script
from tests.adaptive_auth.login import FACTS, PASSED, REQUEST, Login, after_first_step, failed, run, with_params

REASON = "http://wso2.org/claims/reason"
MAIL = "http://wso2.org/claims/emailaddress"
RISKY = """
var roles = ['admin', 'manager'];
var onLoginRequest = function (context) {
  executeStep(1, { onSuccess: function (context) {
    var user = context.currentKnownSubject, tries = 0;
    function second() {
      executeStep(2, { authenticationOptions: [{ authenticator: 'totp' }] }, {
        onSuccess: function (context) { Log.info('second factor at try', tries + 1); score(); },
        onFail: function (context) {
          if (++tries < 3) second();
          else sendError('/wrong-code', { status: 'Too many', statusMsg: 'Too many wrong codes' });
        }
      });
    }
    function score() {
      Log.info('mail', user.localClaims['http://wso2.org/claims/emailaddress']);
      httpPost('https://risk.example/score', { user: user.username, ip: context.request.ip },
        { Authorization: 'Bearer ' + secrets.riskKey }, {
          onSuccess: function (context, data) {
            if (data.score > 80) {
              sendEmail(user, 'RiskyLogin', { ip: context.request.ip });
              prompt('genericForm', { user: user.username }, { onSuccess: function (context) {
                user.localClaims['http://wso2.org/claims/reason'] = context.request.params.why[0];
                Log.info('reason', user.localClaims['http://wso2.org/claims/reason']);
              } });
            }
          },
          onFail: function (context) { fail({ errorCode: 'risk_down' }); }
        });
    }
    if (hasAnyOfTheRoles(user, roles)) {
      setCookie(context.response, 'seen', 'yes', { 'max-age': 60, sign: true });
      second();
    }
  } });
};
"""
ANSWERS: dict[str, Any] = {
    "step": [PASSED, failed(), PASSED],
    "hasAnyOfTheRoles": True,
    "claims": {MAIL: "ann@example.org"},
    "http": {"ok": True, "status": 200, "timeout": False, "data": {"score": 91}},
    "prompt": with_params({"ok": True}, why="travelling"),
}


def test_login_that_uses_everything(sandbox: Sandbox) -> None:
    login = Login(sandbox, RISKY, ANSWERS)
    result = login.run()
    assert isinstance(result, Finished)
    assert (result.subject_step, result.attribute_step, result.acr) == (1, 1, None)
    kinds = [operation.kind for operation in login.asked]
    assert kinds == ["step", "hasAnyOfTheRoles", "step", "step", "claims", "http", "prompt"]
    assert [line.text for line in result.logs] == [
        "second factor at try 2",
        "mail ann@example.org",
        "reason travelling",
    ]
    assert login.done == [
        {"kind": "cookie", "name": "seen", "value": "yes", "options": {"max-age": 60, "sign": True}},
        {"kind": "email", "user": "u1", "template": "RiskyLogin", "placeholders": {"ip": "203.0.113.7"}},
        {"kind": "claim", "user": "u1", "claim": REASON, "value": "travelling"},
    ]
    call = next(operation for operation in login.asked if operation.kind == "http")
    assert call.arguments == {
        "method": "POST",
        "url": "https://risk.example/score",
        "body": {"user": "ann", "ip": "203.0.113.7"},
        "headers": {"Authorization": "Bearer \ue000secret:riskKey\ue001"},
        "auth": None,
    }


def test_running_a_finished_login_again_changes_nothing(sandbox: Sandbox) -> None:
    login = Login(sandbox, RISKY, ANSWERS)
    result, asked, done = login.run(), list(login.asked), list(login.done)
    assert login.run() == result
    assert (login.asked, login.done) == (asked, done)


def test_effects_of_each_run_begin_with_those_of_the_run_before(sandbox: Sandbox) -> None:
    login = Login(sandbox, RISKY, ANSWERS)
    login.run()
    before: tuple[Effect, ...] = ()
    for length in range(len(login.journal) + 1):
        part = Login(sandbox, RISKY, {}, journal=login.journal[:length]).evaluate()
        assert part.effects[: len(before)] == before
        before = part.effects
    assert list(before) == login.done


def test_three_wrong_codes_end_on_the_error_page(sandbox: Sandbox) -> None:
    login = Login(sandbox, RISKY, {**ANSWERS, "step": [PASSED, failed(), failed(), failed()]})
    result = login.run()
    assert isinstance(result, Refused)
    assert (result.kind, result.reason, result.url) == ("error_page", "script", "/wrong-code")
    assert result.parameters == {"status": "Too many", "statusMsg": "Too many wrong codes"}
    assert [effect["kind"] for effect in login.done] == ["cookie"]


def test_retry_is_the_servers_unless_the_script_handles_failure(sandbox: Sandbox) -> None:
    login = Login(
        sandbox, "function onLoginRequest() { executeStep(1); executeStep(2, { onFail() {} }); }", {"step": PASSED}
    )
    login.run()
    assert [operation.arguments["retry"] for operation in login.asked] == [True, False]


MODERN = """
async function onLogin(context) {
  const first = await step(1);
  const [risk, place] = await Promise.all([
    http.post('https://risk.example/score', { ip: context.request.ip }),
    http.get('https://geo.example/x', { auth: { type: 'bearertoken', properties: { token: secrets.riskKey } } }),
  ]);
  for (let attempt = 1; attempt <= 3 && risk.data.score > 50; attempt++) {
    const second = await step(2, { authenticationOptions: ['totp'] });
    if (second.ok) return Log.info('ok at try', attempt, 'for', first.user.username, place.data.country);
  }
  deny({ errorCode: 'mfa' });
}
"""


def answer_modern(attempts: list[Any]) -> Any:
    calls = {"https://risk.example/score": {"score": 70}, "https://geo.example/x": {"country": "CH"}}
    left = list(attempts)

    def answer(operation: Any) -> Any:
        if operation.kind == "http":
            return {"ok": True, "status": 200, "timeout": False, "data": calls[operation.arguments["url"]]}
        return left.pop(0)

    return answer


def test_modern_form(sandbox: Sandbox) -> None:
    login = Login(sandbox, MODERN, answer_modern([PASSED, failed(), PASSED]))
    result = login.run()
    assert isinstance(result, Finished)
    assert [line.text for line in result.logs] == ["ok at try 2 for ann CH"]
    assert login.asked[2].arguments["auth"] == {"type": "bearer", "properties": {"token": "\ue000secret:riskKey\ue001"}}


def test_modern_form_denies(sandbox: Sandbox) -> None:
    result = Login(sandbox, MODERN, answer_modern([PASSED, failed(), failed(), failed()])).run()
    assert isinstance(result, Refused)
    assert (result.kind, result.code) == ("oauth_error", "mfa")


@pytest.mark.parametrize(
    "source",
    [
        MODERN,
        after_first_step(
            "httpGet('https://a.example/1', { onSuccess() {} }); httpGet('https://b.example/2', { onSuccess() {} });"
        ),
    ],
)
def test_http_calls_side_by_side_are_asked_together(source: str, sandbox: Sandbox) -> None:
    login = Login(sandbox, source, {"step": PASSED})
    result = login.run()
    assert isinstance(result, Asked)
    assert [operation.kind for operation in result.operations] == ["http", "http"]
    # A server that stopped between the two answers asks only for the second again.
    answer = {"ok": True, "status": 200, "timeout": False, "data": {"score": 70}}
    login.journal.append({"key": result.operations[0].key, "value": answer, "at": FACTS.started})
    again = login.evaluate()
    assert isinstance(again, Asked)
    assert again.operations == result.operations[1:]


def test_what_a_callback_registers_goes_in_front_of_what_waits(sandbox: Sandbox) -> None:
    source = """function onLoginRequest() {
      executeStep(1, { onSuccess() { executeStep(3); Log.info('registered'); } });
      executeStep(2, { onSuccess() { Log.info('two'); } });
      Log.info('first');
    }"""
    login = Login(sandbox, source, {"step": PASSED})
    result = login.run()
    assert [operation.arguments["step"] for operation in login.asked] == [1, 3, 2]
    assert [line.text for line in result.logs] == ["first", "registered", "two"]


def test_answers_of_calls_side_by_side_stay_in_order_when_callbacks_go_on(sandbox: Sandbox) -> None:
    source = after_first_step("""
      httpGet('https://a.example/1', { onSuccess(c, data) { Log.info('a', data); executeStep(2); } });
      httpGet('https://b.example/2', { onSuccess(c, data) { Log.info('b', data); executeStep(3); } });""")
    values = [{"ok": True, "data": 1}, {"ok": True, "data": 2}]
    login = Login(sandbox, source, {"step": PASSED, "http": values})
    result = login.run()
    assert isinstance(result, Finished)
    assert [operation.arguments.get("step", "http") for operation in login.asked] == [1, "http", "http", 2, 3]
    assert [line.text for line in result.logs] == ["a 1", "b 2"]


def test_another_script_on_the_same_journal_diverges(sandbox: Sandbox) -> None:
    login = Login(sandbox, RISKY, ANSWERS)
    login.run()
    result = login.evaluate(RISKY.replace("['admin', 'manager']", "['operator']"))
    assert isinstance(result, Diverged)
    assert result.asked == 'hasAnyOfTheRoles:{"user":"u1","roles":["operator"]}'
    assert result.recorded == 'hasAnyOfTheRoles:{"user":"u1","roles":["admin","manager"]}'


def test_script_that_ends_before_the_journal_does_is_no_pass(sandbox: Sandbox) -> None:
    login = Login(sandbox, RISKY, ANSWERS)
    login.run()
    assert isinstance(
        login.evaluate("function onLoginRequest() { executeStep(1, { onSuccess() {} , onFail() {} }); }"), Diverged
    )


def test_lenient_run_finds_answers_by_key(sandbox: Sandbox) -> None:
    login = Login(sandbox, RISKY, ANSWERS)
    login.run()
    weaker = login.evaluate(RISKY.replace("data.score > 80", "data.score > 95"), lenient=True)
    assert isinstance(weaker, Finished)
    assert [effect["kind"] for effect in weaker.effects] == ["cookie"]
    unknown = login.evaluate(RISKY.replace("['admin', 'manager']", "['operator']"), lenient=True)
    assert isinstance(unknown, Asked)
    assert unknown.operations[0].arguments == {"user": "u1", "roles": ["operator"]}
    other_order = login.evaluate(RISKY.replace("second();\n    }\n  } });", "score();\n    }\n  } });"), lenient=True)
    assert isinstance(other_order, Finished)


def test_time_stands_at_the_last_answer_and_chance_is_the_flows(sandbox: Sandbox) -> None:
    source = """var before = [Date.now(), Math.random()];
      function onLoginRequest() { executeStep(1, { onSuccess() {
        Log.info(before[0], Date.now(), new Date().getTime(), +new Date(0), Date().length > 10,
          before[1], Math.random()); } }); }"""
    result = run(sandbox, source)
    texts = result.logs[0].text.split()
    assert texts[:5] == ["1700000000000", "1700000001000", "1700000001000", "0", "true"]
    assert texts[5] != texts[6]
    assert run(sandbox, source).logs == result.logs
    assert run(sandbox, source, seed="flow-2").logs[0].text.split()[5] != texts[5]


@pytest.mark.parametrize(
    ("source", "message", "place"),
    [
        ("function f( {\n}", "SyntaxError", ("script.js", 2)),
        ("var a = 1;\nnope();", "ReferenceError: nope is not defined", ("script.js", 2)),
        (
            "function onLoginRequest(c) {\n  executeStep(1, { onSuccess: function (c) {\n    c.nope.deep; } });\n}",
            "TypeError: cannot read property 'deep' of undefined",
            ("script.js", 3),
        ),
        ("async function onLogin() {\n  await step(1);\n  null.x;\n}", "TypeError", ("script.js", 3)),
        ("function onLoginRequest() {\n\n executeStep(9); }", "the application has no step 9", ("script.js", 3)),
        ("function onLoginRequest() {\n secrets.other; }", "there is no secret 'other'", ("script.js", 2)),
        ("function onLoginRequest() {\n exit(); }", "exit is not available", ("script.js", 2)),
        ("function onLoginRequest() {\n require('lib.js').go(); }", "TypeError", ("lib.js", 1)),
        (
            "function onLoginRequest() {\n require('none.js'); }",
            "there is no script library 'none.js'",
            ("script.js", 2),
        ),
        ("function onLoginRequest() { throw 'a text'; }", "a text", (None, None)),
        ("var x = 1;", "no function onLoginRequest", (None, None)),
        (
            "async function onLogin() { await new Promise(() => {}); }",
            "waits for something that never comes",
            (None, None),
        ),
    ],
)
def test_errors_say_where(source: str, message: str, place: tuple[str, int], sandbox: Sandbox) -> None:
    login = Login(sandbox, source, {"step": PASSED}, {"lib.js": "exports.go = function () { null.x; };"})
    result = login.run()
    assert isinstance(result, Failed)
    assert message in result.message
    assert (result.file, result.line) == place
    assert (result.column is None) == (result.line is None)


def test_column_in_the_first_line_of_a_library_is_that_of_the_file(sandbox: Sandbox) -> None:
    source = "var a = {};     a.b.c;"
    alone = Login(sandbox, source).run()
    library = Login(sandbox, "require('lib.js'); function onLoginRequest() {}", {}, {"lib.js": source}).run()
    assert isinstance(alone, Failed)
    assert isinstance(library, Failed)
    assert (alone.file, alone.line, library.file, library.line) == ("script.js", 1, "lib.js", 1)
    assert alone.column == (library.column or 0) > source.index("a.b.c")


@pytest.mark.parametrize(
    ("source", "limit"),
    [
        ("function onLoginRequest() { for (;;) ; }", "fuel"),
        ("async function onLogin() { for (let i = 0; i < 101; i++) (await step(1)).ok; }", "operations"),
        (
            "async function onLogin() { await step(1); for (let i = 0; i < 21; i++) await http.get('https://a.b'); }",
            "http",
        ),
        (after_first_step("for (var i = 0; i < 101; i++) setCookie(context.response, 'n' + i, 'x');"), "effects"),
        (after_first_step("while (true) hasRole(user, 'a');"), "operations"),
    ],
)
def test_limits(source: str, limit: str, sandbox: Sandbox) -> None:
    result = run(sandbox, source, {"http": {"ok": True, "data": None}, "hasAnyOfTheRoles": True})
    assert isinstance(result, Limited)
    assert result.limit == limit


async def _evaluate(runner: Any, source: str, journal: list[JournalEntry]) -> Any:
    return await evaluate(runner, 7, Script(source), FACTS, journal)


def test_evaluate_asks_its_runner_and_turns_limits_into_a_result(sandbox: Sandbox) -> None:
    import asyncio

    class Lane:
        async def run(self, tenant: int, given: str, script: str) -> GuestAnswer:
            assert tenant == 7
            assert json.loads(given)["journal"] == []
            if script == "slow":
                raise Stopped("wall", "still running after 1 s", ("info before",))
            return sandbox.run(given, script)

    first = asyncio.run(_evaluate(Lane(), "function onLoginRequest() { executeStep(1); }", []))
    assert isinstance(first, Asked)
    assert first.operations[0].arguments == {"step": 1, "options": {}, "retry": True}
    slow = asyncio.run(_evaluate(Lane(), "slow", []))
    assert isinstance(slow, Limited)
    assert (slow.limit, slow.logs[0].text) == ("wall", "before")


def test_requests_of_later_steps_are_seen(sandbox: Sandbox) -> None:
    source = after_first_step("Log.info(context.request.params.choice[0], context.request.ip);")
    value = {**PASSED, "request": {**REQUEST, "ip": "198.51.100.4", "params": {"choice": ["b"]}}}
    assert run(sandbox, source, {"step": value}).logs[0].text == "b 198.51.100.4"
