"""The two halves of the tests are all of them, each once, and a failure in one of them is a failure."""

import subprocess
import sys
from pathlib import Path

import pytest

from tools.test_in_halves import HALVES, exit_code

pytestmark = pytest.mark.long

ASKED = "tests/account/test_account.py"


def run(repository: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=repository, check=False, capture_output=True, text=True, timeout=100)


def collected(repository: Path, *options: str) -> list[str]:
    done = run(repository, "-m", "pytest", "--collect-only", "-q", *options)
    assert done.returncode == 0, done.stdout
    return [line for line in done.stdout.splitlines() if "::" in line]


def test_every_test_is_in_one_half(repository: Path) -> None:
    everything = collected(repository, ASKED)
    sqlite, rest = (collected(repository, f"--half={half}", ASKED) for half in HALVES)
    assert sorted(sqlite + rest) == sorted(everything)
    assert len(set(everything)) == len(everything)
    assert sqlite
    assert all("[sqlite" in name for name in sqlite)


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--collect-only", "--engine=sqlite", ASKED], 0, ["sqlite: exit code 0\n", "rest: exit code 5 (no tests)\n"]),
        (["tests/nowhere"], 4, ["file or directory not found"]),
    ],
)
def test_both_are_run(repository: Path, options: list[str], code: int, said: list[str]) -> None:
    done = run(repository, "tools/test_in_halves.py", *options)
    assert done.returncode == code
    for words in said:
        assert words in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("codes", "code"),
    [
        ((0, 0), 0),
        ((0, 1), 1),
        ((1, 0), 1),
        ((0, 5), 0),
        ((5, 0), 0),
        ((5, 1), 1),
        ((5, 5), 5),
        ((2, 1), 2),
        ((-9, 0), -9),
    ],
)
def test_a_half_that_fails_fails_the_whole(codes: tuple[int, int], code: int) -> None:
    assert exit_code(codes) == code
