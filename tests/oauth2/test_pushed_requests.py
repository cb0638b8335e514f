"""Pushed authorization requests (RFC 9126)."""

from dataclasses import replace
from typing import Any

import httpx
import pytest

from tests.support.authorization import plain_request, push, pushed_uri, pushed_url
from tests.support.builders import Pkce, Site, claims_of, response_parameters
from tests.support.in_process import TimedSite
from tests.support.key_holder import KeyHolder, assertion_form

pytestmark = pytest.mark.long

PREFIX = "urn:ietf:params:oauth:request_uri:"
ORIGIN = "https://dashboard.example"


def outcome(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json().get("error", "")


@pytest.mark.spec("RFC 9126", "2.2")
@pytest.mark.spec("RFC 9126", "4")
def test_a_request_is_pushed_and_used(site: Site) -> None:
    client, pkce = site.application(), Pkce()
    response = push(site, client, nonce="n-1", **dict[str, Any](pkce.parameters))
    assert response.status_code == 201
    assert response.headers["cache-control"] == "no-store"
    answer = response.json()
    assert answer.keys() == {"request_uri", "expires_in"}
    assert answer["request_uri"].startswith(PREFIX)
    assert len(answer["request_uri"]) >= len(PREFIX) + 43
    assert answer["expires_in"] == 60
    page = site.browser().get(pushed_url(site, client, answer["request_uri"]))
    page = page.submit("login-submit", username="jane", password=site.jane.password)
    parameters = response_parameters(page)
    assert parameters["state"] == "the-state"
    tokens = site.redeem(client, parameters["code"], code_verifier=pkce.verifier).json()
    assert claims_of(tokens["id_token"])["nonce"] == "n-1"


@pytest.mark.spec("RFC 9126", "2")
def test_every_way_of_client_authentication(site: Site) -> None:
    holder = KeyHolder()
    jwt = site.application(token_endpoint_auth_method="private_key_jwt", jwks=holder.jwks)
    form = assertion_form(holder.assertion(jwt.client_id, site.issuer), **plain_request(jwt))
    assert site.http.post("/oauth2/par", data=form).status_code == 201
    public = site.public_application()
    assert push(site, public, **dict[str, Any](Pkce().parameters)).status_code == 201
    posted = site.application(token_endpoint_auth_method="client_secret_post")
    form = plain_request(posted) | {"client_secret": str(posted.secret)}
    assert site.http.post("/oauth2/par", data=form).status_code == 201


@pytest.mark.spec("RFC 9126", "2.3")
def test_without_authentication(site: Site) -> None:
    client, other = site.application(), site.application("Other")
    form = plain_request(client)
    assert outcome(site.http.post("/oauth2/par", data=form)) == (401, "invalid_client")
    assert outcome(site.http.post("/oauth2/par", data=form, auth=(client.client_id, "wrong"))) == (
        401, "invalid_client",
    )  # fmt: skip
    assert outcome(site.http.post("/oauth2/par", data=form, auth=other.basic)) == (400, "invalid_request")


@pytest.mark.spec("RFC 9126", "2.1")
@pytest.mark.spec("RFC 9126", "2.3")
@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"redirect_uri": "https://evil.example/"}, "invalid_request"),
        ({"redirect_uri": None}, "invalid_request"),
        ({"request_uri": "urn:ietf:params:oauth:request_uri:x"}, "invalid_request"),
        ({"request_uri": "https://app.example/r"}, "invalid_request"),
        ({"request": "eyJ"}, "invalid_request_object"),
        ({"code_challenge_method": "plain", "code_challenge": Pkce().challenge}, "invalid_request"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"claims": "{"}, "invalid_request"),
        ({"resource": "https://unknown.example"}, "invalid_target"),
        ({"authorization_details": "[]"}, "invalid_authorization_details"),
        ({"nonce": "n" * 3000}, "invalid_request"),
        ({"id_token_hint": "a.b.c"}, "invalid_request"),
        ({"dpop_jkt": "x"}, "invalid_request"),
        ({"username": "jane"}, "invalid_request"),
    ],
    ids=str,
)
@pytest.mark.any_engine
def test_all_that_can_be_said_against_a_request_is_said_at_once(
    site: Site, parameters: dict[str, Any], error: str
) -> None:
    response = push(site, site.application(), **parameters)
    assert outcome(response) == (400, error)
    assert response.json()["error_description"]
    assert "location" not in response.headers


def test_only_by_post_in_the_body(site: Site) -> None:
    client = site.application()
    assert site.http.get("/oauth2/par", params=plain_request(client)).status_code == 405
    for name in ("client_id", "state", "client_secret", "client_assertion", "redirect_uri"):
        response = site.http.post(f"/oauth2/par?{name}=x", data=plain_request(client), auth=client.basic)
        assert outcome(response) == (400, "invalid_request"), name


def test_repeated_parameters(site: Site) -> None:
    """Decision 24: only `resource` may repeat."""
    client = site.application(resources=("https://a.example", "https://b.example"))
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    body = str(httpx.QueryParams(plain_request(client)))
    for extra, status in (("&state=x", 400), ("&resource=https://a.example&resource=https://b.example", 201)):
        response = site.http.post("/oauth2/par", content=body + extra, headers=headers, auth=client.basic)
        assert response.status_code == status, response.text


def test_it_is_used_up_by_the_response_and_not_by_the_page(site: Site) -> None:
    """Decision 12: a person may load the page again; a second response there is not."""
    client, browser = site.application(), site.browser()
    url = pushed_url(site, client, pushed_uri(site, client))
    assert browser.get(url).has("login-submit")
    page = browser.get(url)
    page = page.submit("login-submit", username="jane", password=site.jane.password)
    assert "code" in response_parameters(page)
    again = browser.get(url)
    assert (again.status, again.left_for) == (400, None)
    assert again.has("error-page")


def test_two_pages_of_one_request_give_one_code(site: Site) -> None:
    client = site.application()
    url = pushed_url(site, client, pushed_uri(site, client))
    first, second = site.browser().get(url), site.browser().get(url)
    assert "code" in response_parameters(first.submit("login-submit", username="jane", password=site.jane.password))
    late = second.submit("login-submit", username="jane", password=site.jane.password)
    assert (late.has("error-page"), late.left_for) == (True, None)


@pytest.mark.parametrize("prompt", ["none", "", "consent"])
def test_a_refusal_uses_it_up_too(site: Site, prompt: str) -> None:
    client = site.application()
    url = pushed_url(site, client, pushed_uri(site, client, prompt=prompt or None))
    browser = site.browser()
    page = browser.get(url)
    if page.has("login-cancel") and prompt != "consent":
        page = page.submit("login-cancel")
    elif prompt == "consent":
        page = page.submit("login-submit", username="jane", password=site.jane.password).submit("consent-deny")
    assert response_parameters(page)["error"] in ("login_required", "access_denied")
    assert browser.get(url).has("error-page")


@pytest.mark.spec("RFC 9126", "4")
def test_only_what_was_pushed_counts(site: Site) -> None:
    client = site.application(redirect_uris=("https://app.example/cb", "https://app.example/other"))
    uri = pushed_uri(site, client, state="pushed")
    url = (
        pushed_url(site, client, uri) + "&state=outside&redirect_uri=https://app.example/other&prompt=none&scope=email"
    )
    page = site.browser().get(url)
    page = page.submit("login-submit", username="jane", password=site.jane.password)
    assert page.left_for is not None
    assert page.left_for.url.startswith("https://app.example/cb?")
    assert page.left_for.parameters["state"] == "pushed"
    assert site.redeem(client, page.left_for.parameters["code"]).json()["scope"] == "openid"


def test_it_expires(timed: TimedSite) -> None:
    client = timed.application()
    timed.change_settings(lambda settings: replace(settings, pushed_request_lifetime=30))
    timed.clock.advance(2)
    early, late = (push(timed, client).json() for _ in range(2))
    assert early["expires_in"] == 30
    timed.clock.advance(29)
    page = timed.browser().get(pushed_url(timed, client, early["request_uri"]))
    assert page.has("login-submit")
    timed.clock.advance(2)
    assert timed.browser().get(pushed_url(timed, client, late["request_uri"])).has("error-page")
    # Whoever opened the page in time may take their time.
    timed.clock.advance(600)
    page = page.submit("login-submit", username="jane", password=timed.jane.password)
    assert "code" in response_parameters(page)


def test_it_never_lives_for_ten_minutes(timed: TimedSite) -> None:
    """FAPI 2 §5.3.2.2"""
    timed.change_settings(lambda settings: replace(settings, pushed_request_lifetime=86400))
    timed.clock.advance(2)
    assert push(timed, timed.application()).json()["expires_in"] < 600


@pytest.mark.spec("RFC 9126", "5")
@pytest.mark.parametrize("settings", [{"require_pushed_authorization_requests": True}], ids=str)
def test_an_application_that_has_to_push(site: Site, settings: dict[str, Any]) -> None:
    client = site.application(**settings)
    answer = response_parameters(site.browser().get(site.authorize_url(client)))
    assert (answer["error"], "par" in answer["error_description"]) == ("invalid_request", True)
    assert site.browser().get(pushed_url(site, client, pushed_uri(site, client))).has("login-submit")


def test_settings_that_changed_since(site: Site) -> None:
    """What was allowed when it was pushed need not be allowed now."""
    client = site.application(redirect_uris=("https://app.example/cb", "https://app.example/old"))
    uri = pushed_uri(site, client, redirect_uri="https://app.example/old")
    site.update(client, redirect_uris=("https://app.example/cb",))
    assert site.browser().get(pushed_url(site, client, uri)).has("error-page")
    uri = pushed_uri(site, client)
    site.update(client, require_pkce=True)
    answer = response_parameters(site.browser().get(pushed_url(site, client, uri)))
    assert answer["error"] == "invalid_request"


def test_a_secret_replaced_meanwhile(site: Site) -> None:
    """Decision 35."""
    client = site.application()
    assert push(site, client).status_code == 201
    site.update(client, enabled=False)
    assert outcome(push(site, client)) == (401, "invalid_client")


@pytest.mark.spec("RFC 9126", "2.1")
def test_the_browser_may_post_the_request_uri(site: Site) -> None:
    client, browser = site.application(), site.browser()
    fields = {"client_id": client.client_id, "request_uri": pushed_uri(site, client)}
    page = browser.post(f"{site.base}/oauth2/authorize", fields, from_site="https://app.example/")
    page = page.submit("login-submit", username="jane", password=site.jane.password)
    assert "code" in response_parameters(page)


class TestKeyOfTheCode:
    """RFC 9449 §10: the code is redeemed with the key that the pushed request proved."""

    def par(self, site: Site) -> str:
        return f"{site.base}/oauth2/par"

    def redeemed(self, site: Site, client: Any, uri: str, holder: KeyHolder | None) -> httpx.Response:
        page = site.browser().get(pushed_url(site, client, uri))
        page = page.submit("login-submit", username="jane", password=site.jane.password)
        form = {
            "grant_type": "authorization_code", "code": response_parameters(page)["code"],
            "redirect_uri": client.redirect_uri,
        }  # fmt: skip
        headers = {} if holder is None else {"DPoP": holder.proof("POST", f"{site.base}/oauth2/token")}
        return site.http.post("/oauth2/token", data=form, auth=client.basic, headers=headers)

    @pytest.mark.spec("RFC 9449", "10.1")
    @pytest.mark.parametrize("by", ["header", "parameter", "both"])
    def test_it_is_bound(self, site: Site, by: str) -> None:
        client, holder, thief = site.application(), KeyHolder(), KeyHolder()
        parameters = {"dpop_jkt": holder.thumbprint} if by != "header" else {}
        proofs = [{"DPoP": holder.proof("POST", self.par(site))} if by != "parameter" else {} for _ in range(3)]
        first, second, third = (
            push(site, client, headers=proof, **parameters).json()["request_uri"] for proof in proofs
        )
        assert self.redeemed(site, client, first, holder).json()["token_type"] == "DPoP"
        assert outcome(self.redeemed(site, client, second, thief)) == (400, "invalid_grant")
        assert outcome(self.redeemed(site, client, third, None)) == (400, "invalid_grant")

    @pytest.mark.spec("RFC 9449", "10.1")
    def test_two_keys_that_differ(self, site: Site) -> None:
        headers = {"DPoP": KeyHolder().proof("POST", self.par(site))}
        response = push(site, site.application(), headers=headers, dpop_jkt=KeyHolder().thumbprint)
        assert outcome(response) == (400, "invalid_dpop_proof")

    def test_a_proof_for_another_address(self, site: Site) -> None:
        headers = {"DPoP": KeyHolder().proof("POST", f"{site.base}/oauth2/token")}
        assert outcome(push(site, site.application(), headers=headers)) == (400, "invalid_dpop_proof")


@pytest.mark.parametrize("origin", [ORIGIN, "https://evil.example"])
def test_scripts_of_registered_origins_may_push(site: Site, origin: str) -> None:
    """Decision 20."""
    client = site.public_application(web_origins=(ORIGIN,))
    form = plain_request(client, **Pkce().parameters)
    answer = site.http.post("/oauth2/par", data=form, headers={"Origin": origin})
    assert answer.status_code == 201
    allowed = answer.headers.get("access-control-allow-origin")
    assert allowed == (ORIGIN if origin == ORIGIN else None)
    assert "access-control-allow-credentials" not in answer.headers
