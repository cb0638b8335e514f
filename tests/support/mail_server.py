"""Somebody else's mail server on loopback (RFC 5321): it keeps what it receives, and answers as it is told.

server.answer("RCPT", "450 4.7.1 later", "250 ok")  # the first time 450, from then on 250
(mail,) = server.wait_for()

`clear` is every line that came without TLS.
"""

import base64
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from threading import Condition, Event, Thread
from typing import Literal

Mode = Literal["implicit", "starttls", "none"]


@dataclass(frozen=True)
class Mail:
    """One mail that was taken; `user` is who logged in."""

    sender: str
    recipients: tuple[str, ...]
    data: bytes
    secure: bool
    user: str

    @property
    def message(self) -> EmailMessage:
        read = message_from_bytes(self.data, policy=default)
        assert isinstance(read, EmailMessage)
        return read

    def part(self, kind: str) -> str:
        """The text of the part `plain` or `html`, with plain line ends."""
        body = self.message.get_body((kind,))
        assert body is not None
        text: str = body.get_content()
        return text.replace("\r\n", "\n")


class MailServer:
    def __init__(
        self, tls: ssl.SSLContext | None = None, mode: Mode = "none", *, password: str = "", extensions: str = ""
    ) -> None:
        """With a `password` only who logs in with it may send; `extensions` are further words of EHLO."""
        self.mails: list[Mail] = []
        self.clear: list[str] = []
        self.connections = 0
        self.tls = tls
        self.mode = mode
        self.password = password
        self.extensions = extensions.split()
        self.offers_starttls = mode == "starttls"
        self._answers: dict[str, list[str]] = {}
        self._silent: dict[str, Event] = {}
        self._asked = Event()
        self._arrived = Condition()
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = Thread(target=self._accept, daemon=True)
        self._thread.start()

    def answer(self, verb: str, *replies: str) -> None:
        """What the commands of this name get, in turn; the last one again and again. `.` is the end of the data."""
        self._answers[verb] = list(replies)

    def silent_at(self, verb: str) -> Event:
        """Say nothing to this command until the event is set; `wait_until_asked` tells when it came."""
        self._silent[verb] = Event()
        return self._silent[verb]

    def wait_until_asked(self) -> None:
        assert self._asked.wait(15), "the command did not come"

    def wait_for(self, count: int = 1, seconds: float = 15) -> list[Mail]:
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.mails) >= count, seconds), f"{len(self.mails)} mails came"
            return list(self.mails)

    def close(self) -> None:
        for event in self._silent.values():
            event.set()
        # On Linux this ends `accept`, which closing alone does not.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for connection in self._open:
            connection.close()

    def reply(self, verb: str, usual: str) -> str:
        if verb in self._silent:
            self._asked.set()
            self._silent[verb].wait(30)
        given = self._answers.get(verb)
        if not given:
            return usual
        return given.pop(0) if len(given) > 1 else given[0]

    def take(self, mail: Mail) -> None:
        with self._arrived:
            self.mails.append(mail)
            self._arrived.notify_all()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            if self.mode == "implicit":
                assert self.tls is not None
                connection = self.tls.wrap_socket(connection, server_side=True)
            with _Session(self, connection) as session:
                session.run()
        except OSError:
            pass  # the caller had enough, or does not trust us
        finally:
            connection.close()


class _Session:
    """One connection."""

    def __init__(self, server: MailServer, connection: socket.socket) -> None:
        self._server = server
        self._use(connection)
        self._user = ""
        self._sender = ""
        self._recipients: list[str] = []
        self._commands: dict[str, Callable[[str], str]] = {
            "EHLO": self._ehlo, "STARTTLS": lambda _: "220 go ahead", "AUTH": self._auth, "MAIL": self._mail,
            "RCPT": self._rcpt, "DATA": self._data, "RSET": lambda _: "250 ok", "QUIT": lambda _: "221 bye",
        }  # fmt: skip

    def __enter__(self) -> "_Session":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._connection.close()

    def _use(self, connection: socket.socket) -> None:
        self._connection = connection
        self._secure = isinstance(connection, ssl.SSLSocket)
        self._file = connection.makefile("rb")

    def run(self) -> None:
        self._say(self._server.reply("CONNECT", "220 mail.example ESMTP"))
        while line := self._read():
            verb, _, rest = line.partition(" ")
            handler = self._commands.get(verb.upper())
            given = self._server.reply(verb.upper(), "") if verb.upper() != "DATA" else ""
            said = given or (handler(rest) if handler else "502 what?")
            if given[:1] == "2" and handler is not None and verb.upper() in ("MAIL", "RCPT"):
                handler(rest)
            self._say(said)
            if verb.upper() == "STARTTLS" and said.startswith("220"):
                assert self._server.tls is not None
                self._file.close()
                self._use(self._server.tls.wrap_socket(self._connection, server_side=True))
            if verb.upper() == "QUIT":
                return

    def _read(self) -> str:
        line = self._file.readline().decode("utf-8", "replace").rstrip("\r\n")
        if not self._secure:
            self._server.clear.append(line)
        return line

    def _say(self, text: str) -> None:
        self._connection.sendall(text.encode() + b"\r\n")

    def _ehlo(self, _: str) -> str:
        words = ["mail.example", *self._server.extensions]
        if self._server.offers_starttls and not self._secure:
            words.append("STARTTLS")
        if self._server.password:
            words.append("AUTH PLAIN")
        return "\r\n".join(f"250{' ' if word is words[-1] else '-'}{word}" for word in words)

    def _auth(self, rest: str) -> str:
        _, user, password = base64.b64decode(rest.partition(" ")[2]).decode().split("\0")
        if password != self._server.password:
            return "535 5.7.8 wrong"
        self._user = user
        return "235 2.7.0 welcome"

    def _mail(self, rest: str) -> str:
        if self._server.password and not self._user:
            return "530 5.7.0 log in first"
        self._sender, self._recipients = rest[rest.index("<") + 1 : rest.index(">")], []
        return "250 ok"

    def _rcpt(self, rest: str) -> str:
        self._recipients.append(rest[rest.index("<") + 1 : rest.index(">")])
        return "250 ok"

    def _data(self, _: str) -> str:
        said = self._server.reply("DATA", "354 go on")
        if not said.startswith("354"):
            return said
        self._say(said)
        lines = []
        while (line := self._file.readline()) != b".\r\n":
            if not line:
                return ""
            lines.append(line[1:] if line.startswith(b".") else line)
        said = self._server.reply(".", "250 2.0.0 taken as 42")
        if said.startswith("2"):
            taken = Mail(self._sender, tuple(self._recipients), b"".join(lines), self._secure, self._user)
            self._server.take(taken)
        return said


@contextmanager
def mail_server(
    tls: ssl.SSLContext | None = None, mode: Mode = "none", *, password: str = "", extensions: str = ""
) -> Iterator[MailServer]:
    server = MailServer(tls, mode, password=password, extensions=extensions)
    try:
        yield server
    finally:
        server.close()
