"""What is sent to other systems is first written down, in the transaction that is its cause.

So it is sent if and only if the cause is committed, and sent again until it arrives: at least once, hence with an id
that the receiver can compare (`jti` of a logout token, the event's id).
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from identity.clock import SECOND, Clock
from identity.config import Purpose
from identity.domain.deliveries import Delivery, DeliveryKind
from identity.domain.tenants import TenantId
from identity.ids import new_id
from identity.messaging.outcomes import Outcome
from identity.messaging.targets import BadAddress, read_target
from identity.secrets import Sealer
from identity.storage.database import Writer
from identity.storage.deliveries import insert_delivery

OF_NO_USE = "it is no longer of use"
KEPT_SECONDS = 7 * 86400
"""How long the log shows a delivery."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A delivery that is about to be tried, with its payload as it was given to `enqueue`."""

    delivery: Delivery
    payload: bytes


@dataclass(frozen=True, slots=True)
class Message:
    """The HTTP request of one try."""

    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    method: str = "POST"


Build = Callable[[Outgoing], Awaitable[Message | None]]
"""Makes the request of a try, anew each time (a token in it is fresh). None: it is no longer of use to the receiver."""


Carry = Callable[[Outgoing], Awaitable[Outcome]]
"""Makes one whole try by another way than HTTP. Whatever it raises as IdentityError is tried again."""


@dataclass(frozen=True, slots=True)
class HttpSender:
    purpose: Purpose
    build: Build


@dataclass(frozen=True, slots=True)
class Carrier:
    carry: Carry
    seconds: float
    """How long a try takes at most."""


Sender = HttpSender | Carrier


class Outbox:
    """`enqueue` works wherever the database is open, on the command line too; servers deliver (`courier.py`)."""

    def __init__(self, sealer: Sealer, clock: Clock) -> None:
        self.clock = clock
        self._sealer = sealer
        self._senders: dict[str, Sender] = {}
        self._woken = asyncio.Event()
        self._timers: dict[float, asyncio.TimerHandle] = {}

    def register(self, kind: DeliveryKind, purpose: Purpose, build: Build) -> None:
        """How deliveries of this kind become requests; once per kind, when the server is put together."""
        self._add(kind, HttpSender(purpose, build))

    def register_carrier(self, kind: DeliveryKind, carry: Carry, *, seconds: float) -> None:
        """The same for what does not go by HTTP; `carry` ends within `seconds`."""
        self._add(kind, Carrier(carry, seconds))

    def _add(self, kind: DeliveryKind, sender: Sender) -> None:
        assert kind not in self._senders, f"two senders of {kind}"
        self._senders[kind] = sender

    def sender(self, kind: str) -> Sender | None:
        return self._senders.get(kind)

    async def enqueue(
        self,
        writer: Writer,
        kind: DeliveryKind,
        *,
        tenant: TenantId,
        target: str,
        payload: bytes,
        application: str = "",
        subject: str = "",
        kept_seconds: int = KEPT_SECONDS,
        key: str | None = None,
    ) -> str:
        """Write a delivery with its cause: `writer` is that transaction or WriteBatch. Its id.

        With a `key` it is written once, however often this is called while the row is kept. The payload is sealed.
        This worker begins to deliver right after the commit; call `wake` then if a tenth of a second counts.
        """
        now, id = self.clock.now(), new_id()
        delivery = Delivery(
            tenant=tenant,
            id=id,
            kind=kind.value,
            target=_normal(target),
            application=application,
            subject=subject,
            payload=self._sealer.seal(payload, _context(tenant, id)),
            created_at=now,
            next_at=now,
            leased_until=None,
            attempts=0,
            delivered_at=None,
            failed_at=None,
            last_status=0,
            last_error="",
            expires_at=now + kept_seconds * SECOND,
            key=key,
        )
        await insert_delivery(writer, delivery)
        self._wake_soon()
        return id

    def open(self, delivery: Delivery) -> Outgoing:
        """Raises ConfigurationError when the payload was sealed under a key that is gone."""
        return Outgoing(delivery, self._sealer.open(delivery.payload, _context(delivery.tenant, delivery.id)))

    def wake(self) -> None:
        """Look for deliveries now."""
        self._woken.set()

    async def woken(self, seconds: float) -> None:
        """Until `wake`, or for so long."""
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            pass
        self._woken.clear()

    def _wake_soon(self) -> None:
        """The commit is still to come, so look a little later, and once more for a slow one."""
        loop = asyncio.get_running_loop()
        for delay in (0.02, 0.2):
            timer = self._timers.get(delay)
            if timer is None or timer.when() <= loop.time():
                self._timers[delay] = loop.call_later(delay, self.wake)


def _context(tenant: TenantId, id: str) -> bytes:
    return f"delivery:{tenant}:{id}".encode()


def _normal(target: str) -> str:
    """In the form in which deliveries to one origin are known by their beginning."""
    try:
        return read_target(target).url
    except BadAddress:
        return target  # refused when it is tried, and the log says so
