"""`/account/factors`: added, renamed and removed by their owner, who has just signed in."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from identity.authn.authenticators import PASSKEY, RECOVERY_CODE, TOTP
from identity.domain.tenants import SignInStep
from tests.support.browser import Browser, Page
from tests.support.builders import Person, claims_of, response_parameters
from tests.support.cookies import Cookie
from tests.support.factors import FactorBench, wrong_code
from tests.support.in_process import TimedSite
from tests.support.soft_key import SoftKey

pytestmark = pytest.mark.long


@pytest.fixture
def jane(timed: TimedSite) -> Person:
    return timed.person("jane", email="jane@example.org", email_verified=True)


def signed_in(timed: TimedSite, person: Person, code: str = "") -> Browser:
    """With two factors where a code is given."""
    browser = timed.browser()
    page = browser.get(f"{timed.base}/account/sign-in{'?level=2' if code else ''}")
    page = page.submit("login-submit", username=person.username, password=person.password)
    if code:
        page = page.submit("code-submit", code=code)
    assert page.url == f"{timed.base}/account"
    return browser


def factors(timed: TimedSite, browser: Browser, more: str = "") -> Page:
    return browser.get(f"{timed.base}/account/factors{more}")


def fields_of(page: Page, form: str | None = None) -> dict[str, str]:
    found = page.element(form) if form is not None else page.document.all("form")[0]
    inputs = [field.attributes for field in found.all("input")]
    return {field["name"]: field.get("value", "") for field in inputs}


def press(page: Page, name: str) -> Page:
    """The first button of that name; rows have no ids of their own."""
    button = next(found for found in page.document.all("button") if found.attributes.get("name") == name)
    fields = fields_of(page, "factors") | {name: button.attributes["value"]}
    return page._browser.post(page.url.partition("?")[0], fields)


def secret_on(page: Page) -> str:
    return page.element("totp-secret").text.replace(" ", "")


def asked_of_the_browser(page: Page) -> dict[str, Any]:
    found = re.search(r'id="passkey-options"[^>]*>(.*?)</script>', page.text)
    assert found is not None
    options: dict[str, Any] = json.loads(found[1])
    return options


def add_app(bench: FactorBench, page: Page) -> tuple[str, Page]:
    secret = secret_on(page)
    return secret, page.submit("enrol-submit", code=bench.app_code(secret))


def with_passkey(timed: TimedSite, key: SoftKey) -> Browser:
    """Signed in to the account by a passkey alone."""
    browser = timed.browser()
    page = browser.get(f"{timed.base}/account/sign-in")
    fields = fields_of(page, "passkey-form") | {"response": key.get(asked_of_the_browser(page))}
    assert browser.post(page.url, fields).url == f"{timed.base}/account"
    return browser


def test_an_app_is_set_up_and_taken(timed: TimedSite, bench: FactorBench, jane: Person) -> None:
    page = factors(timed, signed_in(timed, jane), "/app")
    secret = secret_on(page)
    wrong = page.submit("enrol-submit", code=wrong_code(bench.app_code(secret)))
    assert (wrong.status, secret_on(wrong)) == (422, secret)
    done = wrong.submit("enrol-submit", code=bench.app_code(secret))
    assert done.url == f"{timed.base}/account/factors?notice=added"
    assert "Authenticator app" in done.element("factors").text
    timed.clock.advance(30)
    assert bench.passes(TOTP, jane, answers={"code": bench.app_code(secret)})
    assert "user:factor:added" in [event["type"] for event in timed.events()]
    assert len(bench.mails("factor-added")) == 1


def test_recovery_codes_are_shown_once(timed: TimedSite, bench: FactorBench, jane: Person) -> None:
    browser = signed_in(timed, jane)
    page = factors(timed, browser, "/recovery-codes")
    codes = [item.text for item in page.element("recovery-codes").all("code")]
    assert len(codes) == 10
    done = page.submit("enrol-submit")
    assert "10 codes left" in done.element("factors").text
    assert not any(code in factors(timed, browser).text for code in codes)
    assert bench.passes(RECOVERY_CODE, jane, answers={"code": codes[3]})
    assert "9 codes left" in factors(timed, browser).element("factors").text


def test_a_passkey_is_added_renamed_and_removed(timed: TimedSite, bench: FactorBench, jane: Person) -> None:
    browser, key = signed_in(timed, jane), SoftKey()
    page = factors(timed, browser, "/passkey")
    options = asked_of_the_browser(page)
    fields = fields_of(page, "passkey-form") | {"label": "Laptop", "response": key.create(options)}
    done = browser.post(page.url, fields)
    assert "Laptop" in done.element("factors").text
    timed.change_settings(lambda s: replace(s, sign_in_steps=(SignInStep(authenticators=(PASSKEY,)),)))
    browser = with_passkey(timed, key)
    done = factors(timed, browser)
    (name,) = [field for field in fields_of(done, "factors") if field.startswith("label-")]
    renamed = browser.post(
        f"{timed.base}/account/factors",
        fields_of(done, "factors") | {name: "Desk <b>", "rename": name.removeprefix("label-")},
    )
    assert "Desk <b>" in renamed.element("factors").text
    assert bench.is_usable(PASSKEY, jane)
    removed = press(renamed, "remove")
    assert removed.url.endswith("?notice=removed")
    assert not bench.is_usable(PASSKEY, jane)
    assert len(bench.mails("factor-removed")) == 1
    assert {"user:factor:renamed", "user:factor:removed"} <= {event["type"] for event in timed.events()}


def test_an_older_session_signs_in_again_first(timed: TimedSite, bench: FactorBench, jane: Person) -> None:
    """Attack 31: registration without re-authentication; the same for whatever else is changed."""
    secret, _ = add_app(bench, factors(timed, signed_in(timed, jane), "/app"))
    timed.clock.advance(30)
    browser = signed_in(timed, jane, bench.app_code(secret))
    enrolling, listed = factors(timed, browser, "/passkey"), factors(timed, browser)
    timed.clock.advance(601)
    assert factors(timed, browser, "/passkey").has("login-submit")
    options = asked_of_the_browser(enrolling)
    answer = fields_of(enrolling, "passkey-form") | {"response": SoftKey().create(options)}
    assert browser.post(enrolling.url, answer).has("login-submit")
    again = press(listed, "remove")
    assert again.has("login-submit")
    assert bench.is_usable(TOTP, jane)
    assert not bench.is_usable(PASSKEY, jane)
    page = again.submit("login-submit", username="jane", password=jane.password)
    back = page.submit("code-submit", code=bench.app_code(secret))
    assert back.url == f"{timed.base}/account/factors"
    assert press(back, "remove").url.endswith("?notice=removed")


def test_a_password_alone_changes_nothing_beside_other_factors(
    timed: TimedSite, bench: FactorBench, jane: Person
) -> None:
    """Attack 15: whoever has stolen the password is asked for what they do not have."""
    secret, _ = add_app(bench, factors(timed, signed_in(timed, jane), "/app"))
    timed.clock.advance(30)
    thief = signed_in(timed, jane)
    for more in ("/passkey", "/app", "/recovery-codes"):
        assert factors(timed, thief, more).has("login-submit")
    page = press(factors(timed, thief), "remove").submit("login-submit", username="jane", password=jane.password)
    assert page.has("code-submit")
    assert bench.is_usable(TOTP, jane)
    assert factors(timed, signed_in(timed, jane, bench.app_code(secret)), "/passkey").has("passkey-use")


def session_cookie(browser: Browser) -> Cookie:
    (found,) = [cookie for cookie in browser.cookies.all() if "sso-" in cookie.name]
    return replace(found)


def test_who_has_just_added_one_may_go_on(timed: TimedSite, bench: FactorBench, jane: Person) -> None:
    """The new factor was shown in this session, under a new cookie value (decision 18); it is no newer sign-in."""
    browser = signed_in(timed, jane)
    enrolling, before = factors(timed, browser, "/app"), session_cookie(browser)
    timed.clock.advance(300)
    _, done = add_app(bench, enrolling)
    assert session_cookie(browser).value != before.value
    assert factors(timed, browser, "/passkey").has("passkey-use")
    assert "user:session:raised" in [event["type"] for event in timed.events()]
    client = timed.application()
    tokens = timed.redeem(client, response_parameters(browser.get(timed.authorize_url(client, acr_values="2")))["code"])
    assert claims_of(tokens.json()["id_token"])["acr"] == "2"
    timed.clock.advance(300)
    assert press(done, "remove").has("login-submit")
    browser.cookies.plant(before)
    assert browser.get(f"{timed.base}/account").has("login-submit")


def test_recovery_codes_prove_nothing(timed: TimedSite, jane: Person) -> None:
    browser = signed_in(timed, jane)
    page, before = factors(timed, browser, "/recovery-codes"), session_cookie(browser)
    assert page.submit("enrol-submit").url.endswith("?notice=added")
    assert session_cookie(browser).value == before.value
    assert factors(timed, browser, "/app").has("login-submit")


def test_the_same_form_twice(timed: TimedSite, bench: FactorBench, jane: Person) -> None:
    """Attack 14: what a form carries is good once."""
    browser = signed_in(timed, jane)
    page = factors(timed, browser, "/recovery-codes")
    fields = fields_of(page) | {"action": "answer"}
    assert browser.post(page.url, fields).url.endswith("?notice=added")
    first = factors(timed, browser).element("factors").text
    bench.site.clock.advance(1)
    assert not browser.post(page.url, fields).url.endswith("?notice=added")
    assert factors(timed, browser).element("factors").text == first


@pytest.mark.parametrize("whose", ["session", "factor", "nobody", "late"])
def test_states_of_other_forms(timed: TimedSite, bench: FactorBench, jane: Person, whose: str) -> None:
    """Attack 15: what a form carries is bound to its session and factor, and ends."""
    browser = signed_in(timed, jane)
    page = factors(timed, browser, "/app")
    secret, fields = secret_on(page), fields_of(page)
    if whose == "session":
        secret = secret_on(other := factors(timed, signed_in(timed, jane), "/app"))
        fields["state"] = fields_of(other)["state"]
    elif whose == "factor":
        fields["state"] = fields_of(factors(timed, browser, "/recovery-codes"))["state"]
    elif whose == "nobody":
        fields["state"] = "AAAA" + fields["state"]
    else:
        timed.clock.advance(901)
        browser.get(f"{timed.base}/account/sign-in").submit("login-submit", username="jane", password=jane.password)
        fields["csrf_token"] = fields_of(factors(timed, browser, "/app"))["csrf_token"]
    page = browser.post(page.url, fields | {"code": bench.app_code(secret)})
    assert page.status == 200
    assert not bench.is_usable(TOTP, jane)


def test_what_belongs_to_another_person(timed: TimedSite, bench: FactorBench, jane: Person) -> None:
    """Attack 23."""
    add_app(bench, factors(timed, signed_in(timed, jane), "/app"))
    janes = next(
        found.attributes["value"]
        for found in factors(timed, signed_in(timed, jane)).document.all("button")
        if found.attributes.get("name") == "remove"
    )
    mallory = signed_in(timed, timed.person("mallory"))
    token = fields_of(factors(timed, mallory), "factors")["csrf_token"]
    for fields in ({"remove": janes}, {"rename": janes, f"label-{janes}": "mine"}):
        mallory.post(f"{timed.base}/account/factors", fields | {"csrf_token": token})
    assert bench.is_usable(TOTP, jane)
    assert "mine" not in factors(timed, signed_in(timed, jane)).element("factors").text


def test_forged_forms(timed: TimedSite, bench: FactorBench, jane: Person) -> None:
    browser = signed_in(timed, jane)
    page = factors(timed, browser, "/app")
    fields = fields_of(page) | {"code": bench.app_code(secret_on(page))}
    assert browser.post(page.url, fields | {"csrf_token": "x"}).status == 403
    assert browser.post(page.url, fields, from_site="https://evil.example/").status == 403
    assert not bench.is_usable(TOTP, jane)


def test_what_is_no_way_to_sign_in(timed: TimedSite, jane: Person) -> None:
    assert factors(timed, signed_in(timed, jane), "/telepathy").status == 404


def test_giving_up(timed: TimedSite, jane: Person) -> None:
    page = factors(timed, signed_in(timed, jane), "/app").submit("login-cancel")
    assert page.url == f"{timed.base}/account/factors"
    assert re.search("whoever knows your password", page.text)


def test_the_account_page_leads_here(timed: TimedSite, jane: Person) -> None:
    links = [link.attributes["href"] for link in signed_in(timed, jane).get(f"{timed.base}/account").document.all("a")]
    assert f"/t/{timed.handle}/account/factors" in links
