"""Gateways that hear of revocations: set up and removed (wso2-contracts §7.6)."""

from urllib.parse import urlsplit

import msgspec

from identity.administration.context import Administration
from identity.domain.events import Event, EventType
from identity.domain.notification_targets import NotificationTarget, TargetSettings
from identity.domain.tenants import ROOT_TENANT, Tenant, TenantId
from identity.errors import IdentityError
from identity.ids import new_id
from identity.secrets import Sealer
from identity.storage import notification_targets, tenants
from identity.storage.events import record

SUPER_TENANT = ("carbon.super", -1234)
"""How an API manager names the tenant that has no name of its own."""


async def create_notification_target(
    administration: Administration,
    tenant: Tenant,
    url: str,
    *,
    username: str = "",
    password: str = "",
    key_manager: str = "WSO2-IS",
    tenant_domain: str = "",
    tenant_id: int | None = None,
) -> NotificationTarget:
    """An API manager's notify address. Whether it may be called is said by `outbound_allow` when it is.

    Without `tenant_domain` and `tenant_id` they are the handle and number of the tenant, for the root tenant those of
    an API manager's own. Raises IdentityError.
    """
    if not _is_address(url):
        raise IdentityError("invalid_target", "The address must be like https://am.example.org/internal/data/v1/notify")
    if not key_manager.isascii() or not key_manager.isprintable() or ":" in username or len(key_manager) > 100:
        raise IdentityError("invalid_target", "The username has a colon, or the key manager's type is not plain text.")
    domain, number = SUPER_TENANT if tenant.id == ROOT_TENANT else (tenant.handle, int(tenant.id))
    settings = TargetSettings(
        username=username,
        password=password,
        key_manager=key_manager,
        tenant_domain=tenant_domain or domain,
        tenant_id=number if tenant_id is None else tenant_id,
    )
    id = new_id()
    target = NotificationTarget(
        id=id,
        kind="api_manager",
        url=url,
        settings=administration.sealer.seal(msgspec.json.encode(settings), _context(tenant.id, id)),
        created_at=administration.clock.now(),
    )
    async with administration.database.transaction() as transaction:
        await notification_targets.insert_notification_target(transaction, tenant.id, target)
        await tenants.touch_tenant(transaction, tenant.id)
        await record(
            transaction,
            Event(
                tenant=tenant.id,
                type=EventType.NOTIFICATION_TARGET_CREATED,
                at=target.created_at,
                data={"target": target.id, "url": target.url},
            ),
        )
    return target


async def delete_notification_target(administration: Administration, tenant: Tenant, target: str) -> None:
    """What is still to be delivered to it is dropped. Raises IdentityError."""
    async with administration.database.transaction() as transaction:
        if not await notification_targets.delete_notification_target(transaction, tenant.id, target):
            raise IdentityError("unknown_target", f"There is no notification target {target!r}.", status=404)
        await tenants.touch_tenant(transaction, tenant.id)
        await record(
            transaction,
            Event(
                tenant=tenant.id,
                type=EventType.NOTIFICATION_TARGET_DELETED,
                at=administration.clock.now(),
                data={"target": target},
            ),
        )


async def rewrap_notification_targets(administration: Administration, tenant: TenantId) -> int:
    """Seal their settings with the current master key; how many."""
    sealer = administration.sealer
    targets = await notification_targets.list_notification_targets(administration.database, tenant)
    for target in targets:
        context = _context(tenant, target.id)
        settings = sealer.seal(sealer.open(target.settings, context), context)
        async with administration.database.transaction() as transaction:
            await notification_targets.reseal_notification_target(transaction, tenant, target.id, settings)
    return len(targets)


def open_target_settings(sealer: Sealer, tenant: TenantId, target: NotificationTarget) -> TargetSettings:
    """Raises ConfigurationError when they were sealed under a key that is gone."""
    return msgspec.json.decode(sealer.open(target.settings, _context(tenant, target.id)), type=TargetSettings)


def _is_address(url: str) -> bool:
    """Credentials belong into the settings, which are sealed: the address is shown in logs and lists."""
    try:
        parts = urlsplit(url)
        named = parts.hostname and parts.port != 0
    except ValueError:
        return False
    plain = url.isascii() and url.isprintable() and " " not in url and len(url) <= 500
    return bool(plain and named and parts.scheme in ("http", "https") and "@" not in parts.netloc and "#" not in url)


def _context(tenant: TenantId, target: str) -> bytes:
    return f"notification-target:{tenant}:{target}".encode()
