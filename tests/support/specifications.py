"""docs/specifications.md: which tests show which section, from their `@pytest.mark.spec(document, section)`."""

import re
from collections import defaultdict
from pathlib import Path

import pytest

_HEAD = """# What is shown, section by section

Made from the `@pytest.mark.spec(document, section)` markers of the tests by `make docs`. A section in this table has a
test that shows it; the test's name says what.
"""

Shown = dict[str, dict[str, set[str]]]


def add_options(group: pytest.OptionGroup) -> None:
    group.addoption("--specifications", type=Path, help="write the table of specifications to this file")


def collect(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Write the table, if the option asks for it."""
    target: Path | None = config.getoption("--specifications")
    if target is not None:
        target.write_text(table(shown_by(items)))


def shown_by(items: list[pytest.Item]) -> Shown:
    """Tests by section by document; a test that runs with several parameters counts once."""
    shown: Shown = defaultdict(lambda: defaultdict(set))
    for item in items:
        for marker in item.iter_markers("spec"):
            document, section = marker.args
            shown[document][section].add(item.nodeid.partition("[")[0])
    return shown


def table(shown: Shown) -> str:
    """The page: documents by name with numbers in their natural order, then sections, then tests."""
    lines = [_HEAD]
    for document in sorted(shown, key=_natural):
        lines += [f"## {document}", "", "| section | shown by |", "| --- | --- |"]
        for section in sorted(shown[document], key=_natural):
            tests = "<br>".join(f"`{test}`" for test in sorted(shown[document][section]))
            lines.append(f"| {section} | {tests} |")
        lines.append("")
    return "\n".join(lines).rstrip("\n") + "\n"


def _natural(text: str) -> list[tuple[int, str]]:
    return [(int(piece), "") if piece.isdecimal() else (-1, piece) for piece in re.split(r"(\d+)", text) if piece]
