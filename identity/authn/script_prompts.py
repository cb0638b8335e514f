"""Forms that scripts ask for: `prompt("genericForm", {title, text, inputs, choices})`.

Fields are named by the script, so they must not take the names of our own. One that holds a secret, by its type or its
name, is shown as a password is, and its value is not kept (`typed_secrets`).
"""

import re
from typing import Any

_ID = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,40}")
_OURS = frozenset({"action", "csrf_token", "authenticator", "password", "username", "account", "remember", "choice"})
_SECRET = re.compile(r"pass(word|wd|phrase|code)|secret|pwd|otp|cvv|cvc|pin_?code|(^|[._-])pin($|[._-])", re.IGNORECASE)
MAXIMUM_INPUTS = 10
MAXIMUM_TEXT = 500


def shown_prompt(data: dict[str, Any]) -> dict[str, Any]:
    """`{title, text, inputs: [{id, label, secret}], choices}` of what a script gave; what is not understood is left
    out.

    `inputs` are WSO2's `[{id, label}]`, with `type: "password"` where it is a secret, or plain names; other texts of
    `data` are not shown.
    """
    inputs = []
    for entry in _list(data.get("inputs")):
        given = entry if isinstance(entry, dict) else {"id": entry}
        name = str(given.get("id", ""))
        if _ID.fullmatch(name) and name not in _OURS:
            secret = given.get("type") == "password" or _SECRET.search(name) is not None
            inputs.append({"id": name, "label": _text(given.get("label")) or name, "secret": secret})
    return {
        "title": _text(data.get("title")),
        "text": _text(data.get("text") or data.get("message") or data.get("description")),
        "inputs": inputs,
        "choices": [_text(choice) for choice in _list(data.get("choices")) if _text(choice)],
    }


def prompt_answers(data: dict[str, Any], form: dict[str, str]) -> dict[str, str]:
    """Of a posted form only what the prompt has asked for; a choice only if it was offered."""
    shown = shown_prompt(data)
    answers = {entry["id"]: form.get(entry["id"], "") for entry in shown["inputs"]}
    if form.get("choice") in shown["choices"]:
        answers["choice"] = form["choice"]
    return answers


def secret_fields(data: dict[str, Any]) -> tuple[str, ...]:
    """Names of the form's inputs whose values nobody keeps."""
    return tuple(entry["id"] for entry in shown_prompt(data)["inputs"] if entry["secret"])


def _list(value: Any) -> list[Any]:
    return value[:MAXIMUM_INPUTS] if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value[:MAXIMUM_TEXT] if isinstance(value, str) else ""
