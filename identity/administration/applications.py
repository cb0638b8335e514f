"""Applications: registered, changed, given secrets, deleted. An update is checked as a registration is."""

import secrets as random_values
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any
from urllib.parse import urlsplit

from identity.administration.context import Administration
from identity.administration.typed_values import typed_values
from identity.clock import SECOND
from identity.domain.applications import GRANT_TYPES, Application, ApplicationId, ClientId, ClientSecret
from identity.domain.events import Event, EventType
from identity.domain.keys import SIGNING_ALGORITHMS
from identity.domain.redirect_uris import registrable_redirect_uri
from identity.domain.tenants import Tenant
from identity.errors import IdentityError
from identity.ids import new_id
from identity.secrets import Secret
from identity.storage import applications
from identity.storage.database import Conflict, Transaction
from identity.storage.events import record
from identity.storage.web_origins import replace_web_origins

PRESET_SECRET_LENGTH = 32
MAXIMUM_LIFETIME = 366 * 86400
_LIFETIMES = (
    "user_access_token_lifetime",
    "application_access_token_lifetime",
    "refresh_token_lifetime",
    "id_token_lifetime",
)
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
    )
    secret: Secret | None = None
    if not application.public:
        secret, row = _new_secret(administration, application, client_secret, now)
        application = replace(application, secrets=(row,))
    try:
        async with administration.database.transaction() as transaction:
            await applications.insert_application(transaction, tenant.id, application)
            await replace_web_origins(transaction, tenant.id, application.id, application.web_origins)
            await _record(transaction, administration, tenant, EventType.APPLICATION_CREATED, application)
    except Conflict:
        raise IdentityError("conflict", f"There is an application {client_id!r} already.", status=409) from None
    return RegisteredApplication(application, secret)


async def update_application(
    administration: Administration, tenant: Tenant, client_id: str, settings: Mapping[str, Any]
) -> Application:
    """Change fields of an application; every worker sees them with its next request."""
    application = _changed(await require_application(administration, tenant, client_id), settings)
    async with administration.database.transaction() as transaction:
        version = await applications.update_application(transaction, tenant.id, application)
        await replace_web_origins(transaction, tenant.id, application.id, application.web_origins)
        await _record(transaction, administration, tenant, EventType.APPLICATION_UPDATED, application)
    return replace(application, version=version)


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
    found = await applications.find_application(administration.database, tenant.id, client_id)
    if found is None:
        raise IdentityError("unknown_application", f"There is no application {client_id!r}.", status=404)
    return found


async def add_client_secret(
    administration: Administration, tenant: Tenant, client_id: str, *, old_valid_seconds: int = 0
) -> Secret:
    """A new secret beside the old ones, which are valid for `old_valid_seconds` more (0: they end now)."""
    application = await require_application(administration, tenant, client_id)
    if application.public:
        raise IdentityError("public_application", "A public application has no secret.", status=409)
    now = administration.clock.now()
    secret, row = _new_secret(administration, application, None, now)
    end = now + old_valid_seconds * SECOND
    old = tuple(
        replace(other, expires_at=end if other.expires_at is None else min(other.expires_at, end))
        for other in application.secrets
        if other.expires_at is None or other.expires_at > now
    )
    kept = old if old_valid_seconds else ()
    async with administration.database.transaction() as transaction:
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
    async with administration.database.transaction() as transaction:
        await applications.delete_application(transaction, tenant.id, application.id)
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


def _changed(application: Application, settings: Mapping[str, Any]) -> Application:
    """The application with these fields. Raises IdentityError naming the one at fault."""
    unknown = sorted(settings.keys() - _SETTABLE)
    if unknown:
        raise IdentityError("invalid_application", f"{unknown[0]} is not a setting of an application.")
    changed = replace(application, **typed_values(Application, settings))
    problem = _problem(changed)
    if problem is not None:
        raise IdentityError("invalid_application", problem)
    return changed


def _problem(application: Application) -> str | None:
    if not application.name or len(application.name) > 200 or not application.name.isprintable():
        return "The name must be 1 to 200 printable characters."
    for grant_type in application.grant_types:
        if grant_type not in GRANT_TYPES:
            return f"grant_types: {grant_type!r} is not supported."
    if application.public and "client_credentials" in application.grant_types:
        return "A public application cannot use client_credentials."
    for name in _LIFETIMES:
        if not 1 <= getattr(application, name) <= MAXIMUM_LIFETIME:
            return f"{name} must be 1 to {MAXIMUM_LIFETIME} seconds."
    for algorithm in (application.access_token_algorithm, application.id_token_algorithm):
        if algorithm is not None and algorithm not in SIGNING_ALGORITHMS:
            return f"The algorithm {algorithm!r} is not supported: use {' or '.join(SIGNING_ALGORITHMS)}."
    if "authorization_code" in application.grant_types and not application.redirect_uris:
        return "redirect_uris: the authorization code grant needs at least one."
    return _address_problem(application)


def _address_problem(application: Application) -> str | None:
    for name in ("redirect_uris", "post_logout_redirect_uris"):
        for uri in getattr(application, name):
            reason = registrable_redirect_uri(uri)
            if reason is not None:
                return f"{name}: {uri!r} cannot be registered: {reason}."
    for origin in application.web_origins:
        parts = urlsplit(origin)
        if parts.scheme not in ("http", "https") or f"{parts.scheme}://{parts.netloc}" != origin or "@" in origin:
            return f"web_origins: {origin!r} is not an origin like https://app.example.org."
    for name in ("policy_uri", "tos_uri"):
        uri = getattr(application, name)
        if uri is not None and urlsplit(uri).scheme not in ("http", "https"):
            return f"{name} must be an http or https address."
    for item in (*application.scopes, *application.audiences):
        if not item or not item.isascii() or not item.isprintable() or any(c in item for c in ' "\\'):
            return f"{item!r} cannot be a scope or audience (RFC 6749 §3.3)."
    return None


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
