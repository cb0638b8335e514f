"""The login page, single sign-on, cookies (decisions 17 and 18), lockout and limits."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from identity.administration import users
from identity.domain.tenants import RateLimit
from tests.support.browser import Browser, Page
from tests.support.builders import PASSWORD, Site, response_parameters
from tests.support.in_process import TimedSite
from tests.support.server import RunningServer, start_server

REFUSED = "The username or the password is not right."


def login_page(site: Site, browser: Browser | None = None) -> Page:
    return (browser or site.browser()).get(site.authorize_url(site.application()))


def try_to_sign_in(site: Site, username: str, password: str, browser: Browser | None = None) -> Page:
    return login_page(site, browser).submit("login-submit", username=username, password=password)


def succeeded(page: Page) -> bool:
    return page.left_for is not None and "code" in page.left_for.parameters


def test_single_sign_on_across_applications(site: Site) -> None:
    browser = site.browser()
    first, second = site.application("First"), site.application("Second")
    assert succeeded(site.sign_in(first, site.jane, browser=browser))
    page = browser.get(site.authorize_url(second))
    assert succeeded(page)
    assert page.redirects == []


@pytest.mark.parametrize("cause", ["wrong password", "unknown name", "disabled", "locked", "empty password", "no name"])
def test_every_refusal_looks_the_same(site: Site, cause: str) -> None:
    site.person("known")
    if cause == "disabled":
        site.in_tenant(lambda a, t: users.set_user_enabled(a, t, "known", False))
    if cause == "locked":
        for _ in range(5):
            try_to_sign_in(site, "known", "wrong")
    username = {"unknown name": "nobody", "no name": ""}.get(cause, "known")
    password = {"wrong password": "wrong", "empty password": ""}.get(cause, PASSWORD)
    page = try_to_sign_in(site, username, password)
    assert page.status == 422
    assert REFUSED in page.text
    assert page.header("set-cookie") is None


@pytest.mark.parametrize("username", ["jane", "JANE", "PRIMARY/jane", "primary/Jane", "jane@example.org"])
def test_spellings_of_a_name(site: Site, username: str) -> None:
    _ = site.jane
    assert succeeded(try_to_sign_in(site, username, PASSWORD))


def test_a_failed_try_can_be_followed_by_a_good_one(site: Site) -> None:
    _ = site.jane
    page = try_to_sign_in(site, "jane", "wrong")
    assert page.element("username").attributes["value"] == "jane"
    assert "value" not in page.element("password").attributes
    assert succeeded(page.submit("login-submit", password=PASSWORD))


@pytest.mark.spec("RFC 6749", "4.1.2.1")
def test_cancelling_tells_the_application(site: Site) -> None:
    answer = response_parameters(login_page(site).submit("login-cancel"))
    assert (answer["error"], answer["state"], answer["iss"]) == ("access_denied", "the-state", site.issuer)


def test_a_finished_flow_is_used_up(site: Site) -> None:
    browser = site.browser()
    page = login_page(site, browser)
    assert succeeded(page.submit("login-submit", username="jane", password=site.jane.password))
    again = browser.get(page.url)
    assert again.status == 410
    assert again.has("error-page")


def test_a_flow_expires(timed: TimedSite) -> None:
    page = login_page(timed)
    timed.clock.advance(1801)
    assert page.submit("login-submit", username="jane", password=PASSWORD).has("error-page")


def test_a_reload_after_a_failed_try_shows_the_page_again(site: Site) -> None:
    browser = site.browser()
    page = login_page(site, browser)
    page.submit("login-submit", username="nobody", password="x")
    assert browser.get(page.url).has("login-submit")


# Decision 18: a flow is bound to its browser.


def test_login_csrf_by_a_foreign_flow(site: Site) -> None:
    page = login_page(site)
    victim = site.browser()
    stolen = victim.get(page.url)
    assert (stolen.status, stolen.has("error-page")) == (410, True)


def test_resume_of_a_foreign_flow(site: Site) -> None:
    page = login_page(site)
    flow = page.url.rpartition("/")[2]
    for path in (f"/oauth2/authorize/{flow}", f"/consent/{flow}"):
        assert site.browser().get(site.base + path).status == 410


@pytest.mark.parametrize("token", ["", "wrong", "{other}"])
def test_a_form_without_its_token(site: Site, token: str) -> None:
    _ = site.jane
    browser = site.browser()
    page, other = login_page(site, browser), login_page(site, browser)
    foreign = next(
        e.attributes["value"] for e in other.document.all("input") if e.attributes.get("name") == "csrf_token"
    )
    answer = page.submit(
        "login-submit", forged={"csrf_token": token.format(other=foreign)}, username="jane", password=PASSWORD
    )
    assert (answer.status, answer.has("error-page")) == (403, True)


def test_a_form_from_another_site(site: Site) -> None:
    browser = site.browser()
    page = login_page(site, browser)
    answer = browser.post(page.url, {"username": "jane", "password": PASSWORD}, from_site="https://evil.example/")
    assert answer.status == 403


def test_session_fixation(site: Site) -> None:
    browser = site.browser()
    login_page(site, browser)
    name = f"__Host-sso-{site.handle}"
    browser.cookies.store(site.base, f"{name}=chosen-by-the-attacker; Path=/; Secure; HttpOnly")
    try_to_sign_in(site, "jane", site.jane.password, browser)
    first = browser.cookies.value(name)
    assert first != "chosen-by-the-attacker"
    page = browser.get(site.authorize_url(site.application(), prompt="login"))
    page.submit("login-submit", username="jane", password=PASSWORD)
    assert browser.cookies.value(name) != first


# Decision 17: cookies.


def test_the_session_cookie(site: Site) -> None:
    browser = site.browser()
    page = login_page(site, browser)
    flow = browser.cookies.find("__Host-flow-" + page.url.rpartition("/")[2])
    assert flow is not None
    page.submit("login-submit", username="jane", password=site.jane.password)
    cookie = browser.cookies.find(f"__Host-sso-{site.handle}")
    assert cookie is not None
    for each in (flow, cookie):
        assert (each.same_site, each.path) == ("lax", "/")
        assert all((each.secure, each.http_only, each.host_only))
        assert len(each.value) == 43
    assert cookie.expires_at is None
    assert browser.cookies.find(flow.name) is None


def test_keep_me_signed_in(site: Site) -> None:
    browser, client = site.browser(), site.application()
    browser.get(site.authorize_url(client)).submit(
        "login-submit", username="jane", password=site.jane.password, remember=True
    )
    browser.cookies.close_browser()
    assert succeeded(browser.get(site.authorize_url(client)))
    forgetful = site.browser()
    site.sign_in(client, site.jane, browser=forgetful)
    forgetful.cookies.close_browser()
    assert forgetful.get(site.authorize_url(client)).has("login-submit")


@pytest.mark.parametrize(
    ("remember", "after", "alive"),
    [(False, 8 * 3600 - 1, True), (False, 8 * 3600, False), (True, 14 * 86400 - 1, True), (True, 14 * 86400, False)],
)
def test_how_long_a_session_idles(timed: TimedSite, remember: bool, after: int, alive: bool) -> None:
    browser, client = timed.browser(), timed.application()
    browser.get(timed.authorize_url(client)).submit(
        "login-submit", username="jane", password=timed.jane.password, remember=remember
    )
    timed.clock.advance(after)
    assert succeeded(browser.get(timed.authorize_url(client))) is alive


def test_a_session_ends_for_good_after_thirty_days(timed: TimedSite) -> None:
    browser, client = timed.browser(), timed.application()
    browser.get(timed.authorize_url(client)).submit(
        "login-submit", username="jane", password=timed.jane.password, remember=True
    )
    for _ in range(3):
        timed.clock.advance(9 * 86400)
        assert succeeded(browser.get(timed.authorize_url(client)))
    timed.clock.advance(3 * 86400)
    assert not succeeded(browser.get(timed.authorize_url(client)))


def test_the_cookie_of_another_tenant_is_nobodys(site: Site, server: RunningServer) -> None:
    browser = site.browser()
    try_to_sign_in(site, "jane", site.jane.password, browser)
    value = browser.cookies.value(f"__Host-sso-{site.handle}")
    other = Site(server, f"{site.handle}x", site.tenant.settings)
    try:
        browser.cookies.store(other.base, f"__Host-sso-{other.handle}={value}; Path=/; Secure; HttpOnly")
        assert browser.get(other.authorize_url(other.application())).has("login-submit")
    finally:
        other.close()


def test_no_cookie_is_stored_in_the_clear(site: Site) -> None:
    browser = site.browser()
    try_to_sign_in(site, "jane", site.jane.password, browser)
    value = browser.cookies.value(f"__Host-sso-{site.handle}")
    assert value not in "\n".join(site.server.program.lines)
    database = site.server.data / "identity.sqlite3"
    if database.exists():
        assert value.encode() not in database.read_bytes()


@pytest.fixture
def demo(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunningServer]:
    server = start_server("sqlite", request, tmp_path, demo="true")
    yield server
    server.stop()


def test_only_demo_mode_has_plain_cookies(demo: RunningServer) -> None:
    browser = Browser(demo.base_url)
    page = browser.get("/account/sign-in")
    assert "Demo installation" in page.text
    page.submit("login-submit", username="ada", password="ada-demo-password")
    cookie = browser.cookies.find("sso-root")
    assert cookie is not None
    assert (cookie.secure, cookie.http_only, cookie.same_site) == (False, True, "lax")


# Lockout and limits.


def test_an_account_is_locked_after_five_tries_and_free_after_five_minutes(timed: TimedSite) -> None:
    _ = timed.jane
    for _ in range(5):
        try_to_sign_in(timed, "jane", "wrong")
    assert not succeeded(try_to_sign_in(timed, "jane", PASSWORD))
    timed.clock.advance(299)
    assert not succeeded(try_to_sign_in(timed, "jane", PASSWORD))
    timed.clock.advance(2)
    assert succeeded(try_to_sign_in(timed, "jane", PASSWORD))
    assert [event["type"] for event in timed.events()].count("user:account:locked") == 1


def test_a_lock_counts_every_spelling_of_a_name(site: Site) -> None:
    _ = site.jane
    for name in ("jane", "JANE", "PRIMARY/jane", "Jane ", "primary/JANE"):
        try_to_sign_in(site, name, "wrong")
    assert not succeeded(try_to_sign_in(site, "jane", PASSWORD))


def test_success_forgets_the_tries(site: Site) -> None:
    _ = site.jane
    for _ in range(2):
        for _ in range(4):
            try_to_sign_in(site, "jane", "wrong")
        assert succeeded(try_to_sign_in(site, "jane", PASSWORD))


def test_tries_are_forgotten_after_their_window(timed: TimedSite) -> None:
    _ = timed.jane
    for _ in range(4):
        try_to_sign_in(timed, "jane", "wrong")
    timed.clock.advance(901)
    try_to_sign_in(timed, "jane", "wrong")
    assert succeeded(try_to_sign_in(timed, "jane", PASSWORD))


def test_one_locked_account_locks_nobody_else(site: Site) -> None:
    _ = site.jane
    for _ in range(6):
        try_to_sign_in(site, "mallory", "x")
    assert succeeded(try_to_sign_in(site, "jane", PASSWORD))


def test_the_lockout_can_be_switched_off(site: Site) -> None:
    _ = site.jane
    site.change_settings(lambda settings: replace(settings, lockout_attempts=0))
    for _ in range(7):
        try_to_sign_in(site, "jane", "wrong")
    assert succeeded(try_to_sign_in(site, "jane", PASSWORD))


@pytest.mark.parametrize("limit", ["login_limit_address", "login_limit_tenant"])
def test_limits_per_address_and_tenant(site: Site, limit: str) -> None:
    _ = site.jane
    site.change_settings(lambda settings: replace(settings, **{limit: RateLimit(count=2, seconds=3600)}))  # type: ignore[arg-type]
    for name in ("a", "b"):
        assert try_to_sign_in(site, name, "x").status == 422
    page = try_to_sign_in(site, "jane", PASSWORD)
    assert page.status == 503
    assert page.header("retry-after") is not None
    assert "cannot check" in page.text


def test_sign_ins_are_events(site: Site) -> None:
    try_to_sign_in(site, "jane", "wrong")
    try_to_sign_in(site, "jane", site.jane.password)
    types = [event["type"] for event in site.events()]
    assert types.count("user:password:refused") == 1
    assert types.count("user:session:started") == 1
    assert "application:grant:issued" in types


# The page itself.


def test_the_headers_of_a_page(site: Site) -> None:
    page = login_page(site)
    policy = page.header("content-security-policy") or ""
    assert "default-src 'none'" in policy
    assert "form-action 'self' https://app.example" in policy
    assert "unsafe" not in policy
    assert page.header("cache-control") == "no-store"
    assert page.header("x-frame-options") == "DENY"
    assert page.header("x-content-type-options") == "nosniff"
    # Decision 22: it would cut pop-up sign-in.
    assert page.header("cross-origin-opener-policy") is None


def test_the_login_page_names_the_application_and_works_without_script(site: Site) -> None:
    page = site.browser().get(site.authorize_url(site.application("Orders & Co")))
    assert "Orders & Co" in page.document.text
    assert "app.example" in page.document.text
    form = page.element("login-submit").above("form")
    assert form is not None
    assert form.attributes["method"] == "post"
