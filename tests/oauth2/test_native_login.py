"""Sign-in as JSON (wso2-contracts §1.6): the flow of the pages, for applications with a page of their own."""

import base64
from dataclasses import replace
from typing import Any

import httpx
import pytest

from identity.administration import users
from identity.domain.tenants import RateLimit
from tests.support.builders import Site, claims_of
from tests.support.in_process import TimedSite
from tests.support.native_login import BASIC, NativeLogin, native_application
from tests.support.scripts import script_hash

pytestmark = pytest.mark.long


def is_error(response: httpx.Response, status: int, code: str) -> bool:
    """Errors are JSON too; the trace id finds the cause in the log."""
    body = response.json()
    assert response.headers["content-type"] == "application/json"
    assert body.keys() == {"code", "message", "description", "traceId"}, body
    assert len(body["traceId"]) == 32
    return (response.status_code, body["code"]) == (status, code)


def test_exactly_these_answers(site: Site) -> None:
    login = NativeLogin(site, native_application(site))
    first = login.begin()
    assert first.headers["cache-control"] == "no-store"
    assert "set-cookie" not in first.headers
    authenticator = {
        "authenticatorId": BASIC,
        "authenticator": "Username & Password",
        "idp": "LOCAL",
        "metadata": {
            "i18nKey": "authenticator.basic",
            "promptType": "USER_PROMPT",
            "params": [
                {"param": "username", "type": "STRING", "order": 0, "confidential": False, "displayName": "Username",
                 "i18nKey": "username.param"},
                {"param": "password", "type": "STRING", "order": 1, "confidential": True, "displayName": "Password",
                 "i18nKey": "password.param"},
            ],
        },
        "requiredParams": ["username", "password"],
    }  # fmt: skip
    step = {"stepType": "AUTHENTICATOR_PROMPT", "authenticators": [authenticator]}
    links = [{"name": "authentication", "href": f"{site.base}/oauth2/authn", "method": "POST"}]
    prompt = {
        "flowId": login.flow_id, "flowStatus": "INCOMPLETE", "flowType": "AUTHENTICATION", "nextStep": step,
        "links": links,
    }  # fmt: skip
    assert first.json() == prompt
    assert base64.b64decode(BASIC) == b"BasicAuthenticator:LOCAL"
    assert len(login.flow_id) > 43

    again = login.answer(site.jane.username, "wrong").json()
    (message,) = again["nextStep"].pop("messages")
    assert message.keys() == {"type", "messageId", "message", "i18nKey", "context"}
    assert message["type"] == "ERROR"
    assert again == prompt | {"flowStatus": "FAIL_INCOMPLETE"}

    last = login.sign_in(site.jane)
    assert (last.status_code, "set-cookie" in last.headers) == (200, False)
    answer = last.json()
    assert answer["authData"].keys() == {"code", "state", "session_state", "iss"}
    assert (answer["authData"]["state"], answer["authData"]["iss"]) == ("the-state", site.issuer)
    assert (answer["flowStatus"], answer["flowType"]) == ("SUCCESS_COMPLETED", "AUTHENTICATION")


def test_what_comes_out_is_a_sign_in_like_any_other(site: Site) -> None:
    client = native_application(site)
    login = NativeLogin(site, client).begun(scope="openid email", nonce="n-1")
    tokens = login.redeem(login.code(site.jane)).json()
    claims = claims_of(tokens["id_token"])
    assert (claims["amr"], claims["nonce"], claims["aud"]) == (["pwd"], "n-1", client.client_id)
    assert site.userinfo(tokens["access_token"]).json()["email"] == "jane@example.org"
    events = [event["type"] for event in site.events()]
    assert {"user:session:started", "application:grant:issued"} <= set(events)
    site.in_tenant(lambda a, t: users.end_sessions(a, t, "jane"))
    assert site.userinfo(tokens["access_token"]).status_code == 401


def test_a_confidential_application_shows_who_it_is(site: Site) -> None:
    client = native_application(site, token_endpoint_auth_method="client_secret_basic")
    other = native_application(site, token_endpoint_auth_method="client_secret_basic")
    login = NativeLogin(site, client)
    assert is_error(login.begin(auth=(client.client_id, "wrong" * 10)), 401, "invalid_client")
    assert is_error(login.begin(auth=other.basic), 400, "invalid_request")
    without = site.http.post("/oauth2/authorize", data=login.request())
    assert is_error(without, 401, "invalid_client")
    login.begun()
    assert login.redeem(login.code(site.jane)).status_code == 200


@pytest.mark.spec("RFC 9126", "4")
def test_a_pushed_request(site: Site) -> None:
    client = native_application(site, token_endpoint_auth_method="client_secret_basic")
    login = NativeLogin(site, client)
    pushed = site.http.post("/oauth2/par", data=login.request(), auth=client.basic).json()
    used = {"client_id": client.client_id, "request_uri": pushed["request_uri"]}
    first = site.http.post("/oauth2/authorize", data=used)
    assert first.json()["flowStatus"] == "INCOMPLETE", first.text
    login.flow_id = first.json()["flowId"]
    assert login.redeem(login.code(site.jane)).status_code == 200
    spent = site.http.post("/oauth2/authorize", data=used)
    assert spent.status_code == 400


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_application_that_did_not_opt_in(site: Site, method: str) -> None:
    client = site.public_application()
    login = NativeLogin(site, client)
    page = site.http.request(method, "/oauth2/authorize", params=login.request() if method == "GET" else None,
                             data=login.request() if method == "POST" else None)  # fmt: skip
    assert "flowId" not in page.text
    assert "invalid_request" in page.headers["location"]


def refusals(**parameters: str | None) -> dict[str, Any]:
    return dict(parameters)


@pytest.mark.parametrize(
    ("parameters", "status", "code"),
    [
        (refusals(code_challenge=None, code_challenge_method=None), 400, "invalid_request"),
        (refusals(prompt="none"), 400, "login_required"),
        (refusals(prompt="consent"), 400, "consent_required"),
        (refusals(response_type="code id_token", nonce="n"), 400, "unsupported_response_type"),
        (refusals(redirect_uri="https://evil.example/cb"), 400, "invalid_request"),
        (refusals(client_id="nobody"), 400, "invalid_client"),
        (refusals(client_id=None), 400, "invalid_request"),
        (refusals(username="jane", password="x"), 400, "invalid_request"),
        (refusals(id_token_hint="x.y.z"), 400, "invalid_request"),
    ],
)
def test_requests_that_are_refused(site: Site, parameters: dict[str, Any], status: int, code: str) -> None:
    client = native_application(site, response_types=("code", "code id_token"))
    assert is_error(NativeLogin(site, client).begin(**parameters), status, code)


def test_by_get_nothing_begins(site: Site) -> None:
    login = NativeLogin(site, native_application(site))
    assert is_error(site.http.get("/oauth2/authorize", params=login.request()), 400, "invalid_request")


@pytest.mark.parametrize("offline", [False, True])
def test_nobody_is_asked_for_consent(site: Site, offline: bool) -> None:
    client = native_application(site, skip_consent=offline)
    scope = "openid email offline_access" if offline else "openid email"
    login = NativeLogin(site, client).begun(scope=scope)
    assert is_error(login.sign_in(site.jane), 400, "consent_required")
    assert is_error(login.sign_in(site.jane), 410, "flow_expired")
    assert [event["type"] for event in site.events()].count("user:session:ended") == 1


def test_consent_that_was_given_on_a_page_counts(site: Site) -> None:
    client = native_application(site, skip_consent=False)
    login = NativeLogin(site, client)
    pkce: dict[str, Any] = {**login.pkce.parameters}
    page = site.sign_in(client, site.jane, scope="openid email", **pkce)
    page.submit("consent-allow")
    login.begun(scope="openid email")
    assert login.code(site.jane)


def test_a_hint_of_another_person(site: Site) -> None:
    client = native_application(site)
    first = NativeLogin(site, client).begun()
    hint = first.redeem(first.code(site.jane)).json()["id_token"]
    other = site.person("other")
    login = NativeLogin(site, client).begun(id_token_hint=hint)
    assert is_error(login.sign_in(other), 400, "login_required")
    assert NativeLogin(site, client).begun(id_token_hint=hint).code(site.jane)


@pytest.mark.parametrize(
    "change",
    [
        {"flowId": None},
        {"flowId": 7},
        {"flowId": ""},
        {"flowId": "nothing"},
        {"selectedAuthenticator": None},
        {"selectedAuthenticator": {}},
        {"selectedAuthenticator": {"authenticatorId": "eA==", "params": {"username": "a", "password": "b"}}},
        {"selectedAuthenticator": {"authenticatorId": BASIC, "params": []}},
        {"selectedAuthenticator": {"authenticatorId": BASIC, "params": {"username": "jane"}}},
        {"selectedAuthenticator": {"authenticatorId": BASIC, "params": {"username": "jane", "password": ""}}},
        {"selectedAuthenticator": {"authenticatorId": BASIC, "params": {"username": ["jane"], "password": "x"}}},
        {"selectedAuthenticator": {"authenticatorId": BASIC, "params": {"username": "a\0b", "password": "x"}}},
        {"selectedAuthenticator": {"authenticatorId": BASIC, "params": {"username": "a" * 3000, "password": "x"}}},
    ],
)
@pytest.mark.any_engine
def test_answers_that_cannot_be_read(site: Site, change: dict[str, object]) -> None:
    login = NativeLogin(site, native_application(site)).begun()
    assert is_error(login.answer("jane", "x", **change), 400, "invalid_request")
    assert login.code(site.jane)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b""),
        ("application/json", b"[]"),
        ("application/json", b"{"),
        ("application/json", b'{"flowId": "a.b", "flowId": "c.d"}'),
        ("application/json", b'{"flowId": "\\ud800"}'),
        ("application/json", b"\xff"),
        ("application/json", b"[" * 10_000),
        ("application/x-www-form-urlencoded", b"flowId=a.b"),
        ("text/plain", b"{}"),
    ],
)
def test_bodies_that_cannot_be_read(site: Site, content_type: str, body: bytes) -> None:
    response = site.http.post("/oauth2/authn", content=body, headers={"content-type": content_type})
    assert is_error(response, 400, "invalid_request")


def test_a_flow_expires(timed: TimedSite) -> None:
    login = NativeLogin(timed, native_application(timed)).begun()
    timed.clock.advance(timed.tenant.settings.flow_lifetime + 1)
    assert is_error(login.sign_in(timed.jane), 410, "flow_expired")


def test_what_is_switched_off_meanwhile(site: Site) -> None:
    client = native_application(site)
    login, other = NativeLogin(site, client).begun(), NativeLogin(site, client).begun()
    site.update(client, native_login=False)
    assert is_error(login.sign_in(site.jane), 400, "unauthorized_client")
    site.update(client, native_login=True, enabled=False)
    assert other.sign_in(site.jane).status_code == 400


def test_the_limits_of_the_pages_hold(timed: TimedSite) -> None:
    site = timed
    login = NativeLogin(site, native_application(site)).begun()
    site.change_settings(lambda s: replace(s, login_limit_address=RateLimit(count=2, seconds=300)))
    site.clock.advance(2)
    statuses = [login.answer("nobody", "x").status_code for _ in range(4)]
    assert statuses == [200, 200, 503, 503]
    limited = login.sign_in(site.jane)
    assert is_error(limited, 503, "temporarily_unavailable")
    assert limited.headers["retry-after"] == "5"


def test_scripts_of_registered_origins_only(site: Site) -> None:
    """Decision 20: authorize answers no other origin's scripts, so a page's own server begins the flow."""
    origin = "https://spa.example"
    login = NativeLogin(site, native_application(site, web_origins=(origin,))).begun()
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    allowed = site.http.options("/oauth2/authn", headers={"Origin": origin, **asked})
    assert allowed.headers["access-control-allow-origin"] == origin
    assert "access-control-allow-credentials" not in allowed.headers
    for path, other in (("/oauth2/authn", "https://evil.example"), ("/oauth2/authorize", origin)):
        refused = site.http.options(path, headers={"Origin": other, **asked})
        assert "access-control-allow-origin" not in refused.headers
    body = {"flowId": login.flow_id}
    answer = site.http.post("/oauth2/authn", json=body, headers={"Origin": origin})
    assert answer.headers["access-control-allow-origin"] == origin


def test_no_password_reaches_the_log(site: Site) -> None:
    login = NativeLogin(site, native_application(site)).begun()
    login.answer("jane", "a very secret word")
    login.answer("jane", "a very secret word", selectedAuthenticator={"authenticatorId": BASIC, "params": {}})
    log = site.server.log_since_mark()
    assert "a very secret word" not in log
    assert login.flow_id not in log
    assert "a very secret word" not in str([dict(event) for event in site.events()])


@pytest.mark.long
def test_a_script_that_refuses_at_once(site: Site) -> None:
    """Its code and message reach the application from the first answer, too; WSO2's shape has no place for a page."""
    source = "fail({ errorCode: 'closed', errorMessage: 'Not today.' })"
    client = native_application(site)
    given = script_hash(site, f"var onLoginRequest = function (c) {{ {source}; }};")
    site.update(client, sign_in_script=given)
    answer = NativeLogin(site, client).begin()
    assert is_error(answer, 400, "closed")
    assert answer.json()["description"] == "Not today."
