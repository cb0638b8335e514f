"""Client authentication by certificate (RFC 8705 §2): `tls_client_auth` and `self_signed_tls_client_auth`."""

from collections import OrderedDict
from collections.abc import Callable
from functools import cached_property
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from identity.clock import SECOND, Clock, as_datetime
from identity.domain.applications import Application
from identity.domain.distinguished_names import Name, parse_name, prepared
from identity.errors import ConfigurationError
from identity.tokens.client_keys import ClientKeys
from identity.tokens.jose import InvalidToken
from identity.tokens.public_keys import PublicKey
from identity.web.messages import Request

if TYPE_CHECKING:
    from cryptography.x509 import BasicConstraints, Certificate, ExtendedKeyUsage, KeyUsage
    from cryptography.x509.verification import Policy, PolicyBuilder, Store

CACHED_CHAINS = 4096
CHAIN_SECONDS = 300
"""How long a chain that was verified is believed without looking again."""


class CertificateAuthorities:
    """Verifies what a proxy passed on. What came over our own TLS, OpenSSL has verified against the same file."""

    def __init__(self, client_ca: Path | None, clock: Clock) -> None:
        self._client_ca = client_ca
        self._clock = clock
        self._verified: OrderedDict[bytes, int] = OrderedDict()

    def vouch(self, certificate: bytes, chain: tuple[bytes, ...] | None) -> bool:
        """Whether an authority of ours issued the certificate (DER) and it is valid now."""
        if self._client_ca is None:
            return False
        if chain is None:
            return True
        now = self._clock.now()
        key = sha256(certificate).digest()
        if self._verified.get(key, 0) > now:
            return True
        ends_at = self._verify(certificate, chain, now)
        if ends_at is None:
            return False
        self._verified[key] = min(ends_at, now + CHAIN_SECONDS * SECOND)
        if len(self._verified) > CACHED_CHAINS:
            self._verified.popitem(last=False)
        return True

    def _verify(self, certificate: bytes, chain: tuple[bytes, ...], now: int) -> int | None:
        """When a good certificate ends (µs)."""
        from cryptography.x509 import load_der_x509_certificate
        from cryptography.x509.verification import VerificationError

        verifier = self._policy.time(as_datetime(now)).store(self._store).build_client_verifier()
        try:
            leaf = load_der_x509_certificate(certificate)
            verifier.verify(leaf, [load_der_x509_certificate(other) for other in chain])
        except (VerificationError, ValueError):
            return None
        return int(leaf.not_valid_after_utc.timestamp()) * SECOND

    @cached_property
    def _store(self) -> "Store":
        from cryptography.x509 import load_pem_x509_certificates
        from cryptography.x509.verification import Store

        assert self._client_ca is not None
        try:
            return Store(load_pem_x509_certificates(self._client_ca.read_bytes()))
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"Setting tls_client_ca: {self._client_ca} cannot be read: {error}.") from None

    @cached_property
    def _policy(self) -> "PolicyBuilder":
        """RFC 5280 §6. What the web asks for beyond it (a SAN, key identifiers) is not for private authorities."""
        from cryptography.x509 import BasicConstraints, ExtendedKeyUsage, KeyUsage
        from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder

        either = Criticality.AGNOSTIC
        authority = ExtensionPolicy.permit_all().require_present(BasicConstraints, either, _is_authority)
        client = ExtensionPolicy.permit_all().may_be_present(ExtendedKeyUsage, either, _is_for_clients)
        return PolicyBuilder().extension_policies(
            ca_policy=authority.may_be_present(KeyUsage, either, _may_sign), ee_policy=client
        )


def _is_authority(_policy: "Policy", _certificate: "Certificate", extension: "BasicConstraints") -> None:
    # RFC 5280 §4.2.1.9; the path length is looked at by the verifier.
    if not extension.ca:
        raise ValueError("not an authority")


def _may_sign(_policy: "Policy", _certificate: "Certificate", extension: "KeyUsage | None") -> None:
    # RFC 5280 §4.2.1.3
    if extension is not None and not extension.key_cert_sign:
        raise ValueError("may not sign certificates")


def _is_for_clients(_policy: "Policy", _certificate: "Certificate", extension: "ExtendedKeyUsage | None") -> None:
    # RFC 5280 §4.2.1.12
    from cryptography.x509.oid import ExtendedKeyUsageOID

    if extension is not None and ExtendedKeyUsageOID.CLIENT_AUTH not in extension:
        raise ValueError("not for clients")


class CertificateAuthentication:
    def __init__(self, authorities: CertificateAuthorities, client_keys: ClientKeys) -> None:
        self._authorities = authorities
        self._client_keys = client_keys

    async def refusal(self, request: Request, application: Application) -> str | None:
        """Why the request's certificate is not the application's, for the log; None when it is."""
        certificate = request.client_certificate
        if certificate is None:
            return "no certificate"
        if application.token_endpoint_auth_method == "self_signed_tls_client_auth":
            return await self._self_signed(application, certificate)
        if not self._authorities.vouch(certificate, request.certificate_chain):
            return "no authority vouches for the certificate"
        return None if is_named(application, certificate) else "another name than registered"

    async def _self_signed(self, application: Application, certificate: bytes) -> str | None:
        """RFC 8705 §2.2: the chain does not matter. A JWK with `x5c` has the key of its certificate (RFC 7517 §4.7), so
        it is enough that the key is one of the registered ones: its private half was used in the handshake."""
        presented = _public_key(certificate)
        # The thumbprint is no kid of theirs: keys at an address are asked for again, at most once a minute.
        for kid in (None, sha256(certificate).hexdigest()):
            try:
                keys = await self._client_keys.keys_of(application, kid=kid)
            except InvalidToken as error:
                return error.detail
            if any(key.use != "enc" and _spki(key) == presented for key in keys.keys):
                return None
        return "another key than registered"


def is_named(application: Application, certificate: bytes) -> bool:
    """RFC 8705 §2.1.2: the certificate (DER) has the one name that the application has registered."""
    from cryptography.x509 import load_der_x509_certificate

    expected = {name: value for name in _NAMES if (value := getattr(application, name)) is not None}
    if len(expected) != 1:
        return False
    ((kind, value),) = expected.items()
    try:
        if kind == "tls_client_auth_subject_dn":
            return has_subject(certificate, value)
        return _NAMES[kind](value) in _alternative_names(load_der_x509_certificate(certificate), kind)
    except ValueError:
        return False


def has_subject(certificate: bytes, name: str) -> bool:
    """Whether `name` (RFC 4514) is the subject of the certificate (DER)."""
    from cryptography.x509 import load_der_x509_certificate

    try:
        return _subject(load_der_x509_certificate(certificate)) == parse_name(name)
    except ValueError:
        return False


def _subject(certificate: "Certificate") -> Name:
    """RFC 4514 §2.1: the text begins with the last RDN of the certificate."""
    rdns = [
        frozenset((attribute.oid.dotted_string, prepared(str(attribute.value))) for attribute in rdn)
        for rdn in certificate.subject.rdns
    ]
    return tuple(reversed(rdns))


def _alternative_names(certificate: "Certificate", kind: str) -> set[str]:
    from cryptography import x509

    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    found: dict[str, list[str]] = {
        "tls_client_auth_san_dns": names.get_values_for_type(x509.DNSName),
        "tls_client_auth_san_uri": names.get_values_for_type(x509.UniformResourceIdentifier),
        "tls_client_auth_san_ip": [str(address) for address in names.get_values_for_type(x509.IPAddress)],
        "tls_client_auth_san_email": names.get_values_for_type(x509.RFC822Name),
    }
    return {_NAMES[kind](name) for name in found[kind]}


def _mail(address: str) -> str:
    """RFC 5280 §7.5: the host without regard to case, the mailbox to the letter."""
    mailbox, _, host = address.rpartition("@")
    return f"{mailbox}@{host.lower()}"


_NAMES: dict[str, Callable[[str], str]] = {
    "tls_client_auth_subject_dn": str,
    "tls_client_auth_san_dns": str.lower,
    "tls_client_auth_san_uri": str,
    "tls_client_auth_san_ip": lambda text: str(ip_address(text)),
    "tls_client_auth_san_email": _mail,
}
"""The metadata of RFC 8705 §2.1.2, and the form in which two names of the kind are compared."""


def _public_key(certificate: bytes) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    from cryptography.x509 import load_der_x509_certificate

    key = load_der_x509_certificate(certificate).public_key()
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _spki(key: PublicKey) -> bytes:
    return key.key.as_der(private=False)
