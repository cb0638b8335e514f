"""What an application's settings must be together, and what a FAPI profile forbids: one list for every door."""

from dataclasses import replace
from typing import Any

import pytest

from identity.administration.application_rules import application_problem
from identity.administration.profile_rules import with_profile_defaults
from identity.domain.applications import Application, ApplicationId, AuthorizedApi, ClientId
from identity.domain.profiles import PROFILES
from identity.domain.tenants import ROOT_TENANT, Tenant, TenantSettings

KEYS = '{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"a"}]}'
TENANT = Tenant(
    id=ROOT_TENANT,
    handle="root",
    enabled=True,
    version=1,
    settings=TenantSettings(issuer="https://id.example.org"),
)
PLAIN = Application(
    id=ApplicationId("a"), client_id=ClientId("a"), name="Sample", redirect_uris=("https://app.example/cb",)
)
FAPI = replace(
    PLAIN,
    token_endpoint_auth_method="private_key_jwt",
    jwks=KEYS,
    dpop_bound_access_tokens=True,
    id_token_algorithm="PS256",
    access_token_algorithm="ES256",
)


def problem(application: Application = PLAIN, tenant: Tenant = TENANT, **settings: Any) -> str | None:
    return application_problem(replace(application, **settings), tenant)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"name": ""}, "name"),
        ({"grant_types": ("kerberos",)}, "grant_types"),
        ({"token_endpoint_auth_method": "none", "grant_types": ("client_credentials",)}, "public"),
        ({"token_endpoint_auth_method": "none", "grant_types": ("urn:openid:params:grant-type:ciba",)}, "public"),
        ({"redirect_uris": ()}, "redirect_uris"),
        ({"redirect_uris": ("https://app.example/cb#f",)}, "redirect_uris"),
        ({"redirect_uris": ("javascript:alert(1)",)}, "redirect_uris"),
        *(({name: "http://["}, name) for name in ("policy_uri", "tos_uri", "client_uri", "logo_uri")),
        ({"web_origins": ("https://[",)}, "web_origins"),
        ({"resources": ("https://[",)}, "resources"),
        ({"response_types": ("token code",)}, "response_types"),
        ({"user_access_token_lifetime": 0}, "user_access_token_lifetime"),
        ({"refresh_grace_seconds": 61}, "refresh_grace_seconds"),
        ({"default_max_age": -1}, "default_max_age"),
        ({"id_token_algorithm": "none"}, "id_token_algorithm"),
        ({"userinfo_signed_response_alg": "HS256"}, "userinfo_signed_response_alg"),
        ({"id_token_encrypted_response_alg": "RSA1_5", "jwks": KEYS}, "id_token_encrypted_response_alg"),
        ({"id_token_encrypted_response_alg": "RSA-OAEP-256"}, "keys"),
        ({"id_token_encrypted_response_enc": "A128GCM", "jwks": KEYS}, "id_token_encrypted_response_enc"),
        ({"request_object_encryption_alg": "dir"}, "request_object_encryption_alg"),
        ({"jwks": KEYS, "jwks_uri": "https://app.example/jwks"}, "not both"),
        ({"jwks": "{}"}, "jwks"),
        ({"jwks": '{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}'}, "jwks"),
        ({"jwks_uri": "http://app.example/jwks"}, "jwks_uri"),
        ({"jwks_uri": "file:///etc/passwd"}, "jwks_uri"),
        ({"token_endpoint_auth_method": "private_key_jwt"}, "keys"),
        ({"token_endpoint_auth_method": "self_signed_tls_client_auth"}, "keys"),
        ({"token_endpoint_auth_method": "client_secret_jwt", "keep_client_secret": False}, "keep_client_secret"),
        ({"token_endpoint_auth_method": "tls_client_auth"}, "exactly one"),
        (
            {
                "token_endpoint_auth_method": "tls_client_auth",
                "tls_client_auth_san_dns": "a.example",
                "tls_client_auth_subject_dn": "CN=a",
            },
            "exactly one",
        ),
        ({"token_endpoint_auth_signing_alg": "none"}, "token_endpoint_auth_signing_alg"),
        (
            {"token_endpoint_auth_method": "client_secret_jwt", "token_endpoint_auth_signing_alg": "RS256"},
            "token_endpoint_auth_signing_alg",
        ),
        (
            {"subject_type": "pairwise", "redirect_uris": ("https://a.example/", "https://b.example/")},
            "sector_identifier_uri",
        ),
        ({"frontchannel_logout_uri": "https://other.example/out"}, "frontchannel_logout_uri"),
        ({"backchannel_logout_uri": "http://app.example/out"}, "backchannel_logout_uri"),
        ({"backchannel_token_delivery_mode": "ping"}, "notification_endpoint"),
        ({"request_uris": ("http://app.example/request",)}, "request_uris"),
        ({"initiate_login_uri": "https://app.example/#start"}, "initiate_login_uri"),
        ({"initiate_login_uri": "http://localhost:8443/start"}, "initiate_login_uri"),
        ({"policy_uri": "javascript:alert(1)"}, "policy_uri"),
        ({"logo_uri": "data:image/svg+xml,"}, "logo_uri"),
        ({"web_origins": ("https://app.example/",)}, "web_origins"),
        ({"scopes": ('a"b',)}, "scope"),
        ({"authorized_apis": (AuthorizedApi(api="x", scopes=("a b",)),)}, "scope"),
        ({"resources": ("relative",)}, "resources"),
        ({"resources": ("https://api.example/#f",)}, "resources"),
    ],
)
def test_refused(settings: dict[str, Any], named: str) -> None:
    told = problem(**settings)
    assert told is not None
    assert named in told


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"redirect_uris": ("https://app.example/cb?a=b", "http://127.0.0.1/cb", "org.example.app:/cb")},
        {"jwks": KEYS, "id_token_encrypted_response_alg": "ECDH-ES"},
        {"jwks_uri": "https://app.example/jwks", "token_endpoint_auth_method": "private_key_jwt"},
        {"token_endpoint_auth_method": "client_secret_jwt", "token_endpoint_auth_signing_alg": "HS512"},
        {"token_endpoint_auth_method": "client_secret_basic", "token_endpoint_auth_signing_alg": "RS256"},
        {"token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_subject_dn": "CN=a,O=b"},
        {"frontchannel_logout_uri": "https://app.example/out?x=1"},
        {"resources": ("https://api.example/v1", "urn:example:api")},
        {"response_types": ("code", "code id_token", "none")},
        {"subject_type": "pairwise", "redirect_uris": ("https://a.example/1", "https://a.example/2")},
    ],
)
def test_accepted(settings: dict[str, Any]) -> None:
    assert problem(**settings) is None


@pytest.mark.parametrize("profile", [name for name in PROFILES if name])
class TestProfiles:
    def test_a_fitting_application(self, profile: str) -> None:
        assert problem(FAPI, profile=profile) is None

    @pytest.mark.parametrize(
        ("settings", "named"),
        [
            ({"token_endpoint_auth_method": "client_secret_basic"}, "token_endpoint_auth_method"),
            ({"token_endpoint_auth_method": "none"}, "token_endpoint_auth_method"),
            ({"dpop_bound_access_tokens": False}, "bound"),
            ({"response_types": ("code", "token")}, "response types"),
            ({"grant_types": ("authorization_code", "password")}, "password"),
            ({"redirect_uris": ("http://127.0.0.1/cb",)}, "https"),
            ({"redirect_uris": ("org.example.app:/cb",)}, "https"),
            ({"id_token_algorithm": "RS256"}, "id_token_algorithm"),
            ({"request_object_signing_alg": "RS512"}, "request_object_signing_alg"),
            ({"token_endpoint_auth_signing_alg": "RS256"}, "token_endpoint_auth_signing_alg"),
        ],
    )
    def test_what_it_forbids(self, profile: str, settings: dict[str, Any], named: str) -> None:
        told = problem(FAPI, profile=profile, **settings)
        assert told is not None
        assert named in told

    def test_algorithms_are_filled_in(self, profile: Any) -> None:
        bare = replace(FAPI, profile=profile, id_token_algorithm=None, access_token_algorithm=None)
        filled = with_profile_defaults(bare, TENANT)
        assert (filled.id_token_algorithm, filled.access_token_algorithm) == ("PS256", "PS256")
        assert application_problem(filled, TENANT) is None

    def test_the_default_may_become_a_forbidden_one(self, profile: Any) -> None:
        """Whoever sets the tenant's default to RS256 later has changed nothing of what the profile promises."""
        today = replace(TENANT, settings=replace(TENANT.settings, default_algorithm="ES256"))
        bare = replace(FAPI, profile=profile, id_token_algorithm=None, access_token_algorithm=None)
        filled = with_profile_defaults(bare, today)
        assert (filled.id_token_algorithm, filled.authorization_signed_response_alg) == ("ES256", "ES256")

    def test_fapi2_refuses_an_issuer_that_is_an_endpoint(self, profile: Any) -> None:
        """Decision 1: the default issuer is the token endpoint's address."""
        for issuer in (None, "https://id.example.org/oauth2/token"):
            tenant = replace(TENANT, settings=TenantSettings(issuer=issuer))
            told = application_problem(replace(FAPI, profile=profile), tenant)
            assert (told is not None and "issuer" in told) == profile.startswith("fapi2")
