"""Discovery and JWKS at every place of decision 2, of the root tenant and of others (RFC 8414, Discovery 1.0)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from tests.support.builders import Site
from tests.support.in_process import TimedSite
from tests.support.network import NO_TLS

OPENID = "/.well-known/openid-configuration"
OAUTH = "/.well-known/oauth-authorization-server"
BELOW_ISSUER = ("{prefix}/oauth2/token" + OPENID, "{prefix}/oauth2/token" + OAUTH)
RFC_8414 = (OPENID + "{prefix}/oauth2/token", OAUTH + "{prefix}/oauth2/token")
OF_BASE = ("{prefix}" + OPENID, "{prefix}" + OAUTH, OPENID + "{prefix}", OAUTH + "{prefix}")
ALIAS = ("{prefix}/oauth2/oidcdiscovery" + OPENID,)


AUTH_METHODS = ["client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt"]
RESPONSE_TYPES = [
    "code", "id_token", "token", "id_token token", "code id_token", "code token", "code id_token token", "none",
]  # fmt: skip
RESPONSE_MODES = ["query", "fragment", "form_post", "jwt", "query.jwt", "fragment.jwt", "form_post.jwt"]
GRANT_TYPES = [
    "authorization_code", "refresh_token", "client_credentials", "urn:ietf:params:oauth:grant-type:device_code",
    "urn:openid:params:grant-type:ciba", "urn:ietf:params:oauth:grant-type:token-exchange",
    "urn:ietf:params:oauth:grant-type:jwt-bearer", "password", "implicit",
]  # fmt: skip
SIGNING = ["RS256", "ES256", "PS256", "EdDSA", "RS384", "RS512", "PS384", "PS512", "ES384", "ES512"]


def fetch(site: Site, place: str, prefix: str) -> httpx.Response:
    return httpx.get(site.server.base_url + place.format(prefix=prefix), trust_env=False, verify=NO_TLS)


@pytest.mark.spec("OpenID Connect Discovery", "4")
@pytest.mark.spec("RFC 8414", "3.1")
@pytest.mark.parametrize("place", [*BELOW_ISSUER, *RFC_8414, *OF_BASE, *ALIAS])
def test_every_place_has_the_one_document(site: Site, place: str) -> None:
    for prefix, base in (("", site.server.base_url), (f"/t/{site.handle}", site.base)):
        response = fetch(site, place, prefix)
        assert response.status_code == 200
        assert response.json()["issuer"] == f"{base}/oauth2/token"
        assert response.headers["content-type"] == "application/json"
        assert response.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    ("issuer", "own", "legacy"),
    [
        (None, (*BELOW_ISSUER, *RFC_8414), (*OF_BASE, *ALIAS)),
        ("{base}", OF_BASE, (*BELOW_ISSUER, *RFC_8414, *ALIAS)),
        ("https://issuer.example", (), (*BELOW_ISSUER, *RFC_8414, *OF_BASE, *ALIAS)),
    ],
    ids=["the token endpoint", "the base", "elsewhere"],
)
def test_legacy_spellings_go_with_the_setting(
    timed: TimedSite, issuer: str | None, own: tuple[str, ...], legacy: tuple[str, ...]
) -> None:
    named = issuer.format(base=timed.base) if issuer else None
    timed.change_settings(lambda settings: replace(settings, issuer=named, legacy_discovery=False))
    timed.clock.advance(2)
    for places, status in ((own, 200), (legacy, 404)):
        for place in places:
            prefix = f"/t/{timed.handle}"
            assert timed.http.get(timed.server.base_url + place.format(prefix=prefix)).status_code == status, place
    timed.change_settings(lambda settings: replace(settings, legacy_discovery=True))
    timed.clock.advance(2)
    for place in (*own, *legacy):
        url = timed.server.base_url + place.format(prefix=f"/t/{timed.handle}")
        assert timed.http.get(url).json()["issuer"] == (named or timed.issuer)


@pytest.mark.spec("RFC 8414", "2")
@pytest.mark.spec("OpenID Connect Discovery", "3")
def test_the_document(site: Site) -> None:
    base = site.base
    protection = {
        f"{what}_{kind}_values_supported": values
        for what in ("id_token", "userinfo", "request_object", "authorization", "introspection")
        for kind, values in (
            ("signing_alg", SIGNING),
            ("encryption_alg", ["RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A256KW"]),
            ("encryption_enc", ["A128GCM", "A256GCM"]),
        )
    }
    assert site.http.get("/oauth2/token" + OPENID).json() == protection | {
        "issuer": site.issuer,
        "authorization_endpoint": f"{base}/oauth2/authorize",
        "token_endpoint": f"{base}/oauth2/token",
        "introspection_endpoint": f"{base}/oauth2/introspect",
        "revocation_endpoint": f"{base}/oauth2/revoke",
        "userinfo_endpoint": f"{base}/oauth2/userinfo",
        "pushed_authorization_request_endpoint": f"{base}/oauth2/par",
        "device_authorization_endpoint": f"{base}/oauth2/device_authorize",
        "backchannel_authentication_endpoint": f"{base}/oauth2/ciba",
        "registration_endpoint": f"{base}/api/identity/oauth2/dcr/v1.1/register",
        "jwks_uri": f"{base}/oauth2/jwks",
        "end_session_endpoint": f"{base}/oidc/logout",
        "check_session_iframe": f"{base}/oidc/checksession",
        "frontchannel_logout_supported": True,
        "frontchannel_logout_session_supported": True,
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
        "backchannel_token_delivery_modes_supported": ["poll", "ping"],
        "backchannel_authentication_request_signing_alg_values_supported": SIGNING,
        "backchannel_user_code_parameter_supported": False,
        "scopes_supported": ["openid", "profile", "email", "address", "phone", "groups", "offline_access"],
        "response_types_supported": RESPONSE_TYPES,
        "response_modes_supported": RESPONSE_MODES,
        "grant_types_supported": GRANT_TYPES,
        "subject_types_supported": ["public", "pairwise"],
        "token_endpoint_auth_methods_supported": [*AUTH_METHODS, "none"],
        "introspection_endpoint_auth_methods_supported": AUTH_METHODS,
        "revocation_endpoint_auth_methods_supported": [*AUTH_METHODS, "none"],
        "token_endpoint_auth_signing_alg_values_supported": [*SIGNING, "HS256", "HS384", "HS512"],
        "introspection_endpoint_auth_signing_alg_values_supported": [*SIGNING, "HS256", "HS384", "HS512"],
        "revocation_endpoint_auth_signing_alg_values_supported": [*SIGNING, "HS256", "HS384", "HS512"],
        "tls_client_certificate_bound_access_tokens": False,
        "dpop_signing_alg_values_supported": SIGNING,
        "code_challenge_methods_supported": ["S256"],
        "claim_types_supported": ["normal"],
        "claims_supported": [
            "iss", "aud", "exp", "iat", "auth_time", "acr", "amr", "sid", "sub", "name", "family_name", "given_name",
            "middle_name", "nickname", "preferred_username", "profile", "picture", "website", "gender", "birthdate",
            "zoneinfo", "locale", "updated_at", "email", "email_verified", "address", "phone_number",
            "phone_number_verified", "groups",
        ],
        "claims_parameter_supported": True,
        "request_parameter_supported": True,
        "request_uri_parameter_supported": True,
        "require_request_uri_registration": True,
        "authorization_response_iss_parameter_supported": True,
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "acr_values_supported": ["1", "2"],
        "ui_locales_supported": ["de", "en"],
    }  # fmt: skip


def test_every_address_in_it_answers(site: Site) -> None:
    document = site.http.get("/oauth2/token" + OPENID).json()
    for name, address in document.items():
        if name.endswith("_endpoint") or name in ("jwks_uri", "check_session_iframe"):
            assert httpx.request("GET", address, trust_env=False, verify=NO_TLS).status_code != 404, name


@pytest.mark.parametrize(
    "path",
    [
        "/t/nobody/oauth2/token" + OPENID, OPENID + "/t/nobody/oauth2/token",
        OPENID + "/", "//.well-known/openid-configuration", "/t/%6eobody" + OPENID, "/oauth2/token/" + OPENID,
    ],
)  # fmt: skip
def test_places_that_are_nobodys(site: Site, path: str) -> None:
    assert httpx.get(site.server.base_url + path, trust_env=False).status_code == 404


def test_a_hostile_host_header_never_becomes_the_issuer(site: Site) -> None:
    response = site.http.get("/oauth2/token" + OPENID, headers={"Host": "evil.example"})
    assert response.status_code == 421
    assert "evil" not in response.text


@pytest.mark.spec("RFC 9110", "9.3.2")
def test_head(site: Site) -> None:
    for path in ("/oauth2/jwks", "/oauth2/token" + OPENID):
        got, head = site.http.get(path), site.http.head(path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == str(len(got.content))


@pytest.mark.spec("RFC 7517", "5")
def test_jwks_has_public_members_only(site: Site) -> None:
    response = site.http.get("/oauth2/jwks")
    assert response.headers["access-control-allow-origin"] == "*"
    keys: list[dict[str, Any]] = response.json()["keys"]
    assert {key["alg"]: key.keys() for key in keys} == {
        "RS256": {"kty", "n", "e", "kid", "use", "alg"},
        "ES256": {"kty", "crv", "x", "y", "kid", "use", "alg"},
    }
    assert len({key["kid"] for key in keys}) == len(keys)


@pytest.mark.parametrize("change", [lambda s: replace(s, issuer="https://new.example")])
def test_a_change_shows_within_a_second(timed: TimedSite, change: Callable[[Any], Any]) -> None:
    path = "/oauth2/token" + OPENID
    assert timed.http.get(path).json()["issuer"] == timed.issuer
    timed.change_settings(change)
    timed.clock.advance(1)
    assert timed.http.get(path).json()["issuer"] == "https://new.example"
    assert timed.http.get(path).headers["cache-control"] == "public, max-age=1"


@pytest.mark.spec("RFC 8414", "3.1")
def test_the_root_tenant_has_one_issuer_whichever_spelling_was_called(site: Site) -> None:
    """Decision 2."""
    base = site.server.base_url
    documents = [
        site.http.get(base + path).json()
        for path in ("/oauth2/token" + OPENID, "/t/root/oauth2/token" + OPENID, OPENID + "/t/root/oauth2/token")
    ]
    assert [document["issuer"] for document in documents] == [f"{base}/oauth2/token"] * 3
