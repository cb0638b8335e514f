"""Sign-in in several steps, without a script: what is asked for, what counts, what a session has shown already."""

from typing import Any

import pytest

from tests.support.browser import Page
from tests.support.builders import PASSWORD, Client, Site, claims_of, response_parameters
from tests.support.scripts import PASSWORD_STEP, SECOND_STEP, app_code, begun, denial, enrol_app, steps, with_password


def two_steps(site: Site, **settings: Any) -> Client:
    return site.application(sign_in_steps=steps(PASSWORD_STEP, SECOND_STEP), **settings)


def id_token(site: Site, client: Client, page: Page) -> dict[str, object]:
    return claims_of(site.redeem(client, response_parameters(page)["code"]).json()["id_token"])


def test_the_first_sign_in_adds_a_factor_the_next_one_asks_for_it(site: Site) -> None:
    client = two_steps(site)
    page = with_password(begun(site, client), site.jane)
    assert page.left_for is None
    assert page.header("set-cookie") is None, "there is no session before every step is done"
    secret, page = enrol_app(page)
    claims = id_token(site, client, page)
    assert (claims["acr"], claims["amr"]) == ("2", ["pwd", "otp"])
    page = with_password(begun(site, client), site.jane)
    assert page.has("code")
    refused = page.submit("code-submit", code="000000")
    assert refused.status == 422
    page = refused.submit("code-submit", code=app_code(secret, later=1))
    assert id_token(site, client, page)["acr"] == "2"


def test_a_code_is_taken_once(site: Site) -> None:
    """Attack row 14."""
    client = two_steps(site)
    secret, _ = enrol_app(with_password(begun(site, client), site.jane))
    code = app_code(secret, later=1)
    first, second = (with_password(begun(site, client), site.jane) for _ in range(2))
    assert "code" in response_parameters(first.submit("code-submit", code=code))
    assert second.submit("code-submit", code=code).status == 422


def test_a_session_that_has_shown_less_is_asked_for_the_rest_only(site: Site) -> None:
    browser, plain, strict = site.browser(), site.application("Plain"), two_steps(site)
    enrol_app(with_password(begun(site, strict), site.jane))
    page = site.sign_in(plain, site.jane, browser=browser)
    assert id_token(site, plain, page)["acr"] == "1"
    page = begun(site, strict, browser)
    assert page.has("code")
    assert not page.has("login-submit")
    silent = browser.get(site.authorize_url(strict, prompt="none"))
    assert response_parameters(silent)["error"] == "login_required"


def test_a_session_that_has_shown_everything_is_asked_for_nothing(site: Site) -> None:
    browser, client, other = site.browser(), two_steps(site), two_steps(site)
    enrol_app(with_password(begun(site, client, browser), site.jane))
    page = begun(site, other, browser)
    assert page.redirects == []
    assert id_token(site, other, page)["amr"] == ["pwd", "otp"]


@pytest.mark.spec("RFC 9470", "5")
def test_a_step_up_challenge_asks_for_what_is_missing(site: Site) -> None:
    browser, client = site.browser(), site.application()
    page = site.sign_in(client, site.jane, browser=browser)
    sid = id_token(site, client, page)["sid"]
    page = begun(site, client, browser, acr_values="2")
    assert not page.has("login-submit")
    _, page = enrol_app(page)
    claims = id_token(site, client, page)
    assert (claims["acr"], claims["sid"]) == ("2", sid)
    assert response_parameters(browser.get(site.authorize_url(client, acr_values="2", prompt="none")))["code"]


def test_an_application_may_demand_a_level(site: Site) -> None:
    client = site.application(minimum_acr="2")
    page = with_password(begun(site, client), site.jane)
    assert page.left_for is None
    _, page = enrol_app(page)
    assert id_token(site, client, page)["acr"] == "2"


def test_another_way_is_offered_and_nothing_else_taken(site: Site) -> None:
    client = two_steps(site)
    enrol_app(with_password(begun(site, client), site.jane))
    page = with_password(begun(site, client), site.jane)
    password = {"authenticator": "BasicAuthenticator", "password": PASSWORD}
    forged = page.submit("code-submit", code="000000", forged=password)
    assert forged.status == 410
    page = with_password(begun(site, client), site.jane)
    forged = page.submit("code-submit", code="x", forged={"authenticator": "backup-code-authenticator"})
    assert forged.status == 410


def test_an_empty_answer_passes_no_step(site: Site) -> None:
    """Attack row 15: authentik CVE-2026-49443."""
    client = two_steps(site)
    enrol_app(with_password(begun(site, client), site.jane))
    page = with_password(begun(site, client), site.jane)
    assert page.submit("code-submit", code="").status == 422
    browser = site.browser()
    page = with_password(begun(site, client, browser), site.jane)
    flow = page.url.rpartition("/")[2]
    assert browser.get(f"{site.base}/oauth2/authorize/{flow}").has("code")
    assert browser.get(f"{site.base}/account").has("login-submit"), "there is no session yet"


def test_who_has_a_second_factor_adds_no_other_one_by_password(site: Site) -> None:
    """Whoever knows a password must not put a factor of their own beside the owner's."""
    with_app = two_steps(site)
    enrol_app(with_password(begun(site, with_app), site.jane))
    passkey_only = site.application(sign_in_steps=steps(PASSWORD_STEP, ("FIDOAuthenticator",)))
    page = with_password(begun(site, passkey_only), site.jane)
    assert response_parameters(page)["error"] == "access_denied"
    assert denial(site).startswith("no_usable_factor")


def test_the_password_grant_does_not_go_around_the_steps(site: Site) -> None:
    client = two_steps(site, grant_types=("password",))
    answer = site.token(client, grant_type="password", username="jane", password=site.jane.password)
    assert (answer.status_code, answer.json()["error"]) == (400, "unauthorized_client")


def test_identifier_first_tells_nothing(site: Site) -> None:
    """Attack row 22."""
    client = site.application(sign_in_steps=steps(("IdentifierExecutor",), PASSWORD_STEP))
    known = begun(site, client).submit("identifier-submit", username="jane")
    unknown = begun(site, client).submit("identifier-submit", username="nobody")
    assert (known.status, known.has("password")) == (unknown.status, unknown.has("password")) == (200, True)
    refused = unknown.submit("login-submit", password="x")
    assert refused.status == 422
    page = known.submit("login-submit", password=site.jane.password)
    assert id_token(site, client, page)["amr"] == ["pwd"]


def test_a_name_alone_is_no_sign_in(site: Site) -> None:
    client = site.application(sign_in_steps=steps(("IdentifierExecutor",)))
    page = begun(site, client).submit("identifier-submit", username="jane")
    assert response_parameters(page)["error"] == "access_denied"
    assert denial(site) == "nobody_identified"


def test_prompt_login_asks_for_everything_again(site: Site) -> None:
    browser, client = site.browser(), two_steps(site)
    enrol_app(with_password(begun(site, client, browser), site.jane))
    page = begun(site, client, browser, prompt="login")
    assert page.has("login-submit")
    assert with_password(page, site.jane).has("code")
