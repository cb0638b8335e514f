"""prompt, max_age, hints and languages of an authorization request (OpenID Connect Core §3.1.2.1)."""

import pytest

from tests.support.browser import Browser, Page
from tests.support.builders import Client, Site, claims_of, response_parameters
from tests.support.in_process import TimedSite


def signed_in(site: Site, client: Client) -> Browser:
    browser = site.browser()
    assert site.sign_in(client, site.jane, browser=browser).left_for
    return browser


def ask(site: Site, browser: Browser, client: Client, **parameters: str) -> Page:
    return browser.get(site.authorize_url(client, **parameters))


def auth_time(site: Site, client: Client, page: Page) -> int:
    tokens = site.redeem(client, response_parameters(page)["code"]).json()
    value = claims_of(tokens["id_token"])["auth_time"]
    assert isinstance(value, int)
    return value


def test_without_a_prompt_a_session_is_enough(site: Site) -> None:
    client = site.application()
    assert "code" in response_parameters(ask(site, signed_in(site, client), client))


@pytest.mark.spec("OpenID Connect Core", "3.1.2.6")
def test_none_without_a_session(site: Site) -> None:
    client = site.application()
    assert response_parameters(ask(site, site.browser(), client, prompt="none"))["error"] == "login_required"


def test_none_with_a_session(site: Site) -> None:
    client = site.application()
    assert "code" in response_parameters(ask(site, signed_in(site, client), client, prompt="none"))


@pytest.mark.spec("OpenID Connect Core", "3.1.2.6")
def test_none_where_consent_is_missing(site: Site) -> None:
    browser = signed_in(site, site.application())
    asking = site.application("Asking", skip_consent=False)
    assert response_parameters(ask(site, browser, asking, prompt="none"))["error"] == "consent_required"


def test_login_asks_again_and_moves_auth_time(timed: TimedSite) -> None:
    client = timed.application()
    browser = timed.browser()
    first = auth_time(timed, client, timed.sign_in(client, timed.jane, browser=browser))
    timed.clock.advance(100)
    assert auth_time(timed, client, ask(timed, browser, client)) == first
    page = ask(timed, browser, client, prompt="login")
    page = page.submit("login-submit", username="jane", password=timed.jane.password)
    assert auth_time(timed, client, page) == first + 100


def test_login_by_another_person_ends_the_first_ones_session(site: Site) -> None:
    client, john = site.application(), site.person("john")
    browser = site.browser()
    tokens = site.redeem(client, response_parameters(site.sign_in(client, site.jane, browser=browser))["code"]).json()
    page = ask(site, browser, client, prompt="login").submit("login-submit", username="john", password=john.password)
    assert "code" in response_parameters(page)
    assert not site.is_active(client, tokens["access_token"])


@pytest.mark.spec("OpenID Connect Core", "3.1.2.1")
@pytest.mark.parametrize(("max_age", "after", "asked"), [("60", 60, False), ("60", 61, True), ("0", 1, True)])
def test_max_age(timed: TimedSite, max_age: str, after: int, asked: bool) -> None:
    client = timed.application()
    browser = signed_in(timed, client)
    timed.clock.advance(after)
    silent = response_parameters(ask(timed, browser, client, max_age=max_age, prompt="none"))
    assert ("error" in silent) is asked
    page = ask(timed, browser, client, max_age=max_age)
    assert page.has("login-submit") is asked
    if asked:
        page = page.submit("login-submit", username="jane", password=timed.jane.password)
    assert timed.clock.now() // 1_000_000 - auth_time(timed, client, page) <= int(max_age)


def test_an_older_session_cannot_be_put_in_at_the_choice_of_an_account(timed: TimedSite) -> None:
    client = timed.application()
    old, young = signed_in(timed, client), timed.browser()
    timed.clock.advance(100)
    timed.sign_in(client, timed.jane, browser=young)
    page = ask(timed, young, client, max_age="60", prompt="select_account")
    for cookie in [cookie for cookie in old.cookies.all() if "sso-" in cookie.name]:
        young.cookies.plant(cookie)
    sid = claims_of(timed.redeem(client, response_parameters(ask(timed, old, client))["code"]).json()["id_token"])[
        "sid"
    ]
    page = page.submit("account-other", forged={"account": sid})
    assert response_parameters(page)["error"] == "login_required"


def test_login_hint_fills_the_username(site: Site) -> None:
    client = site.application()
    page = ask(site, site.browser(), client, login_hint='jane"><script>')
    assert page.element("username").attributes["value"] == 'jane"><script>'
    assert "<script>" not in page.text.replace("<script ", "")


@pytest.mark.spec("OpenID Connect Core", "3.1.2.1")
def test_id_token_hint(site: Site) -> None:
    client, john = site.application(), site.person("john")
    hint = site.tokens(client, john)["id_token"]
    browser = signed_in(site, client)
    assert response_parameters(ask(site, browser, client, prompt="none", id_token_hint=hint))["error"] == (
        "login_required"
    )
    page = ask(site, browser, client, id_token_hint=hint)
    assert page.has("login-submit")
    wrong = page.submit("login-submit", username="jane", password=site.jane.password)
    assert response_parameters(wrong)["error"] == "login_required"
    right = ask(site, browser, client, id_token_hint=hint).submit(
        "login-submit", username="john", password=john.password
    )
    assert "code" in response_parameters(right)
    assert "code" in response_parameters(ask(site, browser, client, prompt="none", id_token_hint=hint))


def test_an_id_token_hint_of_another_application(site: Site) -> None:
    client, other = site.application(), site.application("Other")
    hint = site.tokens(other, site.jane)["id_token"]
    answer = response_parameters(ask(site, signed_in(site, client), client, prompt="none", id_token_hint=hint))
    assert answer["error"] == "invalid_request"


@pytest.mark.spec("OpenID Connect Core", "5.5")
def test_a_demanded_sub(site: Site) -> None:
    client = site.application()
    browser = signed_in(site, client)
    sub = claims_of(site.tokens(client, site.jane)["id_token"])["sub"]
    for value, outcome in ((sub, "code"), ("somebody else", "error")):
        claims = f'{{"id_token":{{"sub":{{"value":"{value}"}}}}}}'
        assert outcome in response_parameters(ask(site, browser, client, prompt="none", claims=claims))


@pytest.mark.parametrize(
    ("ui_locales", "accept_language", "language"),
    [("de", "en", "de"), ("fr-CH de-AT", "en", "de"), ("xx", "de", "de"), ("", "fr", "en"), ("en", "de", "en")],
)
@pytest.mark.spec("OpenID Connect Core", "3.1.2.1")
def test_ui_locales(site: Site, ui_locales: str, accept_language: str, language: str) -> None:
    client, browser = site.application(), site.browser()
    browser.headers["Accept-Language"] = accept_language
    page = ask(site, browser, client, ui_locales=ui_locales)
    assert page.document.all("html")[0].attributes["lang"] == language


# The account chooser.


def choose(page: Page, who: str) -> Page:
    button = next(b for b in page.document.all("button") if b.attributes.get("name") == "account" and who in b.text)
    return page.submit("account-other", forged={"account": button.attributes["value"]})


def test_select_account_goes_on_with_the_chosen_one(site: Site) -> None:
    client = site.application()
    page = ask(site, signed_in(site, client), client, prompt="select_account")
    assert "code" in response_parameters(choose(page, "jane"))


def test_select_account_offers_another(site: Site) -> None:
    client, john = site.application(), site.person("john")
    browser = signed_in(site, client)
    page = ask(site, browser, client, prompt="select_account").submit("account-other")
    page = page.submit("login-submit", username="john", password=john.password)
    tokens = site.redeem(client, response_parameters(page)["code"]).json()
    assert site.introspect(client, tokens["access_token"])["username"] == "john"


def test_select_account_with_nobody_signed_in(site: Site) -> None:
    client = site.application()
    page = ask(site, site.browser(), client, prompt="select_account").submit("account-other")
    page = page.submit("login-submit", username="jane", password=site.jane.password)
    assert "code" in response_parameters(page)


def test_a_forged_choice_is_nobodys(site: Site) -> None:
    client = site.application()
    page = ask(site, signed_in(site, client), client, prompt="select_account")
    forged = page.submit("account-other", forged={"account": "01a2b3c4-0000-7000-8000-000000000000"})
    assert forged.has("login-submit")


@pytest.mark.parametrize(
    "parameters", [{"prompt": "login select_account"}, {"prompt": "select_account", "max_age": "0"}]
)
def test_choosing_an_account_does_not_skip_a_demanded_sign_in(timed: TimedSite, parameters: dict[str, str]) -> None:
    client = timed.application()
    browser = signed_in(timed, client)
    timed.clock.advance(10)
    page = choose(ask(timed, browser, client, **parameters), "jane")
    assert page.element("username").attributes["value"] == "jane"
    page = page.submit("login-submit", password=timed.jane.password)
    assert auth_time(timed, client, page) == timed.clock.now() // 1_000_000
