"""Who approves a request of elsewhere has signed in as the application that asks demands (attack rows 15 and 16)."""

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import pyotp
import pytest

from identity.clock import SECOND
from identity.domain.applications import CIBA, DEVICE_CODE
from identity.secrets import token_hash
from tests.support import backchannel
from tests.support.browser import Browser, Page
from tests.support.builders import Client, Person, Site, claims_of, response_parameters
from tests.support.in_process import TimedSite
from tests.support.scripts import PASSWORD_STEP, SECOND_STEP, denial, script_hash, scripted, steps, with_password

pytestmark = pytest.mark.long

HOUR = 3600
TWO_STEPS = steps(PASSWORD_STEP, SECOND_STEP)
PASSES = "var onLoginRequest = function (context) { executeStep(1); };"
DENIES = """
var onLoginRequest = function (context) {
  executeStep(1, { onSuccess: function (context) { fail({ errorCode: 'not_today' }); } });
};
"""
STEPS_UP = """
var onLoginRequest = function (context) {
  executeStep(1, { onSuccess: function (context) { executeStep(2); } });
};
"""
ASKS_WHY = """
var onLoginRequest = function (context) {
  executeStep(1, { onSuccess: function (context) {
    prompt('genericForm', { title: 'Why?', inputs: [{ id: 'why', label: 'Reason' }] }, { onSuccess: function () {} });
  }});
};
"""


@dataclass(frozen=True)
class Asked:
    """A request that waits: what the client polls with, and the page's query for it."""

    id: str
    path: str


class Kind:
    """One of the two ways to ask, as a client and the person see it."""

    grant: str
    parameter: str
    page: str
    allow: str
    deny: str

    @property
    def settings(self) -> dict[str, Any]:
        return {"grant_types": (self.grant, "refresh_token", "authorization_code")}

    def ask(self, site: Site, client: Client) -> Asked:
        raise NotImplementedError

    def status(self, site: Site, client: Client, asked: Asked) -> str:
        """`approved`, or the error that the client hears."""
        answer = self.poll(site, client, asked)
        return str(answer.get("error", "approved"))

    def poll(self, site: Site, client: Client, asked: Asked) -> dict[str, Any]:
        answer: dict[str, Any] = site.token(client, grant_type=self.grant, **{self.parameter: asked.id}).json()
        return answer


class Device(Kind):
    grant, parameter, page = DEVICE_CODE, "device_code", "/oauth2/device"
    allow, deny = "device-allow", "device-deny"

    def ask(self, site: Site, client: Client) -> Asked:
        form = {"client_id": client.client_id, "client_secret": client.secret or "", "scope": "openid email"}
        answer = site.http.post("/oauth2/device_authorize", data=form).json()
        return Asked(answer["device_code"], f"{self.page}?user_code={answer['user_code']}")


class BackChannel(Kind):
    grant, parameter, page = CIBA, "auth_req_id", backchannel.PATH
    allow, deny = "ciba-allow-1", "ciba-deny-1"

    def ask(self, site: Site, client: Client, **form: str) -> Asked:
        assert site.jane
        answer = backchannel.asked(site, client, **form)
        return Asked(answer["auth_req_id"], f"{self.page}?request={token_hash(answer['auth_req_id']).hex()}")


KINDS: tuple[Kind, ...] = (Device(), BackChannel())


@pytest.fixture(params=KINDS, ids=lambda kind: type(kind).__name__)
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


def signed_in(site: Site, person: Person | None = None) -> Browser:
    """A browser whose session has shown a password, and nothing else."""
    browser = site.browser()
    site.sign_in(site.application("Plain"), person or site.jane, browser=browser)
    return browser


def enrolled(timed: TimedSite, page: Page) -> Page:
    """What follows once an app was set up on the page that asks for a second factor."""
    if page.has("factor-submit"):
        page = page.submit("factor-submit", authenticator="totp")
    secret = page.element("totp-secret").text.replace(" ", "")
    return page.submit("enrol-submit", code=pyotp.TOTP(secret).at(timed.clock.now() // SECOND))


def opened(site: Site, browser: Browser, asked: Asked) -> Page:
    return browser.get(f"{site.base}{asked.path}")


def cleared_in(page: Page) -> str:
    """The token that the page's form carries."""
    fields = [field.attributes for field in page.document.all("input")]
    return str(next(field["value"] for field in fields if field.get("name") == "cleared"))


def was_asked_nothing(page: Page) -> bool:
    """No login stood between the page's address and the page."""
    return not any("/login/" in step.url for step in page.redirects)


class TestSteps:
    def test_only_what_is_missing_is_asked_for(self, timed: TimedSite, kind: Kind) -> None:
        client = timed.application(**kind.settings, sign_in_steps=TWO_STEPS)
        asked, browser = kind.ask(timed, client), signed_in(timed)
        page = opened(timed, browser, asked)
        assert not page.has(kind.allow)
        assert not page.has("login-submit")
        page = enrolled(timed, page)
        assert page.has(kind.allow)
        assert kind.status(timed, client, asked) == "authorization_pending"
        page.submit(kind.allow)
        timed.clock.advance(30)
        claims = claims_of(kind.poll(timed, client, asked)["id_token"])
        assert (claims["acr"], claims["amr"]) == ("2", ["pwd", "otp"])

    def test_a_level_that_the_application_demands(self, timed: TimedSite, kind: Kind) -> None:
        client = timed.application(**kind.settings, minimum_acr="2")
        asked = kind.ask(timed, client)
        page = opened(timed, signed_in(timed), asked)
        assert not page.has(kind.allow)
        enrolled(timed, page).submit(kind.allow)
        assert kind.status(timed, client, asked) == "approved"

    def test_a_session_that_has_shown_everything_is_asked_nothing(self, timed: TimedSite, kind: Kind) -> None:
        client = timed.application(**kind.settings, sign_in_steps=TWO_STEPS, minimum_acr="2")
        browser = timed.browser()
        enrolled(timed, with_password(browser.get(timed.authorize_url(client)), timed.jane))
        asked = kind.ask(timed, client)
        page = opened(timed, browser, asked)
        assert page.redirects == []
        page.submit(kind.allow)
        assert kind.status(timed, client, asked) == "approved"

    def test_nobody_signed_in_meets_both(self, timed: TimedSite, kind: Kind) -> None:
        """The page's own sign-in first, and then what the application demands beyond it."""
        client = timed.application(**kind.settings, sign_in_steps=TWO_STEPS)
        page = with_password(opened(timed, timed.browser(), kind.ask(timed, client)), timed.jane)
        assert not page.has(kind.allow)
        assert enrolled(timed, page).has(kind.allow)

    @pytest.mark.parametrize("decision", ["allow", "deny"])
    def test_it_is_asked_again_when_the_decision_comes(self, timed: TimedSite, kind: Kind, decision: str) -> None:
        """The page was shown, and then the policy was tightened."""
        client = timed.application(**kind.settings)
        asked = kind.ask(timed, client)
        page = opened(timed, signed_in(timed), asked)
        timed.update(client, sign_in_steps=TWO_STEPS)
        page = page.submit(kind.allow if decision == "allow" else kind.deny)
        assert kind.status(timed, client, asked) == "authorization_pending"
        page = enrolled(timed, page)
        page.submit(kind.allow)
        timed.clock.advance(30)
        assert kind.status(timed, client, asked) == "approved"

    def test_a_step_that_leaves_no_trace_in_the_session_is_passed_once(self, timed: TimedSite, kind: Kind) -> None:
        client = timed.application(**kind.settings, sign_in_steps=steps(PASSWORD_STEP, ("SessionExecutor",)))
        asked = kind.ask(timed, client)
        opened(timed, signed_in(timed), asked).submit(kind.allow)
        assert kind.status(timed, client, asked) == "approved"

    def test_given_up_it_leads_home(self, timed: TimedSite, kind: Kind) -> None:
        client = timed.application(**kind.settings, minimum_acr="2")
        asked = kind.ask(timed, client)
        page = opened(timed, signed_in(timed), asked).submit("login-cancel")
        assert urlsplit(page.url).path == f"{urlsplit(timed.base).path}/"
        assert kind.status(timed, client, asked) == "authorization_pending"


class TestScripts:
    def test_a_script_that_denies(self, timed: TimedSite, kind: Kind) -> None:
        client = scripted(timed, DENIES, **kind.settings)
        asked, browser = kind.ask(timed, client), signed_in(timed)
        for _ in range(2):
            page = opened(timed, browser, asked)
            assert urlsplit(page.url).path == f"{urlsplit(timed.base).path}/"
        assert denial(timed) == "script"
        assert kind.status(timed, client, asked) == "authorization_pending"

    def test_a_script_that_is_content_shows_no_page(self, timed: TimedSite, kind: Kind) -> None:
        client = scripted(timed, PASSES, **kind.settings)
        asked = kind.ask(timed, client)
        page = opened(timed, signed_in(timed), asked)
        assert page.has(kind.allow)
        assert not was_asked_nothing(page)
        page.submit(kind.allow)
        assert kind.status(timed, client, asked) == "approved"

    def test_a_script_steps_up(self, timed: TimedSite, kind: Kind) -> None:
        client = scripted(timed, STEPS_UP, **kind.settings)
        asked = kind.ask(timed, client)
        page = opened(timed, signed_in(timed), asked)
        assert not page.has(kind.allow)
        enrolled(timed, page).submit(kind.allow)
        assert kind.status(timed, client, asked) == "approved"

    def test_the_least_level_holds_under_a_script(self, timed: TimedSite, kind: Kind) -> None:
        client = scripted(timed, PASSES, **kind.settings, minimum_acr="2")
        asked = kind.ask(timed, client)
        assert not opened(timed, signed_in(timed), asked).has(kind.allow)
        assert denial(timed).startswith("acr_not_reached")

    def test_a_script_that_was_published_since(self, timed: TimedSite, kind: Kind) -> None:
        client = scripted(timed, PASSES, **kind.settings)
        asked = kind.ask(timed, client)
        page = opened(timed, signed_in(timed), asked)
        timed.update(client, sign_in_script=script_hash(timed, DENIES))
        assert not page.submit(kind.allow).has(kind.allow)
        assert kind.status(timed, client, asked) == "authorization_pending"


class TestTokens:
    """What the end of a login gives the page: good for one session, one request and a short time."""

    def test_another_session_s(self, timed: TimedSite, kind: Kind) -> None:
        """The same person in another browser, who has not passed the script there."""
        client = scripted(timed, ASKS_WHY, **kind.settings)
        asked = kind.ask(timed, client)
        passed = opened(timed, signed_in(timed), asked).submit("prompt-submit", why="work")
        assert passed.has(kind.allow)
        other = signed_in(timed)
        assert other.get(passed.url).has("prompt-submit")
        assert kind.status(timed, client, asked) == "authorization_pending"

    def test_a_session_s_before_its_cookie_changed(self, timed: TimedSite, kind: Kind) -> None:
        client = scripted(timed, ASKS_WHY, **kind.settings)
        asked, browser = kind.ask(timed, client), signed_in(timed)
        passed = opened(timed, browser, asked).submit("prompt-submit", why="work")
        assert was_asked_nothing(browser.get(passed.url))
        with_password(browser.get(timed.authorize_url(timed.application("Plain"), prompt="login")), timed.jane)
        assert browser.get(passed.url).has("prompt-submit")

    def test_another_application_s(self, timed: TimedSite, kind: Kind) -> None:
        easy, strict = scripted(timed, PASSES, **kind.settings), scripted(timed, DENIES, **kind.settings)
        browser, asked = signed_in(timed), kind.ask(timed, easy)
        token = cleared_in(opened(timed, browser, asked))
        opened(timed, browser, asked).submit(kind.deny)
        wanted = kind.ask(timed, strict)
        page = browser.get(f"{timed.base}{wanted.path}&cleared={token}")
        assert not page.has(kind.allow)
        assert denial(timed) == "script"
        assert kind.status(timed, strict, wanted) == "authorization_pending"

    def test_another_request_s(self, timed: TimedSite, kind: Kind) -> None:
        """A script is told of the scopes and the level that are asked for: its word is good for these alone."""
        client, browser = scripted(timed, ASKS_WHY, **kind.settings), signed_in(timed)
        page = opened(timed, browser, kind.ask(timed, client)).submit("prompt-submit", why="work")
        token = cleared_in(page)
        page.submit(kind.deny)
        second = kind.ask(timed, client)
        assert browser.get(f"{timed.base}{second.path}&cleared={token}").has("prompt-submit")

    @pytest.mark.parametrize("forged", ["", "x", "ü" * 43], ids=["none", "short", "no letters of one"])
    def test_a_decision_without_a_token(self, timed: TimedSite, kind: Kind, forged: str) -> None:
        client = scripted(timed, ASKS_WHY, **kind.settings)
        asked = kind.ask(timed, client)
        page = opened(timed, signed_in(timed), asked).submit("prompt-submit", why="work")
        again = page.submit(kind.allow, forged={"cleared": forged})
        assert again.has("prompt-submit")
        assert kind.status(timed, client, asked) == "authorization_pending"

    def test_the_form_s_own_token_clears_nothing(self, timed: TimedSite, kind: Kind) -> None:
        """Two purposes of one function: the one is not taken for the other."""
        client = scripted(timed, ASKS_WHY, **kind.settings)
        asked = kind.ask(timed, client)
        page = opened(timed, signed_in(timed), asked).submit("prompt-submit", why="work")
        fields = [field.attributes for field in page.document.all("input")]
        own = str(next(field["value"] for field in fields if field.get("name") == "csrf_token"))
        assert page.submit(kind.allow, forged={"cleared": own}).has("prompt-submit")

    def test_it_is_good_for_this_hour_and_the_next(self, timed: TimedSite, kind: Kind) -> None:
        timed.change_settings(lambda s: replace(s, device_code_lifetime=4 * HOUR, ciba_lifetime=4 * HOUR))
        client = scripted(timed, ASKS_WHY, **kind.settings)
        asked, browser = kind.ask(timed, client), signed_in(timed)
        passed = opened(timed, browser, asked).submit("prompt-submit", why="work")
        timed.clock.advance(HOUR)
        page = browser.get(passed.url)
        assert was_asked_nothing(page)
        assert page.has(kind.allow)
        timed.clock.advance(HOUR)
        assert page.submit(kind.allow).has("prompt-submit")
        assert browser.get(passed.url).has("prompt-submit")
        assert kind.status(timed, client, asked) == "authorization_pending"


class TestFlows:
    """A flow ends only where it was to lead: the end of one door's login opens no other."""

    def flow_of(self, page: Page) -> str:
        assert "/login/" in page.url, page
        return page.url.rpartition("/")[2]

    def test_a_page_s_flow_gives_no_code(self, timed: TimedSite, kind: Kind) -> None:
        client = timed.application(**kind.settings, sign_in_steps=TWO_STEPS)
        asked, browser = kind.ask(timed, client), signed_in(timed)
        page = opened(timed, browser, asked)
        flow = self.flow_of(page)
        others = ["/oauth2/authorize", *(other.page for other in KINDS if other is not kind)]
        for path in others:
            assert browser.get(f"{timed.base}{path}/{flow}").status == 410
        assert enrolled(timed, page).has(kind.allow)
        assert browser.get(f"{timed.base}/oauth2/authorize/{flow}").status == 410

    def test_an_authorization_s_flow_clears_no_page(self, timed: TimedSite, kind: Kind) -> None:
        client = timed.application(**kind.settings, sign_in_steps=TWO_STEPS)
        browser = signed_in(timed)
        page = browser.get(timed.authorize_url(client))
        assert browser.get(f"{timed.base}{kind.page}/{self.flow_of(page)}").status == 410
        assert "code" in response_parameters(enrolled(timed, page))


class TestBackChannel:
    kind = BackChannel()

    def bank(self, site: Site, **settings: Any) -> Client:
        return site.application("Bank", **self.kind.settings, **settings)

    def test_the_list_shows_only_who_asks_until_more_is_shown(self, timed: TimedSite) -> None:
        client = self.bank(timed, sign_in_steps=TWO_STEPS)
        self.kind.ask(timed, client, binding_message="Pay 12.50 to Garden", scope="openid phone")
        browser = signed_in(timed)
        page = browser.get(f"{timed.base}{backchannel.PATH}")
        assert "Bank" in page.text
        assert "Pay 12.50" not in page.text
        assert "Your phone number" not in page.text
        assert not page.has("ciba-allow-1")
        page = enrolled(timed, page.click("ciba-further-1"))
        assert "Pay 12.50" in page.text

    def test_one_application_s_policy_hides_no_other_s_request(self, timed: TimedSite) -> None:
        strict, plain = scripted(timed, DENIES, **self.kind.settings), self.bank(timed)
        self.kind.ask(timed, strict)
        asked = self.kind.ask(timed, plain)
        page = signed_in(timed).get(f"{timed.base}{backchannel.PATH}")
        assert page.has("ciba-further-1")
        page.submit("ciba-allow-2")
        assert self.kind.status(timed, plain, asked) == "approved"

    @pytest.mark.spec("OpenID CIBA Core", "7.1")
    def test_a_level_that_the_request_asks_for(self, timed: TimedSite) -> None:
        client = self.bank(timed)
        asked = self.kind.ask(timed, client, acr_values="2")
        page = opened(timed, signed_in(timed), asked)
        assert not page.has("ciba-allow-1")
        enrolled(timed, page).submit("ciba-allow-1")
        timed.clock.advance(30)
        assert claims_of(self.kind.poll(timed, client, asked)["id_token"])["acr"] == "2"

    def test_levels_that_the_request_is_content_with(self, timed: TimedSite) -> None:
        """Nobody is sent in a circle who has nothing to reach the first one with."""
        client = self.bank(timed)
        asked = self.kind.ask(timed, client, acr_values="urn:example:gold 2 1")
        opened(timed, signed_in(timed), asked).submit("ciba-allow-1")
        assert self.kind.status(timed, client, asked) == "approved"

    def test_another_person_s_request_begins_nothing(self, timed: TimedSite) -> None:
        asked = self.kind.ask(timed, self.bank(timed, minimum_acr="2"))
        page = opened(timed, signed_in(timed, timed.person("kim")), asked)
        assert page.redirects == []
        assert page.has("nothing-waits")
