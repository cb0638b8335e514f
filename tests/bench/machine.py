"""Processes and cores: who runs where, what CPU a tree of processes has used, what memory it holds."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")

_ALL = sorted(os.sched_getaffinity(0))
SERVER_CORE = _ALL[0]
GENERATOR_CORE = _ALL[-1]
"""The same core on a machine that has only one: the figures then say less about time, not about CPU."""


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """This thread, and the programs it starts meanwhile, on one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def command_on_core(core: int) -> list[str]:
    """What stands before a command to run it on one core."""
    taskset = shutil.which("taskset")
    return [taskset, "-c", str(core)] if taskset else []


def tree(root: int) -> list[int]:
    """The process ids of `root` and everything below it."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError):
                children.setdefault(int(_fields(int(folder.name))[1]), []).append(int(folder.name))
    found, open_ends = [], [root]
    while open_ends:
        process = open_ends.pop()
        found.append(process)
        open_ends += children.get(process, [])
    return found


def cpu_seconds(root: int) -> float:
    """User and system time of a tree, children that have ended included."""
    total = 0
    for process in tree(root):
        with suppress(OSError):
            total += sum(int(field) for field in _fields(process)[11:15])
    return total / TICK


def pss_megabytes(root: int) -> float:
    """Memory with shared pages divided among those who share them."""
    kilobytes = 0
    for process in tree(root):
        with suppress(OSError):
            for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    kilobytes += int(line.split()[1])
    return kilobytes / 1024


def _fields(process: int) -> list[str]:
    """`/proc/<pid>/stat` behind the command's name: state, parent, …"""
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
