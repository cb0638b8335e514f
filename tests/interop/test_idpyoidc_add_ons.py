"""idpyoidc with all it has: it registers itself, and by its add-ons signs requests, pushes them, proves its key."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from cryptojwt import JWT
from idpyoidc.client.oauth2.add_on.dpop import DPoPProof
from idpyoidc.client.oauth2.stand_alone_client import backchannel_logout

from identity.domain.applications import CIBA
from tests.interop.relying_party import DPOP, JAR, PAR, PKCE, RelyingParty
from tests.support.authorization import header_of
from tests.support.browser import Request
from tests.support.builders import CALLBACK, Site, claims_of
from tests.support.key_holder import base64url_sha256, new_jti
from tests.support.receiver import Receiver

FOR_THE_ISSUER = {"private_key_jwt": {"class": "tests.interop.relying_party.ForTheIssuer", "kwargs": {}}}
Party = Callable[..., RelyingParty]


@pytest.fixture
def party(site: Site, receiver: Receiver) -> Party:
    def made(**configuration: Any) -> RelyingParty:
        return RelyingParty(site, receiver, **configuration)

    return made


def check(party: RelyingParty) -> None:
    answer = party.finish(party.sign_in())
    assert answer["userinfo"]["email"] == "jane@example.org"
    assert answer["id_token"]["sub"] == answer["userinfo"]["sub"]


@pytest.mark.spec("OpenID Connect Dynamic Client Registration", "3.1")
@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "private_key_jwt"])
def test_it_registers_itself(party: Party, method: str) -> None:
    check(party(token_endpoint_auth_methods_supported=[method], client_authn_methods=[method, "bearer_header"]).start())


def encrypting(what: str, algorithm: str) -> dict[str, Any]:
    return {
        f"encrypt_{what}_supported": True,
        f"{what}_encryption_alg_values_supported": [algorithm],
        f"{what}_encryption_enc_values_supported": ["A256GCM"],
    }


@pytest.mark.spec("OpenID Connect Core", "5.3.2")
@pytest.mark.parametrize("algorithm", ["RSA-OAEP-256", "ECDH-ES"])
def test_signed_and_encrypted_userinfo(party: Party, algorithm: str) -> None:
    here = party(**encrypting("userinfo", algorithm)).start()
    assert here.client.get_context().registration_response["userinfo_encrypted_response_alg"] == algorithm
    check(here)


@pytest.mark.spec("OpenID Connect Core", "10.2")
@pytest.mark.parametrize("algorithm", ["RSA-OAEP-256", "ECDH-ES"])
def test_an_encrypted_id_token(party: Party, algorithm: str) -> None:
    """It asks, and cryptojwt below it decrypts and verifies; its own check of token responses knows no encryption."""
    here = party(**encrypting("id_token", algorithm)).start()
    response = here.sign_in()
    here.client.finalize_auth(response)
    service = here.client.get_service("accesstoken")
    form = {"grant_type": "authorization_code", "code": response["code"], "redirect_uri": CALLBACK}
    asked = service.get_request_parameters(
        request_args=form, state=response["state"], endpoint=here.site.issuer, authn_method="private_key_jwt"
    )
    answer = here.site.http.post(asked["url"], content=asked["body"], headers=asked["headers"])
    assert answer.status_code == 200, answer.text
    claims = JWT(key_jar=here.client.keyjar).unpack(answer.json()["id_token"])
    assert (claims["iss"], claims["aud"]) == (here.site.issuer, here.client_id)


@pytest.mark.spec("RFC 9101", "5")
def test_a_signed_request_by_value(party: Party) -> None:
    here = party(add_ons={"pkce": PKCE, "jar": JAR}).start(require_signed_request_object=True)
    address = here.leave()
    assert header_of(Request("GET", address).parameters["request"])["alg"] == "ES256"
    # Its add-on takes the state out of the request that it remembers, and so cannot go on by itself.
    assert here.sign_in(address)["code"].startswith("ac_")


@pytest.mark.spec("FAPI 2.0 Security Profile", "5.3.2.2")
@pytest.mark.spec("RFC 9126", "2.1")
@pytest.mark.spec("RFC 9449", "5")
def test_fapi_2(site: Site, party: Party) -> None:
    """Pushed request, PKCE, private_key_jwt for the issuer, DPoP."""
    site.change_settings(lambda settings: replace(settings, issuer=site.base))
    add_ons = {"pkce": PKCE, "par": PAR, "dpop": DPOP}
    here = party(issuer=site.base, client_authn_methods=FOR_THE_ISSUER, add_ons=add_ons)
    here.start(dpop_bound_access_tokens=True, profile="fapi2_security")
    address = here.leave()
    assert Request("GET", address).parameters["request_uri"].startswith("urn:ietf:params:oauth:request_uri:")
    response = here.sign_in(address)
    here.client.finalize_auth(response)
    tokens = here.client.get_tokens(response["state"])
    assert tokens["token_type"] == "DPoP"
    assert claims_of(userinfo(here, tokens["access_token"]))["email"] == "jane@example.org"


def userinfo(party: RelyingParty, token: str) -> str:
    """By its own proof. Only `ath` is made here: its add-on writes hexadecimal, where RFC 9449 §4.2 has base64url."""
    made = party.client.get_context().add_on["dpop"]
    uri = f"{party.site.base}/oauth2/userinfo"
    proof = DPoPProof(
        typ="dpop+jwt", alg=made["alg"], jwk=made["key"].serialize(), jti=new_jti(), htm="GET", htu=uri,
        iat=int(time.time()), ath=base64url_sha256(token),
    )  # fmt: skip
    proof.key = made["key"]
    headers = {"Authorization": f"DPoP {token}", "DPoP": proof.create_header()}
    answer = party.site.http.get("/oauth2/userinfo", headers=headers)
    assert answer.status_code == 200, answer.headers
    return answer.text


@pytest.mark.spec("OpenID Connect RP-Initiated Logout", "2")
@pytest.mark.spec("OpenID Connect Back-Channel Logout", "2.6")
def test_logout(party: Party, receiver: Receiver) -> None:
    back = "https://app.example/bye"
    here = party(post_logout_redirect_uris=[back]).start(
        post_logout_redirect_uris=[back], backchannel_logout_uri=receiver.url("/bc_logout")
    )
    response = here.sign_in()
    here.finish(response)
    page = here.browser.get(here.client.logout(response["state"])["url"])
    assert page.left_for is not None, page
    assert page.left_for.url.startswith(f"{back}?state=")
    (told,) = receiver.wait_for("/bc_logout")
    assert backchannel_logout(here.client, request=told.body.decode()) == response["state"]


@pytest.mark.spec("OpenID CIBA Core", "7.1")
def test_ciba(site: Site, party: Party) -> None:
    here = party(client_authn_methods=FOR_THE_ISSUER).start(grant_types=("authorization_code", CIBA))
    assert site.jane
    service = here.client.get_service("backchannel_authentication")
    # It would send a GET; CIBA Core §7.1 wants a POST.
    service.http_method, service.request_body_type = "POST", "urlencoded"
    service.default_authn_method = "private_key_jwt"
    asked = here.client.do_request(
        "backchannel_authentication",
        request_args={"login_hint": "jane", "scope": ["openid", "email"], "binding_message": "1234"},
    )
    assert asked["auth_req_id"].startswith("cb_")
    assert asked["interval"] == 5
