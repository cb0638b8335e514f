"""Locks the calling process for good: it can compute, use the descriptors it has, and end. Linux on x86_64 and aarch64.

In two parts. `restrict` wants a process of one thread: no new privileges, no new descriptors, an empty network
namespace, Landlock without a rule; threads begun after it inherit that. `seal` is the seccomp filter, for all threads.
`self_test` then tries what must be refused. Namespace and Landlock are best effort and reported; seccomp is what
counts.
"""

import ctypes
import errno
import os
import platform
import resource
import signal
import socket
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_SECCOMP_SET_MODE_FILTER, _SECCOMP_FILTER_FLAG_TSYNC = 1, 1
_SECCOMP_RET_KILL_PROCESS, _SECCOMP_RET_ERRNO, _SECCOMP_RET_ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
_LANDLOCK_CREATE_RULESET, _LANDLOCK_RESTRICT_SELF = 444, 446
_PROT_EXEC = 4
_X32_CALLS = 0x40000000


@dataclass(frozen=True, slots=True)
class _Machine:
    """`audit` is the kernel's AUDIT_ARCH; `executable` are the calls whose third argument is a memory protection."""

    audit: int
    seccomp: int
    executable: tuple[int, ...]
    allowed: tuple[int, ...]


_X86_64 = _Machine(
    audit=0xC000003E,
    seccomp=317,
    executable=(9, 10),  # mmap mprotect
    allowed=(
        *(0, 1, 3, 11, 12, 13, 14, 15),  # read write close munmap brk rt_sigaction rt_sigprocmask rt_sigreturn
        *(24, 25, 28, 35, 39, 60),  # sched_yield mremap madvise nanosleep getpid exit
        *(131, 186, 202, 219, 228, 229),  # sigaltstack gettid futex restart_syscall clock_gettime clock_getres
        *(230, 231, 273, 318, 324, 334),  # clock_nanosleep exit_group set_robust_list getrandom membarrier rseq
    ),
)
_AARCH64 = _Machine(
    audit=0xC00000B7,
    seccomp=277,
    executable=(222, 226),
    allowed=(
        *(63, 64, 57, 215, 214, 134, 135, 139),
        *(124, 216, 233, 101, 172, 93),
        *(132, 178, 98, 128, 113, 114),
        *(115, 94, 99, 278, 283, 293),
    ),
)
"""The same calls in the same order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """What holds. `refused` names what the self-test tried and could not do; `landlock` is the ABI, 0 for none."""

    refused: tuple[str, ...] = ()
    landlock: int = 0
    network_namespace: bool = False

    @property
    def proven(self) -> bool:
        return set(self.refused) >= MUST_BE_REFUSED

    def __str__(self) -> str:
        missing = ", ".join(sorted(MUST_BE_REFUSED.difference(self.refused)))
        core = f"not refused: {missing}" if missing else "seccomp holds"
        landlock = f"Landlock {self.landlock}" if self.landlock else "no Landlock"
        return f"{core}, {landlock}, {'empty' if self.network_namespace else 'no'} network namespace"


class LockFailed(Exception):
    """This kernel or machine does not lock."""


def check_supported() -> None:
    """Raises LockFailed where there is no lock for this system or machine."""
    _machine()


def restrict(parent: int) -> Lock:
    """The first part, with one thread; the process dies with `parent`. Raises LockFailed."""
    _machine()
    network = _unshare(_CLONE_NEWUSER | _CLONE_NEWNET) or _unshare(_CLONE_NEWNET)
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # after unshare, which clears it
    if os.getppid() != parent:
        os._exit(0)
    _prctl(_PR_SET_DUMPABLE, 0)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    landlock = _landlock()
    for limit in (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE, resource.RLIMIT_CORE):
        resource.setrlimit(limit, (0, 0))
    return Lock(landlock=landlock, network_namespace=network)


def seal() -> None:
    """The second part. Raises LockFailed."""
    machine = _machine()
    program = _filter(machine)
    instructions = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("@HP", len(program) // 8, ctypes.addressof(instructions))
    if _libc().syscall(machine.seccomp, _SECCOMP_SET_MODE_FILTER, _SECCOMP_FILTER_FLAG_TSYNC, header) != 0:
        raise LockFailed(f"seccomp: {os.strerror(ctypes.get_errno())}")


def self_test() -> tuple[str, ...]:
    """Names of what was tried and refused. Only what does no harm where it is not refused is tried."""
    return tuple(name for name, attempt in _ATTEMPTS.items() if _is_refused(attempt))


def _fork() -> None:
    if os.fork() == 0:
        os._exit(0)


def _map_executable() -> None:
    libc = _libc()
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
    if libc.mmap(None, 4096, _PROT_EXEC, 0x22, -1, 0) == ctypes.c_void_p(-1).value:
        raise OSError(ctypes.get_errno(), "mmap")


_ATTEMPTS: dict[str, Callable[[], object]] = {
    "open": lambda: os.open("/", os.O_RDONLY),
    "socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
    "exec": lambda: os.execv("/nowhere", ["nowhere"]),  # noqa: S606
    "fork": _fork,
    "kill": lambda: os.kill(os.getppid(), 0),
    "executable memory": _map_executable,
}
MUST_BE_REFUSED = frozenset(_ATTEMPTS)


def _is_refused(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except OSError as problem:
        return problem.errno == errno.EPERM
    return False


def _machine() -> _Machine:
    machine = {"x86_64": _X86_64, "aarch64": _AARCH64}.get(platform.machine())
    if machine is None or not sys.platform.startswith("linux") or ctypes.sizeof(ctypes.c_void_p) != 8:
        raise LockFailed(f"no lock for {platform.system()} on {platform.machine()}")
    return machine


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, value: int) -> None:
    if _libc().prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        raise LockFailed(f"prctl {option}: {os.strerror(ctypes.get_errno())}")


def _unshare(flags: int) -> bool:
    return bool(_libc().unshare(flags) == 0)


def _landlock() -> int:
    """Every right that this kernel's version of Landlock knows is handled, and no rule grants one."""
    call = _libc().syscall
    version = call(_LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), 1)
    if version < 1:
        return 0
    files = (1 << 13) - 1 | (version >= 2) << 13 | (version >= 3) << 14 | (version >= 5) << 15
    rights = [files] + [0b11] * ((version >= 4) + (version >= 6))  # then TCP, then signals and abstract sockets
    attributes = struct.pack(f"={len(rights)}Q", *rights)
    ruleset = call(_LANDLOCK_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    if ruleset < 0:
        return 0
    restricted = call(_LANDLOCK_RESTRICT_SELF, ruleset, 0) == 0
    os.close(ruleset)
    return version if restricted else 0


def _filter(machine: _Machine) -> bytes:
    """In classic BPF over `struct seccomp_data`: number at 0, architecture at 4, the third argument at 32."""
    load, equal, at_least, has_bit, answer = 0x20, 0x15, 0x35, 0x45, 0x06
    refuse = (answer, 0, 0, _SECCOMP_RET_ERRNO | errno.EPERM)
    calls = len(machine.allowed)
    program = [
        (load, 0, 0, 4),
        (equal, 1, 0, machine.audit),
        (answer, 0, 0, _SECCOMP_RET_KILL_PROCESS),
        (load, 0, 0, 0),
        (at_least, 0, 1, _X32_CALLS),
        (answer, 0, 0, _SECCOMP_RET_KILL_PROCESS),
        *((equal, len(machine.executable) - at + calls + 1, 0, call) for at, call in enumerate(machine.executable)),
        *((equal, calls - at, 0, call) for at, call in enumerate(machine.allowed)),
        refuse,
        (answer, 0, 0, _SECCOMP_RET_ALLOW),
        (load, 0, 0, 32),
        (has_bit, 0, 1, _PROT_EXEC),
        refuse,
        (answer, 0, 0, _SECCOMP_RET_ALLOW),
    ]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
