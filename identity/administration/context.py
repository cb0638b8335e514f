"""What every administrative function needs. REST, command line, registration and tests all pass one of these."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from identity.authn.people import People, store_context
from identity.clock import Clock
from identity.errors import IdentityError
from identity.messaging.outbox import Outbox
from identity.secrets import Sealer
from identity.storage.configuration import Configuration, TenantConfiguration
from identity.storage.database import Database


@dataclass(frozen=True, slots=True)
class Administration:
    database: Database
    configuration: Configuration
    people: People
    sealer: Sealer
    clock: Clock
    outbox: Outbox
    """What has to be told to others because of what is done here."""

    def seal_store_settings(self, tenant: int, name: str, settings: Mapping[str, Any]) -> bytes:
        return self.sealer.seal(json.dumps(settings).encode(), store_context(tenant, name))

    def open_store_settings(self, tenant: int, name: str, sealed: bytes) -> dict[str, Any]:
        settings: dict[str, Any] = json.loads(self.sealer.open(sealed, store_context(tenant, name)))
        return settings

    async def tenant(self, handle: str) -> TenantConfiguration:
        """The tenant with its keys and stores, read now. Raises IdentityError."""
        tenant = await self.configuration.load(handle)
        if tenant is None:
            raise IdentityError("unknown_tenant", f"There is no tenant {handle!r}.", status=404)
        return tenant
