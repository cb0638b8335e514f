"""https on loopback under an authority of the tests' own, and an empty database of each engine."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.storage.hot_place import HotEngine
from tests.support.authority import Authority, server_context
from tests.support.postgres import PostgresCluster
from tests.support.receiver import Receiver
from tests.support.server import Engine


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="session")
def ca_file(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("authority") / "ca.pem"
    file.write_bytes(authority.certificate)
    return file


@pytest.fixture
def tls(authority: Authority, tmp_path: Path) -> ssl.SSLContext:
    """For `localhost` and `neighbour.example`."""
    return server_context(tmp_path, authority.issue(("localhost", "127.0.0.1", "neighbour.example")))


@pytest.fixture
def tls_receiver(tls: ssl.SSLContext) -> Iterator[Receiver]:
    made = Receiver(tls)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def outbox_engine(engine: Engine, request: pytest.FixtureRequest, tmp_path: Path) -> HotEngine:
    """Each test that asks for it runs on both engines."""
    if engine == "postgresql":
        found: HotEngine = request.getfixturevalue("outbox_on_postgresql")
        return found
    made = HotEngine("sqlite", str(tmp_path / "identity.sqlite3"))
    made.create_schema()
    return made


@pytest.fixture(scope="session")
def outbox_on_postgresql(postgres: PostgresCluster) -> HotEngine:
    made = HotEngine("postgresql", postgres.create_database())
    made.create_schema()
    return made
