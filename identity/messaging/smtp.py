"""Mail to the installation's own server (RFC 5321): one connection a mail, verified, within a bounded time.

Without TLS a mail is only given to a server on this machine. STARTTLS is required where it is set: a server, or
somebody in between, that does not offer it gets neither password nor mail (RFC 8314 §4.1).
"""

import asyncio
import re
from contextlib import suppress
from dataclasses import dataclass, field
from email.policy import SMTP, SMTPUTF8
from email.utils import parseaddr
from pathlib import Path
from typing import TYPE_CHECKING

from identity.config import LOOPBACK_HOSTS, Settings, SmtpTls
from identity.errors import ConfigurationError
from identity.messaging.mail_addresses import canonical_address
from identity.messaging.outcomes import Outcome, Result
from identity.secrets import Secret

if TYPE_CHECKING:
    from email.message import EmailMessage
    from ssl import SSLContext

    from aiosmtplib import SMTP as Connection

PARTING_SECONDS = 1
_PORTS: dict[SmtpTls, int] = {"implicit": 465, "starttls": 587, "none": 25}
_LONGEST_ANSWER = 300
_NOT_FOR_LOGS = re.compile(r"[^\s@<>]+@[^\s@<>]+")


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """`sender` is the header From, `sender_address` the address in it."""

    host: str
    port: int
    tls: SmtpTls
    sender: str
    sender_address: str
    seconds: float
    user: str = ""
    password: Secret = field(default=Secret(""))
    ca_file: Path | None = None

    @classmethod
    def of(cls, settings: Settings) -> "SmtpServer | None":
        """None: mail is captured. Raises ConfigurationError."""
        if settings.smtp_host is None:
            return None
        if settings.smtp_tls == "none" and settings.smtp_host not in LOOPBACK_HOSTS:
            raise ConfigurationError("Setting smtp_tls: without TLS mail is only given to a server on this machine.")
        _, address = parseaddr(settings.mail_from or "")
        sender_address = canonical_address(address)
        if sender_address is None or not (settings.mail_from or "").isprintable():
            raise ConfigurationError("Setting mail_from must be an address, like `Example <id@example.org>`.")
        if bool(settings.smtp_user) != (settings.smtp_password is not None):
            raise ConfigurationError("Settings smtp_user and smtp_password: give both or neither.")
        if settings.smtp_ca_file is not None:
            _make_context(settings.smtp_ca_file)
        return cls(
            host=settings.smtp_host,
            port=settings.smtp_port or _PORTS[settings.smtp_tls],
            tls=settings.smtp_tls,
            sender=settings.mail_from or "",
            sender_address=sender_address,
            seconds=settings.smtp_timeout,
            user=settings.smtp_user or "",
            password=Secret(settings.smtp_password.get_secret_value() if settings.smtp_password else ""),
            ca_file=settings.smtp_ca_file,
        )

    @property
    def domain(self) -> str:
        """Ours, as this server knows it: in EHLO and in message ids."""
        return self.sender_address.rpartition("@")[2]


class SmtpClient:
    def __init__(self, server: SmtpServer) -> None:
        self.server = server
        self._context: SSLContext | None = None

    async def send(self, message: "EmailMessage", to: str) -> Outcome:
        """One try. `error` of the outcome is the server's answer, without addresses; also when it took the mail."""
        import aiosmtplib

        client = await self._client()
        try:
            async with asyncio.timeout(self.server.seconds):
                await client.connect()
                if self.server.user:
                    await client.login(self.server.user, self.server.password)
                outcome = await self._hand_over(client, message, to)
            await _part(client)
            return outcome
        except TimeoutError:
            return _unreachable(f"no answer within {self.server.seconds:g} s")
        except aiosmtplib.SMTPResponseException as error:
            # Before a mail was offered: what is wrong is the server or our settings, and both can be mended.
            return Outcome(Result.RETRIED, error.code, _said(error.code, error.message), unreachable=True)
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            return _unreachable(f"{type(error).__name__}: {error}")
        finally:
            client.close()

    async def _hand_over(self, client: "Connection", message: "EmailMessage", to: str) -> Outcome:
        """What the server says to this mail: 4xx may change, 5xx will not (RFC 5321 §4.2.1)."""
        import aiosmtplib

        utf8 = not to.isascii()
        data = message.as_bytes(policy=SMTPUTF8 if utf8 else SMTP)
        options = ["SMTPUTF8"] if utf8 else []
        try:
            _, answer = await client.sendmail(self.server.sender_address, [to], data, mail_options=options)
        except aiosmtplib.SMTPNotSupported as error:
            return Outcome(Result.FAILED, error=str(error))
        except aiosmtplib.SMTPRecipientsRefused as error:
            return _refused(error.recipients[0].code, error.recipients[0].message)
        except aiosmtplib.SMTPResponseException as error:
            return _refused(error.code, error.message)
        return Outcome(Result.DELIVERED, 250, _said(250, answer))

    async def _client(self) -> "Connection":
        from aiosmtplib import SMTP as Connection

        server = self.server
        if self._context is None and server.tls != "none":
            # Reading the system's authorities takes some 30 ms.
            self._context = await asyncio.to_thread(_make_context, server.ca_file)
        return Connection(
            hostname=server.host,
            port=server.port,
            use_tls=server.tls == "implicit",
            start_tls=server.tls == "starttls",
            tls_context=self._context,
            local_hostname=server.domain,
            timeout=server.seconds,
        )


async def _part(client: "Connection") -> None:
    """RFC 5321 §4.1.1.10, if the server is quick: what became of the mail is known already."""
    import aiosmtplib

    with suppress(aiosmtplib.SMTPException, OSError):
        async with asyncio.timeout(PARTING_SECONDS):
            await client.quit()


def _make_context(ca_file: Path | None) -> "SSLContext":
    """With certificates and names checked, whatever the settings."""
    import ssl

    context = ssl.create_default_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(f"Setting smtp_ca_file: {ca_file} cannot be read: {error}.") from None
    return context


def _refused(code: int, message: str) -> Outcome:
    return Outcome(Result.FAILED if code >= 500 else Result.RETRIED, code, _said(code, message))


def _unreachable(reason: str) -> Outcome:
    return Outcome(Result.RETRIED, error=_without_addresses(reason), unreachable=True)


def _said(code: int, message: str) -> str:
    return _without_addresses(f"{code} {message}")


def _without_addresses(text: str) -> str:
    """A server's words may name the person, and the delivery log is not the place for that."""
    return _NOT_FOR_LOGS.sub("***", " ".join(text.split()))[:_LONGEST_ANSWER]
