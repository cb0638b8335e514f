"""Distinguished names as text (RFC 4514), parsed so that two spellings of one name are equal."""

import re
import unicodedata

Name = tuple[frozenset[tuple[str, str]], ...]
"""RDNs in the order of the text, the most specific first: each a set of attribute type (OID) and prepared value."""

MAXIMUM_TEXT = 2048

# RFC 4514 §3 names the first nine; the others (RFC 4519, RFC 2985, X.520) are common in certificates.
_TYPES = {
    "CN": "2.5.4.3",
    "L": "2.5.4.7",
    "ST": "2.5.4.8",
    "O": "2.5.4.10",
    "OU": "2.5.4.11",
    "C": "2.5.4.6",
    "STREET": "2.5.4.9",
    "DC": "0.9.2342.19200300.100.1.25",
    "UID": "0.9.2342.19200300.100.1.1",
    "SN": "2.5.4.4",
    "GIVENNAME": "2.5.4.42",
    "TITLE": "2.5.4.12",
    "SERIALNUMBER": "2.5.4.5",
    "BUSINESSCATEGORY": "2.5.4.15",
    "POSTALCODE": "2.5.4.17",
    "DNQUALIFIER": "2.5.4.46",
    "ORGANIZATIONIDENTIFIER": "2.5.4.97",
    "EMAILADDRESS": "1.2.840.113549.1.9.1",
    "E": "1.2.840.113549.1.9.1",
    "JURISDICTIONL": "1.3.6.1.4.1.311.60.2.1.1",
    "JURISDICTIONST": "1.3.6.1.4.1.311.60.2.1.2",
    "JURISDICTIONC": "1.3.6.1.4.1.311.60.2.1.3",
}
# RFC 4514 §3. Spaces beside separators are not part of it, but older writers put them there (§2.4, RFC 2253 §4).
_TYPE = re.compile(r" *([A-Za-z][A-Za-z0-9-]*|\d+(?:\.\d+)+) *= *")
_HEXADECIMAL = re.compile(r"#((?:[0-9A-Fa-f]{2})+) *")
_PAIR = re.compile(r'\\([ "#+,;<=>\\]|[0-9A-Fa-f]{2})')
_PLAIN = re.compile(r'[^\0"+,;<>\\]+')
# RFC 5280 §4.1.2.4 and X.680: the encodings of the string types.
_STRINGS = {12: "utf-8", 19: "ascii", 20: "latin-1", 22: "ascii", 30: "utf-16-be", 28: "utf-32-be"}


def parse_name(text: str) -> Name:
    """The name that `text` spells. Raises ValueError that says what is wrong."""
    if not text or len(text) > MAXIMUM_TEXT:
        raise ValueError("it is empty or too long")
    names: list[frozenset[tuple[str, str]]] = []
    attributes: list[tuple[str, str]] = []
    place = 0
    while True:
        kind, value, place = _attribute(text, place)
        attributes.append((kind, prepared(value)))
        separator = text[place : place + 1]
        if separator != "+":
            names.append(frozenset(attributes))
            attributes = []
        if not separator:
            return tuple(names)
        if separator not in "+,":
            raise ValueError(f"{separator!r} must be escaped")
        place += 1


def prepared(value: str) -> str:
    """RFC 4518 §2, as far as it concerns names: two values that match have one prepared form (RFC 5280 §7.1)."""
    return " ".join(unicodedata.normalize("NFKC", value).casefold().split())


def _attribute(text: str, place: int) -> tuple[str, str, int]:
    match = _TYPE.match(text, place)
    if match is None:
        raise ValueError("an attribute must be like CN=value")
    kind = match[1] if match[1][0].isdigit() else _TYPES.get(match[1].upper())
    if kind is None:
        raise ValueError(f"the attribute type {match[1]} is not known; write it as a dotted number")
    place = match.end()
    if encoded := _HEXADECIMAL.match(text, place):
        return kind, _decoded(bytes.fromhex(encoded[1])), encoded.end()
    if text.startswith("#", place):
        raise ValueError("a value that begins with # must be hexadecimal, or # be escaped")
    value, place = _value(text, place)
    return kind, value, place


def _value(text: str, place: int) -> tuple[str, int]:
    """An escaped byte is one of UTF-8 (RFC 4514 §2.4), so the pieces are joined as bytes. Only spaces that are not
    escaped are trimmed at the end."""
    pieces: list[bytes] = []
    trimmed = False
    while place < len(text):
        if pair := _PAIR.match(text, place):
            pieces.append(bytes.fromhex(pair[1]) if len(pair[1]) == 2 else pair[1].encode())
            place, trimmed = pair.end(), False
        elif plain := _PLAIN.match(text, place):
            pieces.append(plain[0].encode())
            place, trimmed = plain.end(), True
        else:
            break
    if trimmed:
        pieces[-1] = pieces[-1].rstrip(b" ")
    return b"".join(pieces).decode("utf-8"), place


def _decoded(encoding: bytes) -> str:
    """The text of a BER-encoded string (RFC 4514 §2.4), one with a definite length."""
    if len(encoding) < 2 or encoding[0] not in _STRINGS:
        raise ValueError("a hexadecimal value must be an encoded string")
    length, start = encoding[1], 2
    if length & 0x80:
        start = 2 + (length & 0x7F)
        length = int.from_bytes(encoding[2:start])
    if length != len(encoding) - start:
        raise ValueError("a hexadecimal value has another length than it says")
    return encoding[start:].decode(_STRINGS[encoding[0]])
