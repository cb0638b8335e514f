"""Authlib as a client, and joserfc as a validator, knowing nothing but the discovery address."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.errors import BadSignatureError
from joserfc.jwk import KeySet

from tests.support.browser import Browser
from tests.support.builders import CALLBACK, Client, Site

SCOPE = "openid profile email"


def discover(site: Site) -> dict[str, Any]:
    """OpenID Connect Discovery §4: only the issuer is known."""
    response = site.http.get(f"{site.issuer}/.well-known/openid-configuration")
    metadata: dict[str, Any] = response.json()
    assert metadata["issuer"] == site.issuer
    return metadata


def keys_of(metadata: dict[str, Any]) -> KeySet:
    return KeySet.import_key_set(httpx.get(metadata["jwks_uri"], trust_env=False).json())


@pytest.fixture(params=["client_secret_basic", "client_secret_post", "none"])
def method(request: pytest.FixtureRequest) -> str:
    method: str = request.param
    return method


@pytest.fixture
def client(site: Site, method: str) -> Client:
    return site.application(token_endpoint_auth_method=method)


@pytest.fixture
def session(client: Client, method: str) -> Iterator[Any]:
    session = OAuth2Session(
        client.client_id,
        client.secret,
        scope=SCOPE,
        redirect_uri=CALLBACK,
        code_challenge_method="S256",
        token_endpoint_auth_method=method,
        revocation_endpoint_auth_method=method,
        introspection_endpoint_auth_method=method,
    )
    session.trust_env = False
    with session:
        yield session


def sign_in(site: Site, session: Any, metadata: dict[str, Any]) -> dict[str, Any]:
    verifier = "a-verifier-of-more-than-forty-three-characters"
    address, state = session.create_authorization_url(
        metadata["authorization_endpoint"], code_verifier=verifier, nonce="the-nonce"
    )
    page = Browser(site.server.base_url).get(address)
    page = page.submit("login-submit", username=site.jane.username, password=site.jane.password)
    assert page.left_for is not None
    tokens: dict[str, Any] = session.fetch_token(
        metadata["token_endpoint"], authorization_response=page.left_for.url, state=state, code_verifier=verifier
    )
    return tokens


@pytest.mark.spec("OpenID Connect Discovery", "4")
@pytest.mark.spec("RFC 7636", "4")
def test_code_with_pkce_by_discovery(site: Site, session: Any) -> None:
    metadata = discover(site)
    tokens = sign_in(site, session, metadata)
    assert tokens["token_type"] == "Bearer"
    claims = session.get(metadata["userinfo_endpoint"]).json()
    assert (claims["name"], claims["email"]) == ("Jane Doe", "jane@example.org")


@pytest.mark.spec("RFC 6749", "6")
def test_refresh_introspection_and_revocation(site: Site, session: Any, method: str) -> None:
    metadata = discover(site)
    first = sign_in(site, session, metadata)
    second = session.refresh_token(metadata["token_endpoint"], refresh_token=first["refresh_token"])
    assert second["access_token"] != first["access_token"]
    if method != "none":  # public clients may not introspect
        answer = session.introspect_token(metadata["introspection_endpoint"], token=second["access_token"])
        assert answer.json()["active"] is True
    answer = session.revoke_token(metadata["revocation_endpoint"], token=second["refresh_token"])
    assert answer.status_code == 200
    with pytest.raises(OAuthError, match="invalid_grant"):
        session.refresh_token(metadata["token_endpoint"], refresh_token=second["refresh_token"])
    assert session.get(metadata["userinfo_endpoint"]).status_code == 401


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
@pytest.mark.spec("OpenID Connect Core", "3.1.3.7")
def test_joserfc_validates_id_and_access_tokens_by_jwks(site: Site, algorithm: str) -> None:
    client = site.application(
        access_token_type="jwt", access_token_algorithm=algorithm, id_token_algorithm=algorithm, audiences=("api",)
    )
    metadata = discover(site)
    tokens = site.tokens(client, site.jane, scope=SCOPE, nonce="the-nonce")
    keys = keys_of(metadata)

    id_token = jwt.decode(tokens["id_token"], keys, algorithms=[algorithm])
    jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": site.issuer},
        aud={"essential": True, "value": client.client_id},
        nonce={"essential": True, "value": "the-nonce"},
        exp={"essential": True},
        iat={"essential": True},
        sub={"essential": True},
    ).validate(id_token.claims)

    access_token = jwt.decode(tokens["access_token"], keys, algorithms=[algorithm])
    assert access_token.header["typ"] == "at+jwt"
    jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": site.issuer},
        aud={"essential": True, "value": "api"},
        client_id={"essential": True, "value": client.client_id},
        sub={"essential": True, "value": id_token.claims["sub"]},
        scope={"essential": True},
        jti={"essential": True},
    ).validate(access_token.claims)


def test_a_changed_token_is_refused_by_joserfc(site: Site) -> None:
    client = site.application(access_token_type="jwt")
    token = site.tokens(client, site.jane)["access_token"]
    head, payload, signature = token.split(".")
    other = site.tokens(client, site.jane)["access_token"].split(".")[2]
    assert other != signature
    with pytest.raises(BadSignatureError):
        jwt.decode(f"{head}.{payload}.{other}", keys_of(discover(site)), algorithms=["RS256"])


@pytest.mark.spec("RFC 6749", "4.4")
def test_client_credentials(site: Site) -> None:
    machine = site.machine()
    with OAuth2Session(machine.client_id, machine.secret, scope="read") as session:
        session.trust_env = False
        token = session.fetch_token(discover(site)["token_endpoint"], grant_type="client_credentials")
    assert (token["scope"], "refresh_token" in token) == ("read", False)
