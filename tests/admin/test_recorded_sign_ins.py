"""What sign-ins leave behind, and what an administrator does with it: backtest, shadow, explain, and its end."""

from typing import Any

import pyotp
import pytest

from identity.administration import users
from identity.administration.backtests import Summary, prepare_backtest
from identity.administration.script_bundles import ScriptAdministration
from identity.administration.scripts import owner_of
from identity.authn.login_recording import LoginRecordings
from identity.clock import SECOND
from identity.jobs import Purge
from identity.storage.last_logins import find_last_login
from identity.storage.login_traces import list_login_traces_of_subject
from identity.storage.recorded_logins import list_recorded_logins
from identity.storage.scripts import find_bundle
from identity.telemetry import get_logger
from tests.support.builders import Client, Person, Site, response_parameters
from tests.support.in_process import InProcessServer, TimedSite
from tests.support.key_manager import administrator, call, role
from tests.support.script_admin import BASE, BOTH, CLOSED, PLAIN, published, save, script_path
from tests.support.scripts import PASSWORD_STEP, SECOND_STEP, begun, steps, with_password

pytestmark = pytest.mark.long

DAY = 86_400
ROLES = """function onLoginRequest(context) {
  executeStep(1, { onSuccess: (context) => {
    if (hasAnyOfTheRoles(context.currentKnownSubject, ['boss'])) executeStep(2);
  } });
}"""


@pytest.fixture
def root(timed: TimedSite) -> Person:
    return administrator(timed)


@pytest.fixture
def client(timed: TimedSite) -> Client:
    return timed.application(sign_in_steps=steps(PASSWORD_STEP, SECOND_STEP))


def sign_in(site: TimedSite, client: Client, person: Person) -> None:
    """With the password; an authenticator app is set up where a second step asks."""
    page = with_password(begun(site, client), person)
    if page.left_for is None:
        page = page.submit("factor-submit", authenticator="totp")
        secret = page.element("totp-secret").text.replace(" ", "")
        page = page.submit("enrol-submit", code=pyotp.TOTP(secret).at(site.clock.now() // SECOND))
    assert "code" in response_parameters(page)


def backtest(site: Site, root: Person, client: Client | None, script: str, **body: Any) -> dict[str, Any]:
    answer = call(site, root, "POST", f"{script_path(client)}/backtest", json={"script": script, **body})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def counted(found: dict[str, Any]) -> dict[str, int]:
    return {name: count for name, count in found["counts"].items() if count}


# Backtest.


def test_a_first_script_is_tried_on_sign_ins_that_had_none(timed: TimedSite, root: Person, client: Client) -> None:
    sign_in(timed, client, timed.jane)
    assert counted(backtest(timed, root, client, BOTH)) == {"same": 1}
    weaker = backtest(timed, root, client, PLAIN)
    assert counted(weaker) == {"weaker": 1}
    change = weaker["changes"][0]
    assert (change["who"], change["from"]) == ("jane", "127.0.0.1") or change["who"].endswith("jane")
    assert (change["before"], change["after"]) == ("done (BasicAuthenticator + totp)", "done (BasicAuthenticator)")
    assert call(timed, root, "GET", f"{BASE}/sign-in-traces/{change['trace']}").status_code == 200
    assert counted(backtest(timed, root, client, CLOSED)) == {"stricter": 1}
    assert counted(backtest(timed, root, client, ROLES)) == {"unknown": 1}


def test_a_changed_script_is_tried_on_what_its_predecessor_asked(
    timed: TimedSite, root: Person, client: Client
) -> None:
    published(timed, root, client, ROLES)
    sign_in(timed, client, timed.jane)
    assert counted(backtest(timed, root, client, ROLES)) == {"same": 1}
    asks_all = ROLES.replace("if (hasAny", "if (!hasAny")
    stricter = backtest(timed, root, client, asks_all)
    assert counted(stricter) == {"stricter": 1}
    assert "asks for step 2" in stricter["changes"][0]["after"]
    unknown = backtest(timed, root, client, ROLES.replace("'boss'", "'clerk'"))
    assert unknown["changes"][0]["detail"] == "the recording has no answer to hasAnyOfTheRoles"


def test_a_backtest_changes_nothing(timed: TimedSite, root: Person, client: Client) -> None:
    sign_in(timed, client, timed.jane)
    events = len(timed.events())
    mails = "executeStep(1, { onSuccess: (c) => { sendEmail(c.currentKnownSubject, 'x', {}); } });"
    loud = PLAIN.replace("executeStep(1);", mails)
    backtest(timed, root, client, loud)
    assert len(timed.events()) == events


def test_a_backtest_names_people_to_who_may_read_their_traces(timed: TimedSite, client: Client) -> None:
    sign_in(timed, client, timed.jane)
    keeper, helper = timed.person("keeper"), timed.person("helper")
    role(timed, "keeper", "internal_application_mgt_update", people=(keeper, helper))
    role(timed, "helper", "internal_sign_in_trace_view", people=(helper,))
    anonymous, named = (backtest(timed, person, client, PLAIN) for person in (keeper, helper))
    assert counted(anonymous) == counted(named) == {"weaker": 1}
    assert "jane" not in str(anonymous)
    assert "127.0.0.1" not in str(anonymous)
    assert named["changes"][0]["from"] == "127.0.0.1"


def test_pages_of_a_backtest(timed: TimedSite, root: Person, client: Client) -> None:
    for name in ("ann", "ben", "cid"):
        sign_in(timed, client, timed.person(name))
    first = backtest(timed, root, client, PLAIN, limit=2)
    assert (first["logins"], len(first["changes"])) == (2, 2)
    second = backtest(timed, root, client, PLAIN, limit=2, after=first["after"])
    assert (second["logins"], second["after"]) == (1, None)
    traces = {change["trace"] for change in (*first["changes"], *second["changes"])}
    assert len(traces) == 3


def test_a_backtest_looks_back_as_far_as_it_is_told(timed: TimedSite, root: Person, client: Client) -> None:
    sign_in(timed, client, timed.jane)
    timed.clock.advance(2 * DAY)
    assert backtest(timed, root, client, PLAIN, since=DAY)["logins"] == 0
    assert backtest(timed, root, client, PLAIN)["logins"] == 1


def test_a_backtest_sees_its_own_tenant_and_application_only(
    timed: TimedSite, in_process_server: InProcessServer, root: Person, client: Client
) -> None:
    elsewhere = TimedSite(in_process_server)
    other, theirs = timed.application("Other"), elsewhere.application()
    for site, each in ((timed, other), (elsewhere, theirs)):
        page = with_password(begun(site, each), site.jane)
        assert "code" in response_parameters(page)
    assert backtest(timed, root, client, PLAIN)["logins"] == 0
    assert backtest(timed, root, None, PLAIN)["logins"] == 1, "the tenant's script concerns all of its applications"
    elsewhere.close()


# Shadow.


def settled(server: InProcessServer, site: TimedSite) -> None:
    """Everything that is compared in the background has been."""

    async def wait(_: Any) -> None:
        await server.server.parts.sign_in.shadow.idle()

    server.run(wait)


def test_a_candidate_is_compared_silently(
    timed: TimedSite, in_process_server: InProcessServer, root: Person, client: Client
) -> None:
    published(timed, root, client, PLAIN)
    assert save(timed, root, client, BOTH).json()["version"] == 2
    shadow = f"{script_path(client)}/shadow"
    assert call(timed, root, "PUT", shadow, json={"version": 2}).status_code == 200
    sign_in(timed, client, timed.jane)
    sign_in(timed, client, timed.person("ben"))
    settled(in_process_server, timed)
    report = call(timed, root, "GET", shadow).json()["comparisons"]
    assert [(row["verdict"], row["count"]) for row in report] == [("stricter", 2)]
    assert call(timed, root, "GET", f"{BASE}/sign-in-traces/{report[0]['example']}").json()["outcome"] == "done"
    metrics = timed.http.get("http://localhost:8000/metrics").text
    assert 'shadow_scripts_total{verdict="stricter"}' in metrics
    assert call(timed, root, "DELETE", shadow).status_code == 204
    assert call(timed, root, "GET", shadow).json() == {"candidate": None, "comparisons": []}


def test_a_broken_candidate_harms_nobody(
    timed: TimedSite, in_process_server: InProcessServer, root: Person, client: Client
) -> None:
    published(timed, root, client, PLAIN)
    endless = "function onLoginRequest(c) { executeStep(1, { onSuccess: () => { for (;;) {} } }); }"
    save(timed, root, client, endless)
    call(timed, root, "PUT", f"{script_path(client)}/shadow", json={"version": 2})
    for name in ("ann", "ben", "cid", "dan", "eve", "fay", "gil"):
        sign_in(timed, client, timed.person(name))
    settled(in_process_server, timed)
    report = call(timed, root, "GET", f"{script_path(client)}/shadow").json()["comparisons"]
    assert [(row["verdict"], row["count"]) for row in report] == [("error", 7)]
    sign_in(timed, client, timed.jane)


# Explain.


def test_a_trace_tells_how_a_sign_in_went(timed: TimedSite, root: Person, client: Client) -> None:
    number = published(timed, root, client, ROLES.replace("executeStep(1", "Log.info('asked'); executeStep(1"))
    sign_in(timed, client, timed.jane)
    subject = next(event["subject"] for event in timed.events() if event["type"] == "user:session:started")
    found = call(timed, root, "GET", f"{BASE}/users/{subject}/sign-in-traces").json()
    assert found["totalResults"] == 1
    document = call(timed, root, "GET", f"{BASE}/sign-in-traces/{found['traces'][0]['trace']}").json()
    assert [event.get("factor", event.get("asked")) for event in document["events"]] == [
        "BasicAuthenticator", "hasAnyOfTheRoles",
    ]  # fmt: skip
    assert (document["outcome"], document["log"]) == ("done", ["asked"])
    version = call(timed, root, "GET", f"{script_path(client)}/versions/{number}").json()
    assert document["policy"]["script"] == version["hash"]
    assert "boss" not in str(document), "what was asked about people is not kept"


def test_traces_of_another_tenant_are_not_there(
    timed: TimedSite, in_process_server: InProcessServer, root: Person
) -> None:
    elsewhere = TimedSite(in_process_server)
    keeper, theirs = administrator(elsewhere), elsewhere.application()
    assert with_password(begun(elsewhere, theirs), elsewhere.jane).left_for is not None
    subject = next(event["subject"] for event in elsewhere.events() if event["type"] == "user:session:started")
    mine = call(elsewhere, keeper, "GET", f"{BASE}/users/{subject}/sign-in-traces").json()
    trace = mine["traces"][0]["trace"]
    assert call(timed, root, "GET", f"{BASE}/sign-in-traces/{trace}").status_code == 404
    assert call(timed, root, "GET", f"{BASE}/users/{subject}/sign-in-traces").json()["totalResults"] == 0
    elsewhere.close()


# The end of what is kept.


def purged(site: TimedSite) -> None:
    async def run(administration: Any) -> None:
        await Purge(administration.database, {}, get_logger("test"), administration.clock).once()

    site.administer(run)


def stored_logins(site: TimedSite) -> list[Any]:
    return site.in_tenant(lambda a, t: list_recorded_logins(a.database, t.id, since=0, application=None))


def test_a_recording_ends_with_its_key(timed: TimedSite, root: Person, client: Client) -> None:
    sign_in(timed, client, timed.jane)
    kept = stored_logins(timed)
    assert len(kept) == 1

    async def readable(administration: Any, tenant: Any) -> bool:
        return await LoginRecordings(administration.database, administration.sealer).open(kept[0]) is not None

    assert timed.in_tenant(readable)
    timed.clock.advance(7 * DAY)
    purged(timed)
    assert timed.in_tenant(readable), "the day is not over yet"
    timed.clock.advance(DAY + 3601)
    purged(timed)
    assert not timed.in_tenant(readable), "its key was dropped"
    assert stored_logins(timed) == []


def test_traces_end_after_thirty_days(timed: TimedSite, root: Person, client: Client) -> None:
    sign_in(timed, client, timed.jane)
    subject = stored_logins(timed)[0].subject
    path = f"{BASE}/users/{subject}/sign-in-traces"
    assert call(timed, root, "GET", path).json()["totalResults"] == 1
    timed.clock.advance(30 * DAY + 1)
    assert call(timed, root, "GET", path).json()["totalResults"] == 0


@pytest.mark.parametrize("setting", ["recorded_login_days", "trace_days"])
def test_nothing_is_kept_where_the_tenant_wants_nothing(
    timed: TimedSite, root: Person, client: Client, setting: str
) -> None:
    from identity.administration.tenants import set_tenant_settings

    timed.administer(lambda a: set_tenant_settings(a, timed.handle, {setting: 0}))
    timed.clock.advance(2)
    sign_in(timed, client, timed.jane)
    left = stored_logins(timed)
    assert bool(left) == (setting == "trace_days")
    subject = next(event["subject"] for event in timed.events() if event["type"] == "user:session:started")
    traces = call(timed, root, "GET", f"{BASE}/users/{subject}/sign-in-traces").json()["totalResults"]
    assert bool(traces) == (setting == "recorded_login_days")


def test_erasing_a_person_erases_what_their_sign_ins_left(timed: TimedSite, root: Person, client: Client) -> None:
    published(timed, root, client, PLAIN)
    ben = timed.person("ben")
    sign_in(timed, client, timed.jane)
    sign_in(timed, client, ben)
    subjects = {row.subject for row in stored_logins(timed)}
    assert len(subjects) == 2
    timed.in_tenant(lambda a, t: users.delete_user(a, t, "ben"))
    left = {row.subject for row in stored_logins(timed)}
    assert len(left) == 1
    (gone,) = subjects - left

    async def traces(administration: Any, tenant: Any) -> Any:
        now = administration.clock.now()
        return (
            await list_login_traces_of_subject(administration.database, tenant.id, gone, now),
            await find_last_login(administration.database, administration.sealer, tenant.id, gone),
        )

    assert timed.in_tenant(traces) == ([], None)


def test_a_script_is_kept_as_long_as_something_may_need_it(timed: TimedSite, root: Person, client: Client) -> None:
    call(timed, root, "POST", f"{BASE}/script-libraries", json={"name": "one.js", "content": "exports.a = 1;"})
    published(timed, root, client, "require('one.js'); " + PLAIN)
    old = call(timed, root, "GET", script_path(client)).json()["published"]
    browser = timed.browser()
    page = begun(timed, client, browser)
    call(timed, root, "PUT", f"{BASE}/script-libraries/one.js", json={"content": "exports.a = 2;"})
    new = call(timed, root, "GET", script_path(client)).json()["published"]
    assert old != new

    def kept(hash: str) -> bool:
        return timed.in_tenant(lambda a, t: find_bundle(a.database, t.id, hash)) is not None

    timed.clock.advance(1700)
    purged(timed)
    assert kept(old), "a sign-in that began with it is not over"
    assert "code" in response_parameters(with_password(page, timed.jane))
    timed.clock.advance(2 * 3600)
    purged(timed)
    assert not kept(old)
    assert kept(new)


def test_memory_of_a_backtest_is_a_page(timed: TimedSite, in_process_server: InProcessServer, client: Client) -> None:
    """The summary keeps counts and a few examples, however many sign-ins there are."""
    for name in ("ann", "ben", "cid", "dan", "eve", "fay", "gil"):
        sign_in(timed, client, timed.person(name))

    async def run(administration: Any, tenant: Any) -> tuple[list[int], Summary]:
        scripting = ScriptAdministration(administration, in_process_server.server.parts.sign_in.trials)
        owner = await owner_of(administration, tenant.tenant, client.client_id)
        test = await prepare_backtest(scripting, owner, PLAIN, since_seconds=DAY)
        summary, sizes = Summary(), []
        async for page in test.pages(count=3):
            summary.add(page)
            sizes.append(len(page.compared))
        return sizes, summary

    sizes, summary = timed.in_tenant(run)
    assert sizes == [3, 3, 1]
    assert summary.counts["weaker"] == 7
    assert len(summary.examples["weaker"]) == 5
