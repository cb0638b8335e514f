"""What people type into secret fields of a script's forms. The script needs it while the login runs; nothing that is
kept afterwards has it: not the recording, not the trace, not the event, and no log.

What the script says to the application (claims, an error with its page, a level) is not changed: it is not ours to
edit, and whoever types would be the one who edits it.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote, quote_plus

from identity.authn.login_record import Answer, Denial, LoginRecord, ScriptState

WITHHELD = "(withheld)"
SHORTEST = 4
"""Characters. A shorter text occurs by chance in what has nothing to do with it; it goes from its own field only."""
_FIXED = ("kind", "user")
"""Members of effects that are ours."""


def secrets_typed(record: LoginRecord) -> list[str] | None:
    """The longest first: one may be a part of another. None where no form had a secret field."""
    state = record.script
    if state is None or not any(answer.secret for answer in state.journal):
        return None
    return _texts(state)


def without_secrets(record: LoginRecord, texts: Sequence[str] | None) -> LoginRecord:
    """The record with its secrets withheld in what the script asked, was answered, caused and logged."""
    state = record.script
    if texts is None or state is None:
        return record
    last = {**state.last, "effects": [_effect(effect, texts) for effect in state.last.get("effects", [])]}
    script = replace(
        state,
        journal=tuple(_answer(answer, texts) for answer in state.journal),
        log=tuple(_cleared(line, texts) for line in state.log),
        last=last,
    )
    return replace(record, script=script)


def as_kept(record: LoginRecord, texts: Sequence[str] | None) -> LoginRecord:
    """The same for what is kept for days: also in what the script has told the application."""
    if texts is None:
        return record
    denial = record.denial and _denial(record.denial, texts)
    return replace(without_secrets(record, texts), denial=denial, acr=_cleared(record.acr, texts))


def told_without_secrets(state: ScriptState | None, text: str) -> str:
    """A text of the script's for a log: the message of an error, which may tell what was typed."""
    return text if state is None else str(_cleared(text, _texts(state)))


def _texts(state: ScriptState) -> list[str]:
    found: set[str] = set()
    for answer in state.journal:
        params = answer.value["request"]["params"] if answer.secret else {}
        found.update(text for name in answer.secret for text in params.get(name, ()) if len(text) >= SHORTEST)
    return sorted({form for text in found for form in _forms(text)}, key=len, reverse=True)


def _forms(text: str) -> set[str]:
    """As it was typed, without blanks around it, and as it stands in JSON, in JSON within JSON, and in an address."""
    once = json.dumps(text, ensure_ascii=False)[1:-1]
    twice = json.dumps(once, ensure_ascii=False)[1:-1]
    forms = {text, text.strip(), once, twice, quote(text, safe=""), quote(text, safe="!'()*"), quote_plus(text)}
    return {form for form in forms if len(form) >= SHORTEST}


def _denial(denial: Denial, texts: Sequence[str]) -> Denial:
    """Its reason is a word of ours, or was cleared when it was written."""
    return replace(
        denial,
        code=_cleared(denial.code, texts),
        message=_cleared(denial.message, texts),
        uri=_cleared(denial.uri, texts),
        parameters=_cleared(denial.parameters, texts),
    )


def _effect(effect: dict[str, Any], texts: Sequence[str]) -> dict[str, Any]:
    return {name: value if name in _FIXED else _cleared(value, texts) for name, value in effect.items()}


def _answer(answer: Answer, texts: Sequence[str]) -> Answer:
    """Who passed a step is not changed: only the request that came with it, and what a service or page answered."""
    value = answer.value
    if answer.key.startswith(("step:", "prompt:")):
        value = {**value, **{name: _cleared(value[name], texts) for name in ("request", "data") if name in value}}
    else:
        value = _members(value, texts)
    if answer.secret:
        request = value["request"]
        params = {name: [WITHHELD] if name in answer.secret else given for name, given in request["params"].items()}
        value = {**value, "request": {**request, "params": params}}
    return replace(answer, key=_key(answer.key, texts), value=value)


def _key(key: str, texts: Sequence[str]) -> str:
    """What was asked, such as an HTTP call with its body: the script may have passed the secret on."""
    kind, _, arguments = key.partition(":")
    asked = json.loads(arguments)
    cleared = _members(asked, texts)
    return key if cleared == asked else f"{kind}:{json.dumps(cleared)}"


def _members(value: Any, texts: Sequence[str]) -> Any:
    """The names at the top are ours."""
    if isinstance(value, dict):
        return {name: _cleared(member, texts) for name, member in value.items()}
    return _cleared(value, texts)


def _cleared(value: Any, texts: Sequence[str]) -> Any:
    if isinstance(value, str):
        return _text(value, texts)
    if isinstance(value, dict):
        return {_text(name, texts): _cleared(member, texts) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_cleared(member, texts) for member in value]
    if type(value) in (int, float) and str(value) in texts:
        return WITHHELD
    return value


def _text(value: str, texts: Sequence[str]) -> str:
    for secret in texts:
        value = value.replace(secret, WITHHELD)
        cut = _cut(value, secret)
        if cut:
            value = value[:-cut] + WITHHELD
    return value


def _cut(value: str, secret: str) -> int:
    """How much of the secret a text ends with that was cut in the midst of it."""
    start, begin = secret[:SHORTEST], max(0, len(value) - len(secret) + 1)
    while (begin := value.find(start, begin)) >= 0:
        if secret.startswith(value[begin:]):
            return len(value) - begin
        begin += 1
    return 0
