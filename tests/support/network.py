"""The loopback network of the tests: a guard, so that they talk to nobody beyond this machine, and free ports."""

import ipaddress
import socket
import ssl
import sys
from contextlib import ExitStack
from typing import Any

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""`verify` of a client that speaks plain HTTP: httpx otherwise reads every authority of the machine, 20 ms a client."""

_EVENTS = frozenset({"socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"})


def refuse_foreign_hosts() -> None:
    """From now on, connecting to or looking up a host that is not loopback raises AssertionError in this process."""
    sys.addaudithook(_watch)


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in _EVENTS:
        return
    address = arguments[1] if event in ("socket.connect", "socket.sendto") else arguments
    # A path (Unix socket) or a packet address of another family is a string or bytes, or has no host.
    if isinstance(address, tuple) and address and isinstance(address[0], str | bytes):
        host = address[0].decode("latin-1") if isinstance(address[0], bytes) else address[0]
        if not is_loopback(host):
            raise AssertionError(f"a test tried to reach {host!r}: tests use loopback only")


def is_loopback(host: str) -> bool:
    if host in ("", "localhost") or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def free_ports(count: int) -> list[int]:
    """Ports on loopback that nobody listens on at the moment."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
