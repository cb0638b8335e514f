"""A PostgreSQL of the tests' own: a cluster in a temporary folder, reached by its socket there and by nobody else."""

import itertools
import os
import pwd
import select
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from tests.support.outside import find_program
from tests.support.processes import Program, environment

_INSTALLED = Path("/usr/lib/postgresql")
_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "autovacuum_naptime": "10s",
    "log_min_messages": "warning",
}
_UNSAFE_SETTINGS = {"fsync": "off", "full_page_writes": "off"}


def find_postgres() -> Path | None:
    """The folder of the newest installed server's programs; Debian keeps them off the path."""
    versions = sorted(_INSTALLED.glob("*/bin"), key=lambda folder: float(folder.parent.name), reverse=True)
    initdb = find_program("initdb", *versions)
    return initdb.resolve().parent if initdb else None


class PostgresCluster:
    """`start()` to `stop()`; each `create_database()` is a fresh one. `fsync=True` for tests that kill the machine."""

    def __init__(self, programs: Path, *, fsync: bool = False) -> None:
        self.programs = programs
        self._fsync = fsync
        self._names = (f"test_{number}" for number in itertools.count(1))
        # The server refuses to run as root; its own user, or nobody, then owns the folder.
        self._user = _service_user() if os.geteuid() == 0 else None
        self.folder = Path(tempfile.mkdtemp(prefix="pg-"))
        self._program: Program | None = None

    def start(self) -> None:
        """Raises AssertionError with the server's output when it does not start."""
        if self._user:
            shutil.chown(self.folder, self._user)
        data = self.folder / "data"
        if not data.exists():
            options = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync"]
            self._run("initdb", f"--pgdata={data}", *options)
        settings = _SETTINGS | {"unix_socket_directories": str(self.folder)}
        if not self._fsync:
            settings |= _UNSAFE_SETTINGS
        arguments = [f"--{name}={value}" for name, value in settings.items()]
        self._program = Program(
            [str(self.programs / "postgres"), "-D", str(data), *arguments],
            user=self._user,
            env=environment(LC_ALL="C"),
            cwd=self.folder,
        )
        self._program.wait_for("ready to accept connections", 60)

    @property
    def program(self) -> Program:
        assert self._program is not None, "the cluster is not started"
        return self._program

    def url(self, database: str) -> str:
        """In the form that both libpq and asyncpg read."""
        return f"postgresql://postgres@/{database}?host={quote(str(self.folder), safe='/')}"

    def create_database(self) -> str:
        """The URL of a new empty database."""
        name = next(self._names)
        self.query("postgres", f'CREATE DATABASE "{name}"')
        return self.url(name)

    def query(self, database: str, statement: str) -> str:
        """What psql prints for a statement: bare values, one row a line."""
        return self._client("psql", "-X", "-At", "-v", "ON_ERROR_STOP=1", "-c", statement, self.url(database))

    def dump_schema(self, url: str) -> str:
        """pg_dump's words for a database's schema."""
        return self._client("pg_dump", "--schema-only", "--no-owner", url)

    def kill(self) -> None:
        """End every process of the server at once, as a power cut does. `start()` starts it on the same data."""
        own = Path(f"/proc/{self.program.pid}/task/{self.program.pid}/children").read_text().split()
        handles = [os.pidfd_open(int(pid)) for pid in own]
        self.program.kill()
        for handle in handles:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
            # Readable when the process is gone; a new server refuses to start before.
            select.select([handle], [], [], 10)
            os.close(handle)

    def stop(self) -> None:
        """End the server and remove its folder."""
        if self._program is not None:
            self._program.stop(signal.SIGINT if self._fsync else signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _client(self, program: str, *arguments: str) -> str:
        command = [str(self.programs / program), *arguments]
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment())
        assert done.returncode == 0, done.stderr
        return done.stdout.rstrip("\n")

    def _run(self, program: str, *arguments: str) -> None:
        running = Program(
            [str(self.programs / program), *arguments], user=self._user, env=environment(LC_ALL="C"), cwd=self.folder
        )
        code = running.wait()
        assert code == 0, running.output


def _service_user() -> str:
    users = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in users else "nobody"
