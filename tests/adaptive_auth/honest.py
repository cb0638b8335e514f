"""A sign-in script as people write them, and what is given to it."""

import json
from typing import Any

from adaptive_auth.answers import GuestAnswer, ScriptEngine

TWO_STEPS = """
var tries = 0;
function onLoginRequest(context) {
  executeStep(1, {
    onSuccess: function (context) {
      Log.info('signed in from ' + context.request.ip);
      if (context.steps[1].subject.roles.includes('admin')) executeStep(2);
    },
    onFail: function () { tries++; fail({ errorCode: 'no', tries: tries }); }
  });
}
"""
ADMIN = {"ok": True, "subject": {"id": "u1", "roles": ["admin"]}}
STEP_1, STEP_2 = "step:[1,{}]", "step:[2,{}]"


def given(*answers: tuple[str, dict[str, Any]]) -> str:
    journal = [{"key": key, "value": value} for key, value in answers]
    return json.dumps({"journal": journal, "request": {"ip": "203.0.113.7"}})


def outcome(answer: GuestAnswer) -> dict[str, Any]:
    assert answer.ok, answer.text
    said: dict[str, Any] = json.loads(answer.text)
    return said


def check_honest_run(engine: ScriptEngine) -> None:
    """An honest sign-in gets its three answers."""
    first = outcome(engine.run(given(), TWO_STEPS))
    assert (first["status"], first["need"]["args"]) == ("need", [1, {}])
    second = engine.run(given((STEP_1, ADMIN)), TWO_STEPS)
    assert outcome(second)["need"]["args"] == [2, {}]
    assert second.logs == ("info signed in from 203.0.113.7",)
    assert outcome(engine.run(given((STEP_1, ADMIN), (STEP_2, ADMIN)), TWO_STEPS))["status"] == "done"
