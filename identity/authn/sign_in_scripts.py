"""Scripts as logins use them: by the hash that a login has pinned. What a hash stands for never changes."""

from collections import OrderedDict

from adaptive_auth.script import Script
from identity.domain.tenants import TenantId
from identity.errors import ConfigurationError
from identity.secrets import Sealer
from identity.storage.configuration import TenantConfiguration
from identity.storage.database import Database
from identity.storage.scripts import ScriptSecret, find_bundle, find_secret, list_secrets

CACHED_SCRIPTS = 200
CACHED_TENANTS = 1000


class SignInScripts:
    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer
        self._scripts: OrderedDict[tuple[int, str], Script] = OrderedDict()
        self._names: OrderedDict[int, tuple[int, tuple[str, ...]]] = OrderedDict()

    async def load(self, tenant: TenantConfiguration, hash: str) -> Script | None:
        """None when there is none, or when what is stored is not what the hash says."""
        key = (int(tenant.id), hash)
        known = self._scripts.get(key)
        if known is not None:
            self._scripts.move_to_end(key)
            return known
        document = await find_bundle(self._database, tenant.id, hash)
        if document is None:
            return None
        script = Script.from_json(document)
        if script.hash != hash:
            return None
        self._scripts[key] = script
        if len(self._scripts) > CACHED_SCRIPTS:
            self._scripts.popitem(last=False)
        return script

    async def secret_names(self, tenant: TenantConfiguration) -> tuple[str, ...]:
        """Read once for each version of the tenant: a secret that is added or deleted raises it."""
        known = self._names.get(tenant.id)
        if known is not None and known[0] == tenant.tenant.version:
            return known[1]
        names = tuple(secret.name for secret in await list_secrets(self._database, tenant.id))
        self._names[tenant.id] = (tenant.tenant.version, names)
        if len(self._names) > CACHED_TENANTS:
            self._names.popitem(last=False)
        return names

    async def secret(self, tenant: TenantConfiguration, name: str) -> tuple[ScriptSecret, str] | None:
        """A secret and its value, for an HTTP call that is about to be made."""
        found = await find_secret(self._database, tenant.id, name)
        if found is None:
            return None
        try:
            return found, self._sealer.open(found.sealed, secret_context(tenant.id, name)).decode()
        except ConfigurationError:
            return None


def secret_context(tenant: TenantId, name: str) -> bytes:
    """What a sealed secret is bound to."""
    return f"script-secret:{tenant}:{name}".encode()
