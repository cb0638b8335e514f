"""Whole logins without a server, and the tests that are kept beside scripts."""

from typing import Any

import pytest

from adaptive_auth.given import GivenError, read_given
from adaptive_auth.sandbox import Sandbox
from adaptive_auth.script import Script
from adaptive_auth.script_tests import read_cases, run_tests
from adaptive_auth.simulator import Simulation, simulate
from tests.adaptive_auth.login import after_first_step

pytestmark = pytest.mark.long

RISK = after_first_step("""
  httpPost('https://risk.example/score?v=2', { ip: context.request.ip }, {
    onSuccess(c, data) {
      Log.info('score', data); if (data.score > 80) { sendEmail(user, 'Risky'); executeStep(2, {}); } },
    onFail(c, data) { Log.info('failed', data); }, onTimeout() { Log.info('timeout'); } });""")


def simulated(sandbox: Sandbox, source: str, **given: Any) -> Simulation:
    return simulate(sandbox, Script(source), read_given(given))


def test_story_of_the_manual(sandbox: Sandbox) -> None:
    result = simulated(
        sandbox,
        RISK,
        ip="203.0.113.7",
        http={"POST risk.example": {"score": 91}},
        steps={"1": "ok", "2": ["fail", "ok"]},
    )
    assert result.to_json() == {
        "verdict": "done",
        "steps": [1, 2, 2],
        "effects": [{"kind": "email", "user": "user", "template": "Risky", "placeholders": {}}],
        "log": ['score {"score":91}'],
        "error": None,
    }


@pytest.mark.parametrize(
    ("http", "log"),
    [
        ({"POST risk.example": {"score": 1}}, 'score {"score":1}'),
        ({"POST risk.example/score": {"score": 2}, "POST risk.example": {"score": 1}}, 'score {"score":2}'),
        ({"POST https://risk.example/score?v=2": {"score": 3}, "POST risk.example": {"score": 1}}, 'score {"score":3}'),
        ({"POST risk.example": {"status": 201, "data": {"score": 4}}}, 'score {"score":4}'),
        ({"POST risk.example": {"status": 500}}, "failed null"),
        ({"POST risk.example": {"status": 404, "data": "gone"}}, "failed gone"),
        ({"POST risk.example": {"timeout": True}}, "timeout"),
        ({"POST risk.example": {"status": "fine", "score": 5}}, 'score {"status":"fine","score":5}'),
        ({"GET risk.example": {"score": 1}}, "failed null"),
        ({}, "failed null"),
    ],
)
def test_http(http: Any, log: str, sandbox: Sandbox) -> None:
    result = simulated(sandbox, RISK, http=http)
    assert (result.verdict, result.log) == ("done", (log,))


@pytest.mark.parametrize(
    ("steps", "verdict", "tried"),
    [
        ({}, "done", (1, 2)),
        ({"2": "fail"}, "denied", (1, 2)),
        ({"2": ["fail", "fail"]}, "denied", (1, 2, 2)),
        ({"2": ["fail", "fail", "ok"]}, "done", (1, 2, 2, 2)),
        ({"1": ["fail", "ok"]}, "done", (1, 1, 2)),
        ({"1": "abort"}, "denied", (1,)),
        ({"1": ["fail", "abort", "ok"]}, "denied", (1, 1)),
    ],
)
def test_attempts_where_the_page_offers_another(
    steps: Any, verdict: str, tried: tuple[int, ...], sandbox: Sandbox
) -> None:
    result = simulated(sandbox, "function onLoginRequest() { executeStep(1); executeStep(2); }", steps=steps)
    assert (result.verdict, result.steps, result.error) == (verdict, tried, None)


def test_attempts_where_the_script_goes_on(sandbox: Sandbox) -> None:
    source = """function onLoginRequest() { (function again() { executeStep(1, { onFail(c) {
      Log.info(c.lastLoginFailedUser.username, c.request.params.n[0]); again(); },
      onSuccess(c) { Log.info(c.steps[1].authenticator, c.currentKnownSubject.tenantDomain); } }); })(); }"""
    attempts = [
        {"outcome": "fail", "user": {"username": "bob"}, "params": {"n": ["1"]}},
        {"outcome": "fail", "user": {}, "params": {"n": "2"}},
        {"authenticator": "FIDOAuthenticator"},
    ]
    result = simulated(sandbox, source, steps={"1": attempts}, user={"username": "ann", "tenant": "t1"})
    assert result.log == ("bob 1", "ann 2", "FIDOAuthenticator t1")


def test_person_browser_and_moment(sandbox: Sandbox) -> None:
    source = after_first_step("""Log.info(user.localClaims['http://wso2.org/claims/emailaddress'], hasRole(user, 'a'),
      isMemberOfAnyOfGroups(user, ['g']), context.request.headers['x-a'], context.request.cookies.c.value,
      context.serviceProviderName, context.requestedAcr, new Date().toISOString(), user.userStoreDomain, user.roles,
      getLocalTime('Asia/Tokyo').hour, context.request.params.p[0], secrets.key.length > 3, require('l.js').x);""")
    result = simulated(
        sandbox,
        source,
        claims={"emailaddress": "ann@example.org"},
        roles=["a"],
        groups=["g"],
        headers={"X-A": "b"},
        cookies={"c": "d"},
        application="shop",
        acr="strong",
        now="2026-03-01T09:30:00+01:00",
        user={"domain": "EU"},
        params={"p": "q"},
        secrets=["key"],
        libraries={"l.js": "exports.x = 1"},
    )
    assert result.log == (
        'ann@example.org true true b d shop ["strong"] 2026-03-01T08:30:00.000Z EU ["a"] 17 q true 1',
    )


def test_question_without_an_answer_is_an_error_that_says_what_to_give(sandbox: Sandbox) -> None:
    source = after_first_step("if (isNewDevice(context)) executeStep(2);")
    missing = simulated(sandbox, source)
    assert missing.verdict == "error"
    assert missing.error is not None
    assert "given.answers.isNewDevice" in missing.error["message"]
    assert simulated(sandbox, source, answers={"isNewDevice": True}).steps == (1, 2)


def test_errors_and_limits_are_verdicts(sandbox: Sandbox) -> None:
    wrong = simulated(sandbox, after_first_step("setCookie(context.response, 'a', 'b'); hasRole(user, 'x'); null.x;"))
    assert (wrong.verdict, [effect["kind"] for effect in wrong.effects]) == ("error", ["cookie"])
    assert wrong.error is not None
    assert (wrong.error["line"], set(wrong.error)) == (2, {"message", "line", "column"})
    endless = simulated(
        sandbox, after_first_step("setCookie(context.response, 'a', 'b'); hasRole(user, 'x'); for (;;) ;")
    )
    assert (endless.verdict, [effect["kind"] for effect in endless.effects]) == ("limit", ["cookie"])
    assert endless.error is not None
    assert endless.error["message"].startswith("fuel:")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "given: must be a JSON object"),
        ({"role": []}, "given: there is no member 'role'; there are acr,"),
        ({"roles": "x", "ip": 5}, "given.ip: must be a text"),
        ({"roles": [1]}, "given.roles: must be a list of texts"),
        ({"claims": {"a": []}}, "given.claims.a: must be a text"),
        ({"steps": {"one": "ok"}}, "given.steps: 'one' is no step"),
        ({"steps": {"21": "ok"}}, "given.steps: '21' is no step"),
        ({"steps": {"1": []}}, "given.steps.1: must name at least one attempt"),
        ({"steps": {"1": "okay"}}, "given.steps.1: 'okay' is no outcome; there are ok, fail and abort"),
        ({"steps": {"1": {"result": "ok"}}}, "given.steps.1: an attempt is"),
        ({"user": {"name": "x"}}, "given.user: its members are domain, id,"),
        ({"now": "yesterday"}, "given.now: must be ISO 8601"),
        ({"authorization_details": {}}, "given.authorization_details: must be a list of objects"),
    ],
)
def test_given_that_is_wrong_is_named(given: Any, message: str) -> None:
    with pytest.raises(GivenError) as problem:
        read_given(given)
    assert message in str(problem.value)


def test_tests_say_what_differed(sandbox: Sandbox) -> None:
    content = [
        {"name": "right", "given": {}, "expect": {"verdict": "done", "steps": [1], "effects": [], "log": ["fai"]}},
        {
            "name": "wrong",
            "expect": {"verdict": "denied", "steps": [2], "effects": ["email"], "log": ["x"], "error": "y"},
        },
        {"name": "members", "expect": {"effects": [{"kind": "email"}]}},
        {
            "name": "objects",
            "given": {"http": {"POST risk.example": {"score": 99}}},
            "expect": {"effects": [{"kind": "email", "template": "Risky"}], "error": None},
        },
    ]
    right, wrong, members, objects = run_tests(sandbox, Script(RISK), read_cases(content))
    assert right.passed
    assert objects.passed
    assert wrong.differences == (
        "verdict: expected 'denied', was 'done'",
        "steps: expected [2], was [1]",
        "effects: expected ['email'], was []",
        "log: no line with 'x' in ['failed null']",
        "error: expected 'y', was None",
    )
    assert members.differences == ("effects: expected [{'kind': 'email'}], was []",)


def test_tests_for_which_no_time_is_left_fail(sandbox: Sandbox) -> None:
    cases = read_cases([{"name": "a", "expect": {"verdict": "done"}}])
    (result,) = run_tests(sandbox, Script(RISK), cases, seconds=-1)
    assert not result.passed
    assert "not run" in result.differences[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "must be a list"),
        ([], "must be a list"),
        ([5], "case 1: must be an object"),
        ([{"name": 5, "expect": {"verdict": "done"}}], "its name must be a text"),
        ([{"name": "a"}], "a: expect must say"),
        ([{"name": "a", "expect": {}}], "a: expect must say"),
        ([{"name": "a", "expect": {"verdicts": "done"}}], "a: expect has no member 'verdicts'"),
        ([{"name": "a", "expect": {"steps": 1}}], "a: expect.steps must be a list"),
        ([{"name": "a", "given": {"x": 1}, "expect": {"steps": []}}], "a: given: there is no member 'x'"),
        ([{"expect": {"steps": []}}] * 51, "51 cases; 50 at most"),
    ],
)
def test_tests_that_are_wrong_are_named(content: Any, message: str) -> None:
    with pytest.raises(GivenError, match=message):
        read_cases(content)
