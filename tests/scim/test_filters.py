"""Attack row 27: a filter is parsed to a tree, within bounds; nothing of it reaches a query."""

import string
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.domain.filters import FilterError, parse_filter

ATTRIBUTES = ("displayName", "id")

HOSTILE = (
    "", " ", "displayName", "displayName eq", "eq displayName", "displayName eq x y z)", "(displayName eq x",
    'displayName eq "x', 'displayName eq "\\x"', "displayName eq x and", "or displayName eq x", "not displayName eq x",
    "password eq x", "userPassword pr", "displayName eq x and password_hash sw a", "displayName like x",
    "users[value eq x]", "(" * 9 + "displayName eq x" + ")" * 9,
    " or ".join(["displayName eq x"] * 33), "displayName eq " + "x" * 2048, "()", "not ()", "displayName eq ()",
    "displayName eq a (b", "displayName eq a) b", "displayName eq a and (", "displayName eq a or not",
    "displayName eq (a)",
)  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_refused(text: str) -> None:
    with pytest.raises(FilterError):
        parse_filter(text, ATTRIBUTES)


def test_what_looks_like_sql_is_a_value() -> None:
    tree = parse_filter("displayName eq x'; drop table role --", ATTRIBUTES)
    assert tree.matches(lambda name: ("x'; drop table role --",))
    assert not tree.matches(lambda name: ("x",))


@pytest.mark.parametrize(
    "name", ["Sales and Marketing", "this or that", "Manager (EU)", "a (b (c) d) e", "band", "and more"]
)
def test_names_without_quotation_marks(name: str) -> None:
    """The API manager's connector sends a role's name as it is (wso2-contracts §7.4)."""
    tree = parse_filter(f"(displayName eq {name}) and id eq i", ATTRIBUTES)
    assert tree.matches(lambda attribute: (name,) if attribute == "displayName" else ("i",))
    assert not tree.matches(lambda attribute: (name,))
    assert parse_filter(f"displayName eq {name}", ATTRIBUTES).matches(lambda attribute: (name,))


@given(st.text(max_size=300))
def test_any_text_is_a_tree_or_refused(text: str) -> None:
    with suppress(FilterError):
        parse_filter(text, ATTRIBUTES).matches(lambda name: ("value",))


WORDS = st.text(alphabet=string.ascii_letters + string.digits + "_-/:.", min_size=1, max_size=30).filter(
    lambda word: word.lower() not in ("and", "or")
)


@given(WORDS)
def test_quoted_and_unquoted_values_are_the_same(value: str) -> None:
    trees = [parse_filter(f"displayName eq {form}", ATTRIBUTES) for form in (value, f'"{value}"')]
    assert trees[0] == trees[1]
    assert trees[0].matches(lambda name: (value,))


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("displayName eq a or displayName eq b and id eq i", "a", True),
        ("(displayName eq a or displayName eq b) and id eq j", "a", False),
        ("not (displayName eq a) or id pr", "a", True),
        ("displayName gt a and displayName lt c and displayName ge b and displayName le b", "b", True),
        ("displayName ne a", "b", True),
        ('displayName eq "a and b"', "a and b", True),
        ('displayName ew "\\"q\\""', 'x"q"', True),
    ],
)
@pytest.mark.spec("RFC 7644", "3.4.2.2")
def test_judged(text: str, value: str, expected: bool) -> None:
    """`and` binds closer than `or`."""
    tree = parse_filter(text, ATTRIBUTES)
    assert tree.matches(lambda name: (value,) if name == "displayName" else ("i",)) == expected
