"""The token road's limits: what a window lets through, when it opens again, how much it remembers."""

from hypothesis import given
from hypothesis import strategies as st

from identity.clock import SECOND, Clock
from identity.domain.tenants import RateLimit
from identity.web.rate_limits import RateLimits

KEY = (1, "client")


class SetClock(Clock):
    def __init__(self) -> None:
        self.time = 1_000_000 * SECOND

    def now(self) -> int:
        return self.time


def test_the_limit_and_its_end() -> None:
    clock = SetClock()
    limits = RateLimits(1, clock)
    limit = RateLimit(count=10, seconds=60)
    assert [limits.allow(KEY, limit) for _ in range(12)] == [True] * 10 + [False] * 2
    assert limits.allow((1, "another"), limit)
    assert limits.allow((2, "client"), limit)
    clock.time += limits.retry_after(KEY, limit) * SECOND
    assert limits.allow(KEY, limit)


def test_nothing_is_counted_when_off() -> None:
    limits = RateLimits(1, SetClock())
    assert all(limits.allow(KEY, RateLimit(count=0, seconds=1)) for _ in range(1000))
    assert len(limits) == 0


def test_the_count_is_shared_by_the_workers() -> None:
    limit = RateLimit(count=100, seconds=60)
    workers = [RateLimits(4, SetClock()) for _ in range(4)]
    assert sum(worker.allow(KEY, limit) for worker in workers for _ in range(200)) == 100
    assert RateLimits(8, SetClock()).allow(KEY, RateLimit(count=1, seconds=60))


@given(
    steps=st.lists(st.integers(0, 3 * SECOND), min_size=1, max_size=200),
    count=st.integers(1, 20),
    seconds=st.integers(1, 10),
)
def test_no_window_lets_through_twice_the_limit(steps: list[int], count: int, seconds: int) -> None:
    """Sliding windows are an estimate; what they never do is let a second full count through at a window's edge."""
    clock = SetClock()
    limits = RateLimits(1, clock)
    limit = RateLimit(count=count, seconds=seconds)
    allowed: list[int] = []
    for step in steps:
        clock.time += step
        if limits.allow(KEY, limit):
            allowed.append(clock.time)
        else:
            before = clock.time
            clock.time += limits.retry_after(KEY, limit) * SECOND
            assert limits.allow(KEY, limit)
            allowed.append(clock.time)
            assert clock.time - before <= 2 * seconds * SECOND
    assert all(
        sum(start <= moment < start + seconds * SECOND for moment in allowed) < max(2, 2 * count) for start in allowed
    )


def test_memory_is_bounded_and_the_busy_are_remembered() -> None:
    limits = RateLimits(1, SetClock(), maximum_keys=100)
    limit = RateLimit(count=1000, seconds=60)
    for number in range(1000):
        limits.allow((1, f"stranger-{number}"), limit)
        assert limits.allow(KEY, limit)
    assert len(limits) <= 101
    assert not limits.allow(KEY, limit)
