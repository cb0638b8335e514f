"""What a backchannel authentication request may ask (OpenID CIBA Core 1.0 §7.1, FAPI-CIBA)."""

import json
import time
from typing import Any

import pytest

from identity.administration import users
from identity.clock import SECOND
from tests.support.backchannel import (
    Answer,
    ask,
    asked,
    bank,
    hint_token,
    refusal,
    request_object,
    waiting,
)
from tests.support.builders import Client, Site
from tests.support.in_process import TimedSite
from tests.support.key_holder import KeyHolder

pytestmark = [pytest.mark.any_engine, pytest.mark.long]


class TestRequest:
    @pytest.fixture
    def client(self, site: Site) -> Client:
        assert site.jane
        return bank(site)

    @pytest.mark.spec("OpenID CIBA Core", "7.1")
    @pytest.mark.spec("OpenID CIBA Core", "13")
    @pytest.mark.parametrize(
        ("change", "error"),
        [
            ({"login_hint": None}, "invalid_request"),
            ({"id_token_hint": "x.y.z"}, "invalid_request"),
            ({"login_hint": None, "id_token_hint": "x.y.z"}, "invalid_request"),
            ({"login_hint": None, "login_hint_token": "x.y.z"}, "invalid_request"),
            ({"login_hint": "nobody"}, "unknown_user_id"),
            ({"login_hint": "*)(uid=*"}, "unknown_user_id"),
            ({"login_hint": "x" * 5000}, "unknown_user_id"),
            ({"scope": "email"}, "invalid_scope"),
            ({"scope": None}, "invalid_scope"),
            ({"binding_message": "x" * 65}, "invalid_binding_message"),
            ({"binding_message": "two\nlines"}, "invalid_binding_message"),
            ({"binding_message": "turned\u202eround"}, "invalid_binding_message"),
            ({"user_code": "1234"}, "invalid_request"),
            ({"requested_expiry": "0"}, "invalid_request"),
            ({"requested_expiry": "-1"}, "invalid_request"),
            ({"requested_expiry": "soon"}, "invalid_request"),
            ({"requested_expiry": "1.5"}, "invalid_request"),
            ({"resource": "https://other.example"}, "invalid_target"),
            ({"request": "x.y.z"}, "invalid_request"),
        ],
    )
    def test_refused(self, site: Site, client: Client, change: dict[str, str | None], error: str) -> None:
        assert refusal(site, client, **change) == error

    @pytest.mark.parametrize(("wish", "given"), [("30", 30), ("300", 300), ("9999", 300)])
    def test_requested_expiry(self, site: Site, client: Client, wish: str, given: int) -> None:
        assert asked(site, client, requested_expiry=wish)["expires_in"] == given

    def test_only_confidential_clients_with_the_grant(self, site: Site) -> None:
        assert site.jane
        assert refusal(site, site.application()) == "unauthorized_client"
        data = {"scope": "openid", "login_hint": "jane", "client_id": site.public_application().client_id}
        response = site.http.post("/oauth2/ciba", data=data)
        assert response.json()["error"] == "unauthorized_client"
        anonymous = site.http.post("/oauth2/ciba", data={"scope": "openid", "login_hint": "jane"})
        assert (anonymous.status_code, anonymous.json()["error"]) == (401, "invalid_client")

    def test_an_application_that_must_name_a_resource_does_it_here(self, site: Site) -> None:
        """Else the person would allow what can never be fetched."""
        assert site.jane
        client = bank(site, require_resource=True, resources=("https://api.example",))
        assert refusal(site, client) == "invalid_target"
        assert asked(site, client, resource="https://api.example")

    def test_a_stranger_never_hears_who_is_known(self, site: Site) -> None:
        """unknown_user_id is for authenticated clients with the grant only."""
        known, unknown = (refusal(site, site.application(), login_hint=name) for name in ("jane", "nobody"))
        assert known == unknown == "unauthorized_client"

    @pytest.mark.parametrize("verified", [True, False])
    def test_an_email_address_counts_once_it_is_verified(self, site: Site, client: Client, verified: bool) -> None:
        site.person("kim", email="kim@example.org", email_verified=verified)
        status, _ = ask(site, client, login_hint="KIM@example.org")
        assert (status == 200) is verified

    def test_a_username_that_looks_like_somebody_s_address_is_nobody_s(self, site: Site, client: Client) -> None:
        """Whoever calls themselves by another's address is not asked in their place."""
        site.person("kim", email="kim@example.org", email_verified=True)
        assert asked(site, client, login_hint="kim@example.org")
        site.person("kim@example.org")
        assert refusal(site, client, login_hint="kim@example.org") == "unknown_user_id"
        own = "sam@example.org"
        site.person(own, email=own, email_verified=True)
        assert asked(site, client, login_hint=own)

    def test_an_email_address_of_two_is_nobody_s(self, site: Site, client: Client) -> None:
        for name in ("kim", "sam"):
            site.person(name, email="team@example.org", email_verified=True)
        assert refusal(site, client, login_hint="team@example.org") == "unknown_user_id"

    def test_who_is_disabled_is_unknown(self, site: Site, client: Client) -> None:
        site.in_tenant(lambda a, t: users.set_user_enabled(a, t, "jane", False))
        assert refusal(site, client) == "unknown_user_id"

    def test_another_client_s_id_token_is_no_hint(self, site: Site, client: Client) -> None:
        other = site.tokens(site.application(), site.jane)["id_token"]
        assert refusal(site, client, login_hint=None, id_token_hint=other) == "invalid_request"

    def test_an_access_token_is_no_hint(self, site: Site, client: Client) -> None:
        token = site.tokens(site.application(access_token_type="jwt"), site.jane)["access_token"]
        assert refusal(site, client, login_hint=None, id_token_hint=token) == "invalid_request"


def now_of(site: TimedSite) -> int:
    return site.clock.now() // SECOND


class TestHintTokens:
    @pytest.mark.parametrize(
        ("claims", "error"),
        [
            ({"username": "jane", "iss": "somebody"}, "invalid_request"),
            ({"username": "jane", "aud": "https://other.example"}, "invalid_request"),
            ({"username": "jane", "exp": None}, "invalid_request"),
            ({"username": "jane", "exp": 1}, "expired_login_hint_token"),
            ({"username": "jane", "email": "jane@example.org"}, "invalid_request"),
            ({}, "invalid_request"),
            ({"username": 5}, "invalid_request"),
            ({"username": "nobody"}, "unknown_user_id"),
            ({"sub": "nobody"}, "unknown_user_id"),
        ],
    )
    def test_refused(self, timed: TimedSite, claims: dict[str, Any], error: str) -> None:
        holder = KeyHolder()
        client = bank(timed, jwks=holder.jwks)
        assert timed.jane
        token = hint_token(timed, client, holder, now=now_of(timed), **claims)
        assert refusal(timed, client, login_hint=None, login_hint_token=token) == error

    def test_signed_by_somebody_else(self, timed: TimedSite) -> None:
        client = bank(timed, jwks=KeyHolder().jwks)
        token = hint_token(timed, client, KeyHolder(), now=now_of(timed), username="jane")
        assert refusal(timed, client, login_hint=None, login_hint_token=token) == "invalid_request"


class TestSignedRequests:
    """Decision 27, CIBA Core §7.1.1."""

    @pytest.fixture
    def holder(self) -> KeyHolder:
        return KeyHolder()

    @pytest.fixture
    def client(self, site: Site, holder: KeyHolder) -> Client:
        assert site.jane
        return bank(site, jwks=holder.jwks, backchannel_authentication_request_signing_alg="ES256")

    @pytest.mark.spec("OpenID CIBA Core", "7.1.1")
    @pytest.mark.parametrize("expiry", [30, "30"])
    def test_it_carries_every_parameter(self, site: Site, client: Client, holder: KeyHolder, expiry: Any) -> None:
        signed = request_object(site, client, holder, requested_expiry=expiry)
        answer = asked(site, client, scope=None, login_hint=None, request=signed)
        assert answer["expires_in"] == 30
        assert "W4SCT" in waiting(site, site.jane).text

    @pytest.mark.parametrize("claim", ["iss", "aud", "iat", "nbf", "exp", "jti"])
    def test_without_one_of_its_claims(self, site: Site, client: Client, holder: KeyHolder, claim: str) -> None:
        signed = request_object(site, client, holder, **{claim: None})
        assert refusal(site, client, scope=None, login_hint=None, request=signed) == "invalid_request"

    @pytest.mark.parametrize(
        "claims",
        [
            {"iss": "somebody"}, {"aud": "https://other.example"}, {"aud": []}, {"exp": 1},
            {"exp": int(time.time()) + 9000}, {"nbf": int(time.time()) + 86_400},
            {"nbf": int(time.time()) - 4000, "iat": int(time.time()) - 4000},
            {"jti": ""}, {"jti": 5}, {"jti": "x" * 600}, {"client_id": "somebody"},
            {"binding_message": None, "scope": {}},
            {"requested_expiry": True}, {"requested_expiry": 1.5}, {"requested_expiry": None, "login_hint": None},
        ],
    )  # fmt: skip
    def test_with_a_wrong_claim(self, site: Site, client: Client, holder: KeyHolder, claims: dict[str, Any]) -> None:
        signed = request_object(site, client, holder, **claims)
        status, answer = ask(site, client, scope=None, login_hint=None, request=signed)
        assert (status, answer["error"] in ("invalid_request", "invalid_scope")) == (400, True), answer

    def test_it_is_good_once(self, site: Site, client: Client, holder: KeyHolder) -> None:
        signed = request_object(site, client, holder)
        asked(site, client, scope=None, login_hint=None, request=signed)
        assert refusal(site, client, scope=None, login_hint=None, request=signed) == "invalid_request"

    @pytest.mark.spec("RFC 7519", "4")
    def test_claims_that_are_no_parameters_are_ignored(self, site: Site, client: Client, holder: KeyHolder) -> None:
        assert site.jane
        deep: Any = 1
        for _ in range(800):
            deep = [deep]
        for value in (True, 1.5, {"a": None}, deep):
            token = request_object(site, client, holder, purpose=value, request_uri=value)
            assert asked(site, client, scope=None, login_hint=None, request=token)

    def test_parameters_beside_it_are_refused(self, site: Site, client: Client, holder: KeyHolder) -> None:
        signed = request_object(site, client, holder)
        assert refusal(site, client, scope=None, login_hint="kim", request=signed) == "invalid_request"

    def test_who_registered_an_algorithm_must_sign(self, site: Site, client: Client) -> None:
        assert refusal(site, client) == "invalid_request"

    @pytest.mark.parametrize("algorithm", ["ES384", "PS256"])
    def test_another_algorithm_than_registered(self, site: Site, algorithm: str) -> None:
        holder = KeyHolder(algorithm)
        client = bank(site, jwks=holder.jwks, backchannel_authentication_request_signing_alg="ES256")
        signed = request_object(site, client, holder)
        assert refusal(site, client, scope=None, login_hint=None, request=signed) == "invalid_request"

    def test_somebody_else_s_signature(self, site: Site, client: Client) -> None:
        signed = request_object(site, client, KeyHolder())
        assert refusal(site, client, scope=None, login_hint=None, request=signed) == "invalid_request"


class TestFapiCiba:
    """FAPI-CIBA §5.2.2: signed requests, bound tokens, a message that ties what is seen to what is meant."""

    def client_of(self, site: Site, holder: KeyHolder) -> Client:
        return bank(
            site, profile="fapi_ciba", token_endpoint_auth_method="private_key_jwt", jwks=holder.jwks,
            dpop_bound_access_tokens=True, response_types=("code",),
        )  # fmt: skip

    def ask(self, site: Site, client: Client, holder: KeyHolder, **form: str) -> tuple[int, Answer]:
        assertion = holder.assertion(client.client_id, site.issuer)
        form |= {
            "client_assertion": assertion,
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        }
        response = site.http.post("/oauth2/ciba", data=form)
        return response.status_code, response.json()

    @pytest.mark.spec("FAPI-CIBA", "5.2.2")
    def test_its_rules(self, site: Site) -> None:
        assert site.jane
        holder = KeyHolder()
        client = self.client_of(site, holder)
        status, answer = self.ask(site, client, holder, request=request_object(site, client, holder))
        assert (status, answer["auth_req_id"][:3]) == (200, "cb_")
        plain = self.ask(site, client, holder, scope="openid", login_hint="jane")
        assert (plain[0], plain[1]["error"]) == (400, "invalid_request")
        silent = self.ask(site, client, holder, request=request_object(site, client, holder, binding_message=None))
        assert (silent[0], silent[1]["error"]) == (400, "invalid_binding_message")

    @pytest.mark.parametrize("algorithm", ["RS256", "ES384"])
    def test_algorithms_it_forbids(self, site: Site, algorithm: str) -> None:
        assert site.jane
        good, bad = KeyHolder(kid="good"), KeyHolder(algorithm, kid="bad")
        jwks = {"keys": [{**good.jwk, "kid": "good"}, {**bad.jwk, "kid": "bad"}]}
        client = bank(
            site, profile="fapi_ciba", token_endpoint_auth_method="private_key_jwt", jwks=json.dumps(jwks),
            dpop_bound_access_tokens=True, response_types=("code",),
        )  # fmt: skip
        status, answer = self.ask(site, client, good, request=request_object(site, client, bad))
        assert (status, answer["error"]) == (400, "invalid_request")
