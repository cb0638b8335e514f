"""The schema: what metadata creates is what the migrations build, on both engines, however the servers start."""

import asyncio
import re
import secrets
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import asyncpg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, Table

import identity.storage.authorization_tables
import identity.storage.sign_in_tables
import identity.storage.tables
import userstores.sql.tables
from identity.config import Settings
from identity.errors import ConfigurationError, Unavailable
from identity.resources import data_folder
from identity.storage import migrations
from identity.storage.migrations import CURRENT, ensure_schema, stored_revision, usable
from identity.storage.sqlite_writer import connect
from tests.support.postgres import PostgresCluster
from tests.support.server import Engine

METADATAS = [
    identity.storage.tables.metadata,
    identity.storage.authorization_tables.metadata,
    identity.storage.sign_in_tables.metadata,
    userstores.sql.tables.metadata,
]

Fresh = Callable[[str], Settings]


@pytest.fixture
def fresh(engine: Engine, request: pytest.FixtureRequest, tmp_path: Path) -> Fresh:
    """Settings of a new, empty installation."""

    def settings(name: str) -> Settings:
        if engine == "sqlite":
            return Settings(data=tmp_path / name)
        cluster: PostgresCluster = request.getfixturevalue("postgres")
        key = secrets.token_hex(32)
        return Settings.model_validate(
            {"data": tmp_path / name, "database_url": cluster.create_database(), "master_key": key}
        )

    return settings


def ensure(settings: Settings, metadatas: Sequence[MetaData] = METADATAS) -> list[str]:
    """The lines that were reported."""
    lines: list[str] = []
    asyncio.run(ensure_schema(settings, metadatas, lines.append))
    return lines


def execute(settings: Settings, request: pytest.FixtureRequest, statement: str) -> None:
    if settings.embedded:
        settings.data.mkdir(exist_ok=True)
        with closing(connect(settings.database_file)) as connection:
            connection.execute(statement)
    else:
        cluster: PostgresCluster = request.getfixturevalue("postgres")
        cluster.query(_database_name(settings), statement)


def _database_name(settings: Settings) -> str:
    assert settings.database_url is not None
    return settings.database_url.get_secret_value().partition("@/")[2].partition("?")[0]


def schema_of(settings: Settings, request: pytest.FixtureRequest) -> list[str]:
    """The database's own words for its schema, without white space and the order of statements."""
    if settings.embedded:
        with closing(connect(settings.database_file)) as connection:
            rows = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
        return sorted(re.sub(r"\s+", " ", row[0]).replace("( ", "(").replace(" )", ")") for row in rows)
    cluster: PostgresCluster = request.getfixturevalue("postgres")
    assert settings.database_url is not None
    # A line like `\restrict <random>` differs each time.
    lines = cluster.dump_schema(settings.database_url.get_secret_value()).splitlines()
    return [line for line in lines if line and not line.startswith("\\")]


def test_metadata_and_migrations_make_the_same_schema(fresh: Fresh, request: pytest.FixtureRequest) -> None:
    created, migrated = fresh("created"), fresh("migrated")
    assert ensure(created) == [_created(created)]
    execute(migrated, request, migrations._VERSION_TABLE)
    asyncio.run(_run_migrations(migrated))
    assert asyncio.run(stored_revision(migrated)) == CURRENT
    assert schema_of(created, request) == schema_of(migrated, request)


def _created(settings: Settings) -> str:
    return f"Created the schema {CURRENT}" + (f" in {settings.database_file}." if settings.embedded else ".")


async def _run_migrations(settings: Settings) -> None:
    if settings.embedded:
        await asyncio.to_thread(migrations._run_alembic_on_sqlite, settings)
    else:
        await migrations._run_alembic_on_postgresql(settings)


def test_a_second_start_changes_nothing(fresh: Fresh) -> None:
    settings = fresh("again")
    ensure(settings)
    assert ensure(settings) == []


def test_servers_that_start_together_wait_for_each_other(fresh: Fresh) -> None:
    settings = fresh("together")
    lines: list[str] = []

    async def together() -> None:
        await asyncio.gather(*(ensure_schema(settings, METADATAS, lines.append) for _ in range(4)))

    asyncio.run(together())
    assert [line for line in lines if not line.startswith("Waiting")] == [_created(settings)]


def test_an_older_schema_is_upgraded(
    fresh: Fresh, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = fresh("older")
    ensure(settings)
    newer = _with_one_more_step(tmp_path)
    monkeypatch.setattr(migrations, "data_folder", lambda name: newer)
    monkeypatch.setattr(migrations, "CURRENT", "01_99")
    lines = ensure(settings)
    assert [line for line in lines if f"from {CURRENT} to 01_99" in line] == lines != []
    assert asyncio.run(stored_revision(settings)) == "01_99"
    execute(settings, request, "INSERT INTO one_more VALUES (1)")
    assert ensure(settings) == []


def _with_one_more_step(folder: Path) -> Path:
    """A copy of the migrations with a further step, as the next release would bring it."""
    copy = folder / "migrations"
    shutil.copytree(data_folder("migrations"), copy)
    step = f"""
import sqlalchemy as sa
from alembic import op
revision = "01_99"
down_revision = "{CURRENT}"
def upgrade():
    op.create_table("one_more", sa.Column("id", sa.BigInteger))
"""
    (copy / "versions" / "01_99_one_more.py").write_text(step)
    return copy


def test_a_failed_step_leaves_the_schema_as_it_was(
    fresh: Fresh, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = fresh("failing")
    ensure(settings)
    newer = _with_one_more_step(tmp_path)
    step = newer / "versions" / "01_99_one_more.py"
    step.write_text(step.read_text() + '    op.execute("SELECT no_such_column FROM tenant")\n')
    monkeypatch.setattr(migrations, "data_folder", lambda name: newer)
    monkeypatch.setattr(migrations, "CURRENT", "01_99")
    before = schema_of(settings, request)
    with pytest.raises(Exception, match="no_such_column"):
        ensure(settings)
    assert schema_of(settings, request) == before
    assert asyncio.run(stored_revision(settings)) == CURRENT


def test_a_locked_table_is_not_waited_for_long(
    postgres: PostgresCluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whoever waits for a table's lock makes all its readers wait behind it."""
    url = postgres.create_database()
    settings = Settings.model_validate({"data": tmp_path, "database_url": url, "master_key": "0" * 64})
    ensure(settings)
    newer = _with_one_more_step(tmp_path)
    step = newer / "versions" / "01_99_one_more.py"
    step.write_text(step.read_text() + '    op.add_column("tenant", sa.Column("more", sa.Text))\n')
    monkeypatch.setattr(migrations, "data_folder", lambda name: newer)
    monkeypatch.setattr(migrations, "CURRENT", "01_99")
    monkeypatch.setattr(migrations, "LOCK_TIMEOUT", "50ms")

    async def upgrade_while_read() -> None:
        reader = await asyncpg.connect(url)
        try:
            async with reader.transaction():
                await reader.execute("SELECT 1 FROM tenant")
                with pytest.raises(Unavailable, match="locked"):
                    await ensure_schema(settings, METADATAS, print)
        finally:
            await reader.close()

    asyncio.run(upgrade_while_read())
    ensure(settings)
    assert asyncio.run(stored_revision(settings)) == "01_99"


def test_a_database_of_something_else_is_refused(fresh: Fresh, request: pytest.FixtureRequest) -> None:
    settings = fresh("foreign")
    execute(settings, request, "CREATE TABLE tenant (id INTEGER)")
    with pytest.raises(ConfigurationError, match=r"'tenant'.*not ours"):
        ensure(settings)


def test_a_schema_beyond_the_next_release_is_refused(fresh: Fresh, request: pytest.FixtureRequest) -> None:
    settings = fresh("beyond")
    ensure(settings)
    execute(settings, request, "UPDATE alembic_version SET version_num = '02_07'")
    assert ensure(settings) == []
    execute(settings, request, "UPDATE alembic_version SET version_num = '03_01'")
    with pytest.raises(ConfigurationError, match="later release"):
        ensure(settings)


@pytest.mark.parametrize(
    ("revision", "answer"), [(None, False), ("00_09", False), (CURRENT, True), ("01_98", True), ("02_01", True)]
)
def test_which_revisions_are_usable(revision: str | None, answer: bool) -> None:
    assert usable(revision) is answer


@pytest.mark.parametrize("revision", ["03_01", "1a2b3c", "", "01_"])
def test_which_revisions_are_refused(revision: str) -> None:
    with pytest.raises(ConfigurationError):
        usable(revision)


def test_current_is_the_only_head() -> None:
    config = Config()
    config.set_main_option("script_location", str(data_folder("migrations")))
    assert ScriptDirectory.from_config(config).get_heads() == [CURRENT]


def test_a_database_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    url = f"postgresql://nobody@/nothing?host={tmp_path}"
    settings = Settings.model_validate({"data": tmp_path, "database_url": url, "master_key": "0" * 64})
    with pytest.raises(Unavailable):
        ensure(settings)


def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    settings.database_file.write_bytes(b"not a database at all, but a text" * 40)
    with pytest.raises(Unavailable):
        ensure(settings)


def test_the_embedded_file_is_private(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data")
    ensure(settings)
    assert settings.database_file.stat().st_mode & 0o077 == 0
    assert settings.data.stat().st_mode & 0o077 == 0


def test_a_fresh_embedded_start_does_not_import_alembic(tmp_path: Path) -> None:
    program = f"""
import asyncio, sys
import identity.storage.tables as ours, userstores.sql.tables as stores
from identity.config import Settings
from identity.storage.migrations import ensure_schema
for _ in range(2):
    asyncio.run(ensure_schema(Settings(data={str(tmp_path)!r}), [ours.metadata, stores.metadata], print))
print(sorted(name for name in sys.modules if name in ("alembic", "asyncpg", "greenlet")))
"""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[1:] == ["[]"], done.stdout + done.stderr


def test_no_table_is_defined_twice() -> None:
    tables: list[Table] = [table for metadata in METADATAS for table in metadata.sorted_tables]
    assert len({table.name for table in tables}) == len(tables)


def test_sqlite_keeps_schema_changes_in_the_transaction() -> None:
    """The upgrade relies on it: DDL between BEGIN and ROLLBACK leaves nothing behind."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("CREATE TABLE t (a)")
        connection.execute("ROLLBACK")
        assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
