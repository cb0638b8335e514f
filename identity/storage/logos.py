"""Logos of applications as they were fetched (decision 23), one each; without a body when that failed."""

from dataclasses import dataclass

from sqlalchemy import bindparam, delete, func, select

from identity.domain.tenants import TenantId
from identity.storage.authorization_tables import logo as table
from identity.storage.database import Runner, Writer, insert_into, of_tenant

_KEY = of_tenant(table) & (table.c.application == bindparam("application"))
_FIND = select(table.c.source, table.c.content_type, table.c.body, table.c.fetched_at).where(_KEY)
_STATE = select(table.c.source, table.c.fetched_at, func.length(table.c.body).label("size")).where(_KEY)
_INSERT = insert_into(table)
_SAVE = _INSERT.on_conflict_do_update(
    index_elements=[table.c.tenant, table.c.application],
    set_={name: _INSERT.excluded[name] for name in ("source", "content_type", "body", "fetched_at")},
)
_DELETE = delete(table).where(_KEY)


@dataclass(frozen=True, slots=True)
class Logo:
    """`source` is the registered address; an empty body: there is no usable image at it. `fetched_at` in µs."""

    source: str
    content_type: str
    body: bytes
    fetched_at: int


@dataclass(frozen=True, slots=True)
class LogoState:
    source: str
    fetched_at: int
    usable: bool


async def find_logo(runner: Runner, tenant: TenantId, application: str) -> Logo | None:
    row = await runner.fetch_one(_FIND, tenant=tenant, application=application)
    return None if row is None else Logo(row["source"], row["content_type"], bytes(row["body"]), row["fetched_at"])


async def find_logo_state(runner: Runner, tenant: TenantId, application: str) -> LogoState | None:
    """The logo without its image: what a page has to know."""
    row = await runner.fetch_one(_STATE, tenant=tenant, application=application)
    return None if row is None else LogoState(row["source"], row["fetched_at"], row["size"] > 0)


async def save_logo(writer: Writer, tenant: TenantId, application: str, logo: Logo) -> None:
    await writer.execute(
        _SAVE,
        tenant=tenant,
        application=application,
        source=logo.source,
        content_type=logo.content_type,
        body=logo.body,
        fetched_at=logo.fetched_at,
    )


async def delete_logo(writer: Writer, tenant: TenantId, application: str) -> None:
    await writer.execute(_DELETE, tenant=tenant, application=application)
