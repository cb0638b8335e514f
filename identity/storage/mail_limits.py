"""Exact counters of mails to one address, shared by all workers: a mail is counted before it is written.

The rows lie in the table of sign-in tries, which has the same windows and the same end. A window begins with its
first mail; within it there are never more than its limit.
"""

import hashlib
from collections.abc import Mapping

from sqlalchemy import bindparam, case, null
from sqlalchemy.dialects.postgresql import insert

from identity.clock import SECOND
from identity.domain.tenants import RateLimit, TenantId
from identity.storage.database import Database
from identity.storage.tables import attempt as table

_OVER = table.c.window_ends_at <= bindparam("now")
_new = insert(table).values(
    tenant=bindparam("tenant"),
    key=bindparam("key"),
    count=1,
    failures=0,
    window_ends_at=bindparam("window_ends_at"),
    locked_until=null(),
)
# Only a row below its limit, or one whose window is over, is changed and returned.
_TAKE = _new.on_conflict_do_update(
    index_elements=[table.c.tenant, table.c.key],
    set_={
        "count": case((_OVER, 1), else_=table.c.count + 1),
        "window_ends_at": case((_OVER, _new.excluded.window_ends_at), else_=table.c.window_ends_at),
    },
    where=_OVER | (table.c.count < bindparam("limit")),
).returning(table.c.count)


class _LimitReached(Exception):
    pass


async def take_places(
    database: Database, tenant: TenantId, address: str, limits: Mapping[str, RateLimit], *, now: int
) -> bool:
    """Count one mail to `address` under each of the named limits, or under none. False: one of them is reached."""
    name = hashlib.sha256(address.encode()).hexdigest()
    try:
        async with database.transaction() as transaction:
            for window, limit in limits.items():
                if limit.count == 0:
                    continue
                rows = await transaction.fetch(
                    _TAKE, tenant=tenant, key=f"mail:{window}:{name}", now=now, limit=limit.count,
                    window_ends_at=now + limit.seconds * SECOND,
                )  # fmt: skip
                if not rows:
                    raise _LimitReached
    except _LimitReached:
        return False
    return True
