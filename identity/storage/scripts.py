"""Sign-in scripts: bundles by their hash, versions by application, libraries and secrets of a tenant."""

from dataclasses import dataclass

import msgspec
from sqlalchemy import bindparam, delete, select, update

from identity.domain.tenants import TenantId
from identity.storage.database import Row, Runner, Writer, columns, insert_into, of_tenant
from identity.storage.sign_in_tables import script_bundle, script_library, script_secret, script_version


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptVersion:
    """`application` is an id, empty for the tenant's own script; `tests` is JSON; moments are microseconds."""

    application: str
    number: int
    hash: str
    source: str
    tests: str
    author: str
    note: str
    created_at: int
    published_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptLibrary:
    name: str
    description: str
    source: str
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptSecret:
    """`hosts`: where HTTP calls may carry it. The value is sealed."""

    name: str
    description: str
    hosts: tuple[str, ...]
    sealed: bytes
    created_at: int
    updated_at: int


_FIND_BUNDLE = select(script_bundle.c.document).where(
    of_tenant(script_bundle), script_bundle.c.hash == bindparam("hash")
)
_ANY_BUNDLE = select(script_bundle.c.hash).limit(1)
_INSERT_BUNDLE = insert_into(script_bundle).on_conflict_do_nothing(
    index_elements=[script_bundle.c.tenant, script_bundle.c.hash]
)
_LEAVE_BUNDLE = (
    update(script_bundle)
    .where(script_bundle.c.tenant == bindparam("b_tenant"), script_bundle.c.hash == bindparam("b_hash"))
    .values(created_at=bindparam("now"))
)
_VERSIONS = (
    select(script_version)
    .where(of_tenant(script_version), script_version.c.application == bindparam("application"))
    .order_by(script_version.c.number.desc())
    .limit(bindparam("count"))
)
_VERSION = select(script_version).where(
    of_tenant(script_version),
    script_version.c.application == bindparam("application"),
    script_version.c.number == bindparam("number"),
)
_FORGET_VERSIONS = delete(script_version).where(
    of_tenant(script_version), script_version.c.application == bindparam("application")
)
_VERSION_OF_HASH = (
    select(script_version)
    .where(of_tenant(script_version), script_version.c.hash == bindparam("hash"))
    .order_by(script_version.c.number.desc())
    .limit(1)
)
_PUBLISHED = select(script_version).where(of_tenant(script_version), script_version.c.published_at.is_not(None))
_INSERT_VERSION = insert_into(script_version)
_PUBLISH = (
    update(script_version)
    .where(
        script_version.c.tenant == bindparam("b_tenant"),
        script_version.c.application == bindparam("b_application"),
        script_version.c.number == bindparam("b_number"),
    )
    .values(published_at=bindparam("at"), hash=bindparam("new_hash"))
)
_LIBRARIES = select(script_library).where(of_tenant(script_library)).order_by(script_library.c.name)
_LIBRARY = select(script_library).where(of_tenant(script_library), script_library.c.name == bindparam("name"))
_PUT_LIBRARY = insert_into(script_library)
_PUT_LIBRARY = _PUT_LIBRARY.on_conflict_do_update(
    index_elements=[script_library.c.tenant, script_library.c.name],
    set_={name: _PUT_LIBRARY.excluded[name] for name in ("description", "source", "updated_at")},
)
_DROP_LIBRARY = delete(script_library).where(of_tenant(script_library), script_library.c.name == bindparam("name"))
_SECRETS = select(script_secret).where(of_tenant(script_secret)).order_by(script_secret.c.name)
_SECRET = select(script_secret).where(of_tenant(script_secret), script_secret.c.name == bindparam("name"))
_PUT_SECRET = insert_into(script_secret)
_PUT_SECRET = _PUT_SECRET.on_conflict_do_update(
    index_elements=[script_secret.c.tenant, script_secret.c.name],
    set_={name: _PUT_SECRET.excluded[name] for name in ("description", "hosts", "sealed", "updated_at")},
)
_DROP_SECRET = delete(script_secret).where(of_tenant(script_secret), script_secret.c.name == bindparam("name"))


async def find_bundle(runner: Runner, tenant: TenantId, hash: str) -> str | None:
    """A script with its libraries as JSON, as it was saved under this hash."""
    row = await runner.fetch_one(_FIND_BUNDLE, tenant=tenant, hash=hash)
    return None if row is None else str(row["document"])


async def any_bundle(runner: Runner) -> bool:
    """Whether any tenant has a script."""
    return await runner.fetch_one(_ANY_BUNDLE) is not None


async def insert_bundle(writer: Writer, tenant: TenantId, hash: str, document: str, now: int) -> None:
    await writer.execute(_INSERT_BUNDLE, tenant=tenant, hash=hash, document=document, created_at=now)


async def leave_bundle(writer: Writer, tenant: TenantId, hash: str, now: int) -> None:
    """It decides no more from now on: flows that have begun with it still need it for a while."""
    await writer.execute(_LEAVE_BUNDLE, b_tenant=tenant, b_hash=hash, now=now)


async def list_versions(runner: Runner, tenant: TenantId, application: str, count: int = 100) -> list[ScriptVersion]:
    """The newest first."""
    rows = await runner.fetch(_VERSIONS, tenant=tenant, application=application, count=count)
    return [_version(row) for row in rows]


async def find_version(runner: Runner, tenant: TenantId, application: str, number: int) -> ScriptVersion | None:
    row = await runner.fetch_one(_VERSION, tenant=tenant, application=application, number=number)
    return None if row is None else _version(row)


async def find_version_of_hash(runner: Runner, tenant: TenantId, hash: str) -> ScriptVersion | None:
    """The last version that was saved or published under this hash, whoever's."""
    row = await runner.fetch_one(_VERSION_OF_HASH, tenant=tenant, hash=hash)
    return None if row is None else _version(row)


async def list_published_versions(runner: Runner, tenant: TenantId) -> list[ScriptVersion]:
    return [_version(row) for row in await runner.fetch(_PUBLISHED, tenant=tenant)]


async def insert_version(writer: Writer, tenant: TenantId, version: ScriptVersion) -> None:
    """Raises Conflict when somebody saved that number meanwhile."""
    await writer.execute(_INSERT_VERSION, tenant=tenant, **columns(version))


async def mark_published(
    writer: Writer, tenant: TenantId, application: str, number: int, *, hash: str, at: int
) -> None:
    await writer.execute(_PUBLISH, b_tenant=tenant, b_application=application, b_number=number, new_hash=hash, at=at)


async def forget_versions(writer: Writer, tenant: TenantId, application: str) -> None:
    """Every version of an application that is deleted."""
    await writer.execute(_FORGET_VERSIONS, tenant=tenant, application=application)


async def list_libraries(runner: Runner, tenant: TenantId) -> list[ScriptLibrary]:
    return [_library(row) for row in await runner.fetch(_LIBRARIES, tenant=tenant)]


async def find_library(runner: Runner, tenant: TenantId, name: str) -> ScriptLibrary | None:
    row = await runner.fetch_one(_LIBRARY, tenant=tenant, name=name)
    return None if row is None else _library(row)


async def put_library(writer: Writer, tenant: TenantId, library: ScriptLibrary) -> None:
    await writer.execute(_PUT_LIBRARY, tenant=tenant, **columns(library))


async def delete_library(writer: Writer, tenant: TenantId, name: str) -> bool:
    return await writer.execute(_DROP_LIBRARY, tenant=tenant, name=name) == 1


async def list_secrets(runner: Runner, tenant: TenantId) -> list[ScriptSecret]:
    return [_secret(row) for row in await runner.fetch(_SECRETS, tenant=tenant)]


async def find_secret(runner: Runner, tenant: TenantId, name: str) -> ScriptSecret | None:
    row = await runner.fetch_one(_SECRET, tenant=tenant, name=name)
    return None if row is None else _secret(row)


async def put_secret(writer: Writer, tenant: TenantId, secret: ScriptSecret) -> None:
    values = {**columns(secret), "hosts": msgspec.json.encode(secret.hosts).decode()}
    await writer.execute(_PUT_SECRET, tenant=tenant, **values)


async def delete_secret(writer: Writer, tenant: TenantId, name: str) -> bool:
    return await writer.execute(_DROP_SECRET, tenant=tenant, name=name) == 1


def _version(row: Row) -> ScriptVersion:
    return ScriptVersion(
        application=row["application"],
        number=row["number"],
        hash=row["hash"],
        source=row["source"],
        tests=row["tests"],
        author=row["author"],
        note=row["note"],
        created_at=row["created_at"],
        published_at=row["published_at"],
    )


def _library(row: Row) -> ScriptLibrary:
    return ScriptLibrary(
        name=row["name"],
        description=row["description"],
        source=row["source"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def _secret(row: Row) -> ScriptSecret:
    return ScriptSecret(
        name=row["name"],
        description=row["description"],
        hosts=tuple(msgspec.json.decode(row["hosts"])),
        sealed=bytes(row["sealed"]),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
