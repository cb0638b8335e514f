"""User codes: what a person types from one screen to another (RFC 8628 §6.1)."""

import re
import secrets

ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
"""No vowels, so that no words come about; no digits, which look like letters. Eight of them are 34.5 bits."""
LENGTH = 8
_SEPARATORS = re.compile(r"[^A-Z0-9]")


def new_user_code() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def shown_user_code(code: str) -> str:
    """As it stands on the screens: `WDJB-MJHT`."""
    return f"{code[: LENGTH // 2]}-{code[LENGTH // 2 :]}"


def read_user_code(typed: str) -> str | None:
    """What was typed as a code, whatever the case and the separators; None when it cannot be one."""
    code = _SEPARATORS.sub("", typed[:64].upper())
    return code if len(code) == LENGTH and set(code).issubset(ALPHABET) else None
