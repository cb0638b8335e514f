"""What is wrong, or will surprise somebody, about a script before it is saved."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol
from urllib.parse import urlsplit

from adaptive_auth.answers import GuestAnswer, Stopped
from adaptive_auth.evaluation import Facts, Failed, Limited, Refused
from adaptive_auth.functions import FUNCTIONS, GLOBAL_OBJECTS
from adaptive_auth.replay import Engine, evaluate_now, position_of
from adaptive_auth.script import FILE, Script
from adaptive_auth.source_scan import Word, words


@dataclass(frozen=True, slots=True)
class Finding:
    """An error keeps the script from being saved. Lines and columns count from 1."""

    level: Literal["error", "warning"]
    message: str
    line: int | None = None
    column: int | None = None
    file: str = FILE

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.level}: {self.message}"


class CheckingEngine(Engine, Protocol):
    def check(self, script: str, name: str) -> GuestAnswer: ...


STANDARD: frozenset[str] = frozenset(
    "Array ArrayBuffer BigInt Boolean DataView Date Error EvalError Infinity JSON Map Math NaN Number Object Promise "  # noqa: SIM905
    "Proxy RangeError ReferenceError Reflect RegExp Set String Symbol SyntaxError TypeError URIError WeakMap WeakSet "
    "decodeURI decodeURIComponent encodeURI encodeURIComponent escape unescape globalThis isFinite isNaN parseFloat "
    "parseInt undefined".split()
)
_WORDS_BEFORE_BRACKETS = frozenset(
    "if for while switch catch return typeof function await async new void delete in of do else throw case yield "  # noqa: SIM905
    "super import with".split()
)
_STEP_FUNCTIONS = ("executeStep", "step", "promptIdentifierForStep", "checkSessionExistence")
_HTTP_FUNCTIONS = ("httpGet", "httpPost", "http")


def check(
    engine: CheckingEngine,
    script: Script,
    *,
    steps: Mapping[int, tuple[str, ...]] | None = None,
    secrets: Collection[str] | None = None,
    hosts: Collection[str] | None = None,
) -> tuple[Finding, ...]:
    """Errors first. `steps`: what each step of the application offers; `secrets`: names; `hosts`: exact, or `*.suffix`.

    None means it is not known, and so not checked.
    """
    files = {FILE: script.source, **script.libraries}
    broken = [finding for name, source in files.items() if (finding := _compiled(engine, name, source))]
    if broken:
        return tuple(broken)
    found: list[Finding] = []
    for name, source in files.items():
        found += _scan(name, words(source), steps, secrets, hosts)
    if not any(finding.level == "error" for finding in found):
        found += _dry_run(engine, script, steps, secrets)
    return tuple(sorted(found, key=lambda finding: finding.level))


def _compiled(engine: CheckingEngine, name: str, source: str) -> Finding | None:
    # A library is the body of a function: `return` is allowed in it.
    library = name != FILE
    text = f"(function (exports, require, module) {{{source}\n}})" if library else source
    try:
        answer = engine.check(text, name)
    except Stopped as stopped:
        return Finding("error", f"{stopped.limit}: {stopped.message}", file=name)
    if answer.ok:
        return None
    message, _, stack = answer.text.partition("\n")
    _, line, column = position_of(stack) or (name, None, None)
    return Finding("error", message, line, column, name)


def _dry_run(
    engine: Engine, script: Script, steps: Mapping[int, tuple[str, ...]] | None, secrets: Collection[str] | None
) -> Iterator[Finding]:
    """To the first need, with a request like any other: finds what fails at once."""
    offered = steps if steps is not None else dict.fromkeys(range(1, 21), ("BasicAuthenticator",))
    request = {"ip": "192.0.2.1", "headers": {"user-agent": "Mozilla/5.0"}, "params": {}, "cookies": {}}
    named = tuple(secrets) if secrets is not None else tuple(named_secrets(script))
    facts = Facts(
        application="application",
        tenant="carbon.super",
        request=request,
        started=1_767_268_800_000,
        seed="check",
        steps=offered,
        secrets=named,
    )
    match evaluate_now(engine, script, facts, ()):
        case Failed(message=message, line=line, column=column, file=file):
            yield Finding("error", message, line, column, file or FILE)
        case Limited(limit=limit, message=message):
            yield Finding("error", f"{limit}: {message}")
        case Refused(reason="nobody_identified"):
            yield Finding("warning", "a request without parameters reaches no step, so it is always denied")


_PLAIN = re.compile(r"""(['"`])[A-Za-z_]\w*\1""")


def named_secrets(script: Script) -> frozenset[str]:
    """Secrets that script and libraries write out, `secrets.name` or `secrets['name']`."""
    sources = (script.source, *script.libraries.values())
    return frozenset(name for source in sources for name in _secrets_in(words(source)) if name is not None)


def may_use_secret(script: Script, name: str) -> bool:
    """Whether script or libraries write `secrets.name` or `secrets['name']`, or use `secrets` in a way that does not
    tell the name."""
    sources = (script.source, *script.libraries.values())
    return any(found in (name, None) for source in sources for found in _secrets_in(words(source)))


def _secrets_in(source: list[Word]) -> Iterator[str | None]:
    """The name behind each `secrets`; None where it is not written out."""
    for place, word in enumerate(source):
        if word.kind == "template":
            yield from _secrets_in(words(word.text[1:-1]))
        elif word.text in ("'secrets'", '"secrets"'):
            yield None
        elif word.kind == "name" and word.text == "secrets":
            rest = [next_word for next_word in source[place + 1 : place + 5] if next_word.text not in ("?", ".")]
            if rest and rest[0].kind == "name" and source[place + 1].text in ("?", "."):
                yield rest[0].text
            else:
                bracket, name, end = [next_word.text for next_word in rest[:3]] if len(rest) > 2 else ("", "", "")
                written_out = bracket == "[" and end == "]" and _PLAIN.fullmatch(name)
                yield name[1:-1] if written_out else None


def _scan(
    file: str,
    source: list[Word],
    steps: Mapping[int, tuple[str, ...]] | None,
    secrets: Collection[str] | None,
    hosts: Collection[str] | None,
) -> Iterator[Finding]:
    known = STANDARD | FUNCTIONS.keys() | GLOBAL_OBJECTS.keys() | _declared(source)
    calls_http = any(word.text in _HTTP_FUNCTIONS for word in source)
    for before, word, after, next_word in _windows(source):
        place = (word.line, word.column, file)
        member = before.text == "."
        if word.kind == "name" and not member:
            yield from _about_name(word, after, next_word, steps, known, place)
            if word.text == "secrets" and after.text == "." and secrets is not None and next_word.text not in secrets:
                yield Finding("error", f"there is no secret {next_word.text!r}", *place)
        elif member and word.text == "remoteClaims":
            yield Finding("warning", "remoteClaims are not available yet: they are empty", *place)
        elif word.kind == "text" and calls_http and hosts is not None:
            yield from _about_url(word.text[1:-1], hosts, place)


_Place = tuple[int, int, str]


def _about_name(
    word: Word,
    after: Word,
    next_word: Word,
    steps: Mapping[int, tuple[str, ...]] | None,
    known: Collection[str],
    place: _Place,
) -> Iterator[Finding]:
    name, called = word.text, after.text == "("
    if name in ("eval", "Function") and (called or after.text == "."):
        yield Finding("warning", f"{name} makes code out of text: nobody can review what will run", *place)
    elif called and name in FUNCTIONS:
        function = FUNCTIONS[name]
        if function.kind == "dead":
            yield Finding("warning", f"{name} is of a product that has ended: it always fails. {function.doc}", *place)
        elif function.kind == "unavailable":
            yield Finding("warning", f"{name} is not available yet. {function.doc}", *place)
        elif name in _STEP_FUNCTIONS and next_word.text.isdecimal() and steps and int(next_word.text) not in steps:
            yield Finding("error", f"the application has no step {next_word.text}", *place)
    elif called and name not in known and name not in _WORDS_BEFORE_BRACKETS:
        yield Finding("warning", f"there is no function {name}", *place)


def _about_url(text: str, hosts: Collection[str], place: _Place) -> Iterator[Finding]:
    """A URL of a claim is a name, and no address."""
    if not re.match(r"https?://", text) or "/claims/" in text:
        return
    try:
        host = urlsplit(text).hostname or ""
    except ValueError:
        yield Finding("warning", f"{text!r} is no URL", *place)
        return
    if not text.startswith("https://"):
        yield Finding("warning", f"{text!r} is not https: calls to it are refused", *place)
    elif not any(_allows(allowed, host) for allowed in hosts):
        yield Finding("warning", f"the host {host} is not allowed: calls to it are refused", *place)


def _allows(allowed: str, host: str) -> bool:
    return host.endswith(allowed[1:]) if allowed.startswith("*.") else host == allowed


def _declared(source: list[Word]) -> set[str]:
    """Names that occur other than as a call or member: declared, assigned or a parameter. Methods of literals too."""
    declared = set()
    for before, word, after, _ in _windows(source):
        if word.kind == "name" and before.text != "." and (after.text != "(" or before.text == "function"):
            declared.add(word.text)
    return declared | _methods(source)


def _methods(source: list[Word]) -> set[str]:
    """`name(…) {`: a method of an object or class."""
    found, opened = set(), []
    for position, word in enumerate(source):
        if word.text == "(":
            opened.append(position)
        elif word.text == ")" and opened:
            start = opened.pop()
            if source[position + 1 : position + 2] and source[position + 1].text == "{" and start:
                found.add(source[start - 1].text)
    return found - _WORDS_BEFORE_BRACKETS


_NOTHING = Word("sign", "", 0, 0)


def _windows(source: list[Word]) -> Iterator[tuple[Word, Word, Word, Word]]:
    """Each word with the one before and the two after."""
    padded = [_NOTHING, *source, _NOTHING, _NOTHING]
    return zip(padded, padded[1:], padded[2:], padded[3:], strict=False)
