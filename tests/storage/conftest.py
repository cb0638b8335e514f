"""The token road's engines: a new SQLite file for each test, one PostgreSQL database for all, a tenant each."""

from pathlib import Path

import pytest

from tests.storage.hot_place import HotEngine
from tests.support.postgres import PostgresCluster
from tests.support.server import Engine


@pytest.fixture
def hot_on_sqlite(tmp_path: Path) -> HotEngine:
    engine = HotEngine("sqlite", str(tmp_path / "identity.sqlite3"))
    engine.create_schema()
    return engine


@pytest.fixture(scope="session")
def hot_on_postgresql(postgres: PostgresCluster) -> HotEngine:
    engine = HotEngine("postgresql", postgres.create_database())
    engine.create_schema()
    return engine


@pytest.fixture
def hot_engine(engine: Engine, request: pytest.FixtureRequest) -> HotEngine:
    """Each test that asks for it runs on both engines."""
    found: HotEngine = request.getfixturevalue(f"hot_on_{engine}")
    return found
