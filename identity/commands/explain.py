"""`identity explain`: why was somebody asked, or not let in?"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from identity.commands.context import with_administration
from identity.domain.tenants import TenantId
from identity.errors import IdentityError

Data = Annotated[Path | None, typer.Option("--data", help="Data folder of the embedded installation.")]


def explain(
    trace: Annotated[str | None, typer.Argument(help="The trace id, as error pages, events and logs show it.")] = None,
    user: Annotated[str | None, typer.Option("--user", help="`name` or `DOMAIN/name`: their last sign-ins.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As it is kept, in JSON.")] = False,
    tenant: Annotated[str, typer.Option("--tenant", help="Handle of the tenant.")] = "root",
    data: Data = None,
) -> None:
    """Tell how a sign-in went: steps, what the script looked at, its log, the outcome and its reason."""
    if (trace is None) == (user is None):
        raise typer.BadParameter("name a trace id, or somebody with --user")
    found = with_administration(data, lambda a: _found(a, tenant, trace, user))
    if as_json:
        print(json.dumps(found if user is not None else found[0], indent=2))
        return
    for document in found:
        if user is not None:
            print(_row(document))
        else:
            print("\n".join(account(document)))


async def _found(administration: Any, handle: str, trace: str | None, user: str | None) -> list[dict[str, Any]]:
    from identity.administration.users import find_user
    from identity.authn.login_trace import LoginTraces
    from identity.storage.subjects import find_subject_of_user

    place = await administration.tenant(handle)
    traces, now = LoginTraces(administration.sealer), administration.clock.now()
    if trace is not None:
        document = await traces.find(administration.database, place.id, trace, now)
        if document is None:
            raise IdentityError("unknown_trace", "There is no such trace, or it is not kept any more.", status=404)
        return [{**document, "version": await _version(administration, place.id, document)}]
    person = await find_user(administration, place, user or "")
    subject = await find_subject_of_user(administration.database, place.id, person.store, person.id)
    if subject is None:
        return []
    return await traces.of_subject(administration.database, place.id, subject.id, now)


async def _version(administration: Any, tenant: TenantId, document: dict[str, Any]) -> str:
    """The number under which the script that decided was saved; empty where no script decided."""
    from identity.storage.scripts import find_version_of_hash

    hash = document["policy"]["script"]
    if not hash:
        return ""
    found = await find_version_of_hash(administration.database, tenant, hash)
    return "" if found is None else f"version {found.number}"


def account(document: dict[str, Any]) -> list[str]:
    """The trace in aligned lines, in the order in which things happened."""
    policy = document["policy"]
    began = document["started"]
    script = f"{document.get('version') or 'script'} ({policy['script'][:12]})" if policy["script"] else "no script"
    lines = [
        f"trace        {document['trace']}",
        f"application  {document['application'] or '(account pages)'}",
        f"person       {document['subject'] or '(nobody identified)'}",
        f"address      {document['address']}",
        f"began        {_moment(began)}",
        f"took         {document['ended'] - began:.1f} s",
        "steps        " + (" | ".join(" or ".join(step) for step in policy["steps"]) or "none"),
        f"script       {script}",
        *(f"  +{event['at'] - began:8.3f} s  {_told(event)}" for event in document["events"]),
        *(f"log          {line}" for line in document["log"]),
    ]
    if document["effects"]:
        lines.append("effects      " + ", ".join(str(kind) for kind in document["effects"]))
    end = document.get("end")
    if end is not None:
        said = " ".join(json.dumps(end[name], ensure_ascii=False) for name in ("code", "message") if end[name])
        lines.append(f"script said  {end['called']} {said}".rstrip())
    reason = f": {document['reason']}" if document["reason"] else ""
    return [_printable(line) for line in (*lines, f"outcome      {document['outcome']}{reason}")]


def _printable(line: str) -> str:
    """What scripts and requests said may hold anything: no control character of it reaches the terminal."""
    return "".join(character if character.isprintable() else "\ufffd" for character in line)


def _told(event: dict[str, Any]) -> str:
    if event["what"] == "step":
        methods = f"  ({' '.join(event['methods'])})" if event["methods"] else ""
        reused = ", from the running session" if event["reused"] else ""
        return f"step {event['step']}   {event['factor']:26} {event['outcome']}{reused}{methods}"
    return f"input    {event['asked']:26} {' '.join(_answer(event['answer']))}"


def _answer(answer: Any) -> Iterator[str]:
    if not isinstance(answer, dict):
        yield json.dumps(answer)
        return
    for name, value in answer.items():
        if name != "members" or value:
            yield f"{name}={','.join(value) if isinstance(value, list) else json.dumps(value)}"


def _row(document: dict[str, Any]) -> str:
    reason = f"  {document['reason']}" if document["reason"] else ""
    steps = "; ".join(document["short"])
    return _printable(f"{_moment(document['started'])}  {document['trace']}  {document['outcome']}{reason}  {steps}")


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
