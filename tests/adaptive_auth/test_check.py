"""What is found in a script before it is saved, and what editors and the pinning of a script need."""

import re
from typing import Any

import pytest

from adaptive_auth.check import check
from adaptive_auth.functions import FUNCTIONS
from adaptive_auth.sandbox import Sandbox
from adaptive_auth.script import Script
from adaptive_auth.typings import typings

pytestmark = pytest.mark.long

STEPS = {1: ("BasicAuthenticator",), 2: ("totp",)}


def found(sandbox: Sandbox, source: str, libraries: Any = None) -> list[str]:
    script = Script(source, libraries or {})
    return [
        str(finding) for finding in check(sandbox, script, steps=STEPS, secrets=("key",), hosts=("a.org", "*.b.org"))
    ]


def test_script_without_faults(sandbox: Sandbox) -> None:
    source = r"""
      // executeStep(9); eval('x'); nope();
      /* secrets.other */
      var pattern = /nope\(/, half = 4 / 2 / 1, text = 'nope()', other = `nope() ${half}`;
      const helper = (f) => f(half);
      class Rule { check(x) { return this.deep(x); } deep(x) { return x; } }
      var object = { method(a) { return a; }, key: function (b) { return b; } };
      function onLoginRequest(context) {
        if (!(half)) { return; }
        executeStep(1, { onSuccess: function (context) {
          helper((x) => x); new Rule().check(object.method(parseInt('1')));
          var mail = context.currentKnownSubject.localClaims['http://wso2.org/claims/emailaddress'];
          httpGet('https://a.org/x', { A: secrets.key }, { onSuccess() { executeStep(2); }, onFail() {} });
          httpGet('https://x.b.org/x', { onFail() {} });
        } });
      }"""
    assert found(sandbox, source) == []


@pytest.mark.parametrize(
    ("line", "finding"),
    [
        ("executeStep(9);", "script.js:2:1: error: the application has no step 9"),
        ("  nope(1);", "script.js:2:3: warning: there is no function nope"),
        ("secrets.other;", "script.js:2:1: error: there is no secret 'other'"),
        ("eval('1');", "script.js:2:1: warning: eval makes code out of text"),
        ("new Function('1');", "script.js:2:5: warning: Function makes code out of text"),
        (
            "callAnalytics({}, {}, { onFail() {} });",
            "script.js:2:1: warning: callAnalytics is of a product that has ended",
        ),
        ("callChoreo({}, {}, { onFail() {} });", "script.js:2:1: warning: callChoreo is not available yet"),
        ("var r = context.user?.remoteClaims;", "warning: remoteClaims are not available yet"),
        ("httpGet('https://evil.org/', {});", "script.js:2:9: warning: the host evil.org is not allowed"),
        ("httpGet('https://b.org.evil.org/', {});", "the host b.org.evil.org is not allowed"),
        ("httpGet('https://b.org/', {});", "the host b.org is not allowed"),
        ("httpGet('http://a.org/', {});", "is not https: calls to it are refused"),
        ("null.x;", "script.js:2:"),
    ],
)
def test_finding(line: str, finding: str, sandbox: Sandbox) -> None:
    source = f"function onLoginRequest(context) {{\n{line}\nexecuteStep(1); }}"
    assert any(finding in text for text in found(sandbox, source)), found(sandbox, source)


@pytest.mark.parametrize(
    ("source", "finding"),
    [
        ("var a = ;", "script.js:1:9: error: SyntaxError"),
        ("var a = 1;", "error: TypeError: the script has no function onLoginRequest(context) or onLogin(context)"),
        ("function onLoginRequest() { for (;;) ; }", "script.js: error: fuel:"),
        ("function onLoginRequest() {}", "warning: a request without parameters reaches no step"),
    ],
)
def test_finding_of_the_whole_script(source: str, finding: str, sandbox: Sandbox) -> None:
    assert [text for text in found(sandbox, source) if finding in text]


def test_libraries_are_checked_too(sandbox: Sandbox) -> None:
    source = "var lib = require('lib.js'); function onLoginRequest() { executeStep(1); }"
    assert found(sandbox, source, {"lib.js": "exports.x = 1;\nreturn;"}) == []
    assert found(sandbox, source, {"lib.js": "x = 1;\nvar a = ;"})[0].startswith("lib.js:2:9: error: SyntaxError")
    assert found(sandbox, source, {"lib.js": "\n executeStep(7);"}) == [
        "lib.js:2:2: error: the application has no step 7"
    ]
    assert "there is no script library 'lib.js'" in found(sandbox, source)[0]


def test_what_is_not_known_is_not_checked(sandbox: Sandbox) -> None:
    script = Script("function onLoginRequest() { httpGet('https://x.org', { A: secrets.any }, {}); executeStep(19); }")
    assert check(sandbox, script) == ()


def test_hash_is_of_source_and_libraries() -> None:
    script = Script("a", {"b": "1", "a": "2"})
    assert script.hash == Script("a", {"a": "2", "b": "1"}).hash == Script.from_json(script.to_json()).hash
    assert (
        len({script.hash, Script("a").hash, Script("a", {"a": "2", "b": "2"}).hash, Script("b", script.libraries).hash})
        == 4
    )
    assert re.fullmatch("[0-9a-f]{64}", script.hash)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"source": 1, "libraries": {}}', '{"source": "", "libraries": []}'])
def test_stored_script_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Script.from_json(text)


def test_typings_have_every_function_and_the_names_of_the_application() -> None:
    text = typings(steps=(1, 2), authenticators=("totp", "BasicAuthenticator"), secrets=("riskKey",))
    for name in FUNCTIONS:
        assert f"declare function {name}(" in text
    assert "type StepNumber = 1 | 2;" in text
    assert "type Authenticator = 'totp' | 'BasicAuthenticator';" in text
    assert "Record<'riskKey', Secret>" in text
    assert "type Secrets = Readonly<Record<never, Secret>>" in typings(secrets=())
    assert "type StepNumber = number;" in typings()
