"""Scripts, libraries, secrets, backtests and explanations on the command line, on the data of a server."""

import json
from copy import copy
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from adaptive_auth import lockdown
from adaptive_auth.answers import GuestAnswer
from adaptive_auth.sandbox import Sandbox
from identity.cli import app
from identity.errors import IdentityError
from tests.adaptive_auth.conftest import needs_lock
from tests.support.builders import Client, response_parameters
from tests.support.in_process import InProcessServer, TimedSite, in_process_server, timed
from tests.support.script_admin import BOTH, CLOSED, PLAIN
from tests.support.scripts import PASSWORD_STEP, SECOND_STEP, begun, denial, steps, with_password

pytestmark = [pytest.mark.any_engine, pytest.mark.long]

__all__ = ["in_process_server", "timed"]

CASES = [{"name": "one step", "given": {}, "expect": {"verdict": "done", "steps": [1]}}]


class TenantCli:
    """Commands about one tenant of a server whose data lie beside us."""

    def __init__(self, server: InProcessServer, tenant: str, folder: Path) -> None:
        self._options: tuple[str, ...] = ("--data", str(server.server.settings.data), "--tenant", tenant)
        self.environment = {"IDENTITY_MASTER_KEY": server.master_key}
        self._folder = folder
        self._runner = CliRunner()

    def __call__(self, *arguments: str, given: str | None = None) -> Result:
        return self._runner.invoke(app, [*arguments, *self._options], env=self.environment, input=given)

    @property
    def for_all(self) -> "TenantCli":
        """For commands that belong to no tenant."""
        other = copy(self)
        other._options = self._options[:2]
        return other

    def output(self, *arguments: str, given: str | None = None) -> str:
        result = self(*arguments, given=given)
        assert result.exit_code == 0, f"{result.output}\n{result.exception!r}"
        return result.stdout

    def refusal(self, *arguments: str) -> str:
        error = self(*arguments).exception
        assert isinstance(error, IdentityError), repr(error)
        return error.public

    def file(self, name: str, text: str) -> str:
        path = self._folder / name
        path.write_text(text)
        return str(path)


@pytest.fixture
def cli(
    timed: TimedSite, in_process_server: InProcessServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> TenantCli:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path.parent))
    return TenantCli(in_process_server, timed.handle, tmp_path)


@pytest.fixture
def client(timed: TimedSite) -> Client:
    return timed.application(sign_in_steps=steps(PASSWORD_STEP, SECOND_STEP))


def test_a_script_from_draft_to_rollback(cli: TenantCli, client: Client) -> None:
    of = ("--application", client.client_id)
    cli.file("one.tests.json", json.dumps(CASES))
    first = cli.file("one.js", PLAIN)
    assert "Version 1 is saved." in cli.output("script", "save", first, "--note", "begin", *of)
    assert "Version 1 is published." in cli.output("script", "publish", "1", *of)
    cli.output("script", "save", cli.file("two.js", CLOSED), "--publish", *of)
    diff = cli.output("script", "diff", "1", "2", *of)
    assert f"+{CLOSED}" in diff
    cli.output("script", "rollback", "1", *of)
    lines = cli.output("script", "versions", *of).splitlines()
    assert [line.split()[0] for line in lines] == ["*", "2", "1"]
    assert "command line" in lines[2]
    assert "begin" in lines[2]
    assert cli.output("script", "show", "3", *of).strip() == PLAIN
    shown = cli.output("applications", "steps", client.client_id)
    assert "step 1  BasicAuthenticator" in shown
    assert "script  none" not in shown
    cli.output("script", "unpublish", *of)
    assert "script  none" in cli.output("applications", "steps", client.client_id)


def test_a_script_that_fails_its_tests_is_not_published(cli: TenantCli, client: Client) -> None:
    of = ("--application", client.client_id)
    cli.file("both.tests.json", json.dumps(CASES))
    cli.output("script", "save", cli.file("both.js", BOTH), *of)
    assert "one step" in cli.refusal("script", "publish", "1", *of)
    assert "errors" in cli.refusal("script", "save", cli.file("bad.js", "function ("), *of)
    assert cli("script", "backtest", cli.file("x.js", PLAIN), "--since", "soon", *of).exit_code == 2


def test_steps_are_set(cli: TenantCli, client: Client) -> None:
    set_to = ("--step", "BasicAuthenticator,FIDOAuthenticator", "--step", "totp", "--minimum-acr", "2")
    shown = cli.output("applications", "steps", client.client_id, *set_to)
    assert "step 1  BasicAuthenticator or FIDOAuthenticator" in shown
    assert "minimum acr  2" in shown
    assert "who it is" in cli.refusal("applications", "steps", client.client_id, "--step", "totp")
    assert "(of the tenant)" in cli.output("applications", "steps", client.client_id, "--clear")


def test_steps_that_a_published_script_names_stay(cli: TenantCli, timed: TimedSite, client: Client) -> None:
    """As over REST: whatever sets the steps, also where the tenant's take their place."""
    one, two = ("--step", "BasicAuthenticator"), ("--step", "BasicAuthenticator", "--step", "totp")
    cli.output("script", "save", cli.file("both.js", BOTH), "--publish", "--application", client.client_id)
    refused = cli.refusal("applications", "steps", client.client_id, *one)
    assert f"The script of {client.application.name} has errors." in refused
    assert "script.js:1:72: error: the application has no step 2" in refused
    assert "no step 2" in cli.refusal("applications", "steps", client.client_id, "--clear")
    set_to_one = 'sign_in_steps=[{"authenticators": ["BasicAuthenticator"]}]'
    assert "no step 2" in cli.refusal("applications", "update", client.client_id, "--set", set_to_one)
    assert "step 2  totp" in cli.output("applications", "steps", client.client_id, *two)
    assert with_password(begun(timed, client), timed.jane).has("totp-secret")


def test_steps_of_the_tenant_that_published_scripts_name_stay(cli: TenantCli, timed: TimedSite, client: Client) -> None:
    def set_tenant(*factors: str) -> tuple[str, ...]:
        set_to = json.dumps([{"authenticators": [factor]} for factor in factors])
        return "tenants", "update", timed.handle, "--set", f"sign_in_steps={set_to}"

    of_tenant = cli.for_all
    of_tenant.output(*set_tenant("BasicAuthenticator", "totp"))
    cli.output("script", "save", cli.file("both.js", BOTH), "--publish")
    assert f"The script of tenant {timed.handle} has errors." in of_tenant.refusal(*set_tenant("BasicAuthenticator"))
    cli.output("script", "unpublish")
    cli.output("script", "save", cli.file("both.js", BOTH), "--publish", "--application", client.client_id)
    of_tenant.output(*set_tenant("BasicAuthenticator"))
    of_tenant.output(*set_tenant("BasicAuthenticator", "totp"))
    cli.output("applications", "steps", client.client_id, "--clear")
    assert client.application.name in of_tenant.refusal(*set_tenant("BasicAuthenticator"))


def test_warnings_about_a_script_are_told_when_its_steps_change(cli: TenantCli, client: Client) -> None:
    noisy = cli.file("noisy.js", PLAIN + " function unused() { callElastic(); }")
    cli.output("script", "save", noisy, "--publish", "--application", client.client_id)
    result = cli("applications", "steps", client.client_id, "--step", "BasicAuthenticator")
    assert "warning: callElastic" in result.stderr
    assert "step 1  BasicAuthenticator" in result.stdout


def test_libraries_and_secrets(cli: TenantCli, client: Client) -> None:
    source = cli.file("risk.js", "exports.high = () => false;")
    cli.output("library", "save", "risk.js", source, "--description", "scores")
    assert cli.output("library", "list") == "risk.js\tscores\n"
    script = cli.file("uses.js", "require('risk.js'); " + PLAIN)
    cli.output("script", "save", script, "--publish", "--application", client.client_id)
    assert "bundled anew" in cli.output("library", "save", "risk.js", cli.file("new.js", "exports.high = () => true;"))
    assert "requires risk.js" in cli.refusal("library", "delete", "risk.js")
    assert "() => true" in cli.output("library", "show", "risk.js")
    said = cli.output("secret", "set", "key", "--host", "api.example.org", given="sesame\n")
    said += cli.output("secret", "set", "key", "--host", "*.example.org", "--keep-value")
    said += cli.output("secret", "list")
    assert "*.example.org" in said
    assert "sesame" not in said
    naming = cli.file("names.js", "var s = secrets['key']; " + PLAIN)
    cli.output("script", "save", naming, "--publish", "--application", client.client_id)
    assert client.application.name in cli.refusal("secret", "delete", "key")
    cli.output("secret", "delete", "key", "--force")
    assert cli.output("secret", "list") == ""


def test_a_backtest_lists_what_changes(cli: TenantCli, timed: TimedSite, client: Client) -> None:
    plain = timed.application("Plain")
    page = with_password(begun(timed, plain), timed.jane)
    assert "code" in response_parameters(page)
    of = ("--application", plain.client_id)
    same = cli.output("script", "backtest", cli.file("same.js", PLAIN), *of)
    assert same == "1 sign-ins: 1 same, 0 stricter, 0 weaker, 0 error, 0 unknown\n"
    changed = cli.output("script", "backtest", cli.file("closed.js", CLOSED), "--since", "12h", *of)
    line, summary = changed.splitlines()
    assert line.startswith("stricter ")
    assert "done (BasicAuthenticator) -> denied (script)" in line
    assert "from 127.0.0.1" in line
    assert "1 stricter" in summary
    told = [json.loads(line) for line in cli.output(
        "script", "backtest", cli.file("c.js", CLOSED), "--json", "--all").splitlines()]  # fmt: skip
    assert told[-1]["summary"]["counts"]["stricter"] == 1
    assert told[0]["trace"] in cli.output("explain", told[0]["trace"])
    cli.output("script", "save", cli.file("d.js", CLOSED), "--application", client.client_id)
    assert "compared silently" in cli.output(
        "script", "shadow", "on", "--version", "1", "--application", client.client_id
    )
    assert "Nothing was compared" in cli.output("script", "shadow", "report", "--application", client.client_id)
    cli.output("script", "shadow", "off", "--application", client.client_id)


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was run in this process instead of a locked worker."""
    seen: list[str] = []
    run = Sandbox.run

    def watched(self: Sandbox, given: str, script: str, *, hurried: bool = False) -> GuestAnswer:
        seen.append(script)
        return run(self, given, script, hurried=hurried)

    monkeypatch.setattr(Sandbox, "run", watched)
    return seen


@pytest.fixture
def no_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise lockdown.LockFailed("there is no seccomp here")

    monkeypatch.setattr(lockdown, "check_supported", refuse)


@pytest.mark.parametrize("isolation", ["required", "preferred", "auto", "off"])
def test_a_backtest_is_as_isolated_as_a_sign_in(
    cli: TenantCli, timed: TimedSite, client: Client, in_this_process: list[str], isolation: str
) -> None:
    """Attack row 28: whoever can read a tenant's script into a command gives it no more than a sign-in does."""
    needs_lock()
    cli.environment["IDENTITY_SCRIPT_ISOLATION"] = isolation
    with_password(begun(timed, timed.application("Plain")), timed.jane)
    in_this_process.clear()
    assert "1 stricter" in cli.output("script", "backtest", cli.file("closed.js", CLOSED), "--all")
    assert bool(in_this_process) is (isolation == "off")


@pytest.mark.parametrize("isolation", ["required", "preferred", "auto", "off"])
def test_without_a_lock_a_command_falls_back_as_the_server_does(
    cli: TenantCli, in_this_process: list[str], no_lock: None, isolation: str
) -> None:
    """There are several tenants: with `auto` scripts run in locked workers or not at all."""
    cli.environment["IDENTITY_SCRIPT_ISOLATION"] = isolation
    backtest = ("script", "backtest", cli.file("closed.js", CLOSED))
    if isolation in ("preferred", "off"):
        assert "0 sign-ins" in cli.output(*backtest)
        assert in_this_process
    else:
        assert "no seccomp here" in cli.refusal(*backtest)
        assert not in_this_process


@pytest.mark.parametrize(
    ("end", "line"),
    [
        ("fail({ errorCode: 'too_risky', errorMessage: 'Not \\u001b[2J now.' })",
         'script said  fail "too_risky" "Not  [2J now."'),
        ("sendError(null, { status: 'Stopped', statusMsg: 'Not from here.', email: c.currentKnownSubject.username })",
         'script said  sendError "Stopped" "Not from here."'),
        ("fail()", 'script said  fail "access_denied"'),
    ],
)  # fmt: skip
def test_the_end_that_a_script_called_is_explained(
    cli: TenantCli, timed: TimedSite, client: Client, end: str, line: str
) -> None:
    end = f"Log.info('\\u001b[2J \\u009b31m \\u202e'); {end}"
    source = f"function onLoginRequest(c) {{ executeStep(1, {{ onSuccess: function () {{ {end}; }} }}); }}"
    cli.output("script", "save", cli.file("ending.js", source), "--publish", "--application", client.client_id)
    with_password(begun(timed, client), timed.jane)
    event = next(event for event in timed.events() if event["type"] == "user:session:denied")
    account = cli.output("explain", event["trace_id"]).splitlines()
    assert all(each.isprintable() for each in account)
    assert account[-2:] == [line, "outcome      denied: script"]
    assert "jane" not in cli.output("explain", event["trace_id"], "--json")


def test_a_sign_in_that_no_script_ended_names_no_end(cli: TenantCli, timed: TimedSite, client: Client) -> None:
    failing = "async function onLogin() {}"
    cli.output("script", "save", cli.file("failing.js", failing), "--publish", "--application", client.client_id)
    begun(timed, client)
    event = next(event for event in timed.events() if event["type"] == "user:session:denied")
    account = cli.output("explain", event["trace_id"])
    assert "outcome      denied: nobody_identified" in account
    assert "script said" not in account


def test_a_denied_sign_in_is_explained(cli: TenantCli, timed: TimedSite, client: Client) -> None:
    broken = "function onLoginRequest(c) {\n  executeStep(1, { onSuccess: () => {\n    c.deep.er();\n  } });\n}"
    cli.output("script", "save", cli.file("broken.js", broken), "--publish", "--application", client.client_id)
    with_password(begun(timed, client), timed.jane)
    assert denial(timed).startswith("script_error")
    event = next(event for event in timed.events() if event["type"] == "user:session:denied")
    account = cli.output("explain", event["trace_id"])
    assert "step 1   BasicAuthenticator         succeeded" in account
    assert "version 1" in account
    assert "outcome      denied: script_error:" in account
    assert "line 3" in account
    listed = cli.output("explain", "--user", "jane")
    assert event["trace_id"] in listed
    document = json.loads(cli.output("explain", event["trace_id"], "--json"))
    assert document["outcome"] == "denied"
    assert "no such trace" in cli.refusal("explain", "0" * 32)
    assert cli("explain").exit_code == 2
