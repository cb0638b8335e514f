"""Write the pages that are made from the code, or with --check say which are stale.

docs/configuration.md is what `identity check --reference` prints, docs/events.md comes from the enum of events,
docs/openapi.json is what `identity openapi` prints, docs/settings.md comes from the dataclasses of the domain,
docs/specifications.md from the tests' markers, the tables in docs/sign-in-scripts.md from the catalogue of functions.
"""

import argparse
import ast
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import MISSING, fields
from itertools import groupby
from pathlib import Path

from adaptive_auth.functions import GROUPS
from adaptive_auth.objects import INTERFACES
from identity.domain.applications import Application
from identity.domain.events import EventType
from identity.domain.tenants import TenantSettings

ROOT = Path(__file__).parents[1]

_EVENTS_HEAD = """# Events

What changes a person, session, grant family or configuration is written to the `event` table in the transaction that
caused it. Names follow the grammar `subject:thing:action`. Made from `identity/domain/events.py` by `make docs`.
"""


def configuration_page() -> str:
    return _output("-m", "identity", "check", "--reference")


def events_page() -> str:
    lines = [_EVENTS_HEAD]
    events = sorted(EventType, key=lambda event: event.value)
    for subject, of_subject in groupby(events, key=lambda event: event.value.partition(":")[0]):
        rows = [f"| `{event.value}` | {event.description} |" for event in of_subject]
        lines += [f"## {subject}", "", "| event | when |", "| --- | --- |", *rows, ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def openapi_document() -> str:
    return _output("-m", "identity", "openapi")


_SETTINGS_HEAD = """# Settings of applications and tenants

Made from `identity/domain/applications.py` and `identity/domain/tenants.py` by `make docs`. An application's settings
are given with `identity applications create|update … --set name=value`; values are JSON (`'["a", "b"]'`, `true`, `600`)
or plain text. Lifetimes are seconds.
"""


def settings_page() -> str:
    lines = [_SETTINGS_HEAD]
    for title, file, name in (
        ("An application", "applications.py", "Application"),
        ("A tenant", "tenants.py", "TenantSettings"),
    ):
        lines += [f"## {title}", "", "| setting | type | default | meaning |", "| --- | --- | --- | --- |"]
        lines += [*_fields(ROOT / "identity" / "domain" / file, name), ""]
    return "\n".join(lines).rstrip("\n") + "\n"


_NOT_SETTABLE = {"id", "client_id", "version", "created_at", "secrets"}


def _fields(file: Path, name: str) -> list[str]:
    """A row for each field of a dataclass that can be set, with the text that stands below it."""
    kind_of_settings = {"Application": Application, "TenantSettings": TenantSettings}[name]
    defaults = {}
    for field in fields(kind_of_settings):
        if field.default is not MISSING:
            defaults[field.name] = field.default
        elif field.default_factory is not MISSING:
            defaults[field.name] = field.default_factory()
    body = next(
        node.body for node in ast.parse(file.read_text()).body if isinstance(node, ast.ClassDef) and node.name == name
    )
    rows = []
    for node, after in zip(body, [*body[1:], ast.Pass()], strict=True):
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        if node.target.id in _NOT_SETTABLE:
            continue
        default = "" if node.target.id not in defaults else f"`{defaults[node.target.id]!r}`"
        described = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
        meaning = " ".join(str(after.value.value).split()) if described else ""  # type: ignore[attr-defined]
        kind = ast.unparse(node.annotation).replace("|", "or")
        rows.append(f"| `{node.target.id}` | `{kind}` | {default} | {meaning} |")
    return rows


def specifications_page() -> str:
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "specifications.md"
        _output("-m", "pytest", "--collect-only", "--quiet", "-p", "no:cacheprovider", f"--specifications={page}")
        return page.read_text()


_TABLES_BEGIN, _TABLES_END = "<!-- Made from the catalogue by `make docs`. -->\n", "<!-- End of what is made. -->\n"


def scripts_page() -> str:
    """The page as it is, with the tables of functions and objects made anew."""
    before, _, rest = (ROOT / "docs" / "sign-in-scripts.md").read_text().partition(_TABLES_BEGIN)
    _, _, after = rest.partition(_TABLES_END)
    lines = []
    for title, functions in GROUPS:
        lines += [f"### {title}", "", "| function | what it does |", "| --- | --- |"]
        for function in functions:
            calls = "<br>".join(f"`{function.name}{call}`".replace("|", "\\|") for call in function.signatures)
            addition = {"wso2": "", "modern": " *Modern form.*", "ours": " *Ours.*"}[function.form]
            lines.append(f"| {calls} | {function.doc}{addition} |")
        lines.append("")
    for interface in INTERFACES:
        described = [member for member in interface.members if member.doc]
        if described:
            lines += [f"### {interface.name.partition(' ')[0]}", ""]
            lines += [interface.doc, ""] if interface.doc else []
            lines += ["| member | type | meaning |", "| --- | --- | --- |"]
            for member in interface.members:
                kind = member.type.replace("|", "\\|")
                lines.append(f"| `{member.name}` | `{kind}` | {member.doc} |")
            lines.append("")
    return before + _TABLES_BEGIN + "\n" + "\n".join(lines) + _TABLES_END + after


PAGES: dict[str, Callable[[], str]] = {
    "docs/configuration.md": configuration_page,
    "docs/events.md": events_page,
    "docs/openapi.json": openapi_document,
    "docs/settings.md": settings_page,
    "docs/sign-in-scripts.md": scripts_page,
    "docs/specifications.md": specifications_page,
}


def _output(*arguments: str) -> str:
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"python {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a page is stale")
    options = parser.parse_args()
    stale = []
    for name, make in PAGES.items():
        page = ROOT / name
        text = make()
        if page.exists() and page.read_text() == text:
            continue
        stale.append(name)
        if not options.check:
            page.parent.mkdir(exist_ok=True)
            page.write_text(text)
    if options.check and stale:
        print(f"stale: {', '.join(stale)}; run `make docs`")
        return 1
    print("generated pages: fresh" if options.check else f"written: {', '.join(stale) or 'nothing to change'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
