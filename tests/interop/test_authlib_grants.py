"""Authlib beyond codes: client assertions, devices, token exchange, JWT bearer, registration, introspection by JWT."""

from typing import Any

import pytest
from authlib.integrations.requests_client import AssertionSession, OAuth2Session
from authlib.oauth2.rfc7523 import ClientSecretJWT, PrivateKeyJWT
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from identity.domain.applications import DEVICE_CODE, JWT_BEARER, TOKEN_EXCHANGE
from tests.interop.test_authlib import discover, keys_of
from tests.registration.registering import set_registration
from tests.support.builders import CALLBACK, Client, Site
from tests.support.key_holder import KeyHolder
from tests.support.trusted import ISSUER, Trusted

ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"


def session_of(client_id: str, secret: Any = None, **arguments: Any) -> Any:
    session = OAuth2Session(client_id, secret, **arguments)
    session.trust_env = False
    return session


@pytest.mark.spec("RFC 7523", "2.2")
@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256"])
def test_private_key_jwt(site: Site, algorithm: str) -> None:
    holder, metadata = KeyHolder(algorithm), discover(site)
    machine = site.machine(token_endpoint_auth_method="private_key_jwt", jwks=holder.jwks)
    assert isinstance(holder.key, RSAKey | ECKey)
    with session_of(machine.client_id, holder.key, token_endpoint_auth_method="private_key_jwt") as session:
        for audience in (metadata["token_endpoint"], metadata["issuer"]):
            session.register_client_auth_method(PrivateKeyJWT(audience, headers={"kid": holder.kid}, alg=algorithm))
            token = session.fetch_token(metadata["token_endpoint"], grant_type="client_credentials", scope="read")
            assert token["scope"] == "read"


@pytest.mark.spec("RFC 7523", "2.2")
def test_client_secret_jwt(site: Site) -> None:
    metadata = discover(site)
    machine = site.machine(token_endpoint_auth_method="client_secret_jwt")
    with session_of(machine.client_id, machine.secret, token_endpoint_auth_method="client_secret_jwt") as session:
        session.register_client_auth_method(ClientSecretJWT(metadata["token_endpoint"]))
        token = session.fetch_token(metadata["token_endpoint"], grant_type="client_credentials", scope="read")
    assert token["token_type"] == "Bearer"


@pytest.mark.spec("RFC 8628", "3.4")
def test_a_device(site: Site) -> None:
    client, metadata = site.application(grant_types=(DEVICE_CODE,), redirect_uris=()), discover(site)
    with session_of(client.client_id, client.secret) as session:
        form = {"scope": "openid email"}
        asked = session.post(
            metadata["device_authorization_endpoint"], data=form, withhold_token=True, auth=client.basic
        ).json()
        browser = site.browser()
        page = browser.get(asked["verification_uri_complete"])
        if page.has("login-submit"):
            page = page.submit("login-submit", username=site.jane.username, password=site.jane.password)
        if page.has("device-continue"):
            page = page.submit("device-continue")
        page.submit("device-allow")
        token = session.fetch_token(
            metadata["token_endpoint"], grant_type=DEVICE_CODE, device_code=asked["device_code"]
        )
        claims = session.get(metadata["userinfo_endpoint"]).json()
    assert claims["email"] == "jane@example.org"
    assert jwt.decode(token["id_token"], keys_of(metadata)).claims["sub"] == claims["sub"]


@pytest.mark.spec("RFC 8693", "2.1")
def test_token_exchange(site: Site) -> None:
    metadata = discover(site)
    gateway = site.application("Gateway", grant_types=(TOKEN_EXCHANGE,), redirect_uris=(), may_impersonate=True)
    front = site.application(audiences=(gateway.client_id,))
    with session_of(gateway.client_id, gateway.secret) as session:
        token = session.fetch_token(
            metadata["token_endpoint"],
            grant_type=TOKEN_EXCHANGE,
            subject_token=site.tokens(front, site.jane)["access_token"],
            subject_token_type=ACCESS_TOKEN,
        )
    assert token["issued_token_type"] == ACCESS_TOKEN
    assert site.introspect(gateway, token["access_token"])["username"] == "jane"


@pytest.mark.spec("RFC 7523", "2.1")
def test_jwt_bearer(site: Site) -> None:
    """The assertion is made by Authlib with the key of an issuer that the tenant trusts."""
    metadata, trusted = discover(site), Trusted(site)
    assert site.jane
    client: Client = site.application("Bearer", grant_types=(JWT_BEARER,), redirect_uris=())
    with AssertionSession(
        metadata["token_endpoint"],
        issuer=ISSUER,
        subject="jane-at-idp",
        audience=site.issuer,
        grant_type=AssertionSession.JWT_BEARER_GRANT_TYPE,
        claims={"preferred_username": "jane"},
        key=trusted.holder.key,
        header={"alg": "ES256", "kid": trusted.holder.kid},
    ) as session:
        session.trust_env = False
        session.auth = client.basic
        token = session.refresh_token()
    assert site.introspect(client, token["access_token"])["username"] == "jane"


@pytest.mark.spec("RFC 7591", "3.1")
@pytest.mark.spec("RFC 7592", "2.1")
def test_registration(site: Site) -> None:
    set_registration(site, "open")
    metadata = discover(site)
    with session_of("nobody yet") as session:
        document = {"redirect_uris": [CALLBACK], "client_name": "Notes", "scope": "openid"}
        information = session.post(metadata["registration_endpoint"], json=document, withhold_token=True).json()
    own = {"access_token": information["registration_access_token"], "token_type": "Bearer"}
    with session_of(information["client_id"], token=own) as session:
        read = session.get(information["registration_client_uri"]).json()
        assert (read["client_name"], read["client_secret"]) == ("Notes", information["client_secret"])
        assert session.delete(information["registration_client_uri"]).status_code == 204
        assert session.get(information["registration_client_uri"]).status_code == 401


@pytest.mark.spec("RFC 9701", "5")
def test_introspection_by_jwt(site: Site) -> None:
    metadata, machine = discover(site), site.machine()
    token = site.machine_token(machine)
    with session_of(*machine.basic) as session:
        answer = session.introspect_token(
            metadata["introspection_endpoint"],
            token=token,
            headers={
                "Accept": "application/token-introspection+jwt",
                "Content-Type": "application/x-www-form-urlencoded",
            },
        )
    claims = jwt.decode(answer.text, keys_of(metadata)).claims
    assert (claims["aud"], claims["token_introspection"]["active"]) == (machine.client_id, True)
