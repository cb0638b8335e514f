"""One database, two engines: statements are SQLAlchemy Core, compiled once, and run on the driver itself.

Running a prepared statement through SQLAlchemy costs about 90 µs more than the driver alone, so SQLAlchemy builds and
renders statements here, and asyncpg or sqlite3 runs them. A statement is a module-level constant: it is compiled at
its first use and kept.

Transactions are short and explicit: nothing slow (hash, directory, HTTP, script, template) runs inside one, and
`forbid_in_transaction` raises where that would happen.
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import ColumnElement, Table, bindparam
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.engine import Dialect
from sqlalchemy.sql import ClauseElement

from identity.errors import IdentityError

if TYPE_CHECKING:
    from identity.storage.write_batch import WriteBatch


class Row(Protocol):
    """A row by column name: `sqlite3.Row` or `asyncpg.Record`."""

    def __getitem__(self, name: str) -> Any: ...

    def keys(self) -> Iterable[str]: ...


in_transaction: ContextVar[bool] = ContextVar("in_transaction", default=False)


class Conflict(IdentityError):
    """A unique key is taken already."""

    def __init__(self, detail: str) -> None:
        super().__init__("conflict", "It exists already.", detail=detail, status=409)


class Runner(Protocol):
    """Runs statements: the database itself (each alone, for reading) or an open transaction."""

    async def fetch(self, statement: ClauseElement, **parameters: object) -> Sequence[Row]: ...

    async def fetch_one(self, statement: ClauseElement, **parameters: object) -> Row | None: ...


class Writer(Protocol):
    async def execute(self, statement: ClauseElement, **parameters: object) -> int:
        """Run a statement that changes rows; how many it changed. Raises Conflict on a taken key."""
        ...


class Transaction(Runner, Writer, Protocol):
    """An open transaction."""


class Database(Runner, Protocol):
    """Raises Unavailable when the database does not answer within its deadline."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def execute(self, statement: ClauseElement, **parameters: object) -> int:
        """A statement that is a transaction of its own, at half the round trips; how many rows it changed."""
        ...

    async def fetch_changed(self, statement: ClauseElement, **parameters: object) -> Sequence[Row]:
        """What one writing statement returns, in a transaction of its own."""
        ...

    async def commit(self, batch: "WriteBatch") -> bool:
        """Write a batch as one transaction. False: a write did not find the row it expected, and nothing is written."""
        ...

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """One write transaction: commits at the end of the block, rolls back when an exception leaves it."""
        ...


class Compiled:
    """A statement as SQL text of one engine, with the names and default values of its parameters."""

    __slots__ = ("defaults", "names", "sql")

    def __init__(self, statement: ClauseElement, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        self.sql = str(compiled)
        self.defaults: dict[str, Any] = {k: v for k, v in dict(compiled.params).items() if v is not None}
        self.names: tuple[str, ...] = tuple(getattr(compiled, "positiontup", None) or ())

    def values(self, parameters: dict[str, Any]) -> list[Any]:
        """The parameters in the order of their places."""
        if self.defaults:
            parameters = self.defaults | parameters
        return [parameters[name] for name in self.names]


class Statements:
    """The compiled form of each statement constant."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._compiled: dict[int, tuple[ClauseElement, Compiled]] = {}

    def __call__(self, statement: ClauseElement) -> Compiled:
        found = self._compiled.get(id(statement))
        if found is None:
            found = self._compiled[id(statement)] = (statement, Compiled(statement, self._dialect))
        return found[1]


def insert_into(table: Table) -> Insert:
    """`insert` with one parameter per column, named as the column; SQLite understands its `on conflict` too."""
    return insert(table).values({column.name: bindparam(column.name) for column in table.columns})


def columns(row: Any) -> dict[str, Any]:
    """A dataclass as parameters by the names of its fields. Not `asdict`, which copies every value in depth."""
    return {name: getattr(row, name) for name in row.__dataclass_fields__}


def forbid_in_transaction(what: str) -> None:
    """Raise when slow work begins while this task holds a transaction open."""
    if in_transaction.get():
        raise AssertionError(f"{what} inside a database transaction")


def of_tenant(table: Table) -> ColumnElement[bool]:
    """The tenant filter: the one place where a query is bound to its tenant (parameter `tenant`)."""
    column: ColumnElement[int] = table.c.tenant
    return column == bindparam("tenant")
