"""Deliveries by real processes: killed, and several at once."""

import asyncio
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest
from sqlalchemy import update

from identity.clock import SECOND, Clock
from identity.domain.deliveries import Delivery
from identity.storage.authorization_tables import delivery as table
from identity.storage.deliveries import claim_deliveries, list_deliveries
from tests.messaging.post_office import LOGOUT, TENANT, Office, run
from tests.storage.hot_place import HotEngine
from tests.support.processes import Program, environment
from tests.support.receiver import Receiver, Reply
from tests.support.waiting import eventually

pytestmark = pytest.mark.long


@contextmanager
def worker(engine: HotEngine, repository: Path) -> Iterator[Program]:
    command = [sys.executable, "-m", "tests.messaging.worker", engine.name, engine.target]
    program = Program(command, env=environment(PYTHONPATH=str(repository)), cwd=repository)
    try:
        program.wait_for("^ready$")
        yield program
    finally:
        program.kill()


def post(engine: HotEngine, *targets: str) -> None:
    async def scenario(office: Office) -> None:
        office.outbox.clock = Clock()
        for target in targets:
            await office.post(target)

    run(engine, scenario)


def test_killed_between_two_tries(outbox_engine: HotEngine, receiver: Receiver, repository: Path) -> None:
    post(outbox_engine, receiver.answer("/out", Reply(503), Reply(200)))
    with worker(outbox_engine, repository):
        eventually(lambda: _tries(outbox_engine) == 1, "the first try is noted")
    with worker(outbox_engine, repository):
        receiver.wait_for("/out", 2)


def test_killed_during_a_try(outbox_engine: HotEngine, receiver: Receiver, repository: Path) -> None:
    """Once the lease is over, the next worker tries it again: at least once."""
    post(outbox_engine, receiver.answer("/out", Reply(after=Event()), Reply(200)))
    with worker(outbox_engine, repository):
        receiver.wait_for("/out")

    with worker(outbox_engine, repository) as next_worker:
        assert next_worker.running
        assert len(receiver.at("/out")) == 1
        _end_leases(outbox_engine)
        receiver.wait_for("/out", 2)


def _tries(engine: HotEngine) -> int:
    async def tries() -> int:
        async with engine.open(Clock()) as (database, _):
            return max(sent.attempts for sent in await list_deliveries(database, TENANT))

    return asyncio.run(tries())


def _end_leases(engine: HotEngine) -> None:
    """As if a minute had passed."""

    async def end() -> None:
        async with engine.open(Clock()) as (database, _):
            now = Clock().now()
            await database.execute(update(table).values(leased_until=now, next_at=now))

    asyncio.run(end())


def test_two_workers_never_deliver_the_same(
    outbox_on_postgresql: HotEngine, receiver: Receiver, repository: Path
) -> None:
    with worker(outbox_on_postgresql, repository), worker(outbox_on_postgresql, repository):
        post(outbox_on_postgresql, *(receiver.url(f"/{number}") for number in range(150)))
        receiver.wait_for_all(150)
    assert Counter(Counter(request.path for request in receiver.received).values()) == {1: 150}


def test_claims_at_the_same_moment_never_overlap(outbox_engine: HotEngine) -> None:
    """Eight connections ask for deliveries at once, again and again."""

    async def scenario(office: Office) -> None:
        async with office.database.transaction() as transaction:
            for number in range(400):
                target = f"https://host.example/{number}"
                await office.outbox.enqueue(transaction, LOGOUT, tenant=TENANT, target=target, payload=b"")
        now = office.clock.now()

        async def claim() -> list[Delivery]:
            return await claim_deliveries(office.database, now=now, lease=now + SECOND, count=10)

        claimed: list[Delivery] = []
        while len(claimed) < 400:
            rounds = await asyncio.gather(*(claim() for _ in range(8)))
            claimed += [delivery for found in rounds for delivery in found]
        assert len({delivery.id for delivery in claimed}) == len(claimed) == 400

    run(outbox_engine, scenario)
