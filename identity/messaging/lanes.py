"""How many outbound requests run at once, so that somebody's slow server delays nobody else's."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import TypeVar
from weakref import WeakValueDictionary

from identity.messaging.addresses import Address

T = TypeVar("T")

AT_ONCE = 128
AT_ONCE_PER_HOST = 8
LOOK_UPS_AT_ONCE = 16

Resolve = Callable[[str, int], Sequence[str]]
"""(host, port) -> IP addresses; blocks. Raises OSError."""


class Lane:
    """The requests of one purpose. Waiting for a place counts into a request's own time."""

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve
        self._places = asyncio.Semaphore(AT_ONCE)
        self._of_host: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        # Name servers belong to strangers too: a slow one holds a thread of its purpose, and no thread of others.
        self._look_ups = ThreadPoolExecutor(LOOK_UPS_AT_ONCE, "outbound-names")

    @asynccontextmanager
    async def place(self, host: str) -> AsyncIterator[None]:
        """One of the places, and one of those for this host. A host's queue stands outside of the common one."""
        of_host = self._of_host.get(host)
        if of_host is None:
            of_host = self._of_host[host] = asyncio.Semaphore(AT_ONCE_PER_HOST)
        async with of_host, self._places:
            yield

    async def look_up(self, host: str, port: int) -> list[Address]:
        """Every address of the name, once. Raises OSError."""
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._look_ups, self._resolve, host, port)
        # A scope (`fe80::1%eth0`) names one of our own links; the address tells that it is link-local.
        return list(dict.fromkeys(ip_address(address.partition("%")[0]) for address in found))

    def close(self) -> None:
        self._look_ups.shutdown(wait=False, cancel_futures=True)


def resolve_name(host: str, port: int) -> list[str]:
    """The system's resolver."""
    import socket

    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
