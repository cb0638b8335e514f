"""Scripts in locked worker processes: what `Sandbox` answers, from outside this process (Linux)."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from adaptive_auth.answers import EngineUnavailable, GuestAnswer, Stopped
from adaptive_auth.compile import GuestBroken
from adaptive_auth.limits import Limits
from adaptive_auth.lockdown import Lock
from adaptive_auth.messages import Call, Malformed, frame, parse_reply, reader, receive, request
from adaptive_auth.module_cache import bare_environment, compiled_guest

MARGIN_SECONDS = 2.0
"""A worker ends a run by itself at `wall_seconds`; this much later it is killed."""
START_SECONDS = 30.0
_LOCK_BYTES = 10_000


@dataclass(slots=True)
class Worker:
    """`process` is a descriptor (pidfd_open), so a kill cannot hit another process; `pid` is to be read only."""

    pid: int
    connection: socket.socket
    process: int
    lock: Lock

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.process, signal.SIGKILL)
        self.close()

    def close(self) -> None:
        """It ends when it reads the end of its socket."""
        self.connection.close()
        os.close(self.process)


class Master:
    """The process that forks workers."""

    def __init__(self, code: bytes, limits: Limits) -> None:
        """Raises EngineUnavailable, also where `code` does not load."""
        self._control, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "adaptive_auth.worker", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env=bare_environment(),
                cwd="/",
                start_new_session=True,  # a Ctrl-C is the server's business
            )
        try:
            self._control.settimeout(START_SECONDS)
            self._control.sendall(frame(json.dumps(asdict(limits)).encode()) + frame(code))
            receive(reader(self._control, time.monotonic() + START_SECONDS))
        except (OSError, EOFError, Malformed):
            self.close()
            raise EngineUnavailable("the worker process did not start") from None

    def fork(self) -> Worker:
        """Raises EngineUnavailable if the worker cannot lock itself; OSError, EOFError, Malformed, ValueError."""
        self._control.settimeout(START_SECONDS)
        self._control.sendall(frame(b"fork"))
        received: list[int] = []
        deadline = time.monotonic() + START_SECONDS

        def read(count: int) -> bytes:
            self._control.settimeout(max(0.001, deadline - time.monotonic()))
            data, descriptors, _, _ = socket.recv_fds(self._control, count, 2)
            received.extend(descriptors)
            return data

        pid = int(receive(read, 20))
        connection, process = received
        worker = Worker(pid, socket.socket(fileno=connection), process, Lock())
        try:
            worker.lock = _parse_lock(receive(reader(worker.connection, deadline), _LOCK_BYTES))
        except BaseException:
            worker.kill()
            raise
        return worker

    def close(self) -> None:
        """Its workers die with it."""
        self._control.close()
        self.process.kill()
        self.process.wait()


class WorkerPool:
    """Callable from any number of threads; there are as many workers as runs at once, `keep` of them stay."""

    def __init__(
        self, limits: Limits | None = None, folder: Path | None = None, key: bytes = b"", *, keep: int = 1
    ) -> None:
        """Raises EngineUnavailable if the lock does not prove itself, GuestBroken."""
        self.limits = limits or Limits()
        self._code: Callable[[bool], bytes] = lambda anew: compiled_guest(self.limits, folder, key, anew=anew)
        self._keep = keep
        self._forking = threading.Lock()
        self._changing = threading.Lock()
        self._idle: list[Worker] = []
        self._busy: set[int] = set()
        self._closed = False
        self._master: Master | None = None
        try:
            first = self._fork()
        except BaseException:
            self.close()
            raise
        self.lock = first.lock
        self._put_back(first)

    @property
    def pids(self) -> tuple[int, ...]:
        """Of the workers, for tests and health pages; whoever kills one by this number may hit another process."""
        with self._changing:
            return (*(worker.pid for worker in self._idle), *self._busy)

    def run(self, given: str, script: str, *, hurried: bool = False) -> GuestAnswer:
        """As Sandbox.run. Raises Stopped, EngineUnavailable."""
        return self._ask("hurry" if hurried else "run", given, script)

    def check(self, script: str, name: str) -> GuestAnswer:
        """As Sandbox.check. Raises Stopped, EngineUnavailable."""
        return self._ask("check", name, script)

    def close(self) -> None:
        with self._changing:
            self._closed = True
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.kill()
        with self._forking:
            if self._master is not None:
                self._master.close()
                self._master = None

    def _ask(self, call: Call, first: str, script: str) -> GuestAnswer:
        if len(first) + len(script) > self.limits.input_bytes:
            raise Stopped("input", "the script and what it is given are too large")
        try:
            message = request(call, first, script)
        except UnicodeEncodeError:
            raise Stopped("input", "a character that is none") from None
        worker = self._take()
        try:
            answer = self._exchange(worker, message)
        except BaseException:
            self._discard(worker)
            raise
        self._put_back(worker)
        if isinstance(answer, Stopped):
            raise answer
        return answer

    def _exchange(self, worker: Worker, message: bytes) -> GuestAnswer | Stopped:
        deadline = time.monotonic() + self.limits.wall_seconds + MARGIN_SECONDS
        try:
            worker.connection.settimeout(self.limits.wall_seconds + MARGIN_SECONDS)
            worker.connection.sendall(frame(message))
            content = receive(reader(worker.connection, deadline), _reply_bytes(self.limits))
            return parse_reply(content, self.limits)
        except TimeoutError:
            raise Stopped("wall", "the worker did not answer") from None
        except (OSError, EOFError):
            raise Stopped("engine", "the worker died") from None
        except Malformed:
            raise Stopped("engine", "the worker's answer is malformed") from None

    def _take(self) -> Worker:
        """An idle worker that still lives, or a new one."""
        while True:
            with self._changing:
                worker = self._idle.pop() if self._idle else None
            worker = worker or self._fork()
            if _lives(worker):
                with self._changing:
                    self._busy.add(worker.pid)
                return worker
            worker.kill()

    def _put_back(self, worker: Worker) -> None:
        with self._changing:
            self._busy.discard(worker.pid)
            if not self._closed and len(self._idle) < self._keep:
                self._idle.append(worker)
                return
        worker.close()

    def _discard(self, worker: Worker) -> None:
        with self._changing:
            self._busy.discard(worker.pid)
        worker.kill()

    def _fork(self) -> Worker:
        """From the master, or from a new one if it is gone."""
        with self._forking:
            for _ in range(2):
                if self._closed:
                    break
                try:
                    self._master = self._master or self._new_master()
                    worker = self._master.fork()
                except (OSError, EOFError, Malformed, ValueError):
                    if self._master is not None:
                        self._master.close()
                        self._master = None
                    continue
                if not worker.lock.proven:
                    worker.kill()
                    raise EngineUnavailable(f"the worker's lock does not hold: {worker.lock}")
                return worker
        raise EngineUnavailable("the pool of workers is closed" if self._closed else "no worker starts")

    def _new_master(self) -> Master:
        try:
            return Master(self._code(False), self.limits)
        except EngineUnavailable:
            return Master(self._code(True), self.limits)  # what was cached may be what does not load


def _lives(worker: Worker) -> bool:
    """Nothing is to be read from an idle worker: an end, or words that nobody asked for, mean that it is lost."""
    try:
        worker.connection.setblocking(False)
        worker.connection.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


def _reply_bytes(limits: Limits) -> int:
    """JSON writes a character in six bytes at most, or in twelve where UTF-8 has four."""
    return 6 * (limits.answer_bytes + limits.log_lines * 2 * limits.log_characters) + 10_000


def _parse_lock(content: bytes) -> Lock:
    """Raises EngineUnavailable with the worker's reason, Malformed."""
    try:
        match json.loads(content):
            case {"refused": list(names), "landlock": int(abi), "network_namespace": bool(network)}:
                refused = tuple(name for name in names if isinstance(name, str))
                return Lock(refused=refused, landlock=abi, network_namespace=network)
            case str(reason):
                raise EngineUnavailable(reason)
    except ValueError:
        pass
    raise Malformed("lock")


__all__ = ["GuestBroken", "WorkerPool"]
