"""The variable segments of a path: what they say, and which are refused."""

import re
from urllib.parse import unquote_to_bytes

_NO_SEGMENT = (b"", b".", b"..")
# RFC 3986 §2.1
_ENCODED = re.compile(rb"(?:[^%]|%[0-9A-Fa-f]{2})+")


def path_value(segment: bytes, *, encoded: bool) -> str | None:
    """What a variable segment says: one plain segment, without matrix parameters (attack class 25), in which something
    may be encoded only with `encoded`. None for every other."""
    if segment in _NO_SEGMENT or b";" in segment or not segment.isascii():
        return None
    if b"%" not in segment:
        return segment.decode("ascii")
    if not encoded or _ENCODED.fullmatch(segment) is None:
        return None
    try:
        # Once: what looks encoded in the result is part of the name.
        text = unquote_to_bytes(segment).decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text if text.isprintable() and text not in (".", "..") else None


def match_path(segments: list[bytes], parts: list[bytes], *, encoded: bool) -> dict[str, str] | None:
    """The variables of a path that a pattern takes, both split at slashes; else None."""
    values: dict[str, str] = {}
    for segment, part in zip(segments, parts, strict=True):
        if segment[:1] == b"{":
            value = path_value(part, encoded=encoded)
            if value is None:
                return None
            values[segment[1:-1].decode()] = value
        elif segment != part:
            return None
    return values
