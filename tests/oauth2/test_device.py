"""Device authorization (RFC 8628): the device's two requests, and the page on which a person decides."""

import re
from dataclasses import replace
from typing import Any

import pytest

from identity.administration import applications, users
from identity.domain.applications import DEVICE_CODE
from identity.oauth2.approvals.user_codes import ALPHABET, new_user_code, read_user_code, shown_user_code
from identity.storage.sqlite_writer import SqliteDatabase
from tests.support.browser import Browser, Page
from tests.support.builders import Client, Person, Site, claims_of
from tests.support.in_process import TimedSite

pytestmark = pytest.mark.long

Answer = dict[str, Any]


def television(site: Site, **settings: Any) -> Client:
    values: dict[str, Any] = {
        "grant_types": (DEVICE_CODE, "refresh_token"),
        "redirect_uris": (),
        "token_endpoint_auth_method": "none",
    }
    return site.application("Television", **(values | settings))


def begin(site: Site, client: Client, **form: str) -> Answer:
    data = {"client_id": client.client_id, "scope": "openid email", **form}
    if client.secret is not None:
        data["client_secret"] = client.secret
    response = site.http.post("/oauth2/device_authorize", data=data, headers={"User-Agent": "SampleTV/2.1"})
    assert response.status_code == 200, response.text
    answer: Answer = response.json()
    return answer


def poll(site: Site, client: Client, device_code: str) -> tuple[int, Answer]:
    response = site.token(client, grant_type=DEVICE_CODE, device_code=device_code)
    return response.status_code, response.json()


def error_of(site: Site, client: Client, device_code: str) -> str:
    status, answer = poll(site, client, device_code)
    assert status == 400, answer
    error: str = answer["error"]
    return error


def open_page(site: Site, browser: Browser, person: Person, path: str) -> Page:
    page = browser.get(f"{site.base}{path}")
    if page.has("login-submit"):
        page = page.submit("login-submit", username=person.username, password=person.password)
    return page


def confirmation(site: Site, person: Person, answer: Answer, browser: Browser | None = None) -> Page:
    page = open_page(site, browser or site.browser(), person, f"/oauth2/device?user_code={answer['user_code']}")
    assert page.has("device-allow"), page
    return page


def approve(site: Site, person: Person, answer: Answer) -> None:
    assert confirmation(site, person, answer).submit("device-allow").has("device-allowed")


@pytest.mark.spec("RFC 8628", "3.2")
def test_the_answer_to_a_device(site: Site) -> None:
    answer = begin(site, television(site))
    assert answer["device_code"].startswith("dc_")
    assert re.fullmatch(f"[{ALPHABET}]{{4}}-[{ALPHABET}]{{4}}", answer["user_code"])
    assert answer["verification_uri"] == f"{site.base}/oauth2/device"
    assert answer["verification_uri_complete"] == f"{site.base}/oauth2/device?user_code={answer['user_code']}"
    assert (answer["expires_in"], answer["interval"]) == (600, 5)


@pytest.mark.spec("RFC 8628", "3.4")
@pytest.mark.spec("RFC 8628", "3.5")
@pytest.mark.parametrize("method", ["none", "client_secret_basic"])
def test_from_the_code_to_the_tokens(timed: TimedSite, method: str) -> None:
    client = television(timed, token_endpoint_auth_method=method)
    answer = begin(timed, client)
    assert error_of(timed, client, answer["device_code"]) == "authorization_pending"
    approve(timed, timed.jane, answer)
    timed.clock.advance(5)
    status, tokens = poll(timed, client, answer["device_code"])
    assert (status, tokens["scope"], tokens["token_type"]) == (200, "openid email", "Bearer")
    assert timed.userinfo(tokens["access_token"]).json()["email"] == "jane@example.org"
    claims = claims_of(tokens["id_token"])
    assert (claims["aud"], claims["acr"], claims["amr"]) == (client.client_id, "1", ["pwd"])
    assert "sid" not in claims, "the device has no part in the browser's session (decision 11)"
    assert timed.refresh(client, tokens["refresh_token"]).status_code == 200


def test_it_outlives_the_browser_s_session(site: Site) -> None:
    client, browser = television(site), site.browser()
    answer = begin(site, client)
    confirmation(site, site.jane, answer, browser).submit("device-allow")
    tokens = poll(site, client, answer["device_code"])[1]
    browser.get(f"{site.base}/oidc/logout").submit("logout-confirm")
    assert site.userinfo(tokens["access_token"]).status_code == 200


def test_a_device_code_is_good_once_and_a_replay_ends_what_it_gave(site: Site) -> None:
    client = television(site)
    answer = begin(site, client)
    approve(site, site.jane, answer)
    tokens = poll(site, client, answer["device_code"])[1]
    assert error_of(site, client, answer["device_code"]) == "invalid_grant"
    assert site.userinfo(tokens["access_token"]).status_code == 401
    assert site.refresh(client, tokens["refresh_token"]).status_code == 400


def _counted(method: Any, asked: list[str]) -> Any:
    def counted(self: Any, *arguments: Any, **parameters: Any) -> Any:
        asked.append(method.__name__)
        return method(self, *arguments, **parameters)

    return counted


class TestPolling:
    @pytest.mark.spec("RFC 8628", "3.5")
    def test_too_fast_costs_five_seconds_each_time(self, timed: TimedSite) -> None:
        client = television(timed)
        code = begin(timed, client)["device_code"]
        outcomes = []
        for wait in (0, 1, 5, 15):
            timed.clock.advance(wait)
            outcomes.append(error_of(timed, client, code))
        # After the second poll the interval is 10 s, so that 5 s later is too early again; then it is 15 s.
        assert outcomes == ["authorization_pending", "slow_down", "slow_down", "authorization_pending"]

    def test_a_poll_while_nothing_is_decided_is_one_read(
        self, timed: TimedSite, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        client = television(timed)
        code = begin(timed, client)["device_code"]
        error_of(timed, client, code)
        asked: list[str] = []
        for name in ("fetch", "fetch_one", "fetch_changed", "execute", "commit", "write"):
            monkeypatch.setattr(SqliteDatabase, name, _counted(getattr(SqliteDatabase, name), asked))
        timed.clock.advance(5)
        assert error_of(timed, client, code) == "authorization_pending"
        assert asked == ["fetch_one"]

    def test_at_the_interval_it_is_never_told_to_slow_down(self, timed: TimedSite) -> None:
        client = television(timed)
        code = begin(timed, client)["device_code"]
        for _ in range(6):
            assert error_of(timed, client, code) == "authorization_pending"
            timed.clock.advance(5)

    @pytest.mark.spec("RFC 8628", "3.5")
    def test_expired(self, timed: TimedSite) -> None:
        client = television(timed)
        answer = begin(timed, client)
        timed.clock.advance(601)
        assert error_of(timed, client, answer["device_code"]) == "expired_token"
        page = open_page(timed, timed.browser(), timed.jane, f"/oauth2/device?user_code={answer['user_code']}")
        assert (page.status, page.has("error-summary")) == (422, True)

    def test_approved_but_never_fetched(self, timed: TimedSite) -> None:
        client = television(timed)
        answer = begin(timed, client)
        approve(timed, timed.jane, answer)
        timed.clock.advance(601)
        assert error_of(timed, client, answer["device_code"]) == "expired_token"

    @pytest.mark.spec("RFC 8628", "3.5")
    def test_denied(self, timed: TimedSite) -> None:
        client = television(timed)
        answer = begin(timed, client)
        page = confirmation(timed, timed.jane, answer).submit("device-deny")
        assert page.has("device-denied")
        assert error_of(timed, client, answer["device_code"]) == "access_denied"

    def test_another_client_s_code_is_unknown(self, site: Site) -> None:
        answer = begin(site, television(site))
        approve(site, site.jane, answer)
        thief = television(site)
        assert error_of(site, thief, answer["device_code"]) == "invalid_grant"

    @pytest.mark.parametrize("code", ["dc_unknown", "ac_unknown", "cb_unknown", "x"])
    def test_what_is_no_device_code(self, site: Site, code: str) -> None:
        assert error_of(site, television(site), code) == "invalid_grant"


class TestRequest:
    @pytest.mark.parametrize(
        ("change", "status", "error"),
        [
            ({"client_id": "unknown"}, 401, "invalid_client"),
            ({"client_secret": "guess"}, 401, "invalid_client"),
            ({"resource": "https://other.example"}, 400, "invalid_target"),
            ({"authorization_details": '[{"type":"payment"}]'}, 400, "invalid_authorization_details"),
            ({"scope": "a" * 9000}, 400, "invalid_scope"),
        ],
    )
    def test_refused(self, site: Site, change: dict[str, str], status: int, error: str) -> None:
        data = {"client_id": television(site).client_id, **change}
        response = site.http.post("/oauth2/device_authorize", data=data)
        assert (response.status_code, response.json()["error"]) == (status, error)

    def test_only_with_the_grant(self, site: Site) -> None:
        client = site.public_application()
        response = site.http.post("/oauth2/device_authorize", data={"client_id": client.client_id})
        assert (response.status_code, response.json()["error"]) == (400, "unauthorized_client")

    def test_an_application_that_must_name_a_resource_does_it_here(self, site: Site) -> None:
        """Else the person would allow what can never be fetched."""
        client = television(site, require_resource=True, resources=("https://api.example",))
        data = {"client_id": client.client_id, "scope": "openid"}
        refused = site.http.post("/oauth2/device_authorize", data=data)
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_target")
        assert begin(site, client, resource="https://api.example")

    def test_credentials_in_the_address_are_refused(self, site: Site) -> None:
        client = television(site, token_endpoint_auth_method="client_secret_post")
        response = site.http.post(f"/oauth2/device_authorize?client_id={client.client_id}&client_secret=x", data={})
        assert (response.status_code, response.json()["error"]) == (400, "invalid_request")

    @pytest.mark.spec("RFC 8707", "2.2")
    def test_a_resource_is_the_audience(self, site: Site) -> None:
        client = television(site, resources=("https://api.example",), access_token_type="jwt")
        answer = begin(site, client, resource="https://api.example")
        approve(site, site.jane, answer)
        tokens = poll(site, client, answer["device_code"])[1]
        assert claims_of(tokens["access_token"])["aud"] == "https://api.example"


class TestPage:
    def test_a_code_typed_in_any_way(self, site: Site) -> None:
        answer = begin(site, television(site))
        plain = answer["user_code"].replace("-", "")
        page = open_page(site, site.browser(), site.jane, "/oauth2/device")
        typed = page.submit("device-continue", user_code=f" {plain[:3].lower()} {plain[3:5]}.{plain[5:].lower()} ")
        assert typed.has("device-allow")
        assert typed.element("shown-code").text == answer["user_code"]

    @pytest.mark.spec("RFC 8628", "5.4")
    def test_it_shows_what_is_approved_and_where_it_was_asked(self, site: Site) -> None:
        """Decision 18, also where the application needs no consent."""
        answer = begin(site, television(site))
        text = confirmation(site, site.jane, answer).text
        for shown in ("Television", "Your email address", "127.0.0.1", "SampleTV", answer["user_code"], "Jane Doe"):
            assert shown in text

    @pytest.mark.spec("RFC 8628", "3.3.1")
    def test_opening_the_complete_address_approves_nothing(self, timed: TimedSite) -> None:
        client = television(timed)
        answer = begin(timed, client)
        confirmation(timed, timed.jane, answer)
        assert error_of(timed, client, answer["device_code"]) == "authorization_pending"

    def test_what_is_not_ticked_is_not_granted(self, site: Site) -> None:
        client = television(site)
        answer = begin(site, client, scope="openid email phone")
        confirmation(site, site.jane, answer).submit("device-allow", scope="phone")
        assert poll(site, client, answer["device_code"])[1]["scope"] == "openid phone"

    def test_it_is_listed_in_the_account_and_can_be_taken_back(self, site: Site) -> None:
        client, browser = television(site), site.browser()
        answer = begin(site, client)
        confirmation(site, site.jane, answer, browser).submit("device-allow")
        tokens = poll(site, client, answer["device_code"])[1]
        page = browser.get(f"{site.base}/account")
        assert "Television" in page.text
        token = page.text.split('name="csrf_token" value="')[1].split('"')[0]
        browser.post(f"{site.base}/account", {"csrf_token": token, "revoke_application": client.application.id})
        assert site.userinfo(tokens["access_token"]).status_code == 401

    def test_a_decision_needs_the_form_of_this_code(self, site: Site) -> None:
        first, second = begin(site, television(site)), begin(site, television(site))
        browser = site.browser()
        page = confirmation(site, site.jane, first, browser)
        token = page.text.split('name="csrf_token" value="')[1].split('"')[0]
        form = {"csrf_token": token, "user_code": second["user_code"], "decision": "allow"}
        assert browser.post(f"{site.base}/oauth2/device", form).status == 403

    def test_decided_in_two_tabs(self, site: Site) -> None:
        answer, browser = begin(site, television(site)), site.browser()
        tabs = [confirmation(site, site.jane, answer, browser) for _ in range(2)]
        assert tabs[0].submit("device-allow").has("device-allowed")
        assert tabs[1].submit("device-deny").status == 410

    def test_an_application_that_was_disabled_meanwhile(self, site: Site) -> None:
        client = television(site)
        answer = begin(site, client)
        page = confirmation(site, site.jane, answer)
        site.update(client, enabled=False)
        assert page.submit("device-allow").status == 410

    def test_a_person_who_was_disabled_meanwhile(self, timed: TimedSite) -> None:
        client = television(timed)
        answer = begin(timed, client)
        page = confirmation(timed, timed.jane, answer)
        timed.in_tenant(lambda a, t: users.set_user_enabled(a, t, "jane", False))
        assert not page.submit("device-allow").has("device-allowed")
        assert error_of(timed, client, answer["device_code"]) == "authorization_pending"


class TestGuessing:
    """RFC 8628 §5.1."""

    def test_without_a_session_no_code_can_be_tried(self, site: Site) -> None:
        answer = begin(site, television(site))
        for code in (answer["user_code"], "BBBB-BBBB"):
            page = site.browser().get(f"{site.base}/oauth2/device?user_code={code}")
            assert page.has("login-submit")

    @pytest.mark.spec("RFC 8628", "5.1")
    def test_wrong_codes_lock_the_person_out_of_the_page(self, timed: TimedSite) -> None:
        answer, browser = begin(timed, television(timed)), timed.browser()
        open_page(timed, browser, timed.jane, "/oauth2/device")
        address = f"{timed.base}/oauth2/device?user_code="
        assert [browser.get(address + "BBBB-BBBB").status for _ in range(5)] == [422] * 5
        locked = browser.get(address + answer["user_code"])
        assert (locked.status, locked.has("device-allow")) == (503, False)
        timed.clock.advance(301)
        assert browser.get(address + answer["user_code"]).has("device-allow")
        refused = [event for event in timed.events() if event["type"] == "user:user_code:refused"]
        assert len(refused) == 5

    def test_a_good_code_between_them_does_not_start_the_count_anew(self, timed: TimedSite) -> None:
        answer, browser = begin(timed, television(timed)), timed.browser()
        open_page(timed, browser, timed.jane, "/oauth2/device")
        address = f"{timed.base}/oauth2/device?user_code="
        for _ in range(4):
            browser.get(address + "BBBB-BBBB")
        assert browser.get(address + answer["user_code"]).status == 200
        assert browser.get(address + "BBBB-BBBB").status == 422
        assert browser.get(address + answer["user_code"]).status == 503

    def test_the_sign_in_itself_stays_open(self, timed: TimedSite) -> None:
        browser = timed.browser()
        open_page(timed, browser, timed.jane, "/oauth2/device")
        for _ in range(6):
            browser.get(f"{timed.base}/oauth2/device?user_code=BBBB-BBBB")
        client = timed.application()
        assert timed.sign_in(client, timed.jane).left_for is not None


def test_lifetime_and_interval_are_settings(timed: TimedSite) -> None:
    timed.change_settings(lambda s: replace(s, device_code_lifetime=60, device_interval=2))
    timed.clock.advance(2)
    client = television(timed)
    answer = begin(timed, client)
    assert (answer["expires_in"], answer["interval"]) == (60, 2)


def test_a_tenant_s_code_is_nothing_in_another(site: Site) -> None:
    answer = begin(site, television(site))
    page = open_page(site, site.browser(), site.jane, f"/oauth2/device?user_code={answer['user_code']}")
    assert page.has("device-allow")
    elsewhere = site.http.post(
        f"{site.server.base_url}/oauth2/token",
        data={"grant_type": DEVICE_CODE, "device_code": answer["device_code"], "client_id": "x"},
    )
    assert elsewhere.status_code == 401


def test_metadata_names_the_endpoint(site: Site) -> None:
    metadata = site.http.get("/oauth2/token/.well-known/openid-configuration").json()
    assert metadata["device_authorization_endpoint"] == f"{site.base}/oauth2/device_authorize"
    assert DEVICE_CODE in metadata["grant_types_supported"]


@pytest.mark.spec("RFC 8628", "6.1")
@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("WDJB-MJHT", "WDJBMJHT"), ("wdjb mjht", "WDJBMJHT"), (" w.d/j_b—mjht", "WDJBMJHT"), ("WDJBMJH", None),
        ("WDJBMJHTX", None), ("ADJBMJHT", None), ("0DJBMJHT", None), ("", None), ("ß" * 8, None), ("W" * 500, None),
    ],
)  # fmt: skip
def test_reading_a_user_code(typed: str, read: str | None) -> None:
    assert read_user_code(typed) == read


def test_new_user_codes_can_be_read() -> None:
    for code in {new_user_code() for _ in range(50)}:
        assert read_user_code(shown_user_code(code)) == code


def test_a_deleted_application_s_requests_are_over(site: Site) -> None:
    client = television(site)
    answer = begin(site, client)
    approve(site, site.jane, answer)
    site.administer(lambda a: applications.delete_application(a, site.tenant, client.client_id))
    status, body = poll(site, client, answer["device_code"])
    assert (status, body["error"]) == (401, "invalid_client")
