"""Sign-in as JSON under attack: rows 14, 15, 21, 22 and 30, as for the pages."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import httpx
import pytest

from identity.administration import users
from identity.domain.tenants import RateLimit
from tests.attacks.targets import location_parameters
from tests.support.builders import Site, response_parameters
from tests.support.in_process import TimedSite
from tests.support.native_login import BASIC, NativeLogin, native_application

COMPLETED = "SUCCESS_COMPLETED"


def begun(site: Site) -> NativeLogin:
    return NativeLogin(site, native_application(site)).begun()


def without_a_code(response: httpx.Response) -> bool:
    return "code" not in response.json().get("authData", {}) and response.status_code in (200, 400, 410)


# Row 15: each step first, last, twice, empty, and with another flow's id.


def test_the_last_step_first(site: Site) -> None:
    login = NativeLogin(site, native_application(site))
    for flow_id in ("x.y", "01a2b3c4-0000-7000-8000-000000000000." + "a" * 43):
        response = login.answer(site.jane.username, site.jane.password, flowId=flow_id)
        assert (response.status_code, response.json()["code"]) == (410, "flow_expired")


def test_the_last_step_twice(site: Site) -> None:
    login = begun(site)
    assert login.code(site.jane)
    again = login.sign_in(site.jane)
    assert (again.status_code, again.json()["code"]) == (410, "flow_expired")


def test_empty_steps_pass_nothing(site: Site) -> None:
    """authentik CVE-2026-49443: an empty POST passed a stage."""
    login = begun(site)
    bodies: list[dict[str, Any]] = [
        {},
        {"flowId": login.flow_id},
        {"flowId": login.flow_id, "selectedAuthenticator": {"authenticatorId": BASIC}},
        {"flowId": login.flow_id, "selectedAuthenticator": {"authenticatorId": BASIC, "params": {}}},
        {"flowId": login.flow_id, "flowStatus": COMPLETED},
    ]
    assert all(without_a_code(login.post(body)) for body in bodies)
    assert login.code(site.jane)


def test_one_flows_id_with_anothers_secret(site: Site) -> None:
    first, second = begun(site), begun(site)
    mixed = f"{first.flow_id.partition('.')[0]}.{second.flow_id.partition('.')[2]}"
    assert first.answer(site.jane.username, site.jane.password, flowId=mixed).status_code == 410
    assert first.code(site.jane)
    assert second.code(site.jane)


def test_a_flow_of_another_tenant(site: Site, timed: TimedSite) -> None:
    login = begun(site)
    foreign = timed.http.post("/oauth2/authn", json={
        "flowId": login.flow_id,
        "selectedAuthenticator": {"authenticatorId": BASIC, "params": {"username": "jane", "password": "x"}},
    })  # fmt: skip
    assert foreign.status_code == 410


def test_of_answers_at_the_same_time_one_gets_a_code(site: Site) -> None:
    """Row 14."""
    login = begun(site)
    _ = site.jane
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: login.sign_in(site.jane), range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [410] * 7
    assert sum("authData" in answer.json() for answer in answers) == 1


# Row 14: each value at the other's door.


def test_a_page_does_not_go_on_with_it(site: Site) -> None:
    login = begun(site)
    flow, _, secret = login.flow_id.partition(".")
    cookie = {"Cookie": f"__Host-flow-{flow}={secret}"}
    for path in ("/login", "/consent", "/oauth2/authorize"):
        assert site.http.get(f"{path}/{flow}", headers=cookie).status_code == 410, path
    form = {"username": site.jane.username, "password": site.jane.password}
    headers = cookie | {"Origin": site.server.base_url}
    assert site.http.post(f"/login/{flow}", data=form, headers=headers).status_code == 410
    assert login.code(site.jane)


def test_it_does_not_go_on_with_a_pages_flow(site: Site) -> None:
    client = native_application(site)
    browser = site.browser()
    login = NativeLogin(site, client)
    page = browser.get(site.authorize_url(client, **login.pkce.parameters))
    flow = page.url.rpartition("/")[2]
    cookie = browser.cookies.find(f"__Host-flow-{flow}")
    assert cookie is not None
    response = login.answer(site.jane.username, site.jane.password, flowId=f"{flow}.{cookie.value}")
    assert response.status_code == 410
    assert "code" in response_parameters(
        page.submit("login-submit", username=site.jane.username, password=site.jane.password)
    )


def test_the_flow_id_is_no_token_and_no_code(site: Site) -> None:
    login = begun(site)
    assert site.userinfo(login.flow_id).status_code == 401
    assert login.redeem(login.flow_id).status_code == 400
    assert site.refresh(login.client, login.flow_id).status_code == 400


# Row 30: an attacker's flow in somebody else's browser.


def test_cookies_that_come_along_are_not_looked_at(site: Site) -> None:
    """Neither is the session of the browser used, nor ended by another person's sign-in."""
    browser = site.browser()
    client = native_application(site)
    login = NativeLogin(site, client)
    site.sign_in(client, site.jane, browser=browser, **login.pkce.parameters)
    cookie = browser.cookies.find(f"__Host-sso-{site.handle}")
    assert cookie is not None
    headers = {"Cookie": f"{cookie.name}={cookie.value}"}
    silent = site.http.post("/oauth2/authorize", data=login.request(prompt="none"), headers=headers)
    assert silent.json()["code"] == "login_required"
    started = site.http.post("/oauth2/authorize", data=login.request(), headers=headers).json()
    assert started["flowStatus"] == "INCOMPLETE"
    other = site.person("other")
    body = {
        "flowId": started["flowId"],
        "selectedAuthenticator": {
            "authenticatorId": BASIC, "params": {"username": other.username, "password": other.password},
        },
    }  # fmt: skip
    answer = site.http.post("/oauth2/authn", json=body, headers=headers)
    assert answer.json()["flowStatus"] == COMPLETED
    assert "set-cookie" not in answer.headers
    still = browser.get(site.authorize_url(client, prompt="none", **login.pkce.parameters))
    assert "code" in response_parameters(still)


def test_a_code_is_of_no_use_without_the_verifier(site: Site) -> None:
    login = begun(site)
    code = login.code(site.jane)
    assert site.redeem(login.client, code, code_verifier="a" * 43).status_code == 400


# Rows 21 and 22.


def test_guessing_locks_the_account_as_on_the_page(timed: TimedSite) -> None:
    unlimited = RateLimit(count=0, seconds=1)
    timed.change_settings(lambda s: replace(s, login_limit_address=unlimited, lockout_attempts=3, lockout_seconds=300))
    timed.clock.advance(2)
    login = begun(timed)
    for _ in range(3):
        assert login.answer(timed.jane.username, "wrong").json()["flowStatus"] == "FAIL_INCOMPLETE"
    assert login.sign_in(timed.jane).json()["flowStatus"] == "FAIL_INCOMPLETE"
    assert begun(timed).sign_in(timed.jane).json()["flowStatus"] == "FAIL_INCOMPLETE"
    page = timed.browser().get(timed.authorize_url(timed.application()))
    assert page.submit("login-submit", username="jane", password=timed.jane.password).has("login-submit")
    timed.clock.advance(301)
    assert begun(timed).code(timed.jane)


def test_every_refusal_looks_the_same(timed: TimedSite) -> None:
    site = timed
    site.change_settings(lambda s: replace(s, lockout_attempts=1, lockout_seconds=300))
    site.clock.advance(2)
    _ = site.jane
    disabled, locked = site.person("disabled"), site.person("locked")
    site.in_tenant(lambda a, t: users.set_user_enabled(a, t, "disabled", False))
    begun(site).answer("locked", "wrong")
    tries = [
        ("jane", "wrong"), ("nobody", "wrong"), ("disabled", disabled.password), ("locked", locked.password),
        ("SECONDARY/jane", "wrong"), ("jane@example.org", "wrong"),
    ]  # fmt: skip
    shapes = set()
    for username, password in tries:
        login = begun(site)
        response = login.answer(username, password)
        names = tuple(sorted(name for name in response.headers if name not in ("date",)))
        shapes.add((response.status_code, response.text.replace(login.flow_id, ""), names))
    assert len(shapes) == 1


@pytest.mark.parametrize("hint", ["jane", "nobody"])
def test_a_login_hint_tells_nothing(site: Site, hint: str) -> None:
    _ = site.jane
    login = NativeLogin(site, native_application(site))
    shown = login.begin(login_hint=hint).json()
    assert shown | {"flowId": ""} == login.begin().json() | {"flowId": ""}


def test_the_answer_goes_to_the_caller_and_nowhere_else(site: Site) -> None:
    """No redirect, whatever the address: a native application's scheme may be anybody's."""
    client = native_application(site, redirect_uris=("com.example.app:/cb",))
    login = NativeLogin(site, client).begun()
    answer = login.sign_in(site.jane)
    assert (answer.status_code, location_parameters(answer)) == (200, {})
    assert answer.json()["authData"].keys() == {"code", "state", "iss"}
