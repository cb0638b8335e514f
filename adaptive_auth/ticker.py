"""The wall clock of the sandbox: moves the engine's epoch on while something runs, and costs nothing otherwise."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

TICK_SECONDS = 0.01


class Ticker:
    """Calls `tick` every 10 ms from a thread of its own while at least one `with ticker.running()` is open."""

    def __init__(self, tick: Callable[[], None]) -> None:
        self._tick = tick
        self._lock = threading.Lock()
        self._wanted = threading.Event()
        self._open = 0
        self._closed = False
        self._thread: threading.Thread | None = None

    @contextmanager
    def running(self) -> Iterator[None]:
        self.start()
        with self._lock:
            self._open += 1
            self._wanted.set()
        try:
            yield
        finally:
            with self._lock:
                self._open -= 1
                if not self._open and not self._closed:
                    self._wanted.clear()

    def start(self) -> None:
        """The thread; done at the first run, and before a lock that lets no thread begin."""
        if self._thread is None:
            with self._lock:
                if self._thread is None and not self._closed:
                    self._thread = threading.Thread(target=self._loop, name="script-clock", daemon=True)
                    self._thread.start()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._wanted.set()
        if self._thread is not None:
            self._thread.join()

    def _loop(self) -> None:
        while self._wanted.wait() and not self._closed:
            time.sleep(TICK_SECONDS)
            self._tick()
