"""Pings: a client is told that the result of its backchannel request is ready (OpenID CIBA Core §10.2).

The outbox sends them: no redirect is followed, and an answer of 4xx (401: the token is not known there) ends it.
"""

import base64

import msgspec

from identity.config import Purpose
from identity.domain.applications import Application
from identity.domain.deliveries import DeliveryKind
from identity.domain.pending_authorizations import PendingAuthorization
from identity.messaging.outbox import Message, Outbox, Outgoing
from identity.secrets import Sealer
from identity.storage.database import Writer

_KEPT_SECONDS = 86_400


class _Notification(msgspec.Struct):
    auth_req_id: str
    token: str
    """The client_notification_token: it shows the client who is calling."""


class CibaPings:
    def __init__(self, outbox: Outbox, sealer: Sealer) -> None:
        self._outbox = outbox
        self._sealer = sealer
        outbox.register(DeliveryKind.CIBA_PING, Purpose.CIBA_PING, self._message)

    def sealed(self, hash: bytes, auth_req_id: str, token: str) -> str:
        """What a ping for the request of this hash will need, to be kept with the request."""
        content = msgspec.json.encode(_Notification(auth_req_id, token))
        return base64.b64encode(self._sealer.seal(content, b"ciba-ping:" + hash)).decode()

    async def decided(self, writer: Writer, application: Application, pending: PendingAuthorization) -> None:
        """In the transaction of the decision, whichever way it went."""
        endpoint = application.backchannel_client_notification_endpoint
        if not pending.asked.notification or endpoint is None:
            return
        await self._outbox.enqueue(
            writer,
            DeliveryKind.CIBA_PING,
            tenant=pending.tenant,
            target=endpoint,
            payload=self._sealer.open(base64.b64decode(pending.asked.notification), b"ciba-ping:" + pending.hash),
            application=application.id,
            kept_seconds=_KEPT_SECONDS,
        )

    async def _message(self, outgoing: Outgoing) -> Message:
        notification = msgspec.json.decode(outgoing.payload, type=_Notification)
        return Message(
            msgspec.json.encode({"auth_req_id": notification.auth_req_id}),
            (("authorization", f"Bearer {notification.token}"), ("content-type", "application/json")),
        )
