"""The shapes that neighbouring products read, as they ask for them (wso2-contracts §7.8 and §7.10)."""

import re
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.support.builders import Client, Site, claims_of

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def raw_introspection(site: Site, body: str, **headers: str) -> dict[str, Any]:
    """A body put together as text, not encoded by a library."""
    response = site.http.post("/oauth2/introspect", content=body, headers=FORM | headers)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


# The Micro Integrator dashboard.


@pytest.fixture(params=["opaque", "jwt"])
def dashboard(site: Site, request: pytest.FixtureRequest) -> Client:
    return site.application(
        "MI dashboard",
        token_endpoint_auth_method="client_secret_post",
        access_token_type=request.param,
        id_token_claims="scopes",
    )


@pytest.fixture
def dashboard_tokens(site: Site, dashboard: Client) -> dict[str, Any]:
    assert site.jane.user.groups == ("staff",)
    return site.tokens(dashboard, site.jane, scope="openid profile groups")


def test_the_dashboard_finds_its_endpoints_in_discovery(site: Site) -> None:
    metadata = site.http.get(f"{site.issuer}/.well-known/openid-configuration").json()
    for name in ("jwks_uri", "introspection_endpoint", "userinfo_endpoint", "end_session_endpoint"):
        assert metadata[name].startswith(site.base), name


def test_the_dashboard_introspects_with_credentials_in_the_body(
    site: Site, dashboard: Client, dashboard_tokens: dict[str, Any]
) -> None:
    token = dashboard_tokens["access_token"]
    body = f"token={token}&client_id={dashboard.client_id}&client_secret={dashboard.secret}"
    assert raw_introspection(site, body)["active"] is True


def test_the_dashboard_gets_one_group_as_an_array(
    site: Site, dashboard: Client, dashboard_tokens: dict[str, Any]
) -> None:
    places = [claims_of(dashboard_tokens["id_token"]), site.userinfo(dashboard_tokens["access_token"]).json()]
    if dashboard.application.access_token_type == "jwt":
        places.append(claims_of(dashboard_tokens["access_token"]))
    assert [place["groups"] for place in places] == [["staff"]] * len(places)


@pytest.mark.parametrize("dashboard", ["jwt"], indirect=True)
def test_the_dashboard_validates_the_access_token_like_an_id_token(
    site: Site, dashboard: Client, dashboard_tokens: dict[str, Any]
) -> None:
    keys = KeySet.import_key_set(site.http.get("/oauth2/jwks").json())
    claims = jwt.decode(dashboard_tokens["access_token"], keys, algorithms=["RS256"]).claims
    assert claims["iss"] == site.issuer
    assert dashboard.client_id in [claims["aud"], *claims["aud"]]


# Ballerina services: casts without checks, so that each type counts.

STRINGS = ("aud", "scope", "username", "client_id", "sub", "iss", "jti", "token_type")
INTEGERS = ("exp", "iat", "nbf")


@pytest.mark.parametrize("kind", ["opaque", "jwt"])
@pytest.mark.parametrize("whose", ["a person's", "a machine's"])
def test_ballerina_reads_introspection_by_type(site: Site, kind: str, whose: str) -> None:
    if whose == "a person's":
        client = site.application(access_token_type=kind)
        token = site.tokens(client, site.jane, scope="openid profile")["access_token"]
    else:
        client = site.machine(access_token_type=kind)
        token = site.machine_token(client, scope="read")
    assert re.fullmatch(r"[A-Za-z0-9._~-]+", token), "the body carries it un-encoded"
    gateway = site.machine(may_introspect_any=True)
    assert gateway.secret is not None
    bearer = gateway.basic
    response = site.http.post(
        "/oauth2/introspect", content=f"token={token}&token_type_hint=access_token", headers=FORM, auth=bearer
    )
    answer = response.json()
    assert answer["active"] is True
    for name, value in answer.items():
        assert value is not None, name
        if name in STRINGS:
            assert type(value) is str, name
        if name in INTEGERS:
            assert type(value) is int, name
    assert {"exp", "iat", "nbf", "scope", "client_id", "token_type"} <= answer.keys()


def test_ballerina_hears_only_that_a_strange_token_is_inactive(site: Site) -> None:
    machine = site.machine()
    response = site.http.post("/oauth2/introspect", content="token=nonsense", headers=FORM, auth=machine.basic)
    assert response.content == b'{"active":false}'


def test_ballerina_verifies_by_kid_with_rsa_keys_it_can_read(site: Site) -> None:
    token = site.machine_token(site.machine(access_token_type="jwt"))
    keys = site.http.get("/oauth2/jwks").json()["keys"]
    token_head = jwt.decode(token, KeySet.import_key_set({"keys": keys}), algorithms=["RS256"]).header
    key = next(key for key in keys if key["kid"] == token_head["kid"])
    assert (key["kty"], key["alg"], key["use"]) == ("RSA", "RS256", "sig")
    assert all(type(key[name]) is str for name in ("n", "e"))


@pytest.mark.parametrize("bearer", ["header", "body"])
def test_ballerina_gets_client_credentials_in_either_way(site: Site, bearer: str) -> None:
    method = "client_secret_basic" if bearer == "header" else "client_secret_post"
    machine = site.machine(token_endpoint_auth_method=method)
    body = "grant_type=client_credentials&scope=read"
    if bearer == "body":
        body += f"&client_id={machine.client_id}&client_secret={machine.secret}"
    auth = httpx.BasicAuth(*machine.basic) if bearer == "header" else httpx.USE_CLIENT_DEFAULT
    answer = site.http.post("/oauth2/token", content=body, headers=FORM, auth=auth).json()
    assert type(answer["expires_in"]) is int
    assert all(type(answer[name]) is str for name in ("access_token", "token_type", "scope"))
