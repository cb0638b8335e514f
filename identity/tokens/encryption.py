"""JWE (RFC 7516): what we encrypt for clients, and what they encrypt for us. Compact form, one recipient.

Key management and content encryption are those of `domain/keys.py` and no others. What a message asks for that costs
work before it is believed (`zip`, `p2c`, keys fetched or carried) is refused unread.
"""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import msgspec
from joserfc.errors import JoseError
from joserfc.jwe import JWERegistry, decrypt_compact, encrypt_compact

from identity.domain.keys import CONTENT_ENCRYPTIONS, KEY_MANAGEMENT_ALGORITHMS, SigningKey
from identity.errors import IdentityError
from identity.secrets import Sealer
from identity.tokens.algorithms import COORDINATE_BYTES, AsymmetricKey, import_key
from identity.tokens.compact import MAXIMUM_HEADER, MAXIMUM_JWT, InvalidToken, decode, is_encrypted, parse_object
from identity.tokens.own_keys import key_context
from identity.tokens.public_keys import PublicKeys

MAXIMUM_JWE = MAXIMUM_JWT * 4 // 3 + MAXIMUM_HEADER
"""Letters: a JWT of the greatest length, encrypted."""
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]{16}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{22}")
"""With A128GCM and A256GCM the third part is a nonce of 96 bits, the fifth a tag of 128 (RFC 7518 §5.3)."""
_FORBIDDEN_HEADERS = frozenset(
    {"crit", "jwk", "jku", "x5u", "x5c", "b64", "zip", "p2c", "p2s", "iv", "tag", "recipients", "encrypted_key"}
)
_ENCRYPTED_KEY_LETTERS = 1024
_CURVE = "P-256"
"""Of our own ECDH-ES keys."""


class NoEncryptionKey(IdentityError):
    """An application wants encrypted answers, and its keys have none to encrypt to."""

    def __init__(self, algorithm: str, detail: str = "") -> None:
        public = f"The application's key set has no key for {algorithm}: publish one with `use` `enc` (RFC 7517 §4.2)."
        super().__init__("invalid_client_metadata", public, detail=detail)


class DecryptionKeys:
    """A tenant's private encryption keys by `kid`, former ones included: clients keep copies of our key set."""

    def __init__(self, keys: Iterable[SigningKey], sealer: Sealer) -> None:
        self._keys: dict[str, AsymmetricKey] = {}
        self._newest: dict[str, AsymmetricKey] = {}
        for key in keys:
            if key.use == "enc":
                private = import_key(parse_object(sealer.open(key.private_jwk, key_context(key.kid))))
                self._keys[key.kid] = self._newest[private.key_type] = private

    def find(self, kid: str, algorithm: str) -> AsymmetricKey | None:
        """The key of this `kid`, or where it is empty the newest, when it is of the kind of the algorithm."""
        kty = "RSA" if algorithm.startswith("RSA") else "EC"
        key = self._keys.get(kid) if kid else self._newest.get(kty)
        return key if key is not None and key.key_type == kty else None


def encrypt(
    content: Mapping[str, Any] | str, keys: PublicKeys, algorithm: str, encryption: str, *, cty: str | None = None
) -> str:
    """Claims, or a JWT with `cty` `JWT` (RFC 7519 §5.2), encrypted to a key of `keys`. Raises NoEncryptionKey."""
    _require_known(algorithm, encryption)
    recipient = keys.for_encryption(algorithm)
    if recipient is None:
        raise NoEncryptionKey(algorithm)
    header = {"alg": algorithm, "enc": encryption}
    if recipient.kid is not None:
        header["kid"] = recipient.kid
    if cty is not None:
        header["cty"] = cty
    plain = content.encode("ascii") if isinstance(content, str) else msgspec.json.encode(content)
    return encrypt_compact(header, plain, recipient.key, registry=_registry(algorithm, encryption))


def decrypt(token: str, keys: DecryptionKeys, algorithms: frozenset[str], encryptions: frozenset[str]) -> bytes:
    """The plain text of a compact JWE that was encrypted to one of `keys`. Raises InvalidToken.

    That it could be decrypted says nothing about who wrote it: our public key is public.
    """
    algorithm, encryption, kid = _checked_header(token, algorithms, encryptions)
    key = keys.find(kid, algorithm)
    if key is None:
        raise InvalidToken("kid")
    try:
        plain = decrypt_compact(token, key, registry=_registry(algorithm, encryption)).plaintext
    except (JoseError, ValueError, AssertionError):
        raise InvalidToken("decryption") from None
    if plain is None or len(plain) > MAXIMUM_JWT:
        raise InvalidToken("plain text")
    return plain


def decrypt_jwt(token: str, keys: DecryptionKeys, algorithms: frozenset[str], encryptions: frozenset[str]) -> str:
    """The signed JWT in a nested one (RFC 7519 §5.2): it is verified like any other. Raises InvalidToken."""
    try:
        inner = decrypt(token, keys, algorithms, encryptions).decode("ascii")
    except UnicodeDecodeError:
        raise InvalidToken("no JWT inside") from None
    if is_encrypted(inner):
        raise InvalidToken("encrypted twice")
    return inner


def _checked_header(token: str, algorithms: frozenset[str], encryptions: frozenset[str]) -> tuple[str, str, str]:
    """`alg`, `enc` and `kid` (empty: none) of a header that is as it must be, before any key is touched."""
    if len(token) > MAXIMUM_JWE or not _COMPACT.fullmatch(token):
        raise InvalidToken("shape")
    segment, encrypted_key = token.split(".", 2)[:2]
    if len(segment) > MAXIMUM_HEADER or len(encrypted_key) > _ENCRYPTED_KEY_LETTERS:
        raise InvalidToken("header")
    header = parse_object(decode(segment))
    if _FORBIDDEN_HEADERS.intersection(header):
        raise InvalidToken("header parameter")
    algorithm, encryption, kid = header.get("alg"), header.get("enc"), header.get("kid", "")
    if not isinstance(algorithm, str) or algorithm not in algorithms or algorithm not in KEY_MANAGEMENT_ALGORITHMS:
        raise InvalidToken("alg")
    if not isinstance(encryption, str) or encryption not in encryptions or encryption not in CONTENT_ENCRYPTIONS:
        raise InvalidToken("enc")
    if not isinstance(kid, str):
        raise InvalidToken("kid")
    if algorithm.startswith("ECDH"):
        _require_ephemeral_key(header.get("epk"))
    return algorithm, encryption, kid


def _require_ephemeral_key(epk: Any) -> None:
    """RFC 7518 §4.6.1.1: a public key on our curve, and nothing else. That it is a point, the import checks."""
    if not isinstance(epk, dict) or epk.keys() != {"kty", "crv", "x", "y"}:
        raise InvalidToken("epk")
    if (epk["kty"], epk["crv"]) != ("EC", _CURVE) or not all(_is_coordinate(epk[name]) for name in ("x", "y")):
        raise InvalidToken("epk")


def _is_coordinate(value: Any) -> bool:
    return isinstance(value, str) and value.isascii() and len(decode(value)) == COORDINATE_BYTES[_CURVE]


def _require_known(algorithm: str, encryption: str) -> None:
    if algorithm not in KEY_MANAGEMENT_ALGORITHMS or encryption not in CONTENT_ENCRYPTIONS:
        raise NoEncryptionKey(f"{algorithm} with {encryption}", "not a supported algorithm")


@cache
def _registry(algorithm: str, encryption: str) -> JWERegistry:
    """joserfc's rules narrowed to this pair, with our bound on the header instead of its own."""
    registry = JWERegistry(algorithms=[algorithm, encryption], strict_check_header=False)
    registry.max_protected_header_length = MAXIMUM_HEADER
    return registry
