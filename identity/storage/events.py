"""The events table: audit log and outbox in one, written in the transaction that caused the event."""

from collections import Counter

import msgspec
from sqlalchemy import bindparam, select

from identity.domain.events import Event
from identity.domain.tenants import TenantId
from identity.ids import new_id
from identity.storage.database import Row, Runner, Writer, insert_into, of_tenant
from identity.storage.tables import event as table

_INSERT = insert_into(table)
_PAGE = (
    select(table)
    .where(of_tenant(table), table.c.id > bindparam("after"))
    .order_by(table.c.tenant, table.c.id)
    .limit(bindparam("count"))
)


recorded: Counter[str] = Counter()
"""How many events of each type this process wrote, for the metrics; a transaction rolled back later still counts."""


async def record(transaction: Writer, event: Event) -> None:
    """In the transaction that caused it; by the database itself where nothing else was written."""
    await transaction.execute(
        _INSERT,
        tenant=event.tenant,
        id=new_id(),
        type=event.type.value,
        at=event.at,
        subject=event.subject,
        application=event.application,
        session=event.session,
        grant_id=event.grant,
        address=event.address,
        trace_id=event.trace_id,
        data=msgspec.json.encode(event.data).decode(),
    )
    recorded[event.type.value] += 1


async def list_events_page(runner: Runner, tenant: TenantId, *, after: str = "", count: int = 100) -> list[Row]:
    """Events with an id above `after`, oldest first."""
    return list(await runner.fetch(_PAGE, tenant=tenant, after=after, count=count))
