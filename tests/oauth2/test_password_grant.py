"""The password grant (RFC 6749 §4.3): off by default, and no weaker than the sign-in page."""

from dataclasses import replace
from typing import Any

import httpx
import pytest

from identity.administration import users
from identity.authn.people import People
from tests.support.builders import PASSWORD, Client, Site, claims_of
from tests.support.in_process import TimedSite
from userstores.spi import StoreUnavailable


def legacy(site: Site, **settings: Any) -> Client:
    values: dict[str, Any] = {"grant_types": ("password", "refresh_token"), "redirect_uris": (), "scopes": ("read",)}
    return site.application("Legacy", **(values | settings))


def sign_in(
    site: Site, client: Client, username: str = "jane", password: str = PASSWORD, **form: str
) -> httpx.Response:
    return site.token(client, grant_type="password", username=username, password=password, **form)


@pytest.mark.spec("RFC 6749", "4.3")
def test_tokens_for_a_password(site: Site) -> None:
    client = legacy(site)
    assert site.jane
    tokens = sign_in(site, client, scope="openid email read other").json()
    assert tokens["scope"] == "openid email read"
    claims = claims_of(tokens["id_token"])
    assert (claims["amr"], claims["acr"]) == (["pwd"], "1")
    assert site.userinfo(tokens["access_token"]).json()["email"] == "jane@example.org"
    assert site.refresh(client, tokens["refresh_token"]).status_code == 200


def test_it_is_off_unless_the_application_has_it(site: Site) -> None:
    assert site.jane
    response = sign_in(site, site.application())
    assert (response.status_code, response.json()["error"]) == (400, "unauthorized_client")


def test_a_public_application_needs_an_administrator(site: Site) -> None:
    assert site.jane
    client = legacy(site, token_endpoint_auth_method="none")
    assert sign_in(site, client).status_code == 200
    registered = legacy(site, token_endpoint_auth_method="none", registered_by="registration")
    assert sign_in(site, registered).json()["error"] == "unauthorized_client"


@pytest.mark.spec("RFC 6749", "5.2")
def test_every_refusal_is_the_same(site: Site) -> None:
    client = legacy(site)
    site.person("off")
    site.in_tenant(lambda a, t: users.set_user_enabled(a, t, "off", False))
    assert site.jane
    for _ in range(5):
        sign_in(site, client, "jane", "wrong")
    answers = [
        sign_in(site, client, "nobody", PASSWORD), sign_in(site, client, "nobody", "wrong"),
        sign_in(site, client, "off", PASSWORD), sign_in(site, client, "jane", PASSWORD),
        sign_in(site, client, "*)(uid=*", PASSWORD), sign_in(site, client, "jane", "x" * 5000),
    ]  # fmt: skip
    assert {(each.status_code, each.text) for each in answers} == {(400, answers[0].text)}
    assert answers[0].json()["error"] == "invalid_grant"


class TestLockout:
    """Attack row 21: one count for the page and for the grant."""

    def test_failures_here_lock_the_page(self, timed: TimedSite) -> None:
        client = legacy(timed)
        assert timed.jane
        for _ in range(5):
            sign_in(timed, client, password="wrong")
        page = timed.sign_in(timed.application(), timed.jane)
        assert (page.status, page.left_for) == (422, None)
        timed.clock.advance(301)
        assert timed.sign_in(timed.application(), timed.jane).left_for is not None

    def test_failures_on_the_page_lock_this(self, timed: TimedSite) -> None:
        client, page = legacy(timed), timed.browser().get(timed.authorize_url(timed.application()))
        assert timed.jane
        for _ in range(5):
            page = page.submit("login-submit", username="jane", password="wrong")
        assert sign_in(timed, client).json()["error"] == "invalid_grant"
        timed.clock.advance(301)
        assert sign_in(timed, client).status_code == 200

    def test_a_success_clears_the_count(self, timed: TimedSite) -> None:
        client = legacy(timed)
        assert timed.jane
        for _ in range(2):
            for _ in range(4):
                sign_in(timed, client, password="wrong")
            assert sign_in(timed, client).status_code == 200

    def test_the_limit_of_an_address(self, timed: TimedSite) -> None:
        limit = replace(timed.tenant.settings.login_limit_address, count=3)
        timed.change_settings(lambda s: replace(s, login_limit_address=limit))
        timed.clock.advance(2)
        client = legacy(timed)
        assert timed.jane
        statuses = [sign_in(timed, client, f"user{n}", "wrong").status_code for n in range(3)]
        limited = sign_in(timed, client)
        assert (statuses, limited.status_code, limited.json()["error"]) == ([400] * 3, 503, "temporarily_unavailable")
        assert int(limited.headers["retry-after"]) > 0


@pytest.mark.parametrize("missing", ["username", "password"])
def test_a_parameter_is_missing(site: Site, missing: str) -> None:
    form = {"username": "jane", "password": "x"} | {missing: ""}
    response = site.token(legacy(site), grant_type="password", **form)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")


def test_a_password_in_the_address_is_refused(site: Site) -> None:
    client = legacy(site)
    response = site.http.post("/oauth2/token?password=x", data={"grant_type": "password"}, auth=client.basic)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")


def test_the_password_is_in_no_log(site: Site) -> None:
    sign_in(site, legacy(site), "jane", "very-particular-words")
    sign_in(site, legacy(site), "very-particular-name", "x")
    assert "very-particular" not in site.server.log_since_mark()


def test_ways_that_need_no_browser_are_on_record(site: Site) -> None:
    assert site.jane
    sign_in(site, legacy(site))
    issued = [event for event in site.events() if event["type"] == "application:grant:issued"]
    assert len(issued) == 1
    assert '"password"' in str(issued[0]["data"])


def test_a_silent_directory_is_no_refusal(timed: TimedSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """503, and the try does not count: an outage must not lock people out."""

    async def silent(*arguments: Any) -> Any:
        raise StoreUnavailable("CORP", "does not answer")

    client = legacy(timed)
    assert timed.jane
    with monkeypatch.context() as patch:
        patch.setattr(People, "authenticate", silent)
        answers = [sign_in(timed, client) for _ in range(6)]
    assert {(each.status_code, each.json()["error"]) for each in answers} == {(503, "temporarily_unavailable")}
    assert sign_in(timed, client).status_code == 200
