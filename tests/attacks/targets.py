"""Somebody who is signed in, and every door at which a token of theirs could be presented."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx

from tests.support.browser import Browser, Page
from tests.support.builders import CALLBACK, Client, Person, Pkce, Site, response_parameters


@dataclass(frozen=True)
class Target:
    """`access_token` is a JWT, `opaque` an opaque one of another application; both stay live."""

    site: Site
    client: Client
    person: Person
    browser: Browser
    access_token: str
    id_token: str
    refresh_token: str
    opaque: str

    @classmethod
    def made_in(cls, site: Site) -> "Target":
        person = site.person("target", name="Tara Target", email="target@example.org")
        client = site.application(
            "Jwt", access_token_type="jwt", id_token_algorithm="ES256",
            redirect_uris=(CALLBACK, "http://127.0.0.1/cb"),
        )  # fmt: skip
        browser = site.browser()
        tokens = tokens_of(site, client, person, browser)
        opaque = tokens_of(site, site.application("Opaque"), person, browser)["access_token"]
        return cls(
            site, client, person, browser, tokens["access_token"], tokens["id_token"], tokens["refresh_token"], opaque
        )


def tokens_of(site: Site, client: Client, person: Person, browser: Browser, **parameters: str | None) -> dict[str, str]:
    """Sign in with this browser, or use its session, and redeem; the token response."""
    pkce = Pkce()
    page = site.sign_in(client, person, browser=browser, **(pkce.parameters | parameters))
    if page.has("consent-allow"):
        page = page.submit("consent-allow")
    response = site.redeem(client, response_parameters(page)["code"], code_verifier=pkce.verifier)
    assert response.status_code == 200, response.text
    answer: dict[str, str] = response.json()
    return answer


def raw_cookies(browser: Browser) -> dict[str, str]:
    """The browser's cookies, for requests that a browser would not send."""
    return {cookie.name: cookie.value for cookie in browser.cookies.all()}


def location_parameters(response: httpx.Response) -> dict[str, str]:
    parts = urlsplit(response.headers.get("location", ""))
    return {name: values[0] for name, values in parse_qs(parts.fragment or parts.query).items()}


# Each door says whether it believed the token. What it answers otherwise is asserted there.


def believed_by_authorize(target: Target, token: str) -> bool:
    """As `id_token_hint` of the person who is signed in."""
    url = target.site.authorize_url(target.client, prompt="none", id_token_hint=token, scope="openid")
    response = target.site.http.get(url, headers={"Cookie": _cookie_header(target.browser)})
    assert response.status_code == 303, response.text
    parameters = location_parameters(response)
    assert ("code" in parameters) != (parameters.get("error") == "invalid_request"), parameters
    return "code" in parameters


def believed_by_logout(target: Target, token: str) -> bool:
    """As `id_token_hint` by a browser without a session, so that nothing ends."""
    response = target.site.http.get("/oidc/logout?" + urlencode({"id_token_hint": token}))
    assert response.status_code in (200, 400), response.text
    assert ("error-page" in response.text) == (response.status_code == 400)
    return response.status_code == 200


def believed_by_introspection(target: Target, token: str) -> bool:
    response = target.site.http.post("/oauth2/introspect", data={"token": token}, auth=target.client.basic)
    assert response.status_code == 200, response.text
    if response.json() == {"active": False}:
        return False
    assert response.json()["active"] is True
    return True


def believed_by_userinfo(target: Target, token: str) -> bool:
    response = target.site.http.post("/oauth2/userinfo", data={"access_token": token})
    assert response.status_code in (200, 401), response.text
    if response.status_code == 401:
        assert 'error="invalid_token"' in response.headers["www-authenticate"]
        assert response.json().keys() == {"error", "error_description"}
    return response.status_code == 200


def believed_by_revocation(target: Target, token: str) -> bool:
    """Revocation answers 200 to everything: whether the real tokens live tells what it believed."""
    response = target.site.http.post("/oauth2/revoke", data={"token": token}, auth=target.client.basic)
    assert (response.status_code, response.content) == (200, b"")
    return not believed_by_introspection(target, target.access_token)


Door = Callable[[Target, str], bool]

HINT_DOORS: dict[str, Door] = {"authorize": believed_by_authorize, "logout": believed_by_logout}
TOKEN_DOORS: dict[str, Door] = {
    "introspect": believed_by_introspection, "userinfo": believed_by_userinfo, "revoke": believed_by_revocation,
}  # fmt: skip


def _cookie_header(browser: Browser) -> str:
    return "; ".join(f"{name}={value}" for name, value in raw_cookies(browser).items())


def basic(client_id: str, client_secret: str) -> str:
    return "Basic " + base64.b64encode(f"{client_id}:{client_secret}".encode()).decode()


def only_page(page: Page, status: int) -> Page:
    """A page of ours of this status, and nothing left for the application."""
    assert page.status == status, page
    assert page.left_for is None, page
    return page
