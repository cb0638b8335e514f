"""`identity script` as a stranger uses it: files in a folder, no server, no installation."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from identity.cli import app
from identity.errors import IdentityError

pytestmark = pytest.mark.long

SCRIPT = """var onLoginRequest = function (context) {
  executeStep(1, { onSuccess: function (context) {
    if (hasRole(context.currentKnownSubject, 'admin')) executeStep(2);
  } });
};
"""


class Scripts:
    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder = folder
        self._cache = cache

    def write(self, name: str, text: str) -> str:
        (self.folder / name).write_text(text)
        return str(self.folder / name)

    def __call__(self, *arguments: str) -> Result:
        return CliRunner().invoke(app, ["script", *arguments], env={"XDG_CACHE_HOME": str(self._cache)})

    def output(self, *arguments: str) -> str:
        result = self(*arguments)
        assert result.exit_code == 0, f"{result.output}\n{result.exception!r}"
        return result.stdout

    def refusal(self, *arguments: str) -> str:
        error = self(*arguments).exception
        assert isinstance(error, IdentityError), repr(error)
        return error.public


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def scripts(tmp_path: Path, cache: Path) -> Scripts:
    return Scripts(tmp_path, cache)


def test_run(scripts: Scripts) -> None:
    script = scripts.write("login.js", SCRIPT)
    given = scripts.write("given.json", json.dumps({"roles": ["admin"], "steps": {"2": ["fail", "ok"]}}))
    assert json.loads(scripts.output("run", script, "--given", given)) == {
        "verdict": "done",
        "steps": [1, 2, 2],
        "effects": [],
        "log": [],
        "error": None,
    }
    assert json.loads(scripts.output("run", script))["steps"] == [1]


def test_run_of_a_broken_script_tells_where(scripts: Scripts) -> None:
    script = scripts.write("login.js", "function onLoginRequest() {\n  nope(); }")
    assert json.loads(scripts.output("run", script))["error"] == {
        "message": "ReferenceError: nope is not defined",
        "line": 2,
        "column": 3,
    }


def test_check(scripts: Scripts) -> None:
    script = scripts.write("login.js", SCRIPT)
    assert scripts.output("check", script) == "no errors and no warnings\n"
    refused = scripts("check", script, "--steps", "1")
    assert refused.exit_code == 1
    assert f"{script}:3:56: error: the application has no step 2" in refused.stdout
    warned = scripts("check", scripts.write("warn.js", SCRIPT + "function f() { nope(); }"))
    assert warned.exit_code == 0
    assert "warning: there is no function nope" in warned.stdout


def test_libraries(scripts: Scripts) -> None:
    script = scripts.write("login.js", "var lib = require('l.js'); function onLoginRequest() { lib.go(); }")
    library = scripts.write("l.js", "exports.go = function () { executeStep(1); };")
    assert json.loads(scripts.output("run", script, "--library", f"l.js={library}"))["verdict"] == "done"
    assert scripts("check", script).exit_code == 1
    assert "must be name.js=FILE" in scripts.refusal("run", script, "--library", library)


def test_tests(scripts: Scripts) -> None:
    script = scripts.write("login.js", SCRIPT)
    right = {"name": "an administrator", "given": {"roles": ["admin"]}, "expect": {"steps": [1, 2]}}
    wrong = {"name": "a guest", "given": {}, "expect": {"steps": [1, 2]}}
    tests = scripts.write("other.json", json.dumps([right, wrong]))
    result = scripts("test", script, tests)
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "ok      an administrator",
        "FAILED  a guest",
        "        steps: expected [1, 2], was [1]",
        "1 of 2 failed",
    ]
    scripts.write("login.tests.json", json.dumps([right]))
    assert scripts.output("test", script) == "ok      an administrator\n"


def test_templates_and_types(scripts: Scripts) -> None:
    listed = scripts.output("template")
    assert "role-based " in listed
    script = scripts.write("mine.js", scripts.output("template", "role-based"))
    scripts.write("mine.tests.json", scripts.output("template", "role-based", "--tests"))
    assert "FAILED" not in scripts.output("test", script)
    assert "declare function executeStep(step: StepNumber" in scripts.output("types", "--steps", "2", "--secret", "key")
    assert "no template nope" in scripts.refusal("template", "nope")


def test_mistakes_are_named(scripts: Scripts) -> None:
    script = scripts.write("login.js", SCRIPT)
    assert "There is no file" in scripts.refusal("run", str(scripts.folder / "none.js"))
    assert "cannot be read" in scripts.refusal("run", str(scripts.folder))
    assert "There is no file" in scripts.refusal("test", script)
    broken = scripts.write("broken.json", "{\n")
    assert "no JSON: Expecting property name enclosed in double quotes at line 2" in scripts.refusal(
        "run", script, "--given", broken
    )
    unknown = scripts.write("unknown.json", '{"rolez": []}')
    assert "there is no member 'rolez'" in scripts.refusal("run", script, "--given", unknown)
    assert "must be a list of cases" in scripts.refusal("test", script, unknown)
