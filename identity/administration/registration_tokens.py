"""Tokens of registration: initial ones, with which somebody registers, and each application's own (RFC 7591, 7592)."""

from dataclasses import replace

from identity.administration.applications import lock_application
from identity.administration.context import Administration
from identity.clock import SECOND
from identity.domain.applications import GRANT_TYPES, RESPONSE_TYPES
from identity.domain.profiles import PROFILES
from identity.domain.registration import RegistrationLimits
from identity.domain.tenants import Tenant
from identity.errors import IdentityError
from identity.ids import new_secret
from identity.secrets import Secret, token_hash
from identity.storage import applications, initial_access_tokens
from identity.storage.initial_access_tokens import InitialAccessToken

INITIAL_PREFIX = "ia_"
REGISTRATION_PREFIX = "ra_"
MAXIMUM_USES = 1_000_000
MAXIMUM_LIFETIME = 366 * 86400


async def create_initial_access_token(
    administration: Administration, tenant: Tenant, limits: RegistrationLimits, *, uses: int, lifetime: int
) -> Secret:
    """A token that registers `uses` applications within `lifetime` seconds. Shown this once. Raises IdentityError."""
    problem = _problem(limits, uses, lifetime)
    if problem is not None:
        raise IdentityError("invalid_setting", problem)
    token = Secret(INITIAL_PREFIX + new_secret())
    now = administration.clock.now()
    stored = InitialAccessToken(
        hash=token_hash(token), limits=limits, uses_left=uses, created_at=now, expires_at=now + lifetime * SECOND
    )
    async with administration.database.transaction() as transaction:
        await initial_access_tokens.insert_initial_access_token(transaction, tenant.id, stored)
    return token


async def delete_initial_access_token(administration: Administration, tenant: Tenant, beginning: str) -> None:
    """Delete the one whose hash begins with these hexadecimal digits. Raises IdentityError unless it is one."""
    stored = await initial_access_tokens.list_initial_access_tokens(administration.database, tenant.id)
    found = [token for token in stored if token.hash.hex().startswith(beginning)]
    if len(found) != 1:
        raise IdentityError("unknown_token", f"{len(found)} tokens begin with {beginning!r}; name one.", status=404)
    async with administration.database.transaction() as transaction:
        await initial_access_tokens.delete_initial_access_token(transaction, tenant.id, found[0].hash)


def new_registration_token() -> Secret:
    return Secret(REGISTRATION_PREFIX + new_secret())


async def replace_registration_token(administration: Administration, tenant: Tenant, client_id: str) -> Secret:
    """A new registration access token for the application; the one before is dead. Raises IdentityError."""
    token = new_registration_token()
    async with administration.database.transaction() as transaction:
        application = await lock_application(transaction, tenant, client_id)
        changed = replace(application, registration_token=token_hash(token))
        await applications.update_application(transaction, tenant.id, changed)
    return token


def _problem(limits: RegistrationLimits, uses: int, lifetime: int) -> str | None:
    if not 1 <= uses <= MAXIMUM_USES:
        return f"uses must be 1 to {MAXIMUM_USES}."
    if not 1 <= lifetime <= MAXIMUM_LIFETIME:
        return f"lifetime must be 1 to {MAXIMUM_LIFETIME} seconds."
    if limits.profile not in PROFILES:
        return f"profile must be one of {', '.join(filter(None, PROFILES))}."
    for name, known in (("grant_types", GRANT_TYPES), ("response_types", RESPONSE_TYPES)):
        for value in getattr(limits, name):
            if value not in known:
                return f"{name}: {value!r} is not supported: use {', '.join(known)}."
    return None
