"""Response types beside `code`: what each answers, how it travels, and that all of it is one family."""

from typing import Any

import pytest

from identity.domain.applications import RESPONSE_TYPES
from identity.tokens.id_token import left_half_hash
from tests.support.authorization import carried
from tests.support.browser import Page
from tests.support.builders import Client, Pkce, Site, claims_of, response_parameters

pytestmark = pytest.mark.long

GIVEN: dict[str, set[str]] = {
    "code": {"code"},
    "token": {"access_token", "token_type", "expires_in", "scope"},
    "id_token": {"id_token"},
}


def hybrid(site: Site, **settings: Any) -> Client:
    return site.application(**({"response_types": RESPONSE_TYPES} | settings))


def ask(site: Site, client: Client, response_type: str, **parameters: Any) -> Page:
    return site.sign_in(client, site.jane, response_type=response_type, **({"nonce": "n-1"} | parameters))


def answer(site: Site, client: Client, response_type: str, **parameters: str | None) -> dict[str, str]:
    return carried(ask(site, client, response_type, **parameters))[1]


@pytest.mark.spec("OAuth 2.0 Multiple Response Types", "3")
@pytest.mark.spec("OAuth 2.0 Multiple Response Types", "5")
@pytest.mark.spec("OpenID Connect Core", "3.3.2.5")
@pytest.mark.parametrize("response_type", [
    "code", "token", "id_token", "id_token token", "token id_token", "code id_token", "id_token code", "code token",
    "token code", "code id_token token", "token id_token code",
])  # fmt: skip
def test_each_type_answers_what_it_names(site: Site, response_type: str) -> None:
    carrier, parameters = carried(ask(site, hybrid(site), response_type))
    words = response_type.split()
    expected = set().union(*(GIVEN[word] for word in words))
    assert parameters.keys() == expected | {"state", "iss", "session_state"}
    assert carrier == ("query" if words == ["code"] else "fragment")
    assert (parameters["state"], parameters["iss"]) == ("the-state", site.issuer)
    if "token" in words:
        assert (parameters["token_type"], parameters["expires_in"]) == ("Bearer", "3600")
        assert site.userinfo(parameters["access_token"]).status_code == 200


@pytest.mark.spec("OAuth 2.0 Multiple Response Types", "4")
def test_none_answers_nothing_and_grants_nothing(site: Site) -> None:
    client = hybrid(site)
    carrier, parameters = carried(ask(site, client, "none", scope="email"))
    assert (carrier, parameters) == ("query", {"state": "the-state", "iss": site.issuer})
    assert "application:grant:issued" not in [event["type"] for event in site.events()]


@pytest.mark.parametrize("response_type", [each for each in RESPONSE_TYPES if each != "code"])
def test_all_but_code_are_off_unless_switched_on(site: Site, response_type: str) -> None:
    allowed = tuple(each for each in RESPONSE_TYPES if each != response_type)
    for client in (site.application(), hybrid(site, response_types=allowed)):
        page = site.browser().get(site.authorize_url(client, response_type=response_type, nonce="n"))
        carrier, parameters = carried(page)
        assert parameters["error"] == "unsupported_response_type"
        assert carrier == ("query" if response_type == "none" else "fragment")


def test_one_switched_off_while_somebody_signs_in(site: Site) -> None:
    client = hybrid(site)
    page = site.browser().get(site.authorize_url(client, response_type="token"))
    site.update(client, response_types=("code",))
    page = page.submit("login-submit", username="jane", password=site.jane.password)
    assert carried(page)[1]["error"] == "unauthorized_client"


@pytest.mark.spec("OpenID Connect Core", "3.2.2.1")
@pytest.mark.spec("OpenID Connect Core", "3.3.2.11")
@pytest.mark.parametrize("response_type", [each for each in RESPONSE_TYPES if "id_token" in each])
@pytest.mark.parametrize(
    ("parameters", "error"), [({"nonce": None}, "invalid_request"), ({"scope": "email"}, "invalid_scope")], ids=str
)
def test_an_id_token_needs_nonce_and_openid(
    site: Site, response_type: str, parameters: dict[str, str | None], error: str
) -> None:
    url = site.authorize_url(hybrid(site), response_type=response_type, **({"nonce": "n"} | parameters))
    carrier, refused = carried(site.browser().get(url))
    assert (carrier, refused["error"]) == ("fragment", error)


@pytest.mark.spec("OAuth 2.0 Multiple Response Types", "5")
@pytest.mark.parametrize("response_type", [each for each in RESPONSE_TYPES if "token" in each])
@pytest.mark.parametrize("mode", ["query", "query.jwt"])
@pytest.mark.any_engine
def test_tokens_never_travel_in_a_query(site: Site, response_type: str, mode: str) -> None:
    url = site.authorize_url(hybrid(site), response_type=response_type, response_mode=mode, nonce="n")
    carrier, refused = carried(site.browser().get(url))
    assert (carrier, refused["error"]) == ("fragment", "invalid_request")


@pytest.mark.parametrize("response_type", RESPONSE_TYPES)
def test_every_type_can_be_posted(site: Site, response_type: str) -> None:
    carrier, parameters = carried(ask(site, hybrid(site), response_type, response_mode="form_post"))
    assert carrier == "form_post"
    assert parameters.keys() >= {"state", "iss"}
    assert ("id_token" in parameters) is ("id_token" in response_type)


@pytest.mark.spec("OpenID Connect Core", "3.3.2.11")
@pytest.mark.spec("OpenID Connect Core", "3.2.2.9")
@pytest.mark.spec("FAPI 1.0 Advanced", "5.1")
@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_the_id_token_names_what_it_comes_with(site: Site, algorithm: str) -> None:
    parameters = answer(site, hybrid(site, id_token_algorithm=algorithm), "code id_token token")
    claims = claims_of(parameters["id_token"])
    assert claims["nonce"] == "n-1"
    for name, value in (("c_hash", "code"), ("at_hash", "access_token"), ("s_hash", "state")):
        assert claims[name] == left_half_hash(parameters[value], algorithm)
    alone = claims_of(answer(site, hybrid(site), "id_token")["id_token"])
    assert alone.keys() & {"c_hash", "at_hash", "s_hash"} == {"s_hash"}


@pytest.mark.spec("OpenID Connect Core", "3.3.3.6")
def test_both_id_tokens_of_a_hybrid_flow_are_of_one_person(site: Site) -> None:
    client = hybrid(site)
    front = answer(site, client, "code id_token")
    back = claims_of(site.redeem(client, front["code"]).json()["id_token"])
    claims = claims_of(front["id_token"])
    for name in ("iss", "sub", "aud", "nonce", "auth_time", "sid"):
        assert back[name] == claims[name]


def test_claims_of_the_front_channel(site: Site) -> None:
    """Decision 6: where nothing can be asked at userinfo, the ID token says what the scopes allow."""
    wanted = {"scope": "openid email profile"}
    alone = claims_of(answer(site, hybrid(site), "id_token", **wanted)["id_token"])
    assert (alone["email"], alone["name"]) == ("jane@example.org", "Jane Doe")
    for response_type in ("id_token token", "code id_token", "code id_token token"):
        claims = claims_of(answer(site, hybrid(site), response_type, **wanted)["id_token"])
        assert claims.keys().isdisjoint({"email", "name"}), response_type
    asked = '{"id_token":{"email":null}}'
    assert claims_of(answer(site, hybrid(site), "id_token token", claims=asked)["id_token"])["email"]
    by_scope = hybrid(site, id_token_claims="scopes")
    assert claims_of(answer(site, by_scope, "code id_token", **wanted)["id_token"])["name"] == "Jane Doe"


@pytest.mark.parametrize("kind", ["opaque", "jwt"])
def test_what_left_by_the_browser_ends_with_the_family(site: Site, kind: str) -> None:
    """A replayed code revokes the access token of the same response too."""
    client, pkce = hybrid(site, access_token_type=kind), Pkce()
    front = answer(site, client, "code token", **pkce.parameters)
    back = site.redeem(client, front["code"], code_verifier=pkce.verifier).json()
    assert site.is_active(client, front["access_token"])
    assert site.introspect(client, front["access_token"])["username"] == "jane"
    assert site.redeem(client, front["code"], code_verifier=pkce.verifier).status_code == 400
    assert not site.is_active(client, front["access_token"])
    assert not site.is_active(client, back["access_token"])


@pytest.mark.parametrize("kind", ["opaque", "jwt"])
def test_what_left_by_the_browser_ends_with_the_session(site: Site, kind: str) -> None:
    client, browser = hybrid(site, access_token_type=kind), site.browser()
    page = site.sign_in(client, site.jane, browser=browser, response_type="token")
    token = response_parameters(page)["access_token"]
    assert site.is_active(client, token)
    browser.get(f"{site.base}/oidc/logout").submit("logout-confirm")
    assert not site.is_active(client, token)


@pytest.mark.spec("OpenID Connect Core", "11")
def test_no_refresh_token_and_no_offline_access_without_a_code(site: Site) -> None:
    wanted = {"scope": "openid offline_access", "prompt": "consent"}
    page = ask(site, hybrid(site), "id_token token", **wanted)
    parameters = carried(page.submit("consent-allow"))[1]
    assert parameters["scope"] == "openid"
    assert "refresh_token" not in parameters
    page = ask(site, hybrid(site), "code token", **wanted)
    assert carried(page.submit("consent-allow"))[1]["scope"] == "openid offline_access"


@pytest.mark.parametrize(
    "settings", [{"dpop_bound_access_tokens": True}, {"tls_client_certificate_bound_access_tokens": True}], ids=str
)
def test_a_bound_token_does_not_leave_by_the_browser(site: Site, settings: dict[str, Any]) -> None:
    client = hybrid(site, **settings)
    for response_type in ("token", "code token", "id_token token"):
        page = site.browser().get(site.authorize_url(client, response_type=response_type, nonce="n"))
        assert carried(page)[1]["error"] == "unsupported_response_type"
    assert "id_token" in answer(site, client, "code id_token")


@pytest.mark.parametrize("prompt", ["none", ""])
def test_a_denied_or_silent_request_is_answered_in_the_fragment(site: Site, prompt: str) -> None:
    client = hybrid(site)
    page = site.browser().get(site.authorize_url(client, response_type="code id_token", nonce="n", prompt=prompt))
    if not prompt:
        page = page.submit("login-cancel")
    carrier, refused = carried(page)
    assert (carrier, refused["error"]) == ("fragment", "login_required" if prompt else "access_denied")
    assert (refused["state"], refused["iss"]) == ("the-state", site.issuer)


@pytest.mark.spec("RFC 7636", "4.4.1")
def test_pkce_is_for_codes(site: Site) -> None:
    client = site.public_application(response_types=RESPONSE_TYPES)
    assert "id_token" in answer(site, client, "id_token")
    page = site.browser().get(site.authorize_url(client, response_type="code id_token", nonce="n"))
    assert "code_challenge" in carried(page)[1]["error_description"]
