"""Step-up (RFC 9470): what a resource's challenge asks for leads to a new sign-in, and the token says so.

Also the demands of OpenID Connect Core on the sign-in that come from the application's registration, and persons named
as a pairwise application sees them.
"""

from typing import Any

import pytest

from identity.domain.applications import RESPONSE_TYPES
from identity.storage.sso_sessions import find_session
from tests.support.authorization import carried
from tests.support.browser import Browser
from tests.support.builders import Client, Site, claims_of, response_parameters
from tests.support.in_process import TimedSite


def told(site: Site, client: Client, tokens: dict[str, Any]) -> dict[str, Any]:
    """What introspection and, when it is a JWT, the token itself say of the sign-in."""
    shown = {name: value for name, value in site.introspect(client, tokens["access_token"]).items() if name in NAMES}
    if tokens["access_token"].count(".") == 2:
        claims = claims_of(tokens["access_token"])
        assert {name: claims[name] for name in NAMES if name in claims} == shown
    return shown


NAMES = ("acr", "auth_time")


@pytest.mark.spec("RFC 9470", "4")
@pytest.mark.spec("RFC 9470", "5")
@pytest.mark.spec("RFC 9470", "6.1")
@pytest.mark.spec("RFC 9470", "6.2")
@pytest.mark.parametrize("kind", ["opaque", "jwt"])
def test_a_challenge_is_met_by_a_new_sign_in(timed: TimedSite, kind: str) -> None:
    client, browser = timed.application(access_token_type=kind), timed.browser()
    page = timed.sign_in(client, timed.jane, browser=browser)
    first = timed.redeem(client, response_parameters(page)["code"]).json()
    assert told(timed, client, first) == {}
    timed.clock.advance(500)
    # WWW-Authenticate: Bearer error="insufficient_user_authentication", max_age="300", acr_values="1"
    page = browser.get(timed.authorize_url(client, max_age="300", acr_values="1"))
    page = page.submit("login-submit", username="jane", password=timed.jane.password)
    now = timed.clock.now() // 1_000_000
    tokens = timed.redeem(client, response_parameters(page)["code"]).json()
    assert told(timed, client, tokens) == {"acr": "1", "auth_time": now}
    timed.clock.advance(100)
    # A refreshed token tells of the same sign-in.
    again = timed.refresh(client, tokens["refresh_token"]).json()
    assert told(timed, client, again) == {"acr": "1", "auth_time": now}
    # Recent enough: nobody is asked.
    page = browser.get(timed.authorize_url(client, max_age="300"))
    tokens = timed.redeem(client, response_parameters(page)["code"]).json()
    assert told(timed, client, tokens) == {"auth_time": now}


def test_a_token_of_the_front_channel_says_so_too(site: Site) -> None:
    client = site.application(response_types=RESPONSE_TYPES, access_token_type="jwt")
    page = site.sign_in(client, site.jane, response_type="token", acr_values="2 1")
    assert told(site, client, carried(page)[1]) == {"acr": "1"}


@pytest.mark.spec("OpenID Connect Core", "5.5.1.1")
@pytest.mark.parametrize(
    ("demand", "met"),
    [
        ('{"essential":true,"value":"1"}', True),
        ('{"essential":true,"values":["phr","1"]}', True),
        ('{"essential":true}', True),
        ("null", True),
        ('{"values":["phr"]}', True),
        ('{"value":"phr"}', True),
        ('{"essential":true,"value":"phr"}', False),
        ('{"essential":true,"values":["phr","phrh"]}', False),
        ('{"essential":true,"values":[{"a":1},7]}', False),
    ],
)
def test_an_essential_acr_is_met_or_refused(site: Site, demand: str, met: bool) -> None:
    client = site.application()
    page = site.sign_in(client, site.jane, claims=f'{{"id_token":{{"acr":{demand}}}}}')
    answer = response_parameters(page)
    if met:
        assert claims_of(site.redeem(client, answer["code"]).json()["id_token"])["acr"] == "1"
    else:
        assert answer["error"] == "unmet_authentication_requirements"


@pytest.mark.spec("OpenID Connect Core", "3.1.2.1")
def test_voluntary_acr_values_may_be_missed(site: Site) -> None:
    client = site.application()
    tokens = site.redeem(client, site.code(client, site.jane, acr_values="urn:gold urn:silver")).json()
    assert claims_of(tokens["id_token"])["acr"] == "1"
    assert told(site, client, tokens) == {"acr": "1"}


def test_a_session_of_a_lower_class_is_not_enough(site: Site) -> None:
    """Attack row 15: a session below what is asked is not passed off as good."""
    client, browser = site.application(), site.browser()
    page = site.sign_in(client, site.jane, browser=browser)
    sid = claims_of(site.redeem(client, response_parameters(page)["code"]).json()["id_token"])["sid"]
    _lower(site, sid)
    assert browser.get(site.authorize_url(client, acr_values="1")).has("login-submit")
    essential = '{"id_token":{"acr":{"essential":true,"value":"1"}}}'
    silent = browser.get(site.authorize_url(client, claims=essential, prompt="none"))
    assert response_parameters(silent)["error"] == "login_required"
    page = browser.get(site.authorize_url(client, acr_values="1"))
    page = page.submit("login-submit", username="jane", password=site.jane.password)
    assert "code" in response_parameters(page)
    assert "code" in response_parameters(browser.get(site.authorize_url(client, acr_values="1", prompt="none")))


def _lower(site: Site, sid: str) -> None:
    from sqlalchemy import bindparam, update

    from identity.domain.sessions import SessionId
    from identity.storage.tables import sso_session

    statement = update(sso_session).where(sso_session.c.id == bindparam("sid")).values(acr="0", factors="")

    async def change(administration: Any) -> None:
        await administration.database.execute(statement, sid=sid)
        session = await find_session(administration.database, site.tenant.id, SessionId(sid), 0)
        assert session is not None
        assert session.acr == "0"

    site.administer(change)


@pytest.mark.parametrize(("after", "asked"), [(60, False), (61, True)])
def test_the_default_age_of_an_application(timed: TimedSite, after: int, asked: bool) -> None:
    client, browser = timed.application(default_max_age=60), timed.browser()
    timed.sign_in(client, timed.jane, browser=browser)
    timed.clock.advance(after)
    assert browser.get(timed.authorize_url(client)).has("login-submit") is asked
    page = browser.get(timed.authorize_url(client, max_age="3600"))
    tokens = timed.redeem(client, response_parameters(page)["code"]).json()
    assert told(timed, client, tokens).keys() == {"auth_time"}


def test_the_default_class_of_an_application(site: Site) -> None:
    client = site.application(default_acr_values=("1",))
    tokens = site.redeem(client, site.code(client, site.jane)).json()
    assert told(site, client, tokens) == {"acr": "1"}


class TestPairwise:
    @pytest.fixture
    def client(self, site: Site) -> Client:
        return site.application("Pairwise", subject_type="pairwise")

    def silently(self, site: Site, browser: Browser, client: Client, **parameters: str) -> dict[str, str]:
        return response_parameters(browser.get(site.authorize_url(client, prompt="none", **parameters)))

    @pytest.mark.spec("OpenID Connect Core", "8.1")
    def test_hints_and_demands_name_the_sub_that_the_application_sees(self, site: Site, client: Client) -> None:
        browser = site.browser()
        page = site.sign_in(client, site.jane, browser=browser)
        hint = site.redeem(client, response_parameters(page)["code"]).json()["id_token"]
        shown = claims_of(hint)["sub"]
        public = claims_of(site.tokens(site.application(), site.jane)["id_token"])["sub"]
        assert shown != public
        assert "code" in self.silently(site, browser, client, id_token_hint=hint)
        for value, outcome in ((shown, "code"), (public, "error"), ("nobody", "error")):
            claims = f'{{"id_token":{{"sub":{{"value":"{value}"}}}}}}'
            assert outcome in self.silently(site, browser, client, claims=claims), value
        several = f'{{"id_token":{{"sub":{{"values":["nobody","{shown}"]}}}}}}'
        assert "code" in self.silently(site, browser, client, claims=several)
        other = site.person("john")
        john = claims_of(site.tokens(client, other)["id_token"])["sub"]
        claims = f'{{"id_token":{{"sub":{{"value":"{john}"}}}}}}'
        page = browser.get(site.authorize_url(client, claims=claims))
        page = page.submit("login-submit", username="jane", password=site.jane.password)
        assert response_parameters(page)["error"] == "login_required"

    def test_a_hint_and_a_demand_that_differ(self, site: Site, client: Client) -> None:
        hint = site.tokens(client, site.jane)["id_token"]
        claims = '{"id_token":{"sub":{"value":"somebody else"}}}'
        assert self.silently(site, site.browser(), client, id_token_hint=hint, claims=claims)["error"] == (
            "login_required"
        )
