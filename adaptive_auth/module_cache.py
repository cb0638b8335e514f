"""The compiled guest, kept in a folder, since compiling takes two seconds and loading two milliseconds.

What is loaded is native code and runs with our rights. So the folder and the file must be ours alone (owner, mode), the
file carries an HMAC-SHA-256 of its content, and it is read once and checked in memory. Anything odd means compiling
again.
"""

import hashlib
import hmac
import json
import os
import platform
import stat
import subprocess
import sys
import tempfile
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from adaptive_auth import guest
from adaptive_auth.compile import GuestBroken, settings_of
from adaptive_auth.limits import Limits

TAG_BYTES = 32
COMPILE_SECONDS = 300
_FILE_LIMIT = 64 << 20


def compiled_guest(limits: Limits, folder: Path | None, key: bytes = b"", *, anew: bool = False) -> bytes:
    """From the cache in `folder`, or compiled in a child process and put there; without a folder, not kept.

    `key` makes the file worthless to who can write it but does not know the key. `anew` passes the cached one over.
    A folder that others may write to is not used. Raises GuestBroken.
    """
    if folder is None:
        return _compile_in_child(limits)
    path = folder / _name(limits)
    private = _make_private(folder)
    code = _read(path, key) if private and not anew else None
    if code is None:
        code = _compile_in_child(limits)
        if private:
            _write(path, code, key)
    return code


def _name(limits: Limits) -> str:
    """Everything that the code depends on, as a hash."""
    parts = [
        hashlib.sha256(guest.wasm()).hexdigest(),
        hashlib.sha256(guest.prelude().encode()).hexdigest(),
        version("wasmtime"),
        json.dumps(settings_of(limits), sort_keys=True),
        platform.system(),
        platform.machine(),
        _processor(),
    ]
    return f"guest-{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:32]}.native"


def _processor() -> str:
    """What the processor can do: a folder may move to another machine."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.lower().startswith(("flags", "features"))), "")


def _make_private(folder: Path) -> bool:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and _is_ours_alone(found)


def _is_ours_alone(found: os.stat_result) -> bool:
    return found.st_uid == os.geteuid() and not found.st_mode & 0o077


def _read(path: Path, key: bytes) -> bytes | None:
    """The code, or None where the file is missing, not ours alone, or not what was written."""
    try:
        # Not blocking, or a pipe in its place would keep us waiting for who writes to it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or not _is_ours_alone(found) or found.st_nlink != 1:
            return None
        with open(descriptor, "rb", closefd=False) as file:
            content = file.read(_FILE_LIMIT)
    finally:
        os.close(descriptor)
    code = content[TAG_BYTES:]
    return code if hmac.compare_digest(content[:TAG_BYTES], _tag(code, path.name, key)) else None


def _write(path: Path, code: bytes, key: bytes) -> None:
    """Whole or not at all: two processes may do it at once. Without room the code is simply not kept."""
    temporary = None
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".guest-")  # mode 0600
        with open(descriptor, "wb") as file:
            file.write(_tag(code, path.name, key) + code)
        os.replace(temporary, path)
    except OSError:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def _tag(code: bytes, name: str, key: bytes) -> bytes:
    """Over the name too, so that a file of an older engine cannot take the place of another."""
    return hmac.digest(key, name.encode() + b"\0" + code, "sha256")


def _compile_in_child(limits: Limits) -> bytes:
    command = [sys.executable, "-m", "adaptive_auth.compile"]
    given = json.dumps(asdict(limits)).encode()
    try:
        ended = subprocess.run(  # noqa: S603
            command, input=given, capture_output=True, timeout=COMPILE_SECONDS, env=bare_environment(), check=False
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise GuestBroken(f"the compiler of the guest did not run: {problem}") from None
    if ended.returncode or not ended.stdout:
        raise GuestBroken(f"the guest was not compiled: {ended.stderr.decode('utf-8', 'replace')[-500:]}")
    return ended.stdout


def bare_environment() -> dict[str, str]:
    """For children: what Python needs to find its modules, and none of the server's settings."""
    kept = {
        name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "TMPDIR") if name in os.environ
    }
    return kept | {"PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}
