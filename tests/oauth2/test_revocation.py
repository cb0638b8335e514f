"""Token revocation (RFC 7009)."""

import httpx
import pytest

from tests.support.builders import Client, Site


def revoke(site: Site, client: Client, token: str, **form: str) -> httpx.Response:
    data = {"token": token, **form}
    if client.secret is None:
        return site.http.post("/oauth2/revoke", data=data | {"client_id": client.client_id})
    return site.http.post("/oauth2/revoke", data=data, auth=client.basic)


@pytest.mark.spec("RFC 7009", "2.1")
@pytest.mark.parametrize("kind", ["opaque", "jwt"])
def test_an_access_token_alone(site: Site, kind: str) -> None:
    client = site.application(access_token_type=kind)
    tokens = site.tokens(client, site.jane)
    assert revoke(site, client, tokens["access_token"]).status_code == 200
    assert not site.is_active(client, tokens["access_token"])
    assert site.userinfo(tokens["access_token"]).status_code == 401
    assert site.is_active(client, tokens["refresh_token"])


@pytest.mark.spec("RFC 7009", "2.1")
@pytest.mark.parametrize("kind", ["opaque", "jwt"])
def test_a_refresh_token_takes_the_access_tokens_with_it(site: Site, kind: str) -> None:
    client = site.application(access_token_type=kind)
    first = site.tokens(client, site.jane)
    second = site.refresh(client, first["refresh_token"]).json()
    assert revoke(site, client, second["refresh_token"]).status_code == 200
    for tokens in (first, second):
        assert not site.is_active(client, tokens["access_token"])
        assert site.refresh(client, tokens["refresh_token"]).json()["error"] == "invalid_grant"


@pytest.mark.parametrize("kind", ["opaque", "jwt"])
def test_a_machines_token(site: Site, kind: str) -> None:
    client = site.machine(access_token_type=kind)
    token, other = site.machine_token(client), site.machine_token(client)
    revoke(site, client, token)
    assert not site.is_active(client, token)
    assert site.is_active(client, other)


@pytest.mark.spec("RFC 7009", "2.2")
@pytest.mark.parametrize("token", ["unknown", "at_unknown", "rt_unknown", "a.b.c"])
def test_an_unknown_token_is_as_good_as_revoked(site: Site, token: str) -> None:
    client = site.machine()
    for _ in range(2):
        response = revoke(site, client, token)
        assert (response.status_code, response.content) == (200, b"")


@pytest.mark.spec("RFC 7009", "2.1")
@pytest.mark.parametrize("kind", ["opaque", "jwt"])
def test_tokens_of_another_client_are_left_alone(site: Site, kind: str) -> None:
    client, other = site.application(access_token_type=kind), site.application("Other", may_introspect_any=True)
    tokens = site.tokens(client, site.jane)
    for name in ("access_token", "refresh_token"):
        assert revoke(site, other, tokens[name]).status_code == 200
        assert site.is_active(client, tokens[name])


@pytest.mark.spec("RFC 7009", "2.1")
@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "nonsense"])
def test_the_hint_may_be_wrong(site: Site, hint: str) -> None:
    client = site.application()
    tokens = site.tokens(client, site.jane)
    for name in ("access_token", "refresh_token"):
        revoke(site, client, tokens[name], token_type_hint=hint)
        assert not site.is_active(client, tokens[name])


@pytest.mark.spec("RFC 7009", "5")
def test_a_public_client_revokes_its_own(site: Site) -> None:
    client = site.public_application()
    tokens = site.tokens(client, site.jane)
    assert revoke(site, client, tokens["refresh_token"]).status_code == 200
    assert site.refresh(client, tokens["refresh_token"]).json()["error"] == "invalid_grant"


@pytest.mark.spec("RFC 7009", "2.1")
def test_a_stranger_revokes_nothing(site: Site) -> None:
    client = site.application()
    token = site.tokens(client, site.jane)["access_token"]
    response = site.http.post("/oauth2/revoke", data={"token": token}, auth=(client.client_id, "wrong"))
    assert (response.status_code, response.json()["error"]) == (401, "invalid_client")
    assert site.http.post("/oauth2/revoke", data={"token": token}).status_code == 401
    assert site.is_active(client, token)


def test_without_a_token(site: Site) -> None:
    client = site.machine()
    response = site.http.post("/oauth2/revoke", data={"x": "y"}, auth=client.basic)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")


def test_what_was_revoked_is_an_event(site: Site) -> None:
    client = site.application()
    tokens = site.tokens(client, site.jane)
    revoke(site, client, tokens["access_token"])
    revoke(site, client, tokens["refresh_token"])
    types = [event["type"] for event in site.events()]
    assert types.count("application:token:revoked") == 1
    assert types.count("application:grant:revoked") == 1
