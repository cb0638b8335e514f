"""Client certificates that a proxy tells (RFC 9440), the names in them (RFC 8705 §2.1.2), and self-signed ones."""

from base64 import b64decode
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from identity.clock import SECOND
from identity.domain.tenants import TenantSettings
from identity.errors import IdentityError
from identity.oauth2.clients.client_certificates import CHAIN_SECONDS, CertificateAuthorities, is_named
from tests.oauth2.certificate_clients import (
    DN,
    GRANT,
    SUBJECT,
    ask,
    authority,
    certificate_client,
    folder,
    jwks_of,
    outcome,
    proxied,
    proxied_server,
)
from tests.support.authority import Authority, der, self_signed
from tests.support.builders import Site
from tests.support.in_process import SetClock
from tests.support.receiver import Receiver, Reply
from tests.support.server import start_server
from tests.support.tls_site import byte_sequence, client_cert

pytestmark = pytest.mark.long

__all__ = ["authority", "folder", "proxied", "proxied_server"]


# Names


@pytest.mark.spec("RFC 8705", "2.1.2")
@pytest.mark.parametrize(
    ("settings", "status"),
    [
        ({"tls_client_auth_subject_dn": DN}, 200),
        ({"tls_client_auth_subject_dn": r"cn=The  Client, o=Sample\2C Inc., c=lk"}, 200),
        ({"tls_client_auth_subject_dn": "2.5.4.3=#0c0a74686520636c69656e74,O=Sample\\, Inc.,C=LK"}, 200),
        ({"tls_client_auth_subject_dn": r"C=LK,O=Sample\, Inc.,CN=the client"}, 401),
        ({"tls_client_auth_subject_dn": "CN=the client"}, 401),
        ({"tls_client_auth_subject_dn": r"CN=the client+O=Sample\, Inc.,C=LK"}, 401),
        ({"tls_client_auth_san_dns": "client.example"}, 200),
        ({"tls_client_auth_san_dns": "CLIENT.example"}, 200),
        ({"tls_client_auth_san_dns": "*.example"}, 401),
        ({"tls_client_auth_san_dns": "other.example"}, 401),
        ({"tls_client_auth_san_dns": "2001:db8::7"}, 401),
        ({"tls_client_auth_san_uri": "urn:client:7"}, 200),
        ({"tls_client_auth_san_uri": "urn:CLIENT:7"}, 401),
        ({"tls_client_auth_san_ip": "2001:db8:0::7"}, 200),
        ({"tls_client_auth_san_ip": "2001:db8::8"}, 401),
        ({"tls_client_auth_san_ip": "not an address"}, 401),
        ({"tls_client_auth_san_email": "Ops@CLIENT.example"}, 200),
        ({"tls_client_auth_san_email": "ops@client.example"}, 401),
    ],
    ids=lambda value: str(value)[-45:],
)
def test_names(proxied: Site, authority: Authority, settings: dict[str, str], status: int) -> None:
    certificate, _ = authority.issue(
        ("client.example", "2001:db8::7"), subject=SUBJECT, uris=("urn:client:7",), emails=("Ops@client.example",)
    )
    assert ask(proxied.http, certificate_client(proxied, **settings), certificate).status_code == status


@pytest.mark.parametrize(
    "settings",
    [
        {"tls_client_auth_subject_dn": None},
        {"tls_client_auth_subject_dn": DN, "tls_client_auth_san_dns": "client.example"},
        {"tls_client_auth_subject_dn": "the client"},
        {"tls_client_auth_subject_dn": "CN=a;O=b"},
    ],
    ids=str,
)
def test_exactly_one_name_is_registered(site: Site, settings: dict[str, str]) -> None:
    with pytest.raises(IdentityError, match="tls_client_auth"):
        certificate_client(site, **settings)


# Through a proxy


def test_a_trusted_proxy_tells_the_certificate(proxied: Site, authority: Authority) -> None:
    client = certificate_client(proxied)
    certificate, _ = authority.issue((), subject=SUBJECT)
    assert ask(proxied.http, client, certificate).status_code == 200
    assert outcome(ask(proxied.http, client)) == (401, "invalid_client")


def test_metadata_of_a_server_behind_a_proxy(proxied: Site) -> None:
    metadata = proxied.http.get("/.well-known/openid-configuration").json()
    assert metadata["tls_client_certificate_bound_access_tokens"] is True
    assert {"tls_client_auth", "self_signed_tls_client_auth"} <= set(metadata["token_endpoint_auth_methods_supported"])
    assert "mtls_endpoint_aliases" not in metadata  # its mtls_base_url is not set


def test_what_the_proxy_lets_pass_is_verified_again(proxied: Site, authority: Authority) -> None:
    """A proxy that also serves self-signed certificates passes on any: the right name is not enough."""
    client = certificate_client(proxied, tls_client_auth_subject_dn="CN=client")
    stranger = Authority("Test authority")
    for certificate, _ in (
        self_signed("client"),
        stranger.issue(("client",)),
        authority.issue(("client",), days=-1),
    ):
        assert outcome(ask(proxied.http, client, certificate)) == (401, "invalid_client")
    certificate, _ = authority.issue(("client",))
    assert ask(proxied.http, client, certificate).status_code == 200


def test_no_certificate_is_an_authority_that_was_not_made_one(proxied: Site, authority: Authority) -> None:
    """A client with a certificate of its own cannot issue others."""
    client = certificate_client(proxied, tls_client_auth_subject_dn="CN=victim")
    leaf = Authority("leaf", under=authority, may_issue=False)
    forged, _ = leaf.issue(("victim",))
    headers = client_cert(forged, leaf.certificate)
    response = proxied.http.post("/oauth2/token", data=GRANT | {"client_id": client.client_id}, headers=headers)
    assert outcome(response) == (401, "invalid_client")


@pytest.mark.spec("RFC 9440", "2.2")
def test_intermediate_authorities_come_in_the_chain(proxied: Site, authority: Authority) -> None:
    client = certificate_client(proxied, tls_client_auth_subject_dn="CN=below")
    intermediate = Authority("Intermediate authority", under=authority)
    certificate, _ = intermediate.issue(("below",))
    form = GRANT | {"client_id": client.client_id}
    without = proxied.http.post("/oauth2/token", data=form, headers=client_cert(certificate))
    assert outcome(without) == (401, "invalid_client")
    whole = proxied.http.post("/oauth2/token", data=form, headers=client_cert(certificate, intermediate.certificate))
    assert whole.status_code == 200


@pytest.mark.spec("RFC 9440", "2.1")
@pytest.mark.parametrize(
    "value",
    ["", "::", ":::", "x", "{base64}", ":{base64}", ":{base64}:;p=1", '":{base64}:"', ":{base64}:, :{base64}:",
     ":{base64}!:", ":AAAA:", ":{spaced}:", "%3A{base64}%3A"],
)  # fmt: skip
@pytest.mark.parametrize("header", ["Client-Cert", "Client-Cert-Chain"])
def test_malformed_headers_of_the_proxy(proxied: Site, authority: Authority, header: str, value: str) -> None:
    client = proxied.machine()
    certificate, _ = authority.issue((), subject=SUBJECT)
    base64 = byte_sequence(der(certificate)).strip(":")
    content = value.format(base64=base64, spaced=base64[:20] + " " + base64[20:])
    headers = client_cert(certificate) | {header: content}
    response = proxied.http.post("/oauth2/token", data=GRANT, auth=client.basic, headers=headers)
    # A chain may be empty or have several members; one certificate may not.
    expected = 200 if header == "Client-Cert-Chain" and value in ("", ":{base64}:, :{base64}:") else 400
    assert response.status_code == expected, response.text


@pytest.mark.spec("RFC 9440", "2.1")
def test_a_repeated_header_of_the_proxy(proxied: Site, authority: Authority) -> None:
    """Attack row 34."""
    client = certificate_client(proxied)
    certificate, _ = authority.issue((), subject=SUBJECT)
    one = ("Client-Cert", byte_sequence(der(certificate)))
    response = proxied.http.post("/oauth2/token", data=GRANT | {"client_id": client.client_id}, headers=[one, one])
    assert outcome(response) == (400, "invalid_request")


def test_nobody_else_is_believed(site: Site, authority: Authority) -> None:
    """Attack row 20: without a trusted proxy the header is as good as not there, malformed or not."""
    certificate, _ = self_signed()
    client = site.machine(token_endpoint_auth_method="self_signed_tls_client_auth", jwks=jwks_of(certificate))
    assert outcome(ask(site.http, client, certificate)) == (401, "invalid_client")
    other = site.machine()
    response = site.http.post("/oauth2/token", data=GRANT, auth=other.basic, headers={"Client-Cert": "x"})
    assert response.status_code == 200


def test_trusting_an_address_is_not_believing_certificates(
    authority: Authority, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A proxy trusted for X-Forwarded-For may pass a client's own Client-Cert on: that takes a setting of its own."""
    (tmp_path / "clients.pem").write_bytes(authority.certificate)
    server = start_server(
        "sqlite", request, tmp_path, trusted_proxies='["127.0.0.1"]', tls_client_ca=str(tmp_path / "clients.pem")
    )
    try:
        site = Site(server, "guarded", TenantSettings())
        client = certificate_client(site)
        certificate, _ = authority.issue((), subject=SUBJECT)
        assert outcome(ask(site.http, client, certificate)) == (401, "invalid_client")
        site.close()
    finally:
        server.stop()


# Self-signed


@pytest.mark.spec("RFC 8705", "2.2")
def test_self_signed_tls_client_auth(proxied: Site) -> None:
    certificate, _ = self_signed()
    jwks = jwks_of(certificate)
    client = proxied.machine(token_endpoint_auth_method="self_signed_tls_client_auth", jwks=jwks)
    assert ask(proxied.http, client, certificate).status_code == 200
    assert outcome(ask(proxied.http, client, self_signed()[0])) == (401, "invalid_client")
    assert outcome(ask(proxied.http, client)) == (401, "invalid_client")


def test_no_authority_stands_in_for_a_registered_key(proxied: Site, authority: Authority) -> None:
    certificate, _ = self_signed("client")
    client = proxied.machine(token_endpoint_auth_method="self_signed_tls_client_auth", jwks=jwks_of(certificate))
    issued, _ = authority.issue(("client",))
    assert outcome(ask(proxied.http, client, issued)) == (401, "invalid_client")


@pytest.mark.parametrize("method", ["tls_client_auth", "self_signed_tls_client_auth"])
def test_a_certificate_is_no_second_method(proxied: Site, authority: Authority, method: str) -> None:
    certificate, _ = authority.issue((), subject=SUBJECT)
    if method == "tls_client_auth":
        client = certificate_client(proxied)
    else:
        client = proxied.machine(token_endpoint_auth_method=method, jwks=jwks_of(certificate))
    assert outcome(ask(proxied.http, client, certificate, client_secret="x")) == (401, "invalid_client")
    basic = proxied.http.post(
        "/oauth2/token", data=GRANT, auth=(client.client_id, "x"), headers=client_cert(certificate)
    )
    assert outcome(basic) == (401, "invalid_client")
    assert ask(proxied.http, client, certificate).status_code == 200


@pytest.mark.spec("RFC 9440", "A")
def test_the_example_of_the_rfc(proxied: Site) -> None:
    """Its certificate is long over and its authority not ours, which is nothing to a registered key."""
    certificate = x509.load_der_x509_certificate(b64decode(RFC_9440_CLIENT_CERT.strip(":")))
    pem = certificate.public_bytes(Encoding.PEM)
    client = proxied.machine(token_endpoint_auth_method="self_signed_tls_client_auth", jwks=jwks_of(pem))
    form = GRANT | {"client_id": client.client_id}
    assert proxied.http.post("/oauth2/token", data=form, headers={"Client-Cert": RFC_9440_CLIENT_CERT}).is_success
    named = certificate_client(proxied, tls_client_auth_san_email="bdc@example.com")
    assert is_named(named.application, der(pem))
    assert outcome(ask(proxied.http, named, pem)) == (401, "invalid_client")


RFC_9440_CLIENT_CERT = (
    ":MIIBqDCCAU6gAwIBAgIBBzAKBggqhkjOPQQDAjA6MRswGQYDVQQKDBJMZXQncyBBdXRoZW50aWNhdGUxGzAZBgNVBAMMEkxBIEludGVybWVkaWF0"
    "ZSBDQTAeFw0yMDAxMTQyMjU1MzNaFw0yMTAxMjMyMjU1MzNaMA0xCzAJBgNVBAMMAkJDMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE8YnXXfaU"
    "gmnMtOXU/IncWalRhebrXmckC8vdgJ1p5Be5F/3YC8OthxM4+k1M6aEAEFcGzkJiNy6J84y7uzo9M6NyMHAwCQYDVR0TBAIwADAfBgNVHSMEGDAW"
    "gBRm3WjLa38lbEYCuiCPct0ZaSED2DAOBgNVHQ8BAf8EBAMCBsAwEwYDVR0lBAwwCgYIKwYBBQUHAwIwHQYDVR0RAQH/BBMwEYEPYmRjQGV4YW1w"
    "bGUuY29tMAoGCCqGSM49BAMCA0gAMEUCIBHda/r1vaL6G3VliL4/Di6YK0Q6bMjeSkC3dFCOOB8TAiEAx/kHSB4urmiZ0NX5r5XarmPk0wmuydBV"
    "oU4hBVZ1yhk=:"
)


def test_new_certificates_at_an_address(proxied: Site, receiver: Receiver) -> None:
    old, new = (self_signed()[0] for _ in range(2))
    uri = receiver.answer("/jwks", Reply(200, jwks_of(old)))
    client = proxied.machine(token_endpoint_auth_method="self_signed_tls_client_auth", jwks_uri=uri)
    assert ask(proxied.http, client, old).status_code == 200
    for _ in range(3):
        assert outcome(ask(proxied.http, client, new)) == (401, "invalid_client")
    assert len(receiver.at("/jwks")) == 2  # asked again for the unknown one, and after that once a minute


@pytest.mark.spec("RFC 5280", "6.1.3")
def test_a_certificate_ends_when_it_says_so(authority: Authority, tmp_path: Path) -> None:
    """However recently its chain was verified."""
    path = tmp_path / "authority.pem"
    path.write_bytes(authority.certificate)
    certificate = der(authority.issue((), subject=SUBJECT, days=1)[0])
    clock = SetClock()
    authorities = CertificateAuthorities(path, clock)
    ends_at = x509.load_der_x509_certificate(certificate).not_valid_after_utc.timestamp()
    clock.advance(ends_at - clock.now() / SECOND - CHAIN_SECONDS / 2)
    assert authorities.vouch(certificate, ())
    clock.advance(CHAIN_SECONDS / 2 - 2)
    assert authorities.vouch(certificate, ())
    clock.advance(4)
    assert not authorities.vouch(certificate, ())
