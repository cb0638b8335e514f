"""Hashes that other programs made, verified by libpass (imported as `passlib`) under the scheme that was named.

The schemes are those we have proven against vectors made by other programs. Cost parameters are capped before
anything is computed: a hash is data, and data must not choose how long we work.
"""

import re
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

BCRYPT_BYTES = 72
"""bcrypt never looked further (newer libraries raise instead): an imported hash is compared as it was made."""

ARGON2_MEMORY_LIMIT, ARGON2_TIME_LIMIT, ARGON2_PARALLELISM_LIMIT = 131_072, 10, 8
_ARGON2_COST = re.compile(
    r"\$argon2(?:id|i|d)\$v=\d{1,3}\$m=(\d{1,9}),t=(\d{1,9}),p=(\d{1,9})\$[^$]{4,128}\$[^$]{4,256}"
)
_ROUNDS = {
    "bcrypt": (re.compile(r"\$2[abxy]\$(\d\d)\$.{53}"), 14),
    "sha256_crypt": (re.compile(r"\$5\$(?:rounds=(\d{1,10})\$)?[^$]{0,16}\$.{43}"), 1_000_000),
    "sha512_crypt": (re.compile(r"\$6\$(?:rounds=(\d{1,10})\$)?[^$]{0,16}\$.{86}"), 1_000_000),
    "django_pbkdf2_sha256": (re.compile(r"pbkdf2_sha256\$(\d{1,10})\$[^$]{1,128}\$.{44}"), 2_000_000),
    "ldap_pbkdf2_sha256": (re.compile(r"\{PBKDF2-SHA256\}(\d{1,10})\$[^$]{0,256}\$.{43}"), 2_000_000),
}
_PHPASS_LIMIT = 18
_ITOA64 = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_FIXED = frozenset(
    ("md5_crypt", "apr_md5_crypt", "ldap_salted_sha1", "ldap_salted_md5", "ldap_salted_sha512", "mysql41")
)

SCHEMES = frozenset((*_ROUNDS, *_FIXED, "phpass", "argon2"))
"""What `{scheme}` may name for an imported hash: libpass's own names."""

STORED_LIMIT = 512


def matches(scheme: str, value: str, password: str) -> bool:
    """Whether the password is the hash's. Unknown scheme, bad form and unbearable cost are a plain no."""
    if scheme not in SCHEMES or len(value) > STORED_LIMIT or not cost_is_bearable(scheme, value):
        return False
    secret = password.encode()
    verify = _verifier(scheme)
    try:
        return verify(secret[:BCRYPT_BYTES] if scheme == "bcrypt" else secret, value)
    except (ValueError, TypeError, RuntimeError):
        # The last for a scheme whose library is not installed: `check_usable` says so at the import.
        return False


def check_usable(scheme: str, value: str) -> None:
    """Raises ValueError that says why a hash could never be verified here."""
    if scheme not in SCHEMES:
        raise ValueError(f"{scheme[:40]!r} is no scheme of imported hashes; there are {', '.join(sorted(SCHEMES))}")
    if len(value) > STORED_LIMIT or not cost_is_bearable(scheme, value):
        raise ValueError(f"the hash is not of the form of {scheme}, or too costly")
    if scheme == "bcrypt" and find_spec("bcrypt") is None:
        raise ValueError("bcrypt hashes need the Python package bcrypt")


def cost_is_bearable(scheme: str, value: str) -> bool:
    """Whether verifying stays below about a second; False also for a value that is not of the scheme's form."""
    if scheme == "argon2":
        return argon2_cost_is_bearable(value)
    if scheme == "phpass":
        return value[:3] in ("$P$", "$H$") and 7 <= _ITOA64.find(value[3:4]) <= _PHPASS_LIMIT
    if scheme in _ROUNDS:
        form, limit = _ROUNDS[scheme]
        found = form.fullmatch(value)
        return found is not None and int(found[1] or 0) <= limit
    return scheme in _FIXED


def argon2_cost_is_bearable(value: str) -> bool:
    """At most 128 MiB, 10 passes, 8 lanes."""
    found = _ARGON2_COST.fullmatch(value)
    if found is None:
        return False
    memory, time, parallelism = (int(text) for text in found.groups())
    return memory <= ARGON2_MEMORY_LIMIT and time <= ARGON2_TIME_LIMIT and parallelism <= ARGON2_PARALLELISM_LIMIT


def _verifier(scheme: str) -> Callable[[bytes, str], bool]:
    import passlib.hash

    handler: Any = getattr(passlib.hash, scheme)
    return lambda secret, value: bool(handler.verify(secret, value))
