"""A program started by a test: its output is kept, its ready line awaited, and it ends with the test run."""

import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path


class Program:
    """Runs `command`; the lines of stdout and stderr are read by a thread as they come."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        user: str | None = None,
    ) -> None:
        self.lines: list[str] = []
        self._changed = threading.Condition()
        self._ended = False
        self._process = subprocess.Popen(
            [*_prefix(user), *command],
            env=env,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read, name=f"output of {command[0]}", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    @property
    def output(self) -> str:
        with self._changed:
            return "\n".join(self.lines)

    def wait_for(self, pattern: str, seconds: float = 30) -> re.Match[str]:
        """The first line that matches. Raises AssertionError with all output when the program ends or time is up."""
        expression = re.compile(pattern)
        seen = 0
        found: re.Match[str] | None = None

        def look() -> bool:
            nonlocal seen, found
            while found is None and seen < len(self.lines):
                found = expression.search(self.lines[seen])
                seen += 1
            return found is not None or self._ended

        with self._changed:
            self._changed.wait_for(look, seconds)
        if found is None:
            raise AssertionError(f"no line {pattern!r} from {self._process.args!r}; its output:\n{self.output}")
        return found

    def wait(self, seconds: float = 60) -> int:
        """Its exit code, once it has ended by itself."""
        code = self._process.wait(seconds)
        self._close()
        return code

    def stop(self, how: signal.Signals = signal.SIGTERM, seconds: float = 15) -> int:
        """Ask it to end and return its exit code; kill it when it does not. A frozen one is thawed first."""
        if self.running:
            self._process.send_signal(signal.SIGCONT)
            self._process.send_signal(how)
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._close()
        return code

    def kill(self) -> None:
        """End it at once, as `kill -9` does."""
        self.stop(signal.SIGKILL)

    def _close(self) -> None:
        # Children of a killed program may hold the pipe open; their output is not worth waiting for.
        self._reader.join(1)
        if not self._reader.is_alive() and self._process.stdout is not None:
            self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._changed:
                self.lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()


def _prefix(user: str | None) -> list[str]:
    """`setpriv` in front: another user where asked, and an end to the program when the test process dies."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return []
    other = [f"--reuid={user}", f"--regid={_group(user)}", "--clear-groups"] if user else []
    return [setpriv, *other, "--pdeathsig", "INT", "--"]


def _group(user: str) -> str:
    import pwd

    return str(pwd.getpwnam(user).pw_gid)


def environment(**changes: str) -> dict[str, str]:
    """This process's environment without settings of ours or of PostgreSQL's clients, and with `changes`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("IDENTITY_", "PG"))}
    return kept | changes
