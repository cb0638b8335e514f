"""What a starting server does not import: everything else is imported on first use (DESIGN §3, Start and memory)."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes import environment

pytestmark = pytest.mark.long

LATER = (
    "alembic", "opentelemetry", "ldap3", "httpx", "authlib", "rich", "jinja2", "babel", "passlib", "asyncpg",
    "fastapi", "starlette", "lxml", "wasmtime", "webauthn",
)  # fmt: skip

_SCRIPT = """
import asyncio, sys
from pathlib import Path
from identity.app import Server, prepare
from identity.config import Settings

settings = Settings(data=Path(sys.argv[1]), master_key="00" * 32)

async def discover():
    server = Server(settings, "http://localhost:8000")
    await server.foundation.open()
    await server.parts.hot.open()
    sent = []
    scope = {"type": "http", "method": "GET", "path": "/oauth2/token/.well-known/openid-configuration",
             "raw_path": b"/oauth2/token/.well-known/openid-configuration", "query_string": b"",
             "headers": [(b"host", b"localhost:8000")], "client": ("127.0.0.1", 1)}
    async def receive():
        return {"type": "http.request", "body": b""}
    async def send(message):
        sent.append(message)
    await server.app(scope, receive, send)
    assert sent[0]["status"] == 200, sent
    await server.parts.hot.close()
    await server.foundation.close()

if sys.argv[2] == "first":
    asyncio.run(prepare(settings, "http://localhost:8000", lambda _: None))
asyncio.run(discover())
print(" ".join(sorted({name.partition(".")[0] for name in sys.modules})))
"""


@pytest.mark.parametrize("start", ["first", "second"])
def test_modules_after_discovery(tmp_path: Path, repository: Path, start: str) -> None:
    def run(which: str) -> set[str]:
        done = subprocess.run(
            [sys.executable, "-c", _SCRIPT, str(tmp_path), which],
            check=False, capture_output=True, text=True, cwd=repository, env=environment(),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return set(done.stdout.split())

    loaded = run("first")
    if start == "second":
        loaded = run("second")
    assert not loaded & set(LATER)
    assert {"identity", "userstores", "sqlalchemy"} <= loaded
