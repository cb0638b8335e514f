"""Applications: registered, changed, given secrets, deleted. An update is checked as a registration is."""

import secrets as random_values
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from identity.administration.application_rules import application_problem, signing_algorithms_of
from identity.administration.context import Administration
from identity.administration.keys import ensure_keys
from identity.administration.profile_rules import with_profile_defaults
from identity.administration.tenants import ensure_pairwise_salt
from identity.administration.typed_values import typed_values
from identity.authn.revocation_notices import tell_application_ended
from identity.clock import SECOND
from identity.domain.applications import SECRET_METHODS, Application, ApplicationId, ClientId, ClientSecret
from identity.domain.events import Event, EventType
from identity.domain.tenants import Tenant
from identity.errors import IdentityError
from identity.ids import new_id
from identity.secrets import Secret
from identity.storage import applications
from identity.storage.database import Conflict, Transaction
from identity.storage.events import record
from identity.storage.logos import delete_logo
from identity.storage.scripts import forget_versions, leave_bundle
from identity.storage.web_origins import replace_web_origins

PRESET_SECRET_LENGTH = 32
_SETTABLE = frozenset(field.name for field in fields(Application)) - {
    "id",
    "client_id",
    "version",
    "created_at",
    "secrets",
}


@dataclass(frozen=True, slots=True)
class RegisteredApplication:
    """`secret` is shown this once; None for a public client."""

    application: Application
    secret: Secret | None


async def create_application(
    administration: Administration,
    tenant: Tenant,
    *,
    name: str,
    client_id: str | None = None,
    client_secret: str | None = None,
    **settings: Any,
) -> RegisteredApplication:
    """Register an application; `settings` are fields of `Application`. Raises IdentityError."""
    now = administration.clock.now()
    application = _changed(
        Application(id=ApplicationId(new_id()), client_id=ClientId(client_id or new_id()), name=name, created_at=now),
        settings,
        tenant,
    )
    secret: Secret | None = None
    if application.token_endpoint_auth_method in SECRET_METHODS:
        secret, row = _new_secret(administration, application, client_secret, now)
        application = replace(application, secrets=(row,))
    await _prepare_tenant(administration, tenant, application)
    try:
        async with administration.database.transaction() as transaction:
            await applications.insert_application(transaction, tenant.id, application)
            await replace_web_origins(transaction, tenant.id, application.id, application.web_origins)
            await _record(transaction, administration, tenant, EventType.APPLICATION_CREATED, application)
    except Conflict:
        raise IdentityError("conflict", f"There is an application {client_id!r} already.", status=409) from None
    return RegisteredApplication(application, secret)


async def update_application(
    administration: Administration,
    tenant: Tenant,
    client_id: str,
    settings: Mapping[str, Any],
    *,
    require: Callable[[Application], None] = lambda _: None,
) -> Application:
    """Change fields of an application; every worker sees them with its next request.

    `require` is asked about the application as it is when it is changed, and may raise.
    """
    present = await require_application(administration, tenant, client_id)
    await _prepare_tenant(administration, tenant, _changed(present, settings, tenant))
    place = await administration.configuration.load(tenant.handle)
    async with administration.database.transaction() as transaction:
        present = await lock_application(transaction, tenant, client_id)
        require(present)
        application = _changed(present, settings, tenant)
        version = await applications.update_application(transaction, tenant.id, application)
        if place is not None and present.enabled and not application.enabled:
            await tell_application_ended(administration.outbox, transaction, place, application.client_id)
        await replace_web_origins(transaction, tenant.id, application.id, application.web_origins)
        await _record(transaction, administration, tenant, EventType.APPLICATION_UPDATED, application)
    return replace(application, version=version)


async def _prepare_tenant(administration: Administration, tenant: Tenant, application: Application) -> None:
    """What the tenant needs to serve it: keys of the algorithms it names, the salt of pairwise subjects."""
    await ensure_keys(administration, tenant, signing_algorithms_of(application))
    if application.subject_type == "pairwise":
        await ensure_pairwise_salt(administration, tenant)


async def list_all_applications(administration: Administration, tenant: str) -> list[Application]:
    """Every application of a tenant, in the order of registration. Raises IdentityError."""
    place = await administration.tenant(tenant)
    found: list[Application] = []
    while page := await applications.list_applications_page(
        administration.database, place.id, after=found[-1].id if found else ""
    ):
        found.extend(page)
    return found


async def require_application(administration: Administration, tenant: Tenant, client_id: str) -> Application:
    """The application as stored now. Raises IdentityError."""
    return _found(await applications.find_application(administration.database, tenant.id, client_id), client_id)


async def lock_application(transaction: Transaction, tenant: Tenant, client_id: str) -> Application:
    """The application, to be stored anew in this transaction: what somebody else changes meanwhile (disabling it,
    ending a secret) is not undone. Raises IdentityError."""
    return _found(await applications.lock_application(transaction, tenant.id, client_id), client_id)


def _found(application: Application | None, client_id: str) -> Application:
    if application is None:
        raise IdentityError("unknown_application", f"There is no application {client_id!r}.", status=404)
    return application


async def add_client_secret(
    administration: Administration, tenant: Tenant, client_id: str, *, old_valid_seconds: int = 0
) -> Secret:
    """A new secret beside the old ones, which are valid for `old_valid_seconds` more (0: they end now)."""
    now = administration.clock.now()
    end = now + old_valid_seconds * SECOND
    place = await administration.configuration.load(tenant.handle)
    async with administration.database.transaction() as transaction:
        application = await lock_application(transaction, tenant, client_id)
        if application.token_endpoint_auth_method not in SECRET_METHODS:
            raise IdentityError("no_secret", "This application does not authenticate with a secret.", status=409)
        secret, row = _new_secret(administration, application, None, now)
        old = tuple(
            replace(other, expires_at=end if other.expires_at is None else min(other.expires_at, end))
            for other in application.secrets
            if other.expires_at is None or other.expires_at > now
        )
        kept = old if old_valid_seconds else ()
        if place is not None and not kept:
            await tell_application_ended(administration.outbox, transaction, place, application.client_id)
        await applications.update_application(transaction, tenant.id, replace(application, secrets=(row, *kept)))
        await _record(transaction, administration, tenant, EventType.SECRET_CREATED, application)
    return secret


def read_client_secret(administration: Administration, application: Application) -> str | None:
    """The newest secret that was kept for reading back (decision 15); None for public clients."""
    for secret in application.secrets:
        if secret.sealed is not None:
            return administration.sealer.open(secret.sealed, b"client-secret:" + secret.id.encode()).decode()
    return None


async def delete_application(administration: Administration, tenant: Tenant, client_id: str) -> None:
    """Its tokens are inactive from the commit on."""
    application = await require_application(administration, tenant, client_id)
    place = await administration.configuration.load(tenant.handle)
    async with administration.database.transaction() as transaction:
        if place is not None:
            await tell_application_ended(administration.outbox, transaction, place, application.client_id)
        await applications.delete_application(transaction, tenant.id, application.id)
        await delete_logo(transaction, tenant.id, application.id)
        await forget_versions(transaction, tenant.id, application.id)
        if application.sign_in_script:
            await leave_bundle(transaction, tenant.id, application.sign_in_script, administration.clock.now())
        await replace_web_origins(transaction, tenant.id, application.id, ())
        await _record(transaction, administration, tenant, EventType.APPLICATION_DELETED, application)


def _new_secret(
    administration: Administration, application: Application, preset: str | None, now: int
) -> tuple[Secret, ClientSecret]:
    if preset is not None and len(preset) < PRESET_SECRET_LENGTH:
        raise IdentityError("weak_secret", f"A preset secret needs at least {PRESET_SECRET_LENGTH} characters.")
    secret = Secret(preset or random_values.token_urlsafe(64))
    secret_id = new_id()
    sealer = administration.sealer
    row = ClientSecret(
        id=secret_id,
        fingerprint=sealer.fingerprint(secret),
        sealed=sealer.seal(secret.encode(), b"client-secret:" + secret_id.encode())
        if application.keep_client_secret
        else None,
        created_at=now,
    )
    return secret, row


def _changed(application: Application, settings: Mapping[str, Any], tenant: Tenant) -> Application:
    """The application with these fields. Raises IdentityError naming the one at fault."""
    unknown = sorted(settings.keys() - _SETTABLE)
    if unknown:
        raise IdentityError("invalid_application", f"{unknown[0]} is not a setting of an application.")
    changed = with_profile_defaults(replace(application, **typed_values(Application, settings)), tenant)
    if not changed.keep_client_secret:
        # Decision 15: nor the copies that were made before it was set so.
        changed = replace(changed, secrets=tuple(replace(secret, sealed=None) for secret in changed.secrets))
    problem = application_problem(changed, tenant)
    if problem is not None:
        raise IdentityError("invalid_application", problem)
    return changed


async def _record(
    transaction: Transaction, administration: Administration, tenant: Tenant, event: EventType, application: Application
) -> None:
    await record(
        transaction,
        Event(
            tenant=tenant.id,
            type=event,
            at=administration.clock.now(),
            application=application.id,
            data={"client_id": application.client_id},
        ),
    )
