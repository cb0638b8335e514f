"""The hash lane, and hashes that other programs made."""

import asyncio
import os
import threading

import pytest

from tests.userstores.fixtures import CHEAP
from userstores.imported_hashes import SCHEMES, cost_is_bearable
from userstores.passwords import LANE_NICE, Argon2Cost, LaneFull, PasswordLane, PasswordRefused

FOREIGN = [
    # openssl passwd -1, -apr1, -5, -6 (OpenSSL 3.0)
    ("md5_crypt", "$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/", "password"),
    ("apr_md5_crypt", "$apr1$saltsalt$yAAkm4libquA.ZWLHbSBq/", "password"),
    ("sha256_crypt", "$5$saltsalt$gOjOtoMpVhru2uyjeJSEc/JaLQWOXMNmlOnj6T4AtC.", "password"),
    (
        "sha512_crypt",
        "$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/",
        "password",
    ),
    # crypt(3) of libxcrypt
    ("bcrypt", "$2b$05$abcdefghijklmnopqrstuuWG29KuyeAicPCJODk1zjyGvyQUU2awu", "password"),
    ("bcrypt", "$2y$05$abcdefghijklmnopqrstuuQNr.NUko7cjRuTOhPz.WP0eA4f4.Xuq", "p\u00e4ss"),
    # The published vector of phpass 0.3
    ("phpass", "$P$9IQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0", "test12345"),
    # PASSWORD() of MySQL 4.1
    ("mysql41", "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19", "password"),
    # slappasswd (OpenLDAP 2.5)
    ("ldap_salted_sha1", "{SSHA}cfAYGWh0bs+m/C1OByvtbzFHYhoCq0Ef", "ada-pw"),
    ("ldap_salted_md5", "{SMD5}4+EoPpdvUW3R4pfvk55wLxA88z4=", "password"),
]


def verify(stored: str, password: str, lane: PasswordLane | None = None) -> bool:
    used = lane or PasswordLane(1, 1, CHEAP)
    try:
        return asyncio.run(used.verify(stored, password)).matches
    finally:
        used.close()


class TestOurs:
    def test_is_argon2id_at_the_cost_of_the_decision(self) -> None:
        lane = PasswordLane()
        stored = asyncio.run(lane.hash("pw"))
        assert stored.startswith("{argon2id}$argon2id$v=19$m=19456,t=2,p=1$")
        assert verify(stored, "pw", lane)

    def test_equal_passwords_hash_differently(self, lane: PasswordLane) -> None:
        async def scenario() -> tuple[str, str]:
            return await lane.hash("pw"), await lane.hash("pw")

        first, second = asyncio.run(scenario())
        assert first != second

    def test_the_wrong_password_and_the_dummy_match_nothing(self, lane: PasswordLane) -> None:
        async def scenario() -> None:
            stored = await lane.hash("pw")
            assert not (await lane.verify(stored, "PW")).matches
            assert (await lane.verify(stored, "pw")).matches
            assert not (await lane.verify("{argon2id}" + lane._dummy, "pw")).matches
            await lane.verify_dummy("pw")

        asyncio.run(scenario())

    def test_hashes_at_nice_10_in_threads_of_its_own(self) -> None:
        lane = PasswordLane(1, 1, CHEAP)

        def look() -> tuple[str, int]:
            return threading.current_thread().name, os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

        name, nice = asyncio.run(lane._run(look))
        lane.close()
        assert name.startswith("password")
        assert nice == LANE_NICE
        assert os.getpriority(os.PRIO_PROCESS, 0) < LANE_NICE


class TestQueue:
    def test_a_full_lane_refuses_and_recovers(self) -> None:
        async def scenario() -> None:
            lane = PasswordLane(1, 2, CHEAP)
            release = threading.Event()
            blocked = asyncio.ensure_future(lane._run(release.wait))
            waiting = [asyncio.ensure_future(lane.hash("pw")) for _ in range(2)]
            await asyncio.sleep(0)
            assert lane.waiting == 2
            with pytest.raises(LaneFull):
                await lane.hash("pw")
            with pytest.raises(LaneFull):
                await lane.verify_dummy("pw")
            release.set()
            await asyncio.gather(blocked, *waiting)
            assert lane.waiting == 0
            assert await lane.hash("pw")
            lane.close()

        asyncio.run(scenario())

    def test_cancelled_callers_free_their_places(self) -> None:
        async def scenario() -> None:
            lane = PasswordLane(1, 2, CHEAP)
            release = threading.Event()
            blocked = asyncio.ensure_future(lane._run(release.wait))
            for _ in range(10):
                waiting = [asyncio.ensure_future(lane.hash("pw")) for _ in range(2)]
                await asyncio.sleep(0)
                for task in waiting:
                    task.cancel()
                await asyncio.gather(*waiting, return_exceptions=True)
            assert lane.waiting == 0
            release.set()
            assert await blocked
            assert await lane.hash("pw")
            lane.close()

        asyncio.run(scenario())


class TestImported:
    @pytest.mark.parametrize(("scheme", "value", "password"), FOREIGN)
    def test_verifies_what_other_programs_made(self, scheme: str, value: str, password: str) -> None:
        if scheme == "bcrypt":
            pytest.importorskip("bcrypt")
        assert verify(f"{{{scheme}}}{value}", password)
        assert not verify(f"{{{scheme}}}{value}", password + "x")

    @pytest.mark.parametrize("scheme", ["ldap_salted_sha512", "ldap_pbkdf2_sha256", "argon2"])
    def test_verifies_the_other_schemes(self, scheme: str) -> None:
        import passlib.hash

        handler = getattr(passlib.hash, scheme)
        value = handler.using(rounds=2).hash("pässword") if hasattr(handler, "rounds") else handler.hash("pässword")
        assert verify(f"{{{scheme}}}{value}", "pässword")
        assert not verify(f"{{{scheme}}}{value}", "password")

    def test_verifies_django(self) -> None:
        value = "pbkdf2_sha256$1000$saltsalt$" + _pbkdf2("password", b"saltsalt", 1000)
        assert verify("{django_pbkdf2_sha256}" + value, "password")

    def test_says_that_it_is_outdated(self, lane: PasswordLane) -> None:
        scheme, value, password = FOREIGN[0]
        assert asyncio.run(lane.verify(f"{{{scheme}}}{value}", password)).outdated

    def test_bcrypt_compares_72_bytes_as_it_was_made(self) -> None:
        pytest.importorskip("bcrypt")
        import passlib.hash

        value = passlib.hash.bcrypt.using(rounds=4).hash(b"x" * 72)
        assert verify("{bcrypt}" + value, "x" * 100)
        assert not verify("{bcrypt}" + value, "x" * 71)

    def test_never_guesses_a_scheme(self) -> None:
        _, value, password = FOREIGN[0]
        for stored in (
            value,
            "{}" + value,
            "{md5}" + value,
            "{sha512_crypt}" + value,
            "{plaintext}" + password,
            password,
        ):
            assert not verify(stored, password)

    @pytest.mark.parametrize("scheme", sorted(SCHEMES))
    @pytest.mark.parametrize("value", ["", "x", "$", "$2b$04$", "{SSHA}", "$6$", "*" + "Z" * 40, "\0", "é" * 60, "$P$"])
    def test_a_malformed_hash_is_a_refusal(self, scheme: str, value: str) -> None:
        assert not verify(f"{{{scheme}}}{value}", "password")

    @pytest.mark.parametrize(
        "stored", ["", "{", "{argon2id}", "{argon2id}$argon2id$", "{argon2id}x", "}{", "{argon2id"]
    )
    def test_so_is_a_malformed_one_of_ours(self, stored: str) -> None:
        assert not verify(stored, "password")


class TestCosts:
    @pytest.mark.parametrize(
        ("scheme", "value"),
        [
            ("bcrypt", "$2b$31$" + "." * 53),
            ("bcrypt", "$2b$15$" + "." * 53),
            ("sha256_crypt", "$5$rounds=999999999$salt$" + "." * 43),
            ("sha512_crypt", "$6$rounds=999999999$salt$" + "." * 86),
            ("django_pbkdf2_sha256", "pbkdf2_sha256$999999999$salt$" + "A" * 43 + "="),
            ("ldap_pbkdf2_sha256", "{PBKDF2-SHA256}999999999$c2FsdA$" + "A" * 43),
            ("phpass", "$P$Z" + "." * 30),
            ("argon2", "$argon2id$v=19$m=4194304,t=2,p=1$c2FsdHNhbHQ$" + "A" * 43),
            ("argon2", "$argon2id$v=19$m=65536,t=1000,p=1$c2FsdHNhbHQ$" + "A" * 43),
            ("argon2", "$argon2id$v=19$m=65536,t=1,p=200$c2FsdHNhbHQ$" + "A" * 43),
            ("argon2id", "$argon2id$v=19$m=4194304,t=2,p=1$c2FsdHNhbHQ$" + "A" * 43),
        ],
    )
    def test_a_hash_does_not_choose_how_long_we_work(self, scheme: str, value: str) -> None:
        assert not cost_is_bearable(scheme, value)
        assert not verify(f"{{{scheme}}}{value}", "password")

    def test_ordinary_costs_are_borne(self) -> None:
        assert cost_is_bearable("bcrypt", "$2b$12$" + "." * 53)
        assert cost_is_bearable("django_pbkdf2_sha256", "pbkdf2_sha256$1000000$salt$" + "A" * 43 + "=")
        assert cost_is_bearable("argon2", "$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$" + "A" * 43)


class TestPasswordsThatNobodySees:
    @pytest.mark.parametrize("password", ["", "a\0b", "\ud800", "x" * 1025, "é" * 513])
    def test_are_refused_before_hashing(self, lane: PasswordLane, password: str) -> None:
        async def scenario() -> None:
            for attempt in (lane.hash(password), lane.verify("{argon2id}x", password), lane.verify_dummy(password)):
                with pytest.raises(PasswordRefused):
                    await attempt

        asyncio.run(scenario())

    def test_1024_bytes_are_the_most(self, lane: PasswordLane) -> None:
        assert asyncio.run(lane.hash("é" * 512))

    def test_the_cost_is_a_value(self) -> None:
        assert Argon2Cost() == Argon2Cost(memory=19456, time=2, parallelism=1)


def _pbkdf2(password: str, salt: bytes, rounds: int) -> str:
    import base64
    import hashlib

    return base64.b64encode(hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)).decode()
