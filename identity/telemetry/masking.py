"""What must not reach a log: secrets, and characters that would forge a line or drive a terminal (attack row 32)."""

import re
from collections.abc import Mapping
from typing import Any

from identity.secrets import Secret

MASK = "***"
_LONGEST = 8192
_DEEPEST = 6

_SECRET_NAMES = frozenset(
    {
        "assertion", "auth_req_id", "authorization", "client_assertion", "code", "code_verifier", "cookie",
        "database_url", "device_code", "dpop", "id_token_hint", "login_hint_token", "master_key", "otp", "passwd",
        "password",
        "private_key", "proxy_authorization", "pwd", "request", "request_uri", "samlresponse", "secret", "set_cookie",
        "token", "user_code",
    }
)  # fmt: skip
_SECRET_ENDINGS = ("password", "_secret", "_token", "_cookie", "_assertion", "_private_key", "_master_key")

# In free text: a credential after its scheme, a secret parameter of a URL or form, and user information of a URL.
_CREDENTIAL = re.compile(r"(?i)\b(bearer|basic|dpop)\s+[a-z0-9._~+/=-]{8,}")
_PARAMETER = re.compile(
    r"(?i)\b((?:[a-z]+_)?(?:password|secret|token|assertion)|code|code_verifier|id_token_hint|device_code|user_code)"
    r"=[^&\s\"'<>]+"
)
_USER_INFORMATION = re.compile(r"(?i)\b([a-z][a-z0-9+.-]{1,20}://[^\s/:@]{0,255}):[^\s/@]{1,255}@")

# Control characters, line and paragraph separators, and what turns the direction of text.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def is_secret_name(name: str) -> bool:
    name = name.lower().replace("-", "_")
    return name in _SECRET_NAMES or name.endswith(_SECRET_ENDINGS)


def masked(value: Any, depth: int = 0) -> Any:
    """`value` as a log may show it: secrets masked by name and by type, text on one line and not endless."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Secret):
        return MASK
    if isinstance(value, str):
        return neutral(value)
    if depth >= _DEEPEST:
        return "…"
    if isinstance(value, Mapping):
        return {neutral(str(name)): masked_field(str(name), item, depth + 1) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [masked(item, depth + 1) for item in value]
    return neutral(repr(value))


def masked_field(name: str, value: Any, depth: int = 0) -> Any:
    """A value under its name. Numbers and truth values tell no secret, so `token=True` stays readable."""
    if is_secret_name(name) and value is not None and not isinstance(value, bool | int | float):
        return MASK
    return masked(value, depth)


def masked_address(address: str) -> str:
    """A mail address as logs show it: `a***@example.org`."""
    local, _, domain = address.rpartition("@")
    return neutral(f"{local[:1]}{MASK}@{domain}")


def neutral(text: str) -> str:
    """One line without credentials, control characters or an end far away. Never raises."""
    if len(text) > _LONGEST:
        text = text[:_LONGEST] + "…"
    text = _without_credentials(text)
    return text if text.isascii() and text.isprintable() else _UNPRINTABLE.sub(_escape, text)


def neutral_lines(text: str) -> str:
    """A traceback: its line ends stay, and every line begins so that none can pass for a log line of its own."""
    lines = _without_credentials(text[-4 * _LONGEST :]).split("\n")
    return "\n".join("  | " + _UNPRINTABLE.sub(_escape, line) for line in lines)


def _without_credentials(text: str) -> str:
    # What a text cannot contain is not looked for: most values are one short word.
    if " " in text or "\t" in text:
        text = _CREDENTIAL.sub(rf"\1 {MASK}", text)
    if "=" in text:
        text = _PARAMETER.sub(rf"\1={MASK}", text)
    if "://" in text:
        text = _USER_INFORMATION.sub(rf"\1:{MASK}@", text)
    return text


def _escape(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"
