"""The two requests this store makes, as octets (RFC 4511, BER with the limits of its §5.1).

A search filter goes from the tree to octets without ever being text, so there is nothing to escape and nothing that
could be taken for syntax. (Releases of ldap3 disagree about who undoes a filter's escapes: through its text form a
name with a parenthesis in it finds nobody. Encoding here also saves most of the CPU time of a request.)
"""

from collections.abc import Sequence
from typing import Literal

from userstores.ldap.filters import And, Equal, Filter, Or, Present

Scope = Literal["BASE", "SUBTREE"]

_SCOPES: dict[Scope, int] = {"BASE": 0, "SUBTREE": 2}
_BOOLEAN, _INTEGER, _OCTETS, _ENUMERATED, _SEQUENCE = 0x01, 0x02, 0x04, 0x0A, 0x30
_BIND_REQUEST, _SEARCH_REQUEST, _CONTROLS = 0x60, 0x63, 0xA0
_SIMPLE = 0x80
_AND, _OR, _EQUALITY_MATCH, _PRESENT = 0xA0, 0xA1, 0xA3, 0x87
_NEVER_DEREF_ALIASES = 0


def search_request(
    message_id: int,
    base: str,
    scope: Scope,
    tree: Filter,
    attributes: Sequence[str],
    *,
    size_limit: int = 0,
    time_limit: int = 0,
    controls: bytes = b"",
) -> bytes:
    """§4.5.1. The limits are entries and seconds, 0 for none; `controls` are encoded ones, one after the other."""
    body = (
        _octets(base)
        + _number(_ENUMERATED, _SCOPES[scope])
        + _number(_ENUMERATED, _NEVER_DEREF_ALIASES)
        + _number(_INTEGER, size_limit)
        + _number(_INTEGER, time_limit)
        + _tagged(_BOOLEAN, b"\0")
        + encode_filter(tree)
        + _tagged(_SEQUENCE, b"".join(_octets(name) for name in attributes))
    )
    return _message(message_id, _tagged(_SEARCH_REQUEST, body), controls)


def bind_request(message_id: int, dn: str, password: bytes, controls: bytes = b"") -> bytes:
    """§4.2, version 3, simple. Raises ValueError for an empty name or password: RFC 4513 §5.1.2 would make of it an
    anonymous success."""
    if not dn or not password:
        raise ValueError("a bind needs a name and a password")
    body = _number(_INTEGER, 3) + _octets(dn) + _tagged(_SIMPLE, password)
    return _message(message_id, _tagged(_BIND_REQUEST, body), controls)


def control(oid: str, value: bytes | None = None) -> bytes:
    """§4.1.11, not critical."""
    return _tagged(_SEQUENCE, _octets(oid) + (b"" if value is None else _tagged(_OCTETS, value)))


def paged_results(size: int, cookie: bytes) -> bytes:
    """The value of the control of RFC 2696."""
    return _tagged(_SEQUENCE, _number(_INTEGER, size) + _tagged(_OCTETS, cookie))


def encode_filter(node: Filter) -> bytes:
    """§4.5.1.7."""
    match node:
        case Equal(attribute, value):
            return _tagged(_EQUALITY_MATCH, _octets(attribute) + _octets(value))
        case Present(attribute):
            return _tagged(_PRESENT, attribute.encode())
        case And(parts):
            return _tagged(_AND, b"".join(encode_filter(part) for part in parts))
        case Or(parts):
            return _tagged(_OR, b"".join(encode_filter(part) for part in parts))


def _message(message_id: int, operation: bytes, controls: bytes) -> bytes:
    tail = _tagged(_CONTROLS, controls) if controls else b""
    return _tagged(_SEQUENCE, _number(_INTEGER, message_id) + operation + tail)


def _octets(value: str | bytes) -> bytes:
    return _tagged(_OCTETS, value.encode() if isinstance(value, str) else value)


def _number(tag: int, value: int) -> bytes:
    return _tagged(tag, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _tagged(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + content
