"""`identity script save|publish|…`: scripts of an installation, for an application or the whole tenant."""

import json
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from identity.clock import SECOND
from identity.commands.context import tell_findings, with_scripting
from identity.commands.script import read_json, read_text

if TYPE_CHECKING:
    from identity.administration.backtests import Compared, Summary
    from identity.administration.script_bundles import ScriptAdministration, Verified
    from identity.administration.scripts import Owner

T = TypeVar("T")

app = typer.Typer()

Data = Annotated[Path | None, typer.Option("--data", help="Data folder of the embedded installation.")]
Tenant = Annotated[str, typer.Option("--tenant", help="Handle of the tenant.")]
Application = Annotated[
    str, typer.Option("--application", help="Client id; without it, the tenant's own script is meant.")
]
Number = Annotated[int, typer.Argument(min=1, help="The version's number.")]
_UNITS = {"m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}


@app.command()
def save(
    file: Annotated[Path, typer.Argument(metavar="FILE.js", help="The script.")],
    tests: Annotated[Path | None, typer.Option(help="Its tests; by default those beside the script.")] = None,
    note: Annotated[str, typer.Option(help="What is new, for the history.")] = "",
    publish_it: Annotated[bool, typer.Option("--publish", help="Publish it at once.")] = False,
    application: Application = "",
    tenant: Tenant = "root",
    data: Data = None,
) -> None:
    """Save a script as a new version, with its tests."""
    from identity.administration import scripts

    beside = tests or file.with_suffix(".tests.json")
    text = json.dumps(read_json(beside), ensure_ascii=False) if tests is not None or beside.exists() else ""
    source = read_text(file)

    async def work(scripting: "ScriptAdministration", owner: "Owner") -> Any:
        saved = await scripts.save_version(scripting, owner, source, tests=text, note=note)
        if publish_it:
            saved = await scripts.publish(scripting, owner, saved.version.number)
        return saved

    saved = _with_owner(data, tenant, application, work)
    _tell(saved.verified)
    print(f"Version {saved.version.number} is {'published' if publish_it else 'saved'}.")


@app.command()
def publish(number: Number, application: Application = "", tenant: Tenant = "root", data: Data = None) -> None:
    """Let a version decide from now on. It must have no errors and pass its tests."""
    from identity.administration import scripts

    saved = _with_owner(data, tenant, application, lambda s, owner: scripts.publish(s, owner, number))
    _tell(saved.verified)
    print(f"Version {number} is published.")


@app.command()
def unpublish(application: Application = "", tenant: Tenant = "root", data: Data = None) -> None:
    """Let no script decide: each step is asked in turn."""
    from identity.administration import scripts

    _with_owner(data, tenant, application, lambda s, owner: scripts.unpublish(s.administration, owner))
    print("No script decides any more.")


@app.command()
def versions(application: Application = "", tenant: Tenant = "root", data: Data = None) -> None:
    """List the versions, the newest first; a star marks the one that decides."""
    from identity.administration import scripts

    async def work(scripting: "ScriptAdministration", owner: "Owner") -> Any:
        found = await scripts.history(scripting.administration, owner)
        return found, scripts.current_of(owner, found)

    found, current = _with_owner(data, tenant, application, work)
    for version in found:
        star = "*" if current is not None and version.number == current.number else " "
        when = _moment(version.created_at)
        print(f"{star} {version.number:4}  {when}  {version.hash[:12]}  {version.author}  {version.note}".rstrip())


@app.command()
def show(number: Number, application: Application = "", tenant: Tenant = "root", data: Data = None) -> None:
    """Print a version's text."""
    from identity.administration import scripts

    version = _with_owner(
        data, tenant, application, lambda s, owner: scripts.require_version(s.administration, owner, number)
    )
    print(version.source, end="" if version.source.endswith("\n") else "\n")


@app.command()
def diff(
    old: Annotated[int, typer.Argument(min=1)],
    new: Annotated[int, typer.Argument(min=1)],
    application: Application = "",
    tenant: Tenant = "root",
    data: Data = None,
) -> None:
    """Compare two versions."""
    from identity.administration import scripts

    print(
        _with_owner(data, tenant, application, lambda s, owner: scripts.diff(s.administration, owner, old, new)), end=""
    )


@app.command()
def rollback(number: Number, application: Application = "", tenant: Tenant = "root", data: Data = None) -> None:
    """Publish the text of an old version again, as a new one."""
    from identity.administration import scripts

    saved = _with_owner(data, tenant, application, lambda s, owner: scripts.rollback(s, owner, number))
    print(f"Version {saved.version.number} is published: the text of version {number}.")


@app.command()
def shadow(
    what: Annotated[str, typer.Argument(metavar="on|off|report", help="Begin, end, or tell how it compares.")],
    version: Annotated[int | None, typer.Option(min=1, help="With `on`: the candidate's number.")] = None,
    application: Application = "",
    tenant: Tenant = "root",
    data: Data = None,
) -> None:
    """Compare a candidate silently on live sign-ins."""
    from identity.administration import scripts

    if what not in ("on", "off", "report") or (what == "on") != (version is not None):
        raise typer.BadParameter("write `on --version N`, `off` or `report`")
    if what == "report":
        found = _with_owner(data, tenant, application, lambda s, owner: scripts.shadow_report(s.administration, owner))
        for each in found:
            print(f"{each.verdict:9} {each.count:8}  last {_moment(each.last_at)}  example {each.example}")
        if not found:
            print("Nothing was compared yet.")
        return
    _with_owner(data, tenant, application, lambda s, owner: scripts.set_shadow(s, owner, version))
    print(f"Version {version} is compared silently." if version is not None else "Nothing is compared any more.")


@app.command()
def backtest(
    file: Annotated[Path, typer.Argument(metavar="NEW.js", help="The changed script.")],
    since: Annotated[str, typer.Option(help="How far back: 90m, 12h, 7d or 2w.")] = "7d",
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object a line; the summary comes last.")] = False,
    everybody: Annotated[bool, typer.Option("--all", help="Sign-ins to every application of the tenant.")] = False,
    application: Application = "",
    tenant: Tenant = "root",
    data: Data = None,
) -> None:
    """Try a changed script on recorded sign-ins; list each whose outcome changes. Nothing is called or changed."""
    from identity.administration.backtests import Summary, all_processors, prepare_backtest

    seconds, source = _seconds(since), read_text(file)

    async def work(scripting: "ScriptAdministration", owner: "Owner") -> "Summary":
        test = await prepare_backtest(
            scripting, owner, source, since_seconds=seconds, everybody=everybody, own_threads=all_processors()
        )
        summary = Summary()
        async for page in test.pages():
            summary.add(page)
            for each in page.compared:
                if each.outcome.comparison != "same":
                    print(json.dumps(each.to_json(), ensure_ascii=False) if as_json else _line(each))
        return summary

    summary = _with_owner(data, tenant, application, work)
    if as_json:
        print(json.dumps({"summary": summary.to_json()}, ensure_ascii=False))
        return
    told = summary.to_json()
    print(f"{told['logins']} sign-ins: " + ", ".join(f"{count} {name}" for name, count in told["counts"].items()))
    if told["unreadable"]:
        print(f"{told['unreadable']} recordings can no longer be read.", file=sys.stderr)


def _line(compared: "Compared") -> str:
    outcome = compared.outcome
    detail = f"  ({outcome.detail})" if outcome.detail else ""
    return (
        f"{outcome.comparison:9} {_moment(compared.at)}  {compared.who}  from {compared.address}  "
        f"{outcome.before} -> {outcome.after}{detail}  trace {compared.trace}"
    )


def _seconds(since: str) -> int:
    number, unit = since[:-1], since[-1:]
    if unit not in _UNITS or not number.isascii() or not number.isdigit() or len(number) > 6 or int(number) == 0:
        raise typer.BadParameter(f"{since!r} is no time: write 90m, 12h, 7d or 2w")
    return int(number) * _UNITS[unit]


def _moment(at: int) -> str:
    return datetime.fromtimestamp(at / SECOND, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _tell(verified: "Verified") -> None:
    tell_findings(verified.findings)
    for result in verified.failed:
        print(f"FAILED  {result.name}: {'; '.join(result.differences)}", file=sys.stderr)


def _with_owner(
    data: Path | None,
    tenant: str,
    client_id: str,
    work: "Callable[[ScriptAdministration, Owner], Awaitable[T]]",
) -> T:
    from identity.administration.scripts import owner_of

    async def run(scripting: "ScriptAdministration") -> T:
        place = await scripting.administration.tenant(tenant)
        return await work(scripting, await owner_of(scripting.administration, place.tenant, client_id))

    return with_scripting(data, run)
