"""User stores of a tenant: connected, changed, tested, disconnected."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from identity.administration.context import Administration
from identity.domain.events import Event, EventType
from identity.errors import IdentityError
from identity.storage import tenants, user_stores
from identity.storage.configuration import TenantConfiguration
from identity.storage.database import Transaction
from identity.storage.events import record
from identity.storage.user_stores import StoreRow
from userstores.registry import STORE_TYPES, check_store_name
from userstores.spi import ConnectionReport


async def create_store(
    administration: Administration, tenant: TenantConfiguration, name: str, kind: str, settings: Mapping[str, Any]
) -> StoreRow:
    """Connect a store under its domain name. Raises IdentityError for a bad name, type or setting; Conflict."""
    try:
        name = check_store_name(name)
    except ValueError as error:
        raise IdentityError("invalid_store", f"{error}.") from None
    if kind not in STORE_TYPES:
        raise IdentityError("invalid_store", f"The type must be {' or '.join(STORE_TYPES)}.")
    await _try(administration, tenant, name, kind, settings)
    row = StoreRow(
        name=name,
        type=kind,
        enabled=True,
        position=len(tenant.stores),
        created_at=administration.clock.now(),
        settings=administration.seal_store_settings(tenant.id, name, settings),
    )
    async with administration.database.transaction() as transaction:
        await user_stores.insert_user_store(transaction, tenant.id, row)
        await _changed(transaction, administration, tenant, EventType.STORE_CREATED, name)
    return row


async def update_store(
    administration: Administration,
    tenant: TenantConfiguration,
    name: str,
    settings: Mapping[str, Any] | None = None,
    *,
    enabled: bool | None = None,
) -> None:
    """Replace its settings, or switch it off and on."""
    row = require_store(tenant, name)
    if settings is not None:
        await _try(administration, tenant, name, row.type, settings)
        row = replace(row, settings=administration.seal_store_settings(tenant.id, name, settings))
    if enabled is not None:
        row = replace(row, enabled=enabled)
    async with administration.database.transaction() as transaction:
        await user_stores.update_user_store(transaction, tenant.id, row)
        await _changed(transaction, administration, tenant, EventType.STORE_UPDATED, name)


async def delete_store(administration: Administration, tenant: TenantConfiguration, name: str) -> None:
    """Disconnect it. Its people cannot sign in or refresh any more; the store itself is left as it is."""
    require_store(tenant, name)
    async with administration.database.transaction() as transaction:
        await user_stores.delete_user_store(transaction, tenant.id, name)
        await _changed(transaction, administration, tenant, EventType.STORE_DELETED, name)


async def test_store(administration: Administration, tenant: TenantConfiguration, name: str) -> ConnectionReport:
    """Try the store's whole way, and say what is wrong with it."""
    row = require_store(tenant, name)
    settings = administration.open_store_settings(tenant.id, name, row.settings)
    store = administration.people.build(tenant, row.type, name, settings)
    try:
        report: ConnectionReport = await store.check_connection()
        return report
    finally:
        await store.close()


def require_store(tenant: TenantConfiguration, name: str) -> StoreRow:
    for row in tenant.stores:
        if row.name == name:
            return row
    raise IdentityError("unknown_store", f"There is no user store {name!r}.", status=404)


async def _try(
    administration: Administration, tenant: TenantConfiguration, name: str, kind: str, settings: Mapping[str, Any]
) -> None:
    """Settings that no store can be built from are refused before they are saved."""
    try:
        store = administration.people.build(tenant, kind, name, settings)
    except (ValueError, TypeError, KeyError) as error:
        raise IdentityError("invalid_store", f"The settings of {name} cannot be used: {error}.") from None
    await store.close()


async def _changed(
    transaction: Transaction, administration: Administration, tenant: TenantConfiguration, event: EventType, name: str
) -> None:
    await tenants.touch_tenant(transaction, tenant.id)
    await record(
        transaction,
        Event(tenant=tenant.id, type=event, at=administration.clock.now(), data={"store": name}),
    )
