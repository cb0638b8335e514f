"""A tenant's keys: made when first needed, rotated with overlap, retired, sealed anew."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace

from identity.administration.context import Administration
from identity.administration.enrolled_factors import rewrap_enrolled_factors
from identity.administration.notification_targets import rewrap_notification_targets
from identity.clock import SECOND
from identity.domain.applications import ClientSecret
from identity.domain.events import Event, EventType
from identity.domain.keys import FIRST_ALGORITHMS, KEY_ALGORITHMS, KeyAlgorithm, SigningKey
from identity.domain.tenants import Tenant, TenantId
from identity.errors import IdentityError
from identity.ids import new_id
from identity.secrets import Sealer
from identity.storage import signing_keys, tenants, user_stores
from identity.storage.applications import list_applications_page, lock_application, update_application
from identity.storage.database import Runner, Transaction
from identity.storage.events import record
from identity.tokens.jose import key_context, make_key

OVERLAP_SECONDS = 60
"""A new key is published this long before it signs, so that caches of the JWKS have it in time."""


async def create_missing_keys(administration: Administration, tenant: Tenant) -> None:
    """The keys that every tenant has, where they are missing; they sign at once."""
    await ensure_keys(administration, tenant, (*FIRST_ALGORITHMS, tenant.settings.default_algorithm))


async def ensure_keys(administration: Administration, tenant: Tenant, named: Iterable[str | None]) -> None:
    """A key for each algorithm that settings name: of signatures of ours, or of what others encrypt to us."""
    known = administration.configuration.cached(tenant.handle)
    keys = known.keys if known else await signing_keys.list_signing_keys(administration.database, tenant.id)
    # A key that was present is so for good: what retires it puts another in its place.
    have = {key.algorithm for key in keys if key.retired_at is None}
    # One key serves ECDH-ES, ECDH-ES+A128KW and ECDH-ES+A256KW.
    wanted = {name.partition("+")[0] for name in named if name is not None}
    for algorithm in KEY_ALGORITHMS:
        if algorithm in wanted and algorithm not in have:
            await ensure_key(administration, tenant, algorithm)


async def ensure_key(administration: Administration, tenant: Tenant, algorithm: KeyAlgorithm) -> None:
    """Make a key of this algorithm unless there is one (decision 14); it signs, or is encrypted to, at once."""
    if await _present_keys(administration.database, tenant.id, algorithm):
        return
    key = await _new_key(administration, algorithm)
    async with administration.database.transaction() as transaction:
        # The tenant's row is locked by this, so that of two who make the first key only one keeps it.
        await tenants.touch_tenant(transaction, tenant.id)
        if not await _present_keys(transaction, tenant.id, algorithm):
            await _insert(administration, transaction, tenant.id, key)


async def rotate_key(
    administration: Administration, tenant: Tenant, algorithm: KeyAlgorithm, *, overlap: int = OVERLAP_SECONDS
) -> SigningKey:
    """A new key that signs in `overlap` seconds; the present one signs until then and verifies for good.

    The first of an algorithm signs at once. One for encryption is published in the place of the present one at once,
    which goes on decrypting.
    """
    key = await _new_key(administration, algorithm)
    async with administration.database.transaction() as transaction:
        await tenants.touch_tenant(transaction, tenant.id)
        present = await _present_keys(transaction, tenant.id, algorithm)
        if present:
            key = replace(key, active_at=key.created_at + overlap * SECOND)
        await _insert(administration, transaction, tenant.id, key)
        for old in present:
            await signing_keys.retire_signing_key(transaction, tenant.id, old.kid, key.active_at)
            await _record(administration, transaction, tenant.id, EventType.KEY_RETIRED, old.kid)
    return key


async def delete_retired_key(administration: Administration, tenant: Tenant, kid: str) -> None:
    """Forget a retired key: what it signed is invalid from now on. Raises IdentityError while it is in use."""
    now = administration.clock.now()
    async with administration.database.transaction() as transaction:
        if not await signing_keys.delete_signing_key(transaction, tenant.id, kid, now):
            raise IdentityError("key_in_use", f"There is no retired key {kid!r}: rotate first.", status=409)
        await tenants.touch_tenant(transaction, tenant.id)


async def rewrap(administration: Administration, tenant: Tenant) -> int:
    """Seal every stored secret of the tenant with the current master key; how many were sealed anew.

    Claims of running grants stay as they are: they end with their grants. Keep the old key until then. Recovery codes
    are kept as hashes under the key of their time, and end with it.
    """
    count = 0
    sealer = administration.sealer
    database = administration.database
    for key in await signing_keys.list_signing_keys(database, tenant.id):
        context = key_context(key.kid)
        private = sealer.seal(sealer.open(key.private_jwk, context), context)
        async with database.transaction() as transaction:
            await signing_keys.reseal_signing_key(transaction, tenant.id, key.kid, private)
        count += 1
    for store in await user_stores.list_user_stores(database, tenant.id):
        settings = administration.open_store_settings(tenant.id, store.name, store.settings)
        sealed = administration.seal_store_settings(tenant.id, store.name, settings)
        async with database.transaction() as transaction:
            await user_stores.update_user_store(transaction, tenant.id, replace(store, settings=sealed))
        count += 1
    count += await _rewrap_client_secrets(administration, tenant.id)
    count += await rewrap_notification_targets(administration, tenant.id)
    count += await rewrap_enrolled_factors(administration, tenant.id)
    async with database.transaction() as transaction:
        await tenants.touch_tenant(transaction, tenant.id)
    return count


async def _rewrap_client_secrets(administration: Administration, tenant: TenantId) -> int:
    sealer, count, after = administration.sealer, 0, ""
    while page := await list_applications_page(administration.database, tenant, after=after):
        for listed in page:
            async with administration.database.transaction() as transaction:
                application = await lock_application(transaction, tenant, listed.client_id)
                if application is None:
                    continue
                secrets = tuple(_rewrapped(sealer, secret) for secret in application.secrets)
                await update_application(transaction, tenant, replace(application, secrets=secrets))
            count += sum(secret.sealed is not None for secret in secrets)
        after = page[-1].id
    return count


def _rewrapped(sealer: Sealer, secret: ClientSecret) -> ClientSecret:
    if secret.sealed is None:
        return secret
    context = b"client-secret:" + secret.id.encode()
    plain = sealer.open(secret.sealed, context)
    return replace(secret, sealed=sealer.seal(plain, context), fingerprint=sealer.fingerprint(plain.decode()))


async def _present_keys(runner: Runner, tenant: TenantId, algorithm: KeyAlgorithm) -> list[SigningKey]:
    keys = await signing_keys.list_signing_keys(runner, tenant)
    return [key for key in keys if key.algorithm == algorithm and key.retired_at is None]


async def _new_key(administration: Administration, algorithm: KeyAlgorithm) -> SigningKey:
    """A key under a `kid` of its own, active now; nobody has it yet. In a thread, where it holds up nobody."""
    now = administration.clock.now()
    kid = f"{algorithm.lower()}-{new_id()}"
    return await asyncio.to_thread(make_key, algorithm, kid=kid, sealer=administration.sealer, now=now, active_at=now)


async def _insert(administration: Administration, transaction: Transaction, tenant: TenantId, key: SigningKey) -> None:
    await signing_keys.insert_signing_key(transaction, tenant, key)
    await _record(administration, transaction, tenant, EventType.KEY_CREATED, key.kid)


async def _record(
    administration: Administration, transaction: Transaction, tenant: TenantId, event: EventType, kid: str
) -> None:
    await record(
        transaction,
        Event(tenant=tenant, type=event, at=administration.clock.now(), data={"kid": kid}),
    )
