"""Codes that people read in one place and type in another."""

import secrets

ALPHABET = "23456789BCDFGHJKMNPQRSTVWXZ"
"""Nothing that looks like something else (0 O, 1 I L), and no vowels, so that no words come about: 4.75 bits each."""

GROUP = 4


def new_code(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def shown_code(code: str) -> str:
    """In groups: `BCDF-GHJK`."""
    return "-".join(code[start : start + GROUP] for start in range(0, len(code), GROUP))


def typed_code(text: str) -> str:
    """What was meant: case, blanks and hyphens do not matter. At most 64 characters are looked at."""
    return "".join(text[:64].split()).replace("-", "").upper()
