"""Attack rows 7, 8, 14, 17 and 34 at the doors that take a client's own JWTs: assertions and DPoP proofs, over HTTP."""

import json
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from identity.domain.tenants import TenantSettings
from tests.attacks.forging import (
    ALGORITHMS,
    CURVES,
    MAC_ALGORITHMS,
    compact,
    hmac_signer,
    new_key,
    public_jwk,
    public_spellings,
    signer,
)
from tests.support.builders import Client, Pkce, Site
from tests.support.key_holder import ASSERTION_TYPE, KeyHolder, new_jti

pytestmark = pytest.mark.long

GRANT = {"grant_type": "client_credentials"}
KINDS = ("ES256", "PS256", "EdDSA", "HS256")


def kind_of(algorithm: str) -> str:
    """Which keys are the same: RSA has two families of algorithms."""
    return "RSA" if algorithm[:2] in ("RS", "PS") else "MAC" if algorithm in MAC_ALGORITHMS else algorithm


@dataclass
class Door:
    """A client with a key, and how to present a JWT as its assertion. `algorithm` is pinned."""

    site: Site
    client: Client
    key: Any
    algorithm: str

    @classmethod
    def made(cls, site: Site, algorithm: str) -> "Door":
        if algorithm in MAC_ALGORITHMS:
            client = site.machine(
                token_endpoint_auth_method="client_secret_jwt", token_endpoint_auth_signing_alg=algorithm
            )
            return cls(site, client, str(client.secret).encode(), algorithm)
        key = new_key(algorithm)
        client = site.machine(
            token_endpoint_auth_method="private_key_jwt",
            token_endpoint_auth_signing_alg=algorithm,
            jwks=json.dumps({"keys": [public_jwk(key, kid="k1")]}),
        )
        return cls(site, client, key, algorithm)

    def claims(self, **changes: Any) -> dict[str, Any]:
        now = int(time.time())
        told = {
            "iss": self.client.client_id, "sub": self.client.client_id, "aud": self.site.issuer, "iat": now,
            "exp": now + 60, "jti": new_jti(),
        }  # fmt: skip
        return told | changes

    def token(self, *, algorithm: str | None = None, key: Any = None, **header: Any) -> str:
        alg = algorithm or self.algorithm
        return compact({"alg": alg, "kid": "k1"} | header, self.claims(), signer(alg, self.key if key is None else key))

    def present(self, assertion: str) -> httpx.Response:
        form = GRANT | {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}
        return self.site.http.post("/oauth2/token", data=form)

    def believes(self, assertion: str) -> bool:
        response = self.present(assertion)
        if response.status_code == 401:
            # The refusal looks the same whatever the cause.
            assert response.json() == {
                "error": "invalid_client", "error_description": "Client authentication failed.",
            }  # fmt: skip
        return response.status_code == 200


@pytest.fixture(params=KINDS)
def door(site: Site, request: pytest.FixtureRequest) -> Door:
    return Door.made(site, request.param)


def test_row_7_only_the_pinned_algorithm_with_its_key(door: Door) -> None:
    for algorithm in ALGORITHMS:
        for key in (door.key, new_key(algorithm if algorithm != "none" else "ES256")):
            genuine = algorithm == door.algorithm and key is door.key
            assert door.believes(door.token(algorithm=algorithm, key=key)) is genuine, algorithm


def test_row_7_without_a_pin_any_that_fits_the_key(site: Site) -> None:
    for kind in ("PS256", "ES384", "EdDSA"):
        door = Door.made(site, kind)
        site.update(door.client, token_endpoint_auth_signing_alg=None)
        for algorithm in ALGORITHMS:
            fits = kind_of(algorithm) == kind_of(kind)
            assert door.believes(door.token(algorithm=algorithm)) is fits, (kind, algorithm)


@pytest.mark.parametrize("spelling", ["none", "None", "NONE", "nOnE", "", "null", "0", "es256", "ES256 ", "ES256\n"])
@pytest.mark.any_engine
def test_row_7_no_signature(door: Door, spelling: str) -> None:
    for signature in (b"", b"\0" * 64):
        assert not door.believes(compact({"alg": spelling, "kid": "k1"}, door.claims(), lambda _, s=signature: s))  # type: ignore[misc]


def test_row_7_a_public_key_is_no_secret(site: Site) -> None:
    for kind in ("PS256", "ES256", "EdDSA"):
        door = Door.made(site, kind)
        site.update(door.client, token_endpoint_auth_signing_alg=None)
        for name, secret in public_spellings(public_jwk(door.key)).items():
            for algorithm in MAC_ALGORITHMS:
                forged = compact({"alg": algorithm, "kid": "k1"}, door.claims(), hmac_signer(secret, algorithm))
                assert not door.believes(forged), (kind, name)


def test_row_7_guessable_secrets(site: Site) -> None:
    door = Door.made(site, "HS256")
    for guess in (b"", b"\0", b"secret", b"None", door.client.client_id.encode(), b"\0" * 64):
        assert not door.believes(door.token(key=guess))


HEADERS: dict[str, dict[str, Any]] = {
    "crit": {"crit": ["exp"], "exp": 1},
    "crit unknown": {"crit": ["x"], "x": 1},
    "b64": {"b64": False, "crit": ["b64"]},
    "b64 alone": {"b64": False},
    "jku": {"jku": "http://127.0.0.1:1/jwks"},
    "x5u": {"x5u": "http://127.0.0.1:1/x5u"},
    "x5c": {"x5c": ["MIIB"]},
    "zip": {"zip": "DEF"},
    "kid number": {"kid": 7},
    "kid unknown": {"kid": "k2"},
    "typ number": {"typ": 7},
}


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.any_engine
def test_row_8_headers_that_change_the_rules(door: Door, name: str) -> None:
    # A secret has no kid: what is in it there is not asked.
    expected = door.algorithm == "HS256" and name == "kid unknown"
    assert door.believes(door.token(**HEADERS[name])) is expected


def test_row_8_the_attackers_key_in_the_header(door: Door) -> None:
    other = new_key("ES256")
    forged = door.token(algorithm="ES256", key=other, jwk=public_jwk(other))
    assert not door.believes(forged)


def test_row_8_and_34_repeated_members(door: Door) -> None:
    body = json.dumps(door.claims())
    doubled = body[:-1].encode() + b', "sub": "somebody"}'
    header = json.dumps({"alg": door.algorithm, "kid": "k1"})
    twice = header[:-1].encode() + b', "alg": "none"}'
    sign = signer(door.algorithm, door.key)
    assert not door.believes(compact(header.encode(), doubled, sign))
    assert not door.believes(compact(twice, door.claims(), sign))
    assert door.believes(compact(header.encode(), body.encode(), sign))


@pytest.mark.parametrize("payload", [b"[]", b'"x"', b"null", b"", b"{", b"\xff", b'{"sub": NaN}'])
@pytest.mark.any_engine
def test_row_8_payloads_that_are_no_claims(door: Door, payload: bytes) -> None:
    header = {"alg": door.algorithm, "kid": "k1"}
    assert not door.believes(compact(header, payload, signer(door.algorithm, door.key)))


def test_row_34_repeated_parameters(door: Door) -> None:
    assertion = door.token()
    for name, value in (("client_assertion", assertion), ("client_assertion_type", ASSERTION_TYPE)):
        body: Any = [
            ("grant_type", "client_credentials"), ("client_assertion_type", ASSERTION_TYPE),
            ("client_assertion", assertion), (name, value),
        ]  # fmt: skip
        content = str(httpx.QueryParams(body))
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        response = door.site.http.post("/oauth2/token", content=content, headers=headers)
        assert (response.status_code, response.json()["error"]) == (400, "invalid_request")
    assert door.believes(assertion)


# Row 17: one kind of JWT for another, one tenant's for another's.


@pytest.fixture
def neighbour(site: Site) -> Iterator[Site]:
    made = Site(site.server, f"t{secrets.token_hex(6)}", TenantSettings())
    yield made
    made.close()


def test_row_17_of_another_tenant(site: Site, neighbour: Site) -> None:
    """The same client id and key in both: the audience keeps them apart, and a jti is spent in its tenant only."""
    key = KeyHolder()
    settings = {"token_endpoint_auth_method": "private_key_jwt", "jwks": key.jwks, "client_id": "the-same"}
    doors = [Door(place, place.machine(**settings), key.key, "ES256") for place in (site, neighbour)]
    assertion = key.assertion("the-same", site.issuer)
    assert [door.believes(assertion) for door in reversed(doors)] == [False, True]
    for place in (neighbour.issuer, f"{neighbour.base}/oauth2/revoke", f"{neighbour.server.base_url}/oauth2/token"):
        assert not doors[0].believes(key.assertion("the-same", place))


def test_row_17_our_own_tokens_are_no_assertions(site: Site) -> None:
    client = site.application(access_token_type="jwt", id_token_algorithm="ES256")
    tokens = site.tokens(client, site.jane)
    door = Door.made(site, "ES256")
    for token in (tokens["access_token"], tokens["id_token"], tokens["refresh_token"]):
        assert not door.believes(token)


def test_row_17_an_assertion_is_nothing_else(site: Site) -> None:
    """Nor used up by it: it still authenticates afterwards."""
    door = Door.made(site, "ES256")
    gateway = site.application("Gateway", may_introspect_any=True)
    assertion = door.token()
    doors: dict[str, Callable[[], bool]] = {
        "access token": lambda: site.userinfo(assertion).status_code == 200,
        "introspected": lambda: site.is_active(gateway, assertion),
        "refresh token": lambda: site.refresh(gateway, assertion).status_code == 200,
        "code": lambda: site.redeem(gateway, assertion).status_code == 200,
        "proof": lambda: _with_proof(site, assertion).status_code == 200,
        "hint": lambda: site.http.get("/oidc/logout", params={"id_token_hint": assertion}).status_code == 200,
    }
    for name, believes in doors.items():
        assert not believes(), name
    assert door.believes(assertion)


def test_row_17_a_proof_is_nothing_else(site: Site) -> None:
    key = KeyHolder()
    client = site.machine(token_endpoint_auth_method="private_key_jwt", jwks=key.jwks)
    door = Door(site, client, key.key, "ES256")
    told: Any = {"iss": client.client_id, "sub": client.client_id, "aud": site.issuer, "exp": int(time.time()) + 60}
    proof = key.proof("POST", f"{site.base}/oauth2/token", **told)
    assert not door.believes(proof)
    assert site.userinfo(proof).status_code == 401
    assert _with_proof(site, proof).status_code == 200


def test_row_14_a_proof_for_one_door_at_another(site: Site) -> None:
    client, key = site.application(), KeyHolder()
    pkce = Pkce()
    code = site.code(client, site.jane, **pkce.parameters)
    headers = {"DPoP": key.proof("POST", f"{site.base}/oauth2/token")}
    form = {
        "grant_type": "authorization_code", "code": code, "code_verifier": pkce.verifier,
        "redirect_uri": client.redirect_uri,
    }  # fmt: skip
    token = site.http.post("/oauth2/token", data=form, auth=client.basic, headers=headers).json()["access_token"]
    uris = {"GET": f"{site.base}/oauth2/userinfo", "POST": f"{site.base}/oauth2/userinfo"}
    for method, uri in uris.items():
        other = "POST" if method == "GET" else "GET"
        wrong = key.proof(other, uri, access_token=token)
        response = site.http.request(
            method, "/oauth2/userinfo", headers={"Authorization": f"DPoP {token}", "DPoP": wrong}
        )
        assert response.status_code == 401
        right = key.proof(method, uri, access_token=token)
        response = site.http.request(
            method, "/oauth2/userinfo", headers={"Authorization": f"DPoP {token}", "DPoP": right}
        )
        assert response.status_code == 200


def test_row_7_proofs_of_every_algorithm_and_key(site: Site) -> None:
    """A proof brings its key: alg and key have to belong together, and secrets are no keys."""
    for algorithm in ALGORITHMS:
        for kind in ("RS256", *CURVES, "EdDSA", "HS256"):
            key = new_key(kind)
            jwk = {"kty": "oct", "k": "c2VjcmV0"} if isinstance(key, bytes) else public_jwk(key)
            now = int(time.time())
            claims = {"jti": new_jti(), "htm": "POST", "htu": f"{site.base}/oauth2/token", "iat": now}
            proof = compact({"typ": "dpop+jwt", "alg": algorithm, "jwk": jwk}, claims, signer(algorithm, key))
            fits = kind_of(algorithm) == kind_of(kind) and kind_of(kind) != "MAC"
            assert (_with_proof(site, proof).status_code == 200) is fits, (algorithm, kind)


def _with_proof(site: Site, proof: str) -> httpx.Response:
    machine = _machines.get(site.handle) or _machines.setdefault(site.handle, site.machine())
    return site.http.post("/oauth2/token", data=GRANT, auth=machine.basic, headers={"DPoP": proof})


_machines: dict[str, Client] = {}
