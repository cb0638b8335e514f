"""Initial access tokens (RFC 7591 §1.2): by their hash, with what they allow and how often."""

from dataclasses import dataclass

import msgspec
from sqlalchemy import bindparam, delete, select, update

from identity.domain.registration import RegistrationLimits
from identity.domain.tenants import TenantId
from identity.storage.authorization_tables import initial_access_token as table
from identity.storage.database import Database, Row, Runner, Writer, insert_into, of_tenant

_KEY = of_tenant(table) & (table.c.hash == bindparam("hash"))
_INSERT = insert_into(table)
# One statement reads and counts: of two who come with the last use, one gets it.
_TAKE = (
    update(table)
    .where(
        table.c.tenant == bindparam("b_tenant"),
        table.c.hash == bindparam("b_hash"),
        table.c.uses_left > 0,
        table.c.expires_at > bindparam("now"),
    )
    .values(uses_left=table.c.uses_left - 1)
    .returning(table.c.document)
)
_GIVE_BACK = (
    update(table)
    .where(table.c.tenant == bindparam("b_tenant"), table.c.hash == bindparam("b_hash"))
    .values(uses_left=table.c.uses_left + 1)
)
_LIST = select(table).where(of_tenant(table)).order_by(table.c.created_at).limit(1000)
_DELETE = delete(table).where(_KEY)


@dataclass(frozen=True, slots=True, kw_only=True)
class InitialAccessToken:
    """Times are microseconds."""

    hash: bytes
    limits: RegistrationLimits
    uses_left: int
    created_at: int
    expires_at: int


async def insert_initial_access_token(writer: Writer, tenant: TenantId, token: InitialAccessToken) -> None:
    await writer.execute(
        _INSERT,
        tenant=tenant,
        hash=token.hash,
        document=msgspec.json.encode(token.limits).decode(),
        uses_left=token.uses_left,
        created_at=token.created_at,
        expires_at=token.expires_at,
    )


async def take_use(database: Database, tenant: TenantId, hash: bytes, now: int) -> RegistrationLimits | None:
    """Count one use of a live token: what it allows. None when it is unknown, used up or past its time."""
    rows = await database.fetch_changed(_TAKE, b_tenant=tenant, b_hash=hash, now=now)
    return msgspec.json.decode(rows[0]["document"], type=RegistrationLimits) if rows else None


async def give_use_back(writer: Writer, tenant: TenantId, hash: bytes) -> None:
    """After a registration that was refused."""
    await writer.execute(_GIVE_BACK, b_tenant=tenant, b_hash=hash)


async def list_initial_access_tokens(runner: Runner, tenant: TenantId) -> list[InitialAccessToken]:
    """Up to 1000, the oldest first."""
    return [_token(row) for row in await runner.fetch(_LIST, tenant=tenant)]


async def delete_initial_access_token(writer: Writer, tenant: TenantId, hash: bytes) -> bool:
    return await writer.execute(_DELETE, tenant=tenant, hash=hash) == 1


def _token(row: Row) -> InitialAccessToken:
    return InitialAccessToken(
        hash=bytes(row["hash"]),
        limits=msgspec.json.decode(row["document"], type=RegistrationLimits),
        uses_left=row["uses_left"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
    )
