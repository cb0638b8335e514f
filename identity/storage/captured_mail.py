"""Mail that was kept instead of sent: at most so many of a tenant, for a day; sealed, since codes are in it."""

import msgspec
from sqlalchemy import bindparam, delete, select

from identity.clock import SECOND
from identity.domain.mail import CapturedMail, MailContent
from identity.domain.tenants import TenantId
from identity.secrets import Sealer
from identity.storage.authorization_tables import captured_mail as table
from identity.storage.database import Database, Row, Runner, insert_into, of_tenant

KEPT_SECONDS = 86400
KEPT = 1000
"""Of a tenant; the oldest go first."""

_INSERT = insert_into(table).on_conflict_do_nothing()
_oldest_kept = (
    select(table.c.id)
    .where(table.c.tenant == bindparam("b_tenant"))
    .order_by(table.c.id.desc())
    .offset(KEPT - 1)
    .limit(1)
    .scalar_subquery()
)
_DROP_OLDEST = delete(table).where(table.c.tenant == bindparam("b_tenant"), table.c.id < _oldest_kept)
_LIVE = of_tenant(table) & (table.c.expires_at > bindparam("now"))
_PAGE = select(table).where(_LIVE).order_by(table.c.id.desc()).limit(bindparam("count"))
_ONE = select(table).where(_LIVE, table.c.id == bindparam("id"))


async def capture(
    database: Database, sealer: Sealer, tenant: TenantId, *, id: str, content: MailContent, now: int
) -> None:
    """Keep a mail. The same `id` again changes nothing."""
    sealed = sealer.seal(msgspec.json.encode(content), _context(tenant, id))
    async with database.transaction() as transaction:
        await transaction.execute(
            _INSERT, tenant=tenant, id=id, payload=sealed, captured_at=now, expires_at=now + KEPT_SECONDS * SECOND
        )
        await transaction.execute(_DROP_OLDEST, b_tenant=tenant)


async def list_captured_mail(
    runner: Runner, sealer: Sealer, tenant: TenantId, *, now: int, count: int = 100
) -> list[CapturedMail]:
    """Newest first."""
    rows = await runner.fetch(_PAGE, tenant=tenant, now=now, count=count)
    return [_opened(row, sealer, tenant) for row in rows]


async def find_captured_mail(
    runner: Runner, sealer: Sealer, tenant: TenantId, id: str, *, now: int
) -> CapturedMail | None:
    row = await runner.fetch_one(_ONE, tenant=tenant, id=id, now=now)
    return None if row is None else _opened(row, sealer, tenant)


def _opened(row: Row, sealer: Sealer, tenant: TenantId) -> CapturedMail:
    opened = sealer.open(bytes(row["payload"]), _context(tenant, row["id"]))
    content = msgspec.json.decode(opened, type=MailContent)
    return CapturedMail(id=row["id"], captured_at=row["captured_at"], content=content)


def _context(tenant: TenantId, id: str) -> bytes:
    return f"captured-mail:{tenant}:{id}".encode()
