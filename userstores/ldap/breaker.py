"""The circuit breaker of one store: after failures in a row it refuses at once instead of making people wait."""

import time
from collections.abc import Callable
from enum import StrEnum


class CircuitState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class CircuitBreaker:
    """Opens after `failures` failures in a row; `seconds` later one call is let through as a probe.

    Its success closes the circuit, its failure opens it for as long again. `monotonic` gives seconds. Used on the event
    loop only.
    """

    def __init__(self, failures: int, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._limit = failures
        self._seconds = seconds
        self._monotonic = monotonic
        self._failures = 0
        self._opened_at: float | None = None
        self._probing = False

    @property
    def state(self) -> CircuitState:
        if self._opened_at is None:
            return CircuitState.CLOSED
        waited = self._monotonic() - self._opened_at >= self._seconds
        return CircuitState.HALF_OPEN if waited or self._probing else CircuitState.OPEN

    def admit(self) -> bool:
        """Whether a call may go out now. Who is admitted reports one of the three results."""
        state = self.state
        if state is CircuitState.CLOSED:
            return True
        if state is CircuitState.OPEN or self._probing:
            return False
        self._probing = True
        return True

    def succeeded(self) -> None:
        self._failures, self._opened_at, self._probing = 0, None, False

    def failed(self) -> None:
        self._failures += 1
        self._probing = False
        if self._failures >= self._limit:
            self._opened_at = self._monotonic()

    def abandoned(self) -> None:
        """The call ended without telling anything about the directory (cancelled, never begun)."""
        self._probing = False
