"""A run of a sign-in script: a pure function of script, facts and journal.

Whatever the guest answers is read with suspicion: what is not well-formed, or does not agree with the journal, is
Failed or Limited, never a pass.
"""

import hashlib
import json
import math
import re
from typing import Any, Protocol
from urllib.parse import urlsplit

from adaptive_auth.answers import GuestAnswer, Stopped
from adaptive_auth.evaluation import (
    Asked,
    Diverged,
    Evaluation,
    Facts,
    Failed,
    Finished,
    Journal,
    Limited,
    LogLine,
    Operation,
    Refused,
)
from adaptive_auth.script import FILE, Script
from adaptive_auth.shapes import (
    MAXIMUM_EFFECTS,
    MAXIMUM_HTTP,
    MAXIMUM_OPERATIONS,
    Malformed,
    check_effect,
    check_operation,
    check_texts,
)


class Runner(Protocol):
    """What runs scripts on a server, such as `lane.ScriptLane`."""

    async def run(self, tenant: int, given: str, script: str) -> GuestAnswer: ...


class Engine(Protocol):
    """What runs scripts at once, such as `sandbox.Sandbox`."""

    def run(self, given: str, script: str) -> GuestAnswer: ...


_encode = json.JSONEncoder(separators=(",", ":")).encode


def _finite(number: str) -> float:
    """Raises ValueError for what JSON has no word for."""
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(f"{number} is no number")
    return value


_decode = json.JSONDecoder(parse_constant=_finite, parse_float=_finite).decode


async def evaluate(runner: Runner, tenant: int, script: Script, facts: Facts, journal: Journal) -> Evaluation:
    """What comes next in this login, or its end. Raises what `runner` raises, except Stopped."""
    try:
        answer = await runner.run(tenant, given(script, facts, journal), script.source)
    except Stopped as stopped:
        return _limited(stopped)
    return read(answer, journal)


def evaluate_now(
    engine: Engine, script: Script, facts: Facts, journal: Journal, *, lenient: bool = False
) -> Evaluation:
    """The same, in this thread.

    `lenient` looks answers up by key instead of by position: for another script on a recorded journal. The first
    question without an answer comes back as Asked.
    """
    try:
        answer = engine.run(given(script, facts, journal, lenient=lenient), script.source)
    except Stopped as stopped:
        return _limited(stopped)
    return read(answer, journal, lenient=lenient)


def given(script: Script, facts: Facts, journal: Journal, *, lenient: bool = False) -> str:
    """The JSON that the prelude's `__begin` takes."""
    content = {
        "facts": {
            "application": facts.application,
            "tenant": facts.tenant,
            "request": facts.request,
            "started": facts.started,
            "chance": int.from_bytes(hashlib.sha256(facts.seed.encode()).digest()[:4]),
            "requested_acr": facts.requested_acr,
            "scopes": facts.scopes,
            "authorization_details": facts.authorization_details,
            "steps": {str(number): offered for number, offered in facts.steps.items()},
            "secrets": facts.secrets,
        },
        "libraries": dict(script.libraries),
        "journal": list(journal),
        "lenient": lenient,
    }
    return _encode(content)


def read(answer: GuestAnswer, journal: Journal, *, lenient: bool = False) -> Evaluation:
    """What the guest said, believed only where it has the right shape and agrees with the journal."""
    logs = log_lines(answer.logs)
    if not answer.ok:
        message, _, stack = answer.text.replace("\0", "\ufffd").partition("\n")
        return _failed(message, stack, (), logs)
    try:
        content = _decode(answer.text)
        if "\\u" in answer.text or not answer.text.isascii():  # the two ways to write what no text may hold
            check_texts(content)
        return _evaluation(content, journal, lenient, logs)
    except Malformed as problem:
        return Failed(message=str(problem), logs=logs)
    except (ValueError, RecursionError):
        return Failed(message="the script spoilt its own answer", logs=logs)


def log_lines(lines: tuple[str, ...]) -> tuple[LogLine, ...]:
    """The prelude writes the level, a space and the text. No database takes NUL."""
    parts = (line.replace("\0", "\ufffd").partition(" ") for line in lines)
    return tuple(LogLine(level, text) for level, _, text in parts)


def _limited(stopped: Stopped) -> Limited:
    return Limited(limit=stopped.limit, message=stopped.message, logs=log_lines(stopped.logs))


def _evaluation(content: Any, journal: Journal, lenient: bool, logs: tuple[LogLine, ...]) -> Evaluation:
    if not isinstance(content, dict):
        raise Malformed("an answer of no known shape")
    used, effects = content.get("used"), content.get("effects")
    if type(used) is not int or not 0 <= used <= len(journal) or not isinstance(effects, list):
        raise Malformed("an answer of no known shape")
    if len(effects) > MAXIMUM_EFFECTS:
        return Limited(limit="effects", message="more than 100 effects in one login", logs=logs)
    for effect in effects:
        check_effect(effect)
    common: dict[str, Any] = {"effects": tuple(effects), "logs": logs}
    if lenient:
        common["taken"] = _taken(content.get("taken"), journal)
    match content.get("status"):
        case "asked" | "done" if not lenient and used != len(journal):
            return Diverged(asked=None, recorded=journal[used]["key"], **common)
        case "asked":
            return _asked(content, journal, common)
        case "done":
            return _finished(content, journal, common)
        case "refused":
            return _refused(content, common)
        case "failed":
            return _failed(_text(content, "message"), _text(content, "stack"), tuple(effects), logs)
        case "limit":
            return Limited(limit=_text(content, "limit"), message=_text(content, "message"), **common)
        case "diverged":
            return Diverged(asked=_text(content, "asked"), recorded=_text(content, "recorded"), **common)
    raise Malformed("an answer of no known shape")


def _taken(places: Any, journal: Journal) -> tuple[int, ...]:
    if not isinstance(places, list) or len(places) > len(journal):
        raise Malformed("an answer of no known shape")
    if not all(type(place) is int and 0 <= place < len(journal) for place in places) or len(set(places)) < len(places):
        raise Malformed("an answer of no known shape")
    return tuple(places)


def _asked(content: dict[str, Any], journal: Journal, common: dict[str, Any]) -> Evaluation:
    operations = content.get("operations")
    if not isinstance(operations, list) or not operations:
        raise Malformed("it asks for nothing")
    for operation in operations:
        if not isinstance(operation, dict) or operation.keys() != {"kind", "key", "arguments"}:
            raise Malformed("an operation of no known shape")
        check_operation(operation["kind"], operation["arguments"], operation["key"])
    if len(operations) > 1 and any(operation["kind"] != "http" for operation in operations):
        raise Malformed("only HTTP calls may be asked together")
    if len(journal) + len(operations) > MAXIMUM_OPERATIONS:
        return Limited(limit="operations", message="more than 100 steps and questions in one login", **common)
    called = sum(entry["key"].startswith("http:") for entry in journal)
    if operations[0]["kind"] == "http" and called + len(operations) > MAXIMUM_HTTP:
        return Limited(limit="http", message="more than 20 HTTP calls in one login", **common)
    return Asked(operations=tuple(Operation(**operation) for operation in operations), **common)


def _finished(content: dict[str, Any], journal: Journal, common: dict[str, Any]) -> Evaluation:
    """A pass, and so believed least: the journal itself must hold the success that names the person."""
    succeeded = {step for entry in journal if (step := _identifying_step(entry["key"], entry["value"])) is not None}
    if not succeeded:
        return Refused(kind="oauth_error", reason="nobody_identified", message="Nobody was identified.", **common)
    subject_step, attribute_step, acr = (content.get(name) for name in ("subject_step", "attribute_step", "acr"))
    if (
        type(subject_step) is not int
        or type(attribute_step) is not int
        or not {subject_step, attribute_step} <= succeeded
    ):
        raise Malformed("it ends with a step that did not succeed")
    if acr is not None and not isinstance(acr, str):
        raise Malformed("selectedAcr is no text")
    return Finished(acr=acr, subject_step=subject_step, attribute_step=attribute_step, **common)


def _identifying_step(key: str, value: Any) -> int | None:
    """The number of the step, if this entry is its success and names somebody."""
    if not key.startswith("step:") or not isinstance(value, dict):
        return None
    if value.get("ok") is not True or not isinstance(value.get("subject"), dict):
        return None
    number: int = json.loads(key.removeprefix("step:"))["step"]
    return number


MAXIMUM_URL = 2000
MAXIMUM_MESSAGE = 1000
_ERROR_CODE = re.compile(r"[\x20\x21\x23-\x5b\x5d-\x7e]{1,100}")
"""RFC 6749 §4.1.2.1."""
_URL = re.compile(r"(https?://[^/\\\s]|/(?![/\\])|[^/\\:\s?#]+([/?#]|$))[^\s\\]*")
"""Absolute, or a path of this server. Nothing with another scheme or host in disguise."""


def _is_url(text: str) -> bool:
    if len(text) > MAXIMUM_URL or not text.isascii() or not text.isprintable() or _URL.fullmatch(text) is None:
        return False
    try:
        urlsplit(text)
    except ValueError:
        # "http://[" and the like.
        return False
    return True


_REASONS = ("script", "step_failed", "aborted", "prompt_failed", "http_failed", "nobody_identified")


def _refused(content: dict[str, Any], common: dict[str, Any]) -> Evaluation:
    reason = content.get("reason")
    if reason not in _REASONS:
        raise Malformed("a refusal of no known shape")
    if content.get("kind") == "error_page":
        url, parameters = content.get("url"), content.get("parameters")
        if not isinstance(parameters, dict) or not (url is None or isinstance(url, str)):
            raise Malformed("sendError: a URL or null, and a map of parameters")
        if url is not None and not _is_url(url):
            raise Malformed("sendError: the URL is http, https or a path of this server")
        return Refused(kind="error_page", reason=reason, url=url, parameters=parameters, **common)
    if content.get("kind") != "oauth_error":
        raise Malformed("a refusal of no known shape")
    code, message, uri = content.get("code"), content.get("message"), content.get("uri")
    if not isinstance(code, str) or not _ERROR_CODE.fullmatch(code):
        raise Malformed("fail: errorCode may hold printable ASCII without quotation mark and backslash")
    if not (message is None or isinstance(message, str)) or not (uri is None or isinstance(uri, str)):
        raise Malformed("fail: errorMessage and errorURI are texts")
    if uri is not None and ('"' in uri or not _is_url(uri)):
        raise Malformed(f"fail: errorURI is http, https or a path of this server, {MAXIMUM_URL} characters at most")
    if message is not None:
        # It goes into an address: one line, and no longer than proxies take.
        message = "".join(letter if letter.isprintable() else " " for letter in message[:MAXIMUM_MESSAGE])
    return Refused(kind="oauth_error", reason=reason, code=code, message=message, uri=uri, **common)


_FRAME = re.compile(r"(?:\(|at )([^()\s]+):(\d+):(\d+)\)?\s*$", re.MULTILINE)
_LIBRARY_HEAD = len("(function (exports, require, module) {")
"""What the prelude puts before a library, on its first line."""


def position_of(stack: str) -> tuple[str, int, int] | None:
    """File, line and column of the first frame that is the script's own."""
    for file, line, column in _FRAME.findall(stack):
        if not file.startswith("<"):
            head = _LIBRARY_HEAD if file != FILE and line == "1" else 0
            return file, int(line), max(1, int(column) - head)
    return None


def _failed(message: str, stack: str, effects: tuple[dict[str, Any], ...], logs: tuple[LogLine, ...]) -> Failed:
    file, line, column = position_of(stack) or (None, None, None)
    return Failed(message=message, line=line, column=column, file=file, effects=effects, logs=logs)


def _text(content: dict[str, Any], name: str) -> str:
    value = content.get(name)
    if not isinstance(value, str):
        raise Malformed("an answer of no known shape")
    return value
