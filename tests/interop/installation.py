"""The installation of docs/test-installations.md: its files and commands as they stand there, with ports of our own."""

import json
import re
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.key_holder import KeyHolder
from tests.support.network import free_ports
from tests.support.outside import find_program, missing
from tests.support.processes import Program, environment
from tests.support.receiver import Receiver

_ROOT = Path(__file__).parents[2]
PAGE = _ROOT / "docs" / "test-installations.md"
SERVE = "identity serve"
FIRST, SECOND = "client1", "client2"


class Installation:
    """Made by `installation`; `suite` is the receiver at the suite's address."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = dict(zip(("8443", "8444", "9443"), map(str, free_ports(3)), strict=True))
        self.keys = {name: KeyHolder("PS256", kid=name) for name in (FIRST, SECOND)}
        self.secrets: dict[str, str] = {}
        self.program: Program | None = None
        self._page = self.told(PAGE.read_text())

    def told(self, text: str) -> str:
        """Text of the page, with our ports in it."""
        return re.sub("8443|8444|9443", lambda found: self.ports[found[0]], text)

    def blocks(self, language: str) -> list[str]:
        """What stands between ``` marks of this language."""
        return re.findall(rf"^```{language}\n(.*?)^```$", self._page, re.MULTILINE | re.DOTALL)

    @property
    def base(self) -> str:
        return f"https://localhost:{self.ports['8443']}"

    @property
    def suite_origin(self) -> str:
        return f"https://localhost:{self.ports['9443']}"

    @property
    def browser_steps(self) -> list[dict[str, Any]]:
        (block,) = self.blocks("json")
        steps: list[dict[str, Any]] = json.loads(block)
        return steps

    @property
    def approval_url(self) -> str:
        (block,) = self.blocks("text")
        return block.strip()

    def set_up(self) -> None:
        """Every command of the page, in its order; the server keeps running."""
        for name, key in self.keys.items():
            (self.folder / f"{name}.jwks").write_text(key.jwks)
        (settings,) = self.blocks("toml")
        (self.folder / "identity.toml").write_text(settings)
        for block in self.blocks("sh"):
            if block.strip() == SERVE:
                self._serve()
            else:
                self.run(block)

    def run(self, script: str) -> str:
        """A shell script as an administrator runs it; what it printed."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.folder, env=self._environment(), capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        for client_id, secret in re.findall(r"^client_id +(\S+)\nclient_secret +(\S+)$", done.stdout, re.MULTILINE):
            self.secrets[client_id] = secret
        return done.stdout

    def context(self, certificate: str | None = None) -> ssl.SSLContext:
        """What a client of the suite connects with."""
        context = ssl.create_default_context(cafile=str(self.folder / "ca.pem"))
        if certificate is not None:
            context.load_cert_chain(self.folder / f"{certificate}.pem", self.folder / f"{certificate}.key")
        return context

    def receiver(self) -> Receiver:
        """The suite's own web server."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "suite.pem", self.folder / "suite.key")
        return Receiver(context, port=int(self.ports["9443"]))

    def stop(self) -> None:
        if self.program is not None:
            self.program.stop()

    def _serve(self) -> None:
        self.program = Program(["bash", "-c", f"exec {SERVE}"], cwd=self.folder, env=self._environment())
        self.program.wait_for(rf"^ready {self.base}$", 30)

    def _environment(self) -> dict[str, str]:
        variables = environment()
        programs = Path(sys.executable).parent
        return variables | {"PATH": f"{programs}:{variables['PATH']}", "PYTHONPATH": str(_ROOT)}


@pytest.fixture(scope="session")
def installation(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Set up once for all profiles."""
    if find_program("openssl") is None:
        missing(pytestconfig, "OpenSSL", "openssl")
    made = Installation(tmp_path_factory.mktemp("test-installation"))
    try:
        made.set_up()
        yield made
    finally:
        made.stop()


@pytest.fixture
def suite(installation: Installation) -> Iterator[Receiver]:
    receiver = installation.receiver()
    try:
        yield receiver
    finally:
        receiver.close()
