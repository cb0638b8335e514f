"""A real uvicorn server with the limited protocol around a tiny application, in a thread, and raw clients."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import uvicorn

from identity.web.http_protocol import limited_protocol


class EdgeServer:
    """`address` to connect to; `seen` are the scopes and bodies that reached the application."""

    def __init__(self, **limits: Any) -> None:
        self.seen: list[tuple[dict[str, Any], bytes]] = []
        self.disconnected = threading.Event()
        protocol = limited_protocol(
            limits.pop("head_limit", 32768), limits.pop("head_seconds", 10.0), limits.pop("body_seconds", 30.0)
        )
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._socket.getsockname()
        self._started = threading.Event()
        config = uvicorn.Config(
            self._app,
            http=protocol,
            interface="asgi3",
            loop="uvloop",
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            **limits,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]})

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            self._started.set()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        body = b""
        if scope["path"] != "/unread":
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    self.disconnected.set()
                    return
                body += message["body"]
                more = message["more_body"]
        self.seen.append((scope, body))
        answer = b"%d %s" % (len(body), scope["path"].encode())
        if scope["path"] == "/large":
            answer = b"x" * (16 << 20)
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-length", str(len(answer)).encode())],
            }
        )
        await send({"type": "http.response.body", "body": answer})

    def __enter__(self) -> "EdgeServer":
        self._thread.start()
        assert self._started.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(20)
        self._socket.close()
        assert not self._thread.is_alive()

    @contextlib.contextmanager
    def connect(self) -> Iterator[socket.socket]:
        with socket.create_connection(self.address, timeout=20) as connection:
            yield connection

    def exchange(self, *pieces: bytes) -> bytes:
        """Everything the server answers until it closes. The client keeps its own half open."""
        with self.connect() as connection:
            for piece in pieces:
                connection.sendall(piece)
            return read_all(connection)

    def status(self, *pieces: bytes) -> int:
        """The status of the first answer; 0 when the connection was closed without one."""
        with self.connect() as connection:
            for piece in pieces:
                with contextlib.suppress(ConnectionError):
                    connection.sendall(piece)
            return status_of(read_answer(connection))

    def get(self, path: str = "/") -> bytes:
        """One whole well-formed request and its answer."""
        with self.connect() as connection:
            connection.sendall(b"GET " + path.encode() + b" HTTP/1.1\r\nHost: a\r\n\r\n")
            return read_answer(connection)


def send_until_closed(connection: socket.socket, piece: bytes, times: int) -> bool:
    """Whether the server closed before `piece` was taken so many times."""
    try:
        for _ in range(times):
            connection.sendall(piece)
    except ConnectionError:
        return True
    return False


def read_all(connection: socket.socket) -> bytes:
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            received += piece
    return received


def read_answer(connection: socket.socket) -> bytes:
    """One answer with a Content-Length, or what came before the end."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while b"\r\n\r\n" not in received:
            piece = connection.recv(65536)
            if not piece:
                return received
            received += piece
        head, _, body = received.partition(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")
        )
        while len(body) < length and (piece := connection.recv(65536)):
            body += piece
        return head + b"\r\n\r\n" + body
    return received


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer else 0
