"""docs/specifications.md: which tests show which section, from their `@pytest.mark.spec(document, section)`."""

import re
from collections import defaultdict
from pathlib import Path

import pytest

_HEAD = """# What is shown, section by section

Made from the `@pytest.mark.spec(document, section)` markers of the tests by `make docs`. A section in this table has a
test that shows it; the test's name says what.

"""

DOCUMENTS = (
    "FAPI 1.0 Advanced", "FAPI 2.0 Message Signing", "FAPI 2.0 Security Profile", "FAPI-CIBA", "JARM",
    "OAuth 2.0 Form Post Response Mode", "OAuth 2.0 Multiple Response Types", "OpenID CIBA Core",
    "OpenID Connect Back-Channel Logout", "OpenID Connect Core", "OpenID Connect Discovery",
    "OpenID Connect Dynamic Client Registration", "OpenID Connect Front-Channel Logout",
    "OpenID Connect RP-Initiated Logout", "OpenID Connect Session Management", "RFC 6749", "RFC 6750", "RFC 7009",
    "RFC 7515", "RFC 7516", "RFC 7517", "RFC 7518", "RFC 7519", "RFC 7523", "RFC 7591", "RFC 7592", "RFC 7636",
    "RFC 7638", "RFC 7662", "RFC 8037", "RFC 8252", "RFC 8414", "RFC 8628", "RFC 8693", "RFC 8705", "RFC 8707",
    "RFC 8725", "RFC 9068", "RFC 9101", "RFC 9126", "RFC 9207", "RFC 9396", "RFC 9440", "RFC 9449", "RFC 9470",
    "RFC 9700", "RFC 9701", "RFC 9728",
)  # fmt: skip
"""What the server says that it does. The page is not written while one of these has no test."""

Shown = dict[str, dict[str, set[str]]]


def add_options(group: pytest.OptionGroup) -> None:
    group.addoption("--specifications", type=Path, help="write the table of specifications to this file")


def collect(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Write the table, if the option asks for it."""
    target: Path | None = config.getoption("--specifications")
    if target is None:
        return
    shown = shown_by(items)
    missing = [document for document in DOCUMENTS if document not in shown]
    if missing:
        raise pytest.UsageError(f"no test is marked with {', '.join(missing)}")
    target.write_text(_HEAD + overview(shown) + table(shown))


def shown_by(items: list[pytest.Item]) -> Shown:
    """Tests by section by document; a test that runs with several parameters counts once."""
    shown: Shown = defaultdict(lambda: defaultdict(set))
    for item in items:
        for marker in item.iter_markers("spec"):
            document, section = marker.args
            shown[document][section].add(item.nodeid.partition("[")[0])
    return shown


def overview(shown: Shown) -> str:
    """Every document once: how many sections and tests, and whether the server claims the whole of it."""
    lines = ["| specification | sections | tests | |", "| --- | --- | --- | --- |"]
    for document in sorted(shown, key=_natural):
        sections = shown[document]
        tests = set().union(*sections.values())
        state = "done" if document in DOCUMENTS else "where it applies"
        lines.append(f"| {document} | {len(sections)} | {len(tests)} | {state} |")
    return "\n".join(lines) + "\n\n"


def table(shown: Shown) -> str:
    """Documents by name with numbers in their natural order, then sections, then tests."""
    lines: list[str] = []
    for document in sorted(shown, key=_natural):
        lines += [f"## {document}", "", "| section | shown by |", "| --- | --- |"]
        for section in sorted(shown[document], key=_natural):
            tests = "<br>".join(f"`{test}`" for test in sorted(shown[document][section]))
            lines.append(f"| {section} | {tests} |")
        lines.append("")
    return "\n".join(lines).rstrip("\n") + "\n"


def _natural(text: str) -> list[tuple[int, str]]:
    return [(int(piece), "") if piece.isdecimal() else (-1, piece) for piece in re.split(r"(\d+)", text) if piece]
