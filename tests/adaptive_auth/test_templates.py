"""Every template does what its story says, and could be saved as it is."""

import json

import pytest

from adaptive_auth import templates
from adaptive_auth.check import check
from adaptive_auth.evaluation import Finished
from adaptive_auth.sandbox import Sandbox
from adaptive_auth.script import Script
from adaptive_auth.script_tests import read_cases, run_tests

pytestmark = pytest.mark.long

OF_WSO2 = {
    "acr-based", "group-based", "ip-based", "user-store-based", "new-device-based", "tenant-based",
    "login-attempts-based", "role-based", "elk-risk-based", "risk-based", "passkey-progressive-enrollment",
    "push-device-progressive-enrollment", "user-age-based", "session-based", "office365-role-update",
}  # fmt: skip
OURS = {"new-device", "working-hours", "step-up", "impossible-travel", "passkey-nudge", "concurrent-sessions"}


def test_all_are_there() -> None:
    assert set(templates.names()) == OF_WSO2 | OURS


@pytest.mark.parametrize("name", templates.names())
def test_template(name: str, sandbox: Sandbox) -> None:
    script = Script(templates.source(name))
    results = run_tests(sandbox, script, read_cases(json.loads(templates.tests(name))), seconds=60)
    assert {result.name: result.differences for result in results if not result.passed} == {}
    assert any(isinstance(result.simulation and result.simulation.end, Finished) for result in results)
    assert len(templates.summary(name)) > 20
    for finding in check(sandbox, script, secrets=(), hosts=()):
        assert finding.level == "warning"
        assert name in ("elk-risk-based", "risk-based")


def test_unknown_template() -> None:
    for name in ("none", "../functions", ""):
        with pytest.raises(KeyError):
            templates.source(name)
