"""mod_auth_openidc before an API, over TLS: tokens introspected, or validated by the key set; client certificates."""

from pathlib import Path

import httpx
import pytest

from tests.interop.runner import TlsBrowser
from tests.interop.test_mod_auth_openidc_fapi import Keys
from tests.oauth2.certificate_clients import authority, folder, tls, tls_server
from tests.support.apache import Apache
from tests.support.authority import saved
from tests.support.browser import Browser
from tests.support.client_site import ClientSite
from tests.support.tls_site import TlsSite, client_context

__all__ = ["authority", "folder", "tls", "tls_server"]

INTROSPECTING = "OIDCOAuthTokenIntrospectionInterval -1\nOIDCOAuthRemoteUserClaim client_id\n"
"""Every request; and by a claim that introspection of an opaque token tells: there is no `sub`, the default."""


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path)


@pytest.fixture
def trusting(tls: TlsSite, reachable: Path) -> str:
    """A directive: the server's certificate is of the tests' authority."""
    (reachable / "ca.pem").write_bytes(tls.authority.certificate)
    return f"OIDCCABundlePath {reachable}/ca.pem\n"


def call(apache: Apache, token: str) -> int:
    address = f"{apache.base_url}/api/things"
    return httpx.get(address, headers={"Authorization": f"Bearer {token}"}, trust_env=False, timeout=30).status_code


def check_introspected(tls: TlsSite, apache: Apache, application_site: ClientSite) -> None:
    """A good token reaches the API with its claims; nonsense, and the token once it is revoked, do not."""
    machine = tls.machine()
    token = tls.machine_token(machine)
    assert call(apache, token) == 200, apache.output
    assert application_site.wait_for("/api/things").headers["oidc_claim_client_id"] == machine.client_id
    assert call(apache, "nonsense") == 401
    tls.http.post("/oauth2/revoke", data={"token": token}, auth=machine.basic)
    assert call(apache, token) == 401


@pytest.mark.spec("RFC 7662", "2.1")
@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "private_key_jwt"])
def test_introspection(
    tls: TlsSite, apache: Apache, application_site: ClientSite, keys: Keys, trusting: str, method: str
) -> None:
    gateway = tls.machine(may_introspect_any=True, token_endpoint_auth_method=method, jwks=keys.jwks)
    secret = "" if gateway.secret is None else f"OIDCOAuthClientSecret {gateway.secret}"
    apache.start(
        application=application_site.origin,
        directives=f"{trusting}{keys.directives}\n{secret}\n{INTROSPECTING}"
        f"OIDCOAuthClientID {gateway.client_id}\nOIDCOAuthIntrospectionEndpointAuth {method}\n"
        f"OIDCOAuthIntrospectionEndpoint {tls.base}/oauth2/introspect\n",
    )
    check_introspected(tls, apache, application_site)


@pytest.fixture
def certified(tls: TlsSite, reachable: Path) -> tuple[str, str]:
    """A client certificate's files, whose subject is `CN=apache`."""
    certificate, key = saved(reachable, "apache", tls.authority.issue(("apache",)))
    key.chmod(0o644)
    return str(certificate), str(key)


@pytest.mark.spec("RFC 8705", "2.1")
def test_introspection_with_a_client_certificate(
    tls: TlsSite, apache: Apache, application_site: ClientSite, trusting: str, certified: tuple[str, str]
) -> None:
    gateway = tls.machine(
        may_introspect_any=True, token_endpoint_auth_method="tls_client_auth", tls_client_auth_subject_dn="CN=apache"
    )
    apache.start(
        application=application_site.origin,
        directives=f"{trusting}{INTROSPECTING}OIDCOAuthClientID {gateway.client_id}\n"
        f"OIDCOAuthIntrospectionEndpointParams client_id={gateway.client_id}\n"
        f"OIDCOAuthIntrospectionEndpoint {tls.mtls_base}/oauth2/introspect\n"
        f"OIDCOAuthIntrospectionEndpointCert {certified[0]}\nOIDCOAuthIntrospectionEndpointKey {certified[1]}",
    )
    check_introspected(tls, apache, application_site)


@pytest.mark.spec("RFC 9068", "4")
@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256"])
def test_validation_by_the_key_set(
    tls: TlsSite, apache: Apache, application_site: ClientSite, trusting: str, algorithm: str
) -> None:
    machine = tls.machine(access_token_type="jwt", access_token_algorithm=algorithm)
    apache.start(
        application=application_site.origin, directives=f"{trusting}OIDCOAuthVerifyJwksUri {tls.base}/oauth2/jwks"
    )
    token = tls.machine_token(machine)
    assert call(apache, token) == 200, apache.output
    assert application_site.wait_for("/api/things").headers["oidc_claim_sub"] == machine.client_id
    assert call(apache, token[:-12] + "AAAAAAAAAAAA") == 401


@pytest.mark.spec("RFC 8705", "2.1")
def test_a_person_signs_in_where_the_module_shows_a_certificate(
    tls: TlsSite, apache: Apache, application_site: ClientSite, trusting: str, certified: tuple[str, str]
) -> None:
    """The module does not know `mtls_endpoint_aliases`: its endpoints are written down."""
    client = tls.application(
        redirect_uris=(apache.redirect_uri,),
        token_endpoint_auth_method="tls_client_auth",
        tls_client_auth_subject_dn="CN=apache",
    )
    apache.start(
        application=application_site.origin,
        client_id=client.client_id,
        directives=f"{trusting}OIDCProviderIssuer {tls.issuer}\n"
        f"OIDCProviderAuthorizationEndpoint {tls.base}/oauth2/authorize\n"
        f"OIDCProviderTokenEndpoint {tls.mtls_base}/oauth2/token\nOIDCProviderTokenEndpointAuth none\n"
        f"OIDCProviderJwksUri {tls.base}/oauth2/jwks\nOIDCProviderUserInfoEndpoint {tls.base}/oauth2/userinfo\n"
        f"OIDCClientTokenEndpointCert {certified[0]}\nOIDCClientTokenEndpointKey {certified[1]}",
    )
    here = Browser(apache.base_url)
    there = TlsBrowser(tls.server.base_url, client_context(tls.authority, Path(certified[0]).parent))
    away = here.get("/protected/page")
    assert away.left_for is not None, away
    page = there.get(away.left_for.url, from_site=apache.base_url)
    page = page.submit("login-submit", username=tls.jane.username, password=tls.jane.password)
    assert page.left_for is not None, page
    page = here.get(page.left_for.url, from_site=there.base_url)
    assert (page.status, page.url) == (200, f"{apache.base_url}/protected/page"), apache.output
    assert application_site.wait_for("/protected/page").headers["oidc_claim_email"] == "jane@example.org"
