"""Search filters as a tree (RFC 4511 §4.5.1.7). Values are data and stay data: `messages` encodes the tree as octets,
and the text form of RFC 4515, which would have to be escaped, is never made."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Equal:
    attribute: str
    value: str | bytes


@dataclass(frozen=True, slots=True)
class Present:
    attribute: str


@dataclass(frozen=True, slots=True)
class And:
    parts: tuple["Filter", ...]


@dataclass(frozen=True, slots=True)
class Or:
    parts: tuple["Filter", ...]


Filter = Equal | Present | And | Or
