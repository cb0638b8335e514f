"""The words of a script, without comments: as much of JavaScript's grammar as warnings need, and no more."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""
    (?P<space>\s+|//[^\n]*|/\*.*?\*/)
  | (?P<name>[A-Za-z_$][\w$]*)
  | (?P<number>\d[\w.]*)
  | (?P<text>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')
  | (?P<template>`(?:\\.|[^`\\])*`)
  | (?P<pattern>/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\[\n])+/[a-z]*)
  | (?P<sign>=>|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_BEFORE_PATTERN = {"(", ",", "=", ":", "[", "!", "&", "|", "?", "{", "}", ";", "=>", "return", "typeof"}
"""After these a slash begins a regular expression; elsewhere it divides."""


@dataclass(frozen=True, slots=True)
class Word:
    """`kind`: name, number, text, template, pattern or sign. Lines and columns count from 1."""

    kind: str
    text: str
    line: int
    column: int


def words(source: str) -> list[Word]:
    return list(_words(source))


def _words(source: str) -> Iterator[Word]:
    position, line, line_start, before = 0, 1, 0, ";"
    while match := _TOKEN.match(source, position):
        kind, text = str(match.lastgroup), match.group()
        if kind == "pattern" and before not in _BEFORE_PATTERN:
            kind, text = "sign", "/"
        if kind != "space":
            yield Word(kind, text, line, position - line_start + 1)
            before = text
        line += text.count("\n")
        if "\n" in text:
            line_start = position + text.rindex("\n") + 1
        position += len(text)
