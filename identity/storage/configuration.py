"""Tenants, applications and keys as the process knows them: cached, and exact by version (decision 35).

The token road compares the versions it cached with those its one statement reads; when one has moved on it raises
`ConfigurationMoved`, the cache is loaded again, and the whole request is answered once more from client
authentication. Other roads ask for a snapshot no older than a second, or for the exact application.
"""

from collections import OrderedDict
from dataclasses import dataclass, field

from identity.clock import SECOND, Clock
from identity.domain.applications import Application
from identity.domain.keys import SigningKey
from identity.domain.notification_targets import NotificationTarget
from identity.domain.tenants import Tenant, TenantId, TenantSettings
from identity.storage import applications, notification_targets, signing_keys, tenants, user_stores
from identity.storage.database import Database
from identity.storage.user_stores import StoreRow

CACHED_TENANTS = 1000
CACHED_APPLICATIONS = 5000
RECENT = SECOND


class ConfigurationMoved(Exception):
    """What the process had cached is older than the database: load again and answer the request once more."""


@dataclass(slots=True)
class TenantConfiguration:
    """One tenant's snapshot. Applications are added as they are asked for."""

    tenant: Tenant
    keys: tuple[SigningKey, ...]
    stores: tuple[StoreRow, ...]
    checked_at: int
    notification_targets: tuple[NotificationTarget, ...] = ()
    """Gateways that hear of revocations."""
    applications: OrderedDict[str, Application] = field(default_factory=OrderedDict)
    client_ids: dict[str, str] = field(default_factory=dict)
    """Application id to client id; it never changes, so it is kept for good."""

    @property
    def id(self) -> TenantId:
        return self.tenant.id

    @property
    def settings(self) -> TenantSettings:
        return self.tenant.settings

    @property
    def prefix(self) -> str:
        return self.tenant.prefix


class Configuration:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._tenants: OrderedDict[str, TenantConfiguration] = OrderedDict()

    def cached(self, handle: str) -> TenantConfiguration | None:
        """Whatever is cached, however old: only for callers that compare versions."""
        return self._tenants.get(handle)

    async def load(self, handle: str) -> TenantConfiguration | None:
        """Read the tenant now. None when it is unknown or disabled."""
        tenant = await tenants.find_tenant(self._database, handle)
        if tenant is None or not tenant.enabled:
            self._tenants.pop(handle, None)
            return None
        known = self._known(tenant)
        if known is not None:
            return known
        snapshot = TenantConfiguration(
            tenant=tenant,
            keys=await signing_keys.list_signing_keys(self._database, tenant.id),
            stores=tuple(await user_stores.list_user_stores(self._database, tenant.id)),
            checked_at=self._clock.now(),
            notification_targets=tuple(await notification_targets.list_notification_targets(self._database, tenant.id)),
        )
        known = self._known(tenant)
        if known is not None:
            # Another request has read the same meanwhile. One snapshot a version: who compares finds no change in it.
            return known
        older = self._tenants.get(handle)
        if older is not None and older.id == tenant.id:
            if older.tenant.version > tenant.version:
                # A newer one came while this was being read.
                return older
            snapshot.applications, snapshot.client_ids = older.applications, older.client_ids
        self._tenants[handle] = snapshot
        if len(self._tenants) > CACHED_TENANTS:
            self._tenants.popitem(last=False)
        return snapshot

    def _known(self, tenant: Tenant) -> TenantConfiguration | None:
        """The cached snapshot when it is of this version."""
        known = self._tenants.get(tenant.handle)
        if known is None or (known.id, known.tenant.version) != (tenant.id, tenant.version):
            return None
        known.checked_at = self._clock.now()
        return known

    async def recent(self, handle: str) -> TenantConfiguration | None:
        """A snapshot no older than a second: what pages, discovery and JWKS are made from."""
        known = self._tenants.get(handle)
        if known is not None and self._clock.now() - known.checked_at < RECENT:
            return known
        return await self.load(handle)

    async def application(self, tenant: TenantConfiguration, client_id: str) -> Application | None:
        """The cached application, or the stored one when it is not cached. The caller compares its version."""
        known = tenant.applications.get(client_id)
        return known if known is not None else await self.load_application(tenant, client_id)

    async def load_application(self, tenant: TenantConfiguration, client_id: str) -> Application | None:
        """Read the application now."""
        found = await applications.find_application(self._database, tenant.id, client_id)
        if found is None:
            tenant.applications.pop(client_id, None)
            return None
        self._remember(tenant, found)
        return found

    async def exact_application(self, tenant: TenantConfiguration, client_id: str) -> Application | None:
        """The application as it is stored at this moment, at the cost of one small read."""
        known = tenant.applications.get(client_id)
        if known is not None:
            stored = await applications.find_application_version(self._database, tenant.id, client_id)
            if stored == (known.id, known.version):
                return known
        return await self.load_application(tenant, client_id)

    async def client_id_of(self, tenant: TenantConfiguration, application: str) -> str | None:
        """The client id of an application by its id."""
        known = tenant.client_ids.get(application)
        if known is not None:
            return known
        found = await applications.find_application_by_id(self._database, tenant.id, application)
        if found is None:
            return None
        self._remember(tenant, found)
        return found.client_id

    async def reload(self, tenant: TenantConfiguration) -> TenantConfiguration | None:
        """After ConfigurationMoved: forget the applications and read the tenant again."""
        tenant.applications.clear()
        return await self.load(tenant.tenant.handle)

    def _remember(self, tenant: TenantConfiguration, application: Application) -> None:
        tenant.applications[application.client_id] = application
        tenant.client_ids[application.id] = application.client_id
        if len(tenant.applications) > CACHED_APPLICATIONS:
            tenant.applications.popitem(last=False)
        if len(tenant.client_ids) > 4 * CACHED_APPLICATIONS:
            tenant.client_ids.pop(next(iter(tenant.client_ids)))
