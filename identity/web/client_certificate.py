"""The client's certificate: of our own TLS, or what a trusted proxy says in `Client-Cert` (RFC 9440, decision 28)."""

import base64
import re
from asyncio import BaseTransport
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from identity.errors import IdentityError
from identity.web.client_address import ClientAddress
from identity.web.messages import Headers

MAXIMUM_CERTIFICATE = 16_384
"""Bytes of base64."""
MAXIMUM_CHAIN = 8
# RFC 8941 §3.3.5: a byte sequence. RFC 9440 §2.1 gives it no parameters.
_BYTE_SEQUENCE = re.compile(rb":([A-Za-z0-9+/]*={0,2}):")


@dataclass(frozen=True, slots=True)
class Presented:
    """`certificate` is DER. `chain` are the further certificates that a proxy passed on, None when our own TLS has
    verified the certificate: what a proxy passes on, it may have accepted unverified."""

    certificate: bytes | None = None
    chain: tuple[bytes, ...] | None = None


NOTHING = Presented()


class MalformedCertificate(IdentityError):
    def __init__(self, header: str) -> None:
        super().__init__("invalid_request", f"The {header} header is not as RFC 9440 §2 has it, once.")


class ClientCertificates:
    """`believe_headers` is the operator's word that the trusted proxies remove a client's own `Client-Cert`."""

    def __init__(self, addresses: ClientAddress, *, believe_headers: bool) -> None:
        self._addresses = addresses
        self._believe_headers = believe_headers

    def of(self, scope: Any) -> Presented:
        """What the client of this request presented. Raises MalformedCertificate."""
        if self._addresses.trusts_peer(scope["client"]):
            # A proxy's own certificate is not its clients'.
            return _forwarded(scope["headers"]) if self._believe_headers else NOTHING
        certificate = scope.get("client_certificate")
        return NOTHING if certificate is None else Presented(certificate)


def peer_certificate(transport: BaseTransport) -> bytes | None:
    """The certificate (DER) that the peer of our own TLS proved to hold; OpenSSL has verified its chain."""
    tls = transport.get_extra_info("ssl_object")
    certificate: bytes | None = tls.getpeercert(binary_form=True) if tls is not None else None
    return certificate


def _forwarded(headers: Headers) -> Presented:
    found = [value for name, value in headers if name == b"client-cert"]
    if not found:
        return NOTHING
    if len(found) != 1:
        raise MalformedCertificate("Client-Cert")
    # RFC 9440 §2.2: a list, which may be spread over several lines.
    chain = b",".join(value for name, value in headers if name == b"client-cert-chain")
    members = [member.strip(b" \t") for member in chain.split(b",")] if chain else []
    if len(members) > MAXIMUM_CHAIN:
        raise MalformedCertificate("Client-Cert-Chain")
    return Presented(
        _decoded(found[0].strip(b" \t"), "Client-Cert"),
        tuple(_decoded(member, "Client-Cert-Chain") for member in members),
    )


@lru_cache(1024)
def _decoded(value: bytes, header: str) -> bytes:
    from cryptography.x509 import load_der_x509_certificate

    match = _BYTE_SEQUENCE.fullmatch(value)
    if match is None or len(value) > MAXIMUM_CERTIFICATE:
        raise MalformedCertificate(header)
    try:
        certificate = base64.b64decode(match[1], validate=True)
        load_der_x509_certificate(certificate)
    except ValueError:
        raise MalformedCertificate(header) from None
    return certificate
