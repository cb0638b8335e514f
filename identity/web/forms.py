"""Forms, queries and cookies: each parsed once, by this parser. Repeated names are refused (decision 24).

Text with NUL or unpaired surrogates is refused here, so nothing behind it has to ask.
"""

import re
from urllib.parse import unquote_to_bytes

from identity.errors import IdentityError

MAXIMUM_PARAMETERS = 200
_NAME = re.compile(r"[a-z_-]{1,40}")


class MalformedForm(IdentityError):
    def __init__(self, public: str) -> None:
        super().__init__("invalid_request", public)


class RepeatedParameter(IdentityError):
    """RFC 6749 §3.1: request parameters must not be included more than once."""

    def __init__(self, name: str) -> None:
        # Names of strangers' making are not shown; those of a protocol are letters and underscores.
        shown = f" ({name})" if _NAME.fullmatch(name) else ""
        super().__init__(
            "invalid_request", f"A parameter or header is repeated{shown}.", detail=f"repeated: {name[:64]!r}"
        )
        self.name = name


def parse_form(data: bytes, repeatable: frozenset[str] = frozenset()) -> dict[str, str]:
    """The parameters of a query or urlencoded body; an empty value counts as absent (RFC 6749 §3.1).

    Values of `repeatable` names are joined by spaces in their order.
    """
    parameters: dict[str, str] = {}
    if not data:
        return parameters
    pairs = data.split(b"&", MAXIMUM_PARAMETERS)
    if len(pairs) > MAXIMUM_PARAMETERS:
        raise MalformedForm("There are too many parameters.")
    seen: set[str] = set()
    for pair in pairs:
        if not pair:
            continue
        raw_name, _, raw_value = pair.partition(b"=")
        name, value = _text(raw_name), _text(raw_value)
        if name in seen and name not in repeatable:
            raise RepeatedParameter(name)
        seen.add(name)
        if value:
            parameters[name] = f"{parameters[name]} {value}" if name in parameters else value
    return parameters


def _text(raw: bytes) -> str:
    if b"+" in raw:
        raw = raw.replace(b"+", b" ")
    if b"%" in raw:
        raw = unquote_to_bytes(raw)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedForm("A parameter is not UTF-8.") from None
    if "\0" in text:
        raise MalformedForm("A parameter contains NUL.")
    return text


def parse_cookies(headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Cookies by name. A name that comes twice is dropped: which of the two is ours cannot be told."""
    cookies: dict[str, str] = {}
    repeated: set[str] = set()
    for key, value in headers:
        if key != b"cookie":
            continue
        for pair in value.decode("latin-1").split(";"):
            name, separator, content = pair.strip().partition("=")
            if not separator:
                continue
            if name in cookies:
                repeated.add(name)
            cookies[name] = content
    for name in repeated:
        del cookies[name]
    return cookies
