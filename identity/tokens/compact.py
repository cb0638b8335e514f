"""A JWT as text: taken apart under strict rules, before any key is chosen (RFC 7515 §7.1, RFC 7519, RFC 8725).

One spelling for one token: base64url without padding or spare bits, UTF-8, JSON without repeated members. What a
message says about how to check it (`crit`, `jwk`, `jku`, `x5u`, `x5c`, `b64`, `zip`) is refused unread.
"""

import json
import re
from collections.abc import Mapping, Set
from typing import Any, NamedTuple

from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from joserfc.util import urlsafe_b64decode

from identity.domain.strict_json import distinct, finite
from identity.errors import IdentityError
from identity.tokens.algorithms import MODELS, AsymmetricKey

Header = Mapping[str, Any]
Claims = dict[str, Any]

MAXIMUM_JWT = 16_384
MAXIMUM_HEADER = 4_096
"""Letters of the header's segment: room for the public key of a DPoP proof."""

# RFC 7515 §3.1, §2: base64url without padding; decoders pass over what is not in their alphabet, we do not.
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_FORBIDDEN_HEADERS = frozenset({"crit", "jwk", "jku", "x5u", "x5c", "b64", "zip"})


class InvalidToken(IdentityError):
    """The text is not a JWT that can be believed. Every cause looks the same from outside."""

    def __init__(self, detail: str) -> None:
        super().__init__("invalid_token", "The token is not valid.", detail=detail, status=401)


class CompactJws(NamedTuple):
    """The parts of a compact JWS; nothing in them is verified."""

    header: Header
    header_segment: str
    payload_segment: str
    signing_input: bytes
    signature: bytes

    def claims(self) -> Claims:
        """The payload as a JSON object. Raises InvalidToken."""
        return parse_object(decode(self.payload_segment))

    def algorithm(self, allowed: Set[str]) -> str:
        """The header's `alg` when the caller allows it (RFC 8725 §3.1). Raises InvalidToken."""
        algorithm = self.header.get("alg")
        if not isinstance(algorithm, str) or algorithm not in allowed:
            raise InvalidToken("alg")
        return algorithm

    def is_signed_by(self, algorithm: str, key: AsymmetricKey | OctKey) -> bool:
        """Whether the signature is that of `key` by `algorithm`, which the caller chose, not the header."""
        try:
            return MODELS[algorithm].verify(self.signing_input, self.signature, key)
        except (JoseError, ValueError):
            return False


def read_compact(token: str, *, embedded_key: bool = False) -> CompactJws:
    """Take a compact JWS apart. Raises InvalidToken. `embedded_key`: its header may, and must, carry `jwk`."""
    if len(token) > MAXIMUM_JWT or not _COMPACT.fullmatch(token):
        raise InvalidToken("shape")
    signing_input, _, signature = token.rpartition(".")
    header_segment, _, payload_segment = signing_input.partition(".")
    if len(header_segment) > MAXIMUM_HEADER:
        raise InvalidToken("header")
    header = parse_object(decode(header_segment))
    forbidden = _FORBIDDEN_HEADERS.intersection(header)
    if forbidden != ({"jwk"} if embedded_key else set()):
        raise InvalidToken("header parameter")
    # RFC 7515 §4.1.4: a string, where it is there.
    if not isinstance(header.get("kid", ""), str):
        raise InvalidToken("kid")
    return CompactJws(header, header_segment, payload_segment, signing_input.encode("ascii"), decode(signature))


def read_header(token: str) -> Header:
    """The protected header of a compact JWS, checked for shape only. Raises InvalidToken."""
    return read_compact(token).header


def kid_of(token: str) -> str | None:
    """The `kid` that the header names: with it the caller fetches keys. Raises InvalidToken."""
    kid: str | None = read_compact(token).header.get("kid")
    return kid


def peek(token: str) -> Claims:
    """The claims of a JWT that nobody has verified. Raises InvalidToken.

    Only for choosing the key: whose key is asked for is in `iss` or `client_id`. Believe nothing of it.
    """
    return read_compact(token).claims()


def is_encrypted(token: str) -> bool:
    """Whether the text has the five parts of a compact JWE (RFC 7516 §9)."""
    return token.count(".") == 4


def require_typ(header: Header, allowed: frozenset[str | None]) -> None:
    """RFC 7515 §4.1.9, RFC 8725 §3.11: `typ` is a media type, `application/` left out or not. Raises InvalidToken."""
    typ = header.get("typ")
    if isinstance(typ, str):
        if typ.lower().removeprefix("application/") in {name.lower() for name in allowed if name}:
            return
    elif "typ" not in header and None in allowed:
        return
    raise InvalidToken("typ")


def decode(segment: str) -> bytes:
    """Base64url to the letter, spare bits zero (RFC 4648 §3.5). Raises InvalidToken."""
    try:
        return urlsafe_b64decode(segment.encode("ascii"))
    except ValueError:
        raise InvalidToken("base64url") from None


def parse_object(data: bytes) -> Claims:
    """A JSON object whose members are all different (RFC 8725 §2.4): a repeated name has two readings.

    Raises InvalidToken.
    """
    try:
        # RFC 7519 §7.2: UTF-8; left to itself, the parser would guess UTF-16 and UTF-32 too.
        text = data.decode("utf-8")
        value = json.loads(text, object_pairs_hook=distinct, parse_constant=finite, parse_float=finite)
        if "\\u" in text:
            _require_storable(text, value)
    except (ValueError, RecursionError):
        raise InvalidToken("JSON") from None
    if not isinstance(value, dict):
        raise InvalidToken("not an object")
    return value


def _require_storable(text: str, value: Any) -> None:
    """RFC 8259 §8.2: an escape can spell half a character or NUL, which neither a database nor UTF-8 takes."""
    json.dumps(value, ensure_ascii=False).encode("utf-8")
    if "\\u0000" in text:
        raise ValueError("NUL")
