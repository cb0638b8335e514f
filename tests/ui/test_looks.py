"""How pages look and speak: light and dark, at a phone's width, without scripts, in German."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.builders import Client, Site
from tests.support.chromium import assert_clean, watched_page
from tests.support.client_site import ClientSite
from tests.support.server import RunningServer
from tests.ui.journeys import ADA, ADA_PASSWORD, fill_login, forgive_status, sign_in_to_demo

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser, Page, Request

PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}}
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": PHONE,
    "dark phone": {"color_scheme": "dark", **PHONE},
}
BRIGHTNESS = """() => {
    const colours = [document.body, document.documentElement].map(place => getComputedStyle(place).backgroundColor);
    const painted = colours.find(colour => colour !== 'rgba(0, 0, 0, 0)');
    const canvas = document.createElement('canvas').getContext('2d');
    canvas.fillStyle = painted;  // in whichever notation the browser computed it
    canvas.fillRect(0, 0, 1, 1);
    const [red, green, blue] = canvas.getImageData(0, 0, 1, 1).data;
    return painted ? (red + green + blue) / 3 : null;
}"""


@pytest.fixture
def opened(chromium: "Browser") -> "Iterator[Callable[..., Page]]":
    """`opened(color_scheme="dark", …)`: a clean page in a profile of that kind."""
    pages = []

    def open_page(**options: Any) -> "Page":
        page = watched_page(chromium.new_context(**({"locale": "en-GB"} | options)))
        page.set_default_timeout(15_000)
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        assert_clean(page)
        page.context.close()


@pytest.mark.parametrize("look", LOOKS)
def test_pages_fit_and_keep_their_colours(
    opened: "Callable[..., Page]", demo: RunningServer, tmp_path: Path, look: str
) -> None:
    page = opened(**LOOKS[look])

    def check(name: str) -> None:
        page.screenshot(path=tmp_path / f"{name}.png", full_page=True)
        too_wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert too_wide <= 0, f"{name} scrolls sideways by {too_wide} pixels"
        brightness = page.evaluate(BRIGHTNESS)
        assert brightness is not None, f"{name} leaves its background to the browser"
        assert brightness < 80 if "dark" in look else brightness > 200, f"{name}: {brightness}"

    page.goto(demo.base_url)
    check("home")
    page.goto(f"{demo.base_url}/account")
    check("sign-in")
    fill_login(page, ADA, "not her password")
    page.wait_for_selector("#password[aria-invalid=true]")
    check("sign-in refused")
    forgive_status(page, 422)
    fill_login(page, ADA, ADA_PASSWORD)
    page.wait_for_selector("#sessions")
    check("account")
    page.goto(f"{demo.base_url}/demo/app")
    check("sample application")
    sign_in_again(page)
    check("sample application with tokens")
    page.goto(f"{demo.base_url}/oidc/logout")
    check("sign out")
    page.click("#logout-confirm")
    page.wait_for_selector("#logged-out")
    check("signed out")
    page.goto(f"{demo.base_url}/nothing")
    check("error")
    forgive_status(page, 404)


def sign_in_again(page: "Page") -> None:
    """From the sample application, where somebody is signed in to the server already."""
    page.click("#demo-sign-in")
    page.wait_for_selector("#consent-allow, #demo-signed-in:not([hidden])")
    if page.query_selector("#consent-allow"):
        page.click("#consent-allow")
    page.wait_for_selector("#demo-signed-in:not([hidden])")


@pytest.fixture
def client(site: Site, application_site: ClientSite) -> Client:
    return site.application(redirect_uris=(application_site.redirect_uri,), skip_consent=False)


@pytest.mark.parametrize("mode", ["query", "form_post"])
def test_signing_in_works_without_javascript(
    opened: "Callable[..., Page]", site: Site, client: Client, application_site: ClientSite, mode: str
) -> None:
    page = opened(java_script_enabled=False)
    page.goto(site.authorize_url(client, response_mode=mode, scope="openid profile"))
    fill_login(page, site.jane.username, site.jane.password)
    page.click("#consent-allow")
    if mode == "form_post":
        page.click("#form-post-submit")
    page.wait_for_selector("#arrived")
    visit = application_site.wait_for("/cb")
    assert (visit.form if mode == "form_post" else visit.query)["code"]
    page.goto(f"{site.base}/account")
    page.click("#applications button[name=revoke_application]")
    page.wait_for_selector("#notice")


def test_the_sample_application_says_that_it_needs_javascript(
    opened: "Callable[..., Page]", demo: RunningServer
) -> None:
    page = opened(java_script_enabled=False)
    page.goto(f"{demo.base_url}/demo/app")
    assert page.is_visible("noscript .alert")
    assert page.is_disabled("#demo-sign-in")


@pytest.mark.spec("OpenID Connect Core", "3.1.2.1")
def test_ui_locales_chooses_german_over_the_browsers_language(
    opened: "Callable[..., Page]", site: Site, client: Client
) -> None:
    page = opened(locale="en-GB")
    page.goto(site.authorize_url(client, ui_locales="xx de"))
    page.wait_for_selector("#login-submit")
    assert page.get_attribute("html", "lang") == "de"
    assert page.inner_text("#login-submit") == "Anmelden"
    fill_login(page, site.jane.username, "not her password")
    page.wait_for_selector("#password[aria-invalid=true]")
    assert page.get_attribute("html", "lang") == "de"
    forgive_status(page, 422)
    fill_login(page, site.jane.username, site.jane.password)
    page.wait_for_selector("#consent-allow")
    assert page.inner_text("#consent-allow") == "Erlauben"


def test_a_german_browser_gets_german(opened: "Callable[..., Page]", demo: RunningServer) -> None:
    page = opened(locale="de-AT")
    sign_in_to_demo(page, demo.base_url)
    assert page.get_attribute("html", "lang") == "de"
    page.goto(f"{demo.base_url}/account")
    assert page.inner_text("#sign-out") == "Abmelden"


@pytest.mark.parametrize("path", ["sign-in", "account"])
def test_a_page_is_light_to_load(opened: "Callable[..., Page]", site: Site, path: str) -> None:
    page = opened()
    loaded: list[Request] = []
    page.on("requestfinished", lambda request: loaded.append(request))
    page.goto(f"{site.base}/account")
    if path == "account":
        fill_login(page, site.jane.username, site.jane.password)
        page.wait_for_selector("#sessions")
        loaded.clear()
        page.reload()
    final = [request for request in loaded if request.redirected_to is None]
    weight = sum(request.sizes()["responseBodySize"] for request in final)
    # The page, its style, two drawings; where somebody signs in, the script for passkeys too.
    assert len(final) <= (5 if path == "sign-in" else 4), [request.url for request in final]
    assert weight <= 40 * 1024
