"""The edge over raw sockets: what is answered, refused and closed."""

import pickle
from collections.abc import Iterator

import pytest

from identity.web.http_protocol import BODY_SECONDS, LimitedProtocol, Limits, limited_protocol, refused
from tests.web.edge_server import EdgeServer, read_all, read_answer, send_until_closed, status_of

pytestmark = pytest.mark.long

POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def edge() -> Iterator[EdgeServer]:
    with EdgeServer() as server:
        yield server


@pytest.fixture(scope="module")
def hasty() -> Iterator[EdgeServer]:
    """Short deadlines, so that a test waits for the server and not for the clock."""
    with EdgeServer(head_seconds=0.2, body_seconds=0.2, timeout_keep_alive=1) as server:
        yield server


def test_requests_on_one_connection(edge: EdgeServer) -> None:
    with edge.connect() as connection:
        for number in range(5):
            connection.sendall(POST + b"Content-Length: %d\r\n\r\n" % number + b"x" * number)
            assert read_answer(connection).endswith(b"\r\n\r\n%d /" % number)


@pytest.mark.spec("RFC 9112", "9.3.2")
def test_pipelined_requests_are_answered_in_order(edge: EdgeServer) -> None:
    paths = b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number for number in range(4))
    answer = edge.exchange(paths + b"GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    bodies = [part.split(b"\r\n")[0] for part in answer.split(b"\r\n\r\n")[1:]]
    assert [body.split(b"HTTP")[0] for body in bodies] == [b"0 /0", b"0 /1", b"0 /2", b"0 /3", b"0 /last"]


def test_a_head_in_single_bytes(edge: EdgeServer) -> None:
    request = POST + b"Content-Length: 3\r\n\r\nabc"
    assert edge.status(*(request[at : at + 1] for at in range(len(request)))) == 200


def test_a_large_body_of_many_pieces(edge: EdgeServer) -> None:
    size = 3 << 20
    assert b"%d /" % size in edge.exchange(
        POST + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % size, b"x" * size
    )


def test_a_large_chunked_body(edge: EdgeServer) -> None:
    chunks = b"".join(b"%x\r\n" % 1000 + b"x" * 1000 + b"\r\n" for _ in range(300)) + b"0\r\n\r\n"
    assert edge.status(CHUNKED, chunks) == 200
    assert len(edge.seen[-1][1]) == 300_000


def test_a_body_of_small_chunks(edge: EdgeServer) -> None:
    assert edge.status(CHUNKED, b"1\r\nx\r\n" * 40_000 + b"0\r\n\r\n") == 200
    assert edge.seen[-1][1] == b"x" * 40_000


@pytest.mark.parametrize("size", [30_000, 32_600])
def test_a_head_below_the_limit(edge: EdgeServer, size: int) -> None:
    assert edge.status(POST + b"X: " + b"a" * size + b"\r\n\r\n") == 200


@pytest.mark.spec("RFC 6585", "5")
@pytest.mark.parametrize("shape", ["one header", "the path", "after a request", "line ends"])
def test_a_head_above_the_limit(edge: EdgeServer, shape: str) -> None:
    long = {
        "one header": POST + b"X: " + b"a" * 70_000,
        "the path": b"GET /" + b"a" * 70_000,
        "after a request": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "line ends": POST + b"A: b\r\n" * 12_000,
    }[shape]
    with edge.connect() as connection:
        connection.sendall(long)
        if shape == "after a request":
            assert status_of(read_answer(connection)) == 200
            connection.sendall(b"GET / HTTP/1.1\r\nX: " + b"a" * 70_000)
        answer = read_all(connection)
    assert status_of(answer) == 431
    assert b"connection: close" in answer


def test_refusals_are_counted(edge: EdgeServer) -> None:
    before = refused[431]
    assert edge.status(POST + b"X: " + b"a" * 40_000) == 431
    assert refused[431] == before + 1


def test_a_hundred_headers_and_one_more(edge: EdgeServer) -> None:
    assert edge.status(POST + b"A: b\r\n" * 99 + b"\r\n") == 200
    assert edge.status(POST + b"A: b\r\n" * 100 + b"\r\n") == 431


BAD_HEADS = {
    "content-length twice": POST + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
    "two content-lengths": POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "content-length list": POST + b"Content-Length: 1, 1\r\n\r\na",
    "content-length +1": POST + b"Content-Length: +1\r\n\r\na",
    "content-length -1": POST + b"Content-Length: -1\r\n\r\na",
    "content-length 0x1": POST + b"Content-Length: 0x1\r\n\r\na",
    "content-length empty": POST + b"Content-Length:\r\n\r\na",
    "content-length overflow": POST + b"Content-Length: 99999999999999999999\r\n\r\na",
    "content-length and chunked": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked and content-length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "chunked twice": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "gzip, chunked": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "gzip and chunked": POST + b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "identity": POST + b"Transfer-Encoding: identity\r\n\r\n",
    "xchunked": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "vertical tab": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "space before colon": POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "chunked in HTTP/1.0": b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "folded header": POST + b"X: a\r\n b\r\n\r\n",
    "folded by tab": POST + b"X: a\r\n\tb\r\n\r\n",
    "folded framing": POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "NUL in a value": POST + b"X: a\0b\r\n\r\n",
    "NUL in a name": POST + b"X\0: a\r\n\r\n",
    "bare CR": POST + b"X: a\rY: b\r\n\r\n",
    "bare LF": POST + b"X: a\nY: b\r\n\r\n",
    "LF only": b"GET / HTTP/1.1\nHost: a\n\n",
    "escape": POST + b"X: a\x1b[31m\r\n\r\n",
    "no name": POST + b": a\r\n\r\n",
    "no colon": POST + b"X\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "NUL in the path": b"GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n",
    "bytes in the path": b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
    "unknown method": b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n",
    "CONNECT": b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n",
    "another protocol": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}


@pytest.mark.spec("RFC 9112", "11.2")
@pytest.mark.parametrize("name", BAD_HEADS)
def test_a_malformed_head_is_refused(edge: EdgeServer, name: str) -> None:
    reached = len(edge.seen)
    answer = edge.exchange(BAD_HEADS[name])
    assert status_of(answer) == 400
    assert answer.count(b"HTTP/1.1 ") == 1
    assert len(edge.seen) == reached


def test_nothing_is_read_behind_a_refused_head(edge: EdgeServer) -> None:
    smuggled = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
    for head in (BAD_HEADS["content-length and chunked"], BAD_HEADS["folded header"]):
        assert edge.exchange(head + smuggled).count(b"HTTP/1.1 ") == 1
    assert not [scope for scope, _ in edge.seen if scope["path"] == "/smuggled"]


@pytest.mark.parametrize("version", [b"HTTP/0.9", b"HTTP/2.0"])
def test_other_versions(edge: EdgeServer, version: bytes) -> None:
    assert edge.status(b"GET / " + version + b"\r\nHost: a\r\n\r\n") == 505


def test_http_1_0_without_host(edge: EdgeServer) -> None:
    assert status_of(edge.exchange(b"GET / HTTP/1.0\r\n\r\n")) == 200


@pytest.mark.spec("RFC 9110", "6.5.1")
def test_trailers_do_not_become_headers(edge: EdgeServer) -> None:
    assert edge.status(CHUNKED + b"1\r\na\r\n0\r\nAuthorization: Bearer stolen\r\nHost: b\r\n\r\n") == 200
    assert [name for name, _ in edge.seen[-1][0]["headers"]] == [b"host", b"transfer-encoding"]


@pytest.mark.parametrize("framing", [b"1;" + b"a" * 200_000, b"1\r\na\r\n0\r\nX: " + b"a" * 200_000])
def test_a_chunked_body_of_framing_only(edge: EdgeServer, framing: bytes) -> None:
    assert edge.status(CHUNKED, framing) == 400


@pytest.mark.parametrize("chunk", [b"-1\r\na\r\n", b"fffffffffffffffff\r\na\r\n", b"1\na\n", b"2\r\nabc\r\n"])
def test_a_malformed_chunk(edge: EdgeServer, chunk: bytes) -> None:
    reached = len(edge.seen)
    assert edge.status(CHUNKED, chunk) == 400
    assert len(edge.seen) == reached


@pytest.mark.spec("RFC 9110", "7.8")
def test_an_upgrade_is_not_agreed_to(edge: EdgeServer) -> None:
    upgrade = b"GET /up HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    answer = edge.exchange(upgrade + b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
    assert status_of(answer) == 200
    assert answer.endswith(b"0 /up")


def test_a_bad_request_behind_a_good_one_does_not_garble_its_answer(edge: EdgeServer) -> None:
    answer = edge.exchange(POST + b"Content-Length: 1\r\n\r\naBAD\0REQUEST\r\n\r\n")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert answer.endswith(b"1 /")


@pytest.mark.spec("RFC 9110", "10.1.1")
def test_a_client_that_waits_for_100_continue(edge: EdgeServer) -> None:
    with edge.connect() as connection:
        connection.sendall(POST + b"Expect: 100-continue\r\nContent-Length: 1\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"a")
        assert read_answer(connection).endswith(b"1 /")


def test_an_answer_before_the_body_is_read(edge: EdgeServer) -> None:
    with edge.connect() as connection:
        connection.sendall(b"POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n")
        assert status_of(read_answer(connection)) == 200
        connection.sendall(b"123456789GET /next HTTP/1.1\r\nHost: a\r\n\r\n")
        assert read_answer(connection).endswith(b"0 /next")


def test_a_body_nobody_reads_any_more_is_not_taken_for_ever(hasty: EdgeServer) -> None:
    with hasty.connect() as connection:
        connection.sendall(b"POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: 900000000\r\n\r\n")
        assert status_of(read_answer(connection)) == 200
        assert send_until_closed(connection, b"x" * 1_000_000, 900)


@pytest.mark.spec("RFC 9110", "15.5.9")
def test_a_slow_head(hasty: EdgeServer) -> None:
    assert status_of(hasty.exchange(POST + b"X: a")) == 408
    assert status_of(hasty.exchange(b"GET / HTTP/1.1\r\nHost: a\r\nX")) == 408


def test_a_slow_head_behind_a_request(hasty: EdgeServer) -> None:
    with hasty.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHo")
        assert status_of(read_answer(connection)) == 200
        assert status_of(read_all(connection)) == 408


def test_a_connection_that_says_nothing(hasty: EdgeServer) -> None:
    assert hasty.exchange() == b""


def test_line_ends_do_not_keep_a_connection(hasty: EdgeServer) -> None:
    with hasty.connect() as connection:
        assert send_until_closed(connection, b"\r\n" * 50, 1_000_000)


def test_an_idle_connection(hasty: EdgeServer) -> None:
    answer = hasty.exchange(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answer.endswith(b"0 /")


@pytest.mark.parametrize("start", [POST + b"Content-Length: 9\r\n\r\nabc", CHUNKED + b"5\r\nab"])
def test_a_slow_body(hasty: EdgeServer, start: bytes) -> None:
    hasty.disconnected.clear()
    assert status_of(hasty.exchange(start)) == 408
    assert hasty.disconnected.wait(10)


def test_a_reader_that_does_not_read(hasty: EdgeServer) -> None:
    with hasty.connect() as connection:
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        # Another connection that goes idle and is closed shows that the deadline of this one is long over.
        hasty.exchange(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert len(read_all(connection)) < 16 << 20


def test_the_factory_goes_to_spawned_workers() -> None:
    factory = pickle.loads(pickle.dumps(limited_protocol(5000, 3.0)))
    assert factory.func is LimitedProtocol
    assert factory.keywords == {"limits": Limits(head_bytes=5000, head_seconds=3.0, body_seconds=BODY_SECONDS)}
