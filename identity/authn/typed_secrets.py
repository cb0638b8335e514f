"""What people type into secret fields of a script's forms. The script needs it while the login runs; nothing that is
kept afterwards has it: not the flow, not the recording, not the trace.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from identity.authn.login_record import Answer, LoginRecord, ScriptState

WITHHELD = "(withheld)"
SHORTEST = 4
"""Characters. A shorter text occurs by chance in what has nothing to do with it; it goes from its own field only."""


def without_secrets(record: LoginRecord) -> LoginRecord:
    """The record of a login that has ended, with its secrets withheld wherever the script has put them."""
    state, denial = record.script, record.denial
    if state is None or not any(answer.secret for answer in state.journal):
        return record
    texts = _texts(state)
    script = replace(
        state,
        journal=tuple(_answer(answer, texts) for answer in state.journal),
        log=tuple(_cleared(line, texts) for line in state.log),
        last=_cleared(state.last, texts),
    )
    if denial is not None:
        denial = replace(
            denial,
            reason=_cleared(denial.reason, texts),
            message=_cleared(denial.message, texts),
            parameters=_cleared(denial.parameters, texts),
        )
    return replace(record, script=script, denial=denial)


def told_without_secrets(state: ScriptState, text: str) -> str:
    """A text of the script's for a log: the message of an error, which may tell what was typed."""
    cleared: str = _cleared(text, _texts(state))
    return cleared


def _texts(state: ScriptState) -> list[str]:
    """The longest first: one may be a part of another."""
    found: set[str] = set()
    for answer in state.journal:
        params = answer.value["request"]["params"] if answer.secret else {}
        found.update(text for name in answer.secret for text in params.get(name, ()) if len(text) >= SHORTEST)
    return sorted(found, key=len, reverse=True)


def _answer(answer: Answer, texts: Sequence[str]) -> Answer:
    value = _cleared(answer.value, texts)
    if answer.secret:
        request = value["request"]
        params = {name: [WITHHELD] if name in answer.secret else given for name, given in request["params"].items()}
        value = {**value, "request": {**request, "params": params}}
    return replace(answer, key=_key(answer.key, texts), value=value)


def _key(key: str, texts: Sequence[str]) -> str:
    """What was asked, such as an HTTP call with its body: the script may have passed the secret on."""
    kind, _, arguments = key.partition(":")
    asked = json.loads(arguments)
    cleared = _cleared(asked, texts)
    return key if cleared == asked else f"{kind}:{json.dumps(cleared)}"


def _cleared(value: Any, texts: Sequence[str]) -> Any:
    if isinstance(value, str):
        for text in texts:
            value = value.replace(text, WITHHELD)
        return value
    if isinstance(value, dict):
        return {name: _cleared(member, texts) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_cleared(member, texts) for member in value]
    return value
