"""Attack rows 7, 8 and 14 at the door of request objects: algorithms, keys, bombs, and values meant for other doors."""

import json
import time
from typing import Any

import pytest

from identity.domain.keys import SIGNING_ALGORITHMS
from tests.attacks.forging import ALGORITHMS, compact, encode, jwks, public_jwk, public_spellings, signer
from tests.attacks.targets import Target, location_parameters
from tests.support.authorization import plain_request
from tests.support.builders import Client, Site
from tests.support.receiver import Receiver
from tests.tokens.made_keys import KIND_OF_KEY, attacker_key, client_key

pytestmark = [pytest.mark.any_engine, pytest.mark.long]

KINDS = [kind for kind in KIND_OF_KEY if kind != "oct"]
KIND_OF_ALGORITHM = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "RSA"),
    "ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "EdDSA": "Ed25519",
}  # fmt: skip


def registered(site: Site, **settings: Any) -> Client:
    """With a key of every kind, none of them restricted."""
    keys = jwks(*(public_jwk(client_key(kind), kid=kind) for kind in KINDS))
    return site.application("Signing", jwks=json.dumps(keys), **settings)


@pytest.fixture(scope="module")
def signing(standing_site: Site) -> Client:
    return registered(standing_site)


def claims(site: Site, client: Client) -> dict[str, Any]:
    times = {"iss": client.client_id, "aud": site.issuer, "exp": int(time.time()) + 300}
    return times | plain_request(client, prompt="none")


def believed(site: Site, client: Client, token: str) -> bool:
    """By the authorization endpoint and by the one of pushed requests alike."""
    query = {"client_id": client.client_id, "response_type": "code", "redirect_uri": client.redirect_uri}
    answer = location_parameters(site.http.get("/oauth2/authorize", params=query | {"request": token}))
    pushed = site.http.post("/oauth2/par", data={"request": token}, auth=client.basic)
    assert answer["error"] in ("login_required", "invalid_request_object"), answer
    assert (pushed.status_code == 201) is (answer["error"] == "login_required")
    return pushed.status_code == 201


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm_with_every_key(standing_site: Site, signing: Client, algorithm: str) -> None:
    for kind in KIND_OF_KEY:
        header = {"alg": algorithm, "kid": kind}
        token = compact(header, claims(standing_site, signing), signer(algorithm, client_key(kind)))
        right = KIND_OF_ALGORITHM.get(algorithm) == kind
        assert believed(standing_site, signing, token) is right, (algorithm, kind)


@pytest.mark.parametrize("algorithm", SIGNING_ALGORITHMS)
def test_a_key_of_somebody_else(standing_site: Site, signing: Client, algorithm: str) -> None:
    kind = KIND_OF_ALGORITHM[algorithm]
    sign = signer(algorithm, attacker_key(kind))
    for header in ({"kid": kind}, {}, {"kid": kind, "jwk": public_jwk(attacker_key(kind))}):
        token = compact({"alg": algorithm} | header, claims(standing_site, signing), sign)
        assert not believed(standing_site, signing, token)


@pytest.mark.parametrize("kind", KINDS)
def test_a_public_key_as_a_secret(standing_site: Site, signing: Client, kind: str) -> None:
    for name, secret in public_spellings(public_jwk(client_key(kind))).items():
        for algorithm in ("HS256", "HS512"):
            token = compact({"alg": algorithm, "kid": kind}, claims(standing_site, signing), signer(algorithm, secret))
            assert not believed(standing_site, signing, token), name


def test_the_client_secret_as_a_key(standing_site: Site, signing: Client) -> None:
    sign = signer("HS256", str(signing.secret).encode())
    assert not believed(standing_site, signing, compact({"alg": "HS256"}, claims(standing_site, signing), sign))


@pytest.mark.parametrize("spelling", ["none", "None", "nOnE", "NONE", "", "null"])
@pytest.mark.parametrize("signature", ["", "AA"])
def test_unsigned(standing_site: Site, signing: Client, spelling: str, signature: str) -> None:
    parts = ({"alg": spelling}, claims(standing_site, signing))
    token = ".".join(encode(json.dumps(part).encode()) for part in parts) + "." + signature
    assert not believed(standing_site, signing, token)


@pytest.mark.parametrize("member", ["jku", "x5u", "x5c", "crit", "b64", "zip"])
def test_keys_and_addresses_in_the_header(
    standing_site: Site, signing: Client, receiver: Receiver, member: str
) -> None:
    """Attack row 9: nothing is fetched because a header says so."""
    values: dict[str, Any] = {"jku": receiver.url("/jwks"), "x5u": receiver.url("/cert"), "b64": False, "zip": "DEF"}
    value = values.get(member, [])
    header = {"alg": "ES256", "kid": "P-256", member: value}
    token = compact(header, claims(standing_site, signing), signer("ES256", client_key("P-256")))
    assert not believed(standing_site, signing, token)
    assert receiver.received == []


def test_repeated_members_of_the_object(standing_site: Site, signing: Client) -> None:
    """Attack row 34."""
    text = json.dumps(claims(standing_site, signing))
    twice = text[:-1] + ',"redirect_uri":"https://evil.example/"}'
    sign = signer("ES256", client_key("P-256"))
    header = {"alg": "ES256", "kid": "P-256"}
    assert believed(standing_site, signing, compact(header, text.encode(), sign))
    assert not believed(standing_site, signing, compact(header, twice.encode(), sign))


@pytest.mark.parametrize("text", ["", "x", ".", "..", "a.b", "a.b.c", "a.b.c.d", "a.b.c.d.e", "....", "é.é.é", "[]"])
def test_what_is_no_jwt(standing_site: Site, signing: Client, text: str) -> None:
    query = {"client_id": signing.client_id, "request": text, "redirect_uri": signing.redirect_uri}
    answer = location_parameters(standing_site.http.get("/oauth2/authorize", params=query))
    # An empty parameter is as good as none (RFC 6749 §3.1).
    assert answer["error"] == ("invalid_request_object" if text else "invalid_request")


def test_tokens_of_ours_are_no_requests(standing_site: Site, signing: Client, target: Target) -> None:
    for token in (target.id_token, target.access_token):
        assert not believed(standing_site, signing, token)
