"""The guard against tests that reach out."""

import asyncio
import socket

import pytest

from tests.support.network import is_loopback


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost", "shop.localhost", ""])
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["192.0.2.1", "10.0.0.1", "2001:db8::1", "example.org", "localhost.example.org"])
def test_elsewhere(host: str) -> None:
    assert not is_loopback(host)


def test_connecting_elsewhere_fails_the_test() -> None:
    with pytest.raises(AssertionError, match="loopback only"), socket.socket() as unconnected:
        unconnected.connect(("192.0.2.1", 80))


def test_looking_up_a_name_fails_the_test() -> None:
    async def look_up() -> None:
        await asyncio.get_running_loop().getaddrinfo("example.org", 80)

    with pytest.raises(AssertionError, match=r"example\.org"):
        asyncio.run(look_up())
