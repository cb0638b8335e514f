"""People of a directory: who is gone there is noticed, and its silence never counts as success (decision 13)."""

import pytest

from identity.administration import stores
from tests.support.builders import Client, Site, response_parameters
from tests.support.waiting import eventually
from tests.userstores.start_slapd import (
    ADMIN_DN,
    ADMIN_PASSWORD,
    GROUPS,
    PEOPLE,
    SERVICE_DN,
    SERVICE_PASSWORD,
    Slapd,
)

PATIENT = {"connect_seconds": 20, "read_seconds": 20, "operation_seconds": 20, "breaker_seconds": 0.2}
"""For everything that must succeed, however busy the machine is."""
HURRIED = PATIENT | {"connect_seconds": 0.3, "read_seconds": 0.3, "operation_seconds": 0.5}
"""For a directory that does not answer."""


@pytest.fixture
def connected(site: Site, own_slapd: Slapd) -> Slapd:
    """The tenant's second store CORP is a directory."""
    given = settings(own_slapd, PATIENT)
    site.in_tenant(lambda a, t: stores.create_store(a, t, "CORP", "ldap", given))
    return own_slapd


def settings(directory: Slapd, deadlines: dict[str, float]) -> dict[str, object]:
    return {
        "urls": directory.uri, "user_search_base": PEOPLE, "group_search_base": GROUPS, "bind_dn": SERVICE_DN,
        "bind_password": SERVICE_PASSWORD, "ca_file": str(directory.ca_file), **deadlines,
    }  # fmt: skip


def wait_for(site: Site, directory: Slapd, deadlines: dict[str, float]) -> None:
    """From now on the server waits that long for the directory."""
    given = settings(directory, deadlines)
    site.in_tenant(lambda a, t: stores.update_store(a, t, "CORP", given))


def sign_in(site: Site, client: Client, username: str = "CORP/ada", password: str = "ada-pw") -> dict[str, str]:
    page = site.browser().get(site.authorize_url(client, scope="openid profile email groups"))
    page = page.submit("login-submit", username=username, password=password)
    tokens: dict[str, str] = site.redeem(client, response_parameters(page)["code"]).json()
    return tokens


@pytest.mark.parametrize("username", ["ada", "CORP/ada", "corp/ADA"])
def test_a_person_of_the_directory_signs_in(site: Site, connected: Slapd, username: str) -> None:
    client = site.application()
    tokens = sign_in(site, client, username)
    assert site.introspect(client, tokens["access_token"])["username"] == "CORP/ada"
    claims = site.userinfo(tokens["access_token"]).json()
    assert claims["given_name"] == "Ada"
    assert claims["groups"]
    assert isinstance(claims["groups"], list)
    assert site.refresh(client, tokens["refresh_token"]).status_code == 200


def test_a_store_switched_off_ends_refresh_and_sign_in_not_introspection(site: Site, connected: Slapd) -> None:
    client = site.application()
    tokens = sign_in(site, client)
    site.in_tenant(lambda a, t: stores.delete_store(a, t, "CORP"))
    assert site.is_active(client, tokens["access_token"])
    assert site.refresh(client, tokens["refresh_token"]).json()["error"] == "invalid_grant"
    page = site.browser().get(site.authorize_url(client))
    assert page.submit("login-submit", username="CORP/ada", password="ada-pw").status == 422


@pytest.mark.parametrize("fault", ["frozen", "stopped"])
def test_a_silent_directory_is_temporarily_unavailable_and_comes_back(site: Site, connected: Slapd, fault: str) -> None:
    client = site.application()
    browser = site.browser()
    page = browser.get(site.authorize_url(client))
    signed_in = page.submit("login-submit", username="CORP/ada", password="ada-pw")
    tokens = site.redeem(client, response_parameters(signed_in)["code"]).json()
    _ = site.jane
    wait_for(site, connected, HURRIED)
    if fault == "frozen":
        connected.freeze()
    else:
        connected.stop()
    try:
        refused = site.refresh(client, tokens["refresh_token"])
        assert (refused.status_code, refused.json()["error"]) == (503, "temporarily_unavailable")
        assert refused.headers["retry-after"]
        again = browser.get(site.authorize_url(client))
        assert response_parameters(again)["error"] == "temporarily_unavailable"
        page = site.browser().get(site.authorize_url(client))
        page = page.submit("login-submit", username="CORP/ada", password="ada-pw")
        assert page.status == 503
        assert "cannot check" in page.text
        assert site.is_active(client, tokens["access_token"])
        assert "code" in response_parameters(site.sign_in(client, site.jane))
    finally:
        if fault == "frozen":
            connected.thaw()
        else:
            connected.start()
    wait_for(site, connected, PATIENT)
    eventually(lambda: site.refresh(client, tokens["refresh_token"]).status_code == 200, "the directory is used again")


def test_who_is_deleted_in_the_directory_is_noticed_at_refresh(site: Site, connected: Slapd) -> None:
    """Introspection reads no directory; the refresh that notices ends the grant for everybody."""
    from userstores.ldap.library import ldap3

    client, browser = site.application(), site.browser()
    page = browser.get(site.authorize_url(client)).submit("login-submit", username="CORP/ada", password="ada-pw")
    tokens = site.redeem(client, response_parameters(page)["code"]).json()
    server = ldap3.Server(connected.uri, get_info=ldap3.NONE)
    connection = ldap3.Connection(server, ADMIN_DN, ADMIN_PASSWORD, auto_bind=True)
    assert connection.delete(f"uid=ada,{PEOPLE}")  # type: ignore[no-untyped-call]
    connection.unbind()
    assert site.is_active(client, tokens["access_token"])
    assert response_parameters(browser.get(site.authorize_url(client)))["error"] == "login_required"
    assert site.refresh(client, tokens["refresh_token"]).json()["error"] == "invalid_grant"
    assert not site.is_active(client, tokens["access_token"])
