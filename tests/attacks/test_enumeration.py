"""Attack row 22: who exists here is nobody's to find out."""

import html
import re
import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import httpx
import pytest

from identity.administration import users
from identity.domain.tenants import RateLimit
from tests.attacks.targets import Target
from tests.support.browser import Page
from tests.support.builders import PASSWORD, Client, Pkce, Site
from tests.support.network import NO_TLS

pytestmark = pytest.mark.long

TRIES = 21
"""Timing is measured and printed, never judged: a busy machine must not fail a test."""


@pytest.fixture
def people(site: Site) -> Site:
    """jane is known, dora disabled, lena locked, mona must choose another password; nobody is called nora."""
    site.change_settings(lambda s: replace(s, login_limit_address=RateLimit(count=0, seconds=1), lockout_attempts=100))
    _ = site.jane
    for name in ("dora", "lena", "mona"):
        site.person(name, name=name.title(), email=f"{name}@example.org")
    site.in_tenant(lambda a, t: users.set_user_enabled(a, t, "dora", False))
    return site


def attempt(site: Site, client: Client, username: str, password: str) -> Page:
    page = site.browser().get(site.authorize_url(client))
    return page.submit("login-submit", username=username, password=password)


def shape(page: Page, username: str) -> tuple[object, ...]:
    """Everything about an answer but what differs every time and the name that was typed."""
    text = html.unescape(page.text).replace(username, "NAME")
    text = re.sub(r'name="csrf_token" value="[^"]+"|"challenge": "[^"]+"|[0-9a-f]{32}|[0-9a-f-]{36}', "", text)
    own = {"date", "set-cookie", "content-length"}
    headers = sorted((name.lower(), value) for name, value in page.headers if name.lower() not in own)
    return page.status, text, headers, page.header("set-cookie")


CASES: tuple[tuple[str, str, str], ...] = (
    ("jane", "wrong", "a known name"), ("nora", "wrong", "an unknown name"), ("dora", "wrong", "a disabled one"),
    ("dora", PASSWORD, "a disabled one, with the right password"), ("lena", PASSWORD, "a locked one, right password"),
    ("jane@example.org", "wrong", "a known address"), ("nora@example.org", "wrong", "an unknown address"),
    ("PRIMARY/jane", "wrong", "a known name with its store"), ("PRIMARY/nora", "wrong", "an unknown one"),
    ("NOWHERE/jane", "wrong", "an unknown store"), ("jane", "x" * 1025, "a password that is too long"),
    ("nora", "x" * 1025, "the same for an unknown name"), ("n" * 300, "wrong", "a name that nobody can have"),
    ("*", "wrong", "a filter"), ("jane'--", "wrong", "SQL"), ("ja\u200bne", "wrong", "a hidden letter"),
)  # fmt: skip


def test_every_refusal_looks_the_same(people: Site) -> None:
    client = people.application()
    people.change_settings(lambda s: replace(s, lockout_attempts=4))
    for _ in range(4):
        attempt(people, client, "lena", "wrong")
    shapes = {why: shape(attempt(people, client, name, password), name) for name, password, why in CASES}
    expected = shapes["an unknown name"]
    assert expected[0] == 422
    assert [why for why, seen in shapes.items() if seen != expected] == []


def test_an_empty_password_looks_the_same(people: Site) -> None:
    client = people.application()
    for name in ("jane", "nora"):
        page = attempt(people, client, name, "")
        assert shape(page, name) == shape(attempt(people, client, "nora", "wrong"), "nora")


def test_known_and_unknown_names_take_the_same_time(people: Site) -> None:
    client = people.application()
    medians: dict[str, float] = {}
    for name in ("jane", "nora", "dora"):
        times = []
        for _ in range(TRIES):
            page = people.browser().get(people.authorize_url(client))
            begun = time.perf_counter()
            page.submit("login-submit", username=name, password="wrong")
            times.append(time.perf_counter() - begun)
        medians[name] = statistics.median(times) * 1000
    print("login, median ms of", TRIES, {name: round(value, 2) for name, value in medians.items()})


Ask = Callable[[Target], httpx.Response]


def _introspect(token: str) -> Ask:
    return lambda target: target.site.http.post(
        "/oauth2/introspect", data={"token": token or target.refresh_token}, auth=_stranger(target).basic
    )


_STRANGERS: dict[str, Client] = {}


def _stranger(target: Target) -> Client:
    """One application for all rows, that none of the tokens is for."""
    handle = target.site.handle
    if handle not in _STRANGERS:
        _STRANGERS[handle] = target.site.application("Stranger")
    return _STRANGERS[handle]


def _token_of_nobody(prefix: str) -> str:
    return prefix + "A" * 43


class TestTheTokenRoad:
    def test_a_client_that_exists_and_one_that_does_not(self, target: Target) -> None:
        """Wrong secret, no such client, public client with a secret, disabled client: one answer."""
        site = target.site
        public, disabled = site.public_application(), site.machine()
        site.update(disabled, enabled=False)
        tries = [
            (target.client.client_id, "wrong"), ("nobody", "wrong"), (public.client_id, "wrong"),
            (disabled.client_id, str(disabled.secret)), (target.client.client_id, ""), ("", "x"), ("\u00e9", "x"),
            ("a" * 5000, "x"), ("nobody%00", "x"), ("nobody' or 1=1 --", "x"),
        ]  # fmt: skip
        for door in ("token", "introspect", "revoke"):
            form = {"grant_type": "client_credentials", "token": "x"}
            answers = [site.http.post(f"/oauth2/{door}", data=form, auth=pair) for pair in tries]
            assert {(each.status_code, each.text, each.headers["www-authenticate"]) for each in answers} == {
                (401, answers[0].text, 'Basic realm="oauth2"')
            }

    def test_codes_and_refresh_tokens_of_others_and_of_nobody(self, target: Target) -> None:
        site, pkce, stranger = target.site, Pkce(), _stranger(target)
        code = site.code(target.client, target.person, **pkce.parameters)
        answers = [
            site.redeem(stranger, code, code_verifier=pkce.verifier), site.redeem(stranger, _token_of_nobody("ac_")),
            site.redeem(target.client, code, code_verifier="v" * 43), site.redeem(stranger, "x"),
            site.refresh(stranger, target.refresh_token), site.refresh(stranger, _token_of_nobody("rt_")),
            site.refresh(stranger, "x"),
        ]  # fmt: skip
        assert {(each.status_code, each.text) for each in answers} == {(400, answers[0].text)}

    @pytest.mark.parametrize("token", ["", _token_of_nobody("at_"), _token_of_nobody("rt_"), "x", "a.b.c"])
    def test_introspection_of_others_tokens_and_of_nothing(self, target: Target, token: str) -> None:
        response = _introspect(token)(target)
        assert (response.status_code, response.text) == (200, '{"active":false}')

    def test_revocation_says_the_same_to_all(self, target: Target) -> None:
        stranger = _stranger(target)
        for token in (target.access_token, target.opaque, _token_of_nobody("at_"), "x", target.refresh_token):
            response = target.site.http.post("/oauth2/revoke", data={"token": token}, auth=stranger.basic)
            assert (response.status_code, response.content) == (200, b"")
        assert target.site.userinfo(target.access_token).status_code == 200

    def test_a_tenant_that_exists_and_one_that_does_not(self, target: Target) -> None:
        """An unknown tenant is an unknown page, and says no more than that."""
        answers = [
            httpx.get(f"{target.site.server.base_url}/t/{handle}{path}", trust_env=False, verify=NO_TLS)
            for handle in ("nobody", "no-such-tenant") for path in ("/oauth2/jwks", "/account", "/nothing")
        ]  # fmt: skip
        assert {(each.status_code, each.text) for each in answers} == {(404, "Not Found\n")}


def test_login_hint_tells_nothing(people: Site) -> None:
    client = people.application()
    shapes = {
        name: shape(people.browser().get(people.authorize_url(client, login_hint=name)), name)
        for name in ("jane", "nora")
    }  # fmt: skip
    assert shapes["jane"][1] == shapes["nora"][1]


def test_a_session_that_is_not_there_and_one_of_somebody_else(people: Site) -> None:
    """The account page's addresses and buttons, asked for what is not one's own."""
    client, browser, other = people.application(), people.browser(), people.browser()
    people.sign_in(client, people.jane, browser=browser)
    people.sign_in(client, people.person("otto"), browser=other)
    sid = other.get(f"{people.base}/account").text.split('name="end_session" value="')[1].split('"')[0]
    answers = []
    for chosen in (sid, "nothing"):
        token = browser.get(f"{people.base}/account").text.split('name="csrf_token" value="')[1].split('"')[0]
        page = browser.post(f"{people.base}/account", {"csrf_token": token, "end_session": chosen})
        answers.append((page.status, page.redirects[0].header("location")))
    assert answers[0] == answers[1]
