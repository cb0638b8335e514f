"""Servers that learn of client certificates by their own TLS or from a proxy, and applications that use them."""

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from joserfc.jwk import ECKey

from identity.domain.tenants import TenantSettings
from tests.support.authority import Authority, der
from tests.support.builders import Client, Site
from tests.support.server import RunningServer, start_server
from tests.support.tls_site import TlsSite, byte_sequence, client_cert, tls_settings

GRANT = {"grant_type": "client_credentials"}
SUBJECT = x509.Name(
    [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "LK"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Sample, Inc."),
        x509.NameAttribute(NameOID.COMMON_NAME, "the client"),
    ]
)
DN = r"CN=the client,O=Sample\, Inc.,C=LK"


def outcome(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json().get("error", "")


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mtls")


@pytest.fixture(scope="module")
def tls_server(authority: Authority, folder: Path, request: pytest.FixtureRequest) -> Iterator[RunningServer]:
    data = folder / "tls"
    data.mkdir()
    running = start_server("sqlite", request, data, **tls_settings(data, authority))
    yield running
    running.stop()


@pytest.fixture
def tls(tls_server: RunningServer, authority: Authority, tmp_path: Path) -> Iterator[TlsSite]:
    made = TlsSite(tls_server, f"t{secrets.token_hex(6)}", authority, tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def proxied_server(authority: Authority, folder: Path, request: pytest.FixtureRequest) -> Iterator[RunningServer]:
    """The tests are its proxy."""
    data = folder / "proxied"
    data.mkdir()
    (data / "clients.pem").write_bytes(authority.certificate)
    settings = {"trusted_proxies": '["127.0.0.0/8"]', "proxy_client_certificates": "true"}
    running = start_server("sqlite", request, data, tls_client_ca=str(data / "clients.pem"), **settings)
    yield running
    running.stop()


@pytest.fixture
def proxied(proxied_server: RunningServer) -> Iterator[Site]:
    made = Site(proxied_server, f"t{secrets.token_hex(6)}", TenantSettings())
    yield made
    made.close()


def certificate_client(site: Site, **settings: Any) -> Client:
    values: dict[str, Any] = {"token_endpoint_auth_method": "tls_client_auth"}
    if not any(name.startswith("tls_client_auth_") for name in settings):
        values["tls_client_auth_subject_dn"] = DN
    return site.machine(**(values | settings))


def ask(http: httpx.Client, client: Client, certificate: bytes | None = None, **form: str) -> httpx.Response:
    """A token request; `certificate` is what a proxy tells."""
    headers = {} if certificate is None else client_cert(certificate)
    return http.post("/oauth2/token", data=GRANT | {"client_id": client.client_id} | form, headers=headers)


def jwks_of(certificate: bytes) -> str:
    key = x509.load_pem_x509_certificate(certificate).public_key()
    jwk = ECKey.import_key(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)).as_dict(private=False)
    x5c = byte_sequence(der(certificate)).strip(":")
    return json.dumps({"keys": [jwk | {"x5c": [x5c]}]})
