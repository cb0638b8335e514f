"""The authorization code grant (RFC 6749 §4.1, RFC 7636)."""

import pytest

from tests.support.builders import Pkce, Site, response_parameters


@pytest.mark.spec("RFC 6749", "4.1")
def test_a_person_signs_in_and_the_application_gets_tokens(site: Site) -> None:
    client = site.application()
    tokens = site.tokens(client, site.jane, scope="openid profile")
    assert tokens["token_type"] == "Bearer"
    assert site.is_active(client, tokens["access_token"])


@pytest.mark.spec("RFC 6749", "4.1.2")
def test_code_replay_revokes_what_the_code_gave(site: Site) -> None:
    client = site.application()
    pkce = Pkce()
    code = site.code(client, site.jane, **pkce.parameters)
    first = site.redeem(client, code, code_verifier=pkce.verifier).json()
    again = site.redeem(client, code, code_verifier=pkce.verifier)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert not site.is_active(client, first["access_token"])
    assert site.refresh(client, first["refresh_token"]).json()["error"] == "invalid_grant"


@pytest.mark.spec("RFC 9207", "2")
def test_the_response_names_its_issuer(site: Site) -> None:
    parameters = response_parameters(site.sign_in(site.application(), site.jane))
    assert parameters["iss"] == site.issuer
    assert parameters["state"] == "the-state"
