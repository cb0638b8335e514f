"""The database as this store needs it: the shape of the server's own port, declared here so that neither imports the
other.

Statements are SQLAlchemy Core constants; parameters go by keyword. Two exceptions are known by their `code`:
"conflict" (a unique key is taken) and "temporarily_unavailable" (no answer within the deadline).
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any, Protocol

from sqlalchemy.sql import ClauseElement

from userstores.spi import StoreUnavailable, UserExists


class Row(Protocol):
    def __getitem__(self, name: str, /) -> Any: ...


class Runner(Protocol):
    async def fetch(self, statement: ClauseElement, **parameters: object) -> Sequence[Row]: ...

    async def fetch_one(self, statement: ClauseElement, **parameters: object) -> Row | None: ...


class Transaction(Runner, Protocol):
    async def execute(self, statement: ClauseElement, **parameters: object) -> int:
        """How many rows changed."""
        ...


class Database(Runner, Protocol):
    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """Commits at the end of the block, rolls back when an exception leaves it."""
        ...


@contextmanager
def store_errors(store: str) -> Iterator[None]:
    """The database's two known errors as the store's own."""
    try:
        yield
    except Exception as error:
        code = getattr(error, "code", None)
        if code == "conflict":
            raise UserExists(store, "the username is taken") from error
        if code == "temporarily_unavailable":
            raise StoreUnavailable(store, str(error)) from error
        raise
