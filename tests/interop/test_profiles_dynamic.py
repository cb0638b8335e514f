"""The provider profile Dynamic, walked as a certification run does (docs/test-installations.md)."""

import json
from typing import Any

import pytest

from tests.interop.openid_party import NONCE, STATE, Party, runner
from tests.interop.runner import Answer, Runner
from tests.support.key_holder import KeyHolder
from tests.support.receiver import Receiver, Reply

__all__ = ["runner"]


def register(runner: Runner, **metadata: Any) -> Answer:
    callback = f"{runner.installation.suite_origin}/test/a/op/callback"
    response = runner.http.post(runner.endpoint("registration"), json={"redirect_uris": [callback]} | metadata)
    assert response.status_code == 201, response.text
    information: Answer = response.json()
    return information


def registered(runner: Runner, **metadata: Any) -> Party:
    information = register(runner, **metadata)
    return Party(runner, information["client_id"], information["client_secret"])


@pytest.mark.spec("OpenID Connect Dynamic Client Registration", "3.1")
@pytest.mark.spec("OpenID Connect Dynamic Client Registration", "4.2")
def test_dynamic(runner: Runner) -> None:
    information = register(runner, client_name="The suite's client", contacts=["suite@example.org"])
    own = {"Authorization": f"Bearer {information['registration_access_token']}"}
    read = runner.http.get(information["registration_client_uri"], headers=own)
    assert read.json()["client_id"] == information["client_id"]
    party = Party(runner, information["client_id"], information["client_secret"])
    tokens = party.tokens(party.ask("code")["code"])
    runner.id_token(tokens["id_token"], party.client_id, nonce=NONCE)
    deleted = runner.http.delete(information["registration_client_uri"], headers=own)
    assert deleted.status_code == 204
    assert runner.http.get(information["registration_client_uri"], headers=own).status_code == 401


def test_dynamic_with_keys_behind_a_jwks_uri(runner: Runner, suite: Receiver) -> None:
    """The keys are fetched over TLS of the suite's authority, and anew when the client's key has changed."""
    key, later = KeyHolder("RS256", kid="first"), KeyHolder("RS256", kid="second")
    uri = suite.answer("/test/a/op/jwks", Reply(200, key.jwks), Reply(200, later.jwks))
    client_id = register(runner, jwks_uri=uri, token_endpoint_auth_method="private_key_jwt")["client_id"]
    party = Party(runner, client_id, "")
    for holder in (key, later):
        form = {
            "grant_type": "authorization_code", "code": party.ask("code")["code"], "redirect_uri": party.callback,
        }  # fmt: skip
        response = runner.post("token", form | runner.assertion(client_id, holder))
        assert response.status_code == 200, response.text
    assert len(suite.at("/test/a/op/jwks")) == 2


@pytest.mark.spec("OpenID Connect Core", "6.2")
def test_dynamic_with_a_request_uri(runner: Runner, suite: Receiver) -> None:
    key = KeyHolder("RS256")
    address = suite.url("/test/a/op/request")
    party = registered(runner, jwks=json.loads(key.jwks), request_uris=[address], request_object_signing_alg="RS256")
    request = runner.request_object(
        party.client_id, key, response_type="code", redirect_uri=party.callback, scope="openid", state=STATE, nonce="r"
    )
    suite.answer("/test/a/op/request", Reply(200, request, (("content-type", "application/oauth-authz-req+jwt"),)))
    answer = party.ask("code", request_uri=address, nonce="not this one")
    assert runner.id_token(party.tokens(answer["code"])["id_token"], party.client_id)["nonce"] == "r"


@pytest.mark.spec("OpenID Connect Core", "5.3.2")
def test_dynamic_with_signed_userinfo(runner: Runner) -> None:
    party = registered(runner, userinfo_signed_response_alg="RS256")
    token = party.tokens(party.ask("code")["code"])["access_token"]
    answer = runner.http.get(runner.endpoint("userinfo"), headers={"Authorization": f"Bearer {token}"})
    assert answer.headers["content-type"].partition(";")[0] == "application/jwt"
    claims = runner.verified(answer.text).claims
    assert (claims["iss"], claims["aud"]) == (runner.issuer, party.client_id)


@pytest.mark.spec("OpenID Connect Core", "8.1")
def test_dynamic_with_a_sector_identifier(runner: Runner, suite: Receiver) -> None:
    callback = f"{runner.installation.suite_origin}/test/a/op/callback"
    uri = suite.answer("/test/a/op/sector", Reply.json([callback]))
    parties = [registered(runner, subject_type="pairwise", sector_identifier_uri=uri) for _ in range(2)]
    subjects = {
        runner.id_token(party.tokens(party.ask("code")["code"])["id_token"], party.client_id)["sub"]
        for party in parties
    }
    everybody = registered(runner)
    subjects.add(
        runner.id_token(everybody.tokens(everybody.ask("code")["code"])["id_token"], everybody.client_id)["sub"]
    )
    assert len(subjects) == 2
    wrong = suite.answer("/test/a/op/other-sector", Reply.json(["https://other.example/cb"]))
    refused = runner.http.post(
        runner.endpoint("registration"),
        json={"redirect_uris": [callback], "subject_type": "pairwise", "sector_identifier_uri": wrong},
    )
    assert refused.json()["error"] == "invalid_client_metadata"


def test_dynamic_keys_of_the_server_rotate_while_it_runs(runner: Runner) -> None:
    """The command of the page."""
    party = registered(runner)
    before = party.tokens(party.ask("code")["code"])["id_token"]
    script = next(block for block in runner.installation.blocks("sh") if "keys rotate" in block)
    runner.installation.run(script.splitlines()[0])
    after = party.tokens(party.ask("code", prompt="none")["code"])["id_token"]
    kids = [runner.verified(token).header["kid"] for token in (before, after)]
    assert kids[0] != kids[1]
