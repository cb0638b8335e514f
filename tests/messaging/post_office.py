"""An outbox and its couriers over a database of one engine, with a clock that tests set."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvloop

from identity.clock import SECOND, Clock
from identity.config import Purpose, Settings
from identity.domain.deliveries import Delivery, DeliveryKind
from identity.domain.tenants import TenantId
from identity.messaging.courier import Courier
from identity.messaging.guarded_client import GuardedClient
from identity.messaging.outbox import Message, Outbox, Outgoing
from identity.secrets import Sealer
from identity.storage.database import Database
from identity.storage.deliveries import list_deliveries
from identity.telemetry import Metrics, get_logger
from tests.messaging.servers import Names
from tests.storage.hot_place import HotEngine, StoppedClock

LOGOUT = DeliveryKind.BACKCHANNEL_LOGOUT
TENANT = TenantId(7)
SEALER = Sealer.from_master_keys(b"k" * 32)
LIMIT_SECONDS = 30


async def as_it_is(outgoing: Outgoing) -> Message | None:
    """The payload is the request's body."""
    return Message(outgoing.payload, (("content-type", "text/plain"),))


@dataclass
class Office:
    database: Database
    clock: StoppedClock
    engine: HotEngine
    metrics: Metrics = field(default_factory=lambda: Metrics(delivery_kinds=tuple(DeliveryKind)))
    names: Names = field(default_factory=lambda: Names({"localhost": [["127.0.0.1"]]}))

    def __post_init__(self) -> None:
        self.metrics.declare_routes(())
        self.outbox, self.courier = self.worker()

    def worker(self, build: Any = as_it_is, clock: Clock | None = None) -> tuple[Outbox, Courier]:
        """One more worker on this database."""
        outbox = Outbox(SEALER, clock or self.clock)
        outbox.register(LOGOUT, Purpose.LOGOUT, build)
        client = GuardedClient(Settings(test_mode=True), resolve=self.names)
        return outbox, Courier(outbox, client, self.database, self.metrics, get_logger("identity.test"))

    async def post(self, target: str, payload: bytes = b"hello", **options: Any) -> str:
        async with self.database.transaction() as transaction:
            return await self.outbox.enqueue(
                transaction, LOGOUT, tenant=TENANT, target=target, payload=payload, **options
            )

    async def deliver(self, courier: Courier | None = None) -> None:
        """Everything that is due now, to its end."""
        courier = courier or self.courier
        await courier.dispatch()
        await courier.idle()

    async def later(self, seconds: float) -> None:
        self.clock.at += int(seconds * SECOND)
        await self.deliver()

    async def log(self) -> list[Delivery]:
        return await list_deliveries(self.database, TENANT)

    async def only(self) -> Delivery:
        (delivery,) = await self.log()
        return delivery

    def counted(self, outcome: str) -> int:
        text, _ = self.metrics.exposition()
        line = f'deliveries_total{{kind="backchannel_logout",outcome="{outcome}"}} '
        return int(float(text.decode().partition(line)[2].partition("\n")[0]))


def run(engine: HotEngine, scenario: Callable[[Office], Awaitable[None]]) -> None:
    """Run `scenario` with an empty outbox, on the server's loop."""

    async def main() -> None:
        async with asyncio.timeout(LIMIT_SECONDS), _office(engine) as office:
            await scenario(office)

    uvloop.run(main())


@asynccontextmanager
async def _office(engine: HotEngine) -> AsyncIterator[Office]:
    clock = StoppedClock()
    async with engine.open(clock) as (database, _):
        await empty(database)
        yield Office(database, clock, engine)


async def empty(database: Database) -> None:
    from sqlalchemy import delete

    from identity.storage.authorization_tables import delivery

    await database.execute(delete(delivery))
