"""The addresses in client metadata: which of them may be registered, and the one document that is looked at then.

Only the text is checked here; where a name leads is checked by the guarded client at each request (attack row 13).
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from identity.config import Purpose
from identity.errors import IdentityError
from identity.messaging.guarded_client import GuardedClient
from identity.oauth2.clients.client_metadata import invalid_metadata

_CALLED = {
    "jwks_uri": Purpose.CLIENT_METADATA,
    "sector_identifier_uri": Purpose.CLIENT_METADATA,
    "logo_uri": Purpose.CLIENT_METADATA,
    "backchannel_logout_uri": Purpose.LOGOUT,
    "backchannel_client_notification_endpoint": Purpose.CIBA_PING,
}


def check_urls(client: GuardedClient, values: Mapping[str, Any]) -> None:
    """Raises OAuthError invalid_client_metadata for an address that we would never call."""
    given = [(name, values.get(name), purpose) for name, purpose in _CALLED.items()]
    # OpenID Connect Registration §2: a fragment of a request_uri is the hash of what is there.
    given += [("request_uris", uri.partition("#")[0], Purpose.CLIENT_METADATA) for uri in values["request_uris"]]
    for name, uri, purpose in given:
        problem = None if uri is None else client.check_url(uri, purpose)
        if problem is not None:
            raise invalid_metadata(f"{name}: {problem}")


async def require_sector(client: GuardedClient, values: Mapping[str, Any]) -> None:
    """OpenID Connect Registration §5: the document at sector_identifier_uri lists every redirect address.

    Raises OAuthError invalid_client_metadata.
    """
    uri = values["sector_identifier_uri"]
    if uri is None:
        return
    try:
        answer = await client.fetch(uri, purpose=Purpose.CLIENT_METADATA)
        listed = msgspec.json.decode(answer.body, type=list[str]) if answer.status == 200 else None
    except (IdentityError, msgspec.DecodeError):
        listed = None
    if listed is None:
        raise invalid_metadata("sector_identifier_uri: there is no JSON array of redirect addresses.")
    missing = [redirect_uri for redirect_uri in values["redirect_uris"] if redirect_uri not in listed]
    if missing:
        raise invalid_metadata(f"sector_identifier_uri: {missing[0]!r} of redirect_uris is not listed there.")
