"""The account page: connected applications and sessions, both to be ended by their owner alone."""

from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.support.browser import Browser, Page
from tests.support.builders import Client, Person, Site, response_parameters


def account(site: Site, browser: Browser) -> Page:
    return browser.get(f"{site.base}/account")


def press(page: Page, name: str, value: str) -> Page:
    """Press the button of that name and value; rows have no ids of their own."""
    button = next(
        b for b in page.document.all("button") if (b.attributes.get("name"), b.attributes.get("value")) == (name, value)
    )
    form = button.above("form")
    assert form is not None
    token = next(e.attributes["value"] for e in form.all("input") if e.attributes.get("name") == "csrf_token")
    return page._browser.post(page.url.partition("?")[0], {"csrf_token": token, name: value})


def values(page: Page, name: str) -> list[str]:
    return [b.attributes["value"] for b in page.document.all("button") if b.attributes.get("name") == name]


def connect(site: Site, client: Client, person: Person, browser: Browser) -> dict[str, str]:
    page = site.sign_in(client, person, browser=browser, scope="openid email")
    tokens: dict[str, str] = site.redeem(
        client, response_parameters(page.submit("consent-allow") if page.has("consent-allow") else page)["code"]
    ).json()
    return tokens


def test_signing_in_to_the_account_page(site: Site) -> None:
    browser = site.browser()
    page = account(site, browser).submit("login-submit", username="jane", password=site.jane.password)
    assert page.url == f"{site.base}/account"
    assert "Jane Doe" in page.document.text
    assert "This device" in page.document.text


def test_giving_up(site: Site) -> None:
    page = account(site, site.browser()).submit("login-cancel")
    assert page.url in (site.base, f"{site.base}/")


def test_a_consent_is_taken_back(site: Site) -> None:
    client, browser = site.application("Orders", skip_consent=False), site.browser()
    tokens = connect(site, client, site.jane, browser)
    page = account(site, browser)
    assert "Orders" in page.document.text
    page = press(page, "revoke_application", client.application.id)
    assert page.has("notice")
    assert "Orders" not in page.element("applications").text
    assert not site.is_active(client, tokens["access_token"])
    assert site.refresh(client, tokens["refresh_token"]).json()["error"] == "invalid_grant"
    assert browser.get(site.authorize_url(client)).has("consent-allow")
    assert "user:consent:revoked" in [event["type"] for event in site.events()]


def test_taking_back_one_application_leaves_the_others(site: Site) -> None:
    first, second, browser = (
        site.application("First", skip_consent=False), site.application("Second", skip_consent=False), site.browser()
    )  # fmt: skip
    connect(site, first, site.jane, browser)
    kept = connect(site, second, site.jane, browser)
    press(account(site, browser), "revoke_application", first.application.id)
    assert site.is_active(second, kept["access_token"])


def test_another_browsers_session_is_ended(site: Site) -> None:
    client, here, there = site.application(), site.browser(), site.browser()
    connect(site, client, site.jane, here)
    tokens = connect(site, client, site.jane, there)
    sessions = values(account(site, here), "end_session")
    assert len(sessions) == 2
    mine = next(row for row in account(site, here).document.all("tr") if "This device" in row.text)
    other = next(value for value in sessions if value != mine.all("button")[0].attributes["value"])
    assert press(account(site, here), "end_session", other).has("notice")
    assert not site.is_active(client, tokens["access_token"])
    assert there.get(site.authorize_url(client)).has("login-submit")
    assert account(site, here).has("sessions")


def test_ending_the_session_at_hand_signs_out(site: Site) -> None:
    client, browser = site.application(), site.browser()
    connect(site, client, site.jane, browser)
    (own,) = values(account(site, browser), "end_session")
    assert press(account(site, browser), "end_session", own).has("login-submit")
    assert browser.cookies.find(f"__Host-sso-{site.handle}") is None


@pytest.mark.parametrize("what", ["end_session", "revoke_application"])
def test_what_belongs_to_another_person(site: Site, what: str) -> None:
    client, victim, thief = site.application("Orders", skip_consent=False), site.browser(), site.browser()
    tokens = connect(site, client, site.jane, victim)
    target = values(account(site, victim), what)[0]
    connect(site, client, site.person("mallory"), thief)
    page = account(site, thief)
    token = page.document.all("input")[0].attributes["value"]
    thief.post(f"{site.base}/account", {"csrf_token": token, what: target})
    assert site.is_active(client, tokens["access_token"])
    assert account(site, victim).has("sessions")


def test_forged_forms(site: Site) -> None:
    client, browser = site.application("Orders", skip_consent=False), site.browser()
    connect(site, client, site.jane, browser)
    fields = {"revoke_application": client.application.id, "csrf_token": "x"}
    assert browser.post(f"{site.base}/account", fields).status == 403
    assert browser.post(f"{site.base}/account", fields, from_site="https://evil.example/").status == 403
    assert values(account(site, browser), "revoke_application") == [client.application.id]


def test_the_home_page(site: Site) -> None:
    page = site.browser().get(f"{site.base}/")
    assert page.status == 200
    assert f"{site.issuer}/.well-known/openid-configuration" in page.text


@pytest.mark.spec("OpenID Connect Core", "4")
def test_starting_an_application_from_here(site: Site) -> None:
    """Third-party initiated login: the registered address is called with our issuer and who is signed in."""
    plain = site.application("Plain", skip_consent=False)
    starts = site.application("Starts", skip_consent=False, initiate_login_uri="https://app.example/start?from=us")
    browser = site.browser()
    for client in (plain, starts):
        page = site.sign_in(client, site.jane, browser=browser)
        assert "code" in response_parameters(page.submit("consent-allow"))
    links = [link.attributes["href"] for link in browser.get(f"{site.base}/account").document.all("a")]
    (link,) = [link for link in links if link.startswith("https://app.example/")]
    assert link.startswith("https://app.example/start?from=us&")
    assert dict(parse_qsl(urlsplit(link).query)) == {"from": "us", "iss": site.issuer, "login_hint": "jane"}
