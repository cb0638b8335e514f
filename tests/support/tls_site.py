"""A tenant of a server that speaks TLS itself, and clients that show a certificate."""

import base64
import ssl
from pathlib import Path
from typing import Any

import httpx

from identity.domain.tenants import TenantSettings
from tests.support.authority import Authority, der, saved
from tests.support.builders import Client, Site
from tests.support.server import RunningServer

Pair = tuple[bytes, bytes]
"""A certificate and its private key, PEM."""


def tls_settings(folder: Path, authority: Authority) -> dict[str, str]:
    """Settings of a server whose own certificate, and its clients', are of this authority."""
    certificate, key = saved(folder, "tls", authority.issue())
    (folder / "clients.pem").write_bytes(authority.certificate)
    return {
        "tls_certificate": str(certificate),
        "tls_key": str(key),
        "tls_client_ca": str(folder / "clients.pem"),
        "mtls_port": "0",
    }


def client_context(authority: Authority, folder: Path, pair: Pair | None = None) -> ssl.SSLContext:
    """What a client that trusts this authority connects with, showing `pair` when it is asked."""
    context = ssl.create_default_context(cadata=authority.certificate.decode())
    if pair is not None:
        certificate, key = saved(folder, "client", pair)
        context.load_cert_chain(certificate, key)
    return context


def client_cert(certificate: bytes, *chain: bytes) -> dict[str, str]:
    """The headers of RFC 9440 for PEM certificates."""
    headers = {"Client-Cert": byte_sequence(der(certificate))}
    if chain:
        headers["Client-Cert-Chain"] = ", ".join(byte_sequence(der(other)) for other in chain)
    return headers


def byte_sequence(data: bytes) -> str:
    """RFC 8941 §3.3.5"""
    return f":{base64.b64encode(data).decode()}:"


class TlsSite(Site):
    """`http` has no certificate; `at_mtls(pair)` is a client of the other port."""

    def __init__(self, server: RunningServer, handle: str, authority: Authority, folder: Path) -> None:
        super().__init__(server, handle, TenantSettings())
        self.http.close()
        self.authority = authority
        self._folder = folder
        self.http = self._client(self.base, None)
        self._clients: list[httpx.Client] = []

    @property
    def mtls_base(self) -> str:
        """From `mtls_endpoint_aliases` (RFC 8705 §5)."""
        metadata = self.http.get("/oauth2/token/.well-known/openid-configuration").json()
        endpoint: str = metadata["mtls_endpoint_aliases"]["token_endpoint"]
        return endpoint.removesuffix("/oauth2/token")

    def at_mtls(self, pair: Pair | None) -> httpx.Client:
        client = self._client(self.mtls_base, pair)
        self._clients.append(client)
        return client

    def at_main_port(self, pair: Pair) -> httpx.Client:
        client = self._client(self.base, pair)
        self._clients.append(client)
        return client

    def bound_machine(self, **settings: Any) -> Client:
        """An application whose tokens are bound to its certificate."""
        return self.machine(tls_client_certificate_bound_access_tokens=True, **settings)

    def close(self) -> None:
        for client in self._clients:
            client.close()
        super().close()

    def _client(self, base: str, pair: Pair | None) -> httpx.Client:
        context = client_context(self.authority, self._folder, pair)
        return httpx.Client(base_url=base, verify=context, trust_env=False, timeout=30)
