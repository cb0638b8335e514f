"""Tenants: created with their keys and a store for people, changed, disabled."""

import re
from collections.abc import Callable
from dataclasses import replace

from identity.administration.context import Administration
from identity.administration.keys import create_missing_keys
from identity.domain.events import Event, EventType
from identity.domain.tenants import Tenant, TenantId, TenantSettings
from identity.errors import IdentityError
from identity.storage import tenants
from identity.storage.database import Conflict
from identity.storage.events import record
from identity.storage.user_stores import StoreRow, insert_user_store

_HANDLE = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?")
PRIMARY = "PRIMARY"


async def create_tenant(
    administration: Administration, handle: str, *, settings: TenantSettings | None = None
) -> Tenant:
    """A tenant with its own keys and an empty SQL store PRIMARY. Raises IdentityError for a bad or taken handle."""
    if not _HANDLE.fullmatch(handle):
        raise IdentityError("invalid_tenant", "A tenant's handle is a host-like name: lower-case letters, digits, - .")
    database, now = administration.database, administration.clock.now()
    existing = await tenants.list_tenants(database)
    if any(tenant.handle == handle for tenant in existing):
        raise Conflict(f"tenant {handle}")
    number = TenantId(max((tenant.id for tenant in existing), default=0) + 1)
    tenant = Tenant(id=number, handle=handle, enabled=True, version=1, settings=settings or TenantSettings())
    async with database.transaction() as transaction:
        await tenants.insert_tenant(transaction, tenant, now)
        await insert_user_store(
            transaction,
            number,
            StoreRow(
                name=PRIMARY, type="sql", enabled=True, position=0, created_at=now,
                settings=administration.seal_store_settings(number, PRIMARY, {}),
            ),
        )
        await record(transaction, Event(tenant=number, type=EventType.TENANT_CREATED, at=now))
    await create_missing_keys(administration, tenant)
    return await require_tenant(administration, handle)


async def require_tenant(administration: Administration, handle: str) -> Tenant:
    """The tenant as stored now. Raises IdentityError."""
    tenant = await tenants.find_tenant(administration.database, handle)
    if tenant is None:
        raise IdentityError("unknown_tenant", f"There is no tenant {handle!r}.", status=404)
    return tenant


async def change_tenant_settings(
    administration: Administration, handle: str, change: Callable[[TenantSettings], TenantSettings]
) -> Tenant:
    """Apply `change` to the settings; every worker sees them with its next request."""
    tenant = await require_tenant(administration, handle)
    changed = replace(tenant, settings=change(tenant.settings))
    async with administration.database.transaction() as transaction:
        await tenants.update_tenant(transaction, changed)
        await record(
            transaction, Event(tenant=tenant.id, type=EventType.TENANT_UPDATED, at=administration.clock.now())
        )
    return await require_tenant(administration, handle)


async def set_tenant_enabled(administration: Administration, handle: str, enabled: bool) -> None:
    """A disabled tenant answers 404 everywhere, and its tokens are inactive."""
    tenant = await require_tenant(administration, handle)
    async with administration.database.transaction() as transaction:
        await tenants.update_tenant(transaction, replace(tenant, enabled=enabled))
        await record(
            transaction, Event(tenant=tenant.id, type=EventType.TENANT_UPDATED, at=administration.clock.now())
        )
