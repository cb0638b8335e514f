"""How a candidate script compares on live sign-ins: counts by verdict, each with the trace of an example."""

from dataclasses import dataclass

from sqlalchemy import bindparam, delete, select

from identity.domain.tenants import TenantId
from identity.storage.database import Runner, Writer, columns, insert_into, of_tenant
from identity.storage.sign_in_tables import shadow_comparison as table


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowComparison:
    """`application` is an id; `candidate` a script's hash; `example` the trace id of the last such sign-in; moments are
    microseconds."""

    application: str
    candidate: str
    verdict: str
    count: int
    example: str
    first_at: int
    last_at: int


_INSERT = insert_into(table)
_COUNT = _INSERT.on_conflict_do_update(
    index_elements=[table.c.tenant, table.c.application, table.c.candidate, table.c.verdict],
    set_={
        "count": table.c.count + _INSERT.excluded.count,
        "example": _INSERT.excluded.example,
        "last_at": _INSERT.excluded.last_at,
    },
)
_OF_CANDIDATE = (
    select(table)
    .where(of_tenant(table), table.c.candidate == bindparam("candidate"))
    .order_by(table.c.application, table.c.verdict)
    .limit(1000)
)
_FORGET = delete(table).where(of_tenant(table), table.c.candidate == bindparam("candidate"))


async def count_shadow_comparison(writer: Writer, tenant: TenantId, comparison: ShadowComparison) -> None:
    """Add its count to what is there."""
    await writer.execute(_COUNT, tenant=tenant, **columns(comparison))


async def list_shadow_comparisons(runner: Runner, tenant: TenantId, candidate: str) -> list[ShadowComparison]:
    return [
        ShadowComparison(
            application=row["application"],
            candidate=row["candidate"],
            verdict=row["verdict"],
            count=row["count"],
            example=row["example"],
            first_at=row["first_at"],
            last_at=row["last_at"],
        )
        for row in await runner.fetch(_OF_CANDIDATE, tenant=tenant, candidate=candidate)
    ]


async def forget_shadow_comparisons(writer: Writer, tenant: TenantId, candidate: str) -> None:
    await writer.execute(_FORGET, tenant=tenant, candidate=candidate)
