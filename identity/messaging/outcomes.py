"""How one try to deliver something ended."""

from dataclasses import dataclass
from enum import StrEnum


class Result(StrEnum):
    DELIVERED = "delivered"
    RETRIED = "retried"
    FAILED = "failed"
    """Given up."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """`status` is the receiver's own (HTTP or SMTP), 0 without an answer; `unreachable` pauses its whole origin."""

    result: Result
    status: int = 0
    error: str = ""
    unreachable: bool = False
