"""Attack row 32: heads that are huge, endless or slow, and what the others get meanwhile."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from tests.web.edge_server import EdgeServer, read_all, read_answer, status_of

MEGABYTE = b"a" * (1 << 20)
START = b"GET / HTTP/1.1\r\nHost: a\r\nX: "


@pytest.fixture(scope="module")
def edge() -> Iterator[EdgeServer]:
    with EdgeServer() as server:
        yield server


class Others:
    """Two clients that go on asking for as long as the attack lasts, each on a connection of its own."""

    def __init__(self, edge: EdgeServer) -> None:
        self._edge = edge
        self._over = threading.Event()
        self.right = 0
        self.wrong: list[bytes] = []

    def _ask(self) -> None:
        number = 0
        with self._edge.connect() as connection:
            while not self._over.is_set() or number < 50:
                number += 1
                path = b"/%d-%d" % (threading.get_ident(), number)
                connection.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: a\r\n\r\n")
                answer = read_answer(connection)
                if status_of(answer) == 200 and answer.endswith(b"\r\n\r\n0 " + path):
                    self.right += 1
                else:
                    self.wrong.append(answer)
                    return

    @contextlib.contextmanager
    def asking(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in threads:
                thread.join(60)
        assert self.wrong == []
        assert self.right >= 100


def push(connection: socket.socket, megabytes: int) -> int:
    """Sends one endless header; says how many megabytes the server took before it closed."""
    connection.sendall(START)
    for taken in range(megabytes):
        try:
            connection.sendall(MEGABYTE)
        except ConnectionError:
            return taken
    return megabytes


def test_a_header_of_one_megabyte(edge: EdgeServer) -> None:
    with Others(edge).asking():
        for _ in range(10):
            assert edge.status(START, MEGABYTE[:-200], b"\r\n\r\n") == 431


def test_a_header_of_sixty_four_megabytes(edge: EdgeServer) -> None:
    with Others(edge).asking():
        for _ in range(4):
            with edge.connect() as connection:
                # What the kernels' buffers hold is taken by nobody.
                assert push(connection, 64) < 32


def test_ten_thousand_headers(edge: EdgeServer) -> None:
    with Others(edge).asking():
        for _ in range(10):
            assert edge.status(b"GET / HTTP/1.1\r\nHost: a\r\n" + b"A: b\r\n" * 10_000 + b"\r\n") == 431
            assert edge.status(b"GET / HTTP/1.1\r\nHost: a\r\n" + b"A:\r\n" * 5_000 + b"\r\n") == 431


def test_a_path_of_one_megabyte(edge: EdgeServer) -> None:
    with Others(edge).asking():
        for _ in range(10):
            assert edge.status(b"GET /", MEGABYTE, b" HTTP/1.1\r\nHost: a\r\n\r\n") == 431


def test_two_hundred_slow_heads() -> None:
    with EdgeServer(head_seconds=2.0) as edge, Others(edge).asking(), contextlib.ExitStack() as stack:
        connections = [stack.enter_context(edge.connect()) for _ in range(200)]
        for connection in connections:
            connection.sendall(START)
        for connection in connections:
            # A byte now and then does not move the deadline: it is the whole head's.
            with contextlib.suppress(ConnectionError):
                connection.sendall(b"a")
        assert [status_of(read_all(connection)) for connection in connections] == [408] * 200


def test_a_head_that_never_ends_is_over_at_its_deadline() -> None:
    with EdgeServer(head_seconds=0.3) as edge, edge.connect() as connection:
        connection.sendall(START)
        connection.settimeout(0.01)
        answer = b""
        for _ in range(2000):
            try:
                answer = connection.recv(4096)
                break
            except TimeoutError:
                connection.sendall(b"a")
        assert status_of(answer) == 408


def test_endless_chunk_extensions_and_trailers(edge: EdgeServer) -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    with Others(edge).asking():
        for framing in (b"1;", b"1\r\na\r\n0\r\nX: "):
            assert edge.status(head + framing, MEGABYTE) == 400
