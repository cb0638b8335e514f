"""Apache's mod_auth_openidc, a certified relying party, before an application that knows nothing of OpenID Connect."""

from typing import TYPE_CHECKING

import pytest

from tests.interop.two_origins import TwoOrigins
from tests.support.apache import Apache
from tests.support.builders import Client, Site
from tests.support.client_site import ClientSite

if TYPE_CHECKING:
    from playwright.sync_api import Page as ChromiumPage


@pytest.fixture
def client(site: Site, apache: Apache, application_site: ClientSite) -> Client:
    """The registration of the Apache, which is started with it."""
    client = site.application(
        "Behind Apache",
        redirect_uris=(apache.redirect_uri,),
        post_logout_redirect_uris=(f"{apache.base_url}/public",),
    )
    assert client.secret is not None
    apache.start(
        discovery_url=f"{site.issuer}/.well-known/openid-configuration",
        client_id=client.client_id,
        client_secret=client.secret,
        application=application_site.origin,
    )
    return client


@pytest.mark.spec("OpenID Connect Core", "3.1")
def test_a_protected_page_is_reached_by_signing_in(
    site: Site, apache: Apache, client: Client, application_site: ClientSite
) -> None:
    page = TwoOrigins(site, apache).sign_in("/protected/page?a=1", site.jane)
    assert (page.status, page.url) == (200, f"{apache.base_url}/protected/page?a=1"), apache.output
    headers = application_site.wait_for("/protected/page").headers
    assert headers["oidc_claim_iss"] == site.issuer
    assert headers["oidc_claim_aud"] == client.client_id
    assert headers["oidc_claim_name"] == "Jane Doe"
    assert headers["oidc_claim_email"] == "jane@example.org"
    assert headers["oidc_claim_groups"] == "staff"


def test_a_page_for_a_group_is_refused_to_others(site: Site, apache: Apache, client: Client) -> None:
    engineer = site.person("eve", groups=("engineering", "staff"))
    assert TwoOrigins(site, apache).sign_in("/protected/engineers", engineer).status == 200, apache.output
    assert TwoOrigins(site, apache).sign_in("/protected/engineers", site.jane).status == 401, apache.output


@pytest.mark.spec("OpenID Connect RP-Initiated Logout", "2")
def test_signing_out_there_signs_out_here(site: Site, apache: Apache, client: Client) -> None:
    browsers = TwoOrigins(site, apache)
    browsers.sign_in("/protected/page", site.jane)
    away = browsers.here.get(f"/protected/oidc?logout={apache.base_url}/public")
    assert away.left_for is not None, away
    page = browsers.there.get(away.left_for.url, from_site=apache.base_url)
    assert page.left_for is not None, page
    assert page.left_for.url == f"{apache.base_url}/public"
    assert browsers.there.get(site.authorize_url(client, prompt="none")).left_for is not None
    again = browsers.here.get("/protected/page")
    assert again.left_for is not None, again
    assert browsers.there.get(again.left_for.url).has("login-submit")


def test_cancelling_is_no_way_in(site: Site, apache: Apache, client: Client, application_site: ClientSite) -> None:
    browsers = TwoOrigins(site, apache)
    away = browsers.here.get("/protected/page")
    assert away.left_for is not None, away
    page = browsers.there.get(away.left_for.url).click("login-cancel")
    assert page.left_for is not None, page
    # mod_auth_openidc 2.4.12 takes an error that carries `iss`, as RFC 9207 §2 wants it, for a sign-in begun elsewhere
    # (OpenID Connect Core §4): it refuses, but does not say access_denied. Without `iss` it does.
    assert page.left_for.parameters["error"] == "access_denied"
    back = browsers.here.get(page.left_for.url, from_site=browsers.there.base_url)
    assert "<html" in back.text
    assert "Error" in back.text
    shown = browsers.here.get(page.left_for.url.partition("&iss=")[0], from_site=browsers.there.base_url)
    assert "access_denied" in shown.text
    assert not [visit for visit in application_site.visits if visit.path == "/protected/page"]


def test_chromium_signs_in_and_out_through_apache(
    chromium_page: "ChromiumPage", site: Site, apache: Apache, client: Client, application_site: ClientSite
) -> None:
    page = chromium_page
    page.set_default_timeout(15_000)
    page.goto(f"{apache.base_url}/protected/page")
    page.fill("#username", site.jane.username)
    page.fill("#password", site.jane.password)
    page.click("#login-submit")
    page.wait_for_url(f"{apache.base_url}/protected/page")
    assert application_site.wait_for("/protected/page").headers["oidc_claim_name"] == "Jane Doe"
    page.goto(f"{apache.redirect_uri}?logout={apache.base_url}/public")
    page.wait_for_url(f"{apache.base_url}/public")
    page.goto(f"{apache.base_url}/protected/page")
    page.wait_for_selector("#login-submit")
