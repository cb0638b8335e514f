"""The names of the language: every function does something, every spelling works, objects look as documented."""

import json
from dataclasses import replace
from typing import Any

import pytest

from adaptive_auth.check import STANDARD
from adaptive_auth.evaluation import Asked, Failed, Finished, Refused
from adaptive_auth.functions import FUNCTIONS, GLOBAL_OBJECTS
from adaptive_auth.sandbox import Sandbox
from adaptive_auth.shapes import EFFECTS, OPERATIONS
from tests.adaptive_auth.login import ANN, BOB, PASSED, REQUEST, Login, after_first_step, run, with_params

HTTP = {"ok": True, "status": 200, "timeout": False, "data": {"a": 1}}
ANSWERS: dict[str, Any] = {
    **dict.fromkeys(OPERATIONS, True),
    "step": PASSED,
    "prompt": with_params({"ok": True}, x="1"),
    "http": HTTP,
    "claims": {},
    "remoteClaims": {},
    "sessionClaims": {},
    "roles": ["admin"],
    "getUserSessions": [{"id": "s1"}],
    "getSessionData": {"count": 1},
    "getAuthenticatedApplications": [{"appName": "portal"}],
    "getUniqueUserWithClaimValues": BOB,
    "getUsersWithClaimValues": [ANN, BOB],
    "getAssociatedLocalUser": BOB,
    "resolveMultiAttributeLoginIdentifier": "ann",
    "getCookieValue": "plain",
    "getNetwork": {"ip": "203.0.113.7", "country": "CH"},
    "getFailedAttempts": 2,
    "getTimeSinceLastLogin": 60,
    "getLoginVelocity": 5.5,
    "getLocalTime": {"hour": 9},
}
JWT = "eyJhbGciOiJub25lIn0.eyJuYW1lIjoiQW5uIE3DvGxsZXIg8J-miSJ9.x"

CALLS = {
    "executeStep": ("executeStep(2, { onSuccess() { show('went on') } })", "went on"),
    "promptIdentifierForStep": ("promptIdentifierForStep(2, { onSuccess() { show('went on') } })", "went on"),
    "prompt": ("prompt('genericForm', {}, { onSuccess(c) { show(c.request.params.x[0]) } })", "1"),
    "sendError": ("sendError(null, { status: 'x' })", Refused),
    "fail": ("fail({ errorCode: 'x', errorMessage: 'y', errorURI: 'https://a.example/' })", Refused),
    "deny": ("deny('x')", Refused),
    "require": ("show(require('lib.js').seven)", "7"),
    "loadLocalLibrary": ("show(loadLocalLibrary('lib.js').seven)", "7"),
    "exit": ("exit()", Failed),
    "quit": ("quit()", Failed),
    "step": ("step(2).then((r) => show(r.ok, r.user.username, r.idp, r.aborted))", "true ann LOCAL false"),
    "ask": ("ask('genericForm', {}).then((r) => show(r.ok, r.params.x[0]))", "true 1"),
    "hasRole": ("show(hasRole(user, 'admin'))", "true"),
    "hasAnyOfTheRoles": ("show(hasAnyOfTheRoles(user, ['a', 'b']))", "true"),
    "hasAnyOfTheRolesV2": ("show(hasAnyOfTheRolesV2(context, ['a']))", "true"),
    "isAnyOfTheRolesAssignedToUser": ("show(isAnyOfTheRolesAssignedToUser(user, ['a']))", "true"),
    "isMemberOfAnyOfGroups": ("show(isMemberOfAnyOfGroups(user, ['a']))", "true"),
    "assignUserRoles": ("show(assignUserRoles(user, ['a']))", "true"),
    "assignUserRolesV2": ("show(assignUserRolesV2(context, ['a']))", "true"),
    "removeUserRoles": ("show(removeUserRoles(user, ['a']))", "true"),
    "removeUserRolesV2": ("show(removeUserRolesV2(context, ['a']))", "true"),
    "getUserSessions": ("show(getUserSessions(user)[0].id)", "s1"),
    "terminateUserSession": ("show(terminateUserSession(user, 's1'))", "true"),
    "checkSessionExistence": ("show(checkSessionExistence(1, context))", "true"),
    "isWithinSessionLimit": ("show(isWithinSessionLimit(context, { MaxSessionCount: '1' }))", "true"),
    "getSessionData": ("show(getSessionData(context, {}).count)", "1"),
    "killSession": ("show(killSession(context, { sessionId: 's1' }))", "true"),
    "getAuthenticatedApplications": ("show(getAuthenticatedApplications(context)[0].appName)", "portal"),
    "getUniqueUserWithClaimValues": ("show(getUniqueUserWithClaimValues({ a: 'b' }, context).username)", "bob"),
    "getUsersWithClaimValues": ("show(getUsersWithClaimValues({}, context).map((u) => u.uniqueId))", '["u1","u2"]'),
    "getAssociatedLocalUser": ("show(hasRole(getAssociatedLocalUser(user), 'x'))", "true"),
    "doAssociationWithLocalUser": ("show(doAssociationWithLocalUser(user, 'bob', 't1', 'PRIMARY'))", "true"),
    "removeAssociatedLocalUser": ("show(removeAssociatedLocalUser(user))", "true"),
    "updateUserPassword": (
        "updateUserPassword(user, 'secret', false, { onSuccess() { show(updateUserPassword(user, 'x')) } })", "true"),
    "resolveMultiAttributeLoginIdentifier": ("show(resolveMultiAttributeLoginIdentifier('ann@x.org', 't1'))", "ann"),
    "getNetwork": ("show(getNetwork(context).country)", "CH"),
    "isNewDevice": ("show(isNewDevice(context))", "true"),
    "getFailedAttempts": ("show(getFailedAttempts(user) + 1)", "3"),
    "getTimeSinceLastLogin": ("show(getTimeSinceLastLogin(user))", "60"),
    "getLoginVelocity": ("show(getLoginVelocity(user, context))", "5.5"),
    "getLocalTime": ("show(getLocalTime('Europe/Zurich').hour)", "9"),
    "httpGet": ("httpGet('https://a.example/', { onSuccess(c, data) { show(data.a) } })", "1"),
    "httpPost": ("httpPost('https://a.example/', { b: 1 }, { onSuccess(c, data) { show(data.a) } })", "1"),
    "sendEmail": ("show(sendEmail(user, 'Mail', { a: 'b' }))", "true"),
    "setCookie": ("setCookie(context.response, 'a', 'b', { secure: true }); show('set')", "set"),
    "getCookieValue": (
        "show(getCookieValue(context.request, 'c', { decrypt: true }), getCookieValue(context.request, 'c'))",
        "plain sealed"),
    "getMaskedValue": ("show(getMaskedValue('alice'), getMaskedValue('ab'))", "a***e **"),
    "getValueFromDecodedAssertion": (
        f"var f = getValueFromDecodedAssertion; show(f('{JWT}', 'name', true), f('{JWT}', 'alg', false))",
        "Ann Müller 🦉 none"),
    "filterAuthenticators": (
        "show(filterAuthenticators(context.steps[1].options, 'FIDOAuthenticator').map((o) => o.authenticator))",
        '["BasicAuthenticator"]'),
    "selectAcrFrom": (
        "show(selectAcrFrom(context, ['acr1', 'acr2', 'acr3']), selectAcrFrom(context, ['other']))", "acr2 null"),
    "checkMicrosoftEmailVerification": ("show(checkMicrosoftEmailVerification(context))", "false"),
    "callChoreo": ("callChoreo({}, {}, { onSuccess() { show('no') }, onFail() { show('failed') } })", "failed"),
    "callAnalytics": ("callAnalytics({}, {}, { onFail() { show('failed') } })", "failed"),
    "publishToAnalytics": ("publishToAnalytics({}, {}, context); show('nothing')", "nothing"),
    "callElastic": ("callElastic({}, { onFail() { show('failed') } })", "failed"),
}  # fmt: skip

FACTS: dict[str, Any] = {
    "requested_acr": ("acr2", "acr1"),
    "request": {**REQUEST, "cookies": {"c": "sealed"}},
}


def test_every_function_is_called_below() -> None:
    assert CALLS.keys() == FUNCTIONS.keys()


@pytest.mark.parametrize("name", CALLS)
def test_function(name: str, sandbox: Sandbox) -> None:
    body, expected = CALLS[name]
    source = "var show = Log.info;\n" + after_first_step(body)
    login = Login(
        sandbox, source, {**ANSWERS, "step": {**PASSED, "request": FACTS["request"]}}, {"lib.js": "exports.seven = 7;"}
    )
    login.facts = replace(login.facts, **FACTS)
    result = login.run()
    if isinstance(expected, type):
        assert isinstance(result, expected)
        return
    assert isinstance(result, Finished), result
    assert [line.text for line in result.logs] == [expected]


def test_prelude_offers_exactly_the_catalogue(sandbox: Sandbox) -> None:
    result = run(sandbox, "sendError(null, { names: Object.getOwnPropertyNames(globalThis) })")
    assert isinstance(result, Refused)
    offered = set(result.parameters["names"]) - STANDARD
    engine = {name for name in offered if name.endswith("Array") or name in _OF_THE_ENGINE}
    assert offered - engine == FUNCTIONS.keys() | GLOBAL_OBJECTS.keys()


_OF_THE_ENGINE = {
    "AggregateError", "AsyncIterator", "DisposableStack", "AsyncDisposableStack", "FinalizationRegistry", "Iterator",
    "SharedArrayBuffer", "SuppressedError", "WeakRef", "eval", "Function", "InternalError", "queueMicrotask", "gc",
    "navigator", "DOMException", "Float16Array", "CallSite",
}  # fmt: skip


def test_every_question_and_effect_is_of_a_known_kind(sandbox: Sandbox) -> None:
    """The calls above ask every kind of operation and cause every kind of effect but those of objects."""
    kinds, effects = (
        {"claims", "remoteClaims", "sessionClaims", "roles"},
        {"claim", "session_claim", "remote_claim", "header", "acr"},
    )
    for body, _ in CALLS.values():
        login = Login(sandbox, "var show = Log.info;\n" + after_first_step(body), ANSWERS, {"lib.js": ""})
        login.facts = replace(login.facts, **FACTS)
        login.answers = {**ANSWERS, "step": {**PASSED, "request": FACTS["request"]}}
        login.run()
        kinds |= {operation.kind for operation in login.asked}
        effects |= {effect["kind"] for effect in login.done}
    assert kinds == OPERATIONS.keys()
    assert effects == EFFECTS.keys()


@pytest.mark.parametrize(
    "declaration",
    [
        "var onLoginRequest = function (context) { executeStep(1); };",
        "function onLoginRequest(context) { executeStep(1); }",
        "onLoginRequest = function (context) { executeStep(1); };",
        "const onLoginRequest = (context) => executeStep(1);",
        "let onLoginRequest = async (context) => { executeStep(1); };",
        "async function onLogin(context) { await step(1); }",
        "const onLogin = async (context) => { await step('1'); };",
        "function onLogin(context) { executeStep({ id: '1' }); }",
        "let step = 5, http = 1; var Log = null; function onLoginRequest() { executeStep(1); }",
    ],
)
def test_entry_point_is_found_however_it_is_declared(declaration: str, sandbox: Sandbox) -> None:
    assert isinstance(run(sandbox, declaration), Finished)


@pytest.mark.parametrize(
    ("call", "body", "headers", "auth"),
    [
        ("httpGet(u, h)", None, {}, None),
        ("httpGet(u, { A: 'b' }, h)", None, {"A": "b"}, None),
        ("httpGet(u, { A: 'b' }, { type: 'basic', properties: { username: 'x' } }, h)", None, {"A": "b"}, "basic"),
        ("httpGet(u, { type: 'ApiKey', properties: {} }, h)", None, {}, "apikey"),
        ("httpPost(u, h)", None, {}, None),
        ("httpPost(u, { b: 1 }, h)", {"b": 1}, {}, None),
        ("httpPost(u, 'a=b', { 'Content-Type': 'x' }, h)", "a=b", {"Content-Type": "x"}, None),
        ("httpPost(u, { b: 1 }, { A: 7 }, { type: 'basicauth', properties: {} }, h)", {"b": 1}, {"A": "7"}, "basic"),
        ("httpPost(u, {}, null, { type: 'bearertoken', properties: {} }, h)", {}, {}, "bearer"),
        ("httpPost(u, {}, {}, { type: 'clientcredential', properties: {} }, h)", {}, {}, "clientcredential"),
        ("http.post(u, { b: 1 }, { headers: { A: 'b' }, auth: { type: 'bearer', properties: {} } })",
         {"b": 1}, {"A": "b"}, "bearer"),
    ],
)  # fmt: skip
def test_forms_of_http(call: str, body: Any, headers: Any, auth: str | None, sandbox: Sandbox) -> None:
    handlers = "var u = 'https://a.example/', h = { onSuccess() {}, onFail() {} };"
    source = f"{handlers}\nfunction onLoginRequest() {{ {call}; }}"
    result = Login(sandbox, source).run()
    assert isinstance(result, Asked)
    arguments = result.operations[0].arguments
    assert (arguments["body"], arguments["headers"]) == (body, headers)
    assert (arguments["auth"] or {}).get("type") == auth


@pytest.mark.parametrize(
    ("call", "options"),
    [
        ("executeStep(1, {})", {}),
        ("executeStep(1, {}, {})", {}),
        ("executeStep(1, { authenticationOptions: [{ authenticator: 'totp' }] }, {})",
         {"authenticationOptions": [{"authenticator": "totp"}]}),
        ("executeStep(1, { authenticationOptions: ['totp', { idp: 'google' }] })",
         {"authenticationOptions": [{"authenticator": "totp"}, {"idp": "google"}]}),
        ("executeStep(1, { stepOptions: { forceAuth: 'true' } }, { onSuccess() {} })",
         {"stepOptions": {"forceAuth": "true"}}),
        ("promptIdentifierForStep(1, { authenticatorParams: { local: {} } }, {})",
         {"authenticatorParams": {"local": {}, "common": {"inputType": "idf"}}}),
    ],
)  # fmt: skip
def test_forms_of_execute_step(call: str, options: Any, sandbox: Sandbox) -> None:
    result = Login(sandbox, f"function onLoginRequest() {{ {call}; }}").run()
    assert isinstance(result, Asked)
    assert result.operations[0].arguments["options"] == options


def test_context(sandbox: Sandbox) -> None:
    request = {
        **REQUEST,
        "headers": {"user-agent": "Firefox"},
        "params": {"a": ["1", "2"], "b": ["3"]},
        "cookies": {"c": {"value": "d"}},
    }
    source = """function onLoginRequest(context) { sendError(null, { seen: [
      context.serviceProviderName, context.tenantDomain, context.request.ip, context.request.headers['user-agent'],
      context.request.headers['USER-AGENT'], context.request.params.a[1], context.request.params.b[0],
      context.request.params.none === undefined, context.request.cookies.c.value, context.requestedAcr,
      context.selectedAcr, context.requestedScopes, context.authorizationDetails[0].type, context.steps[2].options,
      context.steps[9] === undefined,
      Object.keys(context.steps), 'User-AGENT' in context.request.headers ] }); }"""
    facts: dict[str, Any] = {
        "requested_acr": ("a",),
        "scopes": ("openid",),
        "authorization_details": ({"type": "payment"},),
    }
    result = run(sandbox, source, request=request, **facts)
    assert isinstance(result, Refused)
    options = [{"idp": "LOCAL", "authenticator": "totp"}]
    assert result.parameters["seen"] == [
        "portal", "carbon.super", "203.0.113.7", "Firefox", "Firefox", "2", "3", True, "d", ["a"], None, ["openid"],
        "payment", options, True, ["1", "2", "3"], True,
    ]  # fmt: skip


def test_selected_acr_is_an_effect_and_the_result(sandbox: Sandbox) -> None:
    result = run(sandbox, "function onLoginRequest(c) { c.selectedAcr = 'a'; c.selectedAcr = 'b'; executeStep(1); }")
    assert isinstance(result, Finished)
    assert (result.acr, [effect["value"] for effect in result.effects]) == ("b", ["a", "b"])


def test_claims_are_asked_once_and_writes_are_read_back(sandbox: Sandbox) -> None:
    source = after_first_step("""
      user.claims.early = 'x';
      var seen = [];
      for (var k in user.localClaims) seen.push(k);
      user.localClaims.b = 5; user.remoteClaims.r = null; delete user.localClaims.a;
      Log.info(seen, user.localClaims.b, 'b' in user.localClaims, user.claims.early, user.localClaims.none, user.roles,
        JSON.stringify(context.currentKnownSubject.localClaims));""")
    login = Login(sandbox, source, {**ANSWERS, "claims": {"a": "1", "b": "2"}})
    result = login.run()
    assert [operation.kind for operation in login.asked] == ["step", "claims", "roles"]
    assert result.logs[0].text == '["a","b"] 5 true x undefined ["admin"] {"a":"","b":"5"}'
    assert [(effect["kind"], effect["claim"], effect["value"]) for effect in login.done] == [
        ("session_claim", "early", "x"), ("claim", "b", "5"), ("remote_claim", "r", ""), ("claim", "a", ""),
    ]  # fmt: skip


def test_json_of_every_object(sandbox: Sandbox) -> None:
    login = Login(sandbox, after_first_step("sendError(null, { all: JSON.parse(JSON.stringify(context)) });"), ANSWERS)
    result = login.run()
    assert isinstance(result, Refused)
    seen = result.parameters["all"]
    assert seen["steps"]["1"]["subject"]["username"] == seen["currentKnownSubject"]["username"] == "ann"
    assert seen["request"]["headers"] == {"user-agent": "Mozilla/5.0"}


def test_response_headers_and_cookies_take_no_line_breaks(sandbox: Sandbox) -> None:
    fine = run(sandbox, after_first_step("context.response.headers['X-A'] = 'b'; context.response.headers.c = 1;"))
    assert [(effect["name"], effect["value"]) for effect in fine.effects] == [("X-A", "b"), ("c", "1")]
    for body in (
        r"context.response.headers['X-A'] = 'b\r\nSet-Cookie: x=y';",
        r"context.response.headers['X-A\n'] = 'b';",
        r"setCookie(context.response, 'a', 'b\0');",
        r"setCookie(context.response, 'a', 'b', { path: '/\r\n' });",
        r"httpGet('https://a.example/', { 'X-A': 'b\nc' }, { onSuccess() {} });",
    ):
        result = run(sandbox, after_first_step(body))
        assert isinstance(result, Failed), body
        assert "may not hold line breaks" in result.message
        assert result.effects == ()


@pytest.mark.parametrize(
    "body",
    [
        "sendEmail(user, 'x', { a: secrets.riskKey });",
        "httpPost('https://a.example/', { a: 'x' + secrets.riskKey }, { onSuccess() {} });",
        "httpGet('https://a.example/?k=' + secrets.riskKey, { onSuccess() {} });",
        "setCookie(context.response, 'a', secrets.riskKey);",
        "user.localClaims.a = secrets.riskKey;",
        "hasRole(user, secrets.riskKey);",
        "prompt('genericForm', { a: secrets.riskKey }, {});",
    ],
)
def test_secret_in_any_other_place_is_refused(body: str, sandbox: Sandbox) -> None:
    result = run(sandbox, after_first_step(body), ANSWERS)
    assert isinstance(result, Failed)
    assert "a secret may only be used in headers or authConfig" in result.message
    assert result.line == 2


@pytest.mark.parametrize("function", ["hasRole", "getUserSessions", "sendEmail", "isNewDevice", "updateUserPassword"])
def test_function_about_nobody_is_an_error_and_no_answer(function: str, sandbox: Sandbox) -> None:
    """A role check of null that answered false would skip what the role asks for."""
    for argument in ("context.currentKnownSubject", "{ uniqueId: 'u1' }", "undefined"):
        result = run(sandbox, f"function onLoginRequest(context) {{ {function}({argument}, 'x'); }}", ANSWERS)
        assert isinstance(result, Failed)
        assert "not a user" in result.message


def test_password_is_no_part_of_the_key(sandbox: Sandbox) -> None:
    login = Login(sandbox, after_first_step("updateUserPassword(user, 'correct horse');"), ANSWERS)
    login.run()
    assert login.asked[1].arguments["password"] == "correct horse"
    assert "horse" not in json.dumps(login.journal)


def test_libraries_as_in_commonjs(sandbox: Sandbox) -> None:
    libraries = {
        "a.js": "exports.early = 1; exports.b = require('b.js'); exports.late = 2;",
        "b.js": "const a = require('a.js'); module.exports = { seen: [a.early, a.late], name: () => 'b' };",
        "count.js": "globalThis.count = (globalThis.count || 0) + 1; exports.count = count; return; nonsense();",
    }
    source = """var a = require('a.js'); require('count.js');
      function onLoginRequest() {
        Log.info(a.b.seen, a.b.name(), a.late, require('count.js').count); executeStep(1); }"""
    result = Login(sandbox, source, {"step": PASSED}, libraries).run()
    assert isinstance(result, Finished), result
    assert result.logs[0].text == "[1,null] b 2 1"


def test_implicit_globals_and_closures_survive(sandbox: Sandbox) -> None:
    source = """var count = 0;
      function onLoginRequest() { var own = 'closure'; executeStep(1, { onSuccess() { count++; made = 'global';
        executeStep(2, { onSuccess() { Log.info(count, made, own); } }); } }); }"""
    assert run(sandbox, source).logs[0].text == "1 global closure"


def test_log_takes_anything(sandbox: Sandbox) -> None:
    source = """function onLoginRequest() { var o = {}; o.o = o;
      Log.log('a', 1, null, undefined, true, [1, { b: 2 }], new Error('e'), () => 1, 5n, Symbol('s'));
      console.warn(o); Log.debug(); Log.error('x'.repeat(2000)); executeStep(1); }"""
    logs = run(sandbox, source).logs
    assert [line.level for line in logs] == ["info", "warn", "debug", "error"]
    assert logs[0].text == 'a 1 null undefined true [1,{"b":2}] Error: e () => 1 5 Symbol(s)'
    assert logs[1].text == "[object Object]"
    assert 480 < len(logs[3].text) <= 500
