"""Secrets of sign-in scripts: written, never read back; a script knows their names and to which hosts they may go."""

import re
from collections.abc import Sequence

from identity.administration.context import Administration
from identity.administration.published_scripts import owners_with_secret
from identity.authn.api_access import Caller
from identity.authn.sign_in_scripts import secret_context
from identity.domain.events import Event, EventType
from identity.domain.tenants import Tenant
from identity.errors import IdentityError
from identity.storage import scripts
from identity.storage.database import Transaction
from identity.storage.events import record
from identity.storage.scripts import ScriptSecret
from identity.storage.tenants import lock_tenant, touch_tenant

MAXIMUM_SECRETS = 100
MAXIMUM_VALUE = 4096
MAXIMUM_HOSTS = 20
MAXIMUM_DESCRIPTION = 1000
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_HOST = re.compile(r"(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")
"""A name, or `*.` and a name of two labels at least: a whole top level is nobody's."""


async def require_secret(administration: Administration, tenant: Tenant, name: str) -> ScriptSecret:
    """Raises IdentityError."""
    found = await scripts.find_secret(administration.database, tenant.id, name)
    if found is None:
        raise IdentityError("unknown_secret", f"There is no secret {name!r}.", status=404)
    return found


async def put_secret(
    administration: Administration,
    tenant: Tenant,
    name: str,
    *,
    value: str | None = None,
    hosts: Sequence[str] | None = None,
    description: str | None = None,
    by: Caller | None = None,
) -> ScriptSecret:
    """Add one, or change what is named; a new one needs a value. Every worker sees it with its next login.

    A value is of 1 to 4096 bytes. `hosts`: exact, or `*.example.org`; none: no call may carry it. Raises IdentityError.
    """
    database, now = administration.database, administration.clock.now()
    present = await scripts.find_secret(database, tenant.id, name)
    if present is None:
        await _require_room(administration, tenant, name)
    if value is None and present is None:
        raise IdentityError("invalid_secret", "A new secret needs a value.")
    if len(description or "") > MAXIMUM_DESCRIPTION:
        raise IdentityError("invalid_secret", f"A description has at most {MAXIMUM_DESCRIPTION} characters.")
    kept = present.hosts if present is not None else ()
    secret = ScriptSecret(
        name=name,
        description=description if description is not None else (present.description if present is not None else ""),
        hosts=_checked_hosts(hosts) if hosts is not None else kept,
        sealed=_sealed(administration, tenant, name, value, present),
        created_at=present.created_at if present is not None else now,
        updated_at=now,
    )
    async with database.transaction() as transaction:
        await scripts.put_secret(transaction, tenant.id, secret)
        await touch_tenant(transaction, tenant.id)
        await _record(transaction, administration, tenant, EventType.SCRIPT_SECRET_SAVED, name, by)
    return secret


async def delete_secret(
    administration: Administration, tenant: Tenant, name: str, *, force: bool = False, by: Caller | None = None
) -> None:
    """Refused while a published script names it, unless forced: such a script fails from then on, and so denies.

    Raises IdentityError.
    """
    await require_secret(administration, tenant, name)
    async with administration.database.transaction() as transaction:
        # Whoever publishes takes this lock, too: then either sees what the other has done.
        await lock_tenant(transaction, tenant.handle)
        owners = [] if force else await owners_with_secret(administration, tenant, name, transaction)
        if owners:
            raise IdentityError("in_use", f"The published script of {', of '.join(owners)} names {name}.", status=409)
        await scripts.delete_secret(transaction, tenant.id, name)
        await touch_tenant(transaction, tenant.id)
        await _record(transaction, administration, tenant, EventType.SCRIPT_SECRET_DELETED, name, by)


async def _require_room(administration: Administration, tenant: Tenant, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise IdentityError("invalid_secret", "A secret's name has letters, digits and underscores, as `secrets.name`.")
    if len(await scripts.list_secrets(administration.database, tenant.id)) >= MAXIMUM_SECRETS:
        raise IdentityError("too_many_secrets", f"A tenant has at most {MAXIMUM_SECRETS} secrets.", status=409)


def _checked_hosts(hosts: Sequence[str]) -> tuple[str, ...]:
    if len(hosts) > MAXIMUM_HOSTS:
        raise IdentityError("invalid_secret", f"A secret has at most {MAXIMUM_HOSTS} hosts.")
    for host in hosts:
        if len(host) > 255 or not _HOST.fullmatch(host):
            raise IdentityError("invalid_secret", f"{host!r} is no host: write api.example.org or *.example.org.")
    return tuple(dict.fromkeys(hosts))


def _sealed(
    administration: Administration, tenant: Tenant, name: str, value: str | None, present: ScriptSecret | None
) -> bytes:
    if value is None:
        assert present is not None
        return present.sealed
    encoded = value.encode("utf-8", "surrogatepass")
    if not 1 <= len(encoded) <= MAXIMUM_VALUE or not value.isprintable():
        raise IdentityError("invalid_secret", f"A secret's value is 1 to {MAXIMUM_VALUE} bytes of printable text.")
    return administration.sealer.seal(encoded, secret_context(tenant.id, name))


async def _record(
    transaction: Transaction,
    administration: Administration,
    tenant: Tenant,
    event: EventType,
    name: str,
    by: Caller | None,
) -> None:
    data = {"secret": name, **(by.named if by is not None else {})}
    await record(transaction, Event(tenant=tenant.id, type=event, at=administration.clock.now(), data=data))
