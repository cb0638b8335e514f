"""Test mode opens doors: it says so, and a public installation does not get it by accident."""

import sys
from pathlib import Path

import pytest

from identity.config import TEST_MODE, load_settings
from identity.errors import ConfigurationError
from tests.support.processes import Program, environment
from tests.support.server import RunningServer

pytestmark = pytest.mark.long

PUBLIC = "https://id.example.org"


@pytest.mark.parametrize("base_url", [None, "http://localhost:8080", "http://127.0.0.1:8080", "https://localhost"])
def test_on_loopback(base_url: str | None) -> None:
    assert load_settings(test_mode=True, base_url=base_url).test_mode


def test_on_a_public_address_only_with_a_key() -> None:
    assert not load_settings(base_url=PUBLIC).test_mode
    with pytest.raises(ConfigurationError, match="test_mode_key"):
        load_settings(test_mode=True, base_url=PUBLIC)
    with pytest.raises(ConfigurationError, match="test_mode_key"):
        load_settings(test_mode=True, base_url=PUBLIC, test_mode_key="short")
    assert load_settings(test_mode=True, base_url=PUBLIC, test_mode_key="k" * 16).test_mode


def test_the_server_and_the_check_say_so(tmp_path: Path, repository: Path) -> None:
    running = RunningServer("sqlite", tmp_path)
    running.start()
    try:
        assert TEST_MODE in running.program.output
    finally:
        running.stop()
    for on in ("true", "false"):
        settings = {"IDENTITY_DATA": str(tmp_path), "IDENTITY_MASTER_KEY": running.master_key, "IDENTITY_TEST_MODE": on}
        check = Program(
            [sys.executable, "-m", "identity", "check"],
            env=environment(PYTHONPATH=str(repository), **settings),
            cwd=tmp_path,
        )
        assert check.wait() == 0, check.output
        assert (TEST_MODE in check.output) == (on == "true")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("outbound_allow", '{"notify": ["a b"]}'),
        ("outbound_allow", '{"other": ["a"]}'),
        ("outbound_allow", "am.example.internal"),
        ("outbound_ca_file", "missing.pem"),
        ("outbound_ca_file", '{"other": "missing.pem"}'),
    ],
)
def test_settings_that_cannot_be_read_refuse_to_start(name: str, value: str, tmp_path: Path, repository: Path) -> None:
    variables = {"IDENTITY_DATA": str(tmp_path), f"IDENTITY_{name.upper()}": value}
    server = Program(
        [sys.executable, "-m", "identity", "serve", "--port", "0"],
        env=environment(PYTHONPATH=str(repository), **variables),
        cwd=tmp_path,
    )
    assert server.wait() != 0
    assert name in server.output
    assert "Traceback" not in server.output
