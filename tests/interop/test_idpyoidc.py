"""idpyoidc, the identity community's relying party library (the successor of OidcRP): from discovery to userinfo.

It verifies the ID token, `iss`, `nonce` and PKCE by itself and refuses what it does not like: its success is the test.
"""

from typing import Any

import pytest
from idpyoidc.client.rp_handler import RPHandler

from tests.support.builders import Site, response_parameters

PKCE = {
    "function": "idpyoidc.client.oauth2.add_on.pkce.add_support",
    "kwargs": {"code_challenge_length": 64, "code_challenge_method": "S256"},
}


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_a_relying_party_signs_a_person_in(site: Site, algorithm: str) -> None:
    client = site.application(id_token_algorithm=algorithm)
    party = RPHandler(
        base_url="https://app.example",
        client_configs={
            "here": {
                "client_type": "oidc",
                "issuer": site.issuer,
                "client_id": client.client_id,
                "client_secret": client.secret,
                "redirect_uris": [client.redirect_uri],
                "response_types_supported": ["code"],
                "scope": ["openid", "profile", "email"],
                "scopes_supported": ["openid", "profile", "email"],
                "id_token_signed_response_alg": algorithm,
                "token_endpoint_auth_methods_supported": ["client_secret_basic"],
                "add_ons": {"pkce": PKCE},
            }
        },
        httpc_params={"timeout": 10},
        # Its default is to keep private keys in a file of the working folder.
        key_conf={"key_defs": [{"type": "EC", "crv": "P-256", "use": ["sig"]}]},
    )
    page = site.browser().get(party.begin("here"))
    page = page.submit("login-submit", username=site.jane.username, password=site.jane.password)
    answer: dict[str, Any] = party.finalize(site.issuer, response_parameters(page))
    assert answer["userinfo"]["email"] == "jane@example.org"
    assert answer["id_token"]["sub"] == answer["userinfo"]["sub"]
    assert site.is_active(client, answer["token"])
