"""What kind of IP address somebody's name leads to, since a name may lead anywhere (attack row 13)."""

from enum import Enum
from ipaddress import IPv4Address, IPv6Address, ip_network

Address = IPv4Address | IPv6Address


class Reach(Enum):
    PUBLIC = "public"
    PRIVATE = "private"
    """A network of the administrator's own, who may allow it."""
    LOOPBACK = "loopback"
    """This machine: in test mode only."""
    NEVER = "never"


# RFC 1918, shared address space (RFC 6598) and unique local addresses (RFC 4193).
_PRIVATE = tuple(map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")))
_NEVER = tuple(
    map(
        ip_network,
        (
            # Metadata services of clouds that lie in networks which are private or public otherwise.
            "100.100.100.200/32", "168.63.129.16/32", "192.0.0.0/24", "fd00:ec2::/32", "fd20:ce::254/128",
            # IPv6 that stands for an IPv4 address, and what Python 3.11 calls global although it is not: IPv4-mapped
            # addresses, local NAT64 (RFC 8215), Teredo, 6to4 and its relays, site-local.
            "::ffff:0:0/96", "64:ff9b:1::/48", "2001::/32", "2002::/16", "192.88.99.0/24", "fec0::/10",
        ),
    )
)  # fmt: skip
_COMPATIBLE = ip_network("::/96")
_NAT64 = ip_network("64:ff9b::/96")


def reach_of(address: Address) -> Reach:
    """NEVER, too, for whatever is not known to be one of the others: link-local, multicast, reserved, documentation."""
    # RFC 6052 §2.1: networks without IPv4 reach it by this prefix; what counts is the address behind.
    if address in _NAT64:
        behind = reach_of(IPv4Address(int(address) & 0xFFFFFFFF))
        return behind if behind is Reach.PUBLIC else Reach.NEVER
    if any(address in network for network in _NEVER):
        return Reach.NEVER
    if address.is_loopback:
        return Reach.LOOPBACK
    if any(address in network for network in _PRIVATE):
        return Reach.PRIVATE
    if not address.is_global or address.is_multicast or address.is_reserved or address in _COMPATIBLE:
        return Reach.NEVER
    return Reach.PUBLIC
