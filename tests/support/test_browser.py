"""The test browser behaves as browsers do."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.support.browser import Browser
from tests.support.cookies import CookieJar
from tests.support.tiny_site import Answer, Received, tiny_site

FORM = """<!doctype html><title>Sign in</title><body>
<form method="post" action="/login"><input type="hidden" name="csrf_token" value="t&amp;1">
<label>Name <input id="username" name="username" value="ada"></label><input type=password name=password>
<input type="checkbox" name="remember" checked> <input type="radio" name="account" value="1">
<input type="radio" name="account" value="2" checked><select name="lang" id="language"><option>en</option>
<option value="de">Deutsch</option></select><textarea name="note">
two
lines</textarea><input name="off" disabled value="x"><fieldset disabled><input name="off2" value="x"></fieldset>
<input type=submit name=go value=other><button id="login-submit" name="action" value="login">Sign <b>in</b></button>
<button id="login-cancel" name="action" value="cancel" formaction="/cancel" formmethod="get">Cancel</button></form>
<input form="outer" name="outside" value="o"><a id="elsewhere" href="https://shop.example/cart">Shop</a>
<a id="here" href="other?x=1">Here</a><form id=outer action="https://shop.example/cb" method=post>
<input type=hidden name=code value=c><button id="continue">Go on</button></form>"""


Answers = Mapping[str, Answer | Callable[[Received], Answer]]


def site(answers: Answers) -> Callable[[Received], Answer]:
    def handle(request: Received) -> Answer:
        answer = answers.get(request.path, Answer("nothing here", 404))
        return answer(request) if callable(answer) else answer

    return handle


def test_a_form_is_sent_as_a_person_left_it() -> None:
    with tiny_site(site({"/": Answer(FORM), "/login": Answer("welcome")})) as (address, received):
        page = Browser(address).get("/")
        assert page.element("login-submit").text == "Sign in"
        assert page.submit("login-submit", password="pässword", remember=False).text == "welcome"
        assert received[-1].fields == [
            ("csrf_token", "t&1"),
            ("username", "ada"),
            ("password", "pässword"),
            ("account", "2"),
            ("lang", "en"),
            ("note", "two\nlines"),
            ("action", "login"),
        ]


def test_fields_are_found_by_name_and_id_and_offer_what_they_offer() -> None:
    with tiny_site(site({"/": Answer(FORM), "/cancel": Answer("bye")})) as (address, received):
        page = Browser(address).get("/")
        page.submit("login-cancel", username="bob", language="de", account="1")
        assert received[-1].method == "GET"
        assert {"username": "bob", "lang": "de", "account": "1", "action": "cancel", "remember": "on"}.items() <= (
            received[-1].query.items()
        )
        with pytest.raises(AssertionError, match="offers"):
            page.submit("login-submit", lang="fr")


@pytest.mark.parametrize("name", ["csrf_token", "off", "off2", "action", "code", "nothing"])
def test_nobody_can_fill_in_what_is_hidden_disabled_or_elsewhere(name: str) -> None:
    with tiny_site(site({"/": Answer(FORM)})) as (address, _):
        page = Browser(address).get("/")
    values: dict[str, Any] = {name: "x"}
    with pytest.raises(AssertionError, match="nobody could fill in"):
        page.submit("login-submit", **values)


def test_an_attacker_can_forge_hidden_fields() -> None:
    with tiny_site(site({"/": Answer(FORM), "/login": Answer("")})) as (address, received):
        Browser(address).get("/").submit("login-submit", forged={"csrf_token": "forged", "extra": "1"})
        assert {("csrf_token", "forged"), ("extra", "1")} <= set(received[-1].fields)
        assert ("csrf_token", "t&1") not in received[-1].fields


def test_redirects_are_followed_here_and_stop_where_we_would_be_left() -> None:
    answers: Answers = {
        "/start": Answer(status=303, headers=(("Location", "/middle"),)),
        "/middle": Answer(status=302, headers=(("Location", "http://127.0.0.1:9999/cb?code=1&state=a%20b#x=y"),)),
    }
    with tiny_site(site(answers)) as (address, received):
        page = Browser(address).post("/start", {"a": "b"})
        assert [(request.method, request.path) for request in received] == [("POST", "/start"), ("GET", "/middle")]
        assert page.status == 302
        assert page.url == address + "/middle"
        assert page.left_for is not None
        assert page.left_for.method == "GET"
        assert page.left_for.parameters == {"code": "1", "state": "a b", "x": "y"}


def test_a_form_and_a_link_to_another_site_are_not_sent() -> None:
    with tiny_site(site({"/": Answer(FORM)})) as (address, received):
        page = Browser(address).get("/")
        posted = page.click("continue")
        assert posted.left_for is not None
        assert (posted.left_for.method, posted.left_for.url) == ("POST", "https://shop.example/cb")
        assert posted.left_for.parameters == {"code": "c", "outside": "o"}
        followed = page.click("elsewhere")
        assert followed.left_for is not None
        assert followed.left_for.url == "https://shop.example/cart"
        assert page.click("here").status == 404
        assert [request.path for request in received] == ["/", "/other"]


@pytest.mark.parametrize("status", [307, 308])
def test_some_redirects_repeat_the_form(status: int) -> None:
    answers: Answers = {
        "/a": Answer(status=status, headers=(("Location", "/b"),)),
        "/b": Answer("there"),
    }
    with tiny_site(site(answers)) as (address, received):
        assert Browser(address).post("/a", {"x": "1"}).text == "there"
        assert (received[-1].method, received[-1].fields) == ("POST", [("x", "1")])


def test_a_circle_of_redirects_ends() -> None:
    circle = site({"/": Answer(status=302, headers=(("Location", "/"),))})
    with tiny_site(circle) as (address, _), pytest.raises(AssertionError, match="circle"):
        Browser(address).get("/")


def test_what_browsers_say_about_where_a_request_comes_from() -> None:
    pages: Answers = {
        "/": Answer(FORM),
        "/secret": Answer(FORM, headers=(("Referrer-Policy", "no-referrer"),)),
        "/login": Answer(""),
    }
    with tiny_site(site(pages)) as (address, received):
        browser = Browser(address)
        browser.get("/")
        assert received[-1].headers["sec-fetch-site"] == "none"
        assert not {"origin", "referer"} & received[-1].headers.keys()
        browser.get("/?x#y").submit("login-submit")
        said = received[-1].headers
        assert (said["origin"], said["sec-fetch-site"], said["referer"]) == (address, "same-origin", address + "/?x")
        browser.get("/secret").submit("login-submit")
        assert (received[-1].headers["origin"], received[-1].headers["sec-fetch-site"]) == ("null", "same-origin")
        assert "referer" not in received[-1].headers
        browser.post("/login", {}, from_site="https://evil.example/page")
        said = received[-1].headers
        assert (said["origin"], said["sec-fetch-site"]) == ("https://evil.example", "cross-site")
        assert said["referer"] == "https://evil.example/"
        browser.get("/", from_site="http://localhost:1/")
        assert received[-1].headers["sec-fetch-site"] == "same-site"


def test_cookies_travel_as_their_rules_say() -> None:
    given = (
        ("Set-Cookie", "__Host-sso-root=s; Path=/; Secure; HttpOnly; SameSite=Lax"),
        ("Set-Cookie", "strict=1; Path=/; SameSite=Strict"),
        ("Set-Cookie", "flow=2; Path=/login/7"),
        ("Set-Cookie", "everywhere=3; Path=/; Secure; SameSite=None"),
    )
    pages: Answers = {"/": Answer(headers=given)}
    with tiny_site(site(pages)) as (address, got):
        browser = Browser(address)
        browser.get("/")
        browser.get("/login/7")
        assert got[-1].headers["cookie"] == "flow=2; __Host-sso-root=s; strict=1; everywhere=3"
        browser.get("/login/77", from_site="https://evil.example/")
        assert got[-1].headers["cookie"] == "__Host-sso-root=s; everywhere=3"
        browser.post("/login/7", {}, from_site="https://evil.example/")
        assert got[-1].headers["cookie"] == "everywhere=3"


@pytest.mark.parametrize(
    "header",
    [
        "__Host-a=1; Path=/",
        "__Host-a=1; Secure",
        "__Host-a=1; Secure; Path=/; Domain=localhost",
        "__Secure-a=1; Path=/",
        "a=1; SameSite=None",
        "a=1; Domain=example.org",
        f"a={'x' * 4096}",
    ],
)
def test_cookies_that_browsers_drop(header: str) -> None:
    assert not CookieJar().store("http://localhost:8080/oauth2/authorize", header)


def test_secure_cookies_are_dropped_on_plain_addresses_other_than_localhost() -> None:
    jar = CookieJar()
    assert not jar.store("http://127.0.0.1/", "a=1; Secure")
    assert jar.store("http://localhost/", "a=1; Secure")


def test_cookies_expire_and_are_replaced() -> None:
    time = [1000.0]
    jar = CookieJar(lambda: time[0])
    jar.store("http://localhost/a/b", "one=1; Max-Age=10")
    jar.store("http://localhost/a/b", "two=2; Expires=Thu, 01 Jan 1970 00:20:00 GMT; Path=/")
    jar.store("http://localhost/a/b", "three=3")
    assert jar.header("http://localhost/a/c") == "one=1; three=3; two=2"
    assert jar.header("http://localhost/ab") == "two=2"
    time[0] = 1011
    assert [cookie.name for cookie in jar.all()] == ["two", "three"]
    jar.store("http://localhost/a/", "three=; Max-Age=0")
    assert jar.find("three") is None
    jar.store("http://localhost/", "four=4")
    jar.close_browser()
    assert jar.value("two") == "2"
    assert len(jar.all()) == 1
