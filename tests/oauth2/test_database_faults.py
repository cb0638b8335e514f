"""A frozen or stopped PostgreSQL: 503 meanwhile, never 500, nobody left waiting, and used again when it is back."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from identity.domain.tenants import TenantSettings
from tests.support import outside
from tests.support.builders import Client, Site
from tests.support.postgres import PostgresCluster, find_postgres
from tests.support.server import RunningServer
from tests.support.waiting import eventually

PATIENCE = 12.0
"""Seconds after which every answer must have come, whatever it is."""


class Faulty:
    """A PostgreSQL that can be frozen and stopped."""

    def __init__(self, cluster: PostgresCluster) -> None:
        self.cluster = cluster
        self._frozen: list[int] = []

    def freeze(self) -> None:
        main = self.cluster.program.pid
        # The parent first, so that it starts no process that would be missed.
        os.kill(main, signal.SIGSTOP)
        self._frozen = [main]
        for child in Path(f"/proc/{main}/task/{main}/children").read_text().split():
            os.kill(int(child), signal.SIGSTOP)
            self._frozen.append(int(child))

    def thaw(self) -> None:
        for pid in self._frozen:
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                continue
        self._frozen = []


@pytest.fixture(scope="module")
def faulty(pytestconfig: pytest.Config) -> Iterator[Faulty]:
    programs = find_postgres()
    if pytestconfig.getoption("--fast"):
        pytest.skip("PostgreSQL is left out by --fast")
    if programs is None:
        outside.missing(pytestconfig, "PostgreSQL", "postgresql")
    made = Faulty(PostgresCluster(programs))
    try:
        made.cluster.start()
        yield made
    finally:
        made.thaw()
        made.cluster.stop()


@pytest.fixture(scope="module")
def shaken(faulty: Faulty, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    server = RunningServer(
        "postgresql", tmp_path_factory.mktemp("shaken"), database_url=faulty.cluster.create_database()
    )
    server.start()
    yield server
    server.stop()


class Doors:
    """Every door, as a client with good credentials knocks."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._machine = site.machine(may_introspect_any=True)
        self._web = site.application()
        self._tokens = site.tokens(self._web, site.jane)
        self._code = site.code(self._web, site.jane)
        self._browser = site.browser()
        self._login = self._browser.get(site.authorize_url(self._web))

    def all(self) -> dict[str, Callable[[], tuple[int, str | None]]]:
        """Status and Retry-After, by the name of the door."""
        access, refresh = self._tokens["access_token"], self._tokens["refresh_token"]
        site, web = self._site, self._web
        return {
            "introspect": lambda: self._post("/oauth2/introspect", self._machine, token=access),
            "client_credentials": lambda: self._post("/oauth2/token", self._machine, grant_type="client_credentials"),
            "refresh": lambda: self._post("/oauth2/token", web, grant_type="refresh_token", refresh_token=refresh),
            "code": lambda: self._post(
                "/oauth2/token", web, grant_type="authorization_code", code="ac_unknown", redirect_uri=web.redirect_uri
            ),
            "revoke": lambda: self._post("/oauth2/revoke", self._machine, token="at_unknown"),
            "userinfo": lambda: self._of(site.userinfo(access)),
            "authorize": lambda: self._page(site.authorize_url(web)),
            "login": lambda: self._page(self._login.url),
            "account": lambda: self._page(f"{site.base}/account/sign-in"),
            "ready": lambda: self._of(httpx.get(f"{site.server.base_url}/health/ready", trust_env=False, timeout=30)),
        }

    def _post(self, path: str, client: Client, **form: str) -> tuple[int, str | None]:
        return self._of(self._site.http.post(path, data=form, auth=client.basic))

    @staticmethod
    def _of(response: httpx.Response) -> tuple[int, str | None]:
        return response.status_code, response.headers.get("retry-after")

    def _page(self, url: str) -> tuple[int, str | None]:
        page = self._browser.get(url)
        if page.status >= 500:
            assert page.has("error-page")
            assert page.has("trace-id")
        return page.status, page.header("retry-after")


def knocked(doors: Doors) -> dict[str, int]:
    """The status of every door, each answered in time and a 503 with Retry-After."""
    knocks = doors.all()
    began = time.monotonic()
    with ThreadPoolExecutor(len(knocks)) as pool:
        answers = dict(zip(knocks, pool.map(lambda knock: knock(), knocks.values()), strict=True))
    assert time.monotonic() - began < PATIENCE
    for name, (status, retry_after) in answers.items():
        if status == 503 and name != "ready":
            assert retry_after is not None, name
    return {name: status for name, (status, _) in answers.items()}


def works(doors: Doors) -> bool:
    return set(knocked(doors).values()) <= {200, 400}


@pytest.mark.parametrize("fault", ["frozen", "stopped"])
def test_every_door_says_503_and_opens_again(faulty: Faulty, shaken: RunningServer, fault: str) -> None:
    with closing(Site(shaken, f"t-{fault}", TenantSettings())) as site:
        doors = Doors(site)
        assert works(doors)
        if fault == "frozen":
            faulty.freeze()
        else:
            faulty.cluster.kill()
        try:
            statuses = knocked(doors)
            assert set(statuses.values()) == {503}, statuses
            assert httpx.get(f"{shaken.base_url}/health/live", trust_env=False).status_code == 200
        finally:
            if fault == "frozen":
                faulty.thaw()
            else:
                faulty.cluster.start()
        eventually(lambda: works(doors), "every door works again", 30)
    assert not any('"level": "error"' in line for line in shaken.program.lines)
