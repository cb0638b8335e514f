"""The token road on PostgreSQL: coalesced reads and inserts, redemptions of one statement each."""

import asyncio
from collections.abc import Coroutine, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from identity.clock import Clock
from identity.domain.tokens import NewRefreshToken, NewToken, RedeemableState, TokenQuery, TokenState
from identity.errors import Unavailable
from identity.storage.hot import postgresql_statements as sql
from identity.storage.hot.coalesce import Coalescer, HotCounters
from identity.storage.hot.postgresql_connections import HotConnection

if TYPE_CHECKING:
    from asyncpg import Record

T = TypeVar("T")


class PostgresqlHot:
    """`url` is a PostgreSQL URL of the primary: a replica would answer from the past."""

    def __init__(self, url: str, clock: Clock | None = None) -> None:
        self.counters = HotCounters()
        self._clock = clock or Clock()
        self._reading, self._writing, *redeeming = (HotConnection(url, self.counters) for _ in range(4))
        # Redemptions wait for each other's row locks and commits; they must not make the shared statements wait.
        self._redeeming = (redeeming[0], redeeming[1])
        self._look_up = Coalescer(partial(self._look_up_all, sql.LOOK_UP))
        self._look_up_claims = Coalescer(partial(self._look_up_all, sql.LOOK_UP_CLAIMS))
        self._read_code = Coalescer(partial(self._read_all, sql.READ_CODE))
        self._read_refresh_token = Coalescer(partial(self._read_all, sql.READ_REFRESH_TOKEN))
        self._issue = Coalescer(self._issue_all)
        self._use_once = Coalescer(self._use_all)
        self._under_way: set[asyncio.Task[Any]] = set()

    async def open(self) -> None:
        """Raises Unavailable when the database cannot be reached."""
        outcomes = await asyncio.gather(*(each.open() for each in self._connections), return_exceptions=True)
        for outcome in outcomes:
            if outcome is not None:
                await self.close()
                raise outcome

    async def close(self) -> None:
        reads = (self._look_up, self._look_up_claims, self._read_code, self._read_refresh_token)
        for coalescer in (*reads, self._issue, self._use_once):
            await coalescer.close()
        for connection in self._connections:
            await connection.close()

    @property
    def _connections(self) -> tuple[HotConnection, ...]:
        return self._reading, self._writing, *self._redeeming

    def look_up(self, query: TokenQuery) -> asyncio.Future[TokenState]:
        return self._look_up(query)

    def look_up_claims(self, query: TokenQuery) -> asyncio.Future[TokenState]:
        return self._look_up_claims(query)

    async def issue(self, token: NewToken) -> bool:
        return await self._issue(token)

    async def use_once(self, tenant: int, hash: bytes, expires_at: int) -> bool:
        return await self._use_once((tenant, hash, expires_at))

    async def read_code(self, tenant: int, hash: bytes, caller: str) -> RedeemableState:
        return await self._read_code((tenant, hash, caller))

    async def read_refresh_token(self, tenant: int, hash: bytes, caller: str) -> RedeemableState:
        return await self._read_refresh_token((tenant, hash, caller))

    async def redeem_code(
        self, *, tenant: int, hash: bytes, now: int, access: NewToken | None, refresh: NewRefreshToken | None
    ) -> bool:
        return await self._redeem(sql.REDEEM_CODE, (tenant, hash, now, *_given(access, refresh)))

    async def redeem_refresh_token(
        self, *, tenant: int, hash: bytes, now: int, grace_us: int, grace_uses: int, rotate: bool,
        access: NewToken | None, refresh: NewRefreshToken | None,
    ) -> bool:  # fmt: skip
        arguments = (tenant, hash, now, *_given(access, refresh), rotate, grace_us, grace_uses)
        return await self._redeem(sql.REDEEM_REFRESH_TOKEN, arguments)

    async def _look_up_all(self, statement: str, queries: list[TokenQuery]) -> list[TokenState]:
        self.counters.rows += len(queries)
        arguments = (
            [query.tenant for query in queries],
            [query.hash for query in queries],
            [query.caller for query in queries],
            [query.grant for query in queries],
            [query.application for query in queries],
        )
        rows = await self._read(statement, arguments)
        return [TokenState(*row) for row in rows]

    async def _read_all(self, statement: str, questions: list[tuple[int, bytes, str]]) -> list[RedeemableState]:
        self.counters.rows += len(questions)
        tenants, hashes, callers = map(list, zip(*questions, strict=True))
        rows = await self._read(statement, (tenants, hashes, callers, self._clock.now()))
        return [RedeemableState(*row) for row in rows]

    async def _read(self, statement: str, arguments: Sequence[Any]) -> "list[Record]":
        try:
            return await self._reading.fetch(statement, arguments)
        except Unavailable:
            self.counters.retries += 1
            return await self._writing.fetch(statement, arguments)

    async def _issue_all(self, tokens: list[NewToken]) -> list[bool]:
        self.counters.rows += len(tokens)
        columns = [list(column) for column in zip(*map(_issue_values, tokens), strict=True)]
        inserted = {tuple(row) for row in await self._writing.fetch(sql.ISSUE, columns)}
        return [(token.tenant, token.hash) in inserted for token in tokens]

    async def _use_all(self, values: list[tuple[int, bytes, int]]) -> list[bool]:
        self.counters.rows += len(values)
        columns = [list(column) for column in zip(*values, strict=True)]
        fresh = {tuple(row) for row in await self._writing.fetch(sql.USE_ONCE, columns)}
        answers = []
        for tenant, hash, _ in values:
            answers.append((tenant, hash) in fresh)
            fresh.discard((tenant, hash))
        return answers

    async def _redeem(self, statement: str, arguments: Sequence[Any]) -> bool:
        first, second = self._redeeming
        connection = second if second.idle and not first.idle else first
        self.counters.rows += 1
        return len(await self._apart(connection.fetch(statement, arguments))) == 1

    async def _apart(self, work: Coroutine[Any, Any, T]) -> T:
        """Run to the end even if the caller is cancelled: its transaction stays whole and the connection usable."""
        task = asyncio.get_running_loop().create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)


def _issue_values(token: NewToken) -> tuple[Any, ...]:
    return (
        token.tenant, token.hash, token.application, token.grant, token.scope, token.audience,
        token.issued_at, token.expires_at, token.extra, token.application_version, token.tenant_version,
    )  # fmt: skip


def _given(access: NewToken | None, refresh: NewRefreshToken | None) -> tuple[Any, ...]:
    """The arguments $4 to $21 of a redemption; None all through for what is not given."""
    first = (None,) * 9 if access is None else _issue_values(access)[:9]
    second = (None,) * 9 if refresh is None else (
        refresh.tenant, refresh.hash, refresh.grant, refresh.application, refresh.scope, refresh.parent,
        refresh.issued_at, refresh.expires_at, refresh.confirmation,
    )  # fmt: skip
    return *first, *second
