"""A directory, databases with the SQL store's tables, and stores that know the same people."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.schema import CreateIndex, CreateTable

from identity.storage.database import Database
from identity.storage.postgresql import PostgresqlDatabase
from identity.storage.sqlite_writer import SqliteDatabase, connect
from tests.support import outside
from tests.support.postgres import PostgresCluster
from tests.userstores.start_slapd import GROUPS, PEOPLE, SERVICE_DN, SERVICE_PASSWORD, Slapd, find_slapd
from userstores.ldap.settings import LdapSettings, parse_settings
from userstores.ldap.store import LdapUserStore
from userstores.passwords import Argon2Cost, PasswordLane
from userstores.spi import NewUser, UserStore
from userstores.sql.store import SqlUserStore
from userstores.sql.tables import metadata

CHEAP = Argon2Cost(memory=64, time=1)
OpenStore = Callable[[], AbstractAsyncContextManager[UserStore]]
OpenDatabase = Callable[[], AbstractAsyncContextManager[Database]]

_tenants = itertools.count(1)

PEOPLE_OF_SQL = (
    NewUser(
        username="ada",
        password="ada-pw",
        attributes={
            "name": "Ada Lovelace",
            "given_name": "Ada",
            "family_name": "Lovelace",
            "email": "ada@example.org",
            "phone_number": "+44 20 7946 0001",
            "locale": "en-GB",
            "address": {"locality": "London", "postal_code": "SW1Y 4JH"},
        },
        groups=("math", "staff"),
    ),
    NewUser(username="grace", password="grace-pw", attributes={"email": "grace@example.org"}, groups=("navy, us",)),
    NewUser(username="zoe.o'neill*(x)", password="zoe.o'neill*(x)-pw", attributes={"given_name": "Zoë"}),
    NewUser(username="changing", password="changing-pw", must_change_password=True),
    NewUser(username="locked", password="locked-pw", enabled=False),
    NewUser(username="twin1", password="twin1-pw", attributes={"email": "twins@example.org"}),
    NewUser(username="twin2", password="twin2-pw", attributes={"email": "twins@example.org"}),
    *(NewUser(username=f"u{number}", password=f"pw-{number}") for number in range(20)),
)


def schema(dialect: Dialect) -> list[str]:
    tables = [str(CreateTable(table).compile(dialect=dialect)) for table in metadata.sorted_tables]
    indexes = [
        index for table in metadata.sorted_tables for index in sorted(table.indexes, key=lambda each: str(each.name))
    ]
    return tables + [str(CreateIndex(index).compile(dialect=dialect)) for index in indexes]


@pytest.fixture(scope="session")
def slapd(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    """A directory for tests that leave it as it is."""
    require_slapd(pytestconfig)
    with Slapd(tmp_path_factory.mktemp("slapd")) as directory:
        yield directory


@pytest.fixture
def own_slapd(pytestconfig: pytest.Config, tmp_path: Path) -> Iterator[Slapd]:
    """A directory that the test may freeze and stop."""
    require_slapd(pytestconfig)
    with Slapd(tmp_path / "slapd", users=2) as directory:
        yield directory


def require_slapd(config: pytest.Config) -> None:
    if config.getoption("--fast"):
        pytest.skip("slapd is left out by --fast")
    if find_slapd() is None:
        outside.missing(config, "OpenLDAP's server", "slapd")


def ldap_store(
    directory: Slapd, monotonic: Callable[[], float] = time.monotonic, /, **settings: object
) -> LdapUserStore:
    return LdapUserStore("CORP", ldap_settings(directory, **settings), monotonic)


def ldap_settings(directory: Slapd, **settings: object) -> LdapSettings:
    given: dict[str, object] = {
        "urls": directory.uri,
        "user_search_base": PEOPLE,
        "group_search_base": GROUPS,
        "bind_dn": SERVICE_DN,
        "bind_password": SERVICE_PASSWORD,
        "login_attributes": ["mail"],
        "ca_file": str(directory.ca_file),
        "refusal_seconds": 0.001,
    }
    return parse_settings(given | settings)


@pytest.fixture
def open_sqlite(tmp_path: Path) -> OpenDatabase:
    path = tmp_path / "stores.sqlite3"
    connection = connect(path)
    for statement in schema(sqlite.dialect()):
        connection.execute(statement)
    connection.close()
    return lambda: _opened(SqliteDatabase(path))


@pytest.fixture(scope="session")
def postgres_with_tables(postgres: PostgresCluster) -> str:
    url = postgres.create_database()

    async def create() -> None:
        import asyncpg

        connection = await asyncpg.connect(url)
        for statement in schema(postgresql.dialect()):  # type: ignore[no-untyped-call]
            await connection.execute(statement)
        await connection.close()

    asyncio.run(create())
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def open_database(request: pytest.FixtureRequest, open_sqlite: OpenDatabase) -> OpenDatabase:
    """Empty tables of the SQL store, for one tenant that nobody else uses."""
    if request.param == "sqlite":
        return open_sqlite
    if request.config.getoption("--fast"):
        pytest.skip("PostgreSQL is left out by --fast")
    url: str = request.getfixturevalue("postgres_with_tables")
    return lambda: _opened(PostgresqlDatabase(url))


@asynccontextmanager
async def _opened(database: Database) -> AsyncIterator[Database]:
    await database.open()
    try:
        yield database
    finally:
        await database.close()


@pytest.fixture
def tenant() -> int:
    return next(_tenants)


@pytest.fixture
def lane() -> Iterator[PasswordLane]:
    lane = PasswordLane(2, 64, CHEAP)
    yield lane
    lane.close()


@pytest.fixture(params=["sqlite", "postgresql", "slapd"])
def open_store(request: pytest.FixtureRequest, open_sqlite: OpenDatabase, lane: PasswordLane, tenant: int) -> OpenStore:
    """Each kind of store, with ada, grace and the others in it."""
    if request.param == "slapd":
        require_slapd(request.config)
        directory: Slapd = request.getfixturevalue("slapd")
        return lambda: _closing(ldap_store(directory))
    open_it = open_sqlite
    if request.param == "postgresql":
        if request.config.getoption("--fast"):
            pytest.skip("PostgreSQL is left out by --fast")
        url: str = request.getfixturevalue("postgres_with_tables")

        def open_it() -> AbstractAsyncContextManager[Database]:
            return _opened(PostgresqlDatabase(url))

    return lambda: _peopled_sql_store(open_it, tenant, lane)


@asynccontextmanager
async def _peopled_sql_store(open_it: OpenDatabase, tenant: int, lane: PasswordLane) -> AsyncIterator[UserStore]:
    async with open_it() as database:
        store = SqlUserStore(database, tenant, "CORP", lane)
        if await store.find_by_username("ada") is None:
            for user in PEOPLE_OF_SQL:
                await store.create_user(user)
        yield store


@asynccontextmanager
async def _closing(store: UserStore) -> AsyncIterator[UserStore]:
    try:
        yield store
    finally:
        await store.close()
