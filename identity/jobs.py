"""Work that nobody waits for: purging what has expired, in every worker, a batch at a time."""

import asyncio
import random
from collections.abc import MutableMapping

from identity.clock import SECOND, Clock
from identity.errors import IdentityError
from identity.storage.database import Database
from identity.storage.purge import BATCH, EXPIRING_TABLES, count_backlog, purge_batch
from identity.telemetry import Log, Metrics

PURGE_EVERY_SECONDS = 60
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
        return total


async def publish_metrics(metrics: Metrics) -> None:
    """Once a second, show the other workers the numbers that are only read here."""
    while True:
        metrics.publish()
        await asyncio.sleep(1)
