"""`identity serve`: prepare the database, then answer requests, in one process or several."""

import socket
import ssl
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from identity.config import LOOPBACK_HOSTS, TEST_MODE, Settings
from identity.errors import ConfigurationError

if TYPE_CHECKING:
    import uvicorn

    from identity.web.tls import ServerContext

READY_SECONDS = 60


def run(settings: Settings) -> None:
    """Serve until a signal comes. Prints `ready <base_url>` on stdout once requests are answered."""
    _refuse_shared_environment()
    _check_tls(settings)
    _check_outbound(settings)
    _check_mail(settings)
    listeners = [_listen(settings, settings.port)]
    scheme = "https" if settings.tls_certificate else "http"
    base_url = settings.base_url or f"{scheme}://localhost:{_port(listeners[0])}"
    _check_addresses(settings, base_url)
    if settings.mtls_port is not None:
        listeners.append(_listen(settings, settings.mtls_port))
        settings = _with_mtls_address(settings, base_url, _port(listeners[1]))
    import uvloop

    from identity.app import prepare

    uvloop.run(prepare(settings, base_url, _say))
    if settings.workers > 1:
        _run_workers(settings, base_url, listeners)
    else:
        _run_here(settings, base_url, listeners)


def _run_here(settings: Settings, base_url: str, listeners: list[socket.socket]) -> None:
    import uvicorn

    class ReadyServer(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started and not self.should_exit:
                announce(settings, base_url)

    server = ReadyServer(_uvicorn_config(settings, base_url, None))
    server.run(sockets=listeners)
    if not server.started:
        raise ConfigurationError("The server could not start; the log above says why.")


def _run_workers(settings: Settings, base_url: str, listeners: list[socket.socket]) -> None:
    import tempfile

    from uvicorn.supervisors import Multiprocess

    with tempfile.TemporaryDirectory(prefix="identity-metrics-") as folder:
        config = _uvicorn_config(settings, base_url, Path(folder))
        threading.Thread(target=_announce_when_ready, args=(settings, base_url, listeners[0]), daemon=True).start()
        Multiprocess(config, sockets=listeners).run()


def _uvicorn_config(settings: Settings, base_url: str, metrics_directory: Path | None) -> "uvicorn.Config":
    import uvicorn

    from identity.app import create_app
    from identity.web.http_protocol import limited_protocol

    return uvicorn.Config(
        partial(create_app, settings, base_url, metrics_directory),
        factory=True,
        http=limited_protocol(settings.head_limit, settings.head_seconds),
        ws="none",
        loop="identity.web.tls:TlsLoop" if settings.tls_certificate else "uvloop",
        ssl_context_factory=partial(_server_context, settings) if settings.tls_certificate else None,
        lifespan="on",
        workers=settings.workers,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=5,
        # Longer than gateways keep their pooled connections idle, so that they close them and not we.
        timeout_keep_alive=75,
    )


def announce(settings: Settings, base_url: str) -> None:
    """Say where it is, for programs (the line that begins with `ready`) and for people."""
    print(f"ready {base_url}", flush=True)
    if settings.demo:
        from identity.demo import ADMINISTRATOR, APP_PATH, USERS
        from identity.demo_mailbox import MAILBOX_PATH

        _say(f"\n  Open {base_url}{APP_PATH} and sign in as")
        for username, password, _, _ in USERS:
            _say(f"    {username:8} {password}")
        _say(f"    {ADMINISTRATOR[0]:8} {ADMINISTRATOR[1]}   (administrator)")
        if settings.smtp_host is None:
            _say(f"\n  Mail is not sent: read it at {base_url}{MAILBOX_PATH}")
        _say(f"\n  Scripts find everything in {settings.data / 'demo.json'}. Ctrl-C stops the server.\n")


def _announce_when_ready(settings: Settings, base_url: str, listener: socket.socket) -> None:
    """Several workers: the first that answers makes the server ready."""
    import http.client

    host, port = listener.getsockname()[:2]
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        try:
            connection = (
                http.client.HTTPSConnection(host, port, timeout=1, context=_unverified())
                if settings.tls_certificate
                else http.client.HTTPConnection(host, port, timeout=1)
            )
            connection.request("GET", "/health/ready")
            if connection.getresponse().status == 200:
                announce(settings, base_url)
                return
        except OSError:
            pass
        time.sleep(0.1)


def _unverified() -> ssl.SSLContext:
    """Asks our own process whether it answers; nothing is told or believed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _listen(settings: Settings, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, port))
        listener.listen(2048)
    except OSError as error:
        raise ConfigurationError(
            f"Cannot listen on {settings.host}:{port}: {error.strerror}. Choose another with --port."
        ) from None
    listener.set_inheritable(True)
    return listener


def _port(listener: socket.socket) -> int:
    port: int = listener.getsockname()[1]
    return port


def _server_context(settings: Settings, *_: object) -> "ServerContext":
    """What uvicorn's `ssl_context_factory` wants; made in each worker, since a context cannot be sent to one."""
    from identity.web.tls import server_context

    assert settings.tls_certificate is not None
    assert settings.tls_key is not None
    return server_context(settings.tls_certificate, settings.tls_key, settings.tls_client_ca, settings.mtls_port)


def _with_mtls_address(settings: Settings, base_url: str, port: int) -> Settings:
    """The settings with the port that was bound, and the address that `mtls_endpoint_aliases` get (RFC 8705 §5)."""
    host = urlsplit(base_url).hostname or ""
    address = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    return settings.model_copy(update={"mtls_port": port, "mtls_base_url": settings.mtls_base_url or address})


def _check_tls(settings: Settings) -> None:
    """The files, before anything is started. Raises ConfigurationError."""
    if (settings.tls_certificate is None) != (settings.tls_key is None):
        raise ConfigurationError("Settings tls_certificate and tls_key: give both or neither.")
    if settings.mtls_port is not None and (settings.tls_certificate is None or settings.tls_client_ca is None):
        raise ConfigurationError("Setting mtls_port needs tls_certificate, tls_key and tls_client_ca.")
    if settings.tls_certificate is not None:
        if settings.base_url is not None and settings.base_url.startswith("http:"):
            raise ConfigurationError("With tls_certificate the base URL must be https.")
        _server_context(settings)


def _check_outbound(settings: Settings) -> None:
    """Raises ConfigurationError for a host, network or file that cannot be read."""
    from identity.messaging.outbound_policy import OutboundPolicy

    OutboundPolicy(settings)
    if settings.test_mode:
        _say(TEST_MODE)


def _check_mail(settings: Settings) -> None:
    """Raises ConfigurationError for a mail server that must not get mail like that."""
    from identity.messaging.smtp import SmtpServer

    SmtpServer.of(settings)


def _check_addresses(settings: Settings, base_url: str) -> None:
    local = settings.host in LOOPBACK_HOSTS
    named = urlsplit(base_url).hostname in LOOPBACK_HOSTS
    if settings.demo and not (local and named):
        raise ConfigurationError("Demo mode has known passwords: it only serves loopback. Leave out --demo or --host.")
    if settings.base_url is None and not local:
        raise ConfigurationError("Set --base-url to the https address people use; it cannot be told from --host.")
    if base_url.startswith("http:") and not named:
        raise ConfigurationError("The base URL must be https; http is for loopback only.")


def _refuse_shared_environment() -> None:
    from identity.commands.environment import shared_environment

    problem = shared_environment()
    if problem:
        raise ConfigurationError(problem)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
