"""The generators: wrk for requests that stand alone, asyncio for those that hang together."""

import asyncio
import json
import os
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from tests.bench.machine import GENERATOR_CORE, command_on_core
from tests.bench.wire import Http, Surprise

_SCRIPT = Path(__file__).with_name("rotate.lua")


@dataclass(frozen=True, slots=True)
class Load:
    """What a generator saw in one window. Latencies are those of a closed loop."""

    seconds: float
    requests: int
    errors: int
    p50_ms: float
    p99_ms: float


def percentile(sorted_values: Sequence[float], share: float) -> float:
    if not sorted_values:
        return 0.0
    return sorted_values[min(len(sorted_values) - 1, int(share * len(sorted_values)))]


def wrk(base_url: str, requests: Sequence[bytes], connections: int, seconds: float) -> Load:
    """`requests` in rotation for a whole number of seconds."""
    with tempfile.NamedTemporaryFile(suffix=".requests") as file:
        file.write(b"\0".join(requests))
        file.flush()
        done = subprocess.run(
            [*command_on_core(GENERATOR_CORE), "wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s",
             "--timeout", "10s", "-s", str(_SCRIPT), base_url.replace("//localhost", "//127.0.0.1")],
            env={**os.environ, "BENCH_REQUESTS": file.name}, capture_output=True, text=True, check=False,
        )  # fmt: skip
    found = [line for line in done.stdout.splitlines() if line.startswith("JSON ")]
    assert found, f"wrk said: {done.stdout} {done.stderr}"
    return Load(**json.loads(found[0][5:]))


Work = Callable[[Http, int], Awaitable[None]]
"""One piece of work of one virtual user (by number) on their connection. Raises Surprise when it goes wrong."""


class Crowd:
    """Virtual users, each with a connection of their own, each beginning anew when done."""

    def __init__(self, base_url: str, users: int, work: Work) -> None:
        self._base_url = base_url
        self._users = users
        self._work = work
        self.times: list[float] = []
        self.errors = 0
        self.surprise = ""

    async def run(self, seconds: float) -> Load:
        """A warm-up is a run whose answer nobody keeps."""
        self.times, self.errors = [], 0
        begun = time.perf_counter()
        await asyncio.gather(*(self.one_user(number, begun + seconds) for number in range(self._users)))
        passed = time.perf_counter() - begun
        times = sorted(self.times)
        return Load(passed, len(times), self.errors, percentile(times, 0.5) * 1000, percentile(times, 0.99) * 1000)

    async def one_user(self, number: int, until: float) -> None:
        async with Http(self._base_url) as http:
            while time.perf_counter() < until:
                begun = time.perf_counter()
                try:
                    await self._work(http, number)
                except Surprise as surprise:
                    self.errors += 1
                    self.surprise = str(surprise)
                else:
                    self.times.append(time.perf_counter() - begun)


class SteadyConnection(asyncio.Protocol):
    """One connection of `SteadyRate`: at most one request under way."""

    def __init__(self, rate: "SteadyRate") -> None:
        self._rate = rate
        self._seen = b""
        self.due = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop has a class of its own

    def data_received(self, data: bytes) -> None:
        seen = self._seen + data if self._seen else data
        head, found, body = seen.partition(b"\r\n\r\n")
        if not found or len(body) < _content_length(head):
            self._seen = seen
            return
        self._seen = b""
        self._rate.answered(self, ok=seen[9:12] == b"200")


class SteadyRate:
    """Requests at a fixed rate whatever the server does. A latency counts from the moment its request was due, so a
    server that stalls is charged for all who would have come meanwhile."""

    def __init__(self, requests: Sequence[bytes], per_second: float, connections: int) -> None:
        self._requests = requests
        self._per_second = per_second
        self._connections = connections
        self._idle: list[SteadyConnection] = []
        self._due: deque[float] = deque()
        self._sent = 0
        self.errors = 0
        self.times: list[float] = []

    async def run(self, base_url: str, seconds: float) -> Load:
        loop = asyncio.get_running_loop()
        port = int(base_url.rpartition(":")[2])
        for _ in range(self._connections):
            _, connection = await loop.create_connection(lambda: SteadyConnection(self), "127.0.0.1", port)
            self._idle.append(connection)
        every = list(self._idle)
        begun, planned = time.perf_counter(), 0
        while (now := time.perf_counter()) < begun + seconds:
            wanted = int((now - begun) * self._per_second)
            self._due.extend(begun + number / self._per_second for number in range(planned, wanted))
            planned = wanted
            while self._due and self._idle:
                self._send(self._idle.pop())
            await asyncio.sleep(0)  # busy on purpose: a timer's millisecond would be most of what is measured
        # Whoever was due and never sent has waited until now at least.
        self.times += [now - due for due in self._due]
        for connection in every:
            connection.transport.close()
        times = sorted(self.times)
        return Load(seconds, len(times), self.errors, percentile(times, 0.5) * 1000, percentile(times, 0.99) * 1000)

    def _send(self, connection: SteadyConnection) -> None:
        connection.due = self._due.popleft()
        connection.transport.write(self._requests[self._sent % len(self._requests)])
        self._sent += 1

    def answered(self, connection: SteadyConnection, *, ok: bool) -> None:
        self.times.append(time.perf_counter() - connection.due)
        self.errors += not ok
        if self._due:
            self._send(connection)
        else:
            self._idle.append(connection)


def _content_length(head: bytes) -> int:
    _, _, rest = head.lower().partition(b"content-length: ")
    return int(rest.partition(b"\r")[0] or 0)
