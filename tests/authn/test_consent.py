"""Consent: asked once, remembered, partial, denied, forced, taken back on the account page."""

import pytest

from identity.administration import applications
from tests.support.browser import Browser, Page
from tests.support.builders import Client, Site, claims_of, response_parameters


def consent_page(site: Site, client: Client, browser: Browser | None = None, **parameters: str | None) -> Page:
    page = site.sign_in(client, site.jane, browser=browser, **parameters)
    assert page.has("consent-allow"), str(page)
    return page


@pytest.fixture
def client(site: Site) -> Client:
    return site.application("Orders", skip_consent=False, scopes=("orders.read",))


def test_it_is_asked_once_and_remembered(site: Site, client: Client) -> None:
    browser = site.browser()
    page = consent_page(site, client, browser, scope="openid email")
    assert "Orders" in page.document.text
    assert "jane@example.org" in page.document.text
    assert "code" in response_parameters(page.submit("consent-allow"))
    for scope in ("openid email", "openid", "email openid"):
        assert "code" in response_parameters(browser.get(site.authorize_url(client, scope=scope)))
    other = site.browser()
    assert "code" in response_parameters(site.sign_in(client, site.jane, browser=other, scope="openid email"))


def test_more_scopes_are_asked_about_again(site: Site, client: Client) -> None:
    browser = site.browser()
    consent_page(site, client, browser, scope="openid").submit("consent-allow")
    page = browser.get(site.authorize_url(client, scope="openid email"))
    assert "code" in response_parameters(page.submit("consent-allow"))
    assert "code" in response_parameters(browser.get(site.authorize_url(client, scope="openid email")))


@pytest.mark.spec("OpenID Connect Core", "3.1.2.6")
def test_denied(site: Site, client: Client) -> None:
    browser = site.browser()
    answer = response_parameters(consent_page(site, client, browser).submit("consent-deny"))
    assert (answer["error"], answer["state"], answer["iss"]) == ("access_denied", "the-state", site.issuer)
    assert browser.get(site.authorize_url(client)).has("consent-allow")
    assert "user:consent:denied" in [event["type"] for event in site.events()]


def test_only_what_is_ticked_is_given(site: Site, client: Client) -> None:
    page = consent_page(site, client, scope="openid email profile orders.read")
    page = page.submit("consent-allow", scope=["email"])
    tokens = site.redeem(client, response_parameters(page)["code"]).json()
    assert tokens["scope"] == "openid email"
    answer = site.userinfo(tokens["access_token"]).json()
    assert answer.keys() == {"sub", "email"}


def test_scopes_added_to_the_form(site: Site, client: Client) -> None:
    page = consent_page(site, client, scope="openid email")
    page = page.submit("consent-allow", forged={"scope": "email orders.read admin offline_access"})
    assert site.redeem(client, response_parameters(page)["code"]).json()["scope"] == "openid email"


@pytest.mark.spec("OpenID Connect Core", "3.1.2.1")
def test_prompt_consent_asks_even_where_it_is_remembered(site: Site, client: Client) -> None:
    browser = site.browser()
    consent_page(site, client, browser).submit("consent-allow")
    page = browser.get(site.authorize_url(client, prompt="consent"))
    assert "code" in response_parameters(page.submit("consent-allow"))
    trusted = site.application("Trusted", skip_consent=True)
    assert browser.get(site.authorize_url(trusted, prompt="consent")).has("consent-allow")


def test_prompt_login_and_consent_ask_both(site: Site, client: Client) -> None:
    browser = site.browser()
    consent_page(site, client, browser).submit("consent-allow")
    page = browser.get(site.authorize_url(client, prompt="login consent"))
    page = page.submit("login-submit", username="jane", password=site.jane.password)
    assert "code" in response_parameters(page.submit("consent-allow"))


def test_a_consent_form_without_its_token(site: Site, client: Client) -> None:
    browser = site.browser()
    page = consent_page(site, client, browser)
    assert page.submit("consent-allow", forged={"csrf_token": "x"}).status == 403
    assert browser.post(page.url, {"decision": "allow"}, from_site="https://evil.example/").status == 403
    assert browser.get(page.url).has("consent-allow")


def test_consent_before_sign_in(site: Site, client: Client) -> None:
    browser = site.browser()
    page = browser.get(site.authorize_url(client))
    flow = page.url.rpartition("/")[2]
    assert browser.get(f"{site.base}/consent/{flow}").status == 410


def test_resume_does_not_skip_the_consent_page(site: Site, client: Client) -> None:
    browser = site.browser()
    page = consent_page(site, client, browser)
    flow = page.url.rpartition("/")[2]
    assert browser.get(f"{site.base}/oauth2/authorize/{flow}").has("consent-allow")


def test_an_application_deleted_meanwhile(site: Site, client: Client) -> None:
    page = consent_page(site, client)
    site.administer(lambda a: applications.delete_application(a, site.tenant, client.client_id))
    assert page.submit("consent-allow").has("error-page")


def test_signed_out_meanwhile(site: Site, client: Client) -> None:
    browser = site.browser()
    page = consent_page(site, client, browser)
    browser.get(f"{site.base}/oidc/logout").submit("logout-confirm")
    answer = page.submit("consent-allow")
    assert answer.has("error-page")


def test_a_request_without_a_scope_is_asked_about_too(site: Site, client: Client) -> None:
    """Who the person is would be told all the same, by introspection or in a JWT."""
    browser = site.browser()
    page = site.sign_in(client, site.jane, browser=browser, scope=None)
    assert page.has("consent-allow")
    silent = response_parameters(browser.get(site.authorize_url(client, scope=None, prompt="none")))
    assert silent["error"] == "consent_required"
    assert "code" in response_parameters(page.submit("consent-allow"))
    assert "code" in response_parameters(browser.get(site.authorize_url(client, scope=None)))


def test_another_resource_is_asked_about(site: Site) -> None:
    """A token for one API is not allowed by what was allowed at another (RFC 8707)."""
    notes, orders = "https://notes.example/mcp", "https://orders.example/mcp"
    client = site.application("Agent", skip_consent=False, resources=(notes, orders))
    browser = site.browser()
    page = consent_page(site, client, browser, resource=notes)
    assert notes in page.document.text
    assert "code" in response_parameters(page.submit("consent-allow"))
    assert "code" in response_parameters(browser.get(site.authorize_url(client, resource=notes)))
    page = browser.get(site.authorize_url(client, resource=orders))
    assert orders in page.document.text
    assert "code" in response_parameters(page.submit("consent-allow"))
    for resource in (notes, orders, None):
        assert "code" in response_parameters(browser.get(site.authorize_url(client, resource=resource)))


def test_a_token_request_names_no_resource_that_nobody_was_asked_about(site: Site) -> None:
    notes = "https://notes.example/mcp"
    client = site.application("Agent", skip_consent=False, resources=(notes,), audiences=("https://own.example",))
    for named, asked, status in ((None, notes, 400), (notes, notes, 200), (None, "https://own.example", 200)):
        page = site.sign_in(client, site.jane, resource=named)
        page = page.submit("consent-allow") if page.has("consent-allow") else page
        answer = site.redeem(client, response_parameters(page)["code"], resource=asked)
        assert answer.status_code == status, answer.text
        assert answer.json().get("error") == ("invalid_target" if status == 400 else None)


CLAIMS = '{"userinfo":{"email":{"essential":true},"nickname":null},"id_token":{"name":null,"acr":null}}'


@pytest.mark.spec("OpenID Connect Core", "5.5")
def test_claims_are_asked_about_as_scopes_are(site: Site, client: Client) -> None:
    """What `scope=email` shows on the page, the claims parameter must not fetch behind the person's back."""
    browser = site.browser()
    consent_page(site, client, browser, scope="openid").submit("consent-allow")
    silent = response_parameters(browser.get(site.authorize_url(client, claims=CLAIMS, prompt="none")))
    assert silent["error"] == "consent_required"
    page = browser.get(site.authorize_url(client, claims=CLAIMS))
    assert "jane@example.org" in page.document.text
    tokens = site.redeem(client, response_parameters(page.submit("consent-allow", scope=["email"]))["code"]).json()
    assert tokens["scope"] == "openid"
    assert site.userinfo(tokens["access_token"]).json().keys() == {"sub", "email"}
    assert "name" not in claims_of(tokens["id_token"])
    assert "acr" in claims_of(tokens["id_token"])
    page = browser.get(site.authorize_url(client, claims=CLAIMS))
    tokens = site.redeem(client, response_parameters(page.submit("consent-allow"))["code"]).json()
    assert claims_of(tokens["id_token"])["name"] == "Jane Doe"
    assert "code" in response_parameters(browser.get(site.authorize_url(client, claims=CLAIMS, prompt="none")))


def test_refused_claims_stay_away_from_live_userinfo(site: Site) -> None:
    client = site.application("Live", skip_consent=False, live_claims=True)
    page = consent_page(site, client, claims=CLAIMS).submit("consent-allow", scope=[])
    tokens = site.redeem(client, response_parameters(page)["code"]).json()
    assert site.userinfo(tokens["access_token"]).json().keys() == {"sub"}
