"""The measure of everything: uvicorn with uvloop and httptools that answers a fixed body of the size in the path."""

import sys
from pathlib import Path
from typing import Any

from tests.bench.machine import SERVER_CORE, on_core
from tests.support.processes import Program, environment

_ROOT = Path(__file__).parents[2]


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    body = b" " * int(scope["path"][1:])
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class BareServer:
    def __init__(self) -> None:
        with on_core(SERVER_CORE):
            self.program = Program(
                [sys.executable, "-m", "tests.bench.bare"], env=environment(PYTHONPATH=str(_ROOT)), cwd=_ROOT
            )
        self.base_url = self.program.wait_for(r"running on (http\S+)")[1]

    def stop(self) -> None:
        self.program.stop()


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(
        app, port=0, loop="uvloop", http="httptools", lifespan="off", ws="none", access_log=False, server_header=False
    )
