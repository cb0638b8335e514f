"""Whoever ends something that tokens stand on tells the tenant's gateways (wso2-contracts §7.6, decision 9).

A gateway that validates JWTs by itself, or keeps answers of introspection, hears of it by these events. They are
written in the transaction that is the cause, so none is lost and none is sent for nothing. Tokens are stored as hashes
only: when it was not a client that presented the token, the event names the person or the application.
"""

from typing import Any

import msgspec

from identity.clock import SECOND
from identity.domain.deliveries import DeliveryKind
from identity.ids import new_id
from identity.messaging.outbox import Outbox
from identity.storage.configuration import TenantConfiguration
from identity.storage.database import Writer

TOKEN_REVOCATION = "token_revocation"
CONSUMER_APP_REVOCATION = "consumer_app_revocation_event"
SUBJECT_ENTITY_REVOCATION = "subject_entity_revocation_event"


class RevocationNotice(msgspec.Struct, frozen=True):
    """Payload of a delivery `revocation_event`: the event without what only the target's settings know."""

    target: str
    """Id of the notification target."""
    event: dict[str, Any]


async def tell_token_revoked(
    outbox: Outbox,
    writer: Writer,
    tenant: TenantConfiguration,
    *,
    token: str,
    is_jwt: bool,
    expires_at: int,
    user: str,
    client_id: str,
) -> None:
    """`token` is the `jti` of a JWT, or the opaque token that its client presented; `expires_at` in seconds."""
    members = {
        "accessToken": token,
        "expiryTime": expires_at * 1000,
        "user": user,
        "consumerKey": client_id,
        "tokenType": "JWT" if is_jwt else "Default",
    }
    await _enqueue(outbox, writer, tenant, TOKEN_REVOCATION, members)


async def tell_subject_ended(outbox: Outbox, writer: Writer, tenant: TenantConfiguration, subject: str) -> None:
    """Whatever this person got so far is over, or some of it that cannot be named more exactly."""
    members = {"entityId": subject, "entityType": "USER_ID", "revocationTime": _now(outbox)}
    await _enqueue(outbox, writer, tenant, SUBJECT_ENTITY_REVOCATION, members)


async def tell_application_ended(outbox: Outbox, writer: Writer, tenant: TenantConfiguration, client_id: str) -> None:
    """The application is disabled or gone, or has another secret."""
    members = {"consumerKey": client_id, "revocationTime": _now(outbox)}
    await _enqueue(outbox, writer, tenant, CONSUMER_APP_REVOCATION, members)


async def _enqueue(
    outbox: Outbox, writer: Writer, tenant: TenantConfiguration, type: str, members: dict[str, Any]
) -> None:
    for target in tenant.notification_targets:
        event = {"eventId": new_id(), "timeStamp": _now(outbox), "type": type, "properties": {}, **members}
        await outbox.enqueue(
            writer,
            DeliveryKind.REVOCATION_EVENT,
            tenant=tenant.id,
            target=target.url,
            payload=msgspec.json.encode(RevocationNotice(target.id, event)),
        )


def _now(outbox: Outbox) -> int:
    """Milliseconds."""
    return outbox.clock.now() // (SECOND // 1000)
