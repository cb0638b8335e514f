"""DPoP (RFC 9449): tokens bound to a key, at the token endpoint and wherever they are used."""

from dataclasses import replace

import httpx
import pytest

from tests.oauth2.dpop_client import (
    GRANT,
    ask,
    bound_tokens,
    outcome,
    redeem,
    seconds,
    token_uri,
    userinfo,
    userinfo_uri,
)
from tests.support.builders import Pkce, Site, claims_of
from tests.support.in_process import TimedSite
from tests.support.key_holder import KeyHolder, assertion_form


@pytest.mark.spec("RFC 9449", "5")
@pytest.mark.spec("RFC 9449", "6.1")
@pytest.mark.parametrize("kind", ["opaque", "jwt"])
@pytest.mark.parametrize("algorithm", ["ES256", "PS256", "RS256", "EdDSA", "ES512"])
def test_a_bound_token(site: Site, kind: str, algorithm: str) -> None:
    client, key = site.application(access_token_type=kind), KeyHolder(algorithm)
    tokens = bound_tokens(site, client, key, scope="openid profile")
    assert tokens["token_type"] == "DPoP"
    if kind == "jwt":
        assert claims_of(tokens["access_token"])["cnf"] == {"jkt": key.thumbprint}
    response = userinfo(site, key, tokens["access_token"])
    assert (response.status_code, response.json()["name"]) == (200, "Jane Doe")


@pytest.mark.spec("RFC 9449", "6.2")
@pytest.mark.parametrize("kind", ["opaque", "jwt"])
def test_introspection_tells_the_key(site: Site, kind: str) -> None:
    client, key = site.machine(access_token_type=kind), KeyHolder()
    token = ask(site, client, key.proof("POST", token_uri(site))).json()["access_token"]
    answer = site.introspect(client, token)
    assert (answer["cnf"], answer["token_type"]) == ({"jkt": key.thumbprint}, "DPoP")


def test_without_a_proof_tokens_are_bearer_tokens(site: Site) -> None:
    client = site.machine()
    response = ask(site, client, None)
    assert response.json()["token_type"] == "Bearer"
    assert "cnf" not in site.introspect(client, response.json()["access_token"])


@pytest.mark.spec("RFC 9449", "5.2")
def test_an_application_may_have_to_send_proofs(site: Site) -> None:
    client, key = site.machine(dpop_bound_access_tokens=True), KeyHolder()
    assert outcome(ask(site, client, None)) == (400, "invalid_dpop_proof")
    assert ask(site, client, key.proof("POST", token_uri(site))).status_code == 200


# Use


@pytest.mark.spec("RFC 9449", "7.1")
@pytest.mark.spec("RFC 9449", "7.2")
@pytest.mark.parametrize("kind", ["opaque", "jwt"])
def test_a_bound_token_is_no_bearer_token(site: Site, kind: str) -> None:
    key = KeyHolder()
    token = bound_tokens(site, site.application(access_token_type=kind), key)["access_token"]
    for response in (
        userinfo(site, None, token, scheme="Bearer"),
        userinfo(site, key, token, scheme="Bearer"),
        site.http.post("/oauth2/userinfo", data={"access_token": token}),
    ):
        assert outcome(response) == (401, "invalid_token")
        assert response.headers["www-authenticate"].startswith("DPoP ")


@pytest.mark.parametrize("kind", ["opaque", "jwt"])
def test_a_bound_token_with_another_key(site: Site, kind: str) -> None:
    key = KeyHolder()
    token = bound_tokens(site, site.application(access_token_type=kind), key)["access_token"]
    assert outcome(userinfo(site, KeyHolder(), token)) == (401, "invalid_token")
    assert outcome(userinfo(site, None, token)) == (401, "invalid_dpop_proof")
    assert userinfo(site, key, token).status_code == 200


def test_a_proof_names_its_token(site: Site) -> None:
    client, key = site.application(), KeyHolder()
    first, second = (bound_tokens(site, client, key)["access_token"] for _ in range(2))
    proof = key.proof("GET", userinfo_uri(site), access_token=first)
    response = site.http.get("/oauth2/userinfo", headers={"Authorization": f"DPoP {second}", "DPoP": proof})
    assert outcome(response) == (401, "invalid_dpop_proof")


def test_a_bearer_token_by_dpop(site: Site) -> None:
    """RFC 9449 §7.1: the scheme DPoP is for tokens bound to a key."""
    token = site.tokens(site.application(), site.jane)["access_token"]
    assert outcome(userinfo(site, KeyHolder(), token)) == (401, "invalid_token")
    assert site.userinfo(token).status_code == 200


@pytest.mark.spec("RFC 9449", "7.1")
def test_no_token_names_both_schemes(site: Site) -> None:
    challenges = site.http.get("/oauth2/userinfo").headers.get_list("www-authenticate")
    assert challenges[0].startswith('Bearer realm="identity"')
    assert challenges[1].startswith('DPoP realm="identity", algs="ES256 ')


def test_introspection_by_a_bound_token(site: Site) -> None:
    """A resource that introspects by an access token of its own (RFC 7662 §2.1) proves its key too."""
    key = KeyHolder()
    resource = site.machine(scopes=("internal_oauth2_introspect",), management_scopes=("internal_oauth2_introspect",))
    answer = ask(site, resource, key.proof("POST", token_uri(site)), scope="internal_oauth2_introspect").json()
    assert answer["scope"] == "internal_oauth2_introspect"
    other = site.machine_token(site.machine())
    uri = f"{site.base}/oauth2/introspect"

    def introspect(scheme: str, proof: str | None) -> httpx.Response:
        headers = {"Authorization": f"{scheme} {answer['access_token']}"} | ({"DPoP": proof} if proof else {})
        return site.http.post("/oauth2/introspect", data={"token": other}, headers=headers)

    assert introspect("DPoP", key.proof("POST", uri, access_token=answer["access_token"])).json()["active"] is True
    assert outcome(introspect("Bearer", None)) == (401, "invalid_token")
    assert outcome(introspect("DPoP", None)) == (401, "invalid_dpop_proof")


# Refresh tokens and codes


@pytest.mark.spec("RFC 9449", "5")
def test_refresh_tokens_of_public_clients_are_bound(site: Site) -> None:
    client, key = site.public_application(), KeyHolder()
    token = bound_tokens(site, client, key)["refresh_token"]

    def refresh(proof: str | None) -> httpx.Response:
        return ask(site, client, proof, grant_type="refresh_token", refresh_token=token)

    assert outcome(refresh(None)) == (400, "invalid_grant")
    assert outcome(refresh(KeyHolder().proof("POST", token_uri(site)))) == (400, "invalid_grant")
    response = refresh(key.proof("POST", token_uri(site)))
    assert (response.status_code, response.json()["token_type"]) == (200, "DPoP")


@pytest.mark.spec("RFC 9449", "5")
def test_those_of_confidential_clients_are_not(site: Site) -> None:
    """They are bound by the client's authentication; a new key gives tokens bound to that key."""
    client, key, other = site.application(rotate_refresh_tokens=False), KeyHolder(), KeyHolder()
    token = bound_tokens(site, client, key)["refresh_token"]
    proof = other.proof("POST", token_uri(site))
    response = ask(site, client, proof, grant_type="refresh_token", refresh_token=token)
    assert response.status_code == 200
    assert userinfo(site, other, response.json()["access_token"]).status_code == 200
    assert outcome(userinfo(site, key, response.json()["access_token"])) == (401, "invalid_token")


@pytest.mark.spec("RFC 9449", "10")
def test_a_code_may_be_bound_to_a_key(site: Site) -> None:
    client, key = site.public_application(), KeyHolder()
    for other in (None, KeyHolder()):
        pkce = Pkce()
        code = site.code(client, site.jane, dpop_jkt=key.thumbprint, **pkce.parameters)
        assert outcome(redeem(site, client, code, pkce, other)) == (400, "invalid_grant")
        assert redeem(site, client, code, pkce, key).status_code == 200


# With other parts


@pytest.mark.spec("FAPI 2.0 Security Profile", "5.3.2.1")
def test_a_profile_asks_for_a_constraint(timed: TimedSite) -> None:
    timed.change_settings(lambda s: replace(s, issuer=timed.base))
    client_key, key = KeyHolder("PS256"), KeyHolder()
    client = timed.machine(
        profile="fapi2_security",
        token_endpoint_auth_method="private_key_jwt",
        jwks=client_key.jwks,
        dpop_bound_access_tokens=True,
    )  # fmt: skip
    now = seconds(timed.clock)

    def call(proof: str | None) -> httpx.Response:
        form = assertion_form(client_key.assertion(client.client_id, timed.base, now=now), **GRANT)
        return timed.http.post("/oauth2/token", data=form, headers={"DPoP": proof} if proof else {})

    assert outcome(call(None)) == (400, "invalid_dpop_proof")
    rsa = KeyHolder("RS256")
    assert outcome(call(rsa.proof("POST", token_uri(timed), now=now))) == (400, "invalid_dpop_proof")
    assert call(key.proof("POST", token_uri(timed), now=now)).json()["token_type"] == "DPoP"


@pytest.mark.spec("RFC 9449", "5.1")
def test_metadata(site: Site) -> None:
    metadata = site.http.get("/.well-known/openid-configuration").json()
    assert {"ES256", "PS256", "EdDSA"} <= set(metadata["dpop_signing_alg_values_supported"])
    assert "none" not in metadata["dpop_signing_alg_values_supported"]


def test_scripts_of_other_origins_read_the_nonce(site: Site) -> None:
    """Decision 20."""
    site.change_settings(lambda s: replace(s, dpop_nonce_required=True))
    client = site.public_application(web_origins=("https://spa.example",))
    response = site.http.post(
        "/oauth2/token",
        data={"grant_type": "authorization_code", "client_id": client.client_id, "code": "ac_x"},
        headers={"Origin": "https://spa.example"},
    )
    assert response.headers["access-control-expose-headers"] == "WWW-Authenticate, DPoP-Nonce"
    assert response.headers["dpop-nonce"]
    preflight = site.http.options("/oauth2/token", headers={"Origin": "https://spa.example"})
    assert "DPoP" in preflight.headers["access-control-allow-headers"]
