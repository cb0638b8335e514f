"""`identity script`: write, check, run and test sign-in scripts. Needs no server and no installation."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from identity.errors import IdentityError

if TYPE_CHECKING:
    from adaptive_auth.sandbox import Sandbox
    from adaptive_auth.script import Script

app = typer.Typer(help="Sign-in scripts: check, run, test, templates, types for editors.", no_args_is_help=True)

ScriptFile = Annotated[Path, typer.Argument(metavar="FILE.js", help="The script.")]
Libraries = Annotated[
    list[str] | None, typer.Option("--library", help="`name.js=FILE`, for require('name.js'); repeatable.")
]


@app.command()
def check(
    file: ScriptFile,
    library: Libraries = None,
    steps: Annotated[int | None, typer.Option(min=1, max=20, help="How many steps the application has.")] = None,
    secret: Annotated[list[str] | None, typer.Option(help="Name of a secret that exists; repeatable.")] = None,
    host: Annotated[list[str] | None, typer.Option(help="Host that may be called, or *.suffix; repeatable.")] = None,
) -> None:
    """Say what is wrong with a script; exit code 1 when it could not be saved."""
    from adaptive_auth.check import check as check_script
    from adaptive_auth.script import FILE

    offered = None if steps is None else dict.fromkeys(range(1, steps + 1), ("BasicAuthenticator",))
    findings = check_script(sandbox(), _script(file, library), steps=offered, secrets=secret, hosts=host)
    for finding in findings:
        print(replace(finding, file=str(file)) if finding.file == FILE else finding)
    if any(finding.level == "error" for finding in findings):
        raise typer.Exit(1)
    if not findings:
        print("no errors and no warnings")


@app.command()
def run(
    file: ScriptFile,
    given: Annotated[Path | None, typer.Option(metavar="FILE.json", help="Who signs in, and from where.")] = None,
    library: Libraries = None,
) -> None:
    """Run a whole sign-in with a script and print what came of it as JSON."""
    from adaptive_auth.given import GivenError, read_given
    from adaptive_auth.simulator import simulate

    script = _script(file, library)
    try:
        world = read_given({} if given is None else read_json(given))
    except GivenError as problem:
        raise _refused(f"{given}: {problem}") from None
    print(json.dumps(simulate(sandbox(), script, world).to_json(), indent=2, ensure_ascii=False))


@app.command("test")
def run_tests(
    file: ScriptFile,
    tests: Annotated[
        Path | None, typer.Argument(metavar="FILE.tests.json", help="Its tests; by default those beside the script.")
    ] = None,
    library: Libraries = None,
) -> None:
    """Run the tests of a script, a line for each; exit code 1 when one fails."""
    from adaptive_auth import script_tests
    from adaptive_auth.given import GivenError

    beside = tests or file.with_suffix(".tests.json")
    script = _script(file, library)
    try:
        cases = script_tests.read_cases(read_json(beside))
    except GivenError as problem:
        raise _refused(f"{beside}: {problem}") from None
    results = script_tests.run_tests(sandbox(), script, cases)
    for result in results:
        print(f"{'ok    ' if result.passed else 'FAILED'}  {result.name}")
        for difference in result.differences:
            print(f"        {difference}")
    failed = sum(not result.passed for result in results)
    if failed:
        print(f"{failed} of {len(results)} failed")
        raise typer.Exit(1)


@app.command()
def types(
    secret: Annotated[list[str] | None, typer.Option(help="Name of a secret; repeatable.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, max=20, help="How many steps the application has.")] = None,
) -> None:
    """Print TypeScript definitions of the script language, for an editor."""
    from adaptive_auth.typings import typings

    print(typings(steps=None if steps is None else range(1, steps + 1), secrets=secret), end="")


@app.command()
def template(
    name: Annotated[str | None, typer.Argument(help="The template to print; without it, all are listed.")] = None,
    tests: Annotated[bool, typer.Option("--tests", help="Print its tests instead.")] = False,
) -> None:
    """List the templates, or print one to begin with."""
    from adaptive_auth import templates

    if name is None:
        width = max(map(len, templates.names()))
        for known in templates.names():
            print(f"{known:{width}}  {templates.summary(known)}")
        return
    try:
        print(templates.tests(name) if tests else templates.source(name), end="")
    except KeyError:
        raise _refused(f"There is no template {name}: see `identity script template`.") from None


def _script(file: Path, libraries: list[str] | None) -> "Script":
    from adaptive_auth.script import Script

    sources = {}
    for given in libraries or []:
        name, equals, path = given.partition("=")
        if not name or not equals:
            raise _refused(f"--library {given}: must be name.js=FILE.")
        sources[name] = read_text(Path(path))
    return Script(read_text(file), sources)


def read_text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except FileNotFoundError:
        raise _refused(f"There is no file {file}.") from None
    except (OSError, UnicodeDecodeError) as problem:
        raise _refused(f"{file} cannot be read: {problem}.") from None


def read_json(file: Path) -> Any:
    try:
        return json.loads(read_text(file))
    except json.JSONDecodeError as problem:
        raise _refused(f"{file}: no JSON: {problem.msg} at line {problem.lineno}, column {problem.colno}.") from None
    except RecursionError:
        raise _refused(f"{file}: nested too deeply.") from None


def sandbox() -> "Sandbox":
    """The compiled engine is kept in the user's cache, since compiling takes two seconds."""
    from adaptive_auth.compile import GuestBroken
    from adaptive_auth.sandbox import Sandbox

    try:
        return Sandbox.open(folder=engine_folder())
    except GuestBroken as problem:
        raise _refused(f"Scripts cannot run here: {problem}.") from None


def engine_folder() -> Path:
    """In the cache of whoever runs the command: the server's own must belong to the server's user alone."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "identity-scripts"


def _refused(public: str) -> IdentityError:
    return IdentityError("invalid_input", public)
