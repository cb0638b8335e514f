"""The second tier: `python -m adaptive_auth.worker <descriptor>`, started by `worker_pool`.

It is executed, not forked from the server, so it holds none of the server's memory, settings and descriptors. It loads
the compiled guest and stays single-threaded; for each `fork` that the server asks for it forks a worker, which
locks itself (`lockdown`), proves it, and then answers one request after the other on a socket of its own.
"""

import json
import os
import signal
import socket
import sys
from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING, NoReturn

from adaptive_auth import lockdown
from adaptive_auth.answers import GuestAnswer, Stopped
from adaptive_auth.limits import Limits
from adaptive_auth.messages import frame, parse_request, receive, reply, write_all

if TYPE_CHECKING:
    from adaptive_auth.sandbox import Sandbox

NICE = 15


def main(descriptor: int) -> None:
    """First the limits and the compiled guest; then a request `fork` for each worker, until the server is gone."""
    os.setpriority(os.PRIO_PROCESS, 0, NICE)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel buries the workers
    control = socket.socket(fileno=descriptor)
    try:
        limits = Limits(**json.loads(receive(control.recv)))
        sandbox = _load(receive(control.recv), limits)
        control.sendall(frame(b""))
        while receive(control.recv) == b"fork":
            _fork_worker(control, sandbox)
    except (EOFError, ConnectionError):
        pass


def _load(code: bytes, limits: Limits) -> "Sandbox":
    from adaptive_auth.sandbox import Sandbox

    # In the two seconds of life before the first worker, so that workers begin with everything imported and laid out.
    # The rehearsal runs into a limit, so it is a low one.
    rehearsal = Sandbox(code, replace(limits, fuel=50_000_000))
    rehearsal.rehearse()
    rehearsal.close()
    return Sandbox(code, limits)


def _fork_worker(control: socket.socket, sandbox: "Sandbox") -> None:
    """Sends the server the worker's socket and a descriptor of its process, by which it can be killed for certain."""
    ours, theirs = socket.socketpair()
    master = os.getpid()
    pid = os.fork()
    if pid == 0:
        control.close()
        ours.close()
        _work(theirs.detach(), master, sandbox)
    theirs.close()
    process = os.pidfd_open(pid)
    socket.send_fds(control, [frame(str(pid).encode())], [ours.fileno(), process])
    os.close(process)
    ours.close()


def _work(descriptor: int, master: int, sandbox: "Sandbox") -> NoReturn:
    """A worker's life. It says first what its lock holds, and ends with its socket."""
    try:
        lock = lockdown.restrict(master)
        sandbox.start_clock()  # after `restrict`, which wants one thread, and before `seal`, which lets none begin
        lockdown.seal()
        lock = replace(lock, refused=lockdown.self_test())
        write_all(descriptor, frame(json.dumps(asdict(lock)).encode()))
        while True:
            message = receive(partial(os.read, descriptor))
            write_all(descriptor, frame(reply(_answer(sandbox, message))))
    except lockdown.LockFailed as problem:
        write_all(descriptor, frame(json.dumps(str(problem)).encode()))
    except (EOFError, OSError):
        pass
    finally:
        os._exit(0)


def _answer(sandbox: "Sandbox", message: bytes) -> GuestAnswer | Stopped:
    call, first, script = parse_request(message)
    try:
        if call == "check":
            return sandbox.check(script, first)
        return sandbox.run(first, script, hurried=call == "hurry")
    except Stopped as stopped:
        return stopped


if __name__ == "__main__":
    main(int(sys.argv[1]))
