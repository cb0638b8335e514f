"""Attack row 29: passwords and hashes that make the server work (authelia#1044: 1 GB for each guess)."""

import asyncio
import threading
import time

import pytest

from tests.userstores.fixtures import CHEAP, OpenDatabase
from userstores.imported_hashes import matches
from userstores.passwords import LaneFull, PasswordLane, PasswordRefused
from userstores.spi import Authenticated, NewUser, Refused
from userstores.sql.store import SqlUserStore


class TestPasswordLimits:
    @pytest.mark.parametrize("password", ["x" * 1025, "x" * 10_000_000, "é" * 513, "\0", "a\0b", "", "\ud800"])
    def test_are_refused_before_any_thread_is_asked(self, password: str) -> None:
        async def scenario() -> None:
            lane = PasswordLane(1, 1, CHEAP)
            lane.close()  # whatever reaches the threads now fails loudly
            for attempt in (lane.hash(password), lane.verify("{argon2id}x", password), lane.verify_dummy(password)):
                with pytest.raises(PasswordRefused):
                    await attempt

        asyncio.run(scenario())

    def test_sign_in_says_the_same_as_to_a_wrong_one(
        self, open_database: OpenDatabase, tenant: int, lane: PasswordLane
    ) -> None:
        async def scenario() -> None:
            async with open_database() as database:
                store = SqlUserStore(database, tenant, "PRIMARY", lane)
                await store.create_user(NewUser(username="ada", password="x" * 1024))
                assert isinstance(await store.authenticate("ada", "x" * 1024), Authenticated)
                for password in ("x" * 1025, "x" * 1023, "x" * 1023 + "\0"):
                    assert isinstance(await store.authenticate("ada", password), Refused)

        asyncio.run(scenario())

    def test_two_long_passwords_of_one_beginning_differ(
        self, open_database: OpenDatabase, tenant: int, lane: PasswordLane
    ) -> None:
        """bcrypt's 72 bytes, as in Okta's cache key of 2024."""

        async def scenario() -> None:
            async with open_database() as database:
                store = SqlUserStore(database, tenant, "PRIMARY", lane)
                await store.create_user(NewUser(username="ada", password="x" * 100 + "a"))
                assert isinstance(await store.authenticate("ada", "x" * 100 + "b"), Refused)

        asyncio.run(scenario())

    def test_a_flood_is_bounded_and_nothing_else_waits(self) -> None:
        async def scenario() -> None:
            lane = PasswordLane(2, 6, CHEAP)
            gate = threading.Event()
            blocked = [asyncio.ensure_future(lane._run(gate.wait)) for _ in range(2)]
            await asyncio.sleep(0)
            tries = [asyncio.ensure_future(lane.verify_dummy("pw")) for _ in range(200)]
            while sum(task.done() for task in tries) < 194:
                await asyncio.sleep(0)
            refused = [task for task in tries if task.done() and isinstance(task.exception(), LaneFull)]
            assert len(refused) == 194
            begun = time.monotonic()
            await asyncio.sleep(0)
            assert time.monotonic() - begun < 1
            gate.set()
            await asyncio.gather(*blocked)
            results = await asyncio.gather(*tries, return_exceptions=True)
            assert sum(result is None for result in results) == 6
            lane.close()

        asyncio.run(scenario())

    @pytest.mark.parametrize(
        ("scheme", "value"),
        [
            ("bcrypt", "$2b$31$" + "." * 53),
            ("sha512_crypt", "$6$rounds=999999999$salt$" + "." * 86),
            ("sha512_crypt", "$6$rounds=0999999999$salt$" + "." * 86),
            ("sha256_crypt", "$5$rounds=99999999999999$salt$" + "." * 43),
            ("django_pbkdf2_sha256", "pbkdf2_sha256$2147483647$salt$" + "A" * 43 + "="),
            ("argon2", "$argon2id$v=19$m=999999999,t=1,p=1$c2FsdHNhbHQ$" + "A" * 43),
            ("argon2", "$argon2id$v=19$t=1,p=1,m=999999999$c2FsdHNhbHQ$" + "A" * 43),
            ("argon2", "$argon2id$v=19$m=64,t=1,p=1,m=999999999$c2FsdHNhbHQ$" + "A" * 43),
            ("phpass", "$P$z" + "." * 30),
            ("md5_crypt", "$1$" + "x" * 10_000_000),
            ("scrypt", "$scrypt$ln=31,r=8,p=1$c2FsdA$" + "A" * 43),
            ("plaintext", "pw"),
        ],
    )
    def test_a_stored_hash_does_not_choose_the_cost(
        self, monkeypatch: pytest.MonkeyPatch, scheme: str, value: str
    ) -> None:
        def compute(scheme: str) -> None:
            raise AssertionError(f"{scheme} was computed")

        monkeypatch.setattr("userstores.imported_hashes._verifier", compute)
        assert not matches(scheme, value, "pw")
