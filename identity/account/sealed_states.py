"""What a factor keeps between a page and its form, where there is no login flow: sealed, in the form itself, once."""

import base64
import json
from hashlib import sha256

from identity.authn.authenticators import State
from identity.clock import SECOND
from identity.errors import ConfigurationError
from identity.secrets import Sealer, base64url
from identity.storage.used_values import note_used_value
from identity.storage.write_batch import WriteBatch

LIFETIME_SECONDS = 900


class SealedStates:
    """Bound to the tenant, the session and the factor that it was made for."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def seal(self, place: str, state: State, now: int) -> str:
        """`place` names tenant, session and factor."""
        document = json.dumps({"state": state, "until": now + LIFETIME_SECONDS * SECOND})
        return base64url(self._sealer.seal(document.encode(), _context(place)))

    def open(self, place: str, sealed: str, now: int) -> State | None:
        """None: not one of ours, another place's, or too old."""
        try:
            raw = base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
            document = json.loads(self._sealer.open(raw, _context(place)))
        except (ValueError, ConfigurationError):
            return None
        state: State = document["state"]
        return state if now < document["until"] else None

    async def use_up(self, batch: WriteBatch, tenant: int, sealed: str, now: int) -> None:
        """With the batch's commit it is used: the same again is a Conflict, and nothing is written."""
        hash = sha256(b"factor-state\0" + sealed.encode()).digest()
        await note_used_value(batch, tenant, hash, now + LIFETIME_SECONDS * SECOND)


def _context(place: str) -> bytes:
    return f"account-factor:{place}".encode()
