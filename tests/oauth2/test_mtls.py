"""Client certificates by our own TLS, and tokens bound to them (RFC 8705; decision 28)."""

import socket
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from identity.tokens.bearer import certificate_thumbprint
from tests.oauth2.certificate_clients import (
    GRANT,
    SUBJECT,
    ask,
    authority,
    certificate_client,
    folder,
    outcome,
    proxied,
    proxied_server,
    tls,
    tls_server,
)
from tests.support.authority import Authority, der, self_signed
from tests.support.builders import Client, Pkce, Site, claims_of
from tests.support.key_holder import KeyHolder, assertion_form
from tests.support.tls_site import Pair, TlsSite, client_cert, client_context

__all__ = ["authority", "folder", "proxied", "proxied_server", "tls", "tls_server"]


# Our own TLS


@pytest.mark.spec("RFC 8705", "2.1")
def test_tls_client_auth_on_the_mtls_port(tls: TlsSite) -> None:
    client = certificate_client(tls)
    assert client.secret is None
    pair = tls.authority.issue((), subject=SUBJECT)
    assert ask(tls.at_mtls(pair), client).status_code == 200
    stranger = tls.authority.issue(("other",))
    assert outcome(ask(tls.at_mtls(stranger), client)) == (401, "invalid_client")
    assert outcome(ask(tls.at_mtls(None), client)) == (401, "invalid_client")


@pytest.mark.spec("RFC 8705", "5")
def test_the_main_port_asks_for_no_certificate(tls: TlsSite) -> None:
    """Browsers there see no prompt; so a client that has one is not asked for it."""
    client = certificate_client(tls)
    pair = tls.authority.issue((), subject=SUBJECT)
    assert outcome(ask(tls.at_main_port(pair), client)) == (401, "invalid_client")


def test_a_certificate_of_nobody_we_know(tls: TlsSite) -> None:
    client = certificate_client(tls)
    expired = tls.authority.issue((), subject=SUBJECT, days=-1)
    for pair in (self_signed(), Authority().issue((), subject=SUBJECT), expired):
        with pytest.raises(httpx.TransportError):
            ask(tls.at_mtls(pair), client)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_resumed_session_keeps_its_certificate(tls: TlsSite, tmp_path: Path, version: ssl.TLSVersion) -> None:
    client = certificate_client(tls)
    context = client_context(tls.authority, tmp_path, tls.authority.issue((), subject=SUBJECT))
    context.maximum_version = version
    parts = urlsplit(tls.mtls_base)
    body = f"grant_type=client_credentials&client_id={client.client_id}".encode()
    head = f"POST {parts.path}/oauth2/token HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: {len(body)}\r\n"
    request = head.encode() + b"Content-Type: application/x-www-form-urlencoded\r\n\r\n" + body
    session: ssl.SSLSession | None = None
    for resumed in (False, True):
        plain = socket.create_connection(("127.0.0.1", parts.port or 0), timeout=20)
        with context.wrap_socket(plain, server_hostname="localhost", session=session) as connection:
            connection.sendall(request)
            assert connection.recv(4096).startswith(b"HTTP/1.1 200")
            assert connection.session_reused is resumed
            session = connection.session
            connection.unwrap()  # a session that ends without close_notify is not resumed (RFC 5246 §7.2.1)


@pytest.mark.spec("RFC 9440", "2.4")
def test_headers_count_for_nothing_from_whoever_connects(tls: TlsSite) -> None:
    client = certificate_client(tls)
    certificate, _ = tls.authority.issue((), subject=SUBJECT)
    for http in (tls.http, tls.at_mtls(None)):
        assert outcome(ask(http, client, certificate)) == (401, "invalid_client")


@pytest.mark.spec("RFC 8705", "3")
@pytest.mark.parametrize("kind", ["opaque", "jwt"])
def test_bound_tokens_by_our_own_tls(tls: TlsSite, kind: str) -> None:
    client = tls.bound_machine(access_token_type=kind)
    pair = tls.authority.issue(("client",))
    assert outcome(tls.token(client, **GRANT)) == (400, "invalid_request")
    response = tls.at_mtls(pair).post("/oauth2/token", data=GRANT, auth=client.basic)
    assert (response.status_code, response.json()["token_type"]) == (200, "Bearer")
    token = response.json()["access_token"]
    thumbprint = {"x5t#S256": certificate_thumbprint(der(pair[0]))}
    assert tls.introspect(client, token)["cnf"] == thumbprint
    if kind == "jwt":
        assert claims_of(token)["cnf"] == thumbprint


@pytest.mark.spec("RFC 8705", "5")
def test_metadata(tls: TlsSite) -> None:
    metadata = tls.http.get("/.well-known/openid-configuration").json()
    assert metadata["tls_client_certificate_bound_access_tokens"] is True
    methods = metadata["token_endpoint_auth_methods_supported"]
    assert "tls_client_auth" in methods
    assert "self_signed_tls_client_auth" not in methods
    aliases = metadata["mtls_endpoint_aliases"]
    assert tls.mtls_base != tls.base
    assert {"token_endpoint", "revocation_endpoint", "introspection_endpoint", "userinfo_endpoint"} <= set(aliases)
    for name, alias in aliases.items():
        assert alias == metadata[name].replace(tls.base, tls.mtls_base)
    assert "authorization_endpoint" not in aliases


def test_assertions_and_proofs_for_the_alias(tls: TlsSite) -> None:
    """What is signed for the address that was called counts there, alias or not (decision 3, RFC 9449 §4.3)."""
    key = KeyHolder()
    client = tls.machine(token_endpoint_auth_method="private_key_jwt", jwks=key.jwks)
    uri = f"{tls.mtls_base}/oauth2/token"
    form = assertion_form(key.assertion(client.client_id, uri), **GRANT)
    response = tls.at_mtls(None).post("/oauth2/token", data=form, headers={"DPoP": key.proof("POST", uri)})
    assert (response.status_code, response.json()["token_type"]) == (200, "DPoP")


# Bound tokens


@pytest.mark.spec("RFC 8705", "3")
@pytest.mark.parametrize("kind", ["opaque", "jwt"])
def test_a_bound_token_needs_its_certificate(proxied: Site, authority: Authority, kind: str) -> None:
    client = proxied.application(tls_client_certificate_bound_access_tokens=True, access_token_type=kind)
    own, other = authority.issue(("client",)), authority.issue(("client",))
    token = bound_tokens(proxied, client, own)["access_token"]

    def userinfo(certificate: bytes | None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} | ({} if certificate is None else client_cert(certificate))
        return proxied.http.get("/oauth2/userinfo", headers=headers)

    assert userinfo(own[0]).status_code == 200
    for response in (userinfo(other[0]), userinfo(None)):
        assert outcome(response) == (401, "invalid_token")
        assert response.headers["www-authenticate"].startswith('Bearer realm="identity", error="invalid_token"')


@pytest.mark.spec("RFC 8705", "4")
def test_refresh_tokens_of_public_clients_are_bound(proxied: Site, authority: Authority) -> None:
    client = proxied.public_application(tls_client_certificate_bound_access_tokens=True)
    own = authority.issue(("client",))
    token = bound_tokens(proxied, client, own)["refresh_token"]

    def refresh(pair: Pair) -> httpx.Response:
        form = {"grant_type": "refresh_token", "refresh_token": token}
        return ask(proxied.http, client, pair[0], **form)

    assert outcome(refresh(authority.issue(("client",)))) == (400, "invalid_grant")
    assert refresh(own).status_code == 200


def test_not_to_a_key_besides(proxied: Site, authority: Authority) -> None:
    client = proxied.machine(tls_client_certificate_bound_access_tokens=True)
    headers = client_cert(authority.issue(("client",))[0])
    headers["DPoP"] = KeyHolder().proof("POST", f"{proxied.base}/oauth2/token")
    response = proxied.http.post("/oauth2/token", data=GRANT, auth=client.basic, headers=headers)
    assert outcome(response) == (400, "invalid_request")


def bound_tokens(site: Site, client: Client, pair: Pair) -> dict[str, Any]:
    pkce = Pkce()
    code = site.code(client, site.jane, **pkce.parameters)
    form = {"code": code, "redirect_uri": client.redirect_uri, "code_verifier": pkce.verifier}
    data = {"grant_type": "authorization_code", "client_id": client.client_id} | form
    auth: Any = None if client.secret is None else client.basic
    response = site.http.post("/oauth2/token", data=data, auth=auth, headers=client_cert(pair[0]))
    assert response.status_code == 200, response.text
    tokens: dict[str, Any] = response.json()
    return tokens
