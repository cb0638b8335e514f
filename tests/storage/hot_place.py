"""A tenant of its own in a database of one engine, its rows, and the token road over it."""

import asyncio
import hashlib
import itertools
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop
from sqlalchemy import Table
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.sql import ClauseElement

from identity.clock import Clock
from identity.domain.tokens import NewRefreshToken, NewToken, TokenQuery
from identity.storage import authorization_tables, tables
from identity.storage.database import Database, insert_into
from identity.storage.hot import HotStorage, open_hot_storage
from identity.storage.migrations import schema_statements
from identity.storage.postgresql import PostgresqlDatabase
from identity.storage.sqlite_writer import SqliteDatabase

NOW = 1_800_000_000_000_000
HOUR = 3600 * 1_000_000
LIMIT_SECONDS = 20

_tenants = itertools.count(1)
_inserts = {table.name: insert_into(table) for table in tables.metadata.sorted_tables}
_blank: dict[str, Any] = {
    "tenant": 0, "enabled": 1, "version": 1, "created_at": NOW, "store": "PRIMARY", "epoch": 0, "claims": b"",
    "cookie_hash": b"", "acr": "", "amr": "pwd", "settings": "{}", "document": "{}", "subject_epoch": 0,
    "subject_version": 1, "revoked_at": None, "ended_at": None, "consumed_at": None, "parent": None,
    "first_used_at": None, "uses": 0, "closed_at": None, "nonce": None, "session": None, "session_bound": 0,
    "remembered": 0, "issued_at": NOW, "expires_at": NOW + HOUR, "auth_time": NOW, "last_seen_at": NOW,
}  # fmt: skip


class StoppedClock(Clock):
    def __init__(self, at: int = NOW) -> None:
        self.at = at

    def now(self) -> int:
        return self.at


def digest(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


@dataclass
class Place:
    """`hot` and `database` are open; `tenant` exists, and its application `app`."""

    database: Database
    hot: HotStorage
    engine: "HotEngine"
    clock: StoppedClock
    tenant: int = field(default_factory=lambda: next(_tenants))

    async def insert(self, table: Table, **values: Any) -> None:
        row = {column.name: _blank.get(column.name, "") for column in table.columns}
        async with self.database.transaction() as transaction:
            await transaction.execute(_inserts[table.name], **(row | {"tenant": self.tenant} | values))

    async def change(self, statement: ClauseElement) -> int:
        async with self.database.transaction() as transaction:
            return await transaction.execute(statement)

    async def rows(self, statement: ClauseElement) -> list[tuple[Any, ...]]:
        return [tuple(row[name] for name in row.keys()) for row in await self.database.fetch(statement)]  # noqa: SIM118

    async def settle(self, tenant: int | None = None) -> None:
        tenant = tenant or self.tenant
        await self.insert(tables.tenant, id=tenant, handle=f"tenant-{tenant}")
        await self.insert(tables.application, tenant=tenant, id="app", client_id="app", name="app")

    async def sign_in(self, grant: str = "grant", **values: Any) -> None:
        """A subject, their session, and a grant bound to it."""
        await self.insert(tables.subject, id="alice-id", external_id="1", username="alice", version=3)
        await self.insert(tables.sso_session, id="session", subject="alice-id", cookie_hash=digest("cookie"))
        row = {
            "id": grant, "application": "app", "subject": "alice-id", "session": "session", "session_bound": 1,
            "scope": "openid", "claims": b"sealed", "subject_version": 2, "expires_at": NOW + 24 * HOUR,
        }  # fmt: skip
        await self.insert(tables.grants, **(row | values))

    async def add_token(self, name: str = "token", **values: Any) -> TokenQuery:
        row = {"application": "app", "scope": "read", "audience": "app", "hash": digest(name)}
        await self.insert(tables.access_token, **(row | values))
        return self.query(name)

    async def add_code(self, name: str = "code", **values: Any) -> None:
        row = {"hash": digest(name), "grant_id": "grant", "keep_until": NOW + HOUR}
        await self.insert(tables.authorization_code, **(row | values))

    async def add_refresh_token(self, name: str = "refresh", **values: Any) -> None:
        row = {"hash": digest(name), "grant_id": "grant", "application": "app", "scope": "openid"}
        await self.insert(tables.refresh_token, **(row | values))

    def query(self, name: str, **values: Any) -> TokenQuery:
        row: dict[str, Any] = {"tenant": self.tenant, "hash": digest(name), "caller": "app"}
        return TokenQuery(**(row | values))

    def new_token(self, name: str = "token", **values: Any) -> NewToken:
        row: dict[str, Any] = {
            "tenant": self.tenant, "hash": digest(name), "application": "app", "grant": "", "scope": "read",
            "audience": "app", "issued_at": NOW, "expires_at": NOW + HOUR, "application_version": 1,
            "tenant_version": 1,
        }  # fmt: skip
        return NewToken(**(row | values))

    def new_refresh_token(self, name: str, parent: str | None = None) -> NewRefreshToken:
        return NewRefreshToken(
            tenant=self.tenant, hash=digest(name), grant="grant", application="app", scope="openid",
            parent=digest(parent) if parent else None, issued_at=NOW, expires_at=NOW + 3 * HOUR,
        )  # fmt: skip

    @asynccontextmanager
    async def another_worker(self) -> AsyncIterator[HotStorage]:
        """The token road of another worker process: its own connections to the same database."""
        async with self.engine.open(self.clock) as (_, hot):
            yield hot


@dataclass
class HotEngine:
    """One engine's database with the schema in it. `target` is a PostgreSQL URL or the path of an SQLite file."""

    name: str
    target: str

    def create_schema(self) -> None:
        if self.name == "sqlite":
            connection = sqlite3.connect(self.target)
            for statement in schema_statements([tables.metadata, authorization_tables.metadata], sqlite.dialect()):
                connection.execute(statement)
            connection.close()
        else:
            asyncio.run(self._create_in_postgresql())

    def make_database(self) -> Database:
        return SqliteDatabase(Path(self.target)) if self.name == "sqlite" else PostgresqlDatabase(self.target)

    @asynccontextmanager
    async def open(self, clock: Clock) -> AsyncIterator[tuple[Database, HotStorage]]:
        database = self.make_database()
        hot = open_hot_storage(database, clock)
        await database.open()
        await hot.open()
        try:
            yield database, hot
        finally:
            await hot.close()
            await database.close()

    def run(self, scenario: Callable[[Place], Awaitable[None]]) -> None:
        """Run `scenario` in a fresh tenant, on the server's loop, for at most 20 seconds."""

        async def main() -> None:
            clock = StoppedClock()
            async with asyncio.timeout(LIMIT_SECONDS), self.open(clock) as (database, hot):
                place = Place(database, hot, self, clock)
                await place.settle()
                await scenario(place)

        uvloop.run(main())

    async def _create_in_postgresql(self) -> None:
        import asyncpg

        connection = await asyncpg.connect(self.target)
        dialect = PGDialect_asyncpg()  # type: ignore[no-untyped-call]
        try:
            for statement in schema_statements([tables.metadata, authorization_tables.metadata], dialect):
                await connection.execute(statement)
        finally:
            await connection.close()
