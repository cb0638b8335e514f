"""The refresh token grant (RFC 6749 §6, RFC 9700 §4.14, decisions 10 and 11)."""

from dataclasses import replace
from typing import Any

import pytest

from identity.administration import users
from identity.domain.events import EventType
from tests.support.builders import Client, Site, claims_of, response_parameters
from tests.support.in_process import TimedSite
from tests.support.key_holder import KeyHolder


def refused(response: Any) -> bool:
    return (response.status_code, response.json().get("error")) == (400, "invalid_grant")


def used(site: Site, client: Client, token: str, **form: str) -> dict[str, Any]:
    """The answer to a refresh that must succeed."""
    response = site.refresh(client, token, **form)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


@pytest.mark.spec("RFC 6749", "6")
def test_a_refresh_token_gives_new_tokens(site: Site) -> None:
    client = site.application()
    first = site.tokens(client, site.jane, scope="openid profile")
    second = used(site, client, first["refresh_token"])
    assert second.keys() == {"access_token", "token_type", "expires_in", "scope", "refresh_token", "id_token"}
    assert second["scope"] == "openid profile"
    assert second["access_token"] != first["access_token"]
    assert second["refresh_token"] != first["refresh_token"]
    assert site.is_active(client, second["access_token"])
    assert site.is_active(client, first["access_token"])


@pytest.mark.spec("OpenID Connect Core", "12.2")
def test_a_refreshed_id_token_keeps_who_and_when_and_has_no_nonce(site: Site) -> None:

    client = site.application()
    first = site.tokens(client, site.jane, nonce="n-1")
    before, after = claims_of(first["id_token"]), claims_of(used(site, client, first["refresh_token"])["id_token"])
    for name in ("iss", "sub", "aud", "azp", "auth_time", "acr", "amr", "sid"):
        assert before[name] == after[name]
    assert before["nonce"] == "n-1"
    assert "nonce" not in after


@pytest.mark.spec("RFC 6749", "6")
def test_scope_may_be_narrowed_for_one_access_token(site: Site) -> None:
    client = site.application()
    token = site.tokens(client, site.jane, scope="openid profile email")["refresh_token"]
    narrow = used(site, client, token, scope="openid")
    assert narrow["scope"] == "openid"
    assert site.userinfo(narrow["access_token"]).json().keys() == {"sub"}
    assert used(site, client, narrow["refresh_token"])["scope"] == "openid profile email"


@pytest.mark.spec("RFC 6749", "6")
def test_scope_escalation_at_refresh(site: Site) -> None:
    client = site.application()
    token = site.tokens(client, site.jane, scope="openid")["refresh_token"]
    response = site.refresh(client, token, scope="openid email")
    assert (response.status_code, response.json()["error"]) == (400, "invalid_scope")
    used(site, client, token)


@pytest.mark.spec("RFC 6749", "10.4")
def test_stolen_refresh_token_of_another_client(site: Site) -> None:
    client, thief = site.application(), site.application("Thief")
    token = site.tokens(client, site.jane)["refresh_token"]
    assert refused(site.refresh(thief, token))
    used(site, client, token)


def test_an_unknown_refresh_token_and_a_token_of_another_kind(site: Site) -> None:
    client = site.application()
    tokens = site.tokens(client, site.jane)
    for wrong in ("rt_unknown", "x", tokens["access_token"], tokens["id_token"]):
        assert refused(site.refresh(client, wrong))


@pytest.mark.spec("RFC 9700", "4.14.2")
def test_grace_gives_siblings_until_one_of_them_is_used(site: Site) -> None:
    client = site.public_application()
    confidential = site.application("Gateway", may_introspect_any=True)
    first = site.tokens(client, site.jane)["refresh_token"]
    one, two = used(site, client, first), used(site, client, first)
    assert one["refresh_token"] != two["refresh_token"]
    used(site, client, two["refresh_token"])
    assert refused(site.refresh(client, first))
    assert refused(site.refresh(client, one["refresh_token"]))
    assert not site.is_active(confidential, one["access_token"])
    assert [event["type"] for event in site.events()].count(EventType.REFRESH_REPLAYED) == 1


def test_grace_ends_after_five_uses(site: Site) -> None:
    client = site.application()
    first = site.tokens(client, site.jane)["refresh_token"]
    siblings = [used(site, client, first) for _ in range(5)]
    assert refused(site.refresh(client, first))
    for sibling in siblings:
        assert not site.is_active(client, sibling["access_token"])
        assert refused(site.refresh(client, sibling["refresh_token"]))


@pytest.mark.parametrize(("after", "works"), [(59, True), (61, False)])
def test_grace_ends_after_sixty_seconds(timed: TimedSite, after: int, works: bool) -> None:
    client = timed.application()
    first = timed.tokens(client, timed.jane)["refresh_token"]
    second = used(timed, client, first)
    timed.clock.advance(after)
    assert refused(timed.refresh(client, first)) is not works
    assert refused(timed.refresh(client, second["refresh_token"])) is not works
    assert timed.is_active(client, second["access_token"]) is works


def test_a_replay_long_after_ends_the_whole_family(timed: TimedSite) -> None:
    client = timed.application()
    tokens = [timed.tokens(client, timed.jane)]
    for _ in range(3):
        timed.clock.advance(100)
        tokens.append(used(timed, client, tokens[-1]["refresh_token"]))
    assert refused(timed.refresh(client, tokens[0]["refresh_token"]))
    assert refused(timed.refresh(client, tokens[-1]["refresh_token"]))
    assert not any(timed.is_active(client, each["access_token"]) for each in tokens)


def test_without_rotation_the_same_token_serves_until_it_expires(timed: TimedSite) -> None:
    client = timed.application(rotate_refresh_tokens=False, refresh_token_lifetime=1000)
    token = timed.tokens(client, timed.jane)["refresh_token"]
    for _ in range(7):
        timed.clock.advance(100)
        assert used(timed, client, token)["refresh_token"] == token
    timed.clock.advance(301)
    assert refused(timed.refresh(client, token))


@pytest.mark.spec("FAPI 2.0 Security Profile", "5.3.2.1")
def test_fapi_2_never_rotates(timed: TimedSite) -> None:
    """Decision 10, whatever the application's setting."""
    timed.change_settings(lambda settings: replace(settings, issuer=timed.base))
    timed.clock.advance(2)
    holder = KeyHolder()
    client = timed.application(
        grant_types=("authorization_code", "refresh_token"), rotate_refresh_tokens=True, profile="fapi2_security",
        token_endpoint_auth_method="private_key_jwt", jwks=holder.jwks, dpop_bound_access_tokens=True,
    )  # fmt: skip
    assert not client.application.rotates


def test_public_clients_rotate_whatever_their_setting(timed: TimedSite) -> None:
    client = timed.public_application(rotate_refresh_tokens=False)
    first = timed.tokens(client, timed.jane)["refresh_token"]
    assert used(timed, client, first)["refresh_token"] != first
    timed.clock.advance(61)
    assert refused(timed.refresh(client, first))


def test_a_refresh_token_expires(timed: TimedSite) -> None:
    client = timed.application(refresh_token_lifetime=600)
    token = timed.tokens(client, timed.jane)["refresh_token"]
    timed.clock.advance(600)
    assert refused(timed.refresh(client, token))


# Decision 11: which grants give one, and how long it lasts.


@pytest.mark.parametrize(
    ("settings", "scope", "given"),
    [
        ({}, "openid", True),
        ({"refresh_without_offline_access": False}, "openid", False),
        ({"refresh_without_offline_access": False}, "openid offline_access", True),
        ({"grant_types": ("authorization_code",)}, "openid offline_access", False),
    ],
    ids=["by the application's setting", "setting off", "setting off, offline_access", "grant not enabled"],
)
@pytest.mark.spec("OpenID Connect Core", "11")
def test_when_a_refresh_token_is_given(site: Site, settings: dict[str, Any], scope: str, given: bool) -> None:
    client = site.application(**settings)
    page = site.sign_in(client, site.jane, scope=scope, browser=site.browser())
    if page.has("consent-allow"):
        page = page.submit("consent-allow")

    tokens = site.redeem(client, response_parameters(page)["code"]).json()
    assert ("refresh_token" in tokens) is given
    assert ("offline_access" in tokens["scope"]) is (given and "offline_access" in scope)


@pytest.mark.spec("OpenID Connect Core", "11")
def test_offline_access_needs_consent_even_where_the_rest_goes_without(site: Site) -> None:
    client, browser = site.application(skip_consent=True), site.browser()
    assert site.sign_in(client, site.jane, browser=browser).left_for
    page = browser.get(site.authorize_url(client, scope="openid offline_access"))
    assert page.has("consent-allow")
    assert page.submit("consent-allow").left_for
    assert browser.get(site.authorize_url(client, scope="openid offline_access")).left_for


@pytest.mark.parametrize(("scope", "survives"), [("openid", False), ("openid offline_access", True)])
def test_only_offline_access_survives_logout(site: Site, scope: str, survives: bool) -> None:
    client, browser = site.application(), site.browser()
    page = site.sign_in(client, site.jane, scope=scope, browser=browser)
    if page.has("consent-allow"):
        page = page.submit("consent-allow")

    tokens = site.redeem(client, response_parameters(page)["code"]).json()
    browser.get(f"{site.base}/oidc/logout").submit("logout-confirm")
    assert refused(site.refresh(client, tokens["refresh_token"])) is not survives
    assert site.is_active(client, tokens["access_token"]) is survives


def test_without_offline_access_it_ends_when_the_session_idles_out(timed: TimedSite) -> None:
    client = timed.application(refresh_token_lifetime=30 * 86400)
    token = timed.tokens(client, timed.jane)["refresh_token"]
    timed.clock.advance(8 * 3600 + 1)
    assert refused(timed.refresh(client, token))


def test_a_refresh_after_the_person_is_disabled_or_has_a_new_password(site: Site) -> None:

    client = site.application()
    disabled, changed = site.person("disabled"), site.person("changed")
    tokens = [site.tokens(client, person) for person in (disabled, changed)]
    site.in_tenant(lambda a, t: users.set_user_enabled(a, t, "disabled", False))
    site.in_tenant(lambda a, t: users.set_password(a, t, "changed", "another long password"))
    for each in tokens:
        assert refused(site.refresh(client, each["refresh_token"]))
        assert not site.is_active(client, each["access_token"])
