"""Fixtures of every test: the engines, our own PostgreSQL, one real server per engine, and Chromium."""

import secrets
from collections.abc import Generator, Iterator
from pathlib import Path

import hypothesis
import pytest

from identity.domain.tenants import TenantSettings
from tests.support import key_pool, network, outside, specifications
from tests.support.builders import Site
from tests.support.chromium import chromium, chromium_page, without_playwright_loop
from tests.support.postgres import PostgresCluster, find_postgres
from tests.support.receiver import receiver
from tests.support.server import ENGINES, Engine, RunningServer, start_server

__all__ = ["chromium", "chromium_page", "receiver"]

_OUTSIDE = {"postgres", "postgres_url", "slapd", "chromium", "apache"}
"""Fixtures that start a program from outside Python: `--fast` leaves their tests out."""


_OVER_EVERY_DOOR = {"attacks", "interop", "registration", "gateway", "scim", "admin"}


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("identity")
    group.addoption("--engine", action="append", choices=ENGINES, help="test on this database only")
    group.addoption("--half", choices=("sqlite", "rest"), help="what runs on SQLite, or everything else")
    group.addoption("--fast", action="store_true", help="SQLite only, without programs from outside Python")
    group.addoption(outside.REQUIRE, action="store_true", help="fail where a program is missing, instead of skipping")
    specifications.add_options(group)


def pytest_configure() -> None:
    network.refuse_foreign_hosts()
    key_pool.draw_from_a_pool()
    # Hypothesis fails an example that takes 200 ms, or that is slow to make: on a busy machine any does.
    hypothesis.settings.register_profile(
        "busy machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
    )
    hypothesis.settings.load_profile("busy machine")


def _engines(config: pytest.Config) -> list[str]:
    return ["sqlite"] if config.getoption("--fast") else config.getoption("--engine") or list(ENGINES)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "engine" in metafunc.fixturenames:
        engines = _engines(metafunc.config)
        if metafunc.definition.get_closest_marker("any_engine"):
            engines = engines[:1]
        metafunc.parametrize("engine", engines, indirect=True, scope="session")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    specifications.collect(config, items)
    if config.getoption("--fast"):
        _deselect(config, items, [item for item in items if _is_left_out(item)])
    half = config.getoption("--half")
    if half is not None:
        _deselect(config, items, [item for item in items if _runs_on_sqlite(item) != (half == "sqlite")])


def _deselect(config: pytest.Config, items: list[pytest.Item], left_out: list[pytest.Item]) -> None:
    config.hook.pytest_deselected(items=left_out)
    without = set(left_out)
    items[:] = [item for item in items if item not in without]


def _runs_on_sqlite(item: pytest.Item) -> bool:
    callspec = getattr(item, "callspec", None)
    return callspec is not None and callspec.params.get("engine") == "sqlite"


def _is_left_out(item: pytest.Item) -> bool:
    """By `--fast`: unless the file was named, the folders that go over every door once more."""
    if _OUTSIDE.intersection(getattr(item, "fixturenames", ())):
        return True
    named = any(argument.startswith("tests/") for argument in item.config.args)
    return not named and (item.get_closest_marker("long") is not None or item.path.parent.name in _OVER_EVERY_DOOR)


@pytest.fixture(scope="session")
def engine(request: pytest.FixtureRequest) -> Engine:
    """`sqlite`, `postgresql`: a test that uses this, or `server`, runs once on each."""
    engine: Engine = request.param
    return engine


@pytest.fixture(scope="session")
def postgres(pytestconfig: pytest.Config) -> Iterator[PostgresCluster]:
    """Our own PostgreSQL; `postgres.create_database()` is the URL of a fresh database."""
    if pytestconfig.getoption("--fast"):
        pytest.skip("PostgreSQL is left out by --fast")
    programs = find_postgres()
    if programs is None:
        outside.missing(pytestconfig, "PostgreSQL", "postgresql")
    cluster = PostgresCluster(programs)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="session")
def postgres_url(postgres: PostgresCluster) -> str:
    """A database shared by the run; ask `postgres` for one of your own."""
    return postgres.create_database()


@pytest.fixture(scope="session")
def server(
    engine: Engine, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    """One real server process on each engine for the whole run; tests keep apart by a tenant each."""
    running = start_server(engine, request, tmp_path_factory.mktemp(f"server-{engine}"))
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture
def site(server: RunningServer) -> Iterator[Site]:
    """A tenant of its own for each test."""
    made = Site(server, f"t{secrets.token_hex(6)}", TenantSettings())
    try:
        yield made
    finally:
        made.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    if "chromium" in getattr(item, "fixturenames", ()):
        return (yield)
    with without_playwright_loop():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Beside a failure, show what the server wrote during the test."""
    report = yield
    running = getattr(item, "funcargs", {}).get("server")
    if isinstance(running, RunningServer):
        if report.when == "call" and report.failed:
            report.sections.append((f"server log ({running.engine})", running.log_since_mark()))
        elif report.when == "setup":
            running.mark_log()
    return report


@pytest.fixture
def repository() -> Path:
    """The checkout's root."""
    return Path(__file__).parents[1]
