"""The table of specifications is the same whatever the order of tests."""

from tests.support.specifications import Shown, overview, table


def test_documents_and_sections_come_in_their_natural_order() -> None:
    shown = {
        "RFC 7636": {"4.10": {"tests/b.py::test_b"}, "4.6": {"tests/z.py::test_z", "tests/a.py::test_a"}},
        "RFC 767": {"1": {"tests/c.py::test_c"}},
        "OpenID Connect Core": {"3.1.2.1": {"tests/d.py::test_d"}},
    }
    lines = table(shown).splitlines()
    assert [line for line in lines if line.startswith(("##", "| "))] == [
        "## OpenID Connect Core",
        "| section | shown by |",
        "| --- | --- |",
        "| 3.1.2.1 | `tests/d.py::test_d` |",
        "## RFC 767",
        "| section | shown by |",
        "| --- | --- |",
        "| 1 | `tests/c.py::test_c` |",
        "## RFC 7636",
        "| section | shown by |",
        "| --- | --- |",
        "| 4.6 | `tests/a.py::test_a`<br>`tests/z.py::test_z` |",
        "| 4.10 | `tests/b.py::test_b` |",
    ]


def test_the_overview_counts_a_test_once_and_says_what_is_done() -> None:
    shown: Shown = {
        "RFC 7636": {"4.10": {"tests/a.py::test_a"}, "4.6": {"tests/a.py::test_a", "tests/b.py::test_b"}},
        "RFC 767": {"1": {"tests/c.py::test_c"}},
    }
    assert overview(shown).splitlines()[2:] == [
        "| RFC 767 | 1 | 1 | where it applies |",
        "| RFC 7636 | 2 | 2 | done |",
        "",
    ]
