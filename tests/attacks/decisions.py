"""Requests that a person decides on elsewhere, and the person who allows them."""

from typing import Any

from tests.support.browser import Browser, Page
from tests.support.builders import Client, Person, Site


def ask_for_device(site: Site, client: Client, scope: str = "openid") -> dict[str, Any]:
    response = site.http.post("/oauth2/device_authorize", data={"scope": scope}, auth=client.basic)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def approve_device(site: Site, person: Person, user_code: str, browser: Browser | None = None) -> None:
    page = _signed_in(site, person, browser, f"/oauth2/device?user_code={user_code}")
    assert page.submit("device-allow").has("device-allowed")


def ask_backchannel(site: Site, client: Client, username: str = "jane", scope: str = "openid") -> dict[str, Any]:
    response = site.http.post("/oauth2/ciba", data={"scope": scope, "login_hint": username}, auth=client.basic)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def approve_backchannel(site: Site, person: Person, browser: Browser | None = None) -> None:
    """The one request that waits for this person."""
    assert _signed_in(site, person, browser, "/oauth2/ciba_authorize").submit("ciba-allow-1").has("notice")


def _signed_in(site: Site, person: Person, browser: Browser | None, path: str) -> Page:
    page = (browser or site.browser()).get(f"{site.base}{path}")
    if page.has("login-submit"):
        page = page.submit("login-submit", username=person.username, password=person.password)
    return page
