"""Identity assertions (draft-ietf-oauth-identity-assertion-authz-grant) as receiver: preview, off by default."""

import time
from dataclasses import replace
from typing import Any

import pytest

from identity.domain.applications import JWT_BEARER
from tests.support.builders import Client, Site, claims_of
from tests.support.trusted import Trusted

TYP = "oauth-id-jag+jwt"
Answer = dict[str, Any]


@pytest.fixture
def client(site: Site) -> Client:
    site.change_settings(lambda s: replace(s, identity_assertions=True))
    assert site.jane
    return site.application(
        "Wiki", grant_types=(JWT_BEARER, "refresh_token"), redirect_uris=(), scopes=("read", "write"),
        access_token_type="jwt", resources=("https://wiki.example/mcp", "https://wiki.example/api"),
    )  # fmt: skip


@pytest.fixture
def issuer(site: Site) -> Trusted:
    return Trusted(site, identity_assertions=True)


def jag(issuer: Trusted, client: Client, **claims: Any) -> str:
    return issuer.token(typ=TYP, **({"client_id": client.client_id, "scope": "read"} | claims))


def present(site: Site, client: Client, assertion: str, **form: str) -> tuple[int, Answer]:
    response = site.token(client, grant_type=JWT_BEARER, assertion=assertion, **form)
    return response.status_code, response.json()


def refusal(site: Site, client: Client, assertion: str, **form: str) -> str:
    status, answer = present(site, client, assertion, **form)
    assert status == 400, answer
    error: str = answer["error"]
    return error


def test_scope_and_resource_come_from_the_assertion(site: Site, client: Client, issuer: Trusted) -> None:
    assertion = jag(issuer, client, resource="https://wiki.example/mcp", scope="read write")
    status, answer = present(site, client, assertion)
    assert (status, answer["scope"]) == (200, "read write")
    claims = claims_of(answer["access_token"])
    assert claims["aud"] == "https://wiki.example/mcp"
    assert claims["sub"] == claims_of(site.tokens(site.application(), site.jane)["id_token"])["sub"]


def test_it_is_narrowed_never_widened(site: Site, client: Client, issuer: Trusted) -> None:
    both = ["https://wiki.example/mcp", "https://wiki.example/api"]
    status, answer = present(site, client, jag(issuer, client, resource=both), resource=both[1])
    assert (status, claims_of(answer["access_token"])["aud"]) == (200, both[1])
    assert refusal(site, client, jag(issuer, client), scope="read write") == "invalid_scope"
    one = jag(issuer, client, resource=both[0])
    assert refusal(site, client, one, resource=both[1]) == "invalid_target"
    foreign = jag(issuer, client, resource="https://other.example")
    assert refusal(site, client, foreign) == "invalid_target"


def test_it_is_good_once(site: Site, client: Client, issuer: Trusted) -> None:
    assertion = jag(issuer, client)
    assert present(site, client, assertion)[0] == 200
    assert refusal(site, client, assertion) == "invalid_grant"


@pytest.mark.parametrize(
    "claims",
    [
        {"client_id": "somebody"}, {"client_id": None}, {"jti": None}, {"iat": None}, {"iat": int(time.time()) - 700},
        {"exp": 1}, {"aud": "https://other.example"}, {"sub": None}, {"scope": ["read"]}, {"resource": {"a": 1}},
        {"resource": ["a b"]}, {"preferred_username": "nobody"},
    ],
)  # fmt: skip
@pytest.mark.any_engine
def test_refused(site: Site, client: Client, issuer: Trusted, claims: dict[str, Any]) -> None:
    assert refusal(site, client, jag(issuer, client, **claims)) == "invalid_grant"


def test_switched_off_in_the_tenant(site: Site, client: Client, issuer: Trusted) -> None:
    site.change_settings(lambda s: replace(s, identity_assertions=False))
    assert refusal(site, client, jag(issuer, client)) == "invalid_grant"


def test_an_issuer_that_is_not_trusted_for_it(site: Site, client: Client) -> None:
    issuer = Trusted(site)
    assert refusal(site, client, jag(issuer, client)) == "invalid_grant"


def test_another_application_s(site: Site, client: Client, issuer: Trusted) -> None:
    other = site.application(grant_types=(JWT_BEARER,), redirect_uris=())
    assert refusal(site, other, jag(issuer, client)) == "invalid_grant"


def test_a_public_application_s(site: Site, client: Client, issuer: Trusted) -> None:
    public = site.application(grant_types=(JWT_BEARER,), redirect_uris=(), token_endpoint_auth_method="none")
    assert refusal(site, public, jag(issuer, public)) == "invalid_grant"


def test_it_is_not_in_the_metadata(site: Site, client: Client) -> None:
    text = site.http.get("/oauth2/token/.well-known/openid-configuration").text
    assert "id-jag" not in text
    assert "identity_assertion" not in text
