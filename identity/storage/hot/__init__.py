"""The token road's storage: look up, issue, redeem, exact on every worker and with a deadline on everything.

Each verb raises Unavailable when the database does not answer in time; a look-up or read has then done nothing, and
what became of an `issue` or `redeem` is unknown. RefusedRow says that the row itself cannot be stored.
"""

from collections.abc import Awaitable
from typing import Protocol

from identity.clock import Clock
from identity.domain.tokens import NewRefreshToken, NewToken, RedeemableState, TokenQuery, TokenState
from identity.storage.database import Database
from identity.storage.hot.coalesce import HotCounters, RefusedRow

__all__ = ["HotCounters", "HotStorage", "RefusedRow", "open_hot_storage"]


class HotStorage(Protocol):
    counters: HotCounters

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    def look_up(self, query: TokenQuery) -> Awaitable[TokenState]:
        """The state of a token, without its claims. A row is given only to a caller of its tenant."""
        ...

    def look_up_claims(self, query: TokenQuery) -> Awaitable[TokenState]:
        """The same with the claims sealed in the grant."""
        ...

    async def issue(self, token: NewToken) -> bool:
        """Store an access token; answered after the commit. False: the application's or tenant's version has moved
        on, or one of them is disabled or gone, and nothing was stored."""
        ...

    async def use_once(self, tenant: int, hash: bytes, expires_at: int) -> bool:
        """Note a value that is good once (`jti`), kept until `expires_at` (µs). True for the one caller that is
        first, over all workers."""
        ...

    async def read_code(self, tenant: int, hash: bytes, caller: str) -> RedeemableState: ...

    async def read_refresh_token(self, tenant: int, hash: bytes, caller: str) -> RedeemableState: ...

    async def redeem_code(
        self, *, tenant: int, hash: bytes, now: int, access: NewToken | None, refresh: NewRefreshToken | None
    ) -> bool:
        """Consume the code and store what it gives, in one transaction. True for the one caller that won.

        False: consumed, expired, or its grant revoked; nothing was stored. Versions are not compared: `read_code` has.
        """
        ...

    async def redeem_refresh_token(
        self, *, tenant: int, hash: bytes, now: int, grace_us: int, grace_uses: int, rotate: bool,
        access: NewToken | None, refresh: NewRefreshToken | None,
    ) -> bool:  # fmt: skip
        """Use a refresh token and store what it gives, in one transaction; its parent's grace ends (decision 10).

        With `rotate` it may be used `grace_uses` times within `grace_us` microseconds of its first use, the first
        included; without, until it expires. False: used up, closed, expired, or its grant revoked.
        """
        ...


def open_hot_storage(database: Database, clock: Clock | None = None) -> HotStorage:
    """The driver for the engine of `database`; its `open()` is still to be awaited."""
    from identity.storage.postgresql import PostgresqlDatabase
    from identity.storage.sqlite_writer import SqliteDatabase

    if isinstance(database, PostgresqlDatabase):
        from identity.storage.hot.postgresql import PostgresqlHot

        return PostgresqlHot(database.url, clock)
    if isinstance(database, SqliteDatabase):
        from identity.storage.hot.sqlite import SqliteHot

        return SqliteHot(database, clock)
    raise TypeError(f"no token road for {type(database).__name__}")
