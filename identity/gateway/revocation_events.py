"""Revocation events as an API manager takes them: `POST …/internal/data/v1/notify` (wso2-contracts §7.6)."""

import base64

import msgspec

from identity.administration.notification_targets import open_target_settings
from identity.authn.revocation_notices import RevocationNotice
from identity.messaging.outbox import Message, Outgoing
from identity.secrets import Sealer
from identity.storage.database import Database
from identity.storage.notification_targets import find_notification_target


class RevocationEvents:
    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    async def build(self, outgoing: Outgoing) -> Message | None:
        """The request of one try, with the target's settings as they are now; None when it was removed."""
        notice = msgspec.json.decode(outgoing.payload, type=RevocationNotice)
        tenant = outgoing.delivery.tenant
        target = await find_notification_target(self._database, tenant, notice.target)
        if target is None:
            return None
        settings = open_target_settings(self._sealer, tenant, target)
        event = {**notice.event, "tenantId": settings.tenant_id, "tenantDomain": settings.tenant_domain}
        headers = [("Content-Type", "application/json"), ("X-WSO2-KEY-MANAGER", settings.key_manager)]
        if settings.username or settings.password:
            credentials = base64.b64encode(f"{settings.username}:{settings.password}".encode()).decode()
            headers.append(("Authorization", f"Basic {credentials}"))
        return Message(msgspec.json.encode(event), tuple(headers))
