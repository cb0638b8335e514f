"""A sign-in script as people write them, and what is given to it."""

import json
from typing import Any

from adaptive_auth.answers import GuestAnswer, ScriptEngine
from adaptive_auth.evaluation import Facts, JournalEntry
from adaptive_auth.replay import given as given_to
from adaptive_auth.script import Script

TWO_STEPS = """
var tries = 0;
function onLoginRequest(context) {
  executeStep(1, {
    onSuccess: function (context) {
      Log.info('signed in from ' + context.request.ip);
      if (hasRole(context.steps[1].subject, 'admin')) executeStep(2);
    },
    onFail: function () { tries++; fail({ errorCode: 'no', tries: tries }); }
  });
}
"""
REQUEST = {"ip": "203.0.113.7", "headers": {"user-agent": "Mozilla/5.0"}, "params": {}, "cookies": {}}
ANN = {"id": "u1", "username": "ann", "domain": "PRIMARY", "tenant": "carbon.super", "identifier": "ann"}
PASSED = {"ok": True, "subject": ANN, "authenticator": "BasicAuthenticator", "idp": "LOCAL", "request": REQUEST}
FACTS = Facts(
    application="portal",
    tenant="carbon.super",
    request=REQUEST,
    started=1_700_000_000_000,
    seed="flow-1",
    steps={1: ("BasicAuthenticator", "FIDOAuthenticator"), 2: ("totp",), 3: ("email-otp-authenticator",)},
    secrets=("riskKey",),
)

_STEP_1 = 'step:{"step":1,"options":{},"retry":false}'
_STEP_2 = 'step:{"step":2,"options":{},"retry":true}'
_ROLES = 'hasAnyOfTheRoles:{"user":"u1","roles":["admin"]}'


def given(*answers: tuple[str, Any]) -> str:
    journal: list[JournalEntry] = [{"key": key, "value": value, "at": FACTS.started} for key, value in answers]
    return given_to(Script(TWO_STEPS), FACTS, journal)


def outcome(answer: GuestAnswer) -> dict[str, Any]:
    assert answer.ok, answer.text
    said: dict[str, Any] = json.loads(answer.text)
    return said


def check_honest_run(engine: ScriptEngine) -> None:
    """An honest sign-in gets its four answers."""
    first = outcome(engine.run(given(), TWO_STEPS))
    assert (first["status"], first["operations"][0]["key"]) == ("asked", _STEP_1)
    second = engine.run(given((_STEP_1, PASSED)), TWO_STEPS)
    assert outcome(second)["operations"][0]["key"] == _ROLES
    assert second.logs == ("info signed in from 203.0.113.7",)
    third = outcome(engine.run(given((_STEP_1, PASSED), (_ROLES, True)), TWO_STEPS))
    assert third["operations"][0]["key"] == _STEP_2
    last = outcome(engine.run(given((_STEP_1, PASSED), (_ROLES, True), (_STEP_2, PASSED)), TWO_STEPS))
    assert last["status"] == "done"
