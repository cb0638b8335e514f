"""Pairwise subjects (OpenID Connect Core §8.1): another `sub` at each sector, the same within one."""

from typing import Any

import pytest

from tests.support.builders import Client, Site, claims_of, response_parameters


def at(site: Site, host: str, **settings: Any) -> Client:
    return site.application(subject_type="pairwise", redirect_uris=(f"https://{host}/cb",), **settings)


def subject(site: Site, client: Client) -> str:
    sub: str = claims_of(site.tokens(client, site.jane)["id_token"])["sub"]
    return sub


@pytest.mark.spec("OpenID Connect Core", "8.1")
def test_a_sector_has_its_own_subject(site: Site) -> None:
    one, same_host = at(site, "a.example"), at(site, "a.example")
    elsewhere, public = at(site, "b.example"), site.application()
    subjects = [subject(site, client) for client in (one, same_host, elsewhere, public)]
    assert subjects[0] == subjects[1]
    assert len({subjects[0], subjects[2], subjects[3]}) == 3
    assert subject(site, one) == subjects[0]


@pytest.mark.spec("OpenID Connect Core", "8.1")
def test_every_place_shows_the_same_subject(site: Site) -> None:
    client = at(site, "a.example", access_token_type="jwt")
    tokens = site.tokens(client, site.jane)
    sub = claims_of(tokens["id_token"])["sub"]
    assert claims_of(tokens["access_token"])["sub"] == sub
    assert site.userinfo(tokens["access_token"]).json()["sub"] == sub
    assert site.introspect(client, tokens["access_token"])["sub"] == sub
    again = site.refresh(client, tokens["refresh_token"]).json()
    assert claims_of(again["id_token"])["sub"] == sub


def test_tenants_do_not_share_their_salt(site: Site) -> None:
    """Who knows one tenant's pairwise subjects learns nothing about another's."""
    assert site.tenant.settings.pairwise_salt
    assert len(site.tenant.settings.pairwise_salt) >= 43


@pytest.mark.spec("OpenID Connect Core", "3.1.2.1")
def test_a_hint_with_a_pairwise_subject(site: Site) -> None:
    client = at(site, "a.example")
    browser = site.browser()
    parameters = response_parameters(site.sign_in(client, site.jane, browser=browser))
    hint = site.redeem(client, parameters["code"]).json()["id_token"]
    page = browser.get(site.authorize_url(client, id_token_hint=hint, prompt="none"))
    assert "code" in response_parameters(page)
    other = at(site, "b.example")
    foreign = site.tokens(other, site.jane)["id_token"]
    page = browser.get(site.authorize_url(client, id_token_hint=foreign, prompt="none"))
    assert "error" in response_parameters(page)


def test_introspection_tells_a_pairwise_client_no_name(site: Site) -> None:
    """A username is the same at every sector; a gateway that reads every token still gets it."""
    client = at(site, "a.example")
    token = site.tokens(client, site.jane)["access_token"]
    assert "username" not in site.introspect(client, token)
    assert site.introspect(site.machine(may_introspect_any=True), token)["username"] == "jane"
    form = {"token": token, "required_claims": "email"}
    answer = site.http.post("/oauth2/introspect", data=form, auth=client.basic).json()
    assert claims_of(answer["token_string"])["sub"] == site.userinfo(token).json()["sub"]
