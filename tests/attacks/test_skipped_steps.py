"""Attack row 15: steps that are counted though nobody has passed them, or that are gone around."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event
from typing import Any

import pytest

from tests.support.browser import Page
from tests.support.builders import Client, Site, claims_of, response_parameters
from tests.support.receiver import Receiver, Reply
from tests.support.scripts import PASSWORD_STEP, app_code, begun, denial, enrol_app, scripted, steps, with_password

TOTP_STEP = ("totp",)
ONE_STEP = "var onLoginRequest = function (context) { executeStep(1); };"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


def id_token(site: Site, client: Client, page: Page) -> dict[str, Any]:
    return claims_of(site.redeem(client, response_parameters(page)["code"]).json()["id_token"])


def test_what_another_persons_session_has_shown_does_not_count(site: Site) -> None:
    """Between the steps somebody else signs in with the same browser: the first one's password is gone with theirs."""
    browser, plain = site.browser(), site.application("Plain")
    strict = site.application(sign_in_steps=steps(PASSWORD_STEP, TOTP_STEP))
    secret, _ = enrol_app(with_password(begun(site, strict), site.jane))
    site.sign_in(plain, site.jane, browser=browser)
    half = begun(site, strict, browser)
    assert half.has("code-submit")
    site.sign_in(plain, site.person("mallory"), browser=browser, prompt="login")
    page = half.submit("code-submit", code=app_code(secret, later=1))
    assert response_parameters(page)["error"] == "access_denied"
    assert denial(site) == "session_ended"


def test_a_running_session_names_the_person(site: Site) -> None:
    """Its name is not asked for again: another one could be typed, and the session's person would get in."""
    browser = site.browser()
    client = site.application(sign_in_steps=steps(("IdentifierExecutor",), PASSWORD_STEP))
    page = begun(site, client, browser).submit("identifier-submit", username="jane")
    first = id_token(site, client, page.submit("login-submit", password=site.jane.password))
    again = id_token(site, client, begun(site, client, browser, prompt="none"))
    assert (again["sub"], again["auth_time"]) == (first["sub"], first["auth_time"])


def test_a_step_that_shows_nothing_makes_no_sign_in_younger(site: Site) -> None:
    browser, plain = site.browser(), site.application("Plain")
    limited = site.application(sign_in_steps=steps(PASSWORD_STEP, ("SessionExecutor",)))
    first = id_token(site, plain, site.sign_in(plain, site.jane, browser=browser))
    again = id_token(site, limited, begun(site, limited, browser))
    assert (again["sid"], again["auth_time"]) == (first["sid"], first["auth_time"])
    assert sum(event["type"] == "user:session:reauthenticated" for event in site.events()) == 0


def test_another_account_is_not_the_running_one(site: Site) -> None:
    """Nor under a script, which takes from the session whatever it may."""
    browser, client, other = site.browser(), scripted(site, ONE_STEP), site.person("other")
    jane = id_token(site, client, with_password(begun(site, client, browser), site.jane))
    page = begun(site, client, browser, prompt="select_account")
    flow = page.url.rpartition("/")[2]
    assert browser.get(f"{site.base}/oauth2/authorize/{flow}").url == page.url, "the choice was gone around"
    page = page.submit("account-other")
    assert page.has("login-submit")
    assert id_token(site, client, with_password(page, other))["sub"] != jane["sub"]


def test_the_running_account_is_chosen_under_a_script(site: Site) -> None:
    browser, client = site.browser(), scripted(site, ONE_STEP)
    jane = id_token(site, client, with_password(begun(site, client, browser), site.jane))
    page = begun(site, client, browser, prompt="select_account")
    page = page.submit("account-other", forged={"account": jane["sid"]})
    assert id_token(site, client, page)["auth_time"] == jane["auth_time"]


def test_a_script_is_told_of_the_request(site: Site) -> None:
    """What it decides by: scopes, levels, details and parameters. Told of none, it would ask for nothing."""
    source = """
    var onLoginRequest = function (context) {
      if (context.request.params.scope[0].indexOf('openid') < 0) { fail({ errorCode: 'no_params' }); }
      executeStep(1, { onSuccess: function (context) {
        if (context.requestedAcr.indexOf('high') < 0) { fail({ errorCode: 'no_acr' }); }
        executeStep(2);
      }});
    };"""
    client = scripted(site, source, TOTP_STEP)
    page = with_password(begun(site, client, acr_values="high 1"), site.jane)
    assert page.left_for is None, page
    _, page = enrol_app(page)
    assert id_token(site, client, page)["acr"] in ("1", "2")
    page = with_password(begun(site, client), site.jane)
    assert response_parameters(page)["error"] == "no_acr"


def test_a_modern_script_is_told_the_scopes(site: Site) -> None:
    source = """
    async function onLogin(ctx) {
      if (!(await step(1)).ok) deny();
      if (ctx.requestedScopes.includes('profile')) deny({ errorCode: 'more_is_needed' });
    }"""
    client = scripted(site, source)
    assert "code" in response_parameters(with_password(begun(site, client, scope="openid"), site.jane))
    page = with_password(begun(site, client, scope="openid profile"), site.jane)
    assert response_parameters(page)["error"] == "more_is_needed"


def test_a_reload_makes_no_timeout_of_an_answer(site: Site, receiver: Receiver) -> None:
    """A second tab during a call of the script waits for it: else the person could choose the outcome "timed out"."""
    site.change_settings(lambda settings: replace(settings, script_hosts=("localhost",)))
    held = Event()
    receiver.answer("/score", replace(Reply.json({"score": 99}), after=held))
    source = """
    async function onLogin(ctx) {
      if (!(await step(1)).ok) deny();
      const risk = await http.post('%s', { ip: ctx.request.ip });
      if (risk.timeout) return;
      deny({ errorCode: 'too_risky' });
    }""".replace("%s", receiver.url("/score"))
    client, browser = scripted(site, source), site.browser()
    page = begun(site, client, browser)
    path = page.url
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(with_password, page, site.jane)
        receiver.wait_for("/score")
        second = pool.submit(browser.get, path)
        with pytest.raises(TimeoutError):
            second.result(1)
        held.set()
        answers = [first.result(30), second.result(30)]
    told = [response_parameters(answer) for answer in answers if answer.left_for is not None]
    assert told
    assert {answer.get("error") for answer in told} == {"too_risky"}
    assert len(receiver.at("/score")) == 1


@pytest.mark.parametrize("body", [b'{"a": "\\ud800"}', b"[" * 500 + b"]" * 500, b'{"a": NaN}'])
def test_an_answer_that_cannot_be_kept_is_none(site: Site, receiver: Receiver, body: bytes) -> None:
    site.change_settings(lambda settings: replace(settings, script_hosts=("localhost",)))
    receiver.answer("/score", Reply(200, body.decode(), (("content-type", "application/json"),)))
    source = """
    async function onLogin(ctx) {
      if (!(await step(1)).ok) deny();
      const answer = await http.get('%s');
      if (answer.data === null) deny({ errorCode: 'no_data' });
    }""".replace("%s", receiver.url("/score"))
    page = with_password(begun(site, scripted(site, source)), site.jane)
    assert response_parameters(page)["error"] == "no_data"


def test_nobody_is_sent_a_code_by_a_silent_request(site: Site) -> None:
    """`prompt=none` asks nobody: a hidden frame must not fill somebody's mailbox."""
    source = "var onLoginRequest = function (c) { executeStep(1, { onSuccess: function (c) { executeStep(2); } }); };"
    client, plain = scripted(site, source, ("email-otp-authenticator",)), site.application("Plain")
    person = site.person("kim", email="kim@example.org", email_verified=True)
    browser = site.browser()
    site.sign_in(plain, person, browser=browser)
    for _ in range(2):
        page = begun(site, client, browser, prompt="none")
        assert response_parameters(page)["error"] == "login_required"
    assert not [event for event in site.events() if event["type"] == "authn:code:sent"]
    assert begun(site, client, browser).has("code-submit")
    assert [event for event in site.events() if event["type"] == "authn:code:sent"]


def test_codes_asked_for_too_often_fail_the_step(site: Site) -> None:
    """With `terminateOnResendLimitExceeded`: the script is told, and does not begin the count anew."""
    source = """
    var onLoginRequest = function (context) {
      executeStep(1, { onSuccess: function (context) {
        executeStep(2, { authenticatorParams: { local: { 'email-otp-authenticator':
          { maximumAllowedResendAttempts: '1', terminateOnResendLimitExceeded: 'true' } } } },
          { onFail: function (context) { fail({ errorCode: 'too_often' }); } });
      }});
    };"""
    client = scripted(site, source, ("email-otp-authenticator",))
    person = site.person("kim", email="kim@example.org", email_verified=True)
    page = with_password(begun(site, client), person)
    page = page.submit("code-resend")
    again = page.submit("code-submit", code="x", forged={"action": "resend"})
    assert response_parameters(again)["error"] == "too_often"


def test_who_gives_a_step_up_that_a_script_can_do_without_gets_a_session(site: Site) -> None:
    """With its cookie: a session that nobody holds could not be ended by signing out."""
    source = """
    async function onLogin(ctx) {
      if (!(await step(1)).ok) deny();
      if (!(await step(2)).ok) return;
    }"""
    browser, client = site.browser(), scripted(site, source, TOTP_STEP)
    enrol_app(with_password(begun(site, client), site.jane))
    page = with_password(begun(site, client, browser), site.jane).submit("login-cancel")
    assert "code" in response_parameters(page)
    assert browser.get(f"{site.base}/account").has("login-submit") is False


@pytest.mark.parametrize("header", ["X-Accel-Redirect", "X-Sendfile", "x-frame-options"])
def test_a_script_sets_no_header_that_others_obey(site: Site, header: str) -> None:
    source = """
    var onLoginRequest = function (context) {
      context.response.headers['%s'] = '/etc/passwd';
      context.response.headers['X-Mine'] = 'yes';
      executeStep(1);
    };""".replace("%s", header)
    page = begun(site, scripted(site, source))
    answers = [*page.redirects, page]
    assert any(answer.header("x-mine") == "yes" for answer in answers)
    assert all(answer.header(header.lower()) != "/etc/passwd" for answer in answers)


@pytest.mark.parametrize("url", ["https://example.org/ü", "https://example.org/\x7f"])
def test_an_address_that_no_header_can_hold_denies(site: Site, url: str) -> None:
    source = "var onLoginRequest = function (context) { sendError(" + json.dumps(url) + ", {}); };"
    page = begun(site, scripted(site, source))
    assert response_parameters(page)["error"] == "access_denied"
