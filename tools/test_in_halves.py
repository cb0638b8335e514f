"""Run the tests as two pytest processes side by side: what runs on SQLite, and everything else.

Each has its own servers, databases and cache, so that the two share nothing. The first half is shown as it runs, the
second when both have ended, and last how each ended. Options go to both. It fails when one fails.
"""

import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[1]
HALVES = ("sqlite", "rest")
NOTHING_COLLECTED = 5
"""pytest's exit code of a half in which no test was left: the options may have chosen the other half's only."""


def main(options: list[str]) -> int:
    # So that `finally` runs when a time limit ends this process.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with tempfile.TemporaryFile("w+") as kept:
        running = [_start(HALVES[0], options, None), _start(HALVES[1], options, kept)]
        try:
            codes = tuple(_wait(half) for half in running)
        finally:
            for half in running:
                half.terminate()
        kept.seek(0)
        text = kept.read()
    print(f"\n== the other half: {HALVES[1]}\n{text}", end="", flush=True)
    for name, code in zip(HALVES, codes, strict=True):
        print(f"== half {name}: exit code {code}{' (no tests)' if code == NOTHING_COLLECTED else ''}")
    return exit_code(codes)


def exit_code(codes: tuple[int, ...]) -> int:
    """0 when every half passed or had no tests, but not when none had any."""
    wrong = [code for code in codes if code not in (0, NOTHING_COLLECTED)]
    return wrong[0] if wrong else min(codes)


def _start(half: str, options: list[str], output: IO[str] | None) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "pytest", f"--half={half}", "-o", f"cache_dir=.pytest_cache/{half}", *options]
    return subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=None if output is None else subprocess.STDOUT)


def _wait(running: subprocess.Popen[bytes]) -> int:
    """Ctrl-C reaches pytest too, which then ends in its own way."""
    while True:
        try:
            return running.wait()
        except KeyboardInterrupt:
            continue


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
