"""An authenticator in software (WebAuthn Level 3 §6), obedient or not: every part of what it says can be changed."""

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from identity.secrets import base64url
from tests.support.in_process import BASE_URL

PRESENT, VERIFIED, BACKUP_ELIGIBLE, BACKED_UP, ATTESTED, EXTENDED = 0x01, 0x04, 0x08, 0x10, 0x40, 0x80


@dataclass
class SoftKey:
    """One credential. `counter` 0 stays 0, as synchronised passkeys have it; any other grows with each use."""

    origin: str = BASE_URL
    rp_id: str = "localhost"
    counter: int = 0
    flags: int = PRESENT | VERIFIED
    id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    handle: str = ""
    private: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def create(self, options: dict[str, Any], **changes: Any) -> str:
        """The answer to `navigator.credentials.create`, as the page posts it."""
        self.handle = options["user"]["id"]
        attested = (
            bytes(16) + len(self.id).to_bytes(2, "big") + self.id + self._public() + changes.get("after_key", b"")
        )
        data = self._data(changes, ATTESTED) + attested
        document = cbor2.dumps({"fmt": "none", "attStmt": changes.get("statement", {}), "authData": data})
        response = {
            "clientDataJSON": self._client_data("webauthn.create", options, changes),
            "attestationObject": base64url(document + changes.get("after_document", b"")),
            "transports": ["internal"],
        }
        return self._credential(response)

    def get(self, options: dict[str, Any], **changes: Any) -> str:
        """The answer to `navigator.credentials.get`."""
        if self.counter:
            self.counter += 1
        client_data = self._client_data("webauthn.get", options, changes)
        data = self._data(changes) + changes.get("after_data", b"")
        signed = data + hashlib.sha256(_bytes(client_data)).digest()
        response = {
            "clientDataJSON": client_data,
            "authenticatorData": base64url(data),
            "signature": base64url(changes.get("key", self.private).sign(signed, ec.ECDSA(hashes.SHA256()))),
            "userHandle": changes.get("handle", self.handle),
        }
        return self._credential(response)

    def _credential(self, response: dict[str, Any]) -> str:
        name = base64url(self.id)
        return json.dumps({"id": name, "rawId": name, "type": "public-key", "response": response})

    def _client_data(self, type: str, options: dict[str, Any], changes: dict[str, Any]) -> str:
        document = {
            "type": changes.get("type", type),
            "challenge": changes.get("challenge", options["challenge"]),
            "origin": changes.get("origin", self.origin),
            "crossOrigin": changes.get("cross_origin", False),
        }
        return base64url(json.dumps(document).encode())

    def _data(self, changes: dict[str, Any], more: int = 0) -> bytes:
        flags = changes.get("flags", self.flags) | more
        rp_hash = hashlib.sha256(changes.get("rp_id", self.rp_id).encode()).digest()
        counter: int = changes.get("counter", self.counter)
        return rp_hash + bytes([flags]) + counter.to_bytes(4, "big")

    def _public(self) -> bytes:
        point = self.private.public_key().public_numbers()
        key: bytes = cbor2.dumps({1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")})
        return key


def _bytes(text: str) -> bytes:
    from identity.authn.authenticators.passkey_options import base64url_bytes

    return base64url_bytes(text)
