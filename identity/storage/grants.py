"""Grants and codes as the pages write them; the token road reads and redeems them in `storage.hot`."""

from dataclasses import fields

from sqlalchemy import Select, Update, bindparam, select, update

from identity.domain.applications import ApplicationId
from identity.domain.grants import AuthorizationCode, Grant
from identity.domain.tenants import TenantId
from identity.domain.tokens import NewRefreshToken, NewToken
from identity.domain.users import SubjectId
from identity.storage.database import Runner, Transaction, columns, insert_into, of_tenant
from identity.storage.tables import access_token, authorization_code, grants, refresh_token
from identity.storage.write_batch import WriteBatch

_INSERT_GRANT = insert_into(grants)
_INSERT_CODE = insert_into(authorization_code)
_INSERT_TOKEN = insert_into(access_token)
_INSERT_REFRESH_TOKEN = insert_into(refresh_token)
_BY_ID = select(grants).where(of_tenant(grants), grants.c.id == bindparam("id"))


def _revoke(first: Select[tuple[str]]) -> Update:
    """Ends the grants that `first` finds, and whatever their tokens were exchanged for, and so on."""
    # Inside the condition: a statement that begins with WITH tells sqlite3 no count of changed rows.
    ending = first.cte("ending", recursive=True, nesting=True)
    exchanged = grants.alias("exchanged")
    ending = ending.union(
        select(exchanged.c.id).where(exchanged.c.tenant == bindparam("b_tenant"), exchanged.c.source == ending.c.id)
    )
    return (
        update(grants)
        .where(
            grants.c.tenant == bindparam("b_tenant"),
            grants.c.id.in_(select(ending.c.id)),
            grants.c.revoked_at.is_(None),
        )
        .values(revoked_at=bindparam("at"))
    )


_REVOKE = _revoke(select(grants.c.id).where(grants.c.tenant == bindparam("b_tenant"), grants.c.id == bindparam("b_id")))
_REVOKE_OF_APPLICATION = _revoke(
    select(grants.c.id).where(
        grants.c.tenant == bindparam("b_tenant"),
        grants.c.subject == bindparam("b_subject"),
        grants.c.application == bindparam("b_application"),
        grants.c.revoked_at.is_(None),
    )
)
_STANDS = (
    update(grants)
    .where(grants.c.tenant == bindparam("b_tenant"), grants.c.id == bindparam("b_id"), grants.c.revoked_at.is_(None))
    .values(source=grants.c.source)
)
_RAISE = (
    update(grants)
    .where(grants.c.tenant == bindparam("b_tenant"), grants.c.id == bindparam("b_id"), grants.c.revoked_at.is_(None))
    .values(acr=bindparam("new_acr"), amr=bindparam("new_amr"))
)
_CLAIMS = (
    update(grants)
    .where(grants.c.tenant == bindparam("b_tenant"), grants.c.id == bindparam("b_id"))
    .values(claims=bindparam("new_claims"), subject_version=bindparam("new_version"))
)
_REVOKE_TOKEN = (
    update(access_token)
    .where(
        access_token.c.tenant == bindparam("b_tenant"),
        access_token.c.hash == bindparam("b_hash"),
        access_token.c.revoked_at.is_(None),
    )
    .values(revoked_at=bindparam("at"))
)
_TOMBSTONE = _INSERT_TOKEN.on_conflict_do_nothing()
_SUBJECT = select(grants.c.subject).where(of_tenant(grants), grants.c.id == bindparam("id"))
_REFRESH_OWNER = select(refresh_token.c.grant_id, refresh_token.c.application).where(
    of_tenant(refresh_token), refresh_token.c.hash == bindparam("hash")
)


async def insert_grant(transaction: Transaction, grant: Grant) -> None:
    await transaction.execute(_INSERT_GRANT, **(columns(grant) | {"session_bound": int(grant.session_bound)}))


async def find_grant(runner: Runner, tenant: TenantId, grant: str) -> Grant | None:
    """In whatever state it is."""
    row = await runner.fetch_one(_BY_ID, tenant=tenant, id=grant)
    if row is None:
        return None
    values = {field.name: row[field.name] for field in fields(Grant)}
    return Grant(**(values | {"claims": bytes(row["claims"]), "session_bound": bool(row["session_bound"])}))


async def insert_authorization_code(transaction: Transaction, code: AuthorizationCode) -> None:
    await transaction.execute(
        _INSERT_CODE,
        tenant=code.tenant,
        hash=code.hash,
        grant_id=code.grant,
        redirect_uri=code.redirect_uri,
        code_challenge=code.code_challenge,
        expires_at=code.expires_at,
        keep_until=code.expires_at,
        consumed_at=None,
    )


async def require_standing(batch: WriteBatch, tenant: TenantId, grant: str) -> None:
    """The batch is left undone when the grant is revoked by then, and whoever revokes it waits for the batch."""
    await batch.execute(_STANDS, b_tenant=tenant, b_id=grant)
    batch.expect_one()


async def raise_grant(batch: WriteBatch, tenant: TenantId, grant: str, *, acr: str, amr: str) -> None:
    """Its person has shown more since; left undone with the whole batch when it is revoked by then."""
    await batch.execute(_RAISE, b_tenant=tenant, b_id=grant, new_acr=acr, new_amr=amr)
    batch.expect_one()


async def insert_access_token(transaction: Transaction, token: NewToken) -> None:
    """A token of a grant that begins in the same transaction; others are stored by `storage.hot`."""
    await transaction.execute(
        _INSERT_TOKEN,
        tenant=token.tenant,
        hash=token.hash,
        application=token.application,
        grant_id=token.grant,
        scope=token.scope,
        audience=token.audience,
        issued_at=token.issued_at,
        expires_at=token.expires_at,
        revoked_at=None,
        extra=token.extra,
    )


async def insert_refresh_token(transaction: Transaction, token: NewRefreshToken) -> None:
    """The first one of a grant that begins in the same transaction."""
    await transaction.execute(
        _INSERT_REFRESH_TOKEN,
        tenant=token.tenant,
        hash=token.hash,
        grant_id=token.grant,
        application=token.application,
        scope=token.scope,
        parent=token.parent,
        issued_at=token.issued_at,
        expires_at=token.expires_at,
        first_used_at=None,
        uses=0,
        closed_at=None,
        confirmation=token.confirmation,
    )


async def revoke_grant(transaction: Transaction, tenant: TenantId, grant: str, at: int) -> bool:
    """Every code and token of the grant is inactive from the commit on. False when it was revoked already."""
    return await transaction.execute(_REVOKE, b_tenant=tenant, b_id=grant, at=at) > 0


async def revoke_grants_of_application(
    transaction: Transaction, tenant: TenantId, subject: SubjectId, application: ApplicationId, at: int
) -> int:
    return await transaction.execute(
        _REVOKE_OF_APPLICATION, b_tenant=tenant, b_subject=subject, b_application=application, at=at
    )


async def update_grant_claims(
    transaction: Transaction, tenant: TenantId, grant: str, *, claims: bytes, subject_version: int
) -> None:
    await transaction.execute(_CLAIMS, b_tenant=tenant, b_id=grant, new_claims=claims, new_version=subject_version)


async def revoke_access_token(
    transaction: Transaction, tenant: TenantId, hash: bytes, *, application: str, grant: str, expires_at: int, at: int
) -> None:
    """Revoke one access token. A JWT has no row yet: one that says "revoked" is made, kept until it expires."""
    if await transaction.execute(_REVOKE_TOKEN, b_tenant=tenant, b_hash=hash, at=at) == 0:
        await transaction.execute(
            _TOMBSTONE,
            tenant=tenant,
            hash=hash,
            application=application,
            grant_id=grant,
            scope="",
            audience="",
            issued_at=at,
            expires_at=expires_at,
            revoked_at=at,
            extra="",
        )


async def find_grant_subject(runner: Runner, tenant: TenantId, grant: str) -> str | None:
    """The id of the person who granted it."""
    row = await runner.fetch_one(_SUBJECT, tenant=tenant, id=grant)
    return None if row is None else row["subject"]


async def find_refresh_token_owner(runner: Runner, tenant: TenantId, hash: bytes) -> tuple[str, str] | None:
    """(grant id, application id) of a refresh token."""
    row = await runner.fetch_one(_REFRESH_OWNER, tenant=tenant, hash=hash)
    return None if row is None else (row["grant_id"], row["application"])
