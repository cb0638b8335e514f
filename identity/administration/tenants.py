"""Tenants: created with their keys and a store for people, changed, disabled."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from identity.administration.context import Administration
from identity.administration.keys import create_missing_keys, ensure_keys
from identity.administration.roles import insert_admin_role
from identity.administration.sign_in_rules import steps_problem
from identity.administration.typed_values import typed_values
from identity.domain.distinguished_names import parse_name
from identity.domain.events import Event, EventType
from identity.domain.keys import SIGNING_ALGORITHMS
from identity.domain.tenants import AdministratorCertificate, RateLimit, Tenant, TenantId, TenantSettings
from identity.errors import IdentityError
from identity.ids import new_secret
from identity.storage import tenants
from identity.storage.database import Conflict
from identity.storage.events import record
from identity.storage.user_stores import StoreRow, insert_user_store

_HANDLE = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?")
_THUMBPRINT = re.compile(r"[0-9a-fA-F]{64}")
PRIMARY = "PRIMARY"
_MAY_BE_NOTHING = ("lockout_attempts", "factor_attempts", "one_time_code_resends", "totp_window", "trace_days",
                   "recorded_login_days", "directory_check_interval")  # fmt: skip
MINIMUM_CHECK_SECONDS = 30
MAXIMUM_SECONDS = 10 * 366 * 86400


async def create_tenant(
    administration: Administration, handle: str, *, settings: TenantSettings | None = None
) -> Tenant:
    """A tenant with its own keys and an empty SQL store PRIMARY. Raises IdentityError for a bad or taken handle."""
    if not _HANDLE.fullmatch(handle):
        raise IdentityError("invalid_tenant", "A tenant's handle is a host-like name: lower-case letters, digits, - .")
    database, now = administration.database, administration.clock.now()
    existing = await tenants.list_tenants(database)
    if any(tenant.handle == handle for tenant in existing):
        raise Conflict(f"tenant {handle}")
    number = TenantId(max((tenant.id for tenant in existing), default=0) + 1)
    settings = settings or TenantSettings()
    if not settings.pairwise_salt:
        settings = replace(settings, pairwise_salt=new_secret())
    tenant = Tenant(id=number, handle=handle, enabled=True, version=1, settings=settings)
    async with database.transaction() as transaction:
        await tenants.insert_tenant(transaction, tenant, now)
        await insert_user_store(
            transaction,
            number,
            StoreRow(
                name=PRIMARY,
                type="sql",
                enabled=True,
                position=0,
                created_at=now,
                settings=administration.seal_store_settings(number, PRIMARY, {}),
            ),
        )
        await insert_admin_role(transaction, number, now)
        await record(transaction, Event(tenant=number, type=EventType.TENANT_CREATED, at=now))
    await create_missing_keys(administration, tenant)
    return await require_tenant(administration, handle)


async def require_tenant(administration: Administration, handle: str) -> Tenant:
    """The tenant as stored now. Raises IdentityError."""
    return _found(await tenants.find_tenant(administration.database, handle), handle)


def _found(tenant: Tenant | None, handle: str) -> Tenant:
    if tenant is None:
        raise IdentityError("unknown_tenant", f"There is no tenant {handle!r}.", status=404)
    return tenant


async def change_tenant_settings(
    administration: Administration, handle: str, change: Callable[[TenantSettings], TenantSettings]
) -> Tenant:
    """Apply `change` to the settings; every worker sees them with its next request."""
    tenant = await require_tenant(administration, handle)
    await ensure_keys(administration, tenant, (change(tenant.settings).default_algorithm,))
    async with administration.database.transaction() as transaction:
        # Read once more: what somebody else changes meanwhile is not undone.
        tenant = _found(await tenants.lock_tenant(transaction, handle), handle)
        await tenants.update_tenant(transaction, replace(tenant, settings=change(tenant.settings)))
        await record(transaction, Event(tenant=tenant.id, type=EventType.TENANT_UPDATED, at=administration.clock.now()))
    return await require_tenant(administration, handle)


async def ensure_pairwise_salt(administration: Administration, tenant: Tenant) -> None:
    """Tenants get one when they are made; this is for those that were made before there were pairwise subjects."""
    if not tenant.settings.pairwise_salt:
        await change_tenant_settings(
            administration,
            tenant.handle,
            lambda settings: settings if settings.pairwise_salt else replace(settings, pairwise_salt=new_secret()),
        )


async def set_tenant_settings(administration: Administration, handle: str, values: Mapping[str, Any]) -> Tenant:
    """Set these fields of the settings. Raises IdentityError that names the one at fault."""
    typed = typed_values(TenantSettings, values)
    problem = _problem(typed)
    if problem is not None:
        raise IdentityError("invalid_setting", problem)
    return await change_tenant_settings(administration, handle, lambda settings: replace(settings, **typed))


def _problem(values: Mapping[str, Any]) -> str | None:
    for name, value in values.items():
        lowest = 0 if name in _MAY_BE_NOTHING else 1
        if isinstance(value, int) and not isinstance(value, bool) and not lowest <= value <= MAXIMUM_SECONDS:
            return f"{name} must be {lowest} to {MAXIMUM_SECONDS}."
        if isinstance(value, RateLimit) and not (value.count >= 0 and 1 <= value.seconds <= MAXIMUM_SECONDS):
            return f"{name} needs a count from 0 and seconds from 1."
    for entry in values.get("administrator_certificates", ()):
        problem = _certificate_problem(entry)
        if problem is not None:
            return f"administrator_certificates: {problem}"
    if "sign_in_steps" in values:
        steps = values["sign_in_steps"]
        problem = steps_problem(steps) if steps else "sign_in_steps: a tenant needs one step at least."
        if problem is not None:
            return problem
    if 0 < values.get("directory_check_interval", 0) < MINIMUM_CHECK_SECONDS:
        return f"directory_check_interval must be 0 (off) or {MINIMUM_CHECK_SECONDS} and more."
    issuer = values.get("issuer")
    if issuer is not None and not _possible_issuer(issuer):
        return "issuer must be an https address without query or fragment (RFC 8414 §2); http on loopback only."
    algorithm = values.get("default_algorithm", SIGNING_ALGORITHMS[0])
    return None if algorithm in SIGNING_ALGORITHMS else f"default_algorithm must be {' or '.join(SIGNING_ALGORITHMS)}."


def _certificate_problem(entry: AdministratorCertificate) -> str | None:
    if not entry.username:
        return "username names the person whom the certificate stands for."
    if bool(entry.sha256) == bool(entry.subject):
        return "name the certificate by sha256 or by subject, one of them."
    if entry.sha256 and not _THUMBPRINT.fullmatch(entry.sha256):
        return "sha256 is 64 hexadecimal digits."
    try:
        if entry.subject:
            parse_name(entry.subject)
    except ValueError as error:
        return f"subject: {error}."
    return None


def _possible_issuer(issuer: str) -> bool:
    try:
        parts = urlsplit(issuer)
    except ValueError:
        return False
    loopback = parts.hostname in ("localhost", "127.0.0.1", "::1")
    return (
        bool(parts.hostname)
        and (parts.scheme == "https" or (parts.scheme == "http" and loopback))
        and not (set(issuer) & set("?# @") or issuer.endswith("/"))
    )


async def set_tenant_enabled(administration: Administration, handle: str, enabled: bool) -> None:
    """A disabled tenant answers 404 everywhere, and its tokens are inactive."""
    async with administration.database.transaction() as transaction:
        tenant = _found(await tenants.lock_tenant(transaction, handle), handle)
        await tenants.update_tenant(transaction, replace(tenant, enabled=enabled))
        await record(transaction, Event(tenant=tenant.id, type=EventType.TENANT_UPDATED, at=administration.clock.now()))
