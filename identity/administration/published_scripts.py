"""The scripts that decide now, all of a tenant's: whom a change beside them concerns, and whether they fit with it."""

import json
from collections.abc import Mapping
from typing import Any

from adaptive_auth.check import Finding, may_use_secret
from adaptive_auth.script import Script
from identity.administration.applications import update_application
from identity.administration.context import Administration
from identity.administration.script_bundles import ScriptAdministration, ScriptRefused, bundle, surroundings_of, verify
from identity.administration.scripts import Owner, current_of, owner_of, unless_published_meanwhile
from identity.administration.sign_in_rules import steps_problem
from identity.administration.tenants import set_tenant_settings
from identity.administration.typed_values import typed_values
from identity.domain.applications import Application
from identity.domain.tenants import SignInStep, Tenant, TenantSettings
from identity.errors import IdentityError
from identity.storage import applications, scripts, tenants
from identity.storage.database import Runner
from identity.storage.scripts import ScriptVersion


async def list_published(
    administration: Administration, tenant: Tenant, runner: Runner | None = None
) -> list[tuple[Owner, ScriptVersion]]:
    """Every owner whose script decides now, with its version. `runner`: the transaction that asks, if one does."""
    runner = runner or administration.database
    by_owner: dict[str, list[ScriptVersion]] = {}
    for version in await scripts.list_published_versions(runner, tenant.id):
        by_owner.setdefault(version.application, []).append(version)
    fresh = await tenants.find_tenant(runner, tenant.handle) or tenant
    found: list[tuple[Owner, ScriptVersion]] = []
    for key, versions in by_owner.items():
        application = await applications.find_application_by_id(runner, tenant.id, key) if key else None
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


async def owners_with_secret(
    administration: Administration, tenant: Tenant, name: str, runner: Runner | None = None
) -> list[str]:
    """Names of the owners whose published script, or a library of it, uses the secret, or may use it."""
    return [owner for owner, script in await _bundled(administration, tenant, runner) if may_use_secret(script, name)]


async def source_of(administration: Administration, owner: Owner) -> str:
    """The text that decides now; empty where no script does."""
    if not owner.published:
        return ""
    document = await scripts.find_bundle(administration.database, owner.tenant.id, owner.published)
    return "" if document is None else str(json.loads(document)["source"])


async def require_fitting(
    scripting: ScriptAdministration, owner: Owner, steps: tuple[SignInStep, ...] | None, source: str | None = None
) -> tuple[Finding, ...]:
    """Before anything is written: the script that will decide names only steps that will be there, as when it is saved.
    The warnings about it.

    `steps`: what will be set, empty for the tenant's, None for those that are there. `source`: what will be published;
    None: what is. Raises ScriptRefused, IdentityError.
    """
    if steps is not None and (problem := steps_problem(steps)) is not None:
        raise IdentityError("invalid_application", problem)
    if source is None:
        source = await source_of(scripting.administration, owner)
    if not source.strip():
        return ()
    around = await surroundings_of(scripting.administration, owner.tenant, owner.application, steps)
    verified = await verify(scripting.trials, owner.tenant, source, "", around)
    if verified.errors:
        raise ScriptRefused(verified.findings, f"The script of {owner.name}")
    return verified.findings


async def change_application(
    scripting: ScriptAdministration, tenant: Tenant, client_id: str, settings: Mapping[str, Any]
) -> tuple[Finding, ...]:
    """Change fields of an application whose script still fits afterwards; warnings about it. Raises as
    `require_fitting` and `update_application` do."""
    if "sign_in_steps" not in settings:
        await update_application(scripting.administration, tenant, client_id, settings)
        return ()
    owner = await owner_of(scripting.administration, tenant, client_id)
    findings = await require_fitting(scripting, owner, _steps_in(Application, settings))
    same_script = unless_published_meanwhile(owner)
    await update_application(scripting.administration, tenant, client_id, settings, require=same_script)
    return findings


async def change_tenant(
    scripting: ScriptAdministration, tenant: Tenant, values: Mapping[str, Any]
) -> tuple[Finding, ...]:
    """The same for settings of a tenant: every script that runs with its steps still fits afterwards."""
    findings: list[Finding] = []
    if "sign_in_steps" in values:
        steps = _steps_in(TenantSettings, values)
        for owner, version in await list_published(scripting.administration, tenant):
            if owner.application is None or not owner.application.sign_in_steps:
                findings += await require_fitting(scripting, owner, steps, version.source)
    await set_tenant_settings(scripting.administration, tenant.handle, values)
    return tuple(findings)


def _steps_in(kind: type[Any], values: Mapping[str, Any]) -> tuple[SignInStep, ...]:
    steps: tuple[SignInStep, ...] = typed_values(kind, {"sign_in_steps": values["sign_in_steps"]})["sign_in_steps"]
    return steps


async def _bundled(
    administration: Administration, tenant: Tenant, runner: Runner | None = None
) -> list[tuple[str, Script]]:
    """Each owner's name, and the script with its libraries as it would be bundled now."""
    found = await scripts.list_libraries(runner or administration.database, tenant.id)
    libraries = {each.name: each.source for each in found}
    published = await list_published(administration, tenant, runner)
    return [(owner.name, bundle(version.source, libraries)[0]) for owner, version in published]
