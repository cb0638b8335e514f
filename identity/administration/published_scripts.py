"""The scripts that decide now, all of a tenant's: whom a change beside them would concern."""

from adaptive_auth.check import named_secrets
from adaptive_auth.script import Script
from identity.administration.context import Administration
from identity.administration.script_bundles import bundle
from identity.administration.scripts import Owner, current_of
from identity.domain.tenants import Tenant
from identity.storage import applications, scripts, tenants
from identity.storage.scripts import ScriptVersion


async def list_published(administration: Administration, tenant: Tenant) -> list[tuple[Owner, ScriptVersion]]:
    """Every owner whose script decides now, with its version."""
    by_owner: dict[str, list[ScriptVersion]] = {}
    for version in await scripts.list_published_versions(administration.database, tenant.id):
        by_owner.setdefault(version.application, []).append(version)
    fresh = await tenants.find_tenant(administration.database, tenant.handle) or tenant
    found: list[tuple[Owner, ScriptVersion]] = []
    for key, versions in by_owner.items():
        application = (
            await applications.find_application_by_id(administration.database, tenant.id, key) if key else None
        )
        if key and application is None:
            continue
        owner = Owner(fresh, application)
        current = current_of(owner, versions)
        if current is not None:
            found.append((owner, current))
    return found


async def owners_with_library(administration: Administration, tenant: Tenant, name: str) -> list[str]:
    """Names of the owners whose published script requires the library, also through another."""
    return [owner for owner, script in await _bundled(administration, tenant) if name in script.libraries]


async def owners_with_secret(administration: Administration, tenant: Tenant, name: str) -> list[str]:
    """Names of the owners whose published script, or a library of it, writes the secret's name out."""
    return [owner for owner, script in await _bundled(administration, tenant) if name in named_secrets(script)]


async def _bundled(administration: Administration, tenant: Tenant) -> list[tuple[str, Script]]:
    """Each owner's name, and the script with its libraries as it would be bundled now."""
    libraries = {each.name: each.source for each in await scripts.list_libraries(administration.database, tenant.id)}
    published = await list_published(administration, tenant)
    return [(owner.name, bundle(version.source, libraries)[0]) for owner, version in published]
