"""Time as the server sees it: whole microseconds since the epoch, injected wherever a rule depends on it."""

import time
from datetime import UTC, datetime

SECOND = 1_000_000
DAY = 86_400 * SECOND


class Clock:
    """The machine's clock. Tests pass a subclass whose time they set."""

    def now(self) -> int:
        """Microseconds since 1970-01-01T00:00:00Z: the unit of every `*_at` in the databases."""
        return time.time_ns() // 1000


def seconds(microseconds: int) -> int:
    """The NumericDate of a moment (RFC 7519 §2): tokens carry whole seconds."""
    return microseconds // SECOND


def as_datetime(microseconds: int) -> datetime:
    return datetime.fromtimestamp(microseconds / SECOND, UTC)
