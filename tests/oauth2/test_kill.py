"""Nothing committed is lost by `kill -9` under load, on both engines, with fsync on."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from identity.domain.tenants import TenantSettings
from tests.support import outside
from tests.support.builders import Client, Site
from tests.support.postgres import PostgresCluster, find_postgres
from tests.support.server import Engine, RunningServer

pytestmark = pytest.mark.long

ENOUGH = 150
WORKERS = 4


class Acknowledged:
    """What the server said it had done."""

    def __init__(self) -> None:
        self.issued: list[str] = []
        self.revoked: list[str] = []
        self.refreshed: dict[int, str] = {}
        self.failures: list[int] = []
        self._changed = threading.Condition()
        self._count = 0

    def done(self) -> None:
        with self._changed:
            self._count += 1
            self._changed.notify_all()

    def wait(self, count: int) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._count >= count, 60)


def load(base: str, number: int, machine: Client, web: Client, refresh_token: str, said: Acknowledged) -> None:
    """Issue, revoke and refresh until the server is gone; note only what was answered."""
    with httpx.Client(base_url=base, trust_env=False, timeout=5) as http:
        while True:
            try:
                answer = http.post("/oauth2/token", data={"grant_type": "client_credentials"}, auth=machine.basic)
                if answer.status_code != 200:
                    said.failures.append(answer.status_code)
                    return
                token = answer.json()["access_token"]
                if len(said.issued) % 3 == 0:
                    gone = http.post("/oauth2/revoke", data={"token": token}, auth=machine.basic)
                    if gone.status_code == 200:
                        said.revoked.append(token)
                else:
                    said.issued.append(token)
                form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
                answer = http.post("/oauth2/token", data=form, auth=web.basic)
                if answer.status_code == 200:
                    refresh_token = said.refreshed[number] = answer.json()["refresh_token"]
                said.done()
            except httpx.TransportError:
                return


@pytest.fixture
def cluster(engine: Engine, pytestconfig: pytest.Config) -> Iterator[PostgresCluster | None]:
    """A PostgreSQL of our own that may be killed; None on SQLite."""
    if engine == "sqlite":
        yield None
        return
    programs = find_postgres()
    if programs is None:
        outside.missing(pytestconfig, "PostgreSQL", "postgresql")
    made = PostgresCluster(programs, fsync=True)
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture
def mortal(engine: Engine, cluster: PostgresCluster | None, tmp_path: Path) -> Iterator[RunningServer]:
    server = RunningServer(engine, tmp_path, database_url=cluster.create_database() if cluster else None)
    server.start()
    yield server
    server.stop()


def test_what_was_answered_is_still_so_after_kill_9(mortal: RunningServer, cluster: PostgresCluster | None) -> None:
    with closing(Site(mortal, "killed", TenantSettings())) as site:
        machine, web = site.machine(), site.application()
        refresh_tokens = [site.tokens(web, site.jane)["refresh_token"] for _ in range(WORKERS)]
    said = Acknowledged()
    with ThreadPoolExecutor(WORKERS) as pool:
        for number, token in enumerate(refresh_tokens):
            pool.submit(load, site.base, number, machine, web, token, said)
        assert said.wait(ENOUGH), said.failures
        mortal.kill()
        if cluster is not None:
            cluster.kill()
    assert said.failures == []
    assert len(said.issued) + len(said.revoked) >= ENOUGH
    if cluster is not None:
        cluster.start()
    mortal.start()
    with httpx.Client(base_url=f"{mortal.base_url}/t/killed", trust_env=False, timeout=10) as http:
        assert [token for token in said.issued if not active(http, machine, token)] == []
        assert [token for token in said.revoked if active(http, machine, token)] == []
        assert len(said.refreshed) == WORKERS
        for token in said.refreshed.values():
            form = {"grant_type": "refresh_token", "refresh_token": token}
            assert http.post("/oauth2/token", data=form, auth=web.basic).status_code == 200


def active(http: httpx.Client, caller: Client, token: str) -> bool:
    answer = http.post("/oauth2/introspect", data={"token": token}, auth=caller.basic)
    assert answer.status_code == 200, answer.text
    return answer.content != b'{"active":false}'
