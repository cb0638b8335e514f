"""Work that nobody waits for, in every worker: purging what has expired, delivering what the outbox holds."""

import asyncio
import math
import random
import time
from collections.abc import MutableMapping

from identity.clock import SECOND, Clock
from identity.errors import IdentityError
from identity.messaging.courier import KEEP_HOUSE_SECONDS, Courier
from identity.messaging.outbox import Outbox
from identity.storage.database import Database
from identity.storage.purge import BATCH, EXPIRING_TABLES, count_backlog, purge_batch, purge_bundles
from identity.telemetry import Log, Metrics

PURGE_EVERY_SECONDS = 60
LOOK_EVERY_SECONDS = 1
"""For deliveries that are due again, or were written by another process."""
KEEP = 3600 * SECOND
"""Expired rows stay this long, so that a late question about them finds them expired rather than unknown."""


class Purge:
    """Deletes expired rows and counts those that are left into `backlog`, by table."""

    def __init__(self, database: Database, backlog: MutableMapping[str, int], log: Log, clock: Clock) -> None:
        self._database = database
        self._backlog = backlog
        self._log = log
        self._clock = clock

    async def run(self) -> None:
        """For as long as the server runs. Workers begin at different moments, so that they do not meet."""
        await asyncio.sleep(random.uniform(1, PURGE_EVERY_SECONDS))  # noqa: S311  spread, no secret
        while True:
            try:
                await self.once()
            except IdentityError as error:
                self._log.warning("purge failed", detail=error.detail)
            await asyncio.sleep(PURGE_EVERY_SECONDS)

    async def once(self) -> int:
        """One round over all tables; how many rows went."""
        before = self._clock.now() - KEEP
        total = 0
        for table in EXPIRING_TABLES:
            while True:
                gone = await purge_batch(self._database, table, before=before)
                total += gone
                if gone < BATCH:
                    break
                # Others' writes come first: on SQLite there is one writer.
                await asyncio.sleep(0.02)
            self._backlog[table] = await count_backlog(self._database, table, before=before)
        return total + await purge_bundles(self._database, before=before, now=self._clock.now())


class Deliveries:
    """Sends what the outbox holds: at once what this worker wrote, within a second what others left."""

    def __init__(self, outbox: Outbox, courier: Courier, log: Log) -> None:
        self._outbox = outbox
        self._courier = courier
        self._log = log

    async def run(self) -> None:
        """For as long as the server runs. What is under way at its end is given back."""
        house_kept_at = -math.inf
        try:
            while True:
                try:
                    await self._courier.dispatch()
                    if time.monotonic() - house_kept_at > KEEP_HOUSE_SECONDS:
                        house_kept_at = time.monotonic()
                        await self._courier.keep_house()
                except IdentityError as error:
                    self._log.warning("deliveries wait", detail=error.detail)
                except Exception as error:
                    self._log.error("deliveries wait", exc_info=error)
                await self._outbox.woken(LOOK_EVERY_SECONDS)
        finally:
            await self._courier.stop()


async def publish_metrics(metrics: Metrics) -> None:
    """Once a second, show the other workers the numbers that are only read here."""
    while True:
        metrics.publish()
        await asyncio.sleep(1)
