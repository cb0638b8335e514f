"""ID tokens (OpenID Connect Core §2, §3.1.3.6), and which claims are in them (§5.5, decision 6)."""

import base64
import hashlib
import json
import time
from typing import Any

import pytest

from tests.support.builders import Pkce, Site, claims_of


@pytest.mark.spec("OpenID Connect Core", "2")
def test_exactly_these_claims(site: Site) -> None:
    client = site.application(id_token_lifetime=600)
    tokens = site.tokens(client, site.jane, scope="openid profile email", nonce="n-1")
    claims = claims_of(tokens["id_token"])
    digest = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]
    subject, sid, issued, auth_time = (claims.pop(name) for name in ("sub", "sid", "iat", "auth_time"))
    assert subject == site.userinfo(tokens["access_token"]).json()["sub"]
    assert sid != subject
    assert time.time() - 60 < auth_time <= issued <= time.time() + 1
    assert claims == {
        "iss": site.issuer, "aud": client.client_id, "azp": client.client_id, "exp": issued + 600, "acr": "1",
        "amr": ["pwd"], "nonce": "n-1", "at_hash": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
    }  # fmt: skip


@pytest.mark.spec("OpenID Connect Core", "3.1.2.1")
def test_the_nonce_comes_back_to_the_letter_or_not_at_all(site: Site) -> None:
    client = site.application()
    nonce = "ä +%20\"'<>" + "n" * 500
    assert claims_of(site.tokens(client, site.jane, nonce=nonce)["id_token"])["nonce"] == nonce
    assert "nonce" not in claims_of(site.tokens(client, site.jane)["id_token"])


@pytest.mark.spec("OpenID Connect Core", "5.5")
@pytest.mark.parametrize(
    ("preset", "scope", "requested", "shown"),
    [
        ("requested", "openid profile email groups", None, set()),
        ("requested", "openid", {"id_token": {"email": None}}, {"email"}),
        ("requested", "openid", {"id_token": {"name": {"essential": True}, "birthdate": None}}, {"name"}),
        ("requested", "openid", {"userinfo": {"email": None}}, set()),
        ("scopes", "openid email", None, {"email"}),
        ("scopes", "openid profile groups", None, {"name", "preferred_username", "groups"}),
        ("scopes", "openid email", {"id_token": {"name": None}}, {"email", "name"}),
    ],
)
def test_claims_of_the_person(
    site: Site, preset: str, scope: str, requested: dict[str, Any] | None, shown: set[str]
) -> None:
    client = site.application(id_token_claims=preset)
    parameter = json.dumps(requested) if requested else None
    claims = claims_of(site.tokens(client, site.jane, scope=scope, claims=parameter)["id_token"])
    person = {"name", "preferred_username", "email", "groups", "birthdate"}
    assert claims.keys() & person == shown


@pytest.mark.spec("OpenID Connect Core", "5.5")
def test_requested_claims_of_userinfo_need_no_scope(site: Site) -> None:
    client = site.application()
    requested = json.dumps({"userinfo": {"email": {"essential": True}, "name": None, "unknown": None}})
    tokens = site.tokens(client, site.jane, claims=requested)
    assert site.userinfo(tokens["access_token"]).json().keys() == {"sub", "email", "name"}
    again = site.refresh(client, tokens["refresh_token"]).json()
    assert site.userinfo(again["access_token"]).json().keys() == {"sub", "email", "name"}


@pytest.mark.spec("OpenID Connect Core", "5.5.1.1")
@pytest.mark.parametrize(
    "demand",
    [{"acr_values": "phr 1"}, {"claims": '{"id_token":{"acr":{"values":["phr"]}}}'}, {"acr_values": "phr"}],
    ids=["a list with ours", "voluntary claim", "voluntary and out of reach"],
)
def test_voluntary_acr_values_may_be_missed(site: Site, demand: dict[str, str]) -> None:
    assert claims_of(site.tokens(site.application(), site.jane, **demand)["id_token"])["acr"] == "1"


@pytest.mark.spec("OpenID Connect Core", "5.5.1.1")
def test_an_essential_acr_within_reach(site: Site) -> None:
    demand = '{"id_token":{"acr":{"essential":true,"values":["phr","1"]}}}'
    assert claims_of(site.tokens(site.application(), site.jane, claims=demand)["id_token"])["acr"] == "1"


def test_one_person_has_one_sub_in_every_application_and_another_in_every_tenant(site: Site) -> None:
    first, second = site.application("A"), site.application("B")
    subjects = {claims_of(site.tokens(client, site.jane)["id_token"])["sub"] for client in (first, second)}
    assert len(subjects) == 1
    assert subjects != {claims_of(site.tokens(first, site.person("john"))["id_token"])["sub"]}


def test_sid_is_the_same_for_the_whole_session(site: Site) -> None:
    client, browser = site.application(), site.browser()

    def sid(**parameters: str) -> str:
        pkce = Pkce()
        page = site.sign_in(client, site.jane, browser=browser, **pkce.parameters, **parameters)
        assert page.left_for is not None
        tokens = site.redeem(client, page.left_for.parameters["code"], code_verifier=pkce.verifier).json()
        value = claims_of(tokens["id_token"])["sid"]
        assert isinstance(value, str)
        return value

    first = sid()
    assert sid() == first
    assert sid(prompt="login") == first
    browser.cookies.clear()
    assert sid() != first
