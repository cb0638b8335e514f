"""Client-initiated backchannel authentication (OpenID CIBA Core 1.0): decision, poll, ping and the page."""

import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from identity.clock import SECOND
from identity.domain.applications import CIBA
from identity.domain.tenants import TenantSettings
from identity.oauth2.approvals.backchannel_authenticator import CannotAsk
from identity.oauth2.approvals.ciba_endpoint import MAXIMUM_WAITING
from tests.support.backchannel import (
    PATH,
    ask,
    asked,
    bank,
    error_of,
    hint_token,
    poll,
    refusal,
    waiting,
)
from tests.support.builders import Client, Site, claims_of
from tests.support.in_process import TimedSite
from tests.support.key_holder import KeyHolder
from tests.support.key_manager import api, authorized, change_role, role
from tests.support.receiver import Receiver, Reply
from tests.support.scripts import PASSWORD_STEP, SECOND_STEP, script_hash, steps
from tests.support.server import start_server

pytestmark = pytest.mark.long


@pytest.mark.spec("OpenID CIBA Core", "7.3")
@pytest.mark.spec("OpenID CIBA Core", "10.1.1")
@pytest.mark.parametrize("hint", ["login_hint", "id_token_hint", "login_hint_token"])
def test_from_the_request_to_the_tokens(timed: TimedSite, hint: str) -> None:
    holder = KeyHolder()
    client = bank(
        timed, jwks=holder.jwks, grant_types=(CIBA, "refresh_token", "authorization_code"),
        redirect_uris=("https://app.example/cb",),
    )  # fmt: skip
    value = timed.jane.username
    if hint == "id_token_hint":
        value = timed.tokens(client, timed.jane)["id_token"]
    elif hint == "login_hint_token":
        value = hint_token(timed, client, holder, now=timed.clock.now() // SECOND, username="jane")
    answer = asked(timed, client, **{"login_hint": None, hint: value, "scope": "openid email"})
    assert answer["auth_req_id"].startswith("cb_")
    assert (answer["expires_in"], answer["interval"]) == (300, 5)
    assert error_of(timed, client, answer["auth_req_id"]) == "authorization_pending"
    assert waiting(timed, timed.jane).submit("ciba-allow-1").has("notice")
    timed.clock.advance(5)
    status, tokens = poll(timed, client, answer["auth_req_id"])
    assert (status, tokens["scope"]) == (200, "openid email")
    claims = claims_of(tokens["id_token"])
    assert (claims["aud"], claims["amr"]) == (client.client_id, ["pwd"])
    assert "sid" not in claims
    assert timed.refresh(client, tokens["refresh_token"]).status_code == 200


def test_an_auth_req_id_is_good_once_and_a_replay_ends_what_it_gave(site: Site) -> None:
    client = bank(site)
    assert site.jane
    auth_req_id = asked(site, client)["auth_req_id"]
    waiting(site, site.jane).submit("ciba-allow-1")
    tokens = poll(site, client, auth_req_id)[1]
    assert site.is_active(client, tokens["access_token"])
    assert error_of(site, client, auth_req_id) == "invalid_grant"
    assert not site.is_active(client, tokens["access_token"])


class TestPolling:
    @pytest.mark.spec("OpenID CIBA Core", "11")
    def test_denied_slow_and_expired(self, timed: TimedSite) -> None:
        client = bank(timed)
        assert timed.jane
        first, second = (asked(timed, client)["auth_req_id"] for _ in range(2))
        assert waiting(timed, timed.jane).submit("ciba-deny-1").has("notice")
        assert error_of(timed, client, first) == "access_denied"
        assert error_of(timed, client, second) == "authorization_pending"
        assert error_of(timed, client, second) == "slow_down"
        timed.clock.advance(301)
        assert error_of(timed, client, second) == "expired_token"

    def test_another_client_s_id_is_unknown(self, site: Site) -> None:
        assert site.jane
        auth_req_id = asked(site, bank(site))["auth_req_id"]
        waiting(site, site.jane).submit("ciba-allow-1")
        assert error_of(site, bank(site), auth_req_id) == "invalid_grant"

    def test_nobody_could_be_asked(self, timed: TimedSite, monkeypatch: pytest.MonkeyPatch) -> None:
        """CIBA Core §11: transaction_failed."""

        async def cannot(self: Any, request: Any) -> None:
            raise CannotAsk

        monkeypatch.setattr("identity.oauth2.approvals.backchannel_authenticator.PageAuthenticator.ask", cannot)
        client = bank(timed)
        assert timed.jane
        assert error_of(timed, client, asked(timed, client)["auth_req_id"]) == "transaction_failed"


class TestPing:
    def client_of(self, site: Site, receiver: Receiver, path: str = "/ping") -> Client:
        return bank(
            site, backchannel_token_delivery_mode="ping",
            backchannel_client_notification_endpoint=receiver.url(path),
        )  # fmt: skip

    @pytest.mark.spec("OpenID CIBA Core", "10.2")
    @pytest.mark.parametrize(("button", "status"), [("ciba-allow-1", 200), ("ciba-deny-1", 400)])
    def test_the_client_is_told_that_there_is_a_decision(
        self, site: Site, receiver: Receiver, button: str, status: int
    ) -> None:
        assert site.jane
        client, token = self.client_of(site, receiver), secrets.token_urlsafe(32)
        auth_req_id = asked(site, client, client_notification_token=token)["auth_req_id"]
        waiting(site, site.jane).submit(button)
        (ping,) = receiver.wait_for("/ping")
        assert (ping.method, ping.json()) == ("POST", {"auth_req_id": auth_req_id})
        assert ping.headers["authorization"] == f"Bearer {token}"
        assert ping.headers["content-type"] == "application/json"
        assert poll(site, client, auth_req_id)[0] == status

    @pytest.mark.spec("OpenID CIBA Core", "10.2")
    @pytest.mark.parametrize(
        "reply", [Reply(401), Reply(302, headers=(("location", "/elsewhere"),))], ids=["401", "302"]
    )
    def test_no_retry_and_no_redirect(self, site: Site, receiver: Receiver, reply: Reply) -> None:
        """A ping for another request comes after it, and shows that the first was not tried again."""
        assert site.jane
        receiver.answer("/refusing", reply)
        client = self.client_of(site, receiver, "/refusing")
        browser = site.browser()
        for _ in range(2):
            asked(site, client, client_notification_token=secrets.token_urlsafe(32))
        waiting(site, site.jane, browser).submit("ciba-allow-1")
        first = receiver.wait_for("/refusing")[0]
        waiting(site, site.jane, browser).submit("ciba-allow-1")
        pings = receiver.wait_for("/refusing", count=2)
        assert [ping.body for ping in pings].count(first.body) == 1
        assert receiver.at("/elsewhere") == []

    @pytest.mark.parametrize("token", [None, "short", "has a blank in the middle of it all", "ü" * 30, "x" * 1100])
    def test_its_token_must_be_one(self, site: Site, receiver: Receiver, token: str | None) -> None:
        assert site.jane
        client = self.client_of(site, receiver)
        assert refusal(site, client, client_notification_token=token) == "invalid_request"


KEY = "the-key-of-a-test-installation"


@pytest.fixture(scope="module")
def door(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server whose settings open the door for programs."""
    server = start_server("sqlite", request, tmp_path_factory.mktemp("door"), test_mode_key=KEY)
    site = Site(server, "door", TenantSettings())
    try:
        yield site
    finally:
        site.close()
        server.stop()


class TestPage:
    def test_it_shows_who_asks_and_the_message(self, site: Site) -> None:
        assert site.jane
        asked(site, bank(site), binding_message="Pay 12.50 to Garden", scope="openid phone")
        text = waiting(site, site.jane).text
        for shown in ("Bank", "Pay 12.50 to Garden", "Your phone number", "Jane Doe"):
            assert shown in text

    @pytest.mark.parametrize("method", ["page", "door"])
    def test_a_role_that_was_taken_away_meanwhile(self, door: Site, method: str) -> None:
        """Asked for, allowed by role, and gone before the person decides: neither shown nor granted."""
        read, write = f"{method}:read", f"{method}:write"
        orders = api(door, read, write, identifier=f"https://{method}.example")
        client = bank(door, authorized_apis=[authorized(orders, read, write)])
        kim = door.person(f"kim-{method}")
        for scope in (read, write):
            role(door, scope, scope, people=(kim,))
        answer = asked(door, client, login_hint=kim.username, scope=f"openid {read} {write}")
        change_role(door, write, remove=kim)
        if method == "page":
            page = waiting(door, kim)
            assert read in page.text
            assert write not in page.text
            page.submit("ciba-allow-1")
        else:
            door.http.post(PATH, params={"auth_req_id": answer["auth_req_id"], "action": "allow", "key": KEY})
        assert poll(door, client, answer["auth_req_id"])[1]["scope"] == f"openid {read}"

    def test_it_shows_the_application_as_the_consent_page_does(self, site: Site) -> None:
        assert site.jane
        asked(site, bank(site, logo_uri="https://bank.example/logo.png"))
        assert 'data-source="https://bank.example/logo.png"' in waiting(site, site.jane).text

    def test_an_application_cannot_bury_the_page(self, site: Site) -> None:
        """So many at once wait from one application, that another's is still seen (attack row 32)."""
        assert site.jane
        noisy, quiet = bank(site), bank(site)
        for _ in range(MAXIMUM_WAITING):
            asked(site, noisy)
        status, answer = ask(site, noisy)
        assert (status, answer["error"]) == (429, "slow_down")
        asked(site, quiet, binding_message="The one that counts")
        page = waiting(site, site.jane)
        assert "The one that counts" in page.text
        page.submit("ciba-deny-1")
        assert ask(site, noisy)[0] == 200

    def test_another_person_s_request_is_neither_shown_nor_decided(self, site: Site) -> None:
        assert site.jane
        asked(site, bank(site))
        kim, browser = site.person("kim"), site.browser()
        page = waiting(site, kim, browser)
        assert page.has("nothing-waits")
        asked(site, bank(site), login_hint="kim")
        own = browser.get(f"{site.base}{PATH}")
        foreign = site.browser()
        jane_page = waiting(site, site.jane, foreign)
        request = jane_page.document.all("input")
        id = next(field.attributes["value"] for field in request if field.attributes.get("name") == "request")
        assert own.submit("ciba-allow-1", forged={"request": id}).status == 410

    def test_decided_in_two_tabs(self, site: Site) -> None:
        assert site.jane
        client, browser = bank(site), site.browser()
        auth_req_id = asked(site, client)["auth_req_id"]
        tabs = [waiting(site, site.jane, browser) for _ in range(2)]
        tabs[0].submit("ciba-deny-1")
        assert tabs[1].submit("ciba-allow-1").status == 410
        assert error_of(site, client, auth_req_id) == "access_denied"

    def test_an_application_that_was_disabled_meanwhile(self, site: Site) -> None:
        assert site.jane
        client = bank(site)
        asked(site, client)
        page = waiting(site, site.jane)
        site.update(client, enabled=False)
        assert page.submit("ciba-allow-1").status == 410

    def test_the_account_page_tells_how_many_wait(self, site: Site) -> None:
        assert site.jane
        browser = site.browser()
        waiting(site, site.jane, browser)
        assert not browser.get(f"{site.base}/account").has("waiting-requests")
        for _ in range(2):
            asked(site, bank(site))
        account = browser.get(f"{site.base}/account")
        assert "2" in account.element("waiting-requests").text
        assert account.click("waiting-requests").has("ciba-allow-2")


class TestTestDoor:
    """Decision 27: a program decides in test mode, with the key of the settings."""

    def decide(self, site: Site, auth_req_id: str, action: str, key: str) -> int:
        query = {"auth_req_id": auth_req_id, "action": action, "key": key}
        return site.http.post(PATH, params=query).status_code

    @pytest.mark.parametrize(("action", "status"), [("allow", 200), ("deny", 400)])
    def test_it_decides(self, door: Site, action: str, status: int) -> None:
        assert door.jane
        client = bank(door)
        auth_req_id = asked(door, client)["auth_req_id"]
        assert self.decide(door, auth_req_id, action, KEY) == 200
        assert poll(door, client, auth_req_id)[0] == status
        assert self.decide(door, auth_req_id, action, KEY) == 410

    @pytest.mark.parametrize(
        ("action", "key", "status"),
        [("allow", "wrong", 403), ("allow", "", 403), ("maybe", KEY, 400), ("", KEY, 400)],
    )
    def test_what_it_refuses(self, door: Site, action: str, key: str, status: int) -> None:
        assert door.jane
        client = bank(door)
        auth_req_id = asked(door, client)["auth_req_id"]
        assert self.decide(door, auth_req_id, action, key) == status
        assert error_of(door, client, auth_req_id) == "authorization_pending"

    @pytest.mark.parametrize("way", ["level", "steps", "script", "asked for"])
    def test_it_allows_nothing_that_takes_more_than_a_password(self, door: Site, way: str) -> None:
        """Attack row 15: the door reaches acr 1 and runs no script."""
        assert door.jane
        settings: dict[str, dict[str, Any]] = {
            "level": {"minimum_acr": "2"},
            "steps": {"sign_in_steps": steps(PASSWORD_STEP, SECOND_STEP)},
            "script": {"sign_in_script": script_hash(door, "var onLoginRequest = function (c) { executeStep(1); };")},
        }
        client = bank(door, **settings.get(way, {}))
        auth_req_id = asked(door, client, acr_values="2" if way == "asked for" else None)["auth_req_id"]
        query = {"auth_req_id": auth_req_id, "action": "allow", "key": KEY}
        answer = door.http.post(PATH, params=query)
        assert (answer.status_code, answer.json()["error"]) == (403, "unmet_authentication_requirements")
        assert error_of(door, client, auth_req_id) == "authorization_pending"
        assert self.decide(door, auth_req_id, "deny", KEY) == 200

    def test_it_takes_no_device_code(self, door: Site) -> None:
        assert self.decide(door, "dc_anything", "allow", KEY) == 410

    def test_without_a_key_there_is_no_door(self, site: Site) -> None:
        assert site.jane
        auth_req_id = asked(site, bank(site))["auth_req_id"]
        assert self.decide(site, auth_req_id, "allow", "") == 405


def test_metadata(site: Site) -> None:
    metadata = site.http.get("/oauth2/token/.well-known/openid-configuration").json()
    assert metadata["backchannel_authentication_endpoint"] == f"{site.base}/oauth2/ciba"
    assert metadata["backchannel_token_delivery_modes_supported"] == ["poll", "ping"]
    assert metadata["backchannel_user_code_parameter_supported"] is False
    assert "ES256" in metadata["backchannel_authentication_request_signing_alg_values_supported"]
