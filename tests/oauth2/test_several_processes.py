"""What one process commits, the next call on another one sees (PostgreSQL; decisions 8 and 35)."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from identity.administration import applications, keys, users
from identity.domain.tenants import TenantSettings
from tests.support.builders import Client, Site
from tests.support.network import NO_TLS
from tests.support.server import RunningServer, start_server

ISSUER = "https://issuer.example"
GRANT = {"grant_type": "client_credentials"}


@pytest.fixture(scope="module")
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[RunningServer, RunningServer]]:
    """Two servers over one database; the second has two workers."""
    first = start_server("postgresql", request, tmp_path_factory.mktemp("first"))
    second = RunningServer(
        "postgresql", tmp_path_factory.mktemp("second"), database_url=first.database_url,
        master_key=first.master_key, workers="2",
    )  # fmt: skip
    try:
        second.start()
        yield first, second
    finally:
        second.stop()
        first.stop()


class Elsewhere:
    """The same tenant at the other server: every call on a connection of its own, so that both workers are met."""

    def __init__(self, site: Site, server: RunningServer) -> None:
        self._base = f"{server.base_url}/t/{site.handle}"

    def post(self, path: str, data: dict[str, str], auth: tuple[str, str]) -> httpx.Response:
        return httpx.post(self._base + path, data=data, auth=auth, trust_env=False, verify=NO_TLS)

    def actives(self, caller: Client, token: str) -> set[bool]:
        asked = (self.post("/oauth2/introspect", {"token": token}, caller.basic).json() for _ in range(12))
        return {answer != {"active": False} for answer in asked}


@pytest.fixture
def places(pair: tuple[RunningServer, RunningServer]) -> Iterator[tuple[Site, Elsewhere]]:
    import secrets

    site = Site(pair[0], f"t{secrets.token_hex(6)}", TenantSettings(issuer=ISSUER))
    yield site, Elsewhere(site, pair[1])
    site.close()


@pytest.mark.parametrize("kind", ["opaque", "jwt"])
@pytest.mark.parametrize("cause", ["revoked token", "revoked family", "disabled person", "changed application"])
def test_a_committed_revocation(places: tuple[Site, Elsewhere], kind: str, cause: str) -> None:
    site, elsewhere = places
    client = site.application(access_token_type=kind)
    gateway = site.machine(may_introspect_any=True)
    tokens = site.tokens(client, site.jane)
    assert elsewhere.actives(gateway, tokens["access_token"]) == {True}
    ends: dict[str, Callable[[], Any]] = {
        "revoked token": lambda: site.http.post(
            "/oauth2/revoke", data={"token": tokens["access_token"]}, auth=client.basic
        ),
        "revoked family": lambda: site.http.post(
            "/oauth2/revoke", data={"token": tokens["refresh_token"]}, auth=client.basic
        ),
        "disabled person": lambda: site.in_tenant(lambda a, t: users.set_user_enabled(a, t, "jane", False)),
        "changed application": lambda: site.update(client, enabled=False),
    }
    ends[cause]()
    assert elsewhere.actives(gateway, tokens["access_token"]) == {False}


@pytest.mark.parametrize("kind", ["opaque", "jwt"])
def test_a_changed_client_secret(places: tuple[Site, Elsewhere], kind: str) -> None:
    site, elsewhere = places
    client = site.machine(access_token_type=kind)
    assert {elsewhere.post("/oauth2/token", GRANT, client.basic).status_code for _ in range(12)} == {200}
    new = str(site.administer(lambda a: applications.add_client_secret(a, site.tenant, client.client_id)))
    assert {elsewhere.post("/oauth2/token", GRANT, client.basic).status_code for _ in range(12)} == {401}
    renewed = (client.client_id, new)
    assert {elsewhere.post("/oauth2/token", GRANT, renewed).status_code for _ in range(12)} == {200}


def test_a_secret_that_one_process_has_not_heard_of(places: tuple[Site, Elsewhere]) -> None:
    site, elsewhere = places
    client = site.machine()
    for _ in range(3):
        secret = str(site.administer(lambda a: applications.add_client_secret(a, site.tenant, client.client_id)))
        for path in ("/oauth2/token", "/oauth2/introspect", "/oauth2/revoke"):
            answer = elsewhere.post(path, GRANT | {"token": "x"}, (client.client_id, secret))
            assert answer.status_code == 200, path


def test_an_application_registered_and_deleted_elsewhere(places: tuple[Site, Elsewhere]) -> None:
    site, elsewhere = places
    client = site.machine()
    assert {elsewhere.post("/oauth2/token", GRANT, client.basic).status_code for _ in range(12)} == {200}
    site.administer(lambda a: applications.delete_application(a, site.tenant, client.client_id))
    assert {elsewhere.post("/oauth2/token", GRANT, client.basic).status_code for _ in range(12)} == {401}


def test_a_key_rotated_elsewhere_signs_and_verifies_at_once(places: tuple[Site, Elsewhere]) -> None:
    site, elsewhere = places
    client = site.machine(access_token_type="jwt")
    old = elsewhere.post("/oauth2/token", GRANT, client.basic).json()["access_token"]
    site.administer(lambda a: keys.rotate_key(a, site.tenant, "RS256", overlap=0))
    new = site.machine_token(client)
    assert elsewhere.actives(client, new) == {True}
    assert elsewhere.actives(client, old) == {True}
    issued = [elsewhere.post("/oauth2/token", GRANT, client.basic).json()["access_token"] for _ in range(8)]
    assert {token.partition(".")[0] for token in issued} == {new.partition(".")[0]}


def test_a_code_is_redeemed_once_whichever_process_is_asked(places: tuple[Site, Elsewhere]) -> None:
    site, elsewhere = places
    client = site.application()
    code = site.code(client, site.jane)
    tokens = site.redeem(client, code).json()
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": client.redirect_uri}
    assert elsewhere.post("/oauth2/token", form, client.basic).json()["error"] == "invalid_grant"
    assert not site.is_active(client, tokens["access_token"])


def test_a_sign_in_goes_on_at_another_process(
    places: tuple[Site, Elsewhere], pair: tuple[RunningServer, RunningServer]
) -> None:
    """Flow, session and consent live in the database: each page may come from another process."""
    site, _ = places
    client, browser = site.application(skip_consent=False), site.browser()
    page = browser.get(site.authorize_url(client))
    other = pair[1].base_url
    browser.base_url = other
    page = browser.get(page.url.replace(site.server.base_url, other))
    page = page.submit("login-submit", username="jane", password=site.jane.password)
    page = page.submit("consent-allow")
    assert page.left_for is not None
    assert site.redeem(client, page.left_for.parameters["code"]).status_code == 200
