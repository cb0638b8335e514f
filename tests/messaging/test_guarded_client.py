"""The guarded client against real servers on loopback, well-behaved and not."""

import asyncio
import gzip
import socket
from collections.abc import Sequence
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import uvloop

from identity.config import Purpose, Settings
from identity.messaging.guarded_client import Answer, GuardedClient, OutboundFailed, OutboundRefused
from identity.messaging.lanes import AT_ONCE_PER_HOST
from identity.storage.database import in_transaction
from tests.messaging.servers import Names, Talk, raw_server
from tests.support.authority import Authority, server_context
from tests.support.receiver import Receiver, Reply

pytestmark = pytest.mark.long

CLIENT = Purpose.CLIENT_METADATA
AT_HOME = {"localhost": [["127.0.0.1"]], "neighbour.example": [["127.0.0.1"]]}


def fetch(url: str, *, names: Names | None = None, settings: Settings | None = None, **options: Any) -> Answer:
    client = GuardedClient(settings or Settings(test_mode=True), resolve=names or Names(AT_HOME))
    try:
        return uvloop.run(client.fetch(url, **({"purpose": CLIENT} | options)))
    finally:
        client.close()


def test_what_is_sent(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    receiver.answer("/hook", Reply(201, "done", (("X-Two", "a"), ("X-Two", "b"), ("Set-Cookie", "c=d"))))
    answer = fetch(
        receiver.url("/hook?x=%20y#fragment"), method="POST", headers=[("Content-Type", "text/plain")], body=b"hello"
    )
    assert (answer.status, answer.body, answer.headers["x-two"]) == (201, b"done", "a, b")
    (request,) = receiver.at("/hook")
    assert (request.method, request.query, request.body) == ("POST", {"x": " y"}, b"hello")
    assert request.headers == {
        "host": f"localhost:{receiver.port}",
        "user-agent": "identity",
        "connection": "close",
        "accept-encoding": "identity",
        "content-length": "5",
        "content-type": "text/plain",
    }


@pytest.mark.parametrize("name", ["Host", "content-length", "Transfer-Encoding", "Connection"])
def test_a_caller_may_not_set_the_clients_own_headers(receiver: Receiver, name: str) -> None:
    with pytest.raises(ValueError, match="sets itself"):
        fetch(receiver.url("/"), headers=[(name, "other.example")])


def test_a_header_cannot_carry_another(receiver: Receiver) -> None:
    with pytest.raises(OutboundRefused):
        fetch(receiver.url("/"), headers=[("X", "a\r\nHost: other.example")])
    assert not receiver.received


def test_an_error_status_is_an_answer(receiver: Receiver) -> None:
    receiver.answer("/x", Reply(503, "later"))
    assert fetch(receiver.url("/x")).status == 503


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(receiver: Receiver, status: int) -> None:
    receiver.answer("/x", Reply(status, headers=(("location", receiver.url("/secret")),)))
    assert fetch(receiver.url("/x")).status == status
    assert not receiver.at("/secret")


def test_the_limit_is_exact(receiver: Receiver) -> None:
    receiver.answer("/x", Reply(200, b"a" * 1000))
    assert len(fetch(receiver.url("/x"), limit=1000).body) == 1000
    with pytest.raises(OutboundFailed, match="longer than 999"):
        fetch(receiver.url("/x"), limit=999)
    assert fetch(receiver.url("/x"), limit=0).body == b""


HEAD = b"HTTP/1.1 200 OK\r\n"


def endless_body(connection: socket.socket) -> None:
    connection.sendall(HEAD + b"\r\n")
    while True:
        connection.sendall(b"a" * 10_000)


def endless_chunks(connection: socket.socket) -> None:
    connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"1\r\na\r\n" * 1000)


def endless_head(connection: socket.socket) -> None:
    connection.sendall(HEAD)
    while True:
        connection.sendall(b"X-A: b\r\n")


def endless_header(connection: socket.socket) -> None:
    connection.sendall(HEAD + b"X: ")
    while True:
        connection.sendall(b"a" * 1000)


def endless_interim(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n")


def announced(connection: socket.socket) -> None:
    connection.sendall(HEAD + b"Content-Length: 1000000\r\n\r\n")
    connection.recv(1)


def compressed(connection: socket.socket) -> None:
    body = gzip.compress(b"\0" * 10_000_000)
    connection.sendall(HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


def half(connection: socket.socket) -> None:
    connection.sendall(HEAD + b"Content-Length: 100\r\n\r\nonly this")


def nothing(connection: socket.socket) -> None:
    """The connection ends at once."""


def other_protocol(connection: socket.socket) -> None:
    connection.sendall(b"220 mail.example ESMTP\r\n\r\n")


def two_lengths(connection: socket.socket) -> None:
    connection.sendall(HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab")


@pytest.mark.parametrize(
    ("talk", "cause"),
    [
        (endless_body, "longer than 65536"),
        (endless_chunks, "too many pieces"),
        (endless_head, "too long"),
        (endless_header, "too long"),
        (endless_interim, "too many pieces"),
        (announced, "longer than 65536"),
        (compressed, "compressed"),
        (half, "without sending complete"),
        (nothing, "ended before the answer"),
        (other_protocol, "illegal status line"),
        (two_lengths, "Content-Length"),
    ],
)
def test_a_server_that_misbehaves(talk: Talk, cause: str) -> None:
    with raw_server(talk) as server, pytest.raises(OutboundFailed, match=cause) as failed:
        fetch(server.url, timeout=30)
    assert failed.value.public == "The address could not be fetched."


@pytest.mark.parametrize("first", [b"", HEAD, HEAD + b"Content-Length: 100\r\n\r\n"])
def test_a_slow_drip_ends_with_the_time(first: bytes) -> None:
    """However the bytes trickle: the time is for the whole, not for a read."""
    ended = Event()

    def drip(connection: socket.socket) -> None:
        connection.sendall(first)
        while not ended.wait(0.01):
            connection.sendall(b"a")

    with raw_server(drip) as server:
        with pytest.raises(OutboundFailed, match=r"no answer within 0\.3 s"):
            fetch(server.url, timeout=0.3)
        ended.set()


def test_an_answer_that_ends_with_the_connection() -> None:
    def until_close(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n" + HEAD + b"\r\nall of it")

    with raw_server(until_close) as server:
        assert fetch(server.url).body == b"all of it"


@pytest.mark.parametrize("host", ["localhost", "neighbour.example"])
def test_tls_under_the_given_authority(tls_receiver: Receiver, ca_file: Path, host: str) -> None:
    settings = Settings(test_mode=True, outbound_ca_file={CLIENT: ca_file})
    url = f"https://{host}:{tls_receiver.port}/x"
    assert fetch(url, settings=settings).status == 200
    # For one purpose is not for another.
    with pytest.raises(OutboundFailed, match="certificate"):
        fetch(url, settings=settings, purpose=Purpose.NOTIFY)
    assert fetch(url, settings=Settings(test_mode=True, outbound_ca_file=ca_file), purpose=Purpose.NOTIFY).status == 200


def test_tls_refuses_a_certificate_of_another_name(tls_receiver: Receiver, ca_file: Path) -> None:
    settings = Settings(test_mode=True, outbound_ca_file=ca_file)
    names = Names({"other.example": [["127.0.0.1"]]})
    with pytest.raises(OutboundFailed, match="certificate"):
        fetch(f"https://other.example:{tls_receiver.port}/x", settings=settings, names=names)
    assert not tls_receiver.received


def test_tls_refuses_an_expired_certificate(authority: Authority, ca_file: Path, tmp_path: Path) -> None:
    expired = Receiver(server_context(tmp_path, authority.issue(days=-1)))
    try:
        with pytest.raises(OutboundFailed, match="expired"):
            fetch(expired.url("/x"), settings=Settings(test_mode=True, outbound_ca_file=ca_file))
    finally:
        expired.close()


def test_the_next_address_of_a_name_is_tried(receiver: Receiver) -> None:
    with socket.create_server(("127.0.0.2", 0)) as nobody:
        port = nobody.getsockname()[1]
    names = Names({"localhost": [["127.0.0.3", "127.0.0.2", "127.0.0.1"]]})
    assert fetch(receiver.url("/x"), names=names).status == 200
    with pytest.raises(OutboundFailed, match="ConnectionRefusedError"):
        fetch(f"http://localhost:{port}/", names=Names({"localhost": [["127.0.0.2"]]}))


def test_a_name_that_does_not_exist() -> None:
    with pytest.raises(OutboundFailed, match="not known"):
        fetch("https://nobody.example/", names=Names({}))


def test_no_request_inside_a_transaction(receiver: Receiver) -> None:
    token = in_transaction.set(True)
    try:
        with pytest.raises(AssertionError, match="inside a database transaction"):
            fetch(receiver.url("/x"))
    finally:
        in_transaction.reset(token)


def test_a_slow_host_delays_no_other(receiver: Receiver) -> None:
    """Its queue is its own, and so are the threads in which names of its purpose are looked up."""
    going_on = Event()
    slow = receiver.answer("/slow", Reply(after=going_on))
    names = Names({"localhost": [["127.0.0.1"]], "b.localhost": [["127.0.0.1"]]})
    client = GuardedClient(Settings(test_mode=True), resolve=names)

    async def run() -> int:
        waiting = [asyncio.create_task(client.fetch(slow, purpose=CLIENT, timeout=60)) for _ in range(100)]
        while len(receiver.at("/slow")) < AT_ONCE_PER_HOST:
            await asyncio.sleep(0.01)
        other = receiver.url("/x").replace("localhost", "b.localhost")
        assert (await client.fetch(other, purpose=CLIENT)).status == 200
        at_once = len(receiver.at("/slow"))
        going_on.set()
        assert {answer.status for answer in await asyncio.gather(*waiting)} == {200}
        return at_once

    assert uvloop.run(run()) == AT_ONCE_PER_HOST
    client.close()


def test_slow_name_servers_of_one_purpose_delay_no_other(receiver: Receiver) -> None:
    going_on = Event()

    def resolve(host: str, port: int) -> Sequence[str]:
        if host != "localhost":
            going_on.wait(30)
        return ["127.0.0.1"]

    client = GuardedClient(Settings(test_mode=True), resolve=resolve)

    async def run() -> None:
        slow = [
            asyncio.create_task(client.fetch(f"https://h{n}.example/", purpose=CLIENT, timeout=60)) for n in range(50)
        ]
        await asyncio.sleep(0)
        assert (await client.fetch(receiver.url("/x"), purpose=Purpose.NOTIFY)).status == 200
        for task in slow:
            task.cancel()
        going_on.set()
        await asyncio.gather(*slow, return_exceptions=True)

    uvloop.run(run())
    client.close()
