"""Client credentials (RFC 6749 §4.4): an application acts for itself."""

import httpx
import pytest

from tests.support.builders import Site, claims_of


def outcome(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json().get("error", "")


@pytest.mark.spec("RFC 6749", "4.4.3")
@pytest.mark.parametrize("kind", ["opaque", "jwt"])
def test_a_machine_gets_an_access_token_and_nothing_else(site: Site, kind: str) -> None:
    client = site.machine(access_token_type=kind, application_access_token_lifetime=120)
    response = site.token(client, grant_type="client_credentials", scope="read")
    assert response.json().keys() == {"access_token", "token_type", "expires_in", "scope"}
    assert (response.json()["token_type"], response.json()["expires_in"]) == ("Bearer", 120)
    assert site.is_active(client, response.json()["access_token"])


@pytest.mark.spec("RFC 6749", "3.3")
@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("read write", "read write"),
        ("write read write", "write read"),
        ("read admin", "read"),
        ("openid profile email offline_access groups", None),
        ("", None),
    ],
)
def test_scopes_of_a_machine(site: Site, asked: str, given: str | None) -> None:
    client = site.machine(scopes=("read", "write"))
    assert site.token(client, grant_type="client_credentials", scope=asked).json().get("scope") == given


def test_each_call_gives_another_token(site: Site) -> None:
    """Decision 7: never the same token again while it is active."""
    client = site.machine()
    assert len({site.machine_token(client) for _ in range(3)}) == 3


@pytest.mark.spec("RFC 6749", "5.2")
@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "invalid_request"),
        ({"grant_type": ""}, "invalid_request"),
        ({"grant_type": "urn:example:grant"}, "unsupported_grant_type"),
        ({"grant_type": "password"}, "unauthorized_client"),
        ({"grant_type": "authorization_code", "code": "ac_x"}, "unauthorized_client"),
        ({"grant_type": "refresh_token", "refresh_token": "rt_x"}, "unauthorized_client"),
    ],
)
def test_grants_that_a_machine_cannot_use(site: Site, form: dict[str, str], error: str) -> None:
    assert outcome(site.token(site.machine(), **form)) == (400, error)


def test_a_web_application_without_the_grant(site: Site) -> None:
    client = site.application()
    assert outcome(site.token(client, grant_type="client_credentials")) == (400, "unauthorized_client")
    assert outcome(site.token(client, grant_type="authorization_code")) == (400, "invalid_request")
    assert outcome(site.token(client, grant_type="refresh_token")) == (400, "invalid_request")


def test_a_machines_token_names_the_client_as_subject_and_opens_no_userinfo(site: Site) -> None:
    client = site.machine(access_token_type="jwt")
    token = site.machine_token(client)
    assert claims_of(token)["sub"] == client.client_id
    assert site.userinfo(token).status_code == 403
