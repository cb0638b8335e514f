"""TLS of our own (decision 28): a context for the port of people, and one that asks for a client certificate.

RFC 9325 §4.2 (BCP 195), which FAPI 2 names, and within what FAPI 1 Advanced §8.5 permits: TLS 1.3, and TLS 1.2 with
ECDHE and AES-GCM only.
"""

import ssl
from pathlib import Path
from typing import Any

import uvloop

from identity.errors import ConfigurationError

CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
)
"""Of TLS 1.2, in OpenSSL's spelling."""
HANDSHAKE_SECONDS = 10.0


class ServerContext(ssl.SSLContext):
    """The context of the main port; `of_port` gives the other's too, since uvicorn has one context for all ports."""

    mtls_port: int | None = None
    mtls: ssl.SSLContext | None = None

    def of_port(self, port: int) -> ssl.SSLContext:
        return self.mtls if self.mtls is not None and port == self.mtls_port else self


class TlsLoop(uvloop.Loop):
    """Gives each listening socket the context of its port, and bounds the handshake: uvicorn does neither."""

    async def create_server(self, protocol_factory: Any, *args: Any, **options: Any) -> Any:
        context, sock = options.get("ssl"), options.get("sock")
        if isinstance(context, ServerContext) and sock is not None:
            options["ssl"] = context.of_port(sock.getsockname()[1])
            options["ssl_handshake_timeout"] = HANDSHAKE_SECONDS
        return await super().create_server(protocol_factory, *args, **options)


def server_context(
    certificate: Path, key: Path, client_ca: Path | None = None, mtls_port: int | None = None
) -> ServerContext:
    """The context for both ports; the files are PEM. Raises ConfigurationError."""
    context = ServerContext(ssl.PROTOCOL_TLS_SERVER)
    _set_up(context, certificate, key)
    if mtls_port is not None and client_ca is not None:
        context.mtls_port = mtls_port
        context.mtls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        _set_up(context.mtls, certificate, key)
        # Optional: most clients of this port have a certificate, and which ones must is known only by client_id.
        context.mtls.verify_mode = ssl.CERT_OPTIONAL
        try:
            context.mtls.load_verify_locations(client_ca)
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(f"Setting tls_client_ca: {client_ca} cannot be read: {error}.") from None
    return context


def _set_up(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(":".join(CIPHERS))
    # Tickets are sealed by a key that OpenSSL keeps as long as the process lives (RFC 9325 §4.3); sessions that are
    # kept here instead are resumed all the same.
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"Settings tls_certificate and tls_key cannot be used: {error}.") from None


def _no_password() -> str:
    """OpenSSL would ask at the terminal, which a service does not have."""
    raise ConfigurationError("Setting tls_key: the key is encrypted; give one that is not.")
