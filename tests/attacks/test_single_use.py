"""Attack row 14: values that are good once, used twice, by many at once, and at the doors of others."""

import asyncio
import base64
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from identity.domain.applications import CIBA, DEVICE_CODE, JWT_BEARER, TOKEN_EXCHANGE
from tests.attacks.decisions import approve_backchannel, approve_device, ask_backchannel, ask_for_device
from tests.attacks.targets import Target, location_parameters, raw_cookies
from tests.support.browser import Browser
from tests.support.builders import Client, Pkce, Site, claims_of
from tests.support.key_holder import KeyHolder
from tests.support.network import NO_TLS

pytestmark = pytest.mark.long

REDEMPTIONS = 200


def at_once(site: Site, count: int, **request: Any) -> list[httpx.Response]:
    """The same request so many times, none waiting for another."""

    async def everybody() -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=count)
        async with httpx.AsyncClient(
            base_url=site.base, trust_env=False, verify=NO_TLS, timeout=60, limits=limits
        ) as client:
            return await asyncio.gather(*(client.request(**request) for _ in range(count)))

    return asyncio.run(everybody())


def outcomes(responses: list[httpx.Response]) -> Counter[tuple[int, str | None]]:
    return Counter((each.status_code, each.json().get("error")) for each in responses)


@pytest.mark.spec("RFC 6749", "4.1.2")
@pytest.mark.spec("RFC 9700", "2.1.1")
@pytest.mark.parametrize("kind", ["opaque", "jwt"])
def test_two_hundred_redemptions_of_one_code(site: Site, kind: str) -> None:
    client = site.application(access_token_type=kind)
    pkce = Pkce()
    form = {
        "grant_type": "authorization_code", "code": site.code(client, site.jane, **pkce.parameters),
        "redirect_uri": client.redirect_uri, "code_verifier": pkce.verifier,
    }  # fmt: skip
    responses = at_once(site, REDEMPTIONS, method="POST", url="/oauth2/token", data=form, auth=client.basic)
    assert outcomes(responses) == {(200, None): 1, (400, "invalid_grant"): REDEMPTIONS - 1}
    winner = next(each.json() for each in responses if each.status_code == 200)
    # The one who won may be the thief: nothing that the code gave lives.
    assert not site.is_active(client, winner["access_token"])
    assert not site.is_active(client, winner["refresh_token"])
    assert site.userinfo(winner["access_token"]).status_code == 401
    assert site.refresh(client, winner["refresh_token"]).json()["error"] == "invalid_grant"
    assert [event["type"] for event in site.events()].count("application:code:replayed") == 1


@pytest.mark.spec("RFC 9700", "4.14.2")
def test_two_hundred_uses_of_one_refresh_token(site: Site) -> None:
    """A few are a client's retries (grace); the many are a replay, and it ends the family."""
    client = site.application()
    tokens = site.tokens(client, site.jane)
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    responses = at_once(site, REDEMPTIONS, method="POST", url="/oauth2/token", data=form, auth=client.basic)
    counted = outcomes(responses)
    # So many at once may find the database too slow on a busy machine: nothing was done for those.
    assert counted.keys() - {(503, "temporarily_unavailable")} == {(200, None), (400, "invalid_grant")}
    assert 1 <= counted[(200, None)] <= 5
    for given in [tokens, *(each.json() for each in responses if each.status_code == 200)]:
        assert not site.is_active(client, given["access_token"])
        assert site.refresh(client, given["refresh_token"]).json()["error"] == "invalid_grant"


@pytest.mark.spec("RFC 8628", "3.4")
@pytest.mark.spec("OpenID CIBA Core", "10.1.1")
@pytest.mark.parametrize("kind", ["device", "ciba"])
def test_two_hundred_redemptions_of_one_approval(site: Site, kind: str) -> None:
    grant = DEVICE_CODE if kind == "device" else CIBA
    client = site.application(grant_types=(grant, "refresh_token"), redirect_uris=())
    assert site.jane
    if kind == "device":
        answer = ask_for_device(site, client)
        approve_device(site, site.jane, answer["user_code"])
        form = {"grant_type": grant, "device_code": answer["device_code"]}
    else:
        form = {"grant_type": grant, "auth_req_id": ask_backchannel(site, client)["auth_req_id"]}
        approve_backchannel(site, site.jane)
    responses = at_once(site, REDEMPTIONS, method="POST", url="/oauth2/token", data=form, auth=client.basic)
    assert outcomes(responses) == {(200, None): 1, (400, "invalid_grant"): REDEMPTIONS - 1}
    winner = next(each.json() for each in responses if each.status_code == 200)
    assert not site.is_active(client, winner["access_token"])
    assert not site.is_active(client, winner["refresh_token"])
    assert [event["type"] for event in site.events()].count("application:code:replayed") == 1


def test_twenty_decisions_on_one_device_are_one(site: Site) -> None:
    client = site.application(grant_types=(DEVICE_CODE,), redirect_uris=())
    answer, browser = ask_for_device(site, client), site.browser()
    page = browser.get(f"{site.base}/oauth2/device?user_code={answer['user_code']}")
    page = page.submit("login-submit", username=site.jane.username, password=site.jane.password)
    form = {"csrf_token": _csrf(page.text), "user_code": answer["user_code"], "decision": "allow", "scope": "openid"}
    headers = {"Cookie": _cookie_header(browser), "Origin": site.server.base_url}
    responses = at_once(site, 20, method="POST", url="/oauth2/device", data=form, headers=headers)
    assert Counter(each.status_code for each in responses) == {303: 1, 410: 19}
    assert [event["type"] for event in site.events()].count("application:grant:issued") == 1


def test_fifty_ends_of_one_sign_in_give_one_code(site: Site) -> None:
    client = site.application()
    browser = site.browser()
    resume, cookies = _finished_but_not_resumed(site, client, browser)
    responses = at_once(site, 50, method="GET", url=resume, headers={"Cookie": cookies})
    assert Counter(each.status_code for each in responses) == {303: 1, 410: 49}
    codes = [location_parameters(each) for each in responses if each.status_code == 303]
    assert "code" in codes[0]


def test_fifty_answers_to_one_login_page_begin_one_session(site: Site) -> None:
    client = site.application()
    browser = site.browser()
    page = browser.get(site.authorize_url(client))
    form = {"username": site.jane.username, "password": site.jane.password, "csrf_token": _csrf(page.text)}
    headers = {"Cookie": _cookie_header(browser), "Origin": site.server.base_url}
    responses = at_once(site, 5, method="POST", url=page.url, data=form, headers=headers)
    assert Counter(each.status_code for each in responses)[303] == 1
    assert {each.status_code for each in responses} <= {303, 403, 410}
    assert [event["type"] for event in site.events()].count("user:session:started") == 1


def _finished_but_not_resumed(site: Site, client: Client, browser: Browser) -> tuple[str, str]:
    """The address at the end of a sign-in that the browser has not followed yet, and the cookies to follow it with."""
    page = browser.get(site.authorize_url(client))
    response = site.http.post(
        page.url,
        data={"username": site.jane.username, "password": site.jane.password, "csrf_token": _csrf(page.text)},
        headers={"Cookie": _cookie_header(browser), "Origin": site.server.base_url},
    )
    assert response.status_code == 303, response.text
    for header in response.headers.get_list("set-cookie"):
        browser.cookies.store(page.url, header)
    return site.server.base_url + response.headers["location"], _cookie_header(browser)


def _csrf(text: str) -> str:
    return text.split('name="csrf_token" value="')[1].split('"')[0]


def _cookie_header(browser: Browser) -> str:
    return "; ".join(f"{name}={value}" for name, value in raw_cookies(browser).items())


# The cross-use matrix: each value at every other door.


@dataclass(frozen=True)
class Values:
    """One of each value that the server hands out, all of them live and unused."""

    target: Target
    code: str
    verifier: str
    flow: str
    flow_cookie: str
    session_cookie: str
    csrf_token: str
    device_code: str
    user_code: str
    auth_req_id: str
    assertion: str

    def named(self) -> dict[str, str]:
        claims = claims_of(self.target.access_token)
        return {
            "code": self.code, "code_verifier": self.verifier, "access_token": self.target.opaque,
            "jwt_access_token": self.target.access_token, "id_token": self.target.id_token,
            "refresh_token": self.target.refresh_token, "flow": self.flow, "flow_cookie": self.flow_cookie,
            "session_cookie": self.session_cookie, "sid": claims_of(self.target.id_token)["sid"],
            "csrf_token": self.csrf_token, "client_secret": str(self.target.client.secret),
            "device_code": self.device_code, "user_code": self.user_code, "auth_req_id": self.auth_req_id,
            "assertion": self.assertion, "jti": claims["jti"], "grant": claims["jti"].partition(".")[0],
            "sub": claims["sub"],
        }  # fmt: skip


@pytest.fixture(scope="module")
def values(target: Target) -> Values:
    site, pkce = target.site, Pkce()
    # The door for user codes counts what is wrong; here everything else is tried at it.
    site.change_settings(lambda settings: replace(settings, lockout_attempts=0))
    holder = KeyHolder()
    grants = ("authorization_code", "refresh_token", DEVICE_CODE, CIBA, TOKEN_EXCHANGE, JWT_BEARER)
    site.update(target.client, grant_types=grants, may_impersonate=True, jwks=holder.jwks)
    device = ask_for_device(site, target.client)
    approve_device(site, target.person, device["user_code"])
    auth_req_id = ask_backchannel(site, target.client, target.person.username)["auth_req_id"]
    approve_backchannel(site, target.person)
    assertion = holder.assertion(target.client.client_id, site.issuer, sub=target.person.username)
    code = site.code(target.client, target.person, **pkce.parameters)
    browser = site.browser()
    page = browser.get(site.authorize_url(target.client))
    cookies = {**raw_cookies(target.browser), **raw_cookies(browser)}
    flow = urlsplit(page.url).path.rpartition("/")[2]
    session = next(value for name, value in cookies.items() if "sso-" in name)
    flow_cookie = next(value for name, value in cookies.items() if name.endswith(f"flow-{flow}"))
    return Values(
        target, code, pkce.verifier, flow, flow_cookie, session, _csrf(page.text), device["device_code"],
        ask_for_device(site, target.client)["user_code"], auth_req_id, assertion,
    )  # fmt: skip


Door = Callable[[Values, str], bool]


def as_code(values: Values, value: str) -> bool:
    return values.target.site.redeem(values.target.client, value, code_verifier=values.verifier).status_code == 200


def as_refresh_token(values: Values, value: str) -> bool:
    return values.target.site.refresh(values.target.client, value).status_code == 200


def as_device_code(values: Values, value: str) -> bool:
    form = {"grant_type": DEVICE_CODE, "device_code": value}
    return values.target.site.token(values.target.client, **form).status_code == 200


def as_auth_req_id(values: Values, value: str) -> bool:
    return values.target.site.token(values.target.client, grant_type=CIBA, auth_req_id=value).status_code == 200


def as_user_code(values: Values, value: str) -> bool:
    site = values.target.site
    cookie = {"Cookie": f"__Host-sso-{site.handle}={values.session_cookie}"}
    response = site.http.get("/oauth2/device", params={"user_code": _plain(value)}, headers=cookie)
    assert response.status_code in (200, 422)
    return response.status_code == 200


def as_subject_token(values: Values, value: str) -> bool:
    """Of whatever type it is said to be."""
    types = [
        f"urn:ietf:params:oauth:token-type:{name}" for name in ("access_token", "id_token", "jwt", "refresh_token")
    ]
    answers = [
        values.target.site.token(
            values.target.client, grant_type=TOKEN_EXCHANGE, subject_token=value, subject_token_type=type
        ).status_code
        for type in types
    ]
    return 200 in answers


def as_assertion(values: Values, value: str) -> bool:
    return values.target.site.token(values.target.client, grant_type=JWT_BEARER, assertion=value).status_code == 200


def as_bearer(values: Values, value: str) -> bool:
    return values.target.site.userinfo(value).status_code == 200


def as_introspected(values: Values, value: str) -> bool:
    return values.target.site.is_active(values.target.client, value)


def as_id_token_hint(values: Values, value: str) -> bool:
    response = values.target.site.http.get("/oidc/logout", params={"id_token_hint": value})
    assert response.status_code in (200, 400)
    return response.status_code == 200


def as_client_secret(values: Values, value: str) -> bool:
    target = values.target
    form = {"token": target.access_token}
    return target.site.http.post(
        "/oauth2/introspect", data=form, auth=(target.client.client_id, value)
    ).status_code == 200  # fmt: skip


def as_session_cookie(values: Values, value: str) -> bool:
    site = values.target.site
    response = site.http.get("/account", headers={"Cookie": f"__Host-sso-{site.handle}={_plain(value)}"})
    assert response.status_code in (200, 303)
    return response.status_code == 200


def as_flow_cookie(values: Values, value: str) -> bool:
    cookie = f"__Host-flow-{values.flow}={_plain(value)}"
    response = values.target.site.http.get(f"/login/{values.flow}", headers={"Cookie": cookie})
    assert response.status_code in (200, 410)
    return response.status_code == 200


def as_flow(values: Values, value: str) -> bool:
    """In every address that takes a flow, with a cookie of that name."""
    cookie = f"__Host-flow-{_plain(value)}={values.flow_cookie}"
    answers = [
        values.target.site.http.get(f"{path}/{_plain(value)}", headers={"Cookie": cookie}).status_code
        for path in ("/consent", "/login", "/account/sign-in", "/oauth2/authorize")
    ]
    assert set(answers) <= {200, 303, 404, 405, 410}
    return 200 in answers


def as_csrf_token(values: Values, value: str) -> bool:
    site = values.target.site
    response = site.http.post(
        f"/login/{values.flow}",
        data={"csrf_token": value, "username": "nobody", "password": "wrong"},
        headers={
            "Cookie": f"__Host-flow-{values.flow}={values.flow_cookie}", "Origin": site.server.base_url,
        },
    )  # fmt: skip
    assert response.status_code in (403, 422)
    return response.status_code == 422


def as_state_of_a_hidden_form(values: Values, value: str) -> bool:
    """The account page's form, which ends sessions and takes back consents."""
    site = values.target.site
    response = site.http.post(
        "/account", data={"csrf_token": value, "end_session": "x"},
        headers={"Cookie": f"__Host-sso-{site.handle}={values.session_cookie}", "Origin": site.server.base_url},
    )  # fmt: skip
    assert response.status_code in (303, 403)
    return response.status_code == 303


def _plain(value: str) -> str:
    return value if len(value) < 100 else value[:100]


DOORS: dict[str, tuple[Door, frozenset[str]]] = {
    "bearer": (as_bearer, frozenset({"access_token", "jwt_access_token"})),
    "introspect": (as_introspected, frozenset({"jwt_access_token", "refresh_token"})),
    "id_token_hint": (as_id_token_hint, frozenset({"id_token"})),
    "client_secret": (as_client_secret, frozenset({"client_secret"})),
    "session_cookie": (as_session_cookie, frozenset({"session_cookie"})),
    "flow_cookie": (as_flow_cookie, frozenset({"flow_cookie"})),
    "flow": (as_flow, frozenset({"flow"})),
    "csrf_token": (as_csrf_token, frozenset({"csrf_token"})),
    "account_csrf_token": (as_state_of_a_hidden_form, frozenset()),
    "user_code": (as_user_code, frozenset({"user_code"})),
    "subject_token": (as_subject_token, frozenset({"jwt_access_token", "id_token"})),
    "code": (as_code, frozenset({"code"})),
    "device_code": (as_device_code, frozenset({"device_code"})),
    "auth_req_id": (as_auth_req_id, frozenset({"auth_req_id"})),
    "assertion": (as_assertion, frozenset({"assertion"})),
    "refresh_token": (as_refresh_token, frozenset({"refresh_token"})),
}
"""Every door, and the values that are meant for it; doors that use a value up come last."""


@pytest.mark.parametrize("door", DOORS)
def test_a_value_opens_only_its_own_door(values: Values, door: str) -> None:
    attempt, _ = DOORS[door]
    named = values.named()
    opened = {name for name, value in named.items() if name not in DOORS[door][1] and attempt(values, value)}
    assert opened == set()


def test_the_right_value_still_opens_it(values: Values) -> None:
    """No wrong door uses a value up."""
    named = values.named()
    shut = [(name, door) for door, (attempt, own) in DOORS.items() for name in own if not attempt(values, named[name])]
    assert shut == []


@pytest.mark.parametrize("change", ["cut", "longer", "case", "prefix", "no prefix", "space", "doubled", "as JSON"])
def test_an_opaque_value_that_was_changed(values: Values, change: str) -> None:
    """Zitadel CVE-2026-27840: a token that was cut was taken for a whole one."""
    for value, door in ((values.target.opaque, "bearer"), (values.target.refresh_token, "introspect")):
        changed = {
            "cut": value[:-1], "longer": value + "A", "case": value[:3] + value[3:].swapcase(),
            "prefix": "at_" + value, "no prefix": value[3:], "space": value[:9] + " " + value[9:],
            "doubled": value + value, "as JSON": json.dumps([value]),
        }[change]  # fmt: skip
        assert not DOORS[door][0](values, changed)
    shifted = base64.urlsafe_b64encode(base64.urlsafe_b64decode(values.target.opaque[3:] + "=")[:-1]).decode()
    assert not as_bearer(values, "at_" + shifted)
