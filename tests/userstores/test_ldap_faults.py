"""Directories that freeze, stop, restart or speak nonsense: their own people wait for a deadline, others do not."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.userstores.fixtures import OpenDatabase, ldap_store
from tests.userstores.start_slapd import Slapd
from userstores.ldap.breaker import CircuitState
from userstores.ldap.store import LdapUserStore
from userstores.passwords import PasswordLane
from userstores.routing import UserStores
from userstores.spi import Authenticated, NewUser, Outcome, StoreUnavailable
from userstores.sql.store import SqlUserStore

PATIENT = {"connect_seconds": 60.0, "read_seconds": 60.0, "operation_seconds": 60.0}
"""For everything that must succeed, however busy the machine is."""
HURRIED = {"connect_seconds": 0.3, "read_seconds": 0.3, "operation_seconds": 0.5}
"""For what must fail: only inside `hurried`."""
BOUND_SECONDS = 20.0
"""Longer than any busy machine makes of HURRIED, and much shorter than PATIENT."""


class Time:
    """The breaker's clock."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(params=["plain", "starttls", "ldaps"])
def transport(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


def patient_store(directory: Slapd, clock: Time, transport: str = "plain", **more: object) -> LdapUserStore:
    given: dict[str, object] = {**PATIENT, "breaker_failures": 2, "start_tls": transport == "starttls"}
    if transport == "ldaps":
        given["urls"] = directory.ldaps_uri
    return ldap_store(directory, clock, **(given | more))


@contextmanager
def hurried(store: LdapUserStore, **deadlines: float) -> Iterator[None]:
    """The store's deadlines are short, by default HURRIED. It reads them anew for each operation."""
    settings, given = store._settings, deadlines or HURRIED
    kept = {name: getattr(settings, name) for name in given}
    try:
        for name, seconds in given.items():
            object.__setattr__(settings, name, seconds)
        yield
    finally:
        for name, seconds in kept.items():
            object.__setattr__(settings, name, seconds)


def circuit(store: LdapUserStore) -> str:
    return store.circuit.value


async def expect_unavailable(store: LdapUserStore | UserStores) -> str:
    begun = time.monotonic()
    with pytest.raises(StoreUnavailable) as caught:
        await store.authenticate("ada", "ada-pw")
    assert time.monotonic() - begun < BOUND_SECONDS
    return caught.value.detail


async def expect_ada(store: LdapUserStore | UserStores) -> None:
    outcome = await store.authenticate("ada", "ada-pw")
    assert isinstance(outcome, Authenticated), outcome


class TestFrozen:
    @pytest.mark.parametrize("warm", [True, False], ids=["pooled", "new"])
    def test_fails_within_its_deadline_and_comes_back(self, own_slapd: Slapd, transport: str, warm: bool) -> None:
        async def scenario() -> None:
            clock = Time()
            store = patient_store(own_slapd, clock, transport)
            if warm:
                await expect_ada(store)
            own_slapd.freeze()
            with hurried(store):
                for _ in range(2):
                    assert "within" in await expect_unavailable(store)
            own_slapd.thaw()
            clock.now += 60
            await expect_ada(store)
            assert store.circuit is CircuitState.CLOSED
            await store.close()

        asyncio.run(scenario())

    def test_other_stores_go_on_meanwhile(
        self, own_slapd: Slapd, transport: str, open_database: OpenDatabase, tenant: int, lane: PasswordLane
    ) -> None:
        async def scenario() -> None:
            frozen = patient_store(own_slapd, Time(), transport, pool_size=2, breaker_failures=1000)
            async with open_database() as database:
                primary = SqlUserStore(database, tenant, "PRIMARY", lane)
                await primary.create_user(NewUser(username="grace", password="grace-pw"))
                stores = UserStores([primary, frozen])
                await expect_ada(stores)
                own_slapd.freeze()
                waiting = [asyncio.ensure_future(expect_ada(frozen)) for _ in range(20)]
                for _ in range(12):
                    assert isinstance(await stores.authenticate("grace", "grace-pw"), Authenticated)
                assert not any(task.done() for task in waiting)
                own_slapd.thaw()
                await asyncio.gather(*waiting)
                await stores.close()

        asyncio.run(scenario())

    def test_its_threads_are_bounded_and_end(self, own_slapd: Slapd, transport: str) -> None:
        async def scenario() -> None:
            # Those of a store that was closed a moment ago may still be ending.
            before = set(threading.enumerate())
            store = patient_store(own_slapd, Time(), transport, pool_size=3, breaker_failures=1000)
            await expect_ada(store)
            own_slapd.freeze()
            with hurried(store):
                await asyncio.gather(*(expect_unavailable(store) for _ in range(30)))
            names = [each.name for each in threading.enumerate() if each not in before]
            assert 0 < len([name for name in names if name.startswith("ldap-CORP")]) <= 3
            own_slapd.thaw()
            await expect_ada(store)
            await store.close()

        asyncio.run(scenario())

    def test_a_cancelled_caller_costs_nothing(self, own_slapd: Slapd) -> None:
        async def scenario() -> None:
            store = patient_store(own_slapd, Time(), pool_size=1, breaker_failures=1)
            await expect_ada(store)
            own_slapd.freeze()
            waiting: list[asyncio.Task[Outcome]] = []
            for _ in range(5):
                waiting.append(asyncio.create_task(store.authenticate("ada", "ada-pw")))
                await asyncio.wait(waiting[-1:], timeout=0.02)
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
            assert store.circuit is CircuitState.CLOSED
            own_slapd.thaw()
            await expect_ada(store)
            await store.close()

        asyncio.run(scenario())

    def test_one_server_of_two_is_left_for_the_other(self, own_slapd: Slapd, slapd: Slapd) -> None:
        async def scenario() -> None:
            store = patient_store(own_slapd, Time(), urls=[own_slapd.uri, slapd.uri])
            await expect_ada(store)
            own_slapd.freeze()
            with hurried(store, read_seconds=0.5):
                await expect_ada(store)
            # Asked first, the frozen one would have all the time there is.
            begun = time.monotonic()
            await expect_ada(store)
            assert time.monotonic() - begun < BOUND_SECONDS
            await store.close()

        asyncio.run(scenario())


class TestBreaker:
    def test_refuses_at_once_then_tries_one(self, own_slapd: Slapd) -> None:
        async def scenario() -> None:
            clock = Time()
            store = patient_store(own_slapd, clock, breaker_seconds=5.0)
            own_slapd.freeze()
            with hurried(store):
                for _ in range(2):
                    await expect_unavailable(store)
                assert circuit(store) == "open"
                assert "not asked" in await expect_unavailable(store)
                clock.now = 5.1
                assert circuit(store) == "half_open"
                details = await asyncio.gather(*(expect_unavailable(store) for _ in range(5)))
                assert sum("not asked" in detail for detail in details) == 4
                assert circuit(store) == "open"
                report = await store.check_connection()
                assert not report.ok
            own_slapd.thaw()
            assert (await store.check_connection()).ok
            assert "not asked" in await expect_unavailable(store)
            clock.now = 10.3
            await expect_ada(store)
            assert circuit(store) == "closed"
            await store.close()

        asyncio.run(scenario())

    def test_a_refused_password_is_no_failure(self, own_slapd: Slapd) -> None:
        async def scenario() -> None:
            store = patient_store(own_slapd, Time())
            for _ in range(4):
                await store.authenticate("nobody", "x")
            assert store.circuit is CircuitState.CLOSED
            await store.close()

        asyncio.run(scenario())


class TestStopped:
    def test_a_restart_is_not_noticed(self, own_slapd: Slapd, transport: str) -> None:
        async def scenario() -> None:
            store = patient_store(own_slapd, Time(), transport)
            await asyncio.gather(*(expect_ada(store) for _ in range(4)))
            own_slapd.stop()
            own_slapd.start()
            await expect_ada(store)
            assert store.circuit is CircuitState.CLOSED
            await store.close()

        asyncio.run(scenario())

    def test_is_used_again_when_it_is_back(self, own_slapd: Slapd, transport: str) -> None:
        async def scenario() -> None:
            clock = Time()
            store = patient_store(own_slapd, clock, transport)
            await expect_ada(store)
            own_slapd.stop()
            for _ in range(2):
                assert "refuses connections" in await expect_unavailable(store)
            assert "not asked" in await expect_unavailable(store)
            own_slapd.start()
            clock.now += 60
            await expect_ada(store)
            await store.close()

        asyncio.run(scenario())

    def test_a_closed_store_says_so(self, own_slapd: Slapd) -> None:
        async def scenario() -> None:
            store = patient_store(own_slapd, Time())
            await store.close()
            assert "closed" in await expect_unavailable(store)

        asyncio.run(scenario())


class TestNonsense:
    @pytest.mark.parametrize(
        "answer",
        [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x30\x84\x7f\xff\xff\xff", b"\x00" * 64, b"\x30\x05\x02\x01\x01", b""],
        ids=["http", "huge", "zeros", "cut", "nothing"],
    )
    def test_a_server_that_does_not_speak_ldap_is_unavailable(self, own_slapd: Slapd, answer: bytes) -> None:
        async def scenario(port: int) -> None:
            store = patient_store(own_slapd, Time(), urls=f"ldap://127.0.0.1:{port}")
            await expect_unavailable(store)
            await store.close()

        with answering(answer) as port:
            asyncio.run(scenario(port))


@contextmanager
def answering(answer: bytes) -> Iterator[int]:
    """A server that says `answer` to whatever comes and hangs up."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                try:
                    connection.recv(4096)
                    connection.sendall(answer)
                except OSError:
                    continue

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
