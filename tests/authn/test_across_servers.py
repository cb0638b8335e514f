"""A login goes on at another server process, and what is published at one holds at the other at once."""

import secrets
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from identity.domain.tenants import TenantSettings
from tests.support.browser import Browser, Page
from tests.support.builders import Site, response_parameters
from tests.support.scripts import app_code, begun, enrol_app, script_hash, scripted, with_password
from tests.support.server import RunningServer, start_server

pytestmark = pytest.mark.long

TWO_STEPS = """
var seen = 0;
var onLoginRequest = function (context) {
  executeStep(1, { onSuccess: function (context) {
    seen++;
    executeStep(2, { onSuccess: function (context) { seen++; Log.info('seen ' + seen); } });
  }});
};"""


@pytest.fixture(scope="module")
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[RunningServer, RunningServer]]:
    first = start_server("postgresql", request, tmp_path_factory.mktemp("first"))
    second = RunningServer(
        "postgresql", tmp_path_factory.mktemp("second"), database_url=first.database_url, master_key=first.master_key
    )
    try:
        second.start()
        yield first, second
    finally:
        second.stop()
        first.stop()


@pytest.fixture
def site(pair: tuple[RunningServer, RunningServer]) -> Iterator[Site]:
    made = Site(pair[0], f"t{secrets.token_hex(6)}", TenantSettings())
    yield made
    made.close()


def elsewhere(browser: Browser, page: Page, server: RunningServer) -> Page:
    """The same page, loaded from another server: a balancer has chosen it."""
    browser.base_url = server.base_url
    return browser.get(urlsplit(page.url).path)


def test_each_step_at_another_server(site: Site, pair: tuple[RunningServer, RunningServer]) -> None:
    first, second = pair
    client = scripted(site, TWO_STEPS, ("totp",))
    secret, page = enrol_app(with_password(begun(site, client), site.jane))
    assert "code" in response_parameters(page)
    browser = site.browser()
    page = elsewhere(browser, begun(site, client, browser), second)
    page = elsewhere(browser, with_password(page, site.jane), first)
    page = page.submit("code-submit", code="000000")
    page = elsewhere(browser, page, second)
    page = page.submit("code-submit", code=app_code(secret, later=1))
    code = response_parameters(page)["code"]
    assert site.redeem(client, code).status_code == 200


def test_another_script_holds_everywhere_at_once(site: Site, pair: tuple[RunningServer, RunningServer]) -> None:
    client = scripted(site, TWO_STEPS, ("totp",))
    browser = site.browser()
    begun(site, client, browser)
    refusing = script_hash(site, "var onLoginRequest = function (c) { fail({ errorCode: 'closed' }); };")
    site.update(client, sign_in_script=refusing)
    browser.base_url = pair[1].base_url
    page = browser.get(site.authorize_url(client).replace(pair[0].base_url, pair[1].base_url))
    assert response_parameters(page)["error"] == "closed"
