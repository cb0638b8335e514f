"""Session Management 1.0: `session_state`, the browser state behind it, and the frame that compares them."""

import hashlib

import pytest

from identity.authn.cookies import Cookies
from identity.authn.session_state import session_state, web_origin
from identity.web.messages import Response
from tests.support.browser import Browser
from tests.support.builders import Client, Site, claims_of, response_parameters
from tests.support.in_process import TimedSite
from tests.support.signed_in import SignedIn
from tests.tokens.made_keys import tenant_with

ORIGIN = "https://app.example"


def browser_state(site: Site, browser: Browser) -> str:
    cookie = browser.cookies.find(f"__Host-opbs-{site.handle}")
    return "" if cookie is None else cookie.value


def is_current(site: Site, browser: Browser, client: Client, value: str) -> bool:
    """What the frame says to a page of the application (Session Management §3.2)."""
    digest, salt = value.split(".")
    text = " ".join((client.client_id, ORIGIN, browser_state(site, browser), salt))
    return hashlib.sha256(text.encode()).hexdigest() == digest


@pytest.mark.spec("OpenID Connect Session Management", "2")
def test_a_response_tells_the_state_of_the_session(site: Site) -> None:
    here = SignedIn(site)
    value = here.response["session_state"]
    assert " " not in value
    assert is_current(site, here.browser, here.client, value)
    assert not is_current(site, site.browser(), here.client, value)


@pytest.mark.spec("JARM", "2.1")
def test_in_a_signed_response_it_is_a_claim(site: Site) -> None:
    client, browser = site.application(), site.browser()
    answer = response_parameters(site.sign_in(client, site.jane, browser=browser, response_mode="jwt"))
    assert answer.keys() == {"response"}
    assert is_current(site, browser, client, claims_of(answer["response"])["session_state"])


def test_without_openid_there_is_none(site: Site) -> None:
    client = site.application(scopes=("read",))
    assert "session_state" not in response_parameters(site.sign_in(client, site.jane, scope="read"))


def test_an_application_without_web_origin_gets_none(site: Site) -> None:
    client = site.public_application(redirect_uris=("com.example.app:/cb",))
    page = site.sign_in(
        client, site.jane, browser=site.browser(), code_challenge="a" * 43, code_challenge_method="S256"
    )
    assert "code=" in page.text
    assert "session_state" not in page.text


@pytest.mark.spec("OpenID Connect Session Management", "3.1")
def test_it_stays_while_the_session_runs_and_changes_with_its_end(site: Site) -> None:
    here = SignedIn(site)
    value = here.response["session_state"]
    state = browser_state(site, here.browser)
    again = SignedIn(site, site.application("Second"), browser=here.browser)
    assert is_current(site, here.browser, again.client, again.response["session_state"])
    assert browser_state(site, here.browser) == state
    assert is_current(site, here.browser, here.client, value)
    here.logout(id_token_hint=here.hint)
    assert not is_current(site, here.browser, here.client, value)
    SignedIn(site, here.client, browser=here.browser)
    assert not is_current(site, here.browser, here.client, value)


def test_another_person_is_another_state(site: Site) -> None:
    here = SignedIn(site)
    other = site.person("other")
    page = here.browser.get(site.authorize_url(here.client, prompt="login"))
    page.submit("login-submit", username=other.username, password=other.password)
    assert not is_current(site, here.browser, here.client, here.response["session_state"])


def test_signing_in_again_is_no_change(site: Site) -> None:
    here = SignedIn(site)
    page = here.browser.get(site.authorize_url(here.client, prompt="login"))
    page.submit("login-submit", username=site.jane.username, password=site.jane.password)
    assert is_current(site, here.browser, here.client, here.response["session_state"])


def test_an_error_tells_the_state_of_nobody_signed_in(site: Site) -> None:
    client, browser = site.application(), site.browser()
    answer = response_parameters(browser.get(site.authorize_url(client, prompt="none")))
    assert answer["error"] == "login_required"
    assert is_current(site, browser, client, answer["session_state"])
    SignedIn(site, client, browser=browser)
    assert not is_current(site, browser, client, answer["session_state"])


def test_a_cookie_that_was_lost_comes_back(site: Site) -> None:
    here = SignedIn(site)
    lost = here.browser.cookies.find(f"__Host-opbs-{site.handle}")
    assert lost is not None
    here.browser.cookies.store(site.base, f"{lost.name}=x; Path=/; Secure; Max-Age=0")
    assert browser_state(site, here.browser) == ""
    again = SignedIn(site, here.client, browser=here.browser)
    assert is_current(site, here.browser, here.client, again.response["session_state"])


def set_cookie(site: Site, browser: Browser, client: Client) -> str:
    page = site.sign_in(client, site.jane, browser=browser)
    lines = [value for answer in (*page.redirects, page) for name, value in answer.headers if name == "set-cookie"]
    return next(line for line in lines if "opbs-" in line)


def test_the_cookie_gives_no_authority(site: Site) -> None:
    """Decision 17: readable, sent from everywhere, and worth nothing."""
    line = set_cookie(site, site.browser(), site.application())
    name, _, attributes = line.partition("=")
    assert name == f"__Host-opbs-{site.handle}"
    assert attributes.partition("; ")[2] == "Path=/; SameSite=None; Secure"
    here = SignedIn(site)
    state, sid = browser_state(site, here.browser), claims_of(here.hint)["sid"]
    cookies = f"__Host-sso-{site.handle}={state}; __Host-opbs-{site.handle}={state}"
    response = site.http.get(site.authorize_url(here.client, prompt="none"), headers={"Cookie": cookies})
    assert "login_required" in response.headers["location"]
    assert sid not in state


def test_it_lasts_as_long_as_the_session(timed: TimedSite) -> None:
    client, browser = timed.application(), timed.browser()
    page = browser.get(timed.authorize_url(client))
    page.submit("login-submit", username=timed.jane.username, password=timed.jane.password, remember=True)
    assert browser_state(timed, browser)
    timed.clock.advance(timed.tenant.settings.session_absolute + 1)
    assert browser_state(timed, browser) == ""


@pytest.mark.spec("OpenID Connect Session Management", "3.2")
def test_the_frame(site: Site) -> None:
    """Decision 22: only this page may stand in a page of anybody's."""
    answer = site.http.get("/oidc/checksession")
    policy = answer.headers["content-security-policy"]
    assert "frame-ancestors *" in policy
    assert "script-src 'self'" in policy
    assert "default-src 'none'" in policy
    assert "x-frame-options" not in answer.headers
    assert f'data-cookie="__Host-opbs-{site.handle}"' in answer.text
    assert "set-cookie" not in answer.headers
    script = site.http.get(site.server.base_url + answer.text.split('src="')[1].split('"')[0])
    assert script.status_code == 200
    assert "crypto.subtle." not in script.text


@pytest.mark.parametrize("path", ["/oidc/logout", "/account", "/oauth2/authorize?client_id=x"])
def test_no_other_page_may_be_framed(site: Site, path: str) -> None:
    page = site.browser().get(site.base + path)
    assert "frame-ancestors 'none'" in (page.header("content-security-policy") or "")
    assert page.header("x-frame-options") == "DENY"


def test_discovery_names_the_frame_and_the_channels(site: Site) -> None:
    document = site.http.get(f"{site.issuer}/.well-known/openid-configuration").json()
    assert document["check_session_iframe"] == f"{site.base}/oidc/checksession"
    assert document["end_session_endpoint"] == f"{site.base}/oidc/logout"
    for channel in ("frontchannel", "backchannel"):
        assert document[f"{channel}_logout_supported"] is True
        assert document[f"{channel}_logout_session_supported"] is True


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("https://app.example/cb?x=1", "https://app.example"),
        ("https://App.Example:443/cb", "https://app.example"),
        ("http://localhost:80/", "http://localhost"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000"),
        ("http://[::1]:8000/", "http://[::1]:8000"),
        ("com.example.app:/cb", None),
        ("com.example.app://host/cb", None),
    ],
)
def test_origins_as_browsers_write_them(address: str, origin: str | None) -> None:
    assert web_origin(address) == origin
    assert (session_state("c", address, "s", "salt") is None) == (origin is None)


def test_in_demo_mode_by_http_the_cookie_is_plain() -> None:
    """SameSite=None needs Secure, which a plain cookie has not."""
    response = Response(200)
    Cookies(plain=True).set_browser_state(response, tenant_with(), "state", None)
    assert response.headers == [(b"set-cookie", b"opbs-root=state; Path=/; SameSite=Lax")]
