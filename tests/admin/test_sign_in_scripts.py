"""Sign-in scripts over REST: saved, published, taken back; what is refused, and who may."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from identity.clock import SECOND, Clock
from identity.storage.purge import purge_bundles
from identity.storage.scripts import find_bundle
from tests.support.builders import Client, Person, Site, response_parameters
from tests.support.key_manager import administrator, bearer, call, role
from tests.support.script_admin import BASE, BOTH, CLOSED, PLAIN, publish, published, save, script_path
from tests.support.scripts import PASSWORD_STEP, SECOND_STEP, begun, script_hash, steps, with_password
from tests.support.waiting import eventually

pytestmark = pytest.mark.long

LIBRARIES = f"{BASE}/script-libraries"
SECRETS = f"{BASE}/secrets/ADAPTIVE_AUTH"


@pytest.fixture
def client(site: Site) -> Client:
    return site.application(sign_in_steps=steps(PASSWORD_STEP, SECOND_STEP))


def sequence(client: Client) -> str:
    return f"{BASE}/applications/{client.application.id}/authenticationSequence"


def signs_in(site: Site, client: Client) -> bool:
    """With the password alone."""
    page = begun(site, client)
    if page.has("login-submit"):
        page = with_password(page, site.jane)
    return page.left_for is not None and "code" in response_parameters(page)


def test_a_draft_changes_nothing_and_a_publication_does(site: Site, root: Person, client: Client) -> None:
    saved = save(site, root, client, PLAIN, note="first")
    assert saved.status_code == 201
    assert saved.json()["author"] == root.user.store + "/" + root.username or saved.json()["author"] == root.username
    assert not signs_in(site, client), "two steps are asked"
    assert publish(site, root, client, 1).status_code == 200
    assert signs_in(site, client)
    shown = call(site, root, "GET", script_path(client)).json()
    assert (shown["version"], shown["versions"], shown["published"]) == (1, 1, saved.json()["hash"])
    assert "tenant:script:published" in [event["type"] for event in site.events()]


def test_unpublishing_leaves_the_steps(site: Site, root: Person, client: Client) -> None:
    published(site, root, client, PLAIN)
    assert call(site, root, "DELETE", script_path(client)).status_code == 204
    assert not signs_in(site, client)


def test_history_diff_and_rollback(site: Site, root: Person, client: Client) -> None:
    published(site, root, client, PLAIN)
    published(site, root, client, CLOSED)
    assert not signs_in(site, client)
    diff = call(site, root, "GET", f"{script_path(client)}/diff", params={"from": "1", "to": "2"}).json()["diff"]
    assert f"-{PLAIN}" in diff
    assert f"+{CLOSED}" in diff
    again = call(site, root, "POST", f"{script_path(client)}/versions/1/rollback")
    assert again.json()["version"] == 3
    assert signs_in(site, client)
    versions = call(site, root, "GET", f"{script_path(client)}/versions").json()["versions"]
    assert [(version["version"], version["current"]) for version in versions] == [(3, True), (2, False), (1, False)]
    assert call(site, root, "GET", f"{script_path(client)}/versions/3").json()["script"] == PLAIN


def test_the_tenants_script_is_for_applications_without_their_own(site: Site, root: Person, client: Client) -> None:
    plain = site.application("Plain")
    published(site, root, None, CLOSED)
    # A page works with a tenant up to a second old.
    eventually(lambda: not signs_in(site, plain), "the tenant's script decides")
    published(site, root, client, PLAIN)
    assert signs_in(site, client)
    call(site, root, "DELETE", script_path(None))
    eventually(lambda: signs_in(site, plain), "no script decides")


@pytest.mark.parametrize(
    ("script", "line", "words"),
    [
        ("function onLoginRequest(context) {\n  executeStep(1;\n}", 2, "SyntaxError"),
        ("function onLoginRequest(context) {\n  nothing.deep;\n}", 2, "nothing"),
        ("function onLoginRequest(context) { executeStep(3); }", 1, "no step 3"),
        ("function onLoginRequest(context) { require('gone.js'); executeStep(1); }", 1, "gone.js"),
        ("var a = 1;", None, "onLoginRequest"),
        ("while (true) {}\nfunction onLoginRequest() {}", None, "fuel"),
    ],
)
def test_errors_refuse_with_line_and_column(
    site: Site, root: Person, client: Client, script: str, line: int | None, words: str
) -> None:
    refused = save(site, root, client, script)
    assert refused.status_code == 400
    body = refused.json()
    assert body["code"] == "invalid_script"
    errors = [finding for finding in body["findings"] if finding["level"] == "error"]
    assert words in errors[0]["message"]
    if line is not None:
        assert errors[0]["line"] == line
        assert errors[0]["column"] >= 1
    assert call(site, root, "GET", f"{script_path(client)}/versions").json()["totalResults"] == 0


def test_warnings_are_told(site: Site, root: Person, client: Client) -> None:
    saved = save(site, root, client, "function onLoginRequest(c) { executeStep(1); } function f() { callElastic(); }")
    assert saved.status_code == 201
    assert [finding["level"] for finding in saved.json()["findings"]] == ["warning"]


CASES: list[dict[str, Any]] = [{"name": "one step", "given": {}, "expect": {"verdict": "done", "steps": [1]}}]


def test_tests_must_pass_before_a_script_is_published(site: Site, root: Person, client: Client) -> None:
    saved = save(site, root, client, BOTH, tests=CASES)
    assert saved.status_code == 201, "a draft may fail its tests"
    assert [test["passed"] for test in saved.json()["tests"]] == [False]
    refused = publish(site, root, client, 1)
    assert (refused.status_code, refused.json()["code"]) == (409, "tests_failed")
    assert call(site, root, "GET", script_path(client)).json()["published"] is None
    assert published(site, root, client, PLAIN, tests=CASES) == 2


@pytest.mark.parametrize("tests", ["no JSON", [{"name": "x"}], [{"given": {}, "expect": {"verdict": "done"}}] * 51])
def test_tests_that_are_none_are_refused(site: Site, root: Person, client: Client, tests: Any) -> None:
    assert save(site, root, client, PLAIN, tests=tests).status_code == 400


def test_checking_testing_and_simulating_store_nothing(site: Site, root: Person, client: Client) -> None:
    id = client.application.id
    body = {"script": BOTH, "application": id, "tests": CASES}
    checked = call(site, root, "POST", f"{BASE}/sign-in-scripts/check", json={**body, "script": "executeStep("})
    assert checked.json()["findings"][0]["level"] == "error"
    tested = call(site, root, "POST", f"{BASE}/sign-in-scripts/test", json=body).json()
    assert tested["passed"] is False
    given = {"steps": {"2": ["fail", "ok"]}}
    simulated = call(site, root, "POST", f"{BASE}/sign-in-scripts/simulate", json={**body, "given": given}).json()
    assert simulated == {"verdict": "done", "steps": [1, 2, 2], "effects": [], "log": [], "error": None}
    endless = {"script": "function onLoginRequest() { for (;;) {} }"}
    assert call(site, root, "POST", f"{BASE}/sign-in-scripts/simulate", json=endless).json()["verdict"] == "limit"
    bad = call(site, root, "POST", f"{BASE}/sign-in-scripts/simulate", json={**body, "given": {"moon": 1}})
    assert bad.status_code == 400
    assert call(site, root, "GET", f"{script_path(client)}/versions").json()["totalResults"] == 0


def test_trials_that_hit_limits_pause_nobodys_sign_in(site: Site, root: Person, client: Client) -> None:
    """Attack row 28: an administrator's endless drafts are no way to shut people out."""
    published(site, root, client, PLAIN)
    endless = {"script": "function onLoginRequest() { for (;;) {} }"}
    for _ in range(6):
        assert call(site, root, "POST", f"{BASE}/sign-in-scripts/simulate", json=endless).json()["verdict"] == "limit"
    assert signs_in(site, client)


def test_who_may_only_look_executes_nothing(site: Site, client: Client) -> None:
    viewer = site.person("viewer")
    role(site, "viewer", "internal_application_mgt_view", people=(viewer,))
    for path in ("sign-in-scripts/check", "sign-in-scripts/test", "sign-in-scripts/simulate"):
        assert call(site, viewer, "POST", f"{BASE}/{path}", json={"script": PLAIN}).status_code == 403
    assert save(site, viewer, client, PLAIN).status_code == 403
    backtest = call(site, viewer, "POST", f"{script_path(client)}/backtest", json={"script": PLAIN})
    assert backtest.status_code == 403
    assert call(site, viewer, "GET", script_path(client)).status_code == 200


# WSO2's model of an application's sign-in.


def test_steps_and_script_in_the_model_of_wso2(site: Site, root: Person) -> None:
    client = site.application()
    shown = call(site, root, "GET", sequence(client)).json()
    assert (shown["type"], shown["script"]) == ("DEFAULT", "")
    body = {
        "type": "USER_DEFINED",
        "steps": [
            {"id": 1, "options": [{"idp": "LOCAL", "authenticator": "BasicAuthenticator"}]},
            {"id": 2, "options": [{"idp": "LOCAL", "authenticator": "totp"}]},
        ],
        "script": BOTH,
        "subjectStepId": 1,
        "attributeStepId": 1,
    }
    answer = call(site, root, "PUT", sequence(client), json=body)
    assert answer.status_code == 200, answer.text
    shown = answer.json()
    assert (shown["steps"], shown["script"], shown["scriptVersion"]) == (body["steps"], BOTH, 1)
    factors = call(site, root, "GET", f"{BASE}/applications/{client.application.id}/authenticators").json()
    assert [factor["authenticator"] for factor in factors] == ["BasicAuthenticator", "totp"]
    assert call(site, root, "PUT", f"{sequence(client)}/script", json={"script": PLAIN}).json()["scriptVersion"] == 2
    assert signs_in(site, client)
    assert call(site, root, "PUT", sequence(client), json={"type": "DEFAULT"}).json()["type"] == "DEFAULT"


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([["nonsense"]], "no factor"),
        ([[]], "at least one"),
        ([["totp"]], "who it is"),
        ([["BasicAuthenticator", "totp"]], "who it is"),
        ([["BasicAuthenticator", "BasicAuthenticator"]], "twice"),
    ],
)
def test_steps_that_cannot_be(site: Site, root: Person, client: Client, names: list[list[str]], words: str) -> None:
    listed = [{"id": n, "options": [{"authenticator": f} for f in step]} for n, step in enumerate(names, 1)]
    refused = call(site, root, "PUT", sequence(client), json={"steps": listed})
    assert refused.status_code == 400
    assert words in refused.json()["description"]


def test_steps_that_the_script_names_stay(site: Site, root: Person, client: Client) -> None:
    published(site, root, client, BOTH.replace("{ executeStep(2); }", "{ executeStep(2); }"))
    one = {"steps": [{"id": 1, "options": [{"authenticator": "BasicAuthenticator"}]}]}
    refused = call(site, root, "PUT", sequence(client), json=one)
    assert refused.status_code == 400
    assert "no step 2" in refused.json()["description"]


def test_a_level_that_nobody_reaches_is_refused(site: Site, root: Person, client: Client) -> None:
    assert call(site, root, "PUT", sequence(client), json={"minimumAcr": "9"}).status_code == 400
    assert call(site, root, "PUT", sequence(client), json={"minimumAcr": "2"}).json()["minimumAcr"] == "2"


def test_templates_are_told(site: Site, root: Person) -> None:
    found = call(site, root, "GET", f"{BASE}/applications/meta/adaptive-auth-templates").json()["templates"]
    assert {"role-based", "new-device", "impossible-travel"} <= {template["name"] for template in found}


# Libraries.

RISK = "exports.high = (ip) => ip === '192.0.2.66';"
WITH_LIBRARY = """var risk = require('risk.js');
function onLoginRequest(context) {
  executeStep(1, { onSuccess: () => { if (risk.high('192.0.2.1')) executeStep(2); } });
}"""


def library(site: Site, root: Person, content: str = RISK, name: str = "risk.js") -> None:
    created = call(site, root, "POST", LIBRARIES, json={"name": name, "content": content})
    assert created.status_code == 201, created.text


def test_a_changed_library_bundles_its_scripts_anew(site: Site, root: Person, client: Client) -> None:
    library(site, root)
    published(site, root, client, WITH_LIBRARY, tests=CASES)
    before = call(site, root, "GET", script_path(client)).json()["published"]
    assert signs_in(site, client)
    changed = call(site, root, "PUT", f"{LIBRARIES}/risk.js", json={"content": "exports.high = (ip) => ip === '';"})
    assert changed.json()["bundledAnew"] == [client.application.name]
    shown = call(site, root, "GET", script_path(client)).json()
    assert shown["published"] != before
    assert shown["version"] == 1
    assert signs_in(site, client)


def test_a_library_that_breaks_a_published_script_is_refused(site: Site, root: Person, client: Client) -> None:
    library(site, root)
    published(site, root, client, WITH_LIBRARY, tests=CASES)
    for content, status in (("exports.high = () => true;", 409), ("nonsense(", 400), ("throw new Error('x');", 400)):
        refused = call(site, root, "PUT", f"{LIBRARIES}/risk.js", json={"content": content})
        assert refused.status_code == status, refused.text
    assert call(site, root, "GET", f"{LIBRARIES}/risk.js").json()["content"] == RISK
    assert signs_in(site, client)


def test_a_library_in_use_stays(site: Site, root: Person, client: Client) -> None:
    library(site, root)
    published(site, root, client, WITH_LIBRARY)
    assert call(site, root, "DELETE", f"{LIBRARIES}/risk.js").status_code == 409
    published(site, root, client, PLAIN)
    assert call(site, root, "DELETE", f"{LIBRARIES}/risk.js").status_code == 204
    assert call(site, root, "GET", f"{LIBRARIES}/risk.js").status_code == 404


def test_a_library_comes_as_a_form_too_but_not_from_another_site(site: Site, root: Person) -> None:
    files = {"content": ("risk.js", RISK.encode(), "text/javascript")}
    fields = {"name": "risk.js", "description": "by upload"}
    assert call(site, root, "POST", LIBRARIES, files=files, data=fields).status_code == 415
    console = site.application("Console", management_scopes=("internal_script_library_mgt_create",))
    scope = "openid internal_script_library_mgt_create"
    token = site.tokens(console, root, scope=scope)["access_token"]
    created = site.http.post(LIBRARIES, files=files, data=fields, headers=bearer(token))
    assert created.status_code == 201, created.text
    assert (created.json()["content"], created.json()["description"]) == (RISK, "by upload")
    assert call(site, root, "GET", f"{LIBRARIES}/risk.js/content").text == RISK


# Secrets.


def test_a_secret_goes_in_and_never_comes_out(site: Site, root: Person, client: Client) -> None:
    value = "sesame-open-0815"
    body = {"name": "risk_key", "value": value, "hosts": ["api.example.org"]}
    answers = [
        call(site, root, "POST", SECRETS, json=body),
        call(site, root, "GET", SECRETS),
        call(site, root, "GET", f"{SECRETS}/risk_key"),
        call(site, root, "PATCH", f"{SECRETS}/risk_key", json={"hosts": ["*.example.org"]}),
        save(site, root, client, "function onLoginRequest(c) { var s = secrets.risk_key; executeStep(1); }"),
    ]
    assert [answer.status_code for answer in answers] == [201, 200, 200, 200, 201]
    assert not any(value in answer.text for answer in answers)
    assert answers[3].json()["hosts"] == ["*.example.org"]
    assert not any(value in str(event["data"]) for event in site.events())
    assert call(site, root, "POST", SECRETS, json=body).status_code == 409
    assert call(site, root, "DELETE", f"{SECRETS}/risk_key").status_code == 204
    assert "risk_key" in save(site, root, client, "function onLoginRequest(c) { secrets.risk_key; }").text


@pytest.mark.parametrize(
    "body",
    [
        {"name": "a-b", "value": "x"},
        {"name": "a", "value": ""},
        {"name": "a", "value": "x" * 4097},
        {"name": "a", "value": "line\nbreak"},
        {"name": "a", "value": "x", "hosts": ["*"]},
        {"name": "a", "value": "x", "hosts": ["*.org"]},
        {"name": "a", "value": "x", "hosts": ["127.0.0.1"]},
        {"name": "a", "value": "x", "hosts": ["https://example.org"]},
    ],
)
def test_secrets_that_cannot_be(site: Site, root: Person, body: dict[str, Any]) -> None:
    assert call(site, root, "POST", SECRETS, json=body).status_code == 400


def test_a_candidate_is_compared_on_the_running_server(site: Site, root: Person, client: Client) -> None:
    published(site, root, client, PLAIN)
    assert save(site, root, client, BOTH).status_code == 201
    shadow = f"{script_path(client)}/shadow"
    assert call(site, root, "PUT", shadow, json={"version": 2}).status_code == 200
    for count in (1, 2):
        assert signs_in(site, client)
        expected = [("stricter", count)]
        eventually(lambda wanted=expected: compared(site, root, shadow) == wanted, f"{count} compared")  # type: ignore[misc]


def compared(site: Site, root: Person, shadow: str) -> list[tuple[str, int]]:
    rows = call(site, root, "GET", shadow).json()["comparisons"]
    return [(row["verdict"], row["count"]) for row in rows]


def test_a_script_that_nothing_names_is_purged(site: Site, root: Person, client: Client) -> None:
    """On each database: those that a version or an application names stay."""
    number = published(site, root, client, PLAIN)
    named = call(site, root, "GET", f"{script_path(client)}/versions/{number}").json()["hash"]
    forgotten = script_hash(site, CLOSED)
    later = Clock().now() + 10 * 3600 * SECOND

    async def purge(administration: Any) -> int:
        return await purge_bundles(administration.database, before=later, now=later)

    def kept(hash: str) -> bool:
        return site.in_tenant(lambda a, t: find_bundle(a.database, t.id, hash)) is not None

    assert (kept(named), kept(forgotten)) == (True, True)
    assert site.administer(purge) >= 1
    assert (kept(named), kept(forgotten)) == (True, False)


def test_who_saves_at_once_gets_numbers_of_their_own(site: Site, root: Person, client: Client) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: save(site, root, client, PLAIN), range(4)))
    saved = [answer.json()["version"] for answer in answers if answer.status_code == 201]
    assert len(saved) >= 2
    assert len(set(saved)) == len(saved)
    assert {answer.status_code for answer in answers} <= {201, 409, 503}


def test_nothing_of_another_tenant_is_there(site: Site, server: Any, root: Person, client: Client) -> None:
    elsewhere = Site(server, f"{site.handle}z", site.tenant.settings)
    keeper = administrator(elsewhere, "keeper")
    foreign = elsewhere.application(sign_in_steps=steps(PASSWORD_STEP))
    published(elsewhere, keeper, foreign, PLAIN)
    library(elsewhere, keeper)
    call(elsewhere, keeper, "POST", SECRETS, json={"name": "theirs", "value": "x"})
    elsewhere.close()
    for path in (
        script_path(foreign), f"{script_path(foreign)}/versions/1", f"{script_path(foreign)}/shadow",
        sequence(foreign), f"{LIBRARIES}/risk.js", f"{SECRETS}/theirs",
    ):  # fmt: skip
        assert call(site, root, "GET", path).status_code == 404, path
    assert save(site, root, foreign, PLAIN).status_code == 404
    assert publish(site, root, foreign, 1).status_code == 404
    assert "risk.js" in save(site, root, client, WITH_LIBRARY).text, "their library is not ours"
