"""The schema's revisions: a fresh database is created from metadata and stamped, an older one is upgraded by Alembic.

A revision is named `<release>_<step>`. Changes expand in one release and contract in the next, so the code of a
release runs on the schema of its own release and on that of the one after it: a rolling deployment upgrades first,
and the servers of the old release go on. Alembic costs 0.2 s to import, so it is only imported to upgrade.
"""

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection as SqlalchemyConnection
from sqlalchemy import MetaData
from sqlalchemy.engine import Dialect
from sqlalchemy.schema import CreateIndex, CreateTable

from identity.config import Settings
from identity.errors import ConfigurationError, Unavailable
from identity.resources import data_folder
from identity.storage.sqlite_writer import connect

if TYPE_CHECKING:
    from asyncpg import Connection, Record

CURRENT = "01_03"
"""The newest revision in `migrations/versions`: what this code creates and upgrades to."""

ACCEPTED = frozenset({1, 2})
"""The releases (first part of a revision) whose schema this code can use: its own and the next."""

LOCK_TIMEOUT = "5s"
"""How long a change waits for a table's lock before it gives up, so that readers do not queue behind it for longer."""

_START_LOCK = 0x1DE_4717
"""Number of the PostgreSQL advisory lock that lets one starting server at a time change the schema."""

_START_LOCK_TIMEOUT = "60s"

_LOCK_NOT_AVAILABLE = "55P03"

_VERSION_TABLE = (
    "CREATE TABLE alembic_version ("
    "version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
)

Report = Callable[[str], None]


async def ensure_schema(settings: Settings, metadatas: Sequence[MetaData], report: Report) -> None:
    """Bring the database to a schema that this code can use; `report` gets one line for each thing done.

    `metadatas` together hold all of the tables. Servers that start at the same time wait for each other. Raises
    ConfigurationError when the schema is of a later release or not ours, Unavailable when the database is not there.
    """
    if settings.embedded:
        await asyncio.to_thread(_ensure_sqlite, settings, metadatas, report)
    elif not usable(await stored_revision(settings)):
        await _upgrade_postgresql(settings, metadatas, report)


async def stored_revision(settings: Settings) -> str | None:
    """The database's revision; None when it has none yet. Raises Unavailable when it cannot be asked."""
    if settings.embedded:
        return await asyncio.to_thread(_read_sqlite_revision, settings)
    async with _postgresql(settings) as connection:
        return await _read_postgresql_revision(connection)


def usable(revision: str | None) -> bool:
    """Whether this code runs on that schema as it is. Raises ConfigurationError for one of a later release."""
    if revision is None or revision == CURRENT:
        return revision is not None
    release, known = _release(revision), _release(CURRENT)
    if release > known and release not in ACCEPTED:
        raise ConfigurationError(
            f"The database's schema {revision} is of a later release; this one knows {CURRENT}. Start that release."
        )
    return release > known or (release == known and revision > CURRENT)


def _release(revision: str) -> int:
    release, _, step = revision.partition("_")
    if not (release.isdecimal() and step.isdecimal()):
        raise ConfigurationError(f"The database's schema revision {revision!r} is not one of ours.")
    return int(release)


# What a fresh database gets.


def schema_statements(metadatas: Sequence[MetaData], dialect: Dialect) -> list[str]:
    """The DDL of all tables and indexes, with the revision's stamp, in the engine's own words."""
    statements: list[str] = []
    for metadata in metadatas:
        for table in metadata.sorted_tables:
            statements.append(str(CreateTable(table).compile(dialect=dialect)))
            indexes = sorted(table.indexes, key=lambda index: str(index.name))
            statements += [str(CreateIndex(index).compile(dialect=dialect)) for index in indexes]
    return [*statements, _VERSION_TABLE, f"INSERT INTO alembic_version (version_num) VALUES ('{CURRENT}')"]  # noqa: S608


def _refuse_foreign_tables(metadatas: Sequence[MetaData], present: Iterable[str]) -> None:
    ours = {name for metadata in metadatas for name in metadata.tables}
    taken = sorted(ours.intersection(present))
    if taken:
        raise ConfigurationError(
            f"The database has a table {taken[0]!r} but no schema revision: it is not ours. Give an empty database."
        )


# SQLite.


def _read_sqlite_revision(settings: Settings) -> str | None:
    if not settings.database_file.exists():
        return None
    try:
        with closing(sqlite3.connect(settings.database_file)) as connection:
            return _sqlite_revision(connection)
    except sqlite3.DatabaseError as error:
        raise Unavailable(f"sqlite: {settings.database_file}: {error}") from error


def _sqlite_revision(connection: sqlite3.Connection) -> str | None:
    found = connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'alembic_version'")
    if found.fetchone() is None:
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else str(row[0])


def _ensure_sqlite(settings: Settings, metadatas: Sequence[MetaData], report: Report) -> None:
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _one_start_at_a_time(settings.data, report):
        revision = _read_sqlite_revision(settings)
        try:
            if revision is None:
                _create_sqlite(settings, metadatas)
                report(f"Created the schema {CURRENT} in {settings.database_file}.")
            elif not usable(revision):
                report(f"Upgrading the schema of {settings.database_file} from {revision} to {CURRENT}.")
                _run_alembic_on_sqlite(settings)
        except sqlite3.DatabaseError as error:
            raise Unavailable(f"sqlite: {settings.database_file}: {error}") from error


@contextmanager
def _one_start_at_a_time(folder: Path, report: Report) -> Iterator[None]:
    """A lock on the data folder. SQLite's own do not do: nobody waits for the change of a new file to its WAL mode."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report(f"Waiting for another start that uses {folder}.")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _create_sqlite(settings: Settings, metadatas: Sequence[MetaData]) -> None:
    from sqlalchemy.dialects import sqlite

    if not settings.database_file.exists():
        # It holds password hashes: nobody else on the machine may read it, nor the journal that is made beside it.
        os.close(os.open(settings.database_file, os.O_CREAT | os.O_EXCL, 0o600))
    with closing(connect(settings.database_file)) as connection:
        present = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        _refuse_foreign_tables(metadatas, (row["name"] for row in present))
        connection.execute("BEGIN IMMEDIATE")
        for statement in schema_statements(metadatas, sqlite.dialect()):
            connection.execute(statement)
        connection.execute("COMMIT")


def _run_alembic_on_sqlite(settings: Settings) -> None:
    from sqlalchemy import NullPool, create_engine

    engine = create_engine("sqlite://", creator=lambda: connect(settings.database_file), poolclass=NullPool)
    with engine.connect() as connection:
        # One transaction around all steps: SQLite changes schemas inside transactions, so a failed step undoes them.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        run_alembic(connection)
        connection.commit()


# PostgreSQL.


@asynccontextmanager
async def _postgresql(settings: Settings) -> AsyncIterator["Connection[Record]"]:
    import asyncpg

    assert settings.database_url is not None
    try:
        connection = await asyncpg.connect(settings.database_url.get_secret_value(), timeout=5)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise Unavailable(f"postgresql: {type(error).__name__} {error}") from error
    try:
        yield connection
    except asyncpg.InsufficientPrivilegeError as error:
        raise ConfigurationError(
            f"The database user may not change the schema ({error}). Run `identity migrate` as the tables' owner."
        ) from error
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise Unavailable(f"postgresql: {type(error).__name__} {error}") from error
    finally:
        await connection.close()


async def _read_postgresql_revision(connection: "Connection[Record]") -> str | None:
    if await connection.fetchval("SELECT to_regclass('alembic_version')") is None:
        return None
    revision: str | None = await connection.fetchval("SELECT version_num FROM alembic_version")
    return revision


async def _upgrade_postgresql(settings: Settings, metadatas: Sequence[MetaData], report: Report) -> None:
    async with _postgresql(settings) as connection:
        # Held by this session until it closes: Alembic's own session below works under its protection.
        await connection.execute(f"SET lock_timeout = '{_START_LOCK_TIMEOUT}'")
        await connection.execute(f"SELECT pg_advisory_lock({_START_LOCK})")
        revision = await _read_postgresql_revision(connection)
        if revision is None:
            await _create_postgresql(connection, metadatas)
            report(f"Created the schema {CURRENT}.")
        elif not usable(revision):
            report(f"Upgrading the schema from {revision} to {CURRENT}.")
            await _run_alembic_on_postgresql(settings)


async def _create_postgresql(connection: "Connection[Record]", metadatas: Sequence[MetaData]) -> None:
    from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg

    present = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
    _refuse_foreign_tables(metadatas, (row["tablename"] for row in present))
    async with connection.transaction():
        dialect = PGDialect_asyncpg()  # type: ignore[no-untyped-call]
        for statement in schema_statements(metadatas, dialect):
            await connection.execute(statement)


async def _run_alembic_on_postgresql(settings: Settings) -> None:
    import asyncpg
    from sqlalchemy import NullPool
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.ext.asyncio import create_async_engine

    assert settings.database_url is not None
    url = settings.database_url.get_secret_value()

    async def open_connection() -> "Connection[Record]":
        return await asyncpg.connect(url, timeout=5, server_settings={"lock_timeout": LOCK_TIMEOUT})

    engine = create_async_engine("postgresql+asyncpg://", async_creator=open_connection, poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(run_alembic)
            await connection.commit()
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == _LOCK_NOT_AVAILABLE:
            raise Unavailable(f"postgresql: a table was locked for {LOCK_TIMEOUT}; nothing was changed") from error
        raise


def run_alembic(connection: SqlalchemyConnection, target: str | None = None) -> None:
    """Run the steps of `migrations/versions` up to `target`, else `CURRENT`; the caller commits."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(data_folder("migrations")).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, target or CURRENT)
