"""Rate limits of the token road: counted in this process, divided by the workers.

They protect the server from one busy client, nothing more; limits that guard a secret (sign-in, codes) are exact and
live in SQL.
"""

from identity.clock import SECOND, Clock
from identity.domain.tenants import RateLimit

MAXIMUM_KEYS = 100_000

_Window = list[int]
"""Number of the current window, tries in it, tries in the one before."""


class RateLimits:
    """Sliding windows: the tries of this window, and of the one before as far as it still reaches into the last
    `seconds`. Each worker allows its share of the count, rounded up, so no client is shut out by the division.

    Memory: two generations of keys. When the young one is full it becomes the old one, and a key that is used again
    moves back; a key forgotten this way was unused while 50,000 others came.
    """

    def __init__(self, workers: int, clock: Clock, *, maximum_keys: int = MAXIMUM_KEYS) -> None:
        self._workers = workers
        self._clock = clock
        self._generation = max(1, maximum_keys // 2)
        self._young: dict[tuple[int, str], _Window] = {}
        self._old: dict[tuple[int, str], _Window] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def allow(self, key: tuple[int, str], limit: RateLimit) -> bool:
        """Counts one try of `key` (tenant, name) and says whether it may go on; a refused try does not count."""
        count = limit.count
        if count <= 0:
            return True
        length = limit.seconds * SECOND
        number, elapsed = divmod(self._clock.now(), length)
        window = self._young.get(key) or self._promote(key)
        if window[0] != number:
            window[2] = window[1] if window[0] == number - 1 else 0
            window[0] = number
            window[1] = 0
        # (previous * remaining part + current + 1) <= share, without a division
        if window[2] * (length - elapsed) + (window[1] + 1) * length > -(-count // self._workers) * length:
            return False
        window[1] += 1
        return True

    def retry_after(self, key: tuple[int, str], limit: RateLimit) -> int:
        """Whole seconds, at least 1, until a try of `key` can succeed: for the Retry-After header."""
        window = self._young.get(key) or self._old.get(key)
        if window is None or limit.count <= 0:
            return 1
        share = -(-limit.count // self._workers)
        length = limit.seconds * SECOND
        number, elapsed = divmod(self._clock.now(), length)
        current = window[1] if window[0] == number else 0
        previous = window[2] if window[0] == number else window[1] if window[0] == number - 1 else 0
        if current + 1 > share:  # nothing frees up in this window: wait into the next until enough of it has faded
            wait = length - elapsed + _fading(current, share, length)
        else:
            wait = _fading(previous, share - current, length) - elapsed
        return max(1, -(-wait // SECOND))

    def _promote(self, key: tuple[int, str]) -> _Window:
        window = self._old.pop(key, None) or [-1, 0, 0]
        if len(self._young) >= self._generation:
            self._old = self._young
            self._young = {}
        self._young[key] = window
        return window


def _fading(previous: int, room: int, length: int) -> int:
    """Microseconds into a window until `previous` tries of the one before leave room for one more try."""
    if previous <= room - 1:
        return 0
    return length - (room - 1) * length // previous
