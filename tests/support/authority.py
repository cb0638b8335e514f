"""A certificate authority of the tests' own: server and client certificates made as they are asked for."""

import datetime
import ipaddress
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAY = datetime.timedelta(days=1)


class Authority:
    """`certificate` is the authority's own, PEM: what the other side is told to trust."""

    def __init__(
        self, name: str = "Test authority", *, under: "Authority | None" = None, may_issue: bool = True
    ) -> None:
        """`under`: an authority that vouches for this one; without `may_issue` it says that this is none."""
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        signer = under or self
        made = signer._builder(self._name, self._key.public_key()).add_extension(
            x509.BasicConstraints(ca=may_issue, path_length=None), critical=True
        )
        usage = x509.KeyUsage(True, False, False, False, False, may_issue, may_issue, False, False)
        self._certificate = made.add_extension(usage, critical=True).sign(signer._key, hashes.SHA256())
        self.certificate = self._certificate.public_bytes(serialization.Encoding.PEM)

    def issue(
        self,
        names: tuple[str, ...] = ("localhost", "127.0.0.1", "::1"),
        *,
        subject: x509.Name | None = None,
        uris: tuple[str, ...] = (),
        emails: tuple[str, ...] = (),
        days: int = 30,
    ) -> tuple[bytes, bytes]:
        """(certificate, private key), PEM, good for a server and for a client.

        `names` are DNS names and IP addresses; the subject is the common name of the first one unless it is given.
        With negative `days` the certificate has expired.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        subject = subject or x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        others: list[x509.GeneralName] = [_general_name(name) for name in names]
        others += [x509.UniformResourceIdentifier(uri) for uri in uris]
        others += [x509.RFC822Name(email) for email in emails]
        purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = self._builder(subject, key.public_key(), days).add_extension(
            x509.ExtendedKeyUsage(purposes), critical=False
        )
        if others:
            builder = builder.add_extension(x509.SubjectAlternativeName(others), critical=False)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        certificate = builder.sign(self._key, hashes.SHA256())
        return certificate.public_bytes(serialization.Encoding.PEM), private_pem(key)

    def _builder(
        self, subject: x509.Name, public_key: ec.EllipticCurvePublicKey, days: int = 30
    ) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        authority = self._key.public_key()
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 90 * _DAY)
            .not_valid_after(now + days * _DAY)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority), critical=False)
        )


def self_signed(name: str = "client") -> tuple[bytes, bytes]:
    """(certificate, private key), PEM, of somebody whom no authority knows (RFC 8705 §2.2)."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + 30 * _DAY)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM), private_pem(key)


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def der(certificate: bytes) -> bytes:
    """A PEM certificate as DER."""
    return x509.load_pem_x509_certificate(certificate).public_bytes(serialization.Encoding.DER)


def saved(folder: Path, name: str, pair: tuple[bytes, bytes]) -> tuple[Path, Path]:
    """Certificate and key as files in `folder`, for whatever wants paths."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    certificate.write_bytes(pair[0])
    key.write_bytes(pair[1])
    return certificate, key


def server_context(folder: Path, pair: tuple[bytes, bytes]) -> ssl.SSLContext:
    """What a TLS server with this certificate listens with; the files it is read from are put into `folder`."""
    certificate, key = saved(folder, "server", pair)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
