"""The limits hold in the worker processes that uvicorn spawns."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.web.edge_server import read_all, status_of

pytestmark = pytest.mark.long

SERVER = """
import uvicorn
from identity.web.http_protocol import limited_protocol

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        print("ready", flush=True)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body"})

if __name__ == "__main__":
    import sys
    uvicorn.run("served:app", fd=int(sys.argv[1]), workers=2, http=limited_protocol(5000, 3.0), log_config=None,
                access_log=False, ws="none", app_dir=sys.argv[2])
"""


def test_two_workers(tmp_path: Path) -> None:
    (tmp_path / "served.py").write_text(SERVER)
    root = Path(__file__).parents[2]
    with socket.create_server(("127.0.0.1", 0)) as listening:
        descriptor = listening.fileno()
        process = subprocess.Popen(
            [sys.executable, str(tmp_path / "served.py"), str(descriptor), str(tmp_path)],
            pass_fds=[descriptor], stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": str(root)},
        )  # fmt: skip
        try:
            assert process.stdout is not None
            assert [process.stdout.readline() for _ in range(2)] == ["ready\n"] * 2
            for length, status in ((100, 200), (6000, 431)) * 4:
                with socket.create_connection(listening.getsockname(), timeout=20) as client:
                    client.sendall(
                        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: " + b"a" * length + b"\r\n\r\n"
                    )
                    assert status_of(read_all(client)) == status
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=30)
