"""What is in an access token and in the answer about it (wso2-contracts §1.4, §1.5, §7.3, §7.10)."""

import re
import time
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import KeySet

from identity.tokens.jose import read_header
from tests.support.builders import Client, Site, claims_of

GATEWAY = "https://gateway.example"


def is_now(value: object) -> bool:
    return isinstance(value, int) and abs(value - time.time()) < 60


def verified(site: Site, token: str) -> None:
    """The signature holds under the published key that the header names."""
    keys = KeySet.import_key_set(site.http.get("/oauth2/jwks").json())
    jws.deserialize_compact(token, keys, ["RS256", "ES256"])


@pytest.mark.parametrize("kind", ["opaque", "jwt"])
def test_introspection_of_a_persons_token(site: Site, kind: str) -> None:
    client = site.application(access_token_type=kind, user_access_token_lifetime=600)
    token = site.tokens(client, site.jane, scope="openid email")["access_token"]
    answer = site.introspect(client, token)
    times = [answer.pop(name) for name in ("iat", "nbf", "exp")]
    assert is_now(times[0])
    assert times == [times[0], times[0], times[0] + 600]
    expected: dict[str, Any] = {
        "active": True,
        "scope": "openid email",
        "client_id": client.client_id,
        "username": "jane",
        "token_type": "Bearer",
        "aut": "APPLICATION_USER",
        "aud": client.client_id,
    }
    if kind == "jwt":
        claims = claims_of(token)
        expected |= {name: claims[name] for name in ("jti", "sub", "iss")}
    assert answer == expected


@pytest.mark.parametrize("kind", ["opaque", "jwt"])
def test_introspection_of_a_machines_token(site: Site, kind: str) -> None:
    client = site.machine(access_token_type=kind)
    answer = site.introspect(client, site.machine_token(client))
    expected = {"active", "client_id", "token_type", "aut", "aud", "exp", "iat", "nbf"}
    assert answer.keys() == (expected | {"jti", "sub", "iss"} if kind == "jwt" else expected)
    assert answer["aut"] == "APPLICATION"


@pytest.mark.spec("RFC 9068", "2.2")
def test_claims_of_a_persons_jwt(site: Site) -> None:
    client = site.application(access_token_type="jwt", user_access_token_lifetime=600)
    tokens = site.tokens(client, site.jane, scope="openid email groups")
    claims = claims_of(tokens["access_token"])
    subject = claims_of(tokens["id_token"])["sub"]
    issued, jti = claims.pop("iat"), claims.pop("jti")
    assert is_now(issued)
    assert re.fullmatch(r"[0-9a-f-]{36}\.[A-Za-z0-9_-]{43}", jti)
    assert claims == {
        "iss": site.issuer, "sub": subject, "aut": "APPLICATION_USER", "aud": client.client_id,
        "azp": client.client_id, "client_id": client.client_id, "scope": "openid email groups",
        "nbf": issued, "exp": issued + 600, "groups": ["staff"],
    }  # fmt: skip
    verified(site, tokens["access_token"])


def test_claims_of_a_machines_jwt(site: Site) -> None:
    client = site.machine(access_token_type="jwt")
    claims = claims_of(site.machine_token(client))
    assert claims.keys() == {"iss", "sub", "aut", "aud", "nbf", "azp", "client_id", "exp", "iat", "jti"}
    assert (claims["sub"], claims["aut"]) == (client.client_id, "APPLICATION")


@pytest.mark.spec("RFC 9068", "2.1")
@pytest.mark.parametrize(("setting", "algorithm"), [(None, "RS256"), ("RS256", "RS256"), ("ES256", "ES256")])
def test_header_and_signature(site: Site, setting: str | None, algorithm: str) -> None:
    client = site.application(access_token_type="jwt", access_token_algorithm=setting, id_token_algorithm=setting)
    tokens = site.tokens(client, site.jane)
    for name, typ in (("access_token", "at+jwt"), ("id_token", "JWT")):
        header = dict(read_header(tokens[name]))
        key = next(key for key in site.http.get("/oauth2/jwks").json()["keys"] if key["kid"] == header["kid"])
        assert header == {"typ": typ, "alg": algorithm, "kid": key["kid"]}
        assert (key["alg"], key["use"]) == (algorithm, "sig")
        verified(site, tokens[name])


@pytest.mark.spec("RFC 6750", "2.1")
def test_opaque_tokens_are_url_safe_and_of_256_bits(site: Site) -> None:
    client = site.machine()
    assert re.fullmatch(r"at_[A-Za-z0-9_-]{43}", site.machine_token(client))


@pytest.mark.parametrize("kind", ["opaque", "jwt"])
def test_aud_is_a_string_when_single_and_an_array_when_several(site: Site, kind: str) -> None:
    one = site.machine(access_token_type=kind)
    several = site.machine(access_token_type=kind, audiences=(GATEWAY,))
    assert site.introspect(one, site.machine_token(one))["aud"] == one.client_id
    token = site.machine_token(several)
    assert site.introspect(several, token)["aud"] == [several.client_id, GATEWAY]
    if kind == "jwt":
        assert claims_of(token)["aud"] == [several.client_id, GATEWAY]


def test_groups_are_an_array_even_with_one_member(site: Site) -> None:
    """Contracts §7.8: in the ID token, the JWT access token and userinfo."""
    client = site.application(access_token_type="jwt", id_token_claims="scopes")
    tokens = site.tokens(client, site.jane, scope="openid groups")
    shown = [claims_of(tokens["id_token"]), claims_of(tokens["access_token"])]
    shown.append(site.userinfo(tokens["access_token"]).json())
    assert [claims["groups"] for claims in shown] == [["staff"]] * 3


@pytest.mark.parametrize("kind", ["opaque", "jwt"])
def test_ballerinas_types(site: Site, kind: str) -> None:
    """Contracts §7.10: members that Ballerina casts without a check, and never null."""
    client = site.application(access_token_type=kind)
    answer = site.introspect(client, site.tokens(client, site.jane)["access_token"])
    for name in answer.keys() - {"active", "iat", "nbf", "exp"}:
        assert isinstance(answer[name], str)
    for name in ("iat", "nbf", "exp"):
        assert type(answer[name]) is int
    assert answer["active"] is True


def test_the_dashboards_way_of_introspection(site: Site) -> None:
    """Contracts §7.8: token, client_id and client_secret in the form body."""
    client = site.application()
    token = site.tokens(client, site.jane)["access_token"]
    assert client.secret is not None
    form = {"token": token, "client_id": client.client_id, "client_secret": client.secret}
    assert site.http.post("/oauth2/introspect", data=form).json()["active"] is True


# RFC 7662 §2.2: everything else is inactive, in these words.


def bare_inactive(site: Site, caller: Client, token: str) -> bool:
    response = site.http.post("/oauth2/introspect", data={"token": token}, auth=caller.basic)
    assert response.headers["cache-control"] == "no-store"
    return response.status_code == 200 and response.content == b'{"active":false}'


@pytest.mark.spec("RFC 7662", "2.2")
@pytest.mark.parametrize("kind", ["opaque", "jwt"])
def test_what_is_no_access_token_is_inactive(site: Site, kind: str) -> None:
    client = site.application(access_token_type=kind)
    page = site.code(client, site.jane)
    tokens = site.tokens(client, site.jane)
    for wrong in (
        "x",
        "at_x",
        "rt_x",
        "a.b.c",
        "é",
        tokens["id_token"],
        page,
        tokens["access_token"] + "A",
        "." * 17000,
    ):
        assert bare_inactive(site, client, wrong)


@pytest.mark.spec("RFC 8725", "3.1")
def test_tampered_jwts_are_inactive(site: Site) -> None:
    import base64
    import json

    client = site.machine(access_token_type="jwt")
    token = site.machine_token(client)
    header, payload, signature = token.split(".")

    def encoded(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    original, claims = dict(read_header(token)), claims_of(token)
    forged = {
        "alg none": f"{encoded(original | {'alg': 'none'})}.{payload}.",
        "alg HS256": f"{encoded(original | {'alg': 'HS256'})}.{payload}.{signature}",
        "other kid": f"{encoded(original | {'kid': 'x'})}.{payload}.{signature}",
        "other claims": f"{header}.{encoded(claims | {'scope': 'admin'})}.{signature}",
        "no signature": f"{header}.{payload}.",
    }
    assert site.is_active(client, token)
    for name, wrong in forged.items():
        assert bare_inactive(site, client, wrong), name


@pytest.mark.spec("RFC 7662", "2.1")
@pytest.mark.parametrize("form", [{}, {"token": ""}])
def test_a_blank_token_is_an_invalid_request(site: Site, form: dict[str, str]) -> None:
    response = site.http.post("/oauth2/introspect", data=form or {"other": "x"}, auth=site.machine().basic)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")
