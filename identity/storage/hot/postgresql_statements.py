"""The token road's statements as PostgreSQL takes them: arrays for what is shared, one round trip each."""

from identity.storage.hot import statements
from identity.storage.hot.statements import ACCESS_COLUMNS, REFRESH_COLUMNS

_QUESTIONS = (
    "unnest($1::bigint[], $2::bytea[], $3::text[], $4::text[], $5::text[])"
    " with ordinality as q(tenant, hash, caller, grant_id, application, place)"
)
_REDEEMABLES = (
    "(select u.*, $4::bigint as asked_at from unnest($1::bigint[], $2::bytea[], $3::text[])"
    " with ordinality as u(tenant, hash, caller, place)) q"
)

_EMPTY = "''::bytea"


def _key(tenant: str, key: str) -> str:
    """The condition and order that only the primary key (tenant, id) serves without a sort.

    With a plain `id = …` every index that begins with `tenant` costs the planner the same while a table is new, and a
    plan made then would read a whole tenant's rows for each look-up. Sorting is off on these connections.
    """
    return f"r.tenant = {tenant} and r.id between {key} and {key} order by r.id limit 1"


def _row_of(alias: str, table: str, tenant: str, key: str) -> str:
    return f"left join lateral (select * from {table} r where {_key(tenant, key)}) {alias} on true"  # noqa: S608


# The rows of unnest come in their order, and the planner knows: this "order by" sorts nothing.
_IN_ORDER = "order by q.place"

LOOK_UP = statements.look_up(_QUESTIONS, _row_of, claims=False, empty=_EMPTY, tail=_IN_ORDER)
LOOK_UP_CLAIMS = statements.look_up(_QUESTIONS, _row_of, claims=True, empty=_EMPTY, tail=_IN_ORDER)
READ_CODE = statements.read_code(_REDEEMABLES, _row_of, empty=_EMPTY, tail=_IN_ORDER)
READ_REFRESH_TOKEN = statements.read_refresh_token(_REDEEMABLES, _row_of, empty=_EMPTY, tail=_IN_ORDER)

ISSUE = f"""
insert into access_token ({ACCESS_COLUMNS})
select n.tenant, n.hash, n.application, n.grant_id, n.scope, n.audience, n.issued_at, n.expires_at, n.extra
from unnest($1::bigint[], $2::bytea[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::bigint[],
 $9::text[], $10::bigint[], $11::bigint[])
 as n({ACCESS_COLUMNS}, application_version, tenant_version)
join tenant t on t.id = n.tenant and t.enabled = 1 and t.version = n.tenant_version
join lateral (
 select r.enabled, r.version from application r where {_key("n.tenant", "n.application")}
) a on a.enabled = 1 and a.version = n.application_version
on conflict do nothing
returning tenant, hash
"""  # noqa: S608  # column names are constants above

# Of several with the same value in one statement the database takes one; who asked first is told so by the caller.
USE_ONCE = """
insert into used_value (tenant, hash, expires_at)
select n.tenant, n.hash, n.expires_at
from unnest($1::bigint[], $2::bytea[], $3::bigint[]) as n(tenant, hash, expires_at)
order by n.tenant, n.hash -- two workers with the same values in two orders would wait for each other
on conflict do nothing
returning tenant, hash
"""

# What a redemption gives: $4 to $12 the access token, $13 to $21 the refresh token; a NULL hash stands for none.
_GIVEN = f"""
, access as (
 insert into access_token ({ACCESS_COLUMNS})
 select $4::bigint, $5::bytea, $6::text, $7::text, $8::text, $9::text, $10::bigint, $11::bigint, $12::text
 from consumed where $5::bytea is not null
), refresh as (
 insert into refresh_token ({REFRESH_COLUMNS})
 select $13::bigint, $14::bytea, $15::text, $16::text, $17::text, $18::bytea, $19::bigint, $20::bigint, $21::text, 0
 from consumed where $14::bytea is not null
)
select 1 from consumed
"""  # noqa: S608

# A grant of the row being redeemed, which must not be revoked.
_GRANT = f"(select {{column}} from grants r where {_key('k.tenant', 'k.grant_id')})"  # noqa: S608
_GRANT_IS_GOOD = _GRANT.format(column="r.revoked_at is null")

# A second redemption waits for the row, reads it again and finds it consumed. The code is kept as long as what it gave
# (decision 12); a token that is not stored (a JWT) lives no longer than its grant.
REDEEM_CODE = f"""
with consumed as (
 update authorization_code k
 set consumed_at = $3, keep_until = greatest(k.keep_until, coalesce(
   greatest($11::bigint, $20::bigint), {_GRANT.format(column="r.expires_at")}))
 where k.tenant = $1 and k.hash = $2 and k.consumed_at is null and k.expires_at > $3
  and {_GRANT_IS_GOOD}
 returning k.tenant
){_GIVEN}"""  # noqa: S608

# The token's row is the lock: each use waits for the one before and counts it. A use also closes the parent, always
# the child's row first, so that two uses in one family never wait for each other in a circle (decision 10).
REDEEM_REFRESH_TOKEN = f"""
with consumed as (
 update refresh_token k
 set first_used_at = coalesce(k.first_used_at, $3), uses = k.uses + 1
 where k.tenant = $1 and k.hash = $2 and k.closed_at is null and k.expires_at > $3
  and (not $22::boolean or k.first_used_at is null or (k.first_used_at > $3 - $23::bigint and k.uses < $24::bigint))
  and {_GRANT_IS_GOOD}
 returning k.tenant, k.parent
), closed as (
 update refresh_token p set closed_at = $3
 from consumed where p.tenant = consumed.tenant and p.hash = consumed.parent and p.closed_at is null
){_GIVEN}"""  # noqa: S608
