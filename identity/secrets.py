"""Secrets at rest: the master key seals values, and a `Secret` never shows itself in a repr or a log."""

import base64
import hashlib
import hmac
import os
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from identity.errors import ConfigurationError

_NONCE_BYTES = 12
_KEY_ID_BYTES = 4


class Secret(str):
    """Text whose repr is masked; `str(value)` and formatting give the text itself, so format it on purpose only."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret('***')"


class Sealer:
    """Seals and opens values under the master key (AES-256-GCM).

    A sealed value is key id (4 bytes) ‖ nonce (12) ‖ ciphertext and tag; `context` is authenticated with it, so that a
    value copied to another row or tenant does not open. Older keys open, only the first one seals.
    """

    def __init__(self, keys: Mapping[bytes, bytes]) -> None:
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self._current, current_key = next(iter(keys.items()))
        self._hmac_key = hashlib.sha256(b"client-secret\0" + current_key).digest()
        self._hmac_keys = {key_id: hashlib.sha256(b"client-secret\0" + key).digest() for key_id, key in keys.items()}

    @classmethod
    def from_master_keys(cls, *master_keys: bytes) -> "Sealer":
        """Build from raw 32-byte keys, the current one first."""
        if any(len(key) != 32 for key in master_keys):
            raise ConfigurationError("The master key must be 32 bytes (64 hexadecimal digits).")
        return cls({hashlib.sha256(b"key-id\0" + key).digest()[:_KEY_ID_BYTES]: key for key in master_keys})

    @property
    def key_id(self) -> bytes:
        return self._current

    def seal(self, value: bytes, context: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return self._current + nonce + self._ciphers[self._current].encrypt(nonce, value, context)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Raises ConfigurationError when the value was sealed by a key we were not given, or was changed."""
        cipher = self._ciphers.get(sealed[:_KEY_ID_BYTES])
        if cipher is None:
            raise ConfigurationError("A stored value was sealed by another master key; give that key too.")
        nonce_end = _KEY_ID_BYTES + _NONCE_BYTES
        try:
            return cipher.decrypt(sealed[_KEY_ID_BYTES:nonce_end], sealed[nonce_end:], context)
        except InvalidTag:
            raise ConfigurationError("A stored value does not open with the master key: it was changed.") from None

    def derive(self, purpose: str) -> bytes:
        """A 32-byte key of its own for one purpose, the same in every worker."""
        return hmac.digest(self._hmac_key, purpose.encode(), "sha256")

    def fingerprint(self, value: str) -> bytes:
        """HMAC-SHA-256 of a client secret, prefixed by the key id, for comparison without keeping the secret."""
        return self._current + hmac.digest(self._hmac_key, value.encode(), "sha256")

    def matches(self, value: str, fingerprint: bytes) -> bool:
        """Constant-time comparison of a presented secret with a stored fingerprint."""
        key = self._hmac_keys.get(fingerprint[:_KEY_ID_BYTES])
        if key is None:
            return False
        return hmac.compare_digest(hmac.digest(key, value.encode(), "sha256"), fingerprint[_KEY_ID_BYTES:])


def base64url(data: bytes) -> str:
    """Without padding (RFC 7515 §2): how hashes and thumbprints stand in tokens, forms and cookies."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token_hash(value: str) -> bytes:
    """SHA-256: how tokens, codes and cookie values are stored. They carry 256 random bits, so no salt is needed."""
    return hashlib.sha256(value.encode()).digest()
