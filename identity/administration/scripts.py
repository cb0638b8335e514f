"""Sign-in scripts of an application or of the tenant: drafts, publishing, history, rollback, and a shadow candidate.

A version is text and tests under a number. Publishing one bundles it with its libraries under the bundle's hash, which
logins pin; a hash never changes its meaning. Nothing is published that has an error or fails one of its tests.
"""

import difflib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from adaptive_auth.check import named_secrets
from identity.administration.applications import lock_application, require_application
from identity.administration.context import Administration
from identity.administration.script_bundles import (
    ScriptAdministration,
    ScriptRefused,
    TestsFailed,
    Verified,
    surroundings_of,
    verify,
)
from identity.authn.api_access import Caller
from identity.domain.applications import Application
from identity.domain.events import Event, EventType
from identity.domain.tenants import Tenant
from identity.errors import IdentityError
from identity.storage import applications, scripts, tenants
from identity.storage.database import Conflict, Transaction
from identity.storage.events import record
from identity.storage.scripts import ScriptVersion
from identity.storage.shadow_comparisons import ShadowComparison, forget_shadow_comparisons, list_shadow_comparisons
from identity.storage.subjects import find_subject

MAXIMUM_VERSIONS = 1000
MAXIMUM_NOTE = 1000
_SAVE_TRIES = 3


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose script it is. `application` None: the tenant's, for applications that have neither steps nor script."""

    tenant: Tenant
    application: Application | None = None

    @property
    def key(self) -> str:
        """As versions are stored under."""
        return self.application.id if self.application is not None else ""

    @property
    def published(self) -> str:
        """Hash of the script that decides now; empty: none."""
        return self.application.sign_in_script if self.application is not None else self.tenant.settings.sign_in_script

    @property
    def shadow(self) -> str:
        return self.application.shadow_script if self.application is not None else self.tenant.settings.shadow_script

    @property
    def name(self) -> str:
        return self.application.name if self.application is not None else f"tenant {self.tenant.handle}"


@dataclass(frozen=True, slots=True)
class SavedVersion:
    version: ScriptVersion
    verified: Verified


async def owner_of(administration: Administration, tenant: Tenant, client_id: str = "") -> Owner:
    """Empty: the tenant itself. Raises IdentityError."""
    if not client_id:
        return Owner(tenant)
    return Owner(tenant, await require_application(administration, tenant, client_id))


async def owner_by_id(administration: Administration, tenant: Tenant, application: str) -> Owner:
    """By the application's id. Raises IdentityError."""
    found = await applications.find_application_by_id(administration.database, tenant.id, application)
    if found is None:
        raise IdentityError("unknown_application", f"There is no application {application!r}.", status=404)
    return Owner(tenant, found)


async def try_script(scripting: ScriptAdministration, owner: Owner, source: str, tests: str = "") -> Verified:
    """What saving it would say; nothing is stored."""
    around = await surroundings_of(scripting.administration, owner.tenant, owner.application)
    return await verify(scripting.trials, owner.tenant, source, tests, around)


async def save_version(
    scripting: ScriptAdministration,
    owner: Owner,
    source: str,
    *,
    tests: str = "",
    note: str = "",
    by: Caller | None = None,
) -> SavedVersion:
    """A draft: an error refuses it, a failing test is told. Raises ScriptRefused, IdentityError."""
    verified = await try_script(scripting, owner, source, tests)
    if verified.errors:
        raise ScriptRefused(verified.findings)
    version = await _drafted(scripting.administration, owner, verified, source, tests, note, by)
    for _ in range(_SAVE_TRIES):
        try:
            async with scripting.administration.database.transaction() as transaction:
                await scripts.insert_version(transaction, owner.tenant.id, version)
                await _record(transaction, scripting.administration, owner, EventType.SCRIPT_SAVED, version, by)
            return SavedVersion(version, verified)
        except Conflict:
            # Somebody saved that number meanwhile.
            version = replace(version, number=await _next_number(scripting.administration, owner))
    raise Conflict(f"version {version.number}")


async def publish(
    scripting: ScriptAdministration, owner: Owner, number: int, *, by: Caller | None = None
) -> SavedVersion:
    """Let this version decide, with the libraries as they are now. Raises ScriptRefused, TestsFailed, IdentityError."""
    version = await require_version(scripting.administration, owner, number)
    verified = await _publishable(scripting, owner, version.source, version.tests)
    published = replace(version, hash=verified.script.hash, published_at=scripting.administration.clock.now())
    async with scripting.administration.database.transaction() as transaction:
        await _publish(transaction, scripting.administration, owner, published, verified, by)
    return SavedVersion(published, verified)


async def rollback(
    scripting: ScriptAdministration, owner: Owner, number: int, *, by: Caller | None = None
) -> SavedVersion:
    """Publish the text of an old version as a new one. Raises as `publish` does."""
    administration = scripting.administration
    old = await require_version(administration, owner, number)
    verified = await _publishable(scripting, owner, old.source, old.tests)
    note = f"version {number} again"
    version = await _drafted(administration, owner, verified, old.source, old.tests, note, by)
    published = replace(version, published_at=administration.clock.now())
    async with administration.database.transaction() as transaction:
        await scripts.insert_version(transaction, owner.tenant.id, published)
        await _publish(transaction, administration, owner, published, verified, by)
    return SavedVersion(published, verified)


async def unpublish(administration: Administration, owner: Owner, *, by: Caller | None = None) -> None:
    """No script decides any more; logins that have begun go on with the one they pinned."""
    async with administration.database.transaction() as transaction:
        await point_to(transaction, owner, administration.clock.now(), sign_in_script="")
        await _record(transaction, administration, owner, EventType.SCRIPT_UNPUBLISHED, None, by)


async def set_shadow(
    scripting: ScriptAdministration, owner: Owner, number: int | None, *, by: Caller | None = None
) -> str:
    """Compare a version silently on live sign-ins from now on; None: no more. The candidate's hash, or empty."""
    administration, hash = scripting.administration, ""
    version, verified = None, None
    if number is not None:
        version = await require_version(administration, owner, number)
        verified = await try_script(scripting, owner, version.source)
        if verified.errors:
            raise ScriptRefused(verified.findings)
        hash = verified.script.hash
    async with administration.database.transaction() as transaction:
        if verified is not None:
            await insert_bundle_of(transaction, administration, owner.tenant, verified)
        if owner.shadow != hash and owner.shadow:
            await forget_shadow_comparisons(transaction, owner.tenant.id, owner.shadow)
        await point_to(transaction, owner, administration.clock.now(), shadow_script=hash)
        await _record(transaction, administration, owner, EventType.SCRIPT_SHADOWED, version, by)
    return hash


async def shadow_report(administration: Administration, owner: Owner) -> list[ShadowComparison]:
    """How the candidate compares so far; nothing without one."""
    if not owner.shadow:
        return []
    found = await list_shadow_comparisons(administration.database, owner.tenant.id, owner.shadow)
    return [each for each in found if not owner.key or each.application == owner.key]


async def history(administration: Administration, owner: Owner) -> list[ScriptVersion]:
    """The newest first."""
    return await scripts.list_versions(administration.database, owner.tenant.id, owner.key, MAXIMUM_VERSIONS)


async def require_version(administration: Administration, owner: Owner, number: int) -> ScriptVersion:
    found = await scripts.find_version(administration.database, owner.tenant.id, owner.key, number)
    if found is None:
        raise IdentityError("unknown_version", f"There is no version {number} of this script.", status=404)
    return found


async def published_version(administration: Administration, owner: Owner) -> ScriptVersion | None:
    """The one that decides now."""
    return current_of(owner, await history(administration, owner))


def current_of(owner: Owner, versions: list[ScriptVersion]) -> ScriptVersion | None:
    published = [each for each in versions if each.published_at is not None and each.hash == owner.published]
    return max(published, key=lambda each: (each.published_at or 0, each.number), default=None)


async def diff(administration: Administration, owner: Owner, old: int, new: int) -> str:
    """Unified; empty where the texts are the same."""
    one, other = [await require_version(administration, owner, number) for number in (old, new)]
    lines = difflib.unified_diff(
        one.source.splitlines(), other.source.splitlines(), f"version {old}", f"version {new}", lineterm=""
    )
    return "".join(f"{line}\n" for line in lines)


async def point_to(transaction: Transaction, owner: Owner, now: int, **hashes: str) -> None:
    """Set `sign_in_script` or `shadow_script`, as an update of the application or tenant: every cache sees it."""
    tenant = owner.tenant
    if owner.application is not None:
        application = await lock_application(transaction, tenant, owner.application.client_id)
        if "sign_in_script" in hashes and application.sign_in_script:
            await scripts.leave_bundle(transaction, tenant.id, application.sign_in_script, now)
        await applications.update_application(transaction, tenant.id, replace(application, **hashes))  # type: ignore[arg-type]
        return
    locked = await tenants.lock_tenant(transaction, tenant.handle)
    if locked is None:
        raise IdentityError("unknown_tenant", f"There is no tenant {tenant.handle!r}.", status=404)
    if "sign_in_script" in hashes and locked.settings.sign_in_script:
        await scripts.leave_bundle(transaction, tenant.id, locked.settings.sign_in_script, now)
    settings = replace(locked.settings, **hashes)  # type: ignore[arg-type]
    await tenants.update_tenant(transaction, replace(locked, settings=settings))


async def insert_bundle_of(
    transaction: Transaction, administration: Administration, tenant: Tenant, verified: Verified
) -> None:
    script = verified.script
    await scripts.insert_bundle(transaction, tenant.id, script.hash, script.to_json(), administration.clock.now())


async def author_of(administration: Administration, tenant: Tenant, by: Caller | None) -> str:
    """A name for the history."""
    if by is None:
        return "command line"
    if by.subject is not None:
        subject = await find_subject(administration.database, tenant.id, by.subject)
        if subject is not None:
            return subject.qualified_username
    return by.application.client_id if by.application is not None else "unknown"


async def _publishable(scripting: ScriptAdministration, owner: Owner, source: str, tests: str) -> Verified:
    verified = await try_script(scripting, owner, source, tests)
    if verified.errors:
        raise ScriptRefused(verified.findings)
    if verified.failed:
        raise TestsFailed(verified.results)
    return verified


async def _publish(
    transaction: Transaction,
    administration: Administration,
    owner: Owner,
    version: ScriptVersion,
    verified: Verified,
    by: Caller | None,
) -> None:
    tenant = owner.tenant.id
    await _require_unchanged(transaction, owner, verified)
    await insert_bundle_of(transaction, administration, owner.tenant, verified)
    assert version.published_at is not None
    await scripts.mark_published(
        transaction, tenant, owner.key, version.number, hash=version.hash, at=version.published_at
    )
    await point_to(transaction, owner, version.published_at, sign_in_script=version.hash)
    await _record(transaction, administration, owner, EventType.SCRIPT_PUBLISHED, version, by)


async def _require_unchanged(transaction: Transaction, owner: Owner, verified: Verified) -> None:
    """The steps are those that the script was checked with, and the secrets that it names are there. Whoever changes
    either locks the same rows. Raises IdentityError 409."""
    locked = await tenants.lock_tenant(transaction, owner.tenant.handle)
    steps = locked.settings.sign_in_steps if locked is not None else None
    same = steps == owner.tenant.settings.sign_in_steps
    if owner.application is not None:
        application = await lock_application(transaction, owner.tenant, owner.application.client_id)
        same = same and application.sign_in_steps == owner.application.sign_in_steps
    present = {secret.name for secret in await scripts.list_secrets(transaction, owner.tenant.id)}
    if not same or not named_secrets(verified.script) <= present:
        raise _changed_meanwhile()


def unless_published_meanwhile(owner: Owner) -> Callable[[Application], None]:
    """For a change that was checked with the script of this owner: raises where another decides by then."""

    def require(application: Application) -> None:
        if application.sign_in_script != owner.published:
            raise _changed_meanwhile()

    return require


def _changed_meanwhile() -> IdentityError:
    return IdentityError(
        "conflict", "Steps, script or secrets were changed meanwhile. Look at them, and try again.", status=409
    )


async def _drafted(
    administration: Administration,
    owner: Owner,
    verified: Verified,
    source: str,
    tests: str,
    note: str,
    by: Caller | None,
) -> ScriptVersion:
    if len(note) > MAXIMUM_NOTE or "\0" in note:
        raise IdentityError("invalid_request", f"A note has at most {MAXIMUM_NOTE} characters.")
    return ScriptVersion(
        application=owner.key,
        number=await require_room(administration, owner),
        hash=verified.script.hash,
        source=source,
        tests=tests,
        author=await author_of(administration, owner.tenant, by),
        note=note,
        created_at=administration.clock.now(),
    )


async def require_room(administration: Administration, owner: Owner) -> int:
    """The number of the next version. Raises IdentityError 409 where there are as many as one script may have."""
    number = await _next_number(administration, owner)
    if number > MAXIMUM_VERSIONS:
        raise IdentityError("too_many_versions", f"A script has at most {MAXIMUM_VERSIONS} versions.", status=409)
    return number


async def _next_number(administration: Administration, owner: Owner) -> int:
    newest = await scripts.list_versions(administration.database, owner.tenant.id, owner.key, 1)
    return newest[0].number + 1 if newest else 1


async def _record(
    transaction: Transaction,
    administration: Administration,
    owner: Owner,
    event: EventType,
    version: ScriptVersion | None,
    by: Caller | None,
) -> None:
    data: dict[str, Any] = {"version": str(version.number), "hash": version.hash} if version is not None else {}
    await record(
        transaction,
        Event(
            tenant=owner.tenant.id,
            type=event,
            at=administration.clock.now(),
            application=owner.key,
            data={**data, **(by.named if by is not None else {})},
        ),
    )
