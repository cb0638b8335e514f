"""What the browser is asked for passkeys, as JSON (WebAuthn Level 3 §5.1.8 and §5.1.9)."""

import base64
from collections.abc import Sequence
from typing import Any

from identity.authn.authenticators import State
from identity.authn.people import Person
from identity.domain.tenants import TenantSettings

TIMEOUT_MILLISECONDS = 300_000
ALGORITHMS = (-8, -7, -257)
"""COSE: EdDSA, ES256, RS256."""


def request_options(
    rp_id: str, challenge: str, verification: str, passkeys: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Without `passkeys` the browser shows those it finds."""
    return {
        "challenge": challenge,
        "rpId": rp_id,
        "timeout": TIMEOUT_MILLISECONDS,
        "userVerification": verification,
        "allowCredentials": [_descriptor(passkey) for passkey in passkeys],
    }


def creation_options(
    rp_id: str,
    settings: TenantSettings,
    handle: str,
    state: State,
    person: Person,
    passkeys: Sequence[dict[str, Any]],
) -> dict[str, Any]:
    return {
        "rp": {"id": rp_id, "name": settings.display_name or handle},
        "user": {
            "id": state["handle"],
            "name": person.subject.qualified_username,
            "displayName": person.display_name,
        },
        "challenge": state["challenge"],
        "pubKeyCredParams": [{"type": "public-key", "alg": algorithm} for algorithm in ALGORITHMS],
        "timeout": TIMEOUT_MILLISECONDS,
        "excludeCredentials": [_descriptor(passkey) for passkey in passkeys],
        "authenticatorSelection": {
            "residentKey": "preferred",
            "requireResidentKey": False,
            "userVerification": settings.passkey_user_verification,
        },
        "attestation": settings.passkey_attestation,
    }


def base64url_bytes(text: str) -> bytes:
    """Raises ValueError."""
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _descriptor(passkey: dict[str, Any]) -> dict[str, Any]:
    return {"type": "public-key", "id": passkey["id"], "transports": passkey["transports"]}
