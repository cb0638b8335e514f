"""The address of an outbound request, read strictly: what two parsers could read in two ways is refused."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

from identity.messaging.addresses import Address

MAXIMUM_LENGTH = 2048

# RFC 3986 §2: the characters of a URI, and no others; `urlsplit` would drop some silently.
_CHARACTERS = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")
# RFC 3986 §3.2 without user information: an address in brackets, or a name, and a port.
_AUTHORITY = re.compile(r"(?:\[([0-9a-f:.]+)\]|([^\[\]:]+))(?::([0-9]{1,5}))?")
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
# A last label like this makes a resolver read the whole as an IPv4 address: 127.1, 0x7f000001, 2130706433, 0177.0.0.1.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
DEFAULT_PORTS = {"https": 443, "http": 80}


class BadAddress(ValueError):
    """Its text is a sentence for whoever wrote the address."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where one request goes. `host` is in lower case, without brackets; `path` has the query with it."""

    scheme: str
    host: str
    port: int
    path: str
    literal: Address | None
    """The address itself, where it stands in the place of a name."""

    @property
    def authority(self) -> str:
        """The Host header (RFC 9110 §7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.authority}"

    @property
    def url(self) -> str:
        """In its normal form: what is sent where, without a fragment."""
        return self.origin + self.path

    @property
    def names_loopback(self) -> bool:
        """`localhost` (RFC 6761 §6.3) or a loopback address."""
        if self.literal is not None:
            return self.literal.is_loopback
        return self.host == "localhost" or self.host.endswith(".localhost")


def read_target(url: str) -> Target:
    """Raises BadAddress."""
    if len(url) > MAXIMUM_LENGTH:
        raise BadAddress(f"The address is longer than {MAXIMUM_LENGTH} characters.")
    if not _CHARACTERS.fullmatch(url):
        raise BadAddress("The address has characters that no URL may have; a name in another script is written xn--….")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise BadAddress("The address is not a URL.") from None
    if parts.scheme not in DEFAULT_PORTS or not parts.netloc:
        raise BadAddress("The address must begin with https://.")
    if "@" in parts.netloc:
        raise BadAddress("The address must not carry a user name or password.")
    authority = _AUTHORITY.fullmatch(parts.netloc.lower())
    port = DEFAULT_PORTS[parts.scheme] if authority is None or authority[3] is None else int(authority[3])
    if authority is None or not 0 < port < 65536:
        raise BadAddress("The address must name a host, with a port from 1 to 65535 behind it at most.")
    host, literal = _read_literal(authority[1], IPv6Address) if authority[1] else _read_host(authority[2])
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port, path, literal)


def _read_host(host: str) -> tuple[str, Address | None]:
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return _read_literal(host, IPv4Address)
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise BadAddress("The host is not a name: letters, digits and hyphens between dots, without a dot at the end.")
    return host, None


def _read_literal(host: str, kind: type[Address]) -> tuple[str, Address]:
    """The one spelling in which an IP address means the same to everybody."""
    try:
        address = ip_address(host)
    except ValueError:
        raise BadAddress("The host is a number, but not an IP address in its usual form.") from None
    if not isinstance(address, kind):
        raise BadAddress("The host is a number, but not an IP address in its usual form.")
    return str(address), address
