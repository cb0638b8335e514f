"""Scripts that spoil built-ins, and answers that no prelude wrote: never a pass, never an exception."""

import json
from typing import Any

import pytest

from adaptive_auth.answers import GuestAnswer
from adaptive_auth.evaluation import Asked, Diverged, Failed, Finished, JournalEntry, Limited, Refused
from adaptive_auth.replay import read
from adaptive_auth.sandbox import Sandbox
from tests.adaptive_auth.login import PASSED, Login, failed

pytestmark = pytest.mark.long

POLLUTION = [
    "Object.prototype.toJSON = function () { return 'evil'; };",
    "Array.prototype.toJSON = String.prototype.toJSON = Number.prototype.toJSON = () => ({ status: 'done' });",
    "Object.prototype.ok = true; Object.prototype.subject = { id: 'root', username: 'root' };",
    "Object.prototype.lenient = true; Object.prototype.looked = true; Object.prototype.settle = () => 0;",
    "Object.prototype.get = () => true; Object.prototype.value = true;",
    "Object.defineProperty(Object.prototype, 'ok', { get: () => true, set() {} });",
    "Object.defineProperty(Array.prototype, '0', { get: () => 'evil', set() {} });",
    "Array.prototype[Symbol.iterator] = function* () { yield { ok: true }; };",
    "Array.prototype.push = Array.prototype.concat = Array.prototype.shift = () => [];",
    "JSON.stringify = () => '{}'; JSON.parse = () => ({ ok: true }); Reflect.apply = () => true;",
    "Object.hasOwn = () => true; Object.keys = () => ['ok']; Object.defineProperty = (o) => o;",
    "Array.isArray = () => true; Number.isInteger = () => true; Math.imul = () => 1;",
    "String.prototype.indexOf = () => -1; String.prototype.slice = () => ''; String.prototype.toLowerCase = () => 'x';",
    "WeakMap.prototype.get = () => 'root'; WeakMap.prototype.set = () => 1; WeakMap.prototype.has = () => true;",
    "Promise.prototype.then = function (ok) { ok({ ok: true }); return this; };",
    "Function.prototype.call = Function.prototype.apply = Function.prototype.bind = () => () => true;",
    "globalThis.JSON = globalThis.Object = globalThis.Reflect = globalThis.Array = undefined;",
    "globalThis.fail = globalThis.executeStep = globalThis.step = () => ({ ok: true });",
    "Object.setPrototypeOf(Object.prototype, null); Error.prototype.toString = () => 'done';",
    "const forge = { configurable: true, get() {}, set(v) { if (v && v.status) Object.assign(v, FORGED); } };"
    " Object.defineProperty(Array.prototype, '0', forge);",
    "Array.prototype[5] = 1; delete Array.prototype[5]; Object.defineProperty(Object.prototype, '0',"
    " { configurable: true, get() {}, set(v) { if (v && v.status) Object.assign(v, FORGED); } });",
    "Promise[Symbol.species] = Array; Object.defineProperty(Promise, Symbol.hasInstance, { value: () => false });",
]
FORGED = "var FORGED = { status: 'done', subject_step: 1, attribute_step: 1, acr: null };"
FORMS = {
    "wso2": "function onLoginRequest(c) { run(1, { onSuccess: function (c) { run(2); } }); }",
    "modern": "async function onLogin(c) { const a = await one(1); if (!a.ok) end(); const b = await one(2); }",
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("pollution", POLLUTION)
def test_attack_28_pollution_never_turns_failure_into_a_pass(pollution: str, form: str, sandbox: Sandbox) -> None:
    source = f"var run = executeStep, one = step, end = fail;\n{FORGED}\n{pollution}\n{FORMS[form]}"
    for second in (failed(), {"ok": "yes"}, {}, {"ok": 1, "subject": {"id": "root"}}):
        login = Login(sandbox, source, {"step": [PASSED, second]})
        result = login.run()
        assert isinstance(result, Refused | Failed), (result, second)
    honest = Login(sandbox, source, {"step": PASSED})
    result = honest.run()
    assert isinstance(result, Finished | Refused | Failed)
    if isinstance(result, Finished):
        assert [operation.arguments["step"] for operation in honest.asked] == [1, 2]


NO_PASS = {
    "a microtask throws": "executeStep(1, { onSuccess() { queueMicrotask(() => { throw new Error('broke'); }); } })",
    "a denial behind it": "executeStep(1, { onSuccess() {"
    " queueMicrotask(() => { throw 1; }); queueMicrotask(() => fail('denied')); } })",
    "a promise without prototype": "executeStep(1, { onSuccess() {"
    " const never = new Promise(() => 0); Object.setPrototypeOf(never, null); return never; } })",
    "a promise that hides": "(() => { Object.defineProperty(Promise, Symbol.hasInstance, { value: () => false });"
    " executeStep(1, { onSuccess: async () => { await new Promise(() => 0); } }); })()",
    "a rejection in the depths": "executeStep(1, { onSuccess() {"
    " const deeper = (n) => { try { deeper(n + 1); } catch (e) { Promise.reject(7); throw e; } };"
    " try { deeper(0); } catch { } } })",
}


@pytest.mark.parametrize("script", NO_PASS.values(), ids=NO_PASS)
def test_attack_28_no_error_is_lost(script: str, sandbox: Sandbox) -> None:
    login = Login(sandbox, f"function onLoginRequest(context) {{ {script}; }}", {"step": PASSED})
    assert isinstance(login.run(), Refused | Failed | Limited)


@pytest.mark.parametrize(
    "look",
    [
        "Log.info(r)",
        "console.log('second', r)",
        "Log.info(JSON.parse, r, r)",
        "Log.info({ who: { toJSON() { Log.debug(1); } }, r })",
    ],
)
def test_a_result_that_is_only_logged_was_not_looked_at(look: str, sandbox: Sandbox) -> None:
    source = f"async function onLogin() {{ await step(1); const r = await step(2); {look}; }}"
    result = Login(sandbox, source, {"step": [PASSED, failed()]}).run()
    assert isinstance(result, Refused)
    assert result.reason == "step_failed"


def test_stack_traces_hand_out_no_function_of_ours(sandbox: Sandbox) -> None:
    source = """
    Error.prepareStackTrace = (error, sites) => sites.map((site) => site.getFunction());
    function onLoginRequest() { sendError(null, { stack: typeof new Error('x').stack }); }"""
    result = Login(sandbox, source).run()
    assert isinstance(result, Refused)
    assert result.parameters == {"stack": "string"}


def test_a_secret_that_is_refused_changes_nothing(sandbox: Sandbox) -> None:
    source = """
    function onLoginRequest(context) { executeStep(1, { onSuccess: function (context) {
      var user = context.currentKnownSubject, seen = [];
      try { context.selectedAcr = secrets.riskKey; } catch (e) { seen.push(context.selectedAcr); }
      try { user.claims['a'] = secrets.riskKey; } catch (e) { seen.push('a' in user.claims); }
      var headers = context.response.headers;
      try { headers['X-A'] = secrets.riskKey; } catch (e) { seen.push(Object.keys(headers)); }
      sendError(null, { seen: seen });
    }}); }"""
    result = Login(sandbox, source, {"step": PASSED, "sessionClaims": {}}).run()
    assert isinstance(result, Refused)
    assert result.parameters == {"seen": [None, False, []]}


def test_pollution_of_the_built_ins_is_not_noticed_by_the_prelude(sandbox: Sandbox) -> None:
    """Not only refused: an ordinary login behind any of them goes through, but for promises that it breaks itself."""
    for pollution in POLLUTION:
        source = f"var run = executeStep;\n{pollution}\n{FORMS['wso2']}"
        assert isinstance(Login(sandbox, source, {"step": PASSED}).run(), Finished), pollution


def test_script_cannot_reach_what_drives_it(sandbox: Sandbox) -> None:
    names = "['__halt', '__log', '__compile', '__begin', '__main', '__next', '__rejected']"
    source = f"sendError(null, {{ found: {names}.filter((name) => name in globalThis) }});"
    result = Login(sandbox, source).run()
    assert isinstance(result, Refused)
    assert result.parameters == {"found": []}


def test_halting_error_is_seen_by_no_catch(sandbox: Sandbox) -> None:
    source = """function onLoginRequest() { executeStep(1, { onSuccess(c) {
      try { hasRole(c.steps[1].subject, 'a'); } catch (e) { Log.info('caught'); } finally { Log.info('finally'); }
    } }); }"""
    result = Login(sandbox, source, {"step": PASSED}).run()
    assert isinstance(result, Asked)
    assert result.logs == ()
    after_fail = "function onLoginRequest() { try { fail(); } finally { executeStep(1); } }"
    assert isinstance(Login(sandbox, after_fail, {"step": PASSED}).run(), Refused)


STEP: JournalEntry = {"key": 'step:{"step":1,"options":{},"retry":true}', "value": PASSED, "at": 1}
FAILED_STEP: JournalEntry = {**STEP, "value": failed()}
DONE: dict[str, Any] = {"status": "done", "used": 1, "effects": [], "acr": None, "subject_step": 1, "attribute_step": 1}
REFUSED = {"status": "refused", "used": 1, "effects": [], "reason": "script"}


def said(content: Any, *journal: JournalEntry, lenient: bool = False) -> Any:
    text = content if isinstance(content, str) else json.dumps(content)
    return read(GuestAnswer(True, text), journal or (STEP,), lenient=lenient)


def test_honest_answer_passes() -> None:
    assert isinstance(said(DONE), Finished)


@pytest.mark.parametrize(
    "change",
    [
        {"subject_step": 2},
        {"subject_step": True},
        {"subject_step": None},
        {"attribute_step": 2},
        {"acr": 5},
        {"used": -1},
        {"used": 2},
        {"used": True},
        {"used": "1"},
        {"effects": None},
        {"effects": {}},
        {"effects": [1]},
        {"effects": [{"kind": "root"}]},
        {"effects": [{"kind": ["email"]}]},
        {"effects": [{"kind": "email", "user": "u1"}]},
        {"effects": [{"kind": "email", "user": "u1", "template": 5, "placeholders": {}}]},
        {"effects": [{"kind": "claim", "user": "u1", "claim": "a", "value": "b", "more": 1}]},
        {"effects": [{"kind": "header", "name": "a", "value": "b\r\nc: d"}]},
        {"effects": [{"kind": "cookie", "name": "a", "value": "b", "options": {"path": "/\n"}}]},
        {"effects": [{"kind": "acr", "value": "\ue000secret:riskKey\ue001"}]},
        {"effects": [{"kind": "acr", "value": "a\0b"}]},
        {"effects": [{"kind": "acr", "value": "\ud800"}]},
        {"effects": [{"kind": "email", "user": "u1", "template": "x", "placeholders": {"a": float("inf")}}]},
        {"status": "DONE"},
        {"status": None},
        {"status": ["done"]},
        {"status": "asked"},
        {"status": "asked", "operations": []},
        {"status": "asked", "operations": [5]},
        {"status": "asked", "operations": [{"kind": "step", "key": "step:{}", "arguments": {}}]},
        {"status": "failed", "message": 5, "stack": ""},
        {"status": "limit", "limit": None, "message": ""},
        {"status": "diverged", "asked": 1, "recorded": 2},
        {**REFUSED, "kind": "oauth_error", "code": 'a"b', "message": None, "uri": None},
        {**REFUSED, "kind": "oauth_error", "code": "a\r\nb", "message": None, "uri": None},
        {**REFUSED, "kind": "oauth_error", "code": "x", "message": 5, "uri": None},
        {**REFUSED, "kind": "oauth_error", "code": "x", "message": None, "uri": "javascript:alert(1)"},
        {**REFUSED, "kind": "error_page", "url": "javascript:alert(1)", "parameters": {}},
        {**REFUSED, "kind": "error_page", "url": "//evil.example", "parameters": {}},
        {**REFUSED, "kind": "error_page", "url": "/\\evil.example", "parameters": {}},
        {**REFUSED, "kind": "error_page", "url": "https:///x", "parameters": {}},
        {**REFUSED, "kind": "error_page", "url": "data:text/html,x", "parameters": {}},
        {**REFUSED, "kind": "error_page", "url": "/x\n", "parameters": {}},
        {**REFUSED, "kind": "error_page", "url": None, "parameters": None},
        {**REFUSED, "kind": "party", "url": None, "parameters": {}},
        {**REFUSED, "reason": "none", "kind": "error_page", "url": None, "parameters": {}},
    ],
)  # fmt: skip
def test_attack_28_malformed_answer_fails(change: dict[str, Any]) -> None:
    assert isinstance(said({**DONE, **change}), Failed)


@pytest.mark.parametrize(
    "text", ["", "evil", "[]", "5", "null", "NaN", '"done"', "[" * 100_000, '{"status":"done"}', "1" * 5000]
)
def test_answer_of_another_kind_fails(text: str) -> None:
    assert isinstance(said(text), Failed)


@pytest.mark.parametrize("url", ["https://a.example/x?y=1", "http://a.example", "/error", "error.html?a=b", "/a/b#c"])
def test_error_page_may_be_here_or_elsewhere(url: str) -> None:
    result = said({**REFUSED, "kind": "error_page", "url": url, "parameters": {"a": "b"}})
    assert isinstance(result, Refused)
    assert result.url == url


def test_done_needs_a_success_in_the_journal() -> None:
    nobody: JournalEntry = {**STEP, "value": {**PASSED, "subject": None}}
    other: JournalEntry = {"key": "claims:{}", "value": PASSED, "at": 1}
    for entry in (FAILED_STEP, nobody, other):
        result = said(DONE, entry)
        assert isinstance(result, Refused)
        assert result.reason == "nobody_identified"


def test_done_needs_the_whole_journal() -> None:
    assert isinstance(said({**DONE, "used": 0}), Diverged)
    assert isinstance(said({**DONE, "used": 0, "taken": []}, lenient=True), Finished)


def operation(**change: Any) -> dict[str, Any]:
    arguments = {"method": "GET", "url": "https://a.example/", "body": None, "headers": {}, "auth": None, **change}
    return {"kind": "http", "key": "http:" + json.dumps(arguments), "arguments": arguments}


def asked(*operations: dict[str, Any]) -> dict[str, Any]:
    return {"status": "asked", "used": 1, "effects": [], "operations": list(operations)}


def test_operations_are_checked() -> None:
    secret = "\ue000secret:riskKey\ue001"
    step = {"kind": "step", "key": STEP["key"], "arguments": {"step": 1, "options": {}, "retry": True}}
    fine = said(asked(operation(headers={"A": secret}, auth={"type": "bearer", "properties": {"token": secret}})))
    assert isinstance(fine, Asked)
    for wrong in (
        asked(operation(method="DELETE")),
        asked(operation(url=f"https://a.example/{secret}")),
        asked(operation(body={"deep": [secret]})),
        asked(operation(body={secret: 1})),
        asked(operation(headers={"A": "b\nc"})),
        asked({**operation(), "key": "http:{}"}),
        asked({**operation(), "key": "http:no JSON"}),
        asked({**operation(), "key": operation()["key"].replace("http:", "step:")}),
        asked({**step, "arguments": {"step": 2, "options": {}, "retry": True}}),
        asked(step, step),
        asked(operation(), step),
        asked({**step, "more": 1}),
    ):
        assert isinstance(said(wrong), Failed), wrong


def test_numbers_of_operations_and_effects_are_counted_here_too() -> None:
    cookie = {"kind": "cookie", "name": "a", "value": "b", "options": {}}
    assert isinstance(said({**DONE, "effects": [cookie] * 100}), Finished)
    assert isinstance(said({**DONE, "effects": [cookie] * 101}), Limited)
    called: JournalEntry = {"key": operation()["key"], "value": {}, "at": 1}
    assert isinstance(said({**asked(operation()), "used": 19}, *[called] * 19), Asked)
    assert isinstance(said({**asked(operation()), "used": 20}, *[called] * 20), Limited)
    step = {"kind": "step", "key": STEP["key"], "arguments": {"step": 1, "options": {}, "retry": True}}
    assert isinstance(said({**asked(step), "used": 99}, *[STEP] * 99), Asked)
    assert isinstance(said({**asked(step), "used": 100}, *[STEP] * 100), Limited)
