"""Who is calling: the peer's address, or what a trusted proxy says about it (attack row 20).

Whatever cannot be read falls back to the peer's own address, so that a limit counts it; no check is ever skipped.
"""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from identity.errors import ConfigurationError
from identity.web.messages import Headers

UNKNOWN = "0.0.0.0"  # noqa: S104 - not an address to bind to: what all peers without a readable address share
MAXIMUM_HOPS = 32


class ClientAddress:
    """Resolves addresses. `trusted` are addresses or networks; raises ConfigurationError when one is neither."""

    def __init__(self, trusted: Sequence[str]) -> None:
        self._networks = tuple(_network(text) for text in trusted)

    def resolve(self, peer: str, forwarded_for: list[str]) -> str:
        """The client's canonical address.

        `forwarded_for` are the values of every X-Forwarded-For header in order. They are read from the right, where our
        own proxies write, up to the first hop that is no proxy of ours; what stands left of it anybody can have
        written.
        """
        own = canonical(peer) or UNKNOWN
        if not self._networks or not forwarded_for or not self._trusts(own):
            return own
        hops = ",".join(forwarded_for).split(",")
        if len(hops) > MAXIMUM_HOPS:
            return own
        client = own
        for hop in reversed(hops):
            client = _hop(hop)
            if not client:
                return own
            if not self._trusts(client):
                break
        return client

    def of(self, client: tuple[str, int] | None, headers: Headers) -> str:
        """The canonical address of a request's `scope["client"]` and headers."""
        peer = client[0] if client else ""
        if not self._networks:
            return canonical(peer) or UNKNOWN
        forwarded_for = [value.decode("latin-1") for name, value in headers if name == b"x-forwarded-for"]
        return self.resolve(peer, forwarded_for)

    def trusts_peer(self, client: tuple[str, int] | None) -> bool:
        """Whether a request's `scope["client"]` is a proxy of ours."""
        if not self._networks or client is None:
            return False
        peer = canonical(client[0])
        return bool(peer) and self._trusts(peer)

    def _trusts(self, address: str) -> bool:
        parsed = ip_address(address)
        return any(parsed.version == network.version and parsed in network for network in self._networks)


@lru_cache(8192)
def canonical(text: str) -> str:
    """One spelling per address, an IPv4-mapped one as IPv4 (RFC 4291 §2.5.5.2); empty when it is none."""
    try:
        address = ip_address(text)
    except ValueError:
        return ""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        if address.scope_id is not None:
            return str(IPv6Address(address.packed))
    return str(address)


@lru_cache(8192)
def limit_key(address: str) -> str:
    """What limits count: an IPv4 address, or the /64 of an IPv6 one, which is what one household gets (row 21)."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return UNKNOWN
    if isinstance(parsed, IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return f"{IPv6Address(int(parsed) >> 64 << 64)}/64"


def _hop(text: str) -> str:
    """An address as proxies write it: bare, `1.2.3.4:567`, `[2001:db8::1]` or `[2001:db8::1]:567`; else empty."""
    text = text.strip(" \t")
    if text.startswith("["):
        text, bracket, port = text[1:].partition("]")
        if not bracket or ":" not in text or (port and not _is_port(port)):
            return ""
    elif text.count(":") == 1:
        text, _, port = text.partition(":")
        if not _is_port(":" + port):
            return ""
    return "" if "%" in text or len(text) > 45 else canonical(text)


def _is_port(text: str) -> bool:
    return text.startswith(":") and text[1:].isascii() and text[1:].isdigit() and len(text) <= 6


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text.strip())
    except ValueError as error:
        raise ConfigurationError(f"Setting trusted_proxies: {error}.") from None
