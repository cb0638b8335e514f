"""Sign-in, account and sign-out in Chromium, on a server that is not a demo."""

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.builders import Client, Site
from tests.support.client_site import ClientSite
from tests.ui.journeys import fill_login, focused_id, forgive_status, tab_to

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.fixture
def client(site: Site, application_site: ClientSite) -> Client:
    return site.application(
        redirect_uris=(application_site.redirect_uri,), post_logout_redirect_uris=(f"{application_site.origin}/bye",)
    )


def sign_in(page: "Page", site: Site, client: Client, **parameters: str | None) -> None:
    """To the application's page at its redirect address."""
    page.goto(site.authorize_url(client, **parameters))
    fill_login(page, site.jane.username, site.jane.password)
    page.wait_for_selector("#arrived", state="attached")


@pytest.mark.spec("RFC 6265", "4.1.2.5")
def test_chromium_takes_host_cookies_with_secure_on_http_localhost(
    quick_page: "Page", site: Site, client: Client
) -> None:
    sign_in(quick_page, site, client)
    cookies = {cookie["name"]: cookie for cookie in quick_page.context.cookies()}
    session = cookies[f"__Host-sso-{site.handle}"]
    assert (session["secure"], session["httpOnly"], session["sameSite"], session["path"]) == (True, True, "Lax", "/")
    assert session["expires"] == -1
    quick_page.goto(site.authorize_url(client))
    quick_page.wait_for_selector("#arrived")  # and sends them: nobody is asked again


def test_keep_me_signed_in_outlives_the_browser(quick_page: "Page", site: Site, client: Client) -> None:
    quick_page.goto(site.authorize_url(client))
    quick_page.check("#remember")
    fill_login(quick_page, site.jane.username, site.jane.password)
    quick_page.wait_for_selector("#arrived")
    cookies = {cookie["name"]: cookie for cookie in quick_page.context.cookies()}
    assert cookies[f"__Host-sso-{site.handle}"]["expires"] > 0


def test_signing_in_with_the_keyboard_alone(
    quick_page: "Page", site: Site, client: Client, application_site: ClientSite
) -> None:
    site.update(client, skip_consent=False)
    page = quick_page
    page.goto(site.authorize_url(client))
    if focused_id(page) != "username":
        tab_to(page, "username")
    page.keyboard.type(site.jane.username)
    tab_to(page, "password")
    page.keyboard.type(site.jane.password)
    tab_to(page, "remember")
    page.keyboard.press("Space")
    assert page.is_checked("#remember")
    tab_to(page, "login-submit")
    page.keyboard.press("Enter")
    page.wait_for_selector("#consent-allow")
    tab_to(page, "consent-allow")
    outline: str = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none", "the focus is not visible"
    page.keyboard.press("Space")
    page.wait_for_selector("#arrived")
    assert "code" in application_site.wait_for("/cb").query


def test_the_error_of_a_wrong_password_has_the_focus_and_names_its_field(
    quick_page: "Page", site: Site, client: Client
) -> None:
    page = quick_page
    page.goto(site.authorize_url(client))
    fill_login(page, site.jane.username, "not her password")
    page.wait_for_selector("#password[aria-invalid=true]")
    described = page.get_attribute("#password", "aria-describedby")
    assert described
    for id in described.split():
        assert page.inner_text(f"#{id}").strip()
    assert page.title().startswith("Error:")
    forgive_status(page, 422)


@pytest.mark.spec("RFC 6749", "4.1.2.1")
def test_cancelling_goes_back_with_access_denied(
    quick_page: "Page", site: Site, client: Client, application_site: ClientSite
) -> None:
    quick_page.goto(site.authorize_url(client))
    quick_page.click("#login-cancel")
    quick_page.wait_for_selector("#arrived")
    assert application_site.wait_for("/cb").query["error"] == "access_denied"


@pytest.mark.spec("OpenID Connect Core", "3.1.2.1")
def test_the_account_chooser_offers_who_is_signed_in_and_others(
    quick_page: "Page", site: Site, client: Client, application_site: ClientSite
) -> None:
    page = quick_page
    sign_in(page, site, client)
    page.goto(site.authorize_url(client, prompt="select_account", state="again"))
    page.click("button.account")
    page.wait_for_selector("#arrived")
    assert application_site.wait_for("/cb").query["state"] == "again"
    page.goto(site.authorize_url(client, prompt="select_account"))
    page.click("#account-other")
    page.wait_for_selector("#login-submit")


def test_the_account_page_ends_this_session(quick_page: "Page", site: Site, client: Client) -> None:
    page = quick_page
    page.goto(f"{site.base}/account")
    fill_login(page, site.jane.username, site.jane.password)
    page.wait_for_selector("#sessions")
    page.click("#sessions button[name=end_session]")
    page.wait_for_selector("#login-submit")
    assert not [cookie for cookie in page.context.cookies() if "sso" in cookie["name"] and cookie["value"]]


@pytest.mark.spec("OpenID Connect RP-Initiated Logout", "2")
def test_signing_out_asks_and_then_goes_back(
    quick_page: "Page", site: Site, client: Client, application_site: ClientSite
) -> None:
    page = quick_page
    sign_in(page, site, client)
    address = f"{site.base}/oidc/logout?client_id={client.client_id}&state=done"
    address += f"&post_logout_redirect_uri={application_site.origin}/bye"
    page.goto(address)
    page.click("#logout-cancel")
    page.wait_for_selector("#arrived")
    page.goto(address)
    page.click("#logout-confirm")
    page.click("#logout-return")
    page.wait_for_selector("#arrived")
    assert application_site.wait_for("/bye").query == {"state": "done"}
    page.goto(site.authorize_url(client))
    page.wait_for_selector("#login-submit")


@pytest.mark.parametrize("mode", ["query", "fragment", "form_post"])
@pytest.mark.spec("OAuth 2.0 Form Post Response Mode", "2")
def test_the_response_arrives_in_every_mode(
    quick_page: "Page", site: Site, client: Client, application_site: ClientSite, mode: str
) -> None:
    sign_in(quick_page, site, client, response_mode=mode)
    visit = application_site.wait_for("/cb")
    fragment = {name: values[0] for name, values in parse_qs(urlsplit(quick_page.url).fragment).items()}
    arrived = {"query": visit.query, "fragment": fragment, "form_post": visit.form}
    parameters = arrived.pop(mode)
    assert site.redeem(client, parameters["code"]).status_code == 200
    assert (parameters["state"], parameters["iss"]) == ("the-state", site.issuer)
    assert not any(arrived.values()), "the response came in another way too"


def test_a_scheme_of_the_applications_own_gets_a_page_that_goes_on(quick_page: "Page", site: Site) -> None:
    native = site.public_application(redirect_uris=("com.example.app:/cb",))
    page = quick_page
    page.goto(
        site.authorize_url(
            native, code_challenge="a" * 43, code_challenge_method="S256", redirect_uri="com.example.app:/cb"
        )
    )
    fill_login(page, site.jane.username, site.jane.password)
    address = page.get_attribute("#continue", "href")
    assert address is not None
    assert address.startswith("com.example.app:/cb?")
    assert "code=" in address
    assert page.query_selector("meta[http-equiv=refresh]") is not None
