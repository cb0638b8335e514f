"""Whoever ends a session tells every application that it reached (OpenID Connect Back-Channel Logout 1.0).

The notices are written in the transaction that ends the session, so none is lost and none is sent for nothing; the
logout tokens are made when they are sent (`oidc.back_channel`).
"""

from collections.abc import Iterable

import msgspec

from identity.domain.deliveries import DeliveryKind
from identity.messaging.outbox import Outbox
from identity.storage.configuration import TenantConfiguration
from identity.storage.database import Writer
from identity.storage.session_applications import ReachedApplication
from identity.tokens.subjects import shown_subject


class LogoutNotice(msgspec.Struct, frozen=True):
    """Payload of a delivery `backchannel_logout`. `sub` as the application knows the person, `sid` the session."""

    tenant: str
    """Handle."""
    client_id: str
    sub: str
    sid: str


async def enqueue_logout_notices(
    outbox: Outbox, writer: Writer, tenant: TenantConfiguration, reached: Iterable[ReachedApplication]
) -> None:
    """One for each application that has a `backchannel_logout_uri`; `writer` ends the sessions."""
    for use in reached:
        application = use.application
        if application.backchannel_logout_uri is None:
            continue
        notice = LogoutNotice(
            tenant.tenant.handle,
            application.client_id,
            shown_subject(tenant, application, use.subject),
            use.session,
        )
        await outbox.enqueue(
            writer,
            DeliveryKind.BACKCHANNEL_LOGOUT,
            tenant=tenant.id,
            target=application.backchannel_logout_uri,
            payload=msgspec.json.encode(notice),
            application=application.id,
            subject=use.subject,
        )
