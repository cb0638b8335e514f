"""Responses as one signed JWT (JARM), encrypted where the application asked for that."""

import json
from typing import Any

import pytest

from identity.domain.applications import RESPONSE_TYPES
from identity.tokens.jose import PublicKeys
from tests.support.authorization import EncryptionKey, carried, header_of
from tests.support.builders import Client, Site, claims_of
from tests.support.in_process import TimedSite
from tests.support.key_holder import KeyHolder

pytestmark = pytest.mark.any_engine

MODES = ["jwt", "query.jwt", "fragment.jwt", "form_post.jwt"]


def response(site: Site, client: Client, **parameters: Any) -> tuple[str, dict[str, Any]]:
    """How it travelled, and the claims, whose signature is checked."""
    carrier, carrying = carried(site.sign_in(client, site.jane, **parameters))
    assert carrying.keys() == {"response"}
    return carrier, verified(site, carrying["response"])


def verified(site: Site, token: str, *algorithms: str) -> dict[str, Any]:
    keys = PublicKeys(json.loads(site.http.get("/oauth2/jwks").content))
    allowed = frozenset(algorithms or ("RS256", "ES256", "PS256"))
    return keys.verify(token, allowed, frozenset({"JWT"}))[1]


@pytest.mark.spec("JARM", "2.1")
@pytest.mark.spec("JARM", "2.3")
@pytest.mark.parametrize("mode", MODES)
def test_a_code_in_each_mode(site: Site, mode: str) -> None:
    client = site.application()
    carrier, claims = response(site, client, response_mode=mode)
    assert carrier == {"jwt": "query"}.get(mode, mode.removesuffix(".jwt"))
    assert claims.keys() == {"code", "state", "session_state", "iss", "aud", "exp"}
    assert (claims["iss"], claims["aud"], claims["state"]) == (site.issuer, client.client_id, "the-state")
    assert site.redeem(client, claims["code"]).status_code == 200


@pytest.mark.spec("JARM", "2.1")
def test_it_is_good_for_ten_minutes_at_most(timed: TimedSite) -> None:
    _, carrying = carried(timed.sign_in(timed.application(), timed.jane, response_mode="jwt"))
    assert claims_of(carrying["response"])["exp"] - timed.clock.now() // 1_000_000 == 600


@pytest.mark.spec("JARM", "2.3.4")
@pytest.mark.parametrize("response_type", RESPONSE_TYPES)
def test_jwt_is_the_default_mode_of_the_type(site: Site, response_type: str) -> None:
    client = site.application(response_types=RESPONSE_TYPES)
    carrier, claims = response(site, client, response_type=response_type, response_mode="jwt", nonce="n")
    assert carrier == ("query" if response_type in ("code", "none") else "fragment")
    for word, name in (("code", "code"), ("token", "access_token"), ("id_token", "id_token")):
        assert (name in claims) is (word in response_type.split())
    if "access_token" in claims:
        assert claims["expires_in"] == 3600


@pytest.mark.parametrize("mode", MODES)
def test_errors_are_signed_too(site: Site, mode: str) -> None:
    client = site.application()
    for page in (
        site.browser().get(site.authorize_url(client, response_mode=mode, prompt="none")),
        site.browser().get(site.authorize_url(client, response_mode=mode, max_age="soon")),
        site.browser().get(site.authorize_url(client, response_mode=mode)).submit("login-cancel"),
    ):
        carrier, carrying = carried(page)
        assert carrier == {"jwt": "query"}.get(mode, mode.removesuffix(".jwt"))
        claims = verified(site, carrying["response"])
        assert claims["error"] in ("login_required", "invalid_request", "access_denied")
        assert (claims["state"], claims["aud"]) == ("the-state", client.client_id)


def test_an_error_before_the_type_is_read_finds_its_way(site: Site) -> None:
    """The default carrier is that of the type asked for, even when the type is refused."""
    client = site.application()
    page = site.browser().get(site.authorize_url(client, response_type="id_token code", response_mode="jwt", nonce="n"))
    carrier, carrying = carried(page)
    assert carrier == "fragment"
    assert verified(site, carrying["response"])["error"] == "unsupported_response_type"


@pytest.mark.parametrize("algorithm", ["ES256", "RS256", "PS256"])
def test_it_is_signed_as_registered(site: Site, algorithm: str) -> None:
    client = site.application(authorization_signed_response_alg=algorithm)
    _, carrying = carried(site.sign_in(client, site.jane, response_mode="jwt"))
    assert header_of(carrying["response"])["alg"] == algorithm
    verified(site, carrying["response"], algorithm)


@pytest.mark.spec("JARM", "2.2")
@pytest.mark.parametrize("encryption", [None, "A256GCM"])
def test_it_is_encrypted_as_registered(site: Site, encryption: str | None) -> None:
    keys = EncryptionKey(KeyHolder())
    client = site.application(
        jwks=keys.jwks,
        authorization_encrypted_response_alg="RSA-OAEP-256",
        authorization_encrypted_response_enc=encryption,
    )
    _, carrying = carried(site.sign_in(client, site.jane, response_mode="form_post.jwt"))
    header = header_of(carrying["response"])
    assert (header["alg"], header["enc"], header["cty"]) == ("RSA-OAEP-256", encryption or "A128GCM", "JWT")
    claims = verified(site, keys.decrypted(carrying["response"]))
    assert site.redeem(client, claims["code"]).status_code == 200


def test_nothing_goes_out_where_encryption_is_impossible(site: Site) -> None:
    """The key set has no key to encrypt to: neither the code nor an error is sent in clear."""
    client = site.application(jwks=KeyHolder().jwks, authorization_encrypted_response_alg="RSA-OAEP-256")
    page = site.sign_in(client, site.jane, response_mode="jwt")
    assert page.has("error-page")
    assert page.left_for is None


def test_the_state_cannot_change_other_claims(site: Site) -> None:
    state = '","iss":"https://evil.example","x":"'
    _, claims = response(site, site.application(), response_mode="jwt", state=state)
    assert (claims["state"], claims["iss"]) == (state, site.issuer)
