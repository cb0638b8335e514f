"""ID tokens, userinfo and introspection signed and encrypted as each application registered for."""

import base64
import hashlib
import json
from typing import Any

import pytest
from joserfc import jwe, jws
from joserfc.jwe import JWERegistry
from joserfc.jwk import ECKey, Key, KeySet, OKPKey, RSAKey

from identity.domain.keys import SIGNING_ALGORITHMS
from tests.support.builders import Client, Site, claims_of

pytestmark = pytest.mark.long

HASH_OF = {"256": "sha256", "384": "sha384", "512": "sha512", "DSA": "sha512"}
CLIENT_KEYS: dict[str, Key] = {
    "RSA-OAEP-256": RSAKey.generate_key(2048, {"use": "enc", "kid": "rsa"}),
    "ECDH-ES": ECKey.generate_key("P-256", {"use": "enc", "kid": "ec"}),
}
JWKS = json.dumps({"keys": [key.as_dict(private=False) for key in CLIENT_KEYS.values()]})


def verified(site: Site, token: str, algorithm: str, typ: str = "JWT") -> dict[str, Any]:
    """The claims, checked with the tenant's published keys as a client would."""
    keys = KeySet.import_key_set(site.http.get("/oauth2/jwks").json())
    signed = jws.deserialize_compact(token, keys, [algorithm])
    assert signed.headers()["typ"] == typ
    assert signed.headers()["alg"] == algorithm
    claims: dict[str, Any] = json.loads(signed.payload or b"")
    return claims


def opened(token: str, wrapping: str, content: str) -> str:
    """The signed JWT inside a JWE, by the application's private key."""
    registry = JWERegistry(algorithms=[wrapping, content])
    key = CLIENT_KEYS[wrapping.partition("+")[0]]
    found = jwe.decrypt_compact(token, key, registry=registry)
    assert found.headers()["cty"] == "JWT"
    assert (found.headers()["alg"], found.headers()["enc"]) == (wrapping, content)
    return (found.plaintext or b"").decode()


def left_half(value: str, algorithm: str) -> str:
    digest = hashlib.new(HASH_OF[algorithm[-3:]], value.encode()).digest()
    return base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()


@pytest.mark.spec("OpenID Connect Core", "3.1.3.6")
@pytest.mark.spec("RFC 7518", "3")
@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # RFC 9864 names it anew; FAPI 2 and clients do not yet
@pytest.mark.parametrize("algorithm", SIGNING_ALGORITHMS)
def test_id_token_by_each_algorithm(site: Site, algorithm: str) -> None:
    client = site.application(id_token_algorithm=algorithm, access_token_type="jwt", access_token_algorithm=algorithm)
    tokens = site.tokens(client, site.jane)
    claims = verified(site, tokens["id_token"], algorithm)
    assert claims["at_hash"] == left_half(tokens["access_token"], algorithm)
    assert verified(site, tokens["access_token"], algorithm, "at+jwt")["sub"] == claims["sub"]
    assert site.introspect(client, tokens["access_token"])["active"] is True
    assert site.userinfo(tokens["access_token"]).json()["sub"] == claims["sub"]


@pytest.mark.spec("OpenID Connect Core", "10.2")
@pytest.mark.spec("RFC 7516", "5")
@pytest.mark.parametrize("content", ["A128GCM", "A256GCM"])
@pytest.mark.parametrize("wrapping", ["RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A256KW"])
def test_encrypted_id_token(site: Site, wrapping: str, content: str) -> None:
    client = site.application(
        jwks=JWKS, id_token_encrypted_response_alg=wrapping, id_token_encrypted_response_enc=content
    )
    tokens = site.tokens(client, site.jane, nonce="n")
    inner = opened(tokens["id_token"], wrapping, content)
    claims = verified(site, inner, "RS256")
    assert (claims["nonce"], claims["aud"]) == ("n", client.client_id)


@pytest.mark.spec("OpenID Connect Core", "5.3.2")
def test_userinfo_as_jwt(site: Site) -> None:
    client = site.application(userinfo_signed_response_alg="ES384")
    answer = site.userinfo(site.tokens(client, site.jane, scope="openid email")["access_token"])
    assert answer.headers["content-type"] == "application/jwt"
    claims = verified(site, answer.text, "ES384")
    assert (claims["iss"], claims["aud"], claims["email"]) == (site.issuer, client.client_id, "jane@example.org")


@pytest.mark.spec("OpenID Connect Core", "5.3.2")
def test_userinfo_signed_and_encrypted_and_encrypted_alone(site: Site) -> None:
    keys = {"jwks": JWKS, "userinfo_encrypted_response_alg": "ECDH-ES", "userinfo_encrypted_response_enc": "A256GCM"}
    both = site.application(userinfo_signed_response_alg="PS256", **keys)
    answer = site.userinfo(site.tokens(both, site.jane)["access_token"])
    assert verified(site, opened(answer.text, "ECDH-ES", "A256GCM"), "PS256")["aud"] == both.client_id
    alone = site.application(**keys)
    answer = site.userinfo(site.tokens(alone, site.jane)["access_token"])
    found = jwe.decrypt_compact(
        answer.text, CLIENT_KEYS["ECDH-ES"], registry=JWERegistry(algorithms=["ECDH-ES", "A256GCM"])
    )
    assert json.loads(found.plaintext or b"").keys() == {"sub"}


JWT = "application/token-introspection+jwt"


def introspection(site: Site, caller: Client, token: str, accept: str = JWT) -> Any:
    return site.http.post("/oauth2/introspect", data={"token": token}, auth=caller.basic, headers={"Accept": accept})


@pytest.mark.spec("RFC 9701", "5")
def test_introspection_as_jwt(site: Site) -> None:
    """Decision 5: on Accept only, for the caller, inactive answers too."""
    client = site.application(introspection_signed_response_alg="PS256")
    token = site.tokens(client, site.jane)["access_token"]
    answer = introspection(site, client, token)
    assert answer.headers["content-type"] == "application/token-introspection+jwt"
    claims = verified(site, answer.text, "PS256", "token-introspection+jwt")
    assert (claims["iss"], claims["aud"]) == (site.issuer, client.client_id)
    assert claims["token_introspection"] == site.introspect(client, token)
    inactive = verified(site, introspection(site, client, "at_unknown").text, "PS256", "token-introspection+jwt")
    assert inactive["token_introspection"] == {"active": False}
    plain = site.http.post("/oauth2/introspect", data={"token": token}, auth=client.basic)
    assert plain.headers["content-type"] == "application/json"


@pytest.mark.spec("RFC 9701", "4")
@pytest.mark.parametrize(
    ("accept", "as_jwt"),
    [(f"text/html, {JWT.upper()};q=0.5", True), (f"*/*, {JWT}", True), (f"{JWT};q=0", False), (f"{JWT}; q=0.00", False),
     (f"{JWT}s", False), (f"x{JWT}", False), ("*/*", False), ("application/json", False)],
)  # fmt: skip
def test_introspection_as_jwt_is_asked_for_by_its_name(site: Site, accept: str, as_jwt: bool) -> None:
    client = site.application(introspection_signed_response_alg="PS256")
    answer = introspection(site, client, "at_unknown", accept)
    assert (answer.headers["content-type"] == JWT) is as_jwt


@pytest.mark.spec("RFC 9701", "5")
def test_encrypted_introspection(site: Site) -> None:
    client = site.application(jwks=JWKS, introspection_encrypted_response_alg="RSA-OAEP-256")
    token = site.tokens(client, site.jane)["access_token"]
    inner = opened(introspection(site, client, token).text, "RSA-OAEP-256", "A128GCM")
    assert verified(site, inner, "RS256", "token-introspection+jwt")["token_introspection"]["active"] is True


@pytest.mark.spec("RFC 9701", "8")
def test_an_introspection_answer_is_no_access_token_and_no_hint(site: Site) -> None:
    """Attack row 17: explicit types keep every JWT of ours in its own place."""
    client = site.application()
    token = site.tokens(client, site.jane)["access_token"]
    answer = introspection(site, client, token).text
    assert not site.is_active(client, answer)
    assert site.userinfo(answer).status_code == 401
    page = site.browser().get(site.authorize_url(client, id_token_hint=answer, prompt="none"))
    assert "error=invalid_request" in (page.header("location") or "")


def test_asked_claims_come_as_a_token(site: Site) -> None:
    """wso2-contracts §1.5: `token_string` only with `required_claims`."""
    client = site.application()
    token = site.tokens(client, site.jane, scope="openid email profile")["access_token"]
    form = {"token": token, "required_claims": "email,birthdate"}
    answer = site.http.post("/oauth2/introspect", data=form, auth=client.basic).json()
    claims = verified(site, answer["token_string"], "RS256")
    assert (claims["email"], claims["aud"], claims["sub"]) == ("jane@example.org", client.client_id, "jane")
    assert "name" not in claims
    assert "token_string" not in site.introspect(client, token)


def test_missing_encryption_key_is_no_plain_answer(site: Site) -> None:
    """Fails closed: whoever registered for encryption gets nothing in the clear."""
    signing = OKPKey.generate_key("Ed25519", {"use": "sig", "kid": "s"})
    client = site.application(
        jwks=json.dumps({"keys": [signing.as_dict(private=False)]}), id_token_encrypted_response_alg="RSA-OAEP-256"
    )
    response = site.redeem(client, site.code(client, site.jane))
    assert response.status_code >= 400
    assert "id_token" not in response.text


def test_jwt_scope_as_array(site: Site) -> None:
    client = site.application(access_token_type="jwt", scope_as_array=True)
    tokens = site.tokens(client, site.jane, scope="openid email")
    assert claims_of(tokens["access_token"])["scope"] == ["openid", "email"]
    assert site.introspect(client, tokens["access_token"])["scope"] == "openid email"
    assert site.userinfo(tokens["access_token"]).json()["email"] == "jane@example.org"


@pytest.mark.parametrize("kind", ["opaque", "jwt"])
def test_one_string_audience_for_readers_of_one(site: Site, kind: str) -> None:
    """wso2-contracts §7.10: a Ballerina service casts `aud` to a string."""
    client = site.application(access_token_type=kind, audiences=("orders", "stock"))
    token = site.tokens(client, site.jane)["access_token"]
    assert site.introspect(client, token)["aud"] == [client.client_id, "orders", "stock"]
    reader = site.machine(may_introspect_any=True, single_audience=True, audiences=("stock",))
    assert site.introspect(reader, token)["aud"] == "stock"


@pytest.mark.parametrize("kind", ["opaque", "jwt"])
def test_tokens_bound_to_the_session_say_so(site: Site, kind: str) -> None:
    client = site.application(access_token_type=kind, token_binding="sso-session")
    tokens = site.tokens(client, site.jane)
    told = site.introspect(client, tokens["access_token"])
    assert told["binding_type"] == "sso-session"
    assert told["binding_ref"] == hashlib.sha256(claims_of(tokens["id_token"])["sid"].encode()).hexdigest()
