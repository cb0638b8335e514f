"""Attack row 15: steps skipped, repeated, empty, in the wrong order and by another browser."""

from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
import pytest

from tests.attacks.targets import location_parameters, raw_cookies
from tests.support.browser import Browser
from tests.support.builders import PASSWORD, Client, Site, response_parameters

pytestmark = pytest.mark.long


@dataclass
class Flow:
    """A sign-in with consent, taken by hand: each step is a request that may be made at any time, by anybody."""

    site: Site
    client: Client
    browser: Browser
    id: str

    @classmethod
    def begun(cls, site: Site, **parameters: str | None) -> "Flow":
        client = site.application(skip_consent=False, scopes=("read",))
        browser = site.browser()
        page = browser.get(site.authorize_url(client, **({"scope": "openid email"} | parameters)))
        assert page.has("login-submit"), page
        return cls(site, client, browser, urlsplit(page.url).path.rpartition("/")[2])

    def request(
        self, method: str, path: str, form: dict[str, str] | None = None, *, cookies: dict[str, str] | None = None
    ) -> httpx.Response:
        """`cookies` in place of those of the flow's browser."""
        sent = raw_cookies(self.browser) if cookies is None else cookies
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in sent.items())}
        if method == "POST":
            headers["Origin"] = self.site.server.base_url
        response = self.site.http.request(method, f"{path}/{self.id}", data=form, headers=headers)
        if cookies is None:
            for header in response.headers.get_list("set-cookie"):
                self.browser.cookies.store(str(response.url), header)
        return response

    def token(self, page: str) -> str:
        text = self.request("GET", page).text
        return text.split('name="csrf_token" value="')[1].split('"')[0]

    def sign_in(self) -> httpx.Response:
        form = {"csrf_token": self.token("/login"), "username": self.site.jane.username, "password": PASSWORD}
        return self.request("POST", "/login", form)

    def resume(self) -> httpx.Response:
        return self.request("GET", "/oauth2/authorize")

    def allow(self, **form: str) -> httpx.Response:
        return self.request("POST", "/consent", {"csrf_token": self.token("/consent"), "decision": "allow"} | form)


@pytest.fixture
def flow(site: Site) -> Flow:
    return Flow.begun(site)


def test_the_whole_road(flow: Flow) -> None:
    assert flow.sign_in().status_code == 303
    assert flow.resume().headers["location"].endswith(f"/consent/{flow.id}")
    assert flow.allow(scope="email").status_code == 303
    assert "code" in location_parameters(flow.resume())


def test_the_end_first_leads_back_to_the_beginning(flow: Flow) -> None:
    response = flow.resume()
    assert (response.status_code, urlsplit(response.headers["location"]).path.split("/")[-2]) == (303, "login")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_consent_before_sign_in(flow: Flow, method: str) -> None:
    form = {"csrf_token": flow.token("/login"), "decision": "allow", "scope": "openid email"}
    assert flow.request(method, "/consent", form if method == "POST" else None).status_code == 410
    assert "code" not in location_parameters(flow.resume())


def test_consent_after_sign_in_but_before_it_is_asked(flow: Flow) -> None:
    token = flow.token("/login")
    flow.sign_in()
    form = {"csrf_token": token, "decision": "allow", "scope": "openid email"}
    assert flow.request("POST", "/consent", form).status_code == 410


@pytest.mark.parametrize(
    "form",
    [
        {}, {"username": "jane"}, {"password": PASSWORD}, {"username": "", "password": ""},
        {"username": "jane", "password": ""}, {"username": "jane", "password": " "},
        {"username": "", "password": PASSWORD}, {"username": "jane", "password": PASSWORD + " "},
        {"username": "jane", "passwd": PASSWORD}, {"action": "go_on"}, {"account": "x"}, {"account": ""},
        {"decision": "allow"}, {"subject": "x", "outcome": "succeeded"}, {"entries": "[]", "state": "Done"},
        {"username[]": "jane", "password[]": PASSWORD},
    ],
)  # fmt: skip
def test_an_empty_or_strange_answer_passes_no_step(flow: Flow, form: dict[str, str]) -> None:
    """authentik CVE-2026-49443: an empty POST passed a stage."""
    _ = flow.site.jane
    response = flow.request("POST", "/login", {"csrf_token": flow.token("/login")} | form)
    assert response.status_code == 422
    assert "code" not in location_parameters(flow.resume())
    assert flow.request("GET", "/consent").status_code == 410


def test_an_empty_form_at_every_step(flow: Flow) -> None:
    for path in ("/login", "/consent"):
        assert flow.request("POST", path, {"x": "y"}).status_code in (403, 410)
    flow.sign_in()
    flow.resume()
    assert flow.request("POST", "/consent", {"x": "y"}).status_code == 403
    assert flow.resume().headers["location"].endswith(f"/consent/{flow.id}")


def test_consent_without_a_decision_is_a_refusal(flow: Flow) -> None:
    flow.sign_in()
    flow.resume()
    flow.request("POST", "/consent", {"csrf_token": flow.token("/consent"), "scope": "openid email"})
    assert location_parameters(flow.resume())["error"] == "access_denied"


def test_consent_to_more_than_was_asked(flow: Flow) -> None:
    flow.sign_in()
    flow.resume()
    flow.allow(scope="openid email profile read offline_access groups")
    code = location_parameters(flow.resume())["code"]
    assert flow.site.redeem(flow.client, code).json()["scope"] == "openid email"


def test_every_answer_twice(flow: Flow) -> None:
    old = flow.token("/login")
    before = raw_cookies(flow.browser)
    flow.sign_in()
    form = {"csrf_token": old, "username": "jane", "password": PASSWORD}
    # The flow's cookie changed with the sign-in; neither the old nor the new one takes the old form.
    assert flow.request("POST", "/login", form, cookies=before).status_code == 410
    assert flow.request("POST", "/login", form).status_code == 403
    flow.resume()
    consent = flow.token("/consent")
    for expected in (303, 410):
        answer = {"csrf_token": consent, "decision": "allow", "scope": "email"}
        assert flow.request("POST", "/consent", answer).status_code == expected
    cookies = raw_cookies(flow.browser)
    assert "code" in location_parameters(flow.resume())
    assert flow.request("GET", "/oauth2/authorize", cookies=cookies).status_code == 410


def test_after_its_end_a_flow_is_good_for_nothing(flow: Flow) -> None:
    flow.sign_in()
    flow.resume()
    flow.allow(scope="email")
    cookies = raw_cookies(flow.browser)
    token = "x"
    flow.resume()
    for method, path in (("GET", "/login"), ("POST", "/login"), ("GET", "/consent"), ("POST", "/consent"),
                         ("GET", "/oauth2/authorize"), ("GET", "/account/sign-in")):  # fmt: skip
        form = {"csrf_token": token} if method == "POST" else None
        assert flow.request(method, path, form, cookies=cookies).status_code == 410, path


def test_a_cancelled_sign_in_cannot_be_taken_back(flow: Flow) -> None:
    token = flow.token("/login")
    flow.request("POST", "/login", {"csrf_token": token, "action": "cancel"})
    flow.request("POST", "/login", {"csrf_token": token, "username": flow.site.jane.username, "password": PASSWORD})
    assert location_parameters(flow.resume())["error"] == "access_denied"


def test_a_refused_consent_cannot_be_taken_back(flow: Flow) -> None:
    flow.sign_in()
    flow.resume()
    token = flow.token("/consent")
    flow.request("POST", "/consent", {"csrf_token": token, "decision": "deny"})
    again = flow.request("POST", "/consent", {"csrf_token": token, "decision": "allow", "scope": "email"})
    assert again.status_code == 410
    assert location_parameters(flow.resume())["error"] == "access_denied"


STEPS = (
    ("GET", "/login"), ("POST", "/login"), ("GET", "/oauth2/authorize"), ("GET", "/consent"), ("POST", "/consent"),
    ("GET", "/account/sign-in"),
)  # fmt: skip


@pytest.mark.parametrize(("method", "path"), STEPS)
@pytest.mark.parametrize("whose", ["nobody", "another browser", "same name, other value", "unreadable", "two"])
def test_a_step_by_another_browser(flow: Flow, method: str, path: str, whose: str) -> None:
    """authentik CVE-2026-25748: a cookie that cannot be read is nobody's, never everybody's."""
    token = flow.token("/login")
    flow.sign_in()
    flow.resume()
    name = next(name for name in raw_cookies(flow.browser) if name.endswith(flow.id))
    other = Flow.begun(flow.site)
    cookies = {
        "nobody": {}, "another browser": raw_cookies(other.browser),
        "same name, other value": {name: next(iter(raw_cookies(other.browser).values()))},
        "unreadable": {name: "%00\"=é"}, "two": {name: "a", f" {name}": "b"},
    }[whose]  # fmt: skip
    form = {"csrf_token": token, "decision": "allow", "username": "jane", "password": PASSWORD}
    headers = "; ".join(f"{key}={value}" for key, value in cookies.items()).encode("latin-1")
    response = flow.site.http.request(
        method, f"{path}/{flow.id}", data=form if method == "POST" else None,
        headers=[(b"Cookie", headers), (b"Origin", flow.site.server.base_url.encode())],
    )  # fmt: skip
    assert response.status_code == 410
    assert "set-cookie" not in response.headers


def test_flows_of_two_kinds_do_not_mix(flow: Flow) -> None:
    """The account page's sign-in ends at the account page, an application's at the application."""
    account = flow.browser.get(f"{flow.site.base}/account/sign-in")
    account_id = urlsplit(account.url).path.rpartition("/")[2]
    application_id, flow.id = flow.id, account_id
    assert flow.sign_in().status_code == 303
    assert flow.resume().status_code == 410
    assert flow.request("GET", "/consent").status_code == 410
    flow.id = application_id
    assert "code" not in location_parameters(flow.request("GET", "/account/sign-in"))


def test_the_flow_of_another_tenant(flow: Flow, standing_site: Site) -> None:
    headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in raw_cookies(flow.browser).items())}
    for path in ("/login", "/consent", "/oauth2/authorize", "/account/sign-in"):
        assert standing_site.http.get(f"{path}/{flow.id}", headers=headers).status_code == 410


@pytest.mark.spec("OpenID Connect Core", "3.1.2.1")
@pytest.mark.parametrize("asked", [{"prompt": "login select_account"}, {"prompt": "select_account", "max_age": "0"}])
def test_choosing_an_account_does_not_stand_in_for_the_password(site: Site, asked: dict[str, str]) -> None:
    client, browser = site.application(), site.browser()
    site.sign_in(client, site.jane, browser=browser)
    page = browser.get(site.authorize_url(client, **asked))
    signed_in = next(each for each in page.document.all("button") if "who" in each.attributes.get("class", ""))
    chosen = page.submit("account-other", forged={"account": signed_in.attributes["value"]})
    assert chosen.has("login-submit"), chosen


@pytest.mark.parametrize("asked", [{"prompt": "login"}, {"max_age": "0"}])
def test_going_back_to_an_old_session_does_not_answer_prompt_login(site: Site, asked: dict[str, str]) -> None:
    client, browser = site.application(), site.browser()
    site.sign_in(client, site.jane, browser=browser)
    page = browser.get(site.authorize_url(client, **asked))
    again = browser.get(f"{site.base}/oauth2/authorize/{urlsplit(page.url).path.rpartition('/')[2]}")
    assert again.has("login-submit"), again


def test_the_request_in_the_browser_is_not_read_again(site: Site) -> None:
    """What the first request asked is what is answered, whatever is added to the addresses on the way."""
    client = site.application()
    page = site.browser().get(site.authorize_url(client, scope="openid"))
    page.url += "?scope=openid+email&redirect_uri=https://attacker.example/&client_id=x&prompt=none"
    done = page.submit("login-submit", username=site.jane.username, password=PASSWORD)
    assert done.left_for is not None
    assert done.left_for.url.startswith(client.redirect_uri + "?")
    assert site.redeem(client, response_parameters(done)["code"]).json()["scope"] == "openid"
