"""Usernames and login names: what may be one, and how two compare."""

import unicodedata

SEPARATOR = "/"
PRIMARY = "PRIMARY"
USERNAME_LIMIT = 256
"""Characters; longer ones are in no store and are not sent to any."""

_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})


def is_username(text: str) -> bool:
    """Not empty, not too long, and free of control characters, lone surrogates and line separators."""
    if not text or len(text) > USERNAME_LIMIT or text != text.strip():
        return False
    return (text.isascii() and text.isprintable()) or not any(unicodedata.category(c) in _UNPRINTABLE for c in text)


def username_key(username: str) -> str:
    """What must be unique in a store: the case-folded NFC form (RFC 8265 §3.3, with folding instead of mapping)."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", username).casefold())


def split_login_name(name: str) -> tuple[str | None, str]:
    """`DOMAIN/user` as (DOMAIN in upper case, user); a bare name as (None, name). Only the first `/` separates."""
    domain, separator, username = name.partition(SEPARATOR)
    return (domain.upper(), username) if separator and domain else (None, name)


def qualified_name(store: str, username: str) -> str:
    """`DOMAIN/user`, or the bare name in the primary store; a name there that looks qualified gets its domain, too."""
    return username if store == PRIMARY and SEPARATOR not in username else f"{store}{SEPARATOR}{username}"
