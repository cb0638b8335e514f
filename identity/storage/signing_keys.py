"""Signing keys, private parts sealed. Whoever changes one touches the tenant's version in the same transaction."""

from sqlalchemy import bindparam, delete, select, update

from identity.domain.keys import SigningKey
from identity.domain.tenants import TenantId
from identity.storage.database import Runner, Transaction, insert_into, of_tenant
from identity.storage.tables import signing_key as table

_ALL = select(table).where(of_tenant(table)).order_by(table.c.created_at, table.c.kid)
_INSERT = insert_into(table)
_RETIRE = (
    update(table)
    .where(
        table.c.tenant == bindparam("b_tenant"),
        table.c.kid == bindparam("b_kid"),
        table.c.retired_at.is_(None),
    )
    .values(retired_at=bindparam("at"))
)
_RESEAL = (
    update(table)
    .where(table.c.tenant == bindparam("b_tenant"), table.c.kid == bindparam("b_kid"))
    .values(private_jwk=bindparam("private_jwk"))
)
_DELETE = delete(table).where(of_tenant(table), table.c.kid == bindparam("kid"), table.c.retired_at <= bindparam("now"))


async def list_signing_keys(runner: Runner, tenant: TenantId) -> tuple[SigningKey, ...]:
    """Oldest first, retired ones included."""
    rows = await runner.fetch(_ALL, tenant=tenant)
    return tuple(
        SigningKey(
            kid=row["kid"],
            algorithm=row["algorithm"],
            public_jwk=row["public_jwk"],
            private_jwk=bytes(row["private_jwk"]),
            created_at=row["created_at"],
            active_at=row["active_at"],
            retired_at=row["retired_at"],
        )
        for row in rows
    )


async def insert_signing_key(transaction: Transaction, tenant: TenantId, key: SigningKey) -> None:
    await transaction.execute(
        _INSERT,
        tenant=tenant,
        kid=key.kid,
        algorithm=key.algorithm,
        public_jwk=key.public_jwk,
        private_jwk=key.private_jwk,
        created_at=key.created_at,
        active_at=key.active_at,
        retired_at=key.retired_at,
        use=key.use,
    )


async def retire_signing_key(transaction: Transaction, tenant: TenantId, kid: str, at: int) -> bool:
    """Stop signing with it from `at` (µs) on; it goes on verifying. False when it is unknown or retired already."""
    return await transaction.execute(_RETIRE, b_tenant=tenant, b_kid=kid, at=at) == 1


async def reseal_signing_key(transaction: Transaction, tenant: TenantId, kid: str, private_jwk: bytes) -> None:
    await transaction.execute(_RESEAL, b_tenant=tenant, b_kid=kid, private_jwk=private_jwk)


async def delete_signing_key(transaction: Transaction, tenant: TenantId, kid: str, now: int) -> bool:
    """Forget a key that is retired at `now` (µs): what it signed is unknown from then on."""
    return await transaction.execute(_DELETE, tenant=tenant, kid=kid, now=now) == 1
