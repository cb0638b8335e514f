"""Programs that tests start: awaited by their lines, ended for certain."""

import os
import signal
import sys

import pytest

from tests.support.postgres import PostgresCluster, find_postgres
from tests.support.processes import Program, environment


def python(source: str) -> Program:
    return Program([sys.executable, "-u", "-c", source])


def test_a_line_is_awaited() -> None:
    program = python("print('one'); print('ready http://localhost:1'); input()")
    assert program.wait_for(r"^ready (\S+)$")[1] == "http://localhost:1"
    program.stop()
    assert program.lines[0] == "one"


def test_a_program_that_ends_too_early_shows_its_output() -> None:
    program = python("import sys; print('the port is taken', file=sys.stderr)")
    with pytest.raises(AssertionError, match="the port is taken"):
        program.wait_for("^ready")
    assert program.wait() == 0


def test_a_frozen_and_stubborn_program_is_ended() -> None:
    program = python("import signal; signal.signal(15, signal.SIG_IGN); print('up'); signal.pause(); signal.pause()")
    program.wait_for("up")
    os.kill(program.pid, signal.SIGSTOP)
    assert program.stop(seconds=0.2) == -signal.SIGKILL
    assert not program.running


def test_settings_of_ours_do_not_leak_into_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDENTITY_PORT", "1")
    monkeypatch.setenv("PGHOST", "elsewhere")
    assert {"IDENTITY_PORT", "PGHOST"}.isdisjoint(environment())
    assert environment(IDENTITY_PORT="2")["IDENTITY_PORT"] == "2"


def test_databases_are_fresh_and_apart(postgres: PostgresCluster) -> None:
    first, second = postgres.create_database(), postgres.create_database()
    assert first != second
    postgres.query("postgres", "SELECT 1")
    assert postgres.query("postgres", "SHOW listen_addresses") == ""


def test_a_durable_cluster_survives_kill(postgres: PostgresCluster) -> None:
    programs = find_postgres()
    assert programs is not None
    cluster = PostgresCluster(programs, fsync=True)
    try:
        cluster.start()
        cluster.create_database()
        cluster.query("test_1", "CREATE TABLE kept AS SELECT 7 AS seven")
        cluster.kill()
        cluster.start()
        assert cluster.query("test_1", "SELECT seven, current_setting('fsync') FROM kept") == "7|on"
    finally:
        cluster.stop()
    assert not cluster.folder.exists()
