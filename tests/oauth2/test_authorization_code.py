"""The authorization code grant (RFC 6749 §4.1, RFC 7636)."""

import httpx
import pytest

from tests.support.builders import CALLBACK, Pkce, Site, response_parameters
from tests.support.in_process import TimedSite


@pytest.mark.spec("RFC 6749", "4.1")
def test_a_person_signs_in_and_the_application_gets_tokens(site: Site) -> None:
    client = site.application()
    tokens = site.tokens(client, site.jane, scope="openid profile")
    assert tokens["token_type"] == "Bearer"
    assert site.is_active(client, tokens["access_token"])


@pytest.mark.spec("RFC 6749", "4.1.2")
def test_code_replay_revokes_what_the_code_gave(site: Site) -> None:
    client = site.application()
    pkce = Pkce()
    code = site.code(client, site.jane, **pkce.parameters)
    first = site.redeem(client, code, code_verifier=pkce.verifier).json()
    again = site.redeem(client, code, code_verifier=pkce.verifier)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert not site.is_active(client, first["access_token"])
    assert site.refresh(client, first["refresh_token"]).json()["error"] == "invalid_grant"


@pytest.mark.spec("RFC 9207", "2")
def test_the_response_names_its_issuer(site: Site) -> None:
    parameters = response_parameters(site.sign_in(site.application(), site.jane))
    assert parameters["iss"] == site.issuer
    assert parameters["state"] == "the-state"


def error(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json().get("error", "")


@pytest.mark.spec("RFC 7636", "4.6")
@pytest.mark.parametrize("verifier", ["", "a" * 43, "short", "é" * 43], ids=["none", "wrong", "too short", "not ASCII"])
def test_intercepted_code_without_the_verifier(site: Site, verifier: str) -> None:
    client = site.public_application()
    pkce = Pkce()
    code = site.code(client, site.jane, **pkce.parameters)
    assert error(site.redeem(client, code, code_verifier=verifier)) == (400, "invalid_grant")
    assert site.redeem(client, code, code_verifier=pkce.verifier).status_code == 200


@pytest.mark.spec("RFC 9700", "4.8.2")
def test_pkce_downgrade(site: Site) -> None:
    client = site.application()
    code = site.code(client, site.jane)
    assert error(site.redeem(client, code, code_verifier=Pkce().verifier)) == (400, "invalid_grant")
    assert site.redeem(client, code).status_code == 200


@pytest.mark.spec("RFC 6749", "4.1.3")
def test_code_injection_at_another_client(site: Site) -> None:
    client, other = site.application(), site.application("Other")
    code = site.code(client, site.jane)
    assert error(site.redeem(other, code)) == (400, "invalid_grant")
    assert site.redeem(client, code).status_code == 200


@pytest.mark.spec("RFC 6749", "4.1.3")
@pytest.mark.parametrize("redirect_uri", ["", "https://app.example/other"], ids=["missing", "another"])
def test_another_redirect_uri_at_the_token_endpoint(site: Site, redirect_uri: str) -> None:
    client = site.application(redirect_uris=(CALLBACK, "https://app.example/other"))
    code = site.code(client, site.jane)
    response = site.token(client, grant_type="authorization_code", code=code, redirect_uri=redirect_uri)
    assert error(response) == (400, "invalid_grant")


@pytest.mark.spec("RFC 6749", "4.1.3")
def test_the_redirect_uri_may_be_left_out_where_the_request_left_it_out(site: Site) -> None:
    client = site.application(scopes=("read",))
    code = site.code(client, site.jane, redirect_uri=None, scope="read")
    assert site.token(client, grant_type="authorization_code", code=code).status_code == 200


@pytest.mark.parametrize(("after", "status"), [(59, 200), (60, 400)])
def test_a_code_lives_a_minute(timed: TimedSite, after: int, status: int) -> None:
    client = timed.application()
    code = timed.code(client, timed.jane)
    timed.clock.advance(after)
    assert timed.redeem(client, code).status_code == status


def test_code_replay_long_after_still_revokes_what_the_code_gave(timed: TimedSite) -> None:
    """Decision 12: a consumed code is kept as long as what it gave."""
    client = timed.application()
    code = timed.code(client, timed.jane)
    tokens = timed.redeem(client, code).json()
    timed.clock.advance(3000)
    assert error(timed.redeem(client, code)) == (400, "invalid_grant")
    assert not timed.is_active(client, tokens["access_token"])


def test_code_replay_by_a_thief_without_the_verifier_harms_nobody(site: Site) -> None:
    client = site.public_application()
    gateway = site.application("Gateway", may_introspect_any=True)
    pkce = Pkce()
    code = site.code(client, site.jane, **pkce.parameters)
    tokens = site.redeem(client, code, code_verifier=pkce.verifier).json()
    assert error(site.redeem(client, code, code_verifier=Pkce().verifier)) == (400, "invalid_grant")
    assert site.is_active(gateway, tokens["access_token"])


def test_code_replay_is_an_event(site: Site) -> None:
    client = site.application()
    code = site.code(client, site.jane)
    site.redeem(client, code)
    site.redeem(client, code)
    assert "application:code:replayed" in [event["type"] for event in site.events()]


def test_a_code_ends_with_the_session_it_came_from(site: Site) -> None:
    client, browser = site.application(), site.browser()
    code = response_parameters(site.sign_in(client, site.jane, browser=browser))["code"]
    browser.get(f"{site.base}/oidc/logout").submit("logout-confirm")
    assert error(site.redeem(client, code)) == (400, "invalid_grant")


@pytest.mark.spec("RFC 6749", "5.1")
def test_the_token_response_is_never_cached(site: Site) -> None:
    client = site.application()
    response = site.redeem(client, site.code(client, site.jane))
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["pragma"] == "no-cache"
    assert response.headers["content-type"] == "application/json"
    assert response.json().keys() == {
        "access_token", "token_type", "expires_in", "scope", "id_token", "refresh_token",
    }  # fmt: skip
