"""`identity serve`: prepare the database, then answer requests, in one process or several."""

import socket
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from identity.config import Settings
from identity.errors import ConfigurationError

if TYPE_CHECKING:
    import uvicorn

LOOPBACK_HOSTS = ("127.0.0.1", "::1", "localhost")
READY_SECONDS = 60


def run(settings: Settings) -> None:
    """Serve until a signal comes. Prints `ready <base_url>` on stdout once requests are answered."""
    _refuse_shared_environment()
    listener = _listen(settings)
    base_url = settings.base_url or f"http://localhost:{listener.getsockname()[1]}"
    _check_addresses(settings, base_url)
    import uvloop

    from identity.app import prepare

    uvloop.run(prepare(settings, base_url, _say))
    if settings.workers > 1:
        _run_workers(settings, base_url, listener)
    else:
        _run_here(settings, base_url, listener)


def _run_here(settings: Settings, base_url: str, listener: socket.socket) -> None:
    import uvicorn

    class ReadyServer(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started and not self.should_exit:
                announce(settings, base_url)

    server = ReadyServer(_uvicorn_config(settings, base_url, None))
    server.run(sockets=[listener])
    if not server.started:
        raise ConfigurationError("The server could not start; the log above says why.")


def _run_workers(settings: Settings, base_url: str, listener: socket.socket) -> None:
    import tempfile

    from uvicorn.supervisors import Multiprocess

    with tempfile.TemporaryDirectory(prefix="identity-metrics-") as folder:
        config = _uvicorn_config(settings, base_url, Path(folder))
        threading.Thread(target=_announce_when_ready, args=(settings, base_url, listener), daemon=True).start()
        Multiprocess(config, sockets=[listener]).run()


def _uvicorn_config(settings: Settings, base_url: str, metrics_directory: Path | None) -> "uvicorn.Config":
    import uvicorn

    from identity.app import create_app
    from identity.web.http_protocol import limited_protocol

    return uvicorn.Config(
        partial(create_app, settings, base_url, metrics_directory),
        factory=True,
        http=limited_protocol(settings.head_limit, settings.head_seconds),
        ws="none",
        loop="uvloop",
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

        _say(f"\n  Open {base_url}{APP_PATH} and sign in as")
        for username, password, _, _ in USERS:
            _say(f"    {username:8} {password}")
        _say(f"    {ADMINISTRATOR[0]:8} {ADMINISTRATOR[1]}   (administrator)")
        _say(f"\n  Scripts find everything in {settings.data / 'demo.json'}. Ctrl-C stops the server.\n")


def _announce_when_ready(settings: Settings, base_url: str, listener: socket.socket) -> None:
    """Several workers: the first that answers makes the server ready."""
    import http.client

    host, port = listener.getsockname()[:2]
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        try:
            connection = http.client.HTTPConnection(host, port, timeout=1)
            connection.request("GET", "/health/ready")
            if connection.getresponse().status == 200:
                announce(settings, base_url)
                return
        except OSError:
            pass
        time.sleep(0.1)


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(2048)
    except OSError as error:
        raise ConfigurationError(
            f"Cannot listen on {settings.host}:{settings.port}: {error.strerror}. Choose another with --port."
        ) from None
    listener.set_inheritable(True)
    return listener


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
