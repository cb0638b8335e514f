"""When and where each person signed in last, sealed: what scripts ask about velocity and long absences."""

from dataclasses import asdict, dataclass

import msgspec
from sqlalchemy import bindparam, delete, select

from identity.domain.tenants import TenantId
from identity.secrets import Sealer
from identity.storage.database import Runner, Writer, insert_into, of_tenant
from identity.storage.sign_in_tables import last_login as table


@dataclass(frozen=True, slots=True, kw_only=True)
class LastLogin:
    """`at` in microseconds, coordinates in degrees where they are known."""

    at: int
    latitude: float | None = None
    longitude: float | None = None


_FIND = select(table.c.document).where(of_tenant(table), table.c.subject == bindparam("subject"))
_INSERT = insert_into(table)
_UPSERT = _INSERT.on_conflict_do_update(
    index_elements=[table.c.tenant, table.c.subject],
    set_={"at": _INSERT.excluded.at, "document": _INSERT.excluded.document},
)
_FORGET = delete(table).where(of_tenant(table), table.c.subject == bindparam("subject"))


async def find_last_login(runner: Runner, sealer: Sealer, tenant: TenantId, subject: str) -> LastLogin | None:
    row = await runner.fetch_one(_FIND, tenant=tenant, subject=subject)
    if row is None:
        return None
    return msgspec.json.decode(sealer.open(bytes(row["document"]), _context(tenant, subject)), type=LastLogin)


async def write_last_login(writer: Writer, sealer: Sealer, tenant: TenantId, subject: str, login: LastLogin) -> None:
    document = sealer.seal(msgspec.json.encode(asdict(login)), _context(tenant, subject))
    await writer.execute(_UPSERT, tenant=tenant, subject=subject, at=login.at, document=document)


async def forget_last_login(writer: Writer, tenant: TenantId, subject: str) -> None:
    await writer.execute(_FORGET, tenant=tenant, subject=subject)


def _context(tenant: TenantId, subject: str) -> bytes:
    return f"last-login:{tenant}:{subject}".encode()
