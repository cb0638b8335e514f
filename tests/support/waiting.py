"""Waiting for what another process does: asked again shortly, with a deadline."""

import threading
import time
from collections.abc import Callable


def eventually(check: Callable[[], bool], what: str, seconds: float = 15) -> None:
    """Return once `check` is true. Raises AssertionError, naming `what`, when time is up."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not check():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        pause.wait(0.05)
