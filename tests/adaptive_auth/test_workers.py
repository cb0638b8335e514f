"""The second tier: the lock holds, and a worker that dies, hangs or lies is replaced."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from adaptive_auth import lockdown, module_cache, worker_pool
from adaptive_auth.answers import EngineUnavailable, GuestAnswer, Stopped
from adaptive_auth.isolation import open_engine
from adaptive_auth.limits import Limits
from adaptive_auth.messages import Malformed, frame, parse_reply
from adaptive_auth.worker_pool import WorkerPool
from tests.adaptive_auth.conftest import LIMITS, needs_lock
from tests.adaptive_auth.honest import check_honest_run, given

pytestmark = pytest.mark.long

ENDLESS = replace(LIMITS, fuel=10**15)


@pytest.fixture
def endless(guest_folder: Path) -> Iterator[WorkerPool]:
    """Workers that let a script run for a minute."""
    needs_lock()
    pool = WorkerPool(ENDLESS, guest_folder)
    yield pool
    pool.close()


def status(pid: int) -> list[dict[str, str]]:
    """Of each thread of a process."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [dict(line.split(":\t", 1) for line in (task / "status").read_text().splitlines()) for task in tasks]


def run_in_thread(work: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    """The thread, and what `work` gave or raised once it has ended."""
    results: list[object] = []

    def target() -> None:
        try:
            results.append(work())
        except Exception as problem:
            results.append(problem)

    thread = threading.Thread(target=target)
    thread.start()
    return thread, results


def wait_for_end(process: int) -> None:
    """Of the process behind this descriptor, which becomes readable then."""
    assert select.select([process], [], [], 30)[0]
    os.close(process)


def test_lock_proves_itself(workers: WorkerPool) -> None:
    assert workers.lock.proven
    assert set(workers.lock.refused) == {"open", "socket", "exec", "fork", "kill", "executable memory"}


def test_lock_binds_every_thread(workers: WorkerPool) -> None:
    check_honest_run(workers)
    (pid,) = workers.pids
    threads = status(pid)
    assert len(threads) == 2, "the one that runs scripts, and the clock"
    assert {(thread["Seccomp"], thread["NoNewPrivs"]) for thread in threads} == {("2", "1")}


def test_worker_holds_no_descriptor_and_no_setting_of_the_server(
    guest_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs_lock()
    monkeypatch.setenv("IDENTITY_DATABASE_URL", "postgresql://secret")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        os.set_inheritable(listener.fileno(), True)
        pool = WorkerPool(LIMITS, guest_folder)
        process = Path(f"/proc/{pool.pids[0]}")
        if os.geteuid() == 0:  # what the worker is not dumpable for
            assert b"secret" not in (process / "environ").read_bytes()
            assert len([link for link in (process / "fd").iterdir() if os.readlink(link).startswith("socket:")]) == 1
        pool.close()


def test_self_test_fails_where_nothing_is_locked() -> None:
    code = "from adaptive_auth import lockdown; print(lockdown.self_test())"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "fork" not in said
    assert "open" not in said
    assert not lockdown.Lock(refused=("open", "socket", "exec")).proven


def test_filter_names_the_same_calls_on_both_machines() -> None:
    x86, arm = lockdown._X86_64, lockdown._AARCH64
    assert len(x86.allowed) == len(arm.allowed) == len(set(x86.allowed)) == len(set(arm.allowed))
    for machine in (x86, arm):
        program = lockdown._filter(machine)
        assert len(program) == 8 * (12 + len(machine.allowed) + len(machine.executable))


def test_worker_killed_in_mid_run_is_replaced(endless: WorkerPool) -> None:
    (first,) = endless.pids
    thread, results = run_in_thread(lambda: endless.run(given(), "for (;;) ;"))
    while len(endless.pids) != 1 or endless._idle:
        os.sched_yield()
    os.kill(first, signal.SIGKILL)
    thread.join()
    assert isinstance(results[0], Stopped)
    assert results[0].limit == "engine"
    check_honest_run(endless)
    assert endless.pids != (first,)


def test_idle_worker_that_died_is_not_asked(workers: WorkerPool) -> None:
    (pid,) = workers.pids
    os.kill(pid, signal.SIGKILL)
    workers._idle[0].connection.settimeout(30)
    assert workers._idle[0].connection.recv(1, socket.MSG_PEEK) == b""  # it is dead by now
    check_honest_run(workers)
    assert workers.pids != (pid,)


def test_worker_that_hangs_is_killed(endless: WorkerPool, monkeypatch: pytest.MonkeyPatch) -> None:
    (pid,) = endless.pids
    monkeypatch.setattr(worker_pool, "MARGIN_SECONDS", -59.8)  # so the worker's own clock, at 60 s, comes too late
    with pytest.raises(Stopped) as stopped:
        endless.run(given(), "for (;;) ;")
    assert stopped.value.limit == "wall"
    monkeypatch.undo()
    check_honest_run(endless)
    assert endless.pids != (pid,)


def test_pool_survives_the_end_of_its_master(endless: WorkerPool) -> None:
    assert endless._master is not None
    (pid,) = endless.pids
    endless._master.process.kill()
    endless._master.process.wait()
    endless._idle[0].connection.settimeout(30)
    assert endless._idle[0].connection.recv(1, socket.MSG_PEEK) == b""  # its worker died with it
    check_honest_run(endless)
    assert endless.pids != (pid,)


def test_closing_ends_every_process(guest_folder: Path) -> None:
    needs_lock()
    pool = WorkerPool(ENDLESS, guest_folder)
    assert pool._master is not None
    master, worker = pool._master.process, os.pidfd_open(pool.pids[0])
    thread, results = run_in_thread(lambda: pool.run(given(), "for (;;) ;"))
    while pool._idle:
        os.sched_yield()
    pool.close()
    thread.join()
    assert isinstance(results[0], Stopped)
    assert master.returncode is not None
    wait_for_end(worker)
    with pytest.raises(EngineUnavailable):
        pool.run(given(), "")


NONSENSE = {
    "no JSON": b"{",
    "nested": b"[" * 100_000,
    "another shape": b'{"ok": true}',
    "ok as a number": json.dumps([1, "", [], 1]).encode(),
    "fuel as a boolean": json.dumps([True, "", [], True]).encode(),
    "fuel below zero": json.dumps([True, "", [], -1]).encode(),
    "more fuel than there was": json.dumps([True, "", [], LIMITS.fuel + 1]).encode(),
    "answer too large": json.dumps([True, "x" * (LIMITS.answer_bytes + 1), [], 1]).encode(),
    "too many lines": json.dumps([True, "", ["x"] * 201, 1]).encode(),
    "long line": json.dumps([True, "", ["x" * 501], 1]).encode(),
    "line that is none": json.dumps([True, "", [1], 1]).encode(),
    "half a character": b'[true, "\\ud800", [], 1]',
    "half a character in an error": b'[false, "x\\udfff", [], 1]',
    "half a character in a line": b'[true, "", ["\\udc00\\ud800"], 1]',
    "half a character in a limit": b'["fuel", "\\ud800", []]',
    "unknown limit": json.dumps(["patience", "", []]).encode(),
}


@pytest.mark.parametrize("what", NONSENSE)
def test_nonsense_is_no_answer(what: str) -> None:
    with pytest.raises(Malformed):
        parse_reply(NONSENSE[what], LIMITS)


def test_answers_and_stops_pass() -> None:
    assert parse_reply(b'[true, "x", ["line"], 5]', LIMITS) == GuestAnswer(True, "x", ("line",), 5)
    stopped = parse_reply(b'["fuel", "why", []]', LIMITS)
    assert isinstance(stopped, Stopped)
    assert (stopped.limit, stopped.message) == ("fuel", "why")


@pytest.mark.parametrize("said", [frame(b"nonsense"), b"\xff\xff\xff\xff", frame(b"[true,")[:-2], b""])
def test_worker_that_lies_is_killed_and_replaced(said: bytes, endless: WorkerPool) -> None:
    (pid,) = endless.pids
    process = os.pidfd_open(pid)
    true_connection = endless._idle[0].connection
    endless._idle[0].connection, liar = socket.socketpair()

    def lie() -> None:
        with liar:
            liar.recv(1 << 16)
            liar.sendall(said)

    thread, _ = run_in_thread(lie)
    with pytest.raises(Stopped) as stopped:
        endless.run(given(), "")
    thread.join()
    assert stopped.value.limit == "engine"
    wait_for_end(process)
    true_connection.close()
    check_honest_run(endless)


def test_lock_that_does_not_hold_is_refused_where_required(guest_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs_lock()
    monkeypatch.setattr(lockdown, "MUST_BE_REFUSED", lockdown.MUST_BE_REFUSED | {"time travel"})
    with pytest.raises(EngineUnavailable, match=r"Isolation is required, and .* not refused: time travel"):
        open_engine("required", LIMITS, guest_folder, b"", 1)
    opened = open_engine("preferred", LIMITS, guest_folder, b"", 1)
    assert not opened.locked
    assert "time travel" in opened.reason
    check_honest_run(opened.engine)
    opened.engine.close()


def test_machine_without_a_lock_is_refused_where_required(guest_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "vax")
    with pytest.raises(EngineUnavailable, match="on vax"):
        open_engine("required", LIMITS, guest_folder, b"", 1)


def test_isolation_says_what_it_is(guest_folder: Path) -> None:
    needs_lock()
    opened = open_engine("required", LIMITS, guest_folder, b"", 1)
    assert (opened.locked, opened.reason[:13]) == (True, "seccomp holds")
    opened.engine.close()
    opened = open_engine("off", LIMITS, guest_folder, b"", 1)
    assert (opened.locked, opened.reason) == (False, "isolation is off")
    opened.engine.close()


def test_cached_code_that_does_not_load_is_compiled_again(
    guest_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs_lock()
    answers = iter([b"not native code at all", module_cache.compiled_guest(Limits(), guest_folder)])
    monkeypatch.setattr(module_cache, "_compile_in_child", lambda limits: next(answers))
    pool = WorkerPool(LIMITS, tmp_path / "cache")
    check_honest_run(pool)
    pool.close()
