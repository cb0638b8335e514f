"""The outbox: sent if and only if the cause is committed, and again until it arrives."""

import asyncio
from contextlib import suppress
from threading import Event

import pytest
from sqlalchemy import select

from identity import jobs
from identity.clock import SECOND, Clock
from identity.domain.deliveries import DeliveryKind
from identity.errors import ConfigurationError, Unavailable
from identity.jobs import Deliveries
from identity.messaging.courier import GIVE_UP_SECONDS, LEASE_SECONDS, RETRY_SECONDS
from identity.messaging.outbox import Message, Outgoing
from identity.storage.authorization_tables import delivery as table
from identity.storage.deliveries import any_due, claim_deliveries, mark_not_delivered
from identity.storage.purge import purge_batch
from identity.storage.write_batch import WriteBatch
from identity.telemetry import get_logger
from tests.messaging.post_office import LOGOUT, TENANT, Office, as_it_is, run
from tests.storage.hot_place import HotEngine
from tests.support.receiver import Receiver, Reply

pytestmark = pytest.mark.long


def test_delivered_once(outbox_engine: HotEngine, receiver: Receiver) -> None:
    async def scenario(office: Office) -> None:
        await office.post(receiver.url("/out"), b"secret text", application="app", subject="jane")
        (row,) = await office.database.fetch(select(table))
        assert b"secret text" not in bytes(row["payload"])
        await office.deliver()
        await office.later(LEASE_SECONDS + 1)
        (request,) = receiver.received
        assert (request.method, request.path, request.body) == ("POST", "/out", b"secret text")
        assert request.headers["content-type"] == "text/plain"
        sent = await office.only()
        assert (sent.delivered_at, sent.failed_at, sent.attempts, sent.last_status) == (sent.created_at, None, 1, 200)
        assert (sent.application, sent.subject, sent.last_error) == ("app", "jane", "")
        assert office.counted("delivered") == 1

    run(outbox_engine, scenario)


def test_nothing_is_sent_for_a_cause_that_was_rolled_back(outbox_engine: HotEngine, receiver: Receiver) -> None:
    async def scenario(office: Office) -> None:
        with suppress(ZeroDivisionError):
            async with office.database.transaction() as transaction:
                await office.outbox.enqueue(
                    transaction, LOGOUT, tenant=TENANT, target=receiver.url("/out"), payload=b""
                )
                raise ZeroDivisionError
        await office.deliver()
        assert not receiver.received

    run(outbox_engine, scenario)


def test_with_the_writes_of_a_batch(outbox_engine: HotEngine, receiver: Receiver) -> None:
    async def scenario(office: Office) -> None:
        batch = WriteBatch()
        for path in ("/a", "/b"):
            await office.outbox.enqueue(batch, LOGOUT, tenant=TENANT, target=receiver.url(path), payload=b"")
        await office.deliver()
        assert not receiver.received
        assert await office.database.commit(batch)
        await office.deliver()
        await office.later(1)
        assert sorted(request.path for request in receiver.received) == ["/a", "/b"]

    run(outbox_engine, scenario)


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_what_counts_as_arrived(outbox_engine: HotEngine, receiver: Receiver, status: int) -> None:
    async def scenario(office: Office) -> None:
        await office.post(receiver.answer("/out", Reply(status)))
        await office.deliver()
        assert (await office.only()).delivered_at is not None

    run(outbox_engine, scenario)


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 403, 404, 410])
def test_what_is_final(outbox_engine: HotEngine, receiver: Receiver, status: int) -> None:
    """A ping is not tried again on 401, and nothing follows a redirect (decision 27)."""

    async def scenario(office: Office) -> None:
        await office.post(receiver.answer("/out", Reply(status, headers=(("location", receiver.url("/other")),))))
        await office.deliver()
        await office.later(3600)
        assert [request.path for request in receiver.received] == ["/out"]
        sent = await office.only()
        assert (sent.failed_at, sent.delivered_at, sent.last_status) == (sent.created_at, None, status)
        assert sent.last_error == f"HTTP {status}"
        assert office.counted("failed") == 1

    run(outbox_engine, scenario)


@pytest.mark.parametrize("status", [500, 503, 408, 429])
def test_what_is_tried_again(outbox_engine: HotEngine, receiver: Receiver, status: int) -> None:
    """After 1 s, 5 s, 30 s, 2 min, 10 min, a fifth more or less, and then no more."""

    async def scenario(office: Office) -> None:
        await office.post(receiver.answer("/out", Reply(status)))
        await office.deliver()
        for count, pause in enumerate(RETRY_SECONDS, 1):
            await office.later(pause * 0.79)
            assert len(receiver.received) == count
            await office.later(pause * 0.42)
            assert len(receiver.received) == count + 1
        assert (await office.only()).failed_at is not None
        await office.later(3600)
        assert len(receiver.received) == 6
        assert (office.counted("retried"), office.counted("failed")) == (5, 1)

    run(outbox_engine, scenario)


def test_a_retry_that_arrives(outbox_engine: HotEngine, receiver: Receiver) -> None:
    async def scenario(office: Office) -> None:
        await office.post(receiver.answer("/out", Reply(503), Reply(200)))
        await office.deliver()
        failing = await office.only()
        assert (failing.attempts, failing.last_error, failing.failed_at) == (1, "HTTP 503", None)
        await office.later(2)
        sent = await office.only()
        assert (sent.attempts, sent.last_status, sent.last_error) == (2, 200, "")
        assert sent.delivered_at == office.clock.now()

    run(outbox_engine, scenario)


@pytest.mark.parametrize("target", ["https://localhost:25/", "http://169.254.169.254/", "https://[", "nonsense", ""])
def test_a_target_that_may_not_be_called(outbox_engine: HotEngine, target: str) -> None:
    async def scenario(office: Office) -> None:
        await office.post(target)
        await office.deliver()
        sent = await office.only()
        assert sent.failed_at is not None
        assert sent.last_error

    run(outbox_engine, scenario)


def test_a_sender_that_has_nothing_to_send_any_more(outbox_engine: HotEngine, receiver: Receiver) -> None:
    async def nothing(outgoing: Outgoing) -> Message | None:
        return None

    async def scenario(office: Office) -> None:
        await office.post(receiver.url("/out"))
        _, courier = office.worker(nothing)
        await office.deliver(courier)
        assert not receiver.received
        assert (await office.only()).last_error == "it is no longer of use"

    run(outbox_engine, scenario)


def test_a_sender_that_cannot_yet(outbox_engine: HotEngine, receiver: Receiver) -> None:
    async def scenario(office: Office) -> None:
        async def unavailable(outgoing: Outgoing) -> Message | None:
            raise Unavailable("the directory")

        async def broken(outgoing: Outgoing) -> Message | None:
            raise ZeroDivisionError

        await office.post(receiver.url("/out"))
        await office.deliver(office.worker(unavailable)[1])
        assert (await office.only()).last_error == "the directory"
        office.clock.at += 2 * SECOND
        await office.deliver(office.worker(broken)[1])
        assert (await office.only()).attempts == 1
        await office.later(LEASE_SECONDS + 1)
        assert len(receiver.received) == 1

    run(outbox_engine, scenario)


def test_a_kind_that_only_newer_workers_know(outbox_engine: HotEngine) -> None:
    async def scenario(office: Office) -> None:
        async with office.database.transaction() as transaction:
            await office.outbox.enqueue(
                transaction, DeliveryKind.CIBA_PING, tenant=TENANT, target="https://a.example/", payload=b""
            )
        await office.deliver()
        left = await office.only()
        assert (left.attempts, left.failed_at, left.last_error) == (1, None, "nothing here sends this kind")

    run(outbox_engine, scenario)


def test_a_payload_belongs_to_its_row(outbox_engine: HotEngine) -> None:
    async def scenario(office: Office) -> None:
        await office.post("https://a.example/", b"one")
        await office.post("https://a.example/", b"two")
        one, two = await office.log()
        assert {office.outbox.open(one).payload, office.outbox.open(two).payload} == {b"one", b"two"}
        one_with_other_payload = type(one)(**{name: getattr(one, name) for name in one.__slots__} | {"id": two.id})
        with pytest.raises(ConfigurationError):
            office.outbox.open(one_with_other_payload)

    run(outbox_engine, scenario)


def test_a_worker_that_dies_leaves_its_lease(outbox_engine: HotEngine, receiver: Receiver) -> None:
    async def scenario(office: Office) -> None:
        await office.post(receiver.url("/out"))
        now = office.clock.now()
        (held,) = await claim_deliveries(office.database, now=now, lease=now + LEASE_SECONDS * SECOND, count=9)
        await office.later(LEASE_SECONDS - 1)
        assert not receiver.received
        await office.later(1)
        assert len(receiver.received) == 1
        # What the first worker says now no longer counts.
        await mark_not_delivered(office.database, held, again_at=now, at=now, status=503, error="late")
        sent = await office.only()
        assert (sent.last_status, sent.last_error) == (200, "")

    run(outbox_engine, scenario)


def test_a_worker_that_stops_gives_back_what_it_has(outbox_engine: HotEngine, receiver: Receiver) -> None:
    async def scenario(office: Office) -> None:
        held = Event()
        await office.post(receiver.answer("/out", Reply(after=held), Reply(200)))
        await office.courier.dispatch()
        await asyncio.to_thread(receiver.wait_for, "/out")
        await office.courier.stop()
        assert await any_due(office.database, office.clock.now())
        await office.deliver(office.worker()[1])
        held.set()
        assert (await office.only()).delivered_at is not None

    run(outbox_engine, scenario)


def test_a_target_that_hangs_delays_no_other(outbox_engine: HotEngine, receiver: Receiver) -> None:
    async def scenario(office: Office) -> None:
        held, other = Event(), Receiver()
        dead = receiver.answer("/dead", Reply(after=held))
        for _ in range(200):
            await office.post(dead)
        await office.post(other.url("/alive"))
        await office.courier.dispatch()
        await asyncio.to_thread(other.wait_for, "/alive")
        # It has never answered: one delivery finds out whether it does.
        assert len(receiver.received) <= 1
        held.set()
        await office.courier.idle()
        other.close()

    run(outbox_engine, scenario)


def test_a_target_that_is_down_is_tried_by_one_delivery(outbox_engine: HotEngine) -> None:
    async def scenario(office: Office) -> None:
        gone = Receiver()
        gone.close()
        for number in range(50):
            await office.post(gone.url(f"/{number}"))
        await office.deliver()
        assert sum(sent.attempts for sent in await office.log()) == 1
        await office.later(2)
        assert sum(sent.attempts for sent in await office.log()) == 2
        await office.later(2)
        assert sum(sent.attempts for sent in await office.log()) == 2
        await office.later(4)
        assert sum(sent.attempts for sent in await office.log()) == 3
        # Those that nobody got round to are given up in the end as well.
        office.clock.at += (GIVE_UP_SECONDS + 1) * SECOND
        await office.courier.keep_house()
        assert all(sent.failed_at is not None and sent.last_error for sent in await office.log())
        assert office.counted("failed") == 50
        assert office.metrics.deliveries_waiting == 0
        assert not await any_due(office.database, office.clock.now())

    run(outbox_engine, scenario)


def test_a_target_that_came_back_gets_everything(outbox_engine: HotEngine, receiver: Receiver) -> None:
    async def scenario(office: Office) -> None:
        office.names._answers["localhost"] = [["127.0.0.9"], ["127.0.0.1"]]
        for number in range(60):
            await office.post(receiver.url(f"/{number}"))
        await office.deliver()
        assert not receiver.received
        for _ in range(20):
            await office.later(1)
        assert len({request.path for request in receiver.received}) == len(receiver.received) == 60

    run(outbox_engine, scenario)


def test_the_log_is_purged(outbox_engine: HotEngine, receiver: Receiver) -> None:
    async def scenario(office: Office) -> None:
        await office.post(receiver.url("/out"), kept_seconds=100)
        await office.deliver()
        sent = await office.only()
        assert sent.expires_at == sent.created_at + 100 * SECOND
        await purge_batch(office.database, "delivery", before=sent.expires_at)
        assert await office.log()
        await purge_batch(office.database, "delivery", before=sent.expires_at + 1)
        assert not await office.log()

    run(outbox_engine, scenario)


def test_the_backlog_is_counted(outbox_engine: HotEngine, receiver: Receiver) -> None:
    async def scenario(office: Office) -> None:
        for _ in range(3):
            await office.post(receiver.url("/out"))
        await office.courier.keep_house()
        assert office.metrics.deliveries_waiting == 3

    run(outbox_engine, scenario)


def test_the_worker_that_wrote_it_is_woken(
    outbox_engine: HotEngine, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not wait for its next look."""
    monkeypatch.setattr(jobs, "LOOK_EVERY_SECONDS", 3600)

    async def scenario(office: Office) -> None:
        outbox, courier = office.worker(as_it_is, Clock())
        task = asyncio.create_task(Deliveries(outbox, courier, get_logger("identity.test")).run())
        office.outbox = outbox
        for count in (1, 2):
            await office.post(receiver.url("/out"))
            await asyncio.to_thread(receiver.wait_for, "/out", count)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run(outbox_engine, scenario)
