"""Attack row 30: session fixation, forged requests, login CSRF, and what a GET may change."""

import pytest

from tests.attacks.targets import raw_cookies, tokens_of
from tests.support.browser import Browser
from tests.support.builders import PASSWORD, Person, Site, response_parameters
from tests.support.cookies import Cookie

pytestmark = pytest.mark.long

ATTACKER = "https://attacker.example/"


@pytest.fixture
def mallory(site: Site) -> Person:
    return site.person("mallory", name="Mallory")


def session_cookie(browser: Browser, site: Site) -> str:
    return browser.cookies.value(f"__Host-sso-{site.handle}")


def plant(browser: Browser, name: str, value: str) -> None:
    host = "localhost"
    browser.cookies.plant(Cookie(name, value, host, True, "/", True, True, "lax", None))


class TestFixation:
    @pytest.mark.parametrize("planted", ["chosen-by-the-attacker", "", "x" * 128, "x" * 129, "\u00e9", "%00"])
    def test_a_planted_session_is_never_taken_over(self, site: Site, planted: str) -> None:
        browser = site.browser()
        plant(browser, f"__Host-sso-{site.handle}", planted)
        site.sign_in(site.application(), site.jane, browser=browser)
        assert session_cookie(browser, site) != planted
        attacker = site.browser()
        plant(attacker, f"__Host-sso-{site.handle}", planted)
        assert attacker.get(f"{site.base}/account").has("login-submit")

    def test_the_attackers_own_session_does_not_become_the_victims(self, site: Site, mallory: Person) -> None:
        client, attacker, victim = site.application(), site.browser(), site.browser()
        site.sign_in(client, mallory, browser=attacker)
        shared = session_cookie(attacker, site)
        plant(victim, f"__Host-sso-{site.handle}", shared)
        site.sign_in(client, site.jane, browser=victim, prompt="login")
        assert session_cookie(victim, site) != shared
        # It ended when somebody else signed in over it, and is nobody's now.
        assert attacker.get(f"{site.base}/account").has("login-submit")

    def test_signing_in_again_changes_the_cookie_and_kills_the_old_one(self, site: Site) -> None:
        client, browser = site.application(), site.browser()
        site.sign_in(client, site.jane, browser=browser)
        old = session_cookie(browser, site)
        page = browser.get(site.authorize_url(client, prompt="login"))
        page.submit("login-submit", username="jane", password=PASSWORD)
        assert session_cookie(browser, site) != old
        thief = site.browser()
        plant(thief, f"__Host-sso-{site.handle}", old)
        assert thief.get(f"{site.base}/account").has("login-submit")

    def test_the_flows_cookie_changes_with_the_sign_in(self, site: Site) -> None:
        client, browser = site.application(skip_consent=False), site.browser()
        page = browser.get(site.authorize_url(client))
        before = raw_cookies(browser)
        consent = page.submit("login-submit", username=site.jane.username, password=PASSWORD)
        assert consent.has("consent-allow"), consent
        name = next(name for name in before if "flow-" in name)
        assert raw_cookies(browser)[name] != before[name]
        thief = site.browser()
        plant(thief, name, before[name])
        assert thief.get(consent.url).status == 410

    def test_the_old_cookie_is_dead_after_logout(self, site: Site) -> None:
        client, browser = site.application(), site.browser()
        tokens_of(site, client, site.jane, browser)
        old = session_cookie(browser, site)
        browser.get(f"{site.base}/oidc/logout").submit("logout-confirm")
        assert browser.cookies.find(f"__Host-sso-{site.handle}") is None
        plant(browser, f"__Host-sso-{site.handle}", old)
        assert browser.get(f"{site.base}/account").has("login-submit")

    def test_cookies_are_out_of_reach(self, site: Site) -> None:
        """All but the browser state, which carries no authority (decision 17, tests/oidc/test_check_session.py)."""
        browser = site.browser()
        site.sign_in(site.application(), site.jane, browser=browser)
        for cookie in browser.cookies.all():
            assert cookie.name.startswith("__Host-")
            if cookie.name == f"__Host-opbs-{site.handle}":
                continue
            assert (cookie.secure, cookie.http_only, cookie.path, cookie.same_site) == (True, True, "/", "lax")


class TestLoginCsrf:
    def test_a_flow_that_the_attacker_began(self, site: Site, mallory: Person) -> None:
        """A link to a sign-in that somebody else has gone through signs nobody in."""
        client, attacker, victim = site.application(), site.browser(), site.browser()
        page = attacker.get(site.authorize_url(client))
        for path in ("login", "consent", "oauth2/authorize", "account/sign-in"):
            flow = page.url.rpartition("/")[2]
            assert victim.get(f"{site.base}/{path}/{flow}", from_site=ATTACKER).status == 410
        done = page.submit("login-submit", username=mallory.username, password=PASSWORD)
        assert victim.get(page.url, from_site=ATTACKER).status == 410
        assert "code" in response_parameters(done)
        assert victim.cookies.all() == []

    def test_the_attackers_password_posted_by_the_victims_browser(self, site: Site, mallory: Person) -> None:
        victim = site.browser()
        page = victim.get(site.authorize_url(site.application()))
        form = {"username": mallory.username, "password": PASSWORD}
        answer = victim.post(page.url, form, from_site=ATTACKER)
        assert answer.status == 403
        assert victim.get(f"{site.base}/account").has("login-submit")

    def test_the_attackers_code_in_the_victims_application(self, site: Site, mallory: Person) -> None:
        """PKCE: the code of another browser's request does not fit the verifier of this one's (RFC 9700 §2.1.1)."""
        client = site.public_application()
        challenge = {"code_challenge": "A" * 43, "code_challenge_method": "S256"}
        code = site.code(client, mallory, **challenge)
        assert site.redeem(client, code, code_verifier="v" * 43).json()["error"] == "invalid_grant"

    def test_every_response_names_its_issuer(self, site: Site) -> None:
        """Mix-up (RFC 9207): errors too."""
        client = site.application()
        for parameters in ({"prompt": "none"}, {"scope": "openid", "response_type": "token"}, {"max_age": "x"}):
            page = site.browser().get(site.authorize_url(client, **parameters))
            assert response_parameters(page)["iss"] == site.issuer


HEADERS: tuple[tuple[dict[str, str], bool], ...] = (
    ({}, False),
    ({"Origin": "https://attacker.example"}, False),
    ({"Origin": "null"}, False),
    ({"Origin": ""}, False),
    ({"Origin": "{base}", "Sec-Fetch-Site": "cross-site"}, False),
    ({"Origin": "{base}", "Sec-Fetch-Site": "same-site"}, False),
    ({"Origin": "{base}", "Sec-Fetch-Site": "none"}, False),
    ({"Origin": "{base}", "Sec-Fetch-Site": "same-origin, cross-site"}, False),
    ({"Origin": "{base}/"}, False),
    ({"Origin": "{base}.attacker.example"}, False),
    ({"Origin": "http://localhost"}, False),
    ({"Origin": "{base} https://attacker.example"}, False),
    ({"Origin": "HTTP://LOCALHOST"}, False),
    ({"Referer": "{base}/"}, False),
    ({"Sec-Fetch-Site": "cross-site"}, False),
    ({"X-Forwarded-Host": "attacker.example", "Origin": "http://attacker.example"}, False),
    ({"Origin": "{base}"}, True),
    ({"Sec-Fetch-Site": "same-origin"}, True),
    ({"Origin": "null", "Sec-Fetch-Site": "same-origin"}, True),
)


class TestForgedRequests:
    @pytest.mark.parametrize(("headers", "ours"), HEADERS)
    @pytest.mark.any_engine
    def test_where_a_form_comes_from(self, site: Site, headers: dict[str, str], ours: bool) -> None:
        """With everything else right: cookie, token, password."""
        browser = site.browser()
        page = browser.get(site.authorize_url(site.application()))
        token = page.text.split('name="csrf_token" value="')[1].split('"')[0]
        base = site.server.base_url
        answer = site.http.post(
            page.url,
            data={"csrf_token": token, "username": site.jane.username, "password": PASSWORD},
            headers={key: value.replace("{base}", base) for key, value in headers.items()}
            | {"Cookie": "; ".join(f"{name}={value}" for name, value in raw_cookies(browser).items())},
        )
        assert (answer.status_code, "set-cookie" in answer.headers) == ((303, True) if ours else (403, False))

    @pytest.mark.parametrize(
        "token", ["", "x", "another flow's", "another page's", "with a letter more", "é", "a" * 9000]
    )
    def test_a_form_that_was_not_shown(self, site: Site, token: str) -> None:
        client, browser = site.application(), site.browser()
        page = browser.get(site.authorize_url(client))
        site.sign_in(client, site.jane, browser=browser)
        account = _token(browser.get(f"{site.base}/account").text)
        given = {
            "another flow's": _token(site.browser().get(site.authorize_url(client)).text), "another page's": account,
            "with a letter more": _token(page.text) + "A",
        }.get(token, token)  # fmt: skip
        values = {"csrf_token": given, "username": "jane", "password": PASSWORD}
        assert browser.post(page.url, values).status == 403
        if given != account:
            assert browser.post(f"{site.base}/account", {"csrf_token": given, "end_session": "x"}).status == 403

    @pytest.mark.parametrize("path", ["/account", "/logout/{sid}"])
    def test_nothing_of_a_session_changes_from_another_site(self, site: Site, path: str) -> None:
        client, browser = site.application(), site.browser()
        tokens = tokens_of(site, client, site.jane, browser)
        account = browser.get(f"{site.base}/account")
        sid = _value(account.text, "end_session")
        form = {"csrf_token": _token(account.text), "end_session": sid, "decision": "logout"}
        answer = browser.post(site.base + path.replace("{sid}", sid), form, from_site=ATTACKER)
        assert answer.status == 403
        assert browser.get(f"{site.base}/account").status == 200
        assert site.is_active(client, tokens["access_token"])

    def test_a_page_of_one_session_does_not_end_anothers(self, site: Site, mallory: Person) -> None:
        client, attacker, victim = site.application(), site.browser(), site.browser()
        site.sign_in(client, mallory, browser=attacker)
        site.sign_in(client, site.jane, browser=victim)
        sid = _value(victim.get(f"{site.base}/account").text, "end_session")
        token = _token(attacker.get(f"{site.base}/account").text)
        attacker.post(f"{site.base}/account", {"csrf_token": token, "end_session": sid})
        attacker.post(f"{site.base}/logout/{sid}", {"csrf_token": token, "decision": "logout"})
        assert not victim.get(f"{site.base}/account").has("login-submit")

    def test_anothers_consent_is_not_taken_back(self, site: Site, mallory: Person) -> None:
        client, attacker = site.application(), site.browser()
        tokens = site.tokens(client, site.jane)
        site.sign_in(client, mallory, browser=attacker)
        token = _token(attacker.get(f"{site.base}/account").text)
        attacker.post(f"{site.base}/account", {"csrf_token": token, "revoke_application": client.application.id})
        assert site.is_active(client, tokens["access_token"])


HARMLESS = (
    "/account?end_session={sid}", "/account?revoke_application={application}", "/logout/{sid}",
    "/logout/{sid}?decision=logout", "/oidc/logout", "/oidc/logout?client_id={client_id}",
    "/oidc/logout?post_logout_redirect_uri=", "/oidc/logout?decision=logout", "/account/sign-in",
    "/oauth2/revoke?token={token}", "/oauth2/token?grant_type=client_credentials", "/oauth2/introspect?token={token}",
    "/login/x?username=jane&password=x", "/consent/x?decision=allow",
)  # fmt: skip


class TestGetChangesNothing:
    """Canaille: impersonation by GET. Only an authorization and a logout with the session's own hint act on a GET."""

    @pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
    def test_session_and_tokens_live_on(self, site: Site, method: str) -> None:
        client, browser = site.application(), site.browser()
        tokens = tokens_of(site, client, site.jane, browser)
        sid = _value(browser.get(f"{site.base}/account").text, "end_session")
        cookies = "; ".join(f"{name}={value}" for name, value in raw_cookies(browser).items())
        for path in HARMLESS:
            filled = path.format(
                sid=sid, application=client.application.id, client_id=client.client_id, token=tokens["access_token"]
            )
            answer = site.http.request(method, filled, headers={"Cookie": cookies}, auth=client.basic)
            assert answer.status_code < 500, path
            assert f"sso-{site.handle}=" not in answer.headers.get("set-cookie", ""), path
            assert not browser.get(f"{site.base}/account").has("login-submit"), path
            assert site.is_active(client, tokens["access_token"]), path

    def test_a_hint_of_another_session_ends_nothing(self, site: Site, mallory: Person) -> None:
        """The attacker's own, valid ID token in a link that the victim follows: asked, not done."""
        client, victim = site.application(), site.browser()
        hint = site.tokens(client, mallory)["id_token"]
        site.sign_in(client, site.jane, browser=victim)
        page = victim.get(f"{site.base}/oidc/logout?id_token_hint={hint}", from_site=ATTACKER)
        assert page.has("logout-confirm")
        assert not victim.get(f"{site.base}/account").has("login-submit")


def _token(text: str) -> str:
    return _value(text, "csrf_token")


def _value(text: str, name: str) -> str:
    return text.split(f'name="{name}" value="')[1].split('"')[0]
