"""What only the SQL store does: it writes, and it takes over hashes of other programs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from identity.storage.database import Database, in_transaction
from tests.userstores.fixtures import CHEAP, OpenDatabase
from userstores.passwords import Argon2Cost, LaneFull, PasswordLane, PasswordRefused, Verification
from userstores.spi import (
    Authenticated,
    InvalidUser,
    NewUser,
    RefusalReason,
    Refused,
    StoreUnavailable,
    UnknownUser,
    UserChanges,
    UserExists,
)
from userstores.sql import queries
from userstores.sql.store import SqlUserStore


class CountingLane(PasswordLane):
    """Counts, and fails the test when a hash is asked for while a transaction is open."""

    def __init__(self) -> None:
        super().__init__(2, 8, CHEAP)
        self.verified = 0
        self.hashed = 0
        self.full = False

    async def verify(self, stored: str, password: str) -> Verification:
        assert not in_transaction.get()
        self.verified += 1
        return await super().verify(stored, password)

    async def verify_dummy(self, password: str) -> None:
        assert not in_transaction.get()
        self.verified += 1
        await super().verify_dummy(password)

    async def hash(self, password: str) -> str:
        assert not in_transaction.get()
        self.hashed += 1
        if self.full:
            raise LaneFull("full")
        return await super().hash(password)


class Fixture:
    """One tenant's store, opened by each scenario."""

    def __init__(self, open_database: OpenDatabase, tenant: int, lane: CountingLane) -> None:
        self._open_database, self.tenant, self.lane = open_database, tenant, lane
        self.now = 1_000_000_000_000_000

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[SqlUserStore]:
        async with self._open_database() as database:
            yield self.store(database)

    def store(self, database: Database, tenant: int | None = None, name: str = "PRIMARY") -> SqlUserStore:
        return SqlUserStore(database, tenant or self.tenant, name, self.lane, now=lambda: self.now)

    @asynccontextmanager
    async def database(self) -> AsyncIterator[Database]:
        async with self._open_database() as database:
            yield database


@pytest.fixture
def sql(open_database: OpenDatabase, tenant: int) -> Fixture:
    return Fixture(open_database, tenant, CountingLane())


class TestCreate:
    def test_the_person_is_there_at_once(self, sql: Fixture) -> None:
        async def scenario() -> None:
            async with sql.opened() as store:
                made = await store.create_user(NewUser(username="Ada", password="pw", groups=("b", "a", "A")))
                assert made.groups == ("A", "a", "b") or made.groups == ("a", "b")
                assert await store.find_by_id(made.id) is not None
                assert isinstance(await store.authenticate("ada", "pw"), Authenticated)

        asyncio.run(scenario())

    @pytest.mark.parametrize("other", ["ada", "ADA", "Ada"])
    def test_a_name_is_taken_in_every_spelling(self, sql: Fixture, other: str) -> None:
        async def scenario() -> None:
            async with sql.opened() as store:
                await store.create_user(NewUser(username="ada"))
                with pytest.raises(UserExists):
                    await store.create_user(NewUser(username=other, groups=("left over",)))
                assert await store.groups() == ()

        asyncio.run(scenario())

    def test_one_of_many_at_once_gets_the_name(self, sql: Fixture) -> None:
        async def scenario() -> None:
            async with sql.opened() as store:
                tries = (store.create_user(NewUser(username="ada")) for _ in range(8))
                results = await asyncio.gather(*tries, return_exceptions=True)
                assert sum(not isinstance(result, BaseException) for result in results) == 1
                assert sum(isinstance(result, UserExists) for result in results) == 7

        asyncio.run(scenario())

    def test_composed_and_decomposed_names_are_one(self, sql: Fixture) -> None:
        async def scenario() -> None:
            async with sql.opened() as store:
                await store.create_user(NewUser(username="Zoe\u0308", password="pa\u0308ss"))
                with pytest.raises(UserExists):
                    await store.create_user(NewUser(username="zo\u00eb"))
                assert isinstance(await store.authenticate("ZO\u00cb", "p\u00e4ss"), Authenticated)

        asyncio.run(scenario())

    @pytest.mark.parametrize(
        "user",
        [
            NewUser(username=""),
            NewUser(username="a\0"),
            NewUser(username="x" * 257),
            NewUser(username="CORP/ada"),
            NewUser(username="a", attributes={"sub": "other"}),
            NewUser(username="a", attributes={"email": True}),
            NewUser(username="a", attributes={"email_verified": "yes"}),
            NewUser(username="a", attributes={"address": {"planet": "Earth"}}),
            NewUser(username="a", attributes={"name": "a\0b"}),
            NewUser(username="a", attributes={"name": "\ud800"}),
            NewUser(username="a", attributes={"name": "x" * 10_000}),
            NewUser(username="a", groups=("",)),
        ],
    )
    def test_refuses_what_no_store_accepts(self, sql: Fixture, user: NewUser) -> None:
        async def scenario() -> None:
            async with sql.opened() as store:
                with pytest.raises(InvalidUser):
                    await store.create_user(user)
                assert (await store.list_users()).users == ()

        asyncio.run(scenario())

    def test_without_a_password_nobody_signs_in(self, sql: Fixture) -> None:
        async def scenario() -> None:
            async with sql.opened() as store:
                made = await store.create_user(NewUser(username="ada"))
                for password in ("", "x", "{argon2id}"):
                    outcome = await store.authenticate("ada", password)
                    assert isinstance(outcome, Refused)
                assert await store.authenticate("ada", "x") == Refused(RefusalReason.WRONG_PASSWORD, "PRIMARY", made.id)

        asyncio.run(scenario())


class TestUpdate:
    def test_replaces_what_is_given_and_keeps_the_rest(self, sql: Fixture) -> None:
        async def scenario() -> None:
            async with sql.opened() as store:
                made = await store.create_user(
                    NewUser(
                        username="ada",
                        password="pw",
                        attributes={"email": "a@x.org", "tags": ("a", "b")},
                        groups=("g",),
                    )
                )
                assert made.attributes["tags"] == ("a", "b")
                sql.now += 5_000_000
                renamed = await store.update_user(made.id, UserChanges(username="Countess"))
                assert (renamed.id, renamed.username, renamed.groups) == (made.id, "Countess", ("g",))
                assert renamed.attributes["email"] == "a@x.org"
                assert renamed.attributes["updated_at"] == 1_000_000_005
                changed = await store.update_user(made.id, UserChanges(attributes={"email": "b@x.org"}, groups=("h",)))
                assert "tags" not in changed.attributes
                assert changed.groups == ("h",)
                assert isinstance(await store.authenticate("b@x.org", "pw"), Authenticated)
                assert isinstance(await store.authenticate("a@x.org", "pw"), Refused)
                assert await store.find_by_username("ada") is None

        asyncio.run(scenario())

    def test_a_taken_name_changes_nothing(self, sql: Fixture) -> None:
        async def scenario() -> None:
            async with sql.opened() as store:
                await store.create_user(NewUser(username="ada"))
                grace = await store.create_user(NewUser(username="grace", groups=("g",)))
                with pytest.raises(UserExists):
                    await store.update_user(grace.id, UserChanges(username="ADA", groups=()))
                assert await store.find_by_id(grace.id) == grace

        asyncio.run(scenario())

    def test_unknown_people_cannot_be_changed(self, sql: Fixture) -> None:
        async def scenario() -> None:
            async with sql.opened() as store:
                for attempt in (
                    store.update_user("x", UserChanges()),
                    store.set_password("x", "y"),
                    store.set_enabled("x", True),
                    store.delete_user("x"),
                ):
                    with pytest.raises(UnknownUser):
                        await attempt

        asyncio.run(scenario())

    def test_disabling_and_deleting(self, sql: Fixture) -> None:
        async def scenario() -> None:
            async with sql.opened() as store:
                made = await store.create_user(NewUser(username="ada", password="pw", groups=("g",)))
                await store.set_enabled(made.id, False)
                assert await store.authenticate("ada", "pw") == Refused(RefusalReason.DISABLED, "PRIMARY", made.id)
                assert await store.authenticate("ada", "no") == Refused(
                    RefusalReason.WRONG_PASSWORD, "PRIMARY", made.id
                )
                await store.set_enabled(made.id, True)
                assert isinstance(await store.authenticate("ada", "pw"), Authenticated)
                await store.delete_user(made.id)
                assert await store.find_by_id(made.id) is None
                again = await store.create_user(NewUser(username="ada"))
                assert again.id != made.id
                assert again.groups == ()

        asyncio.run(scenario())


class TestPassword:
    def test_a_new_one_replaces_the_old(self, sql: Fixture) -> None:
        async def scenario() -> None:
            async with sql.opened() as store:
                made = await store.create_user(NewUser(username="ada", password="old", must_change_password=True))
                await store.set_password(made.id, "new")
                assert isinstance(await store.authenticate("ada", "old"), Refused)
                outcome = await store.authenticate("ada", "new")
                assert isinstance(outcome, Authenticated)
                assert not outcome.must_change_password
                with pytest.raises(PasswordRefused):
                    await store.set_password(made.id, "")

        asyncio.run(scenario())

    @pytest.mark.parametrize("name", ["ada", "nobody", "passwordless", "off", "a\0", "", "twins@x.org"])
    def test_every_name_costs_one_hash(self, sql: Fixture, name: str) -> None:
        async def scenario() -> None:
            async with sql.opened() as store:
                await store.create_user(NewUser(username="ada", password="pw"))
                await store.create_user(NewUser(username="passwordless", attributes={"email": "twins@x.org"}))
                await store.create_user(
                    NewUser(username="off", password="pw", enabled=False, attributes={"email": "twins@x.org"})
                )
                sql.lane.verified = 0
                assert isinstance(await store.authenticate(name, "wrong"), Refused)
                assert sql.lane.verified == 1

        asyncio.run(scenario())

    def test_an_imported_hash_is_replaced_at_the_first_good_login(self, sql: Fixture) -> None:
        hashed = "{ldap_salted_sha1}{SSHA}cfAYGWh0bs+m/C1OByvtbzFHYhoCq0Ef"

        async def scenario() -> None:
            async with sql.opened() as store:
                made = await store.import_user(NewUser(username="ada"), hashed)
                assert isinstance(await store.authenticate("ada", "wrong"), Refused)
                assert sql.lane.hashed == 0
                for _ in range(2):
                    assert isinstance(await store.authenticate("ada", "ada-pw"), Authenticated)
                assert sql.lane.hashed == 1
                assert (await _hash_of(store, made.id)).startswith("{argon2id}$argon2id$v=19$m=64,t=1,p=1$")

        asyncio.run(scenario())

    @pytest.mark.parametrize(
        "password_hash",
        ["", "x", "$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/", "{md5}x", "{sha512_crypt}$6$rounds=999999999$salt$" + "." * 86],
    )
    def test_a_hash_that_could_never_be_verified_is_not_imported(self, sql: Fixture, password_hash: str) -> None:
        async def scenario() -> None:
            async with sql.opened() as store:
                with pytest.raises(InvalidUser):
                    await store.import_user(NewUser(username="ada"), password_hash)

        asyncio.run(scenario())

    def test_a_busy_lane_leaves_the_old_hash_for_next_time(self, sql: Fixture) -> None:
        hashed = "{ldap_salted_sha1}{SSHA}cfAYGWh0bs+m/C1OByvtbzFHYhoCq0Ef"

        async def scenario() -> None:
            async with sql.opened() as store:
                made = await store.import_user(NewUser(username="ada"), hashed)
                sql.lane.full = True
                assert isinstance(await store.authenticate("ada", "ada-pw"), Authenticated)
                assert await _hash_of(store, made.id) == hashed

        asyncio.run(scenario())

    def test_a_rehash_never_undoes_a_password_change(self, sql: Fixture) -> None:
        async def scenario() -> None:
            async with sql.database() as database:
                store = sql.store(database)
                made = await store.create_user(NewUser(username="ada", password="old"))
                old = await _hash_of(store, made.id)
                await store.set_password(made.id, "new")
                async with database.transaction() as transaction:
                    assert not await queries.replace_hash(
                        transaction, sql.tenant, "PRIMARY", made.id, old, "{argon2id}stolen"
                    )
                assert isinstance(await store.authenticate("ada", "new"), Authenticated)

        asyncio.run(scenario())

    def test_our_own_hash_of_a_former_cost_is_replaced(self, sql: Fixture) -> None:
        async def scenario() -> None:
            former = PasswordLane(1, 1, Argon2Cost(memory=32, time=1))
            async with sql.opened() as store:
                made = await store.import_user(NewUser(username="ada"), await former.hash("pw"))
                assert isinstance(await store.authenticate("ada", "pw"), Authenticated)
                assert "$m=64," in await _hash_of(store, made.id)
            former.close()

        asyncio.run(scenario())


class TestIsolation:
    def test_tenants_and_stores_never_see_each_other(self, sql: Fixture) -> None:
        async def scenario() -> None:
            async with sql.database() as database:
                mine = sql.store(database)
                made = await mine.create_user(NewUser(username="ada", password="pw", groups=("g",)))
                for other in (sql.store(database, sql.tenant + 1_000_000), sql.store(database, name="OTHER")):
                    assert await other.find_by_username("ada") is None
                    assert await other.find_by_id(made.id) is None
                    assert (await other.list_users()).users == ()
                    assert await other.groups() == ()
                    assert await other.authenticate("ada", "pw") == Refused(RefusalReason.UNKNOWN_USER)
                    with pytest.raises(UnknownUser):
                        await other.set_password(made.id, "stolen")
                    with pytest.raises(UnknownUser):
                        await other.delete_user(made.id)
                assert isinstance(await mine.authenticate("ada", "pw"), Authenticated)

        asyncio.run(scenario())

    def test_a_closed_database_is_unavailable(self, sql: Fixture) -> None:
        async def scenario() -> None:
            async with sql.database() as database:
                store = sql.store(database)
            with pytest.raises(StoreUnavailable):
                await store.authenticate("ada", "pw")
            report = await store.check_connection()
            assert not report.ok
            assert "database" in report.reason

        asyncio.run(scenario())


async def _hash_of(store: SqlUserStore, user_id: str) -> str:
    row = await queries.user_by_id(store._database, store._tenant, store._name, user_id)
    assert row is not None
    value: str = row["password_hash"]
    return value
