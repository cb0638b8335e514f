"""Who may introspect besides applications: administrators by password, as an API manager's connector does
(wso2-contracts §7.1; its §9 row 19)."""

from typing import Any

import httpx
import pytest

from tests.support.builders import Client, Person, Site
from tests.support.in_process import TimedSite
from tests.support.key_manager import administrator, api, bearer, role

SCOPE = "internal_oauth2_introspect"


def introspect(site: Site, token: str, **request: Any) -> httpx.Response:
    return site.http.post("/oauth2/introspect", data={"token": token}, **request)


@pytest.fixture(params=["opaque", "jwt"])
def client(site: Site, request: pytest.FixtureRequest) -> Client:
    return site.application(access_token_type=request.param)


def basic(person: Person) -> tuple[str, str]:
    return person.username, person.password


def test_an_administrator_asks_by_password(site: Site, client: Client) -> None:
    root = administrator(site)
    token = site.tokens(client, site.jane)["access_token"]
    first, second = (introspect(site, token, auth=basic(root)).json() for _ in range(2))
    assert first == second
    assert (first["active"], first["client_id"], first["username"]) == (True, client.client_id, "jane")
    assert introspect(site, "at_unknown", auth=basic(root)).json() == {"active": False}


def test_revocation_is_exact_for_administrators_too(site: Site, client: Client) -> None:
    root, token = administrator(site), site.tokens(client, site.jane)["access_token"]
    assert introspect(site, token, auth=basic(root)).json()["active"] is True
    site.http.post("/oauth2/revoke", data={"token": token}, auth=client.basic)
    assert introspect(site, token, auth=basic(root)).content == b'{"active":false}'


def test_refresh_tokens_stay_their_clients_own_affair(site: Site, client: Client) -> None:
    root, tokens = administrator(site), site.tokens(client, site.jane)
    assert introspect(site, tokens["refresh_token"], auth=basic(root)).json() == {"active": False}


def test_who_has_not_the_scope_is_refused(site: Site, client: Client) -> None:
    token = site.tokens(client, site.jane)["access_token"]
    refused = introspect(site, token, auth=basic(site.jane))
    assert (refused.status_code, refused.json()["error"]) == (403, "insufficient_scope")
    role(site, "gateway", SCOPE, people=(site.jane,))
    assert introspect(site, token, auth=basic(site.jane)).json()["active"] is True


def test_wrong_passwords_and_unknown_names(site: Site, client: Client) -> None:
    token = site.tokens(client, site.jane)["access_token"]
    for name in ("jane", "nobody"):
        refused = introspect(site, token, auth=(name, "wrong"))
        assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
        assert "Basic" in refused.headers["www-authenticate"]


def test_a_wrong_client_secret_is_no_try_of_a_password(site: Site, client: Client) -> None:
    """It costs no hash, counts for nobody's lockout, and is told as RFC 6749 has it."""
    refused = introspect(site, "x", auth=(client.client_id, "wrong"))
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    assert "user:password:refused" not in [event["type"] for event in site.events()]


def test_an_application_with_the_management_scope(site: Site, client: Client) -> None:
    token = site.tokens(client, site.jane)["access_token"]
    gateway = site.machine(management_scopes=(SCOPE,))
    assert site.is_active(gateway, token)
    assert not site.is_active(site.machine(management_scopes=("internal_role_mgt_view",)), token)


def test_a_bearer_token_for_another_api_is_none_here(site: Site, client: Client) -> None:
    token = site.tokens(client, site.jane)["access_token"]
    gateway, orders = site.machine(scopes=(), management_scopes=(SCOPE,)), api(site)
    ours = site.machine_token(gateway, scope=SCOPE)
    theirs = site.machine_token(gateway, scope=SCOPE, resource=orders.identifier)
    assert introspect(site, token, headers=bearer(ours)).json()["active"] is True
    assert introspect(site, token, headers=bearer(theirs)).status_code == 401


def test_public_clients_and_nobody(site: Site, client: Client) -> None:
    public = site.public_application()
    refused = site.http.post("/oauth2/introspect", data={"token": "x", "client_id": public.client_id})
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    assert introspect(site, "x").status_code == 401


def test_an_administrator_who_is_disabled_meanwhile(timed: TimedSite) -> None:
    from identity.administration import users

    root = administrator(timed)
    token = timed.machine_token(timed.machine())
    assert introspect(timed, token, auth=basic(root)).json()["active"] is True
    timed.in_tenant(lambda a, t: users.set_user_enabled(a, t, root.username, False))
    assert introspect(timed, token, auth=basic(root)).status_code == 401
