"""A process that delivers, to be killed: `python -m tests.messaging.worker <engine> <database>`."""

import asyncio
import sys

from identity.clock import Clock
from identity.config import Purpose, Settings
from identity.domain.deliveries import DeliveryKind
from identity.jobs import Deliveries
from identity.messaging.courier import Courier
from identity.messaging.guarded_client import GuardedClient
from identity.messaging.outbox import Outbox
from identity.telemetry import Metrics, get_logger
from tests.messaging.post_office import LOGOUT, SEALER, as_it_is
from tests.storage.hot_place import HotEngine


async def main(engine: str, target: str) -> None:
    clock, log = Clock(), get_logger("identity.test")
    database = HotEngine(engine, target).make_database()
    await database.open()
    outbox = Outbox(SEALER, clock)
    outbox.register(LOGOUT, Purpose.LOGOUT, as_it_is)
    metrics = Metrics(delivery_kinds=tuple(DeliveryKind))
    courier = Courier(outbox, GuardedClient(Settings(test_mode=True)), database, metrics, log)
    print("ready", flush=True)
    await Deliveries(outbox, courier, log).run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
