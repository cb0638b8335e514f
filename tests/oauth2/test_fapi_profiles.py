"""The FAPI profiles at the authorization and PAR endpoints: what each refuses, and that the rest goes through."""

from dataclasses import replace
from typing import Any

import httpx
import pytest

from identity.tokens.id_token import left_half_hash
from tests.support.authorization import carried, header_of, plain_request, pushed_url, request_object
from tests.support.browser import Page
from tests.support.builders import Client, Pkce, Site, claims_of, response_parameters
from tests.support.in_process import TimedSite
from tests.support.key_holder import KeyHolder, assertion_form, new_jti

pytestmark = [pytest.mark.any_engine, pytest.mark.long]

HOLDER = KeyHolder("PS256")
SECRET_KEY = KeyHolder()
"""Proves possession at the token endpoint."""


def issuer(site: Site) -> str:
    return site.base


def now_of(site: Site) -> float | None:
    """Of a tenant whose time stands still; None: the real one."""
    return site.clock.now() / 1_000_000 if isinstance(site, TimedSite) else None


def fapi(site: Site, profile: str, **settings: Any) -> Client:
    """An application of this profile in a tenant whose issuer is no endpoint (decision 1)."""
    site.change_settings(lambda current: replace(current, issuer=issuer(site)))
    values: dict[str, Any] = {
        "profile": profile, "token_endpoint_auth_method": "private_key_jwt", "jwks": HOLDER.jwks,
        "dpop_bound_access_tokens": True,
        "response_types": ("code", "code id_token") if profile == "fapi1_advanced" else ("code",),
    }  # fmt: skip
    return site.application("FAPI", **(values | settings))


def signed(site: Site, client: Client, holder: KeyHolder = HOLDER, **claims: Any) -> str:
    return request_object(site, client, holder, **({"aud": issuer(site), "nonce": "n-1"} | claims))


def push(site: Site, client: Client, **parameters: Any) -> httpx.Response:
    beside = {name: parameters.pop(name) for name in ("request",) if name in parameters}
    form = beside if beside else plain_request(client, **parameters)
    form.pop("client_id", None)
    assertion = HOLDER.assertion(client.client_id, issuer(site), now=now_of(site))
    return site.http.post("/oauth2/par", data=assertion_form(assertion, **form))


def pushed_page(site: Site, client: Client, **parameters: Any) -> Page:
    response = push(site, client, **parameters)
    assert response.status_code == 201, response.text
    return site.browser().get(pushed_url(site, client, response.json()["request_uri"]))


def signed_in(site: Site, page: Page) -> dict[str, str]:
    return carried(page.submit("login-submit", username="jane", password=site.jane.password))[1]


def redeem(site: Site, client: Client, code: str, pkce: Pkce | None) -> httpx.Response:
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": client.redirect_uri}
    form |= {"code_verifier": pkce.verifier} if pkce else {}
    assertion = HOLDER.assertion(client.client_id, issuer(site), now=now_of(site))
    headers = {"DPoP": SECRET_KEY.proof("POST", f"{site.base}/oauth2/token", now=now_of(site))}
    return site.http.post("/oauth2/token", data=assertion_form(assertion, **form), headers=headers)


def outcome(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json().get("error", "")


class TestFapi1Advanced:
    profile = "fapi1_advanced"

    def by_value(self, site: Site, client: Client, token: str) -> Page:
        left_out: dict[str, str | None] = dict.fromkeys(("redirect_uri", "scope", "state"), None)
        return site.browser().get(site.authorize_url(client, **(left_out | {"request": token})))

    @pytest.mark.spec("FAPI 1.0 Advanced", "5.2.2")
    def test_code_id_token(self, site: Site) -> None:
        client = fapi(site, self.profile)
        token = signed(site, client, response_type="code id_token")
        page = self.by_value(site, client, token)
        carrier, answer = carried(page.submit("login-submit", username="jane", password=site.jane.password))
        assert carrier == "fragment"
        claims = claims_of(answer["id_token"])
        assert header_of(answer["id_token"])["alg"] in ("PS256", "ES256")
        assert claims["s_hash"] == left_half_hash(answer["state"], "PS256")
        assert claims["c_hash"] == left_half_hash(answer["code"], "PS256")
        assert redeem(site, client, answer["code"], None).json()["token_type"] == "DPoP"

    @pytest.mark.spec("FAPI 1.0 Advanced", "5.2.2")
    def test_code_with_a_signed_response(self, site: Site) -> None:
        client = fapi(site, self.profile)
        answer = signed_in(site, self.by_value(site, client, signed(site, client, response_mode="jwt")))
        assert header_of(answer["response"])["alg"] in ("PS256", "ES256")
        assert redeem(site, client, claims_of(answer["response"])["code"], None).status_code == 200

    @pytest.mark.parametrize(
        ("claims", "error"),
        [
            ({"response_mode": "jwt"}, ""),
            ({}, "invalid_request"),
            ({"response_mode": "fragment"}, "invalid_request"),
            ({"response_type": "code token"}, "unsupported_response_type"),
            ({"response_type": "id_token"}, "unsupported_response_type"),
            ({"response_type": "none", "response_mode": "jwt"}, "unsupported_response_type"),
            ({"response_mode": "jwt", "nonce": None}, "invalid_request"),
            ({"response_mode": "jwt", "scope": None}, "invalid_request"),
            ({"response_type": "code id_token", "scope": None}, "invalid_request"),
            ({"response_mode": "jwt", "scope": "orders", "state": None}, "invalid_request"),
        ],
        ids=str,
    )
    def test_what_it_forbids(self, site: Site, claims: dict[str, Any], error: str) -> None:
        client = fapi(site, self.profile)
        page = self.by_value(site, client, signed(site, client, **claims))
        if not error:
            assert page.has("login-submit")
            return
        answer = carried(page)[1]
        told = claims_of(answer["response"]) if "response" in answer else answer
        assert told["error"] == error

    @pytest.mark.spec("FAPI 1.0 Advanced", "5.2.2")
    @pytest.mark.parametrize(
        "claims",
        [{"exp": None}, {"nbf": None}, {"aud": None}, {"redirect_uri": None}, {"aud": "https://other.example"}],
        ids=str,
    )
    def test_what_an_object_needs(self, site: Site, claims: dict[str, Any]) -> None:
        client = fapi(site, self.profile)
        page = self.by_value(site, client, signed(site, client, response_mode="jwt", **claims))
        assert (page.has("error-page"), page.left_for) == (True, None)

    def test_a_request_without_an_object(self, site: Site) -> None:
        client = fapi(site, self.profile)
        page = site.browser().get(site.authorize_url(client, response_type="code id_token", nonce="n"))
        assert carried(page)[1]["error"] == "invalid_request"

    @pytest.mark.spec("FAPI 1.0 Advanced", "8.6")
    @pytest.mark.parametrize(("algorithm", "accepted"), [("PS256", True), ("ES256", True), ("RS256", False),
                                                          ("PS512", False), ("EdDSA", False)])  # fmt: skip
    def test_algorithms(self, site: Site, algorithm: str, accepted: bool) -> None:
        holder = KeyHolder(algorithm)
        client = fapi(site, self.profile, jwks=holder.jwks)
        page = self.by_value(site, client, signed(site, client, holder, response_mode="jwt"))
        assert page.has("login-submit") is accepted

    @pytest.mark.spec("FAPI 1.0 Advanced", "5.2.2")
    def test_pkce_only_where_the_request_is_pushed(self, site: Site) -> None:
        client, pkce = fapi(site, self.profile), Pkce()
        plain = signed(site, client, response_mode="jwt")
        assert outcome(push(site, client, request=plain)) == (400, "invalid_request")
        page = pushed_page(
            site, client, request=signed(site, client, response_mode="jwt", **dict[str, Any](pkce.parameters))
        )
        answer = signed_in(site, page)
        assert redeem(site, client, claims_of(answer["response"])["code"], pkce).status_code == 200

    def test_lifetimes(self, timed: TimedSite) -> None:
        client = fapi(timed, self.profile)
        now = timed.clock.now() // 1_000_000
        for nbf, exp, accepted in (
            (now, now + 3600, True), (now, now + 3601, False), (now - 3600, now, True), (now - 3620, now - 100, False),
            (now - 7200, now + 60, False), (now, now - 60, False), (now + 60, now + 120, False),
        ):  # fmt: skip
            token = signed(timed, client, response_mode="jwt", nbf=nbf, exp=exp)
            assert self.by_value(timed, client, token).has("login-submit") is accepted, (nbf - now, exp - now)


class TestFapi2Security:
    profile = "fapi2_security"

    @pytest.mark.spec("FAPI 2.0 Security Profile", "5.3.2.2")
    def test_a_whole_sign_in(self, site: Site) -> None:
        client, pkce = fapi(site, self.profile), Pkce()
        answer = signed_in(site, pushed_page(site, client, **pkce.parameters))
        assert answer["iss"] == issuer(site)
        tokens = redeem(site, client, answer["code"], pkce)
        assert tokens.json()["token_type"] == "DPoP", tokens.text
        assert header_of(tokens.json()["id_token"])["alg"] in ("PS256", "ES256", "EdDSA")

    @pytest.mark.spec("FAPI 2.0 Security Profile", "5.3.2.2")
    @pytest.mark.parametrize(
        ("parameters", "error"),
        [
            ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
            ({"code_challenge_method": "plain"}, "invalid_request"),
            ({"response_type": "code id_token"}, "unsupported_response_type"),
            ({"response_type": "token"}, "unsupported_response_type"),
            ({"redirect_uri": None}, "invalid_request"),
            ({"redirect_uri": "https://app.example/other"}, "invalid_request"),
        ],
        ids=str,
    )
    def test_what_it_forbids(self, site: Site, parameters: dict[str, Any], error: str) -> None:
        client = fapi(site, self.profile)
        pkce: dict[str, Any] = dict(Pkce().parameters)
        assert outcome(push(site, client, **(pkce | parameters))) == (400, error)

    @pytest.mark.spec("FAPI 2.0 Security Profile", "5.3.2.2")
    def test_only_pushed_requests(self, site: Site) -> None:
        client = fapi(site, self.profile)
        page = site.browser().get(site.authorize_url(client, **Pkce().parameters))
        assert response_parameters(page)["error"] == "invalid_request"
        token = signed(site, client, **dict[str, Any](Pkce().parameters))
        page = site.browser().get(site.authorize_url(client, request=token))
        assert response_parameters(page)["error"] == "invalid_request"

    @pytest.mark.spec("FAPI 2.0 Message Signing", "5.3.1")
    @pytest.mark.parametrize(
        ("claims", "error"),
        [({}, ""), ({"nbf": None}, "invalid_request_object"), ({"exp": None}, "invalid_request_object"),
         ({"exp": 2**33}, "invalid_request_object"), ({"nbf": 1}, "invalid_request_object")],
        ids=str,
    )  # fmt: skip
    def test_request_objects_where_responses_are_plain(self, site: Site, claims: dict[str, Any], error: str) -> None:
        """Signed requests without JARM: the rules of their lifetime are the same."""
        client = fapi(site, self.profile, require_signed_request_object=True)
        response = push(site, client, request=signed(site, client, **(dict[str, Any](Pkce().parameters) | claims)))
        assert outcome(response) == ((400, error) if error else (201, ""))

    @pytest.mark.spec("FAPI 2.0 Security Profile", "5.3.2.1")
    def test_codes_live_for_a_minute_at_most(self, timed: TimedSite) -> None:
        client, pkce = fapi(timed, self.profile), Pkce()
        timed.change_settings(lambda settings: replace(settings, code_lifetime=600))
        timed.clock.advance(2)
        answer = signed_in(timed, pushed_page(timed, client, **pkce.parameters))
        timed.clock.advance(61)
        response = redeem(timed, client, answer["code"], pkce)
        assert outcome(response) == (400, "invalid_grant")


class TestFapi2MessageSigning:
    profile = "fapi2_message_signing"

    def request(self, site: Site, client: Client, **claims: Any) -> str:
        return signed(site, client, **({"response_mode": "jwt"} | Pkce().parameters | claims))

    @pytest.mark.spec("FAPI 2.0 Message Signing", "5.3.1")
    @pytest.mark.spec("FAPI 2.0 Message Signing", "5.4.1")
    def test_a_whole_sign_in(self, site: Site) -> None:
        client, pkce = fapi(site, self.profile), Pkce()
        page = pushed_page(site, client, request=self.request(site, client, **pkce.parameters))
        answer = signed_in(site, page)
        claims = claims_of(answer["response"])
        assert (claims["iss"], claims["aud"]) == (issuer(site), client.client_id)
        assert redeem(site, client, claims["code"], pkce).status_code == 200

    @pytest.mark.parametrize(
        ("claims", "error"),
        [
            ({"response_mode": None}, "invalid_request"),
            ({"response_mode": "query"}, "invalid_request"),
            ({"response_mode": "form_post"}, "invalid_request"),
            ({"response_mode": "query.jwt"}, ""),
            ({"exp": None}, "invalid_request_object"),
            ({"nbf": None}, "invalid_request_object"),
            ({"aud": None}, "invalid_request_object"),
            ({"jti": 7}, "invalid_request_object"),
            ({"jti": ""}, "invalid_request_object"),
            ({"jti": None}, ""),
        ],
        ids=str,
    )
    @pytest.mark.spec("FAPI 2.0 Message Signing", "5.3.1")
    def test_what_it_forbids(self, site: Site, claims: dict[str, Any], error: str) -> None:
        client = fapi(site, self.profile)
        response = push(site, client, request=self.request(site, client, **claims))
        assert outcome(response) == ((400, error) if error else (201, ""))

    def test_an_unsigned_push(self, site: Site) -> None:
        client = fapi(site, self.profile)
        response = push(site, client, response_mode="jwt", **Pkce().parameters)
        assert outcome(response) == (400, "invalid_request")

    def test_an_object_is_good_once(self, site: Site) -> None:
        client = fapi(site, self.profile)
        jti = new_jti()
        token = self.request(site, client, jti=jti)
        assert push(site, client, request=token).status_code == 201
        assert outcome(push(site, client, request=token)) == (400, "invalid_request_object")
        again = self.request(site, client, jti=jti)
        assert outcome(push(site, client, request=again)) == (400, "invalid_request_object")
        other = fapi(site, self.profile)
        assert push(site, other, request=self.request(site, other, jti=jti)).status_code == 201

    def test_errors_of_the_browser_are_signed(self, site: Site) -> None:
        client = fapi(site, self.profile)
        page = pushed_page(site, client, request=self.request(site, client, prompt="none"))
        assert claims_of(carried(page)[1]["response"])["error"] == "login_required"
