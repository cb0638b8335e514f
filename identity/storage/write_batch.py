"""Several writes as one transaction in one round trip.

The query functions of `storage/` take a `Transaction`; given a `WriteBatch` instead they only note what to write, and
`Database.commit(batch)` does it: on PostgreSQL one statement of data-modifying parts, on SQLite one visit to the
writer thread. What a later write needs to know must have been read before; `expect_one` says which write must find
its row, and when one does not, nothing is written at all.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.sql import ClauseElement

from identity.storage.database import Row


class WriteBatch:
    """Notes statements in their order. Two of them must not write the same row."""

    def __init__(self) -> None:
        self.writes: list[tuple[ClauseElement, dict[str, Any]]] = []
        self.expected: set[int] = set()
        """Places of the writes that must change exactly one row."""

    async def execute(self, statement: ClauseElement, **parameters: Any) -> int:
        """Note a write. It is taken to find its row: `expect_one` makes sure."""
        self.writes.append((statement, parameters))
        return 1

    def expect_one(self) -> None:
        """The write noted last must change one row, or the whole batch is left undone."""
        self.expected.add(len(self.writes) - 1)

    async def fetch(self, statement: ClauseElement, **parameters: Any) -> Sequence[Row]:
        raise AssertionError("a batch only writes: read before")

    async def fetch_one(self, statement: ClauseElement, **parameters: Any) -> Row | None:
        raise AssertionError("a batch only writes: read before")
