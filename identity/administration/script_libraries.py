"""Libraries of sign-in scripts. A script that is published runs with the library as it was when it was bundled, so a
changed library bundles every published script that requires it anew: all of them, or none."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from identity.administration.context import Administration
from identity.administration.published_scripts import list_published, owners_with_library
from identity.administration.script_bundles import (
    LIBRARY_NAME,
    MAXIMUM_SOURCE,
    ScriptAdministration,
    ScriptRefused,
    Surroundings,
    TestsFailed,
    Verified,
    bundle,
    surroundings_of,
    verify,
)
from identity.administration.scripts import Owner, insert_bundle_of, point_to
from identity.authn.api_access import Caller
from identity.domain.events import Event, EventType
from identity.domain.tenants import Tenant
from identity.errors import IdentityError
from identity.storage import applications, scripts, tenants
from identity.storage.database import Conflict, Transaction
from identity.storage.events import record
from identity.storage.scripts import ScriptLibrary, ScriptVersion

MAXIMUM_LIBRARIES = 200
MAXIMUM_DESCRIPTION = 1000


@dataclass(frozen=True, slots=True)
class _User:
    """A published script that requires the library."""

    owner: Owner
    version: ScriptVersion
    verified: Verified


async def require_library(administration: Administration, tenant: Tenant, name: str) -> ScriptLibrary:
    found = await scripts.find_library(administration.database, tenant.id, name)
    if found is None:
        raise IdentityError("unknown_library", f"There is no library {name!r}.", status=404)
    return found


async def put_library(
    scripting: ScriptAdministration,
    tenant: Tenant,
    name: str,
    source: str,
    *,
    description: str = "",
    by: Caller | None = None,
) -> tuple[ScriptLibrary, list[str]]:
    """Add or change one; with the names of the owners whose scripts were bundled anew.

    Raises ScriptRefused and TestsFailed where it is broken, or breaks a published script; IdentityError.
    """
    administration, now = scripting.administration, scripting.administration.clock.now()
    _require_fit(name, source, description)
    present = await scripts.find_library(administration.database, tenant.id, name)
    if present is None and len(await scripts.list_libraries(administration.database, tenant.id)) >= MAXIMUM_LIBRARIES:
        raise IdentityError("too_many_libraries", f"A tenant has at most {MAXIMUM_LIBRARIES} libraries.", status=409)
    await _require_compiling(scripting, tenant, name, source)
    users = [await _verified(scripting, each, name, source) for each in await list_published(administration, tenant)]
    affected = [user for user in users if user is not None]
    library = ScriptLibrary(
        name=name,
        description=description,
        source=source,
        created_at=present.created_at if present is not None else now,
        updated_at=now,
    )
    async with administration.database.transaction() as transaction:
        await scripts.put_library(transaction, tenant.id, library)
        for user in affected:
            await _bundle_anew(transaction, administration, user, now)
        await _record(transaction, administration, tenant, EventType.SCRIPT_LIBRARY_SAVED, name, by)
    return library, [user.owner.name for user in affected]


async def delete_library(
    administration: Administration, tenant: Tenant, name: str, *, by: Caller | None = None
) -> None:
    """Refused while a published script requires it. Raises IdentityError."""
    await require_library(administration, tenant, name)
    owners = await owners_with_library(administration, tenant, name)
    if owners:
        raise IdentityError("in_use", f"The published script of {', of '.join(owners)} requires {name}.", status=409)
    async with administration.database.transaction() as transaction:
        await scripts.delete_library(transaction, tenant.id, name)
        await _record(transaction, administration, tenant, EventType.SCRIPT_LIBRARY_DELETED, name, by)


def _require_fit(name: str, source: str, description: str) -> None:
    if not LIBRARY_NAME.fullmatch(name):
        raise IdentityError("invalid_library", "A library's name has letters, digits, dot, dash and underscore.")
    if len(source.encode("utf-8", "surrogatepass")) > MAXIMUM_SOURCE:
        raise IdentityError("invalid_library", f"A library has at most {MAXIMUM_SOURCE} bytes.")
    if len(description) > MAXIMUM_DESCRIPTION:
        raise IdentityError("invalid_library", f"A description has at most {MAXIMUM_DESCRIPTION} characters.")


async def _require_compiling(scripting: ScriptAdministration, tenant: Tenant, name: str, source: str) -> None:
    """As required by a script that does nothing else."""
    around = await surroundings_of(scripting.administration, tenant, None)
    around = replace(around, libraries={**around.libraries, name: source})
    probe = f"function onLoginRequest(context) {{ executeStep(1); }} function unused() {{ require('{name}'); }}"
    verified = await verify(scripting.trials, tenant, probe, "", around)
    if verified.errors:
        raise ScriptRefused(verified.findings)


async def _verified(
    scripting: ScriptAdministration, published: tuple[Owner, ScriptVersion], name: str, source: str
) -> _User | None:
    """The script with the changed library; None where it does not require it."""
    owner, version = published
    around = await surroundings_of(scripting.administration, owner.tenant, owner.application)
    around = _with_library(around, name, source)
    if name not in bundle(version.source, around.libraries)[0].libraries:
        return None
    verified = await verify(scripting.trials, owner.tenant, version.source, version.tests, around)
    if verified.errors:
        raise ScriptRefused(verified.findings)
    if verified.failed:
        raise TestsFailed(verified.results, f"The published script of {owner.name}")
    return _User(owner, version, verified)


def _with_library(around: Surroundings, name: str, source: str) -> Surroundings:
    libraries: Mapping[str, str] = {**around.libraries, name: source}
    return replace(around, libraries=libraries)


async def _bundle_anew(transaction: Transaction, administration: Administration, user: _User, now: int) -> None:
    """Raises Conflict when another script was published meanwhile: what was tested is not what decides."""
    owner, version = user.owner, user.version
    if await _decides(transaction, owner) != version.hash:
        raise Conflict(f"the script of {owner.name} was changed meanwhile")
    await insert_bundle_of(transaction, administration, owner.tenant, user.verified)
    hash = user.verified.script.hash
    await scripts.mark_published(transaction, owner.tenant.id, owner.key, version.number, hash=hash, at=now)
    await point_to(transaction, owner, now, sign_in_script=hash)


async def _decides(transaction: Transaction, owner: Owner) -> str:
    if owner.application is None:
        tenant = await tenants.lock_tenant(transaction, owner.tenant.handle)
        return tenant.settings.sign_in_script if tenant is not None else ""
    application = await applications.lock_application(transaction, owner.tenant.id, owner.application.client_id)
    return application.sign_in_script if application is not None else ""


async def _record(
    transaction: Transaction,
    administration: Administration,
    tenant: Tenant,
    event: EventType,
    name: str,
    by: Caller | None,
) -> None:
    data = {"library": name, **(by.named if by is not None else {})}
    await record(transaction, Event(tenant=tenant.id, type=event, at=administration.clock.now(), data=data))
