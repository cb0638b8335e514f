"""The OpenID provider profiles, walked as a certification run does (docs/test-installations.md)."""

import json
from urllib.parse import urlencode

import pytest

from tests.interop.openid_party import NONCE, STATE, Party, basic, runner
from tests.interop.runner import Runner, response_of

__all__ = ["basic", "runner"]

ALL_SCOPES = "openid profile email address phone"

# Config


@pytest.mark.spec("OpenID Connect Discovery", "3")
def test_config(runner: Runner) -> None:
    metadata = runner.metadata
    needed = {
        "issuer", "authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri", "registration_endpoint",
        "scopes_supported", "response_types_supported", "subject_types_supported", "claims_supported",
        "id_token_signing_alg_values_supported",
    }  # fmt: skip
    assert needed <= metadata.keys()
    assert "RS256" in metadata["id_token_signing_alg_values_supported"]
    assert {"code", "id_token", "id_token token"} <= set(metadata["response_types_supported"])
    for name, value in metadata.items():
        if name.endswith(("_endpoint", "_uri", "_iframe")):
            assert value.startswith(f"{runner.issuer}/"), name
    keys = runner.http.get(metadata["jwks_uri"]).json()["keys"]
    assert len({key["kid"] for key in keys}) == len(keys)
    assert not {"d", "p", "q", "k"} & {member for key in keys for member in key}


# Basic


@pytest.mark.spec("OpenID Connect Core", "3.1")
def test_basic(basic: Party, runner: Runner) -> None:
    answer = basic.ask("code", scope=ALL_SCOPES)
    assert (answer["mode"], answer["iss"]) == ("query", runner.issuer)
    tokens = basic.tokens(answer["code"])
    assert tokens["token_type"] == "Bearer"
    claims = runner.id_token(tokens["id_token"], "basic", nonce=NONCE, access_token=tokens["access_token"])
    person = runner.userinfo(tokens["access_token"])
    assert person["sub"] == claims["sub"]
    told = {
        "name", "given_name", "family_name", "middle_name", "nickname", "profile", "picture", "website", "gender",
        "birthdate", "zoneinfo", "locale", "updated_at", "preferred_username", "email", "email_verified", "address",
        "phone_number", "phone_number_verified",
    }  # fmt: skip
    assert told <= person.keys()
    assert (person["email_verified"], person["address"]) == (True, {"formatted": "1 Garden Lane, Zurich"})
    assert type(person["updated_at"]) is int
    # A code is good once, and a replay takes the token with it.
    assert basic.redeem(answer["code"]).json()["error"] == "invalid_grant"
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert runner.http.get(runner.endpoint("userinfo"), headers=bearer).status_code == 401


def test_basic_with_client_secret_post(runner: Runner) -> None:
    party = Party(runner, "post", runner.installation.secrets["post"])
    tokens = party.tokens(party.ask("code")["code"], in_body=True)
    runner.id_token(tokens["id_token"], "post", nonce=NONCE)


@pytest.mark.spec("OpenID Connect Core", "3.1.2.1")
def test_basic_prompt_and_age(basic: Party, runner: Runner) -> None:
    assert basic.ask("code", prompt="none")["error"] == "login_required"
    first = runner.id_token(basic.tokens(basic.ask("code")["code"])["id_token"], "basic")
    silent = basic.tokens(basic.ask("code", prompt="none")["code"])["id_token"]
    assert runner.id_token(silent, "basic")["sub"] == first["sub"]
    hinted = basic.ask("code", prompt="none", id_token_hint=silent)
    assert "code" in hinted
    again = runner.id_token(basic.tokens(basic.ask("code", prompt="login")["code"])["id_token"], "basic")
    assert again["auth_time"] >= first.get("auth_time", 0)
    aged = runner.id_token(basic.tokens(basic.ask("code", max_age="10000")["code"])["id_token"], "basic")
    assert aged["auth_time"] == again["auth_time"]


@pytest.mark.spec("OpenID Connect Core", "12")
def test_basic_refresh(basic: Party, runner: Runner) -> None:
    asked = basic.ask("code", scope="openid offline_access", prompt="consent")
    tokens = basic.tokens(asked["code"])
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    answer = runner.post("token", form, auth=(basic.client_id, basic.secret)).json()
    claims = runner.id_token(answer["id_token"], "basic", access_token=answer["access_token"])
    assert claims["sub"] == runner.id_token(tokens["id_token"], "basic")["sub"]
    other = Party(runner, "basic2", runner.installation.secrets["basic2"])
    stolen = runner.post("token", form | {"refresh_token": answer["refresh_token"]}, auth=("basic2", other.secret))
    assert stolen.json()["error"] == "invalid_grant"


def test_basic_what_it_refuses(basic: Party, runner: Runner) -> None:
    stranger = runner.walk(
        f"{runner.metadata['authorization_endpoint']}?"
        + urlencode({"client_id": "basic", "response_type": "code", "redirect_uri": "https://localhost/other"}),
    )
    assert stranger.has("error-page")
    assert stranger.left_for is None
    missing = response_of(
        runner.walk(
            f"{runner.metadata['authorization_endpoint']}?"
            + urlencode({"client_id": "basic", "redirect_uri": basic.callback, "state": STATE}),
        )
    )
    assert missing["error"] in ("invalid_request", "unsupported_response_type")
    assert "code" in basic.ask("code", extra="is ignored", display="page", ui_locales="se", claims_locales="se")


@pytest.mark.spec("OpenID Connect Core", "5.5")
def test_basic_claims_and_acr(basic: Party, runner: Runner) -> None:
    wanted = {"userinfo": {"name": {"essential": True}}, "id_token": {"auth_time": {"essential": True}}}
    tokens = basic.tokens(basic.ask("code", claims=json.dumps(wanted), acr_values="1 2")["code"])
    assert "auth_time" in runner.id_token(tokens["id_token"], "basic")
    assert runner.userinfo(tokens["access_token"])["name"] == "Jane Doe"


# Implicit, Hybrid and Form Post


@pytest.mark.spec("OpenID Connect Core", "3.2")
@pytest.mark.parametrize("mode", ["fragment", "form_post"])
@pytest.mark.parametrize("response_type", ["id_token", "id_token token"])
def test_implicit(basic: Party, runner: Runner, response_type: str, mode: str) -> None:
    answer = basic.ask(response_type, response_mode=mode, scope="openid email")
    assert answer["mode"] == mode
    expected = {"access_token": answer["access_token"]} if "access_token" in answer else {}
    claims = runner.id_token(answer["id_token"], "basic", nonce=NONCE, **expected)
    if response_type == "id_token":
        assert claims["email"] == "jane@example.org"
        assert "access_token" not in answer
    else:
        assert answer["token_type"] == "Bearer"
        assert runner.userinfo(answer["access_token"])["sub"] == claims["sub"]


@pytest.mark.spec("OpenID Connect Core", "3.2.2.1")
@pytest.mark.parametrize("response_type", ["id_token", "id_token token", "code id_token", "code id_token token"])
def test_a_nonce_is_demanded(basic: Party, runner: Runner, response_type: str) -> None:
    asked = {"client_id": "basic", "response_type": response_type, "redirect_uri": basic.callback, "scope": "openid"}
    answer = runner.authorize(**asked, state=STATE)
    assert (answer["error"], answer["mode"]) == ("invalid_request", "fragment")


@pytest.mark.spec("OpenID Connect Core", "3.3")
@pytest.mark.spec("OAuth 2.0 Form Post Response Mode", "2")
@pytest.mark.parametrize("mode", ["fragment", "form_post"])
@pytest.mark.parametrize("response_type", ["code id_token", "code token", "code id_token token"])
def test_hybrid(basic: Party, runner: Runner, response_type: str, mode: str) -> None:
    answer = basic.ask(response_type, response_mode=mode)
    assert answer["mode"] == mode
    assert ("access_token" in answer) == ("token" in response_type.split())
    if "id_token" in answer:
        told = {name: answer[name] for name in ("code", "access_token") if name in answer}
        runner.id_token(answer["id_token"], "basic", nonce=NONCE, **told)
    tokens = basic.tokens(answer["code"])
    last = runner.id_token(tokens["id_token"], "basic", nonce=NONCE)
    assert runner.userinfo(tokens["access_token"])["sub"] == last["sub"]


def test_form_post_of_a_code_and_of_an_error(basic: Party, runner: Runner) -> None:
    refused = basic.ask("code", response_mode="form_post", prompt="none")
    assert (refused["mode"], refused["error"]) == ("form_post", "login_required")
    answer = basic.ask("code", response_mode="form_post")
    assert answer["mode"] == "form_post"
    runner.id_token(basic.tokens(answer["code"])["id_token"], "basic", nonce=NONCE)
