"""Delivers what the outbox holds: claims it by lease, tries it, and notes how it went.

A target that does not answer is tried by one delivery at a time, at growing distances, while everything else for it
waits: others are not delayed by it.
"""

import asyncio
import random
from dataclasses import dataclass, field

from identity.clock import SECOND
from identity.domain.deliveries import Delivery
from identity.errors import IdentityError
from identity.messaging.guarded_client import GuardedClient, OutboundFailed, OutboundRefused
from identity.messaging.outbox import OF_NO_USE, Carrier, HttpSender, Outbox, Outgoing
from identity.messaging.outcomes import Outcome, Result
from identity.storage.database import Database
from identity.storage.deliveries import (
    any_due,
    claim_deliveries,
    count_waiting,
    give_up_old,
    mark_delivered,
    mark_not_delivered,
    postpone_deliveries,
    release_delivery,
)
from identity.telemetry import Log, Metrics

RETRY_SECONDS = (1, 5, 30, 120, 600)
GIVE_UP_SECONDS = 3600
"""Also for what was never tried, because its target did not answer others."""
LEASE_SECONDS = 60
"""Longer than a delivery can wait for its turn here and be tried."""
TRY_SECONDS = 10
"""A try must be able to end within the lease: with less of it left, none begins."""
AT_ONCE = 128
PER_ORIGIN = 32
AT_ONCE_PER_ORIGIN = 4
BUSY_MICROSECONDS = SECOND // 10
CLAIM = 32
KEEP_HOUSE_SECONDS = 30


@dataclass(slots=True)
class _Origin:
    """A target's host and port, as this worker sees it."""

    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE_PER_ORIGIN))
    in_hand: int = 0
    answers: bool = False
    """Whether it answered the last time; until then one delivery at a time is enough to find out."""
    failures: int = 0
    """Tries without any answer, one after the other."""
    paused_until: int = 0

    def has_room(self, now: int) -> bool:
        return now >= self.paused_until and self.in_hand < (PER_ORIGIN if self.answers else 1)


class Courier:
    """One per worker."""

    def __init__(self, outbox: Outbox, client: GuardedClient, database: Database, metrics: Metrics, log: Log) -> None:
        self._outbox = outbox
        self._client = client
        self._database = database
        self._metrics = metrics
        self._log = log
        self._clock = outbox.clock
        self._origins: dict[str, _Origin] = {}
        self._in_hand: dict[asyncio.Task[None], Delivery] = {}

    async def dispatch(self) -> None:
        """Claim what is due, as far as there is room, and begin to deliver it."""
        while len(self._in_hand) < AT_ONCE:
            now = self._clock.now()
            if not await any_due(self._database, now):
                return
            lease = now + LEASE_SECONDS * SECOND
            claimed = await claim_deliveries(self._database, now=now, lease=lease, count=CLAIM)
            if not claimed:
                return
            await self._begin(claimed, now)

    async def idle(self) -> None:
        """Until everything that was begun has ended."""
        while self._in_hand:
            await asyncio.wait(list(self._in_hand))

    async def stop(self) -> None:
        """End what is under way and give it back: another worker, or the next start, tries it at once."""
        for task in self._in_hand:
            task.cancel()
        left = list(self._in_hand.values())
        await asyncio.gather(*self._in_hand, return_exceptions=True)
        for delivery in left:
            await release_delivery(self._database, delivery, again_at=self._clock.now())

    async def keep_house(self) -> None:
        """Give up what is too old, count what waits, forget targets that nothing was sent to for a while."""
        now = self._clock.now()
        old = now - GIVE_UP_SECONDS * SECOND
        given_up = await give_up_old(
            self._database, now=now, created_before=old, error="the target did not answer in time", count=1000
        )
        for delivery in given_up:
            self._tell(delivery, Outcome(Result.FAILED, delivery.last_status, delivery.last_error))
        self._metrics.deliveries_waiting = await count_waiting(self._database)
        forgotten = [name for name, origin in self._origins.items() if not origin.in_hand and origin.paused_until < old]
        for name in forgotten:
            del self._origins[name]

    async def _begin(self, claimed: list[Delivery], now: int) -> None:
        refused: dict[str, list[Delivery]] = {}
        for delivery in claimed:
            name = _origin_of(delivery)
            origin = self._origins.setdefault(name, _Origin())
            if not origin.has_room(now):
                refused.setdefault(name, []).append(delivery)
                continue
            origin.in_hand += 1
            task = asyncio.create_task(self._deliver(delivery, origin))
            self._in_hand[task] = delivery
            task.add_done_callback(self._ended)
        for name, deliveries in refused.items():
            await self._put_off(name, deliveries, now)

    def _ended(self, task: asyncio.Task[None]) -> None:
        delivery = self._in_hand.pop(task)
        self._origins[_origin_of(delivery)].in_hand -= 1
        self._outbox.wake()
        if not task.cancelled() and (error := task.exception()) is not None:
            # The lease ends by itself, and the delivery is tried again.
            self._log.error("delivery ended without an outcome", kind=delivery.kind, id=delivery.id, exc_info=error)

    async def _put_off(self, name: str, deliveries: list[Delivery], now: int) -> None:
        """These and all others for the same origin that are due, in one transaction."""
        again_at = max(self._origins[name].paused_until, now + BUSY_MICROSECONDS)
        async with self._database.transaction() as transaction:
            for delivery in deliveries:
                await release_delivery(transaction, delivery, again_at=again_at)
            await postpone_deliveries(transaction, name, now=now, again_at=again_at)
        if again_at == now + BUSY_MICROSECONDS:
            asyncio.get_running_loop().call_later(BUSY_MICROSECONDS / SECOND, self._outbox.wake)

    async def _deliver(self, delivery: Delivery, origin: _Origin) -> None:
        async with origin.turns:
            now = self._clock.now()
            assert delivery.leased_until is not None
            if now < origin.paused_until or now > delivery.leased_until - self._try_microseconds(delivery):
                await release_delivery(self._database, delivery, again_at=max(origin.paused_until, now))
                return
            outcome = await self._try(delivery)
            self._note_origin(origin, outcome)
            await self._note(delivery, outcome)

    async def _try(self, delivery: Delivery) -> Outcome:
        sender = self._outbox.sender(delivery.kind)
        if sender is None:
            # While a new version is rolled out, another worker may know it.
            return Outcome(Result.RETRIED, error="nothing here sends this kind")
        try:
            outgoing = self._outbox.open(delivery)
            if isinstance(sender, Carrier):
                return await sender.carry(outgoing)
            return await self._send(outgoing, sender)
        except OutboundRefused as error:
            return Outcome(Result.FAILED, error=error.detail)
        except OutboundFailed as error:
            return Outcome(Result.RETRIED, error=error.detail, unreachable=True)
        except IdentityError as error:
            return Outcome(Result.RETRIED, error=error.detail or error.public)

    async def _send(self, outgoing: Outgoing, sender: HttpSender) -> Outcome:
        message = await sender.build(outgoing)
        if message is None:
            return Outcome(Result.FAILED, error=OF_NO_USE)
        answer = await self._client.fetch(
            outgoing.delivery.target,
            purpose=sender.purpose,
            method=message.method,
            headers=message.headers,
            body=message.body,
            limit=0,
        )
        return Outcome(_result(answer.status), answer.status, "" if answer.status < 300 else f"HTTP {answer.status}")

    def _try_microseconds(self, delivery: Delivery) -> int:
        """How long a try may take: it must be able to end within the lease."""
        sender = self._outbox.sender(delivery.kind)
        return int((sender.seconds if isinstance(sender, Carrier) else TRY_SECONDS) * SECOND)

    def _note_origin(self, origin: _Origin, outcome: Outcome) -> None:
        if not outcome.unreachable and (outcome.status or outcome.result is Result.DELIVERED):
            origin.answers, origin.failures, origin.paused_until = True, 0, 0
        if not outcome.unreachable:
            return
        origin.answers = False
        pause = RETRY_SECONDS[min(origin.failures, 2)]
        origin.failures += 1
        origin.paused_until = max(origin.paused_until, self._clock.now() + _spread(pause))

    async def _note(self, delivery: Delivery, outcome: Outcome) -> None:
        now = self._clock.now()
        again_at = None
        if outcome.result is Result.RETRIED:
            if delivery.attempts < len(RETRY_SECONDS):
                again_at = now + _spread(RETRY_SECONDS[delivery.attempts])
            else:
                outcome = Outcome(Result.FAILED, outcome.status, outcome.error)
        if outcome.result is Result.DELIVERED:
            await mark_delivered(self._database, delivery, at=now, status=outcome.status)
        else:
            await mark_not_delivered(
                self._database, delivery, again_at=again_at, at=now, status=outcome.status, error=outcome.error
            )
        self._tell(delivery, outcome)

    def _tell(self, delivery: Delivery, outcome: Outcome) -> None:
        self._metrics.delivery(delivery.kind, outcome.result.value)
        if outcome.result is Result.FAILED:
            self._log.warning(
                "delivery given up",
                kind=delivery.kind,
                tenant=delivery.tenant,
                id=delivery.id,
                host=_origin_of(delivery),
                status=outcome.status,
                reason=outcome.error,
            )


def _result(status: int) -> Result:
    """4xx says that the request itself is wrong, and 3xx that the address is; the same again would not help."""
    if 200 <= status < 300:
        return Result.DELIVERED
    return Result.RETRIED if status >= 500 or status in (408, 429) else Result.FAILED


def _origin_of(delivery: Delivery) -> str:
    """`https://host:port`; whatever stands there if the target is no URL."""
    return "/".join(delivery.target.split("/", 3)[:3])


def _spread(seconds: float) -> int:
    """Microseconds, a fifth more or less, so that what failed together does not come back together."""
    return int(seconds * SECOND * random.uniform(0.8, 1.2))  # noqa: S311  no secret
