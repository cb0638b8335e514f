"""Filters as SCIM has them (RFC 7644 §3.4.2.2), parsed to a tree under bounds and judged in memory.

Beyond the grammar, a value may come without quotation marks, as API managers send it: it then ends where `and` or `or`
joins another comparison, at a closing parenthesis that it did not open, or at the end. What may be compared is named by
the caller; all else is refused (attack class 27).
"""

import json
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal, get_args

from identity.errors import IdentityError

MAXIMUM_TEXT = 2048
MAXIMUM_DEPTH = 8
MAXIMUM_COMPARISONS = 32

Operator = Literal["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "pr"]
_OPERATORS: dict[str, Operator] = {name: name for name in get_args(Operator)}
_WORD = re.compile(r'[^\s()"]+')
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')

Values = Callable[[str], Collection[str]]
"""The values that an attribute has, by its name as it was declared; none when it has no value."""


class FilterError(IdentityError):
    """A filter that is not one, asks for what may not be asked, or is too large."""

    def __init__(self, public: str) -> None:
        super().__init__("invalid_filter", public)


@dataclass(frozen=True, slots=True)
class Comparison:
    attribute: str
    operator: Operator
    value: str = ""

    def matches(self, values: Values) -> bool:
        found = values(self.attribute)
        if self.operator == "pr":
            return bool(found)
        if self.operator == "ne":
            return self.value not in found
        return any(_compare(self.operator, value, self.value) for value in found)


@dataclass(frozen=True, slots=True)
class Together:
    """`and`, `or`, `not` of what is inside."""

    kind: Literal["and", "or", "not"]
    parts: tuple["Filter", ...]

    def matches(self, values: Values) -> bool:
        if self.kind == "not":
            return not self.parts[0].matches(values)
        judged = (part.matches(values) for part in self.parts)
        return all(judged) if self.kind == "and" else any(judged)


Filter = Comparison | Together


def parse_filter(text: str, attributes: Collection[str]) -> Filter:
    """The tree of `text`, in which only `attributes` are compared. Raises FilterError."""
    if len(text) > MAXIMUM_TEXT:
        raise FilterError("The filter is too long.")
    parser = _Parser(text, {name.lower(): name for name in attributes})
    parsed = parser.alternatives(0)
    if parser.peek():
        raise FilterError("The filter goes on after its end.")
    return parsed


def read_filter(text: str | None, attributes: Collection[str]) -> Filter | None:
    """The same for a parameter that may be missing. Raises FilterError."""
    return parse_filter(text, attributes) if text else None


def equals(parsed: Filter | None, attribute: str) -> str | None:
    """The value, when the whole filter is `attribute eq value`: for a look-up by index."""
    if isinstance(parsed, Comparison) and (parsed.attribute, parsed.operator) == (attribute, "eq"):
        return parsed.value
    return None


class _Parser:
    def __init__(self, text: str, attributes: dict[str, str]) -> None:
        self._text = text
        self._place = 0
        self._attributes = attributes
        self._comparisons = 0

    def peek(self) -> str:
        """The next word, parenthesis or string, without taking it; empty at the end."""
        while self._place < len(self._text) and self._text[self._place].isspace():
            self._place += 1
        if self._place >= len(self._text):
            return ""
        letter = self._text[self._place]
        if letter in "()":
            return letter
        match = (_STRING if letter == '"' else _WORD).match(self._text, self._place)
        if match is None:
            raise FilterError("A string in the filter has no end.")
        return match[0]

    def take(self) -> str:
        token = self.peek()
        self._place += len(token)
        return token

    def alternatives(self, depth: int) -> Filter:
        if depth > MAXIMUM_DEPTH:
            raise FilterError("The filter is nested too deeply.")
        return self._joined("or", lambda: self._joined("and", lambda: self._factor(depth)))

    def _joined(self, word: Literal["and", "or"], part: Callable[[], Filter]) -> Filter:
        parts = [part()]
        while self.peek().lower() == word:
            self.take()
            parts.append(part())
        return parts[0] if len(parts) == 1 else Together(word, tuple(parts))

    def _factor(self, depth: int) -> Filter:
        if self.peek() == "(":
            return self._group(depth)
        if self.peek().lower() == "not":
            self.take()
            return Together("not", (self._group(depth),))
        return self._comparison()

    def _group(self, depth: int) -> Filter:
        if self.take() != "(":
            raise FilterError("After not comes a parenthesis.")
        inside = self.alternatives(depth + 1)
        if self.take() != ")":
            raise FilterError("A parenthesis of the filter is not closed.")
        return inside

    def _comparison(self) -> Filter:
        self._comparisons += 1
        if self._comparisons > MAXIMUM_COMPARISONS:
            raise FilterError(f"The filter has more than {MAXIMUM_COMPARISONS} comparisons.")
        name = self.take()
        attribute = self._attributes.get(name.rpartition(":")[2].lower())
        if attribute is None:
            raise FilterError(f"The filter cannot compare {name[:60]!r}.")
        operator = _OPERATORS.get(self.take().lower())
        if operator is None:
            raise FilterError(f"The operator must be one of {' '.join(_OPERATORS)}.")
        return Comparison(attribute, operator, "" if operator == "pr" else self._value())

    def _value(self) -> str:
        token = self.peek()
        if token.startswith('"'):
            self.take()
            return _unquoted(token)
        start, inside = self._place, 0
        while word := self.peek():
            belongs = inside > 0 if word == ")" else self._place > start or word != "("
            if not belongs or self._goes_on(word):
                break
            inside += (word == "(") - (word == ")")
            self.take()
        if inside:
            raise FilterError("A parenthesis of the filter is not closed.")
        value = self._text[start : self._place].strip()
        if not value:
            raise FilterError("A comparison of the filter has no value.")
        return value

    def _goes_on(self, word: str) -> bool:
        """Whether this `and` or `or` joins another comparison, instead of being part of a name without quotation marks
        like `Sales and Marketing`."""
        if word.lower() not in ("and", "or"):
            return False
        place = self._place
        self.take()
        following, operator = self.take().lower(), self.peek().lower()
        self._place = place
        return following in ("", "(", "not") or operator in _OPERATORS


def _unquoted(token: str) -> str:
    try:
        value = json.loads(token)
    except ValueError:
        raise FilterError("A string in the filter is malformed.") from None
    assert isinstance(value, str)
    # What no database column holds, written as an escape.
    if "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise FilterError("A string in the filter holds what is no text.")
    return value


def _compare(operator: Operator, value: str, wanted: str) -> bool:
    match operator:
        case "eq":
            return value == wanted
        case "co":
            return wanted in value
        case "sw":
            return value.startswith(wanted)
        case "ew":
            return value.endswith(wanted)
        case "gt":
            return value > wanted
        case "ge":
            return value >= wanted
        case "lt":
            return value < wanted
        case _:
            return value <= wanted
