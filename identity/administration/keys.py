"""Signing keys: made when first needed, rotated with overlap, retired, sealed anew."""

from dataclasses import replace

from identity.administration.context import Administration
from identity.clock import SECOND
from identity.domain.events import Event, EventType
from identity.domain.keys import SIGNING_ALGORITHMS, SigningAlgorithm, SigningKey
from identity.domain.tenants import Tenant, TenantId
from identity.errors import IdentityError
from identity.ids import new_id
from identity.storage import signing_keys, tenants, user_stores
from identity.storage.applications import list_applications_page, update_application
from identity.storage.database import Transaction
from identity.storage.events import record
from identity.tokens.jose import key_context, make_signing_key

OVERLAP_SECONDS = 60
"""A new key is published this long before it signs, so that caches of the JWKS have it in time."""


async def create_missing_keys(administration: Administration, tenant: Tenant) -> list[SigningKey]:
    """One key for each algorithm that has none; they sign at once."""
    have = {
        key.algorithm
        for key in await signing_keys.list_signing_keys(administration.database, tenant.id)
        if key.retired_at is None
    }
    missing = [algorithm for algorithm in SIGNING_ALGORITHMS if algorithm not in have]
    return [await _create(administration, tenant.id, algorithm, overlap=0) for algorithm in missing]


async def rotate_key(
    administration: Administration, tenant: Tenant, algorithm: SigningAlgorithm, *, overlap: int = OVERLAP_SECONDS
) -> SigningKey:
    """A new key that signs in `overlap` seconds; the present one signs until then and verifies for good."""
    key = await _create(administration, tenant.id, algorithm, overlap=overlap)
    async with administration.database.transaction() as transaction:
        for old in await signing_keys.list_signing_keys(transaction, tenant.id):
            if old.algorithm == algorithm and old.kid != key.kid and old.retired_at is None:
                await signing_keys.retire_signing_key(transaction, tenant.id, old.kid, key.active_at)
                await _record(administration, transaction, tenant.id, EventType.KEY_RETIRED, old.kid)
        await tenants.touch_tenant(transaction, tenant.id)
    return key


async def delete_retired_key(administration: Administration, tenant: Tenant, kid: str) -> None:
    """Forget a retired key: what it signed is invalid from now on. Raises IdentityError while it is in use."""
    async with administration.database.transaction() as transaction:
        if not await signing_keys.delete_signing_key(transaction, tenant.id, kid):
            raise IdentityError("key_in_use", f"There is no retired key {kid!r}: rotate first.", status=409)
        await tenants.touch_tenant(transaction, tenant.id)


async def rewrap(administration: Administration, tenant: Tenant) -> int:
    """Seal every stored secret of the tenant with the current master key; how many were sealed anew.

    Claims of running grants stay as they are: they end with their grants. Keep the old key until then.
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
    async with database.transaction() as transaction:
        await tenants.touch_tenant(transaction, tenant.id)
    return count


async def _rewrap_client_secrets(administration: Administration, tenant: TenantId) -> int:
    sealer, count, after = administration.sealer, 0, ""
    while page := await list_applications_page(administration.database, tenant, after=after):
        for application in page:
            secrets = []
            for secret in application.secrets:
                if secret.sealed is not None:
                    context = b"client-secret:" + secret.id.encode()
                    plain = sealer.open(secret.sealed, context)
                    secret = replace(
                        secret, sealed=sealer.seal(plain, context), fingerprint=sealer.fingerprint(plain.decode())
                    )
                    count += 1
                secrets.append(secret)
            async with administration.database.transaction() as transaction:
                await update_application(transaction, tenant, replace(application, secrets=tuple(secrets)))
        after = page[-1].id
    return count


async def _create(
    administration: Administration, tenant: TenantId, algorithm: SigningAlgorithm, *, overlap: int
) -> SigningKey:
    now = administration.clock.now()
    key = make_signing_key(
        algorithm,
        kid=f"{algorithm.lower()}-{new_id()}",
        sealer=administration.sealer,
        now=now,
        active_at=now + overlap * SECOND,
    )
    async with administration.database.transaction() as transaction:
        await signing_keys.insert_signing_key(transaction, tenant, key)
        await tenants.touch_tenant(transaction, tenant)
        await _record(administration, transaction, tenant, EventType.KEY_CREATED, key.kid)
    return key


async def _record(
    administration: Administration, transaction: Transaction, tenant: TenantId, event: EventType, kid: str
) -> None:
    await record(
        transaction,
        Event(tenant=tenant, type=event, at=administration.clock.now(), data={"kid": kid}),
    )
