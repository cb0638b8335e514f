"""The SQL of the token road, for both engines. Columns stand in the order of the fields of `domain.tokens`.

`q` is what was asked, `k` the token or code, `g` its grant, `a` the application it was issued to, `c` the calling
application, `t` the tenant, `s` the session, `u` the subject.
"""

from collections.abc import Callable

RowOf = Callable[[str, str, str, str], str]
"""(alias, table, tenant, id): joins at most the one row of that key, in the engine's words."""

# A token without a grant gives NULL here, and a NULL key ends an index scan before it begins.
_GRANT = "nullif(coalesce(nullif(k.grant_id, ''), q.grant_id), '')"
_USERNAME = "coalesce(case when u.store = 'PRIMARY' then u.username else u.store || '/' || u.username end, '')"
# A client id may have been deleted and registered anew: a grant is its application's, not its client id's.
_GRANT_IS_ITS_OWN = "coalesce(g.application = coalesce(nullif(k.application, ''), q.application), false)"
# No grant needs no subject; a grant that is gone, or whose subject is gone, has none that is current.
_SUBJECT_CURRENT = (
    "case when {grant} is null then true when g.id is null then false when g.subject = '' then true"
    " else coalesce(u.enabled = 1 and u.epoch = g.subject_epoch, false) end"
)
# A bound session whose row is gone was ended or ran out, and has been purged since.
_SESSION_ENDED = (
    "coalesce(g.session_bound = 1 and g.session is not null and (s.id is null or s.ended_at is not null{ended}), false)"
)

_LOOK_UP = f"""
select t.version, c.version, k.hash is not null,
 coalesce(nullif(k.application, ''), q.application), coalesce(a.enabled = 1, false),
 coalesce(k.scope, ''), coalesce(k.audience, ''), coalesce(k.issued_at, 0), coalesce(k.expires_at, 0),
 k.revoked_at is not null,
 coalesce({_GRANT}, ''), {_GRANT_IS_ITS_OWN}, g.revoked_at is not null, {_SESSION_ENDED.format(ended="")},
 coalesce(g.subject, ''), {_USERNAME}, {_SUBJECT_CURRENT.format(grant=_GRANT)}, coalesce(u.version, 0),
 {{claims}}, coalesce(k.extra, '')
from {{questions}}
left join tenant t on t.id = q.tenant and t.enabled = 1
{{caller}}
left join access_token k on k.tenant = q.tenant and k.hash = q.hash
{{application}}
{{grant}}
{{session}}
{{subject}}
"""  # noqa: S608  # what is filled in are constants of this package

_READ = f"""
select t.version, c.version, k.hash is not null,
 coalesce({{application}}, ''), coalesce(a.enabled = 1, false),
 coalesce(k.grant_id, ''), k.hash is not null and (g.id is null or g.revoked_at is not null),
 coalesce(g.expires_at, 0),
 coalesce(g.session, ''), coalesce(g.session_bound = 1, false),
 {_SESSION_ENDED.format(ended=" or s.expires_at <= q.asked_at")},
 coalesce(g.subject, ''), {_SUBJECT_CURRENT.format(grant="k.grant_id")}, coalesce(u.version, 0),
 coalesce({{scope}}, ''), coalesce(g.scope, ''), coalesce(g.requested_claims, ''),
 coalesce(g.claims, {{empty}}), coalesce(g.subject_version, 0), coalesce(g.auth_time, 0),
 coalesce(g.acr, ''), coalesce(g.amr, ''),
 g.nonce, coalesce(k.expires_at, 0), {{rest}}, coalesce(g.kind, ''), coalesce(g.resources, ''),
 coalesce(g.authorization_details, ''), coalesce(g.actor, ''), coalesce({{confirmation}}, '')
from {{questions}}
left join tenant t on t.id = q.tenant and t.enabled = 1
{{caller}}
left join {{table}} k on k.tenant = q.tenant and k.hash = q.hash
{{grant}}
{{issued_to}}
{{session}}
{{subject}}
"""  # noqa: S608  # what is filled in are constants of this package


def look_up(questions: str, row_of: RowOf, *, claims: bool, empty: str, tail: str = "") -> str:
    """The look-up over the relation `questions` (tenant, hash, caller, grant_id, application) named `q`.

    `empty` is the engine's literal for no bytes.
    """
    told = f"coalesce(g.claims, {empty}), coalesce(g.subject_version, 0), coalesce(g.requested_claims, '')"
    joined = {
        "caller": row_of("c", "application", "q.tenant", "nullif(q.caller, '')"),
        "application": row_of(
            "a", "application", "q.tenant", "nullif(coalesce(nullif(k.application, ''), q.application), '')"
        ),
        "grant": row_of("g", "grants", "q.tenant", _GRANT),
    }
    claims_columns = told if claims else f"{empty}, 0, ''"
    return _LOOK_UP.format(questions=questions, claims=claims_columns, **joined, **_of_grant(row_of)) + tail


def read_code(questions: str, row_of: RowOf, *, empty: str, tail: str = "") -> str:
    """Codes as they stand, over the relation `questions` (tenant, hash, caller, asked_at) named `q`."""
    rest = "coalesce(k.redirect_uri, ''), coalesce(k.code_challenge, ''), k.consumed_at, null, null, 0, null"
    return _READ.format(
        table="authorization_code", application="g.application", scope="g.scope", rest=rest, questions=questions,
        empty=empty, confirmation="g.confirmation", **_around("g.application", row_of),
    ) + tail  # fmt: skip


def read_refresh_token(questions: str, row_of: RowOf, *, empty: str, tail: str = "") -> str:
    """Refresh tokens as they stand, over the same relation."""
    rest = "'', '', null, k.parent, k.first_used_at, coalesce(k.uses, 0), k.closed_at"
    return _READ.format(
        table="refresh_token", application="k.application", scope="k.scope", rest=rest, questions=questions,
        empty=empty, confirmation="k.confirmation", **_around("k.application", row_of),
    ) + tail  # fmt: skip


def _around(application: str, row_of: RowOf) -> dict[str, str]:
    return {
        "caller": row_of("c", "application", "q.tenant", "q.caller"),
        "grant": row_of("g", "grants", "k.tenant", "k.grant_id"),
        "issued_to": row_of("a", "application", "k.tenant", application),
        **_of_grant(row_of),
    }


def _of_grant(row_of: RowOf) -> dict[str, str]:
    return {
        "session": row_of("s", "sso_session", "g.tenant", "case when g.session_bound = 1 then g.session end"),
        "subject": row_of("u", "subject", "g.tenant", "g.subject"),
    }


ACCESS_COLUMNS = "tenant, hash, application, grant_id, scope, audience, issued_at, expires_at, extra"
REFRESH_COLUMNS = "tenant, hash, grant_id, application, scope, parent, issued_at, expires_at, confirmation, uses"
