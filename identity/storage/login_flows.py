"""Logins in progress. A change names the version it read: the loser of a race changes nothing and reads again."""

from sqlalchemy import bindparam, select, update

from identity.domain.applications import ApplicationId
from identity.domain.login_flows import FlowId, LoginFlow
from identity.domain.sessions import SessionId
from identity.domain.tenants import TenantId
from identity.storage.database import Runner, Transaction, Writer, columns, insert_into, of_tenant
from identity.storage.tables import login_flow as table

_BY_ID = select(table).where(of_tenant(table), table.c.id == bindparam("id"), table.c.expires_at > bindparam("now"))
_INSERT = insert_into(table)
_SAVE = (
    update(table)
    .where(
        table.c.tenant == bindparam("b_tenant"),
        table.c.id == bindparam("b_id"),
        table.c.version == bindparam("b_version"),
        table.c.consumed_at.is_(None),
    )
    .values(
        version=table.c.version + 1,
        record=bindparam("new_record"),
        session=bindparam("new_session"),
        cookie_hash=bindparam("new_cookie_hash"),
    )
)
_CONSUME = (
    update(table)
    .where(
        table.c.tenant == bindparam("b_tenant"),
        table.c.id == bindparam("b_id"),
        table.c.version == bindparam("b_version"),
        table.c.consumed_at.is_(None),
    )
    .values(version=table.c.version + 1, consumed_at=bindparam("at"))
)


async def find_login_flow(runner: Runner, tenant: TenantId, flow: str, now: int) -> LoginFlow | None:
    """None when it is unknown or expired; a consumed one is returned, with `consumed_at`."""
    row = await runner.fetch_one(_BY_ID, tenant=tenant, id=flow, now=now)
    if row is None:
        return None
    return LoginFlow(
        tenant=tenant,
        id=FlowId(row["id"]),
        version=row["version"],
        cookie_hash=bytes(row["cookie_hash"]),
        application=ApplicationId(row["application"]),
        return_path=row["return_path"],
        request=row["request"],
        record=bytes(row["record"] or b""),
        session=None if row["session"] is None else SessionId(row["session"]),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        consumed_at=row["consumed_at"],
    )


async def insert_login_flow(transaction: Transaction, flow: LoginFlow) -> None:
    # The column `journal` is of the release before, whose servers may run beside this one.
    await transaction.execute(_INSERT, **columns(flow), journal="")


async def save_login_flow(transaction: Writer, flow: LoginFlow, new: LoginFlow) -> bool:
    """Compare-and-swap on `flow.version`. False: somebody else went on meanwhile."""
    changed = await transaction.execute(
        _SAVE,
        b_tenant=flow.tenant,
        b_id=flow.id,
        b_version=flow.version,
        new_record=new.record,
        new_session=new.session,
        new_cookie_hash=new.cookie_hash,
    )
    return changed == 1


async def consume_login_flow(transaction: Transaction, flow: LoginFlow, at: int) -> bool:
    """Use the flow up: of two that try, one succeeds."""
    changed = await transaction.execute(_CONSUME, b_tenant=flow.tenant, b_id=flow.id, b_version=flow.version, at=at)
    return changed == 1
