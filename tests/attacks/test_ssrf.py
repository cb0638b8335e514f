"""Attack row 13: server-side request forgery by an address that a client may register or send.

The policy's tables are in tests/messaging; here a secret server on loopback stands for everything inside, and nothing
may connect to it.
"""

import asyncio
import socket
from collections.abc import Iterator, Sequence

import pytest

from identity.config import Purpose, Settings
from identity.messaging.guarded_client import GuardedClient, OutboundFailed, OutboundRefused
from tests.messaging.servers import Names, RawServer, raw_server

pytestmark = pytest.mark.long

SUPPLIED = [Purpose.CLIENT_METADATA, Purpose.LOGOUT, Purpose.CIBA_PING]


def _secret(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret")


@pytest.fixture
def inside() -> Iterator[RawServer]:
    with raw_server(_secret) as server:
        yield server


def attempt(url: str, names: Names, purpose: Purpose = Purpose.CLIENT_METADATA, **settings: object) -> None:
    client = GuardedClient(Settings.model_validate(settings), resolve=names)
    try:
        asyncio.run(client.fetch(url, purpose=purpose))
    finally:
        client.close()


@pytest.mark.parametrize("purpose", SUPPLIED)
@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "localhost", "localhost.",
        "app.localhost", "LOCALHOST", "[::1]", "[::ffff:127.0.0.1]", "[::7f00:1]", "[64:ff9b::7f00:1]", "0", "0.0.0.0",
        "[::]", "①②⑦.⓪.⓪.①", "127。0。0。1", "public.example@127.0.0.1", "127.0.0.1#@public.example",
        "127.0.0.1\\@public.example", "%31%32%37.0.0.1", "[fe80::1%25lo]",
    ],
)  # fmt: skip
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_spellings_of_loopback(inside: RawServer, scheme: str, host: str, purpose: Purpose) -> None:
    names = Names({})
    with pytest.raises(OutboundRefused):
        attempt(f"{scheme}://{host}:{inside.port}/", names, purpose)
    assert (inside.connections, names.asked) == (0, [])


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "169.254.169.254", "0.0.0.0", "224.0.0.1",
        "::1", "::", "fd00:ec2::254", "fe80::1%lo", "fd12::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2001::1", "fec0::1",
    ],
)  # fmt: skip
@pytest.mark.parametrize("purpose", list(Purpose))
def test_a_public_name_for_an_inner_address(inside: RawServer, address: str, purpose: Purpose) -> None:
    names = Names({"public.example": [[address]]})
    with pytest.raises(OutboundRefused) as refused:
        attempt(f"https://public.example:{inside.port}/", names, purpose)
    # What is told outside does not say what is where.
    assert refused.value.public == OutboundFailed("").public
    assert address.partition("%")[0] not in refused.value.public
    assert inside.connections == 0


@pytest.mark.parametrize("answers", [["8.8.8.8", "127.0.0.1"], ["127.0.0.1", "8.8.8.8"]])
def test_one_inner_address_among_public_ones(inside: RawServer, answers: Sequence[str]) -> None:
    with pytest.raises(OutboundRefused):
        attempt(f"https://public.example:{inside.port}/", Names({"public.example": [answers]}))
    assert inside.connections == 0


def test_rebinding(inside: RawServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second answer of the name server leads inside; there is no second question, and the connection goes to the
    address that was checked."""
    connected: list[str] = []

    async def connect(host: str, port: int, **_: object) -> None:
        connected.append(host)
        raise ConnectionRefusedError(111, "refused")

    monkeypatch.setattr(asyncio, "open_connection", connect)
    names = Names({"public.example": [["8.8.8.8"], ["127.0.0.1"]]})
    with pytest.raises(OutboundFailed):
        attempt(f"https://public.example:{inside.port}/", names)
    assert (connected, names.asked) == (["8.8.8.8"], ["public.example"])
    # The name leads inside from now on: the next request is checked anew.
    with pytest.raises(OutboundRefused):
        attempt(f"https://public.example:{inside.port}/", names)
    assert connected == ["8.8.8.8"]


def test_a_redirect_to_an_inner_address(inside: RawServer) -> None:
    def redirect(connection: socket.socket) -> None:
        location = f"Location: http://127.0.0.1:{inside.port}/"
        connection.sendall(f"HTTP/1.1 302 Found\r\n{location}\r\nContent-Length: 0\r\n\r\n".encode())

    with raw_server(redirect) as outside:
        client = GuardedClient(Settings(test_mode=True), resolve=Names({"localhost": [["127.0.0.1"]]}))
        answer = asyncio.run(client.fetch(outside.url, purpose=Purpose.CLIENT_METADATA))
        client.close()
    assert answer.status == 302
    assert inside.connections == 0


def test_metadata_service_even_where_everything_is_allowed() -> None:
    everything = {purpose.value: ("0.0.0.0/0", "::/0", "http://metadata.example") for purpose in Purpose}
    for address in ("169.254.169.254", "fd00:ec2::254", "::ffff:169.254.169.254"):
        for scheme in ("http", "https"):
            with pytest.raises(OutboundRefused):
                attempt(
                    f"{scheme}://metadata.example/",
                    Names({"metadata.example": [[address]]}),
                    outbound_allow=everything,
                    test_mode=True,
                )
