"""TLS of our own (decision 28): protocol versions, ciphers, two ports, and settings that do not fit together."""

import os
import signal
import socket
import ssl
import warnings
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from identity.commands.serve import run
from identity.config import Settings
from identity.errors import ConfigurationError
from identity.web.tls import CIPHERS
from tests.support.authority import Authority, der, saved
from tests.support.server import RunningServer, start_server
from tests.support.tls_site import client_context, tls_settings
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def tls_server(
    authority: Authority, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[RunningServer]:
    data = tmp_path_factory.mktemp("tls")
    running = start_server("sqlite", request, data, **tls_settings(data, authority))
    yield running
    running.stop()


def mtls_port(base_url: str, context: ssl.SSLContext) -> int:
    metadata = httpx.get(f"{base_url}/.well-known/openid-configuration", verify=context, trust_env=False).json()
    return port_of(metadata["mtls_endpoint_aliases"]["token_endpoint"])


def port_of(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port


def shake_hands(port: int, context: ssl.SSLContext) -> ssl.SSLSocket:
    """A connection whose handshake is over, ours and, as far as one answered request shows, the server's."""
    connection = context.wrap_socket(
        socket.create_connection(("127.0.0.1", port), timeout=20), server_hostname="localhost"
    )
    connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    answer = connection.recv(1000)
    if not answer.startswith(b"HTTP/1.1 200"):
        raise ConnectionError(f"answered {answer!r}")
    return connection


def test_the_base_url_is_https(tls_server: RunningServer, authority: Authority, tmp_path: Path) -> None:
    context = client_context(authority, tmp_path)
    assert tls_server.base_url.startswith("https://localhost:")
    metadata = httpx.get(f"{tls_server.base_url}/.well-known/openid-configuration", verify=context, trust_env=False)
    assert metadata.json()["token_endpoint"] == f"{tls_server.base_url}/oauth2/token"


@pytest.mark.spec("RFC 9325", "4.2")
@pytest.mark.parametrize("door", ["main", "mtls"])
def test_versions_and_ciphers(tls_server: RunningServer, authority: Authority, tmp_path: Path, door: str) -> None:
    port = port_of(tls_server.base_url)
    if door == "mtls":
        port = mtls_port(tls_server.base_url, client_context(authority, tmp_path))

    def offering(version: ssl.TLSVersion, ciphers: str) -> ssl.SSLContext:
        context = client_context(authority, tmp_path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = context.maximum_version = version
        context.set_ciphers(ciphers)
        return context

    for cipher in (cipher for cipher in CIPHERS if "ECDSA" in cipher):  # of the kind of the certificate's key
        with shake_hands(port, offering(ssl.TLSVersion.TLSv1_2, cipher)) as connection:
            agreed = connection.cipher()
            assert agreed is not None
            assert agreed[0] == cipher
            assert connection.selected_alpn_protocol() is None
    with shake_hands(port, offering(ssl.TLSVersion.TLSv1_3, "ALL")) as connection:
        assert connection.version() == "TLSv1.3"
    for version, ciphers in (
        (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA"),
        (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-CHACHA20-POLY1305"),
        (ssl.TLSVersion.TLSv1_1, "ALL:@SECLEVEL=0"),
        (ssl.TLSVersion.TLSv1, "ALL:@SECLEVEL=0"),
    ):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            shake_hands(port, offering(version, ciphers))


def test_every_cipher_is_within_what_fapi_names() -> None:
    """FAPI 1 Advanced §8.5 for RSA keys, RFC 9325 §4.2 for all: ephemeral keys and AES-GCM."""
    assert {cipher for cipher in CIPHERS if "-RSA-" in cipher} == {
        "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384",
    }  # fmt: skip
    assert all(cipher.startswith("ECDHE-") and "-GCM-" in cipher for cipher in CIPHERS)


def test_plain_http_on_a_tls_port(tls_server: RunningServer) -> None:
    port = port_of(tls_server.base_url)
    with pytest.raises(httpx.TransportError):
        httpx.get(f"http://localhost:{port}/health/live", trust_env=False)


def test_the_ports_share_one_server(tls_server: RunningServer, authority: Authority, tmp_path: Path) -> None:
    """The other port answers for its own host only where clients call; pages lead to the base address."""
    context = client_context(authority, tmp_path)
    other = f"https://localhost:{mtls_port(tls_server.base_url, context)}"
    with httpx.Client(verify=context, trust_env=False) as client:
        assert client.post(f"{other}/oauth2/token", data={}).status_code == 401
        page = client.get(f"{other}/oauth2/authorize?client_id=x")
        assert page.status_code == 307
        assert page.headers["location"].startswith(tls_server.base_url + "/")
        assert client.post(f"{other}/oauth2/token", data={}, headers={"Host": "evil.example"}).status_code == 421


@pytest.mark.usefixtures("postgres")
def test_two_workers(authority: Authority, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Every worker has both ports, and the ready line comes once one answers. SIGHUP brings workers that read the
    certificate anew."""
    server = start_server("postgresql", request, tmp_path, workers="2", **tls_settings(tmp_path, authority))
    try:
        context = client_context(authority, tmp_path)
        port = mtls_port(server.base_url, context)
        for _ in range(8):
            with shake_hands(port_of(server.base_url), context), shake_hands(port, context):
                pass
        new, _ = saved(tmp_path, "tls", authority.issue())
        os.kill(server.pid, signal.SIGHUP)
        expected = der(new.read_bytes())

        def all_new() -> bool:
            return all(presented_by(port_of(server.base_url), context) == expected for _ in range(8))

        eventually(all_new, "the new certificate", 60)
    finally:
        assert server.stop() == 0


def presented_by(port: int, context: ssl.SSLContext) -> bytes | None:
    """The server's certificate, DER."""
    with shake_hands(port, context) as connection:
        return connection.getpeercert(binary_form=True)


# Settings


def settings_with(tmp_path: Path, **settings: object) -> Settings:
    return Settings(data=tmp_path, port=0, **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tls_key": None}, "both or neither"),
        ({"tls_certificate": None}, "both or neither"),
        ({"tls_client_ca": None}, "mtls_port needs"),
        ({"tls_certificate": None, "tls_key": None}, "mtls_port needs"),
        ({"tls_certificate": "gone.pem"}, "cannot be used"),
        ({"tls_key": "clients.pem"}, "cannot be used"),
        ({"tls_client_ca": "gone.pem"}, "tls_client_ca"),
        ({"tls_client_ca": "tls.key"}, "tls_client_ca"),
        ({"base_url": "http://localhost:1"}, "must be https"),
    ],
    ids=str,
)
def test_settings_that_do_not_fit(
    authority: Authority, tmp_path: Path, changes: dict[str, str | None], message: str
) -> None:
    settings: dict[str, object] = {**tls_settings(tmp_path, authority), "mtls_port": 0}
    for name, value in changes.items():
        settings[name] = tmp_path / value if value is not None and name.startswith("tls") else value
    with pytest.raises(ConfigurationError, match=message):
        run(settings_with(tmp_path, **settings))
    assert not (tmp_path / "identity.sqlite3").exists()


def test_an_encrypted_key(authority: Authority, tmp_path: Path) -> None:
    """OpenSSL would ask for the password at a terminal that a service does not have."""
    settings: dict[str, object] = {**tls_settings(tmp_path, authority), "mtls_port": 0}
    certificate, key = authority.issue()
    sealed = load_pem_private_key(key, None).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"password")
    )
    settings["tls_certificate"], settings["tls_key"] = saved(tmp_path, "encrypted", (certificate, sealed))
    with pytest.raises(ConfigurationError, match="encrypted"):
        run(settings_with(tmp_path, **settings))
