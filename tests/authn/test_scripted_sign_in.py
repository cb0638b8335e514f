"""Scripts decide over sign-ins: through the pages, over several requests, with what they ask and cause."""

import json
import re
from typing import Any

import pytest

from identity.administration import applications
from tests.support.browser import Page
from tests.support.builders import Client, Person, Site, claims_of, response_parameters
from tests.support.scripts import app_code, begun, denial, enrol_app, script_hash, scripted, with_password

pytestmark = [pytest.mark.any_engine, pytest.mark.long]

STEP_UP_FOR_STAFF = """
var onLoginRequest = function (context) {
  executeStep(1, { onSuccess: function (context) {
    var user = context.currentKnownSubject;
    if (isMemberOfAnyOfGroups(user, ['staff'])) { executeStep(2); }
  }});
};
"""
RETRY_LOOP = """
var tries = 0;
var second = function () {
  executeStep(2, { authenticationOptions: [{ authenticator: 'totp' }] }, {
    onFail: function (context) {
      tries++;
      if (tries < 3) { second(); } else { fail({ errorCode: 'mfa_failed', errorMessage: 'No.' }); }
    }
  });
};
var onLoginRequest = function (context) { executeStep(1, { onSuccess: function (context) { second(); } }); };
"""
MODERN = """
async function onLogin(ctx) {
  const first = await step(1);
  if (!first.ok) deny();
  for (let i = 0; i < 3; i++) if ((await step(2, { authenticationOptions: [{ authenticator: 'totp' }] })).ok) return;
  deny({ errorCode: 'mfa_failed' });
}
"""


def id_token(site: Site, client: Client, page: Page) -> dict[str, Any]:
    return claims_of(site.redeem(client, response_parameters(page)["code"]).json()["id_token"])


def test_a_group_decides_over_the_second_step(site: Site) -> None:
    client = scripted(site, STEP_UP_FOR_STAFF)
    guest = site.person("guest")
    assert id_token(site, client, with_password(begun(site, client), guest))["acr"] == "1"
    page = with_password(begun(site, client), site.jane)
    assert page.left_for is None
    _, page = enrol_app(page)
    assert id_token(site, client, page)["acr"] == "2"


@pytest.mark.parametrize("source", [RETRY_LOOP, MODERN], ids=["callbacks", "async"])
def test_a_loop_of_tries(site: Site, source: str) -> None:
    client = scripted(site, source)
    secret, page = enrol_app(with_password(begun(site, client), site.jane))
    assert "code" in response_parameters(page)
    page = with_password(begun(site, client), site.jane)
    for _ in range(2):
        page = page.submit("code-submit", code="000000")
        assert page.has("code"), page
    assert "code" in response_parameters(page.submit("code-submit", code=app_code(secret, later=1)))
    page = with_password(begun(site, client), site.jane)
    for _ in range(3):
        page = page.submit("code-submit", code="000000")
    assert response_parameters(page)["error"] == "mfa_failed"


def test_a_step_without_callback_shows_its_page_again(site: Site) -> None:
    client = scripted(site, STEP_UP_FOR_STAFF)
    page = begun(site, client).submit("login-submit", username="jane", password="wrong")
    assert page.status == 422
    assert page.has("login-submit")


def test_a_running_session_answers_the_steps_it_has_shown(site: Site) -> None:
    browser, client = site.browser(), scripted(site, STEP_UP_FOR_STAFF)
    enrol_app(with_password(begun(site, client, browser), site.jane))
    page = begun(site, client, browser)
    assert id_token(site, client, page)["amr"] == ["pwd", "otp"]
    silent = begun(site, client, browser, prompt="none")
    assert "code" in response_parameters(silent)


def test_a_script_is_asked_even_when_a_session_runs(site: Site) -> None:
    """Attack row 15: single sign-on does not go around the script."""
    browser, plain = site.browser(), site.application("Plain")
    site.sign_in(plain, site.jane, browser=browser)
    client = scripted(site, STEP_UP_FOR_STAFF)
    assert begun(site, client, browser).has("factor-submit")
    assert response_parameters(begun(site, client, browser, prompt="none"))["error"] == "login_required"


def test_force_auth_asks_again(site: Site) -> None:
    source = "var onLoginRequest = function (c) { executeStep(1, {stepOptions: {forceAuth: 'true'}}, {}); };"
    browser, client = site.browser(), scripted(site, source)
    with_password(begun(site, client, browser), site.jane)
    assert begun(site, client, browser).has("login-submit")


def test_what_a_script_causes(site: Site) -> None:
    source = """
    var onLoginRequest = function (context) {
      executeStep(1, { onSuccess: function (context) {
        var user = context.currentKnownSubject;
        setCookie(context.response, 'seen', 'yes', { sign: true, 'max-age': 60 });
        context.response.headers['X-Risk'] = 'low';
        context.response.headers['Set-Cookie'] = 'sso=stolen';
        user.localClaims['http://wso2.org/claims/nickname'] = 'jj';
      }});
    };"""
    browser, client = site.browser(), scripted(site, source)
    page = with_password(begun(site, client, browser), site.jane)
    assert "code" in response_parameters(page)
    assert browser.cookies.find("seen") is not None
    assert browser.cookies.find("sso") is None


def test_a_cookie_of_a_script_comes_back_signed(site: Site) -> None:
    source = """
    var onLoginRequest = function (context) {
      executeStep(1, { onSuccess: function (context) {
        if (getCookieValue(context.request, 'known', { validateSignature: true }) === 'jane') { return; }
        setCookie(context.response, 'known', 'jane', { sign: true });
        fail({ errorCode: 'first_time' });
      }});
    };"""
    browser, client = site.browser(), scripted(site, source)
    assert response_parameters(with_password(begun(site, client, browser), site.jane))["error"] == "first_time"
    assert "code" in response_parameters(with_password(begun(site, client, browser), site.jane))


def test_a_form_of_a_script(site: Site) -> None:
    source = """
    var onLoginRequest = function (context) {
      executeStep(1, { onSuccess: function (context) {
        prompt('genericForm', { title: 'Why so late?', inputs: [{ id: 'why', label: 'Reason' }] }, {
          onSuccess: function (c) { if (c.request.params.why[0] !== 'work') { fail({ errorCode: 'no_reason' }); } } });
      }});
    };"""
    client = scripted(site, source)
    page = with_password(begun(site, client), site.jane)
    assert "Why so late?" in page.text
    assert response_parameters(page.submit("prompt-submit", why="fun"))["error"] == "no_reason"
    page = with_password(begun(site, client), site.jane)
    assert "code" in response_parameters(page.submit("prompt-submit", why="work"))


@pytest.mark.parametrize("name", ["code", "response", "tokenResponse"])
def test_a_form_may_name_its_fields_as_a_factor_does(site: Site, name: str) -> None:
    source = """
    var onLoginRequest = function (context) {
      executeStep(1, { onSuccess: function (context) {
        prompt('genericForm', { inputs: ['NAME'] }, {
          onSuccess: function (c) { fail({ errorCode: 'typed_' + c.request.params.NAME[0] }); } });
      }});
    };""".replace("NAME", name)
    page = with_password(begun(site, scripted(site, source)), site.jane)
    typed: dict[str, Any] = {name: "blue"}
    assert response_parameters(page.submit("prompt-submit", **typed))["error"] == "typed_blue"


def test_send_error_shows_a_page_and_the_trace(site: Site) -> None:
    source = (
        "var onLoginRequest = function (c) { executeStep(1, { onSuccess: function (c) {"
        " sendError(null, { statusMsg: 'Not from here.' }); } }); };"
    )
    client = scripted(site, source)
    page = with_password(begun(site, client), site.jane)
    assert page.status == 403
    assert "Not from here." in page.text
    assert re.search(r"[0-9a-f]{32}", page.element("trace-id").text)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("var onLoginRequest = function (c) { for (;;) {} };", "script_limit"),
        ("var onLoginRequest = function (c) { nothing.there(); };", "script_error"),
        ("var onLoginRequest = function (c) { executeStep(9); };", "script_error"),
        ("var onLoginRequest = function (c) { };", "nobody_identified"),
        ("var onLoginRequest = function (c) { var a = []; for (;;) a.push(new Array(1e5).fill(1)); };", "script_limit"),
        ("async function onLogin(c) { await step(1); await step(2); }", "step_failed"),
        ("nonsense(", "script_error"),
    ],
    ids=["endless", "throws", "no such step", "asks nothing", "eats memory", "ignores a failure", "no script"],
)
def test_whatever_goes_wrong_denies(site: Site, source: str, reason: str) -> None:
    """Attack row 28: every failure of a script ends the sign-in, with a reason for the administrator alone."""
    client = scripted(site, source, ("totp",))
    page = begun(site, client)
    if page.has("login-submit"):
        page = with_password(page, site.jane)
    if page.has("totp-secret"):
        page = page.submit("enrol-submit", code="000000")
    parameters = response_parameters(page)
    assert parameters["error"] == "access_denied"
    assert "script" not in parameters.get("error_description", "")
    assert denial(site).startswith(reason)


def test_the_script_of_the_beginning_goes_on(site: Site) -> None:
    """A login keeps the version that it began with, whatever is published meanwhile."""
    client = scripted(site, STEP_UP_FOR_STAFF)
    page = with_password(begun(site, client), site.jane)
    refusing = script_hash(site, "var onLoginRequest = function (c) { fail({ errorCode: 'new' }); };")
    site.update(client, sign_in_script=refusing)
    _, page = enrol_app(page)
    assert "code" in response_parameters(page)
    assert response_parameters(begun(site, client))["error"] == "new"


def test_no_script_says_who_it_was(site: Site) -> None:
    """The person comes from a step that the server ran, never from the script."""
    source = """
    var onLoginRequest = function (context) {
      executeStep(1, { onSuccess: function (context) {
        try { context.currentKnownSubject = { uniqueId: 'admin', username: 'admin' }; } catch (e) {}
        try { context.steps[1].subject.username = 'admin'; } catch (e) {}
      }});
    };"""
    client = scripted(site, source)
    page = with_password(begun(site, client), site.jane)
    claims = id_token(site, client, page)
    other = site.sign_in(site.application("Plain"), site.jane)
    assert "code" in response_parameters(other)
    assert claims["sub"] == claims_of(site.tokens(site.application("Third"), site.jane)["id_token"])["sub"]


def test_a_level_that_was_not_reached_cannot_be_claimed(site: Site) -> None:
    source = """
    var onLoginRequest = function (context) {
      executeStep(1, { onSuccess: function (context) { context.selectedAcr = '%s'; } });
    };"""
    lying = scripted(site, source.replace("%s", "2"))
    assert id_token(site, lying, with_password(begun(site, lying), site.jane))["acr"] == "1"
    own = scripted(site, source.replace("%s", "urn:example:desk"))
    assert id_token(site, own, with_password(begun(site, own), site.jane))["acr"] == "urn:example:desk"


def test_the_least_level_of_an_application_holds_under_a_script(site: Site) -> None:
    source = "var onLoginRequest = function (c) { executeStep(1); };"
    client = scripted(site, source, minimum_acr="2")
    page = with_password(begun(site, client), site.jane)
    assert response_parameters(page)["error"] == "unmet_authentication_requirements"


def test_a_script_of_one_tenant_knows_nobody_of_another(site: Site, other_site: Site) -> None:
    """Attack row 28: WSO2 CVE-2025-9973."""
    stranger: Person = other_site.person("stranger", groups=("staff",))
    subject = claims_of(other_site.tokens(other_site.application(), stranger)["id_token"])["sub"]
    source = """
    var onLoginRequest = function (context) {
      executeStep(1, { onSuccess: function (context) {
        var found = getUserSessions({ uniqueId: '%s' });
        if (found && found.length) { fail({ errorCode: 'crossed' }); }
      }});
    };""".replace("%s", subject)
    client = scripted(site, source)
    page = with_password(begun(site, client), site.jane)
    assert response_parameters(page).get("error") != "crossed"


def test_the_trace_tells_how_it_went(site: Site) -> None:
    from identity.administration.context import Administration
    from identity.authn.login_trace import LoginTraces

    source = """
    var onLoginRequest = function (context) {
      executeStep(1, { onSuccess: function (context) {
        if (hasAnyOfTheRoles(context.currentKnownSubject, ['x'])) { Log.info('has'); }
        Log.info('looked');
      }});
    };"""
    client = scripted(site, source)
    page = begun(site, client).submit("login-submit", username="jane", password="wrong")
    page = page.submit("login-submit", username="jane", password=site.jane.password)
    assert "code" in response_parameters(page)
    started = [event for event in site.events() if event["type"] == "user:session:started"][-1]

    async def find(administration: Administration) -> dict[str, Any] | None:
        now = administration.clock.now()
        return await LoginTraces(administration.sealer).find(
            administration.database, site.tenant.id, started["trace_id"], now
        )

    trace = site.administer(find)
    assert trace is not None
    outcomes = [(event["what"], event.get("outcome")) for event in trace["events"]]
    assert outcomes[:2] == [("step", "failed"), ("step", "succeeded")]
    asked = [event for event in trace["events"] if event["what"] == "input"]
    assert (asked[0]["asked"], asked[0]["answer"]) == ("hasAnyOfTheRoles", False)
    assert trace["log"] == ["looked"]
    assert trace["outcome"] == "done"
    assert site.jane.password not in json.dumps(trace)
    assert "jane@example.org" not in json.dumps(trace)


def test_an_application_that_is_gone_meanwhile(site: Site) -> None:
    client = scripted(site, STEP_UP_FOR_STAFF)
    guest, page = site.person("guest"), begun(site, client)
    site.administer(lambda a: applications.delete_application(a, site.tenant, client.client_id))
    assert with_password(page, guest).status == 400


def test_a_script_is_told_of_the_request(site: Site) -> None:
    """Levels of its own, scopes, and parameters that no specification knows; nothing that proves anything."""
    source = """
    var onLoginRequest = function (context) {
      executeStep(1, { onSuccess: function (context) {
        Log.info(JSON.stringify(context.request.params));
        context.selectedAcr = selectAcrFrom(context, ['desk', 'vault']);
      }});
    };"""
    client = scripted(site, source)
    page = begun(site, client, acr_values="vault desk", scenario="INIT", id_token_hint=None, login_hint="jane")
    assert id_token(site, client, with_password(page, site.jane))["acr"] == "vault"
    plain = scripted(
        site, source.replace("executeStep(1, {", "fail({ errorCode: context.request.params.scenario[0] }); ({")
    )
    assert response_parameters(begun(site, plain, scenario="INIT"))["error"] == "INIT"


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://help.example/stopped", "https://help.example/stopped?status=no&statusMsg=Not+now"),
        ("/help?lang=en", "/help?lang=en&status=no&statusMsg=Not+now"),
        ("help", "/help?status=no&statusMsg=Not+now"),
    ],
)
def test_send_error_leads_to_an_address_with_its_map(site: Site, url: str, address: str) -> None:
    source = "var onLoginRequest = function (c) { sendError('URL', { status: 'no', statusMsg: 'Not now' }); };"
    client = scripted(site, source.replace("URL", url))
    page = begun(site, client)
    places = [each.header("location") or "" for each in (*page.redirects, page)]
    assert any(place.endswith(address) for place in places), places
