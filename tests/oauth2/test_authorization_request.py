"""The authorization endpoint: which requests are refused, where the refusal goes, and how the answer travels."""

import re
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.builders import CALLBACK, Pkce, Site, response_parameters
from tests.support.html import parse

pytestmark = [pytest.mark.any_engine, pytest.mark.long]

CHALLENGE = Pkce().challenge


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"client_id": None}, "client_id"),
        ({"client_id": "nobody"}, "client_id"),
        ({"redirect_uri": None}, "redirect_uri"),
        ({"redirect_uri": "https://app.example/cb/"}, "redirect_uri"),
        ({"redirect_uri": "https://app.example/cb?x=1"}, "redirect_uri"),
        ({"redirect_uri": "https://APP.example/cb"}, "redirect_uri"),
        ({"redirect_uri": "https://app.example.evil.example/cb"}, "redirect_uri"),
        ({"redirect_uri": "http://app.example/cb"}, "redirect_uri"),
    ],
    ids=["no client", "unknown client", "no address", "slash", "query", "upper case", "other host", "other scheme"],
)
@pytest.mark.spec("RFC 6749", "4.1.2.1")
def test_without_a_trusted_address_there_is_a_page_and_no_redirect(
    site: Site, parameters: dict[str, str | None], named: str
) -> None:
    page = site.browser().get(site.authorize_url(site.application(), **parameters))
    assert (page.status, page.header("location"), page.left_for) == (400, None, None)
    assert named in page.element("error-page").text
    trace_id = page.element("trace-id").text
    assert re.fullmatch("[0-9a-f]{32}", trace_id)
    site.server.program.wait_for(trace_id, 5)


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "device"}, "unsupported_response_type"),
        ({"response_type": "code code"}, "unsupported_response_type"),
        ({"response_type": "none"}, "unsupported_response_type"),
        ({"response_mode": "web_message"}, "invalid_request"),
        ({"response_mode": "QUERY"}, "invalid_request"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "create"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"max_age": "soon"}, "invalid_request"),
        ({"claims": "{"}, "invalid_request"),
        ({"claims": '{"userinfo":{"email":7}}'}, "invalid_request"),
        ({"claims": '{"id_token":[]}'}, "invalid_request"),
        ({"code_challenge": CHALLENGE, "code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": CHALLENGE}, "invalid_request"),
        ({"code_challenge": "short", "code_challenge_method": "S256"}, "invalid_request"),
        ({"code_challenge_method": "S256"}, "invalid_request"),
        ({"request": "eyJ"}, "invalid_request_object"),
        ({"request_uri": "https://app.example/r"}, "invalid_request_uri"),
        ({"request": "eyJ", "request_uri": "https://app.example/r"}, "invalid_request"),
        ({"client_assertion": "s"}, "invalid_request"),
        ({"dpop_jkt": "too short"}, "invalid_request"),
        ({"claims": '{"id_token":{"sub":{"value":7}}}'}, "invalid_request"),
        ({"registration": "{}"}, "registration_not_supported"),
        ({"id_token_hint": "not.a.token"}, "invalid_request"),
        ({"client_secret": "s"}, "invalid_request"),
        ({"nonce": "n" * 3000}, "invalid_request"),
        ({"scope": " ".join(f"s{n}" for n in range(201))}, "invalid_scope"),
        ({"claims": '{"id_token":{"acr":{"essential":true,"values":["phr"]}}}'}, "unmet_authentication_requirements"),
    ],
)
@pytest.mark.spec("RFC 6749", "4.1.2.1")
@pytest.mark.spec("RFC 9207", "2")
def test_any_other_refusal_goes_to_the_application(site: Site, parameters: dict[str, str | None], error: str) -> None:
    page = site.browser().get(site.authorize_url(site.application(), **parameters))
    answer = response_parameters(page)
    assert page.left_for is not None
    assert page.left_for.url.startswith(f"{CALLBACK}?")
    assert answer.pop("error_description")
    answer.pop("session_state", None)
    assert answer == {"error": error, "state": "the-state", "iss": site.issuer}


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"grant_types": ("client_credentials",)}, "unauthorized_client"),
        ({"require_pkce": True}, "invalid_request"),
        ({"token_endpoint_auth_method": "none"}, "invalid_request"),
    ],
    ids=["grant not enabled", "PKCE required by the application", "public without PKCE"],
)
def test_what_an_application_may_not_do(site: Site, settings: dict[str, Any], error: str) -> None:
    page = site.browser().get(site.authorize_url(site.application(**settings)))
    assert response_parameters(page)["error"] == error


@pytest.mark.spec("RFC 9700", "2.1.1")
def test_pkce_is_a_tenants_rule_for_confidential_clients(site: Site) -> None:
    free, bound = site.application(require_pkce=False), site.application()
    site.change_settings(lambda settings: replace(settings, require_pkce=True))
    assert response_parameters(site.browser().get(site.authorize_url(bound)))["error"] == "invalid_request"
    assert site.browser().get(site.authorize_url(free)).has("login-submit")
    assert site.browser().get(site.authorize_url(bound, **Pkce().parameters)).has("login-submit")


def test_a_disabled_application(site: Site) -> None:
    client = site.application()
    site.update(client, enabled=False)
    page = site.browser().get(site.authorize_url(client))
    assert page.status == 400
    assert page.has("error-page")


@pytest.mark.spec("RFC 6749", "3.1")
def test_repeated_parameters(site: Site) -> None:
    client = site.application()
    for name in ("client_id", "redirect_uri", "scope", "state", "nonce"):
        page = site.browser().get(site.authorize_url(client, nonce="n") + f"&{name}=again")
        assert (page.status, page.left_for) == (400, None)
        assert page.has("error-page")


@pytest.mark.parametrize(
    "resources", ["&resource=https://a.example", "&resource=https://a.example&resource=https://b.example"]
)
def test_an_unknown_resource_is_refused_and_never_ignored(site: Site, resources: str) -> None:
    """Decision 24: `resource` alone may be repeated. A token for another audience than asked is worse than none."""
    page = site.browser().get(site.authorize_url(site.application()) + resources)
    assert response_parameters(page)["error"] == "invalid_target"


@pytest.mark.spec("RFC 6749", "3.1")
def test_unknown_and_empty_parameters_are_ignored(site: Site) -> None:
    page = site.browser().get(site.authorize_url(site.application(), prompt="", max_age="", colour="blue"))
    assert page.has("login-submit")


@pytest.mark.spec("OAuth 2.0 Multiple Response Types", "2.1")
@pytest.mark.parametrize("mode", [None, "query", "fragment"])
def test_query_and_fragment(site: Site, mode: str | None) -> None:
    page = site.sign_in(site.application(), site.jane, response_mode=mode)
    assert page.status == 303
    location = urlsplit(page.header("location") or "")
    carried, empty = (location.fragment, location.query)[:: 1 if mode == "fragment" else -1]
    assert parse_qs(carried).keys() == {"code", "session_state", "state", "iss"}
    assert empty == ""
    assert "no-store" in (page.header("cache-control") or "")


@pytest.mark.spec("OAuth 2.0 Form Post Response Mode", "2")
def test_form_post(site: Site) -> None:
    page = site.sign_in(site.application(), site.jane, response_mode="form_post")
    assert page.status == 200
    form = page.element("form-post")
    assert (form.attributes["action"], form.attributes["method"]) == (CALLBACK, "post")
    hidden = {field.attributes["name"]: field.attributes["value"] for field in form.all("input")}
    assert hidden.keys() == {"code", "session_state", "state", "iss"}
    assert hidden["iss"] == site.issuer
    assert "form-action 'self' https://app.example" in (page.header("content-security-policy") or "")
    assert page.header("cache-control") == "no-store"


@pytest.mark.spec("OAuth 2.0 Form Post Response Mode", "2")
def test_form_post_carries_errors_and_escapes_the_state(site: Site) -> None:
    state = "\"><script>alert(1)</script>'&"
    page = site.browser().get(
        site.authorize_url(site.application(), response_mode="form_post", prompt="none", state=state)
    )
    hidden = {field.attributes["name"]: field.attributes["value"] for field in parse(page.text).all("input")}
    assert (hidden["error"], hidden["state"]) == ("login_required", state)
    assert "<script>alert" not in page.text


@pytest.mark.spec("RFC 6749", "3.1.2")
def test_a_registered_query_is_kept(site: Site) -> None:
    client = site.application(redirect_uris=("https://app.example/cb?keep=1&state=mine",))
    page = site.sign_in(client, site.jane)
    assert (page.header("location") or "").startswith("https://app.example/cb?keep=1&state=mine&code=")


@pytest.mark.spec("RFC 8252", "7.3")
@pytest.mark.parametrize(
    ("presented", "accepted"),
    [
        ("http://127.0.0.1:51004/cb", True),
        ("http://127.0.0.1/cb", True),
        ("http://127.0.0.1:51004/other", False),
        ("http://localhost:51004/cb", False),
        ("http://127.0.0.1.evil.example:51004/cb", False),
        ("http://[::1]:51004/cb", False),
    ],
)
def test_the_port_of_a_loopback_address_is_free(site: Site, presented: str, accepted: bool) -> None:
    client = site.public_application(redirect_uris=("http://127.0.0.1:8000/cb",))
    page = site.browser().get(site.authorize_url(client, redirect_uri=presented, **Pkce().parameters))
    assert page.has("login-submit") is accepted
    assert page.has("error-page") is not accepted


@pytest.mark.spec("RFC 8252", "7.1")
def test_an_applications_own_scheme_goes_on_by_a_page(site: Site) -> None:
    client = site.public_application(redirect_uris=("com.example.app:/cb",))
    pkce = Pkce()
    page = site.sign_in(client, site.jane, browser=site.browser(), **pkce.parameters)
    assert page.status == 200
    address = page.element("continue").attributes["href"]
    assert address.startswith("com.example.app:/cb?code=")
    code = parse_qs(urlsplit(address).query)["code"][0]
    assert site.redeem(client, code, code_verifier=pkce.verifier).status_code == 200


@pytest.mark.spec("OpenID Connect Core", "3.1.2.1")
def test_a_request_by_post_from_another_site_finds_the_session(site: Site) -> None:
    """Decision 17: stored, and answered by a redirect to a GET, where the Lax cookie travels."""
    client, browser = site.application(), site.browser()
    site.sign_in(client, site.jane, browser=browser)
    fields = {
        "client_id": client.client_id, "response_type": "code", "redirect_uri": CALLBACK, "scope": "openid",
        "state": "posted",
    }  # fmt: skip
    page = browser.post(f"{site.base}/oauth2/authorize", fields, from_site="https://app.example/")
    assert page.left_for is not None, str(page)
    assert page.left_for.parameters["state"] == "posted"
    assert site.redeem(client, page.left_for.parameters["code"]).status_code == 200


@pytest.mark.parametrize(("prompt", "outcome"), [("none", "login_required"), ("", "login")])
def test_a_request_by_post_without_a_session(site: Site, prompt: str, outcome: str) -> None:
    client, browser = site.application(), site.browser()
    fields = {
        "client_id": client.client_id, "response_type": "code", "redirect_uri": CALLBACK, "scope": "openid",
        "prompt": prompt,
    }  # fmt: skip
    page = browser.post(f"{site.base}/oauth2/authorize", fields, from_site="https://app.example/")
    if outcome == "login":
        page = page.submit("login-submit", username="jane", password=site.jane.password)
        assert page.left_for is not None
        assert page.left_for.parameters["code"]
    else:
        assert page.left_for is not None, str(page)
        assert page.left_for.parameters["error"] == outcome


@pytest.mark.spec("RFC 6749", "3.3")
def test_scopes_that_the_application_may_not_have_are_left_out_and_said(site: Site) -> None:
    client = site.application(scopes=("orders.read",))
    tokens = site.tokens(client, site.jane, scope="openid orders.read orders.write admin")
    assert tokens["scope"] == "openid orders.read"


def test_without_openid_there_is_no_id_token_and_no_userinfo(site: Site) -> None:
    client = site.application(scopes=("orders.read",))
    tokens = site.tokens(client, site.jane, scope="orders.read profile")
    assert "id_token" not in tokens
    answer = site.userinfo(tokens["access_token"])
    assert answer.status_code == 403
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods(site: Site, method: str) -> None:
    response = site.http.request(method, "/oauth2/authorize", headers={"Origin": "https://app.example"})
    assert response.status_code == 405
    assert "access-control-allow-origin" not in response.headers
