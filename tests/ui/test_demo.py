"""What a newcomer does first: `identity serve --demo`, the sample application, ada."""

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.chromium import assert_clean
from tests.support.server import RunningServer
from tests.ui.journeys import ADA, ADA_PASSWORD, fill_login, forgive_status, sign_in_to_demo

if TYPE_CHECKING:
    from playwright.sync_api import Page


def shown_json(page: "Page", id: str) -> dict[str, object]:
    shown: dict[str, object] = json.loads(page.inner_text(f"#{id}"))
    return shown


@pytest.mark.spec("RFC 7636", "4")
@pytest.mark.spec("OpenID Connect Core", "3.1")
def test_ada_signs_in_and_sees_tokens_refreshes_and_signs_out(quick_page: "Page", demo: RunningServer) -> None:
    page = quick_page
    page.goto(demo.base_url)
    page.click("#demo-app")
    page.click("#demo-sign-in")
    fill_login(page, ADA, ADA_PASSWORD)
    page.click("#consent-allow")
    page.wait_for_selector("#demo-signed-in:not([hidden])")
    assert page.url == f"{demo.base_url}/demo/app"  # without the code

    id_token, userinfo = shown_json(page, "demo-id-token"), shown_json(page, "demo-userinfo")
    introspection = shown_json(page, "demo-introspection")
    assert id_token["iss"] == f"{demo.base_url}/oauth2/token"
    assert id_token["sub"] == userinfo["sub"]
    assert userinfo["email"] == "ada@example.org"
    assert userinfo["groups"] == ["engineering", "everyone"]
    assert introspection["active"] is True
    assert introspection["client_id"] == "demo-public"

    first = page.inner_text("#demo-access-token")
    page.click("#demo-refresh")
    page.wait_for_function("first => document.getElementById('demo-access-token').textContent !== first", arg=first)
    page.wait_for_function("document.getElementById('demo-status').textContent !== ''")
    assert shown_json(page, "demo-introspection")["active"] is True

    page.click("#demo-sign-out")
    page.wait_for_selector("#demo-signed-out:not([hidden])")
    page.goto(f"{demo.base_url}/account")
    page.wait_for_selector("#login-submit")
    assert_clean(page)


def test_consent_is_remembered_until_it_is_taken_back(quick_page: "Page", demo: RunningServer) -> None:
    page = quick_page
    sign_in_to_demo(page, demo.base_url)
    page.goto(f"{demo.base_url}/demo/app")
    page.click("#demo-sign-in")
    page.wait_for_selector("#demo-signed-in:not([hidden])")  # neither password nor consent

    page.goto(f"{demo.base_url}/account")
    page.click("#applications button[name=revoke_application]")
    page.wait_for_selector("#notice")
    assert page.query_selector("#applications button[name=revoke_application]") is None
    page.goto(f"{demo.base_url}/demo/app")
    page.click("#demo-sign-in")
    page.wait_for_selector("#consent-allow")


def test_a_denied_consent_comes_back_as_access_denied(quick_page: "Page", demo: RunningServer) -> None:
    page = quick_page
    page.goto(f"{demo.base_url}/demo/app")
    page.click("#demo-sign-in")
    fill_login(page, "ben", "ben-demo-password")
    page.click("#consent-deny")
    page.wait_for_selector("#demo-error:not([hidden])")
    assert page.inner_text("#demo-error-code") == "access_denied"
    assert page.is_visible("#demo-sign-in")


def test_a_wrong_password_says_so_and_the_right_one_still_works(quick_page: "Page", demo: RunningServer) -> None:
    page = quick_page
    page.goto(f"{demo.base_url}/account")
    fill_login(page, ADA, "not her password")
    page.wait_for_selector("#password[aria-invalid=true]")
    assert page.input_value("#username") == ADA
    assert page.input_value("#password") == ""
    forgive_status(page, 422)
    fill_login(page, ADA, ADA_PASSWORD)
    page.wait_for_url(f"{demo.base_url}/account")


@pytest.mark.parametrize(
    "path", ["/", "/demo/app", "/account", "/oidc/logout"], ids=["home", "sample application", "sign-in", "signed out"]
)
def test_every_page_says_that_it_is_a_demo(quick_page: "Page", demo: RunningServer, path: str) -> None:
    quick_page.goto(demo.base_url + path)
    assert quick_page.is_visible("#demo-banner")


def test_the_cookies_of_demo_mode_are_plain(quick_page: "Page", demo: RunningServer) -> None:
    sign_in_to_demo(quick_page, demo.base_url)
    cookies = {cookie["name"]: cookie for cookie in quick_page.context.cookies()}
    assert cookies["sso-root"]["httpOnly"]
    assert not cookies["sso-root"]["secure"]


@pytest.mark.parametrize("path", ["/nothing", "/favicon.ico", "/account/nothing"])
def test_an_unknown_address_is_a_page_that_says_so(quick_page: "Page", demo: RunningServer, path: str) -> None:
    response = quick_page.goto(demo.base_url + path)
    assert response is not None
    assert response.status == 404
    assert quick_page.is_visible("#error-page")
    forgive_status(quick_page, 404)


def test_a_foreign_redirect_uri_is_an_error_page_and_no_redirect(quick_page: "Page", demo: RunningServer) -> None:
    address = "/oauth2/authorize?client_id=demo-public&response_type=code&redirect_uri=https://evil.example/"
    response = quick_page.goto(demo.base_url + address)
    assert response is not None
    assert response.headers["content-type"].startswith("text/html")
    assert "redirect_uri" in quick_page.inner_text("#error-page")
    assert len(quick_page.inner_text("#trace-id")) == 32
    forgive_status(quick_page, 400)
