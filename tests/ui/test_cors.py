"""Scripts of other origins: a registered one may call the token road and userinfo, others read nothing."""

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.builders import Client, Pkce, Site
from tests.support.chromium import forgive
from tests.support.client_site import ClientSite

if TYPE_CHECKING:
    from playwright.sync_api import Page

FETCH = """async ([url, options]) => {
    try {
        const response = await fetch(url, {credentials: 'omit', ...options});
        return {status: response.status, body: await response.json()};
    } catch (error) {
        return {refused: error.name};
    }
}"""


def fetch(page: "Page", url: str, **options: Any) -> dict[str, Any]:
    """What a script on the page gets: status and JSON body, or `refused`."""
    answer: dict[str, Any] = page.evaluate(FETCH, [url, options])
    return answer


def form(**fields: str) -> dict[str, Any]:
    from urllib.parse import urlencode

    content_type = {"Content-Type": "application/x-www-form-urlencoded"}
    return {"method": "POST", "headers": content_type, "body": urlencode(fields)}


@pytest.fixture
def page_of_application(quick_page: "Page", application_site: ClientSite) -> "Page":
    quick_page.goto(application_site.origin)
    return quick_page


@pytest.fixture
def spa(site: Site, application_site: ClientSite) -> Client:
    return site.public_application(
        redirect_uris=(application_site.redirect_uri,), web_origins=(application_site.origin,)
    )


def redemption(site: Site, client: Client) -> dict[str, Any]:
    pkce = Pkce()
    code = site.code(client, site.jane, **pkce.parameters)
    return form(
        grant_type="authorization_code", code=code, client_id=client.client_id, redirect_uri=client.redirect_uri,
        code_verifier=pkce.verifier,
    )  # fmt: skip


def test_a_registered_origin_redeems_refreshes_asks_userinfo_and_revokes(
    page_of_application: "Page", site: Site, spa: Client
) -> None:
    page = page_of_application
    tokens = fetch(page, f"{site.base}/oauth2/token", **redemption(site, spa))
    assert tokens["status"] == 200
    bearer = {"Authorization": f"Bearer {tokens['body']['access_token']}"}  # makes the browser ask by OPTIONS first
    userinfo = fetch(page, f"{site.base}/oauth2/userinfo", headers=bearer)
    assert (userinfo["status"], "sub" in userinfo["body"]) == (200, True)
    refreshed = fetch(
        page,
        f"{site.base}/oauth2/token",
        **form(grant_type="refresh_token", refresh_token=tokens["body"]["refresh_token"], client_id=spa.client_id),
    )
    assert refreshed["status"] == 200


def test_a_registered_origin_reads_errors_too(page_of_application: "Page", site: Site, spa: Client) -> None:
    page = page_of_application
    answer = fetch(page, f"{site.base}/oauth2/token", **form(grant_type="authorization_code", client_id=spa.client_id))
    assert (answer["status"], answer["body"]["error"]) == (400, "invalid_request")
    refused = fetch(page, f"{site.base}/oauth2/userinfo", headers={"Authorization": "Bearer at_nothing"})
    assert refused["status"] == 401
    assert all("responded with a status of 40" in problem for problem in forgive(page))


def test_another_origin_reads_neither_tokens_nor_claims(
    page_of_application: "Page", site: Site, application_site: ClientSite
) -> None:
    page = page_of_application
    stranger = site.public_application(redirect_uris=(application_site.redirect_uri,), web_origins=())
    tokens = site.tokens(stranger, site.jane)
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert fetch(page, f"{site.base}/oauth2/token", **redemption(site, stranger)) == {"refused": "TypeError"}
    assert fetch(page, f"{site.base}/oauth2/userinfo", headers=bearer) == {"refused": "TypeError"}
    problems = forgive(page)
    assert problems
    assert all("CORS policy" in problem or "net::ERR_FAILED" in problem for problem in problems), problems


def test_the_registration_of_one_tenant_opens_no_other(page_of_application: "Page", site: Site, spa: Client) -> None:
    root = site.server.base_url
    assert fetch(page_of_application, f"{root}/oauth2/token", **form(grant_type="x")) == {"refused": "TypeError"}
    forgive(page_of_application)


def test_anybodys_script_reads_discovery_and_keys_but_no_session(page_of_application: "Page", site: Site) -> None:
    page = page_of_application
    discovery = fetch(page, f"{site.issuer}/.well-known/openid-configuration")
    assert discovery["body"]["issuer"] == site.issuer
    assert fetch(page, discovery["body"]["jwks_uri"])["body"]["keys"]
    for closed in ("/oauth2/authorize?client_id=x", "/account", "/oidc/logout"):
        assert fetch(page, site.base + closed) == {"refused": "TypeError"}
    forgive(page)
