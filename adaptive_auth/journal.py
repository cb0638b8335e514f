"""What has happened in one login so far. With a definition it is all that decides what comes next."""

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["succeeded", "failed", "cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One answered need. `step` counts from 1; `at` is microseconds."""

    step: int
    authenticator: str
    outcome: Outcome
    at: int
    subject: str = ""
    amr: tuple[str, ...] = ()
    """The methods that were shown (RFC 8176 §2)."""
    reused: bool = False
    """Shown earlier in the running session, not asked for again."""


Journal = tuple[Entry, ...]
"""In the order in which things happened."""
