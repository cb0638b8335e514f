"""Which store a login name goes to, and what one store's failure means for the others."""

import asyncio
import time
from collections.abc import Awaitable

import pytest

from userstores.names import is_username, qualified_name, split_login_name, username_key
from userstores.passwords import LaneFull
from userstores.routing import UserStores
from userstores.spi import (
    Authenticated,
    Capabilities,
    ConnectionReport,
    NewUser,
    NotSupported,
    Outcome,
    RefusalReason,
    Refused,
    StoreUnavailable,
    StoreUser,
    UserChanges,
    UserPage,
)


class MemoryStore:
    """People by name with their passwords. `failure` is raised instead of any answer; `silent` answers never."""

    type = "memory"
    capabilities = Capabilities()

    def __init__(self, name: str, failure: Exception | None = None, /, silent: bool = False, **people: str) -> None:
        self.name = name
        self._failure, self._silent, self._people = failure, silent, people
        self.asked: list[str] = []
        self.abandoned = 0

    async def authenticate(self, username: str, password: str) -> Outcome:
        self.asked.append(username)
        await self._answer()
        if username not in self._people:
            return Refused(RefusalReason.UNKNOWN_USER)
        if self._people[username] != password:
            return Refused(RefusalReason.WRONG_PASSWORD, self.name, username)
        return Authenticated(self._user(username))

    async def find_by_username(self, username: str) -> StoreUser | None:
        await self._answer()
        return self._user(username) if username in self._people else None

    async def find_by_id(self, user_id: str) -> StoreUser | None:
        return await self.find_by_username(user_id)

    async def find_by_claim(self, claim: str, value: str) -> tuple[StoreUser, ...]:
        raise NotImplementedError

    async def list_users(self, after: str | None = None, limit: int = 100) -> UserPage:
        raise NotSupported(self.name, "list")

    async def groups(self) -> tuple[str, ...]:
        return ()

    async def create_user(self, user: NewUser) -> StoreUser:
        raise NotSupported(self.name, "create")

    async def update_user(self, user_id: str, changes: UserChanges) -> StoreUser:
        raise NotSupported(self.name, "update")

    async def set_password(self, user_id: str, password: str, *, must_change: bool = False) -> None:
        raise NotSupported(self.name, "set_password")

    async def set_enabled(self, user_id: str, enabled: bool) -> None:
        raise NotSupported(self.name, "set_enabled")

    async def delete_user(self, user_id: str) -> None:
        raise NotSupported(self.name, "delete")

    async def check_connection(self) -> ConnectionReport:
        return ConnectionReport(True, "")

    async def close(self) -> None:
        return

    async def _answer(self) -> None:
        if self._silent:
            try:
                await asyncio.Event().wait()
            finally:
                self.abandoned += 1
        if self._failure is not None:
            raise self._failure

    def _user(self, username: str) -> StoreUser:
        return StoreUser(store=self.name, id=username, username=username)


def accepted_by(outcome: Outcome) -> str | None:
    return outcome.user.store if isinstance(outcome, Authenticated) else None


def run(work: Awaitable[Outcome]) -> Outcome:
    async def scenario() -> Outcome:
        return await work

    return asyncio.run(scenario())


class TestRoute:
    def setup_method(self) -> None:
        self.primary = MemoryStore("PRIMARY", bob="primary-pw", ada="pw")
        self.corp = MemoryStore("CORP", bob="corp-pw", eve="pw")
        self.stores = UserStores([self.corp, self.primary])

    def test_primary_comes_first(self) -> None:
        assert self.stores.names == ("PRIMARY", "CORP")

    @pytest.mark.parametrize("name", ["CORP/eve", "corp/eve", "eve"])
    def test_a_domain_in_any_case_or_none(self, name: str) -> None:
        assert accepted_by(run(self.stores.authenticate(name, "pw"))) == "CORP"

    def test_a_domain_asks_that_store_only(self) -> None:
        assert isinstance(run(self.stores.authenticate("CORP/ada", "pw")), Refused)
        assert isinstance(run(self.stores.authenticate("PRIMARY/eve", "pw")), Refused)
        assert (self.primary.asked, self.corp.asked) == (["eve"], ["ada"])

    def test_an_unknown_domain_is_part_of_the_name(self) -> None:
        assert run(self.stores.authenticate("NOPE/ada", "pw")) == Refused(RefusalReason.UNKNOWN_USER)
        assert (self.primary.asked, self.corp.asked) == (["NOPE/ada"], ["NOPE/ada"])

    def test_only_the_first_separator_counts(self) -> None:
        run(self.stores.authenticate("CORP/host/db1", "pw"))
        assert self.corp.asked == ["host/db1"]

    def test_two_people_of_one_name_are_told_apart_by_password(self) -> None:
        assert accepted_by(run(self.stores.authenticate("bob", "primary-pw"))) == "PRIMARY"
        assert accepted_by(run(self.stores.authenticate("bob", "corp-pw"))) == "CORP"
        twins = UserStores([MemoryStore("CORP", bob="pw"), MemoryStore("PRIMARY", bob="pw")])
        assert accepted_by(run(twins.authenticate("bob", "pw"))) == "PRIMARY"
        assert accepted_by(run(twins.authenticate("CORP/bob", "pw"))) == "CORP"

    @pytest.mark.parametrize("name", ["ada", "bob", "eve", "nobody"])
    def test_a_failing_sign_in_asks_every_store_whoever_knows_the_name(self, name: str) -> None:
        assert isinstance(run(self.stores.authenticate(name, "wrong")), Refused)
        assert (self.primary.asked, self.corp.asked) == ([name], [name])

    def test_the_refusal_is_of_the_store_that_knows_the_name(self) -> None:
        assert run(self.stores.authenticate("eve", "wrong")) == Refused(RefusalReason.WRONG_PASSWORD, "CORP", "eve")
        assert run(self.stores.authenticate("bob", "wrong")) == Refused(RefusalReason.WRONG_PASSWORD, "PRIMARY", "bob")

    def test_an_accepted_password_asks_nobody_else(self) -> None:
        run(self.stores.authenticate("ada", "pw"))
        assert self.corp.asked == []

    @pytest.mark.parametrize("password", ["", "\0", "x" * 1025])
    def test_passwords_that_no_store_may_see_reach_none(self, password: str) -> None:
        for name in ("ada", "CORP/eve"):
            assert isinstance(run(self.stores.authenticate(name, password)), Refused)
        assert (self.primary.asked, self.corp.asked) == ([], [])

    def test_find(self) -> None:
        async def scenario() -> None:
            found = await self.stores.find("bob"), await self.stores.find("CORP/bob"), await self.stores.find("nobody")
            assert [user.store if user else None for user in found] == ["PRIMARY", "CORP", None]
            by_id = await self.stores.find_by_id("corp", "eve")
            assert by_id is not None
            assert await self.stores.find_by_id("GONE", "eve") is None

        asyncio.run(scenario())

    def test_names_are_unique(self) -> None:
        with pytest.raises(ValueError, match="same name"):
            UserStores([self.corp, MemoryStore("CORP")])


class TestUnavailable:
    FAILURES = (StoreUnavailable("CORP", "down"), LaneFull("full"))

    @pytest.mark.parametrize("failure", FAILURES)
    def test_stops_nobody_else(self, failure: Exception) -> None:
        stores = UserStores([MemoryStore("A", failure), MemoryStore("B", eve="pw"), MemoryStore("C", failure)])
        assert accepted_by(run(stores.authenticate("eve", "pw"))) == "B"

    @pytest.mark.parametrize("failure", FAILURES)
    @pytest.mark.parametrize("name", ["eve", "nobody"])
    def test_is_no_refusal_for_known_and_unknown_alike(self, failure: Exception, name: str) -> None:
        stores = UserStores([MemoryStore("A", failure), MemoryStore("B", eve="pw")])
        with pytest.raises(type(failure)):
            run(stores.authenticate(name, "wrong"))

    def test_a_domain_named_is_its_own(self) -> None:
        stores = UserStores([MemoryStore("A", StoreUnavailable("A", "down")), MemoryStore("B", eve="pw")])
        assert isinstance(run(stores.authenticate("B/eve", "wrong")), Refused)
        with pytest.raises(StoreUnavailable):
            run(stores.authenticate("A/eve", "pw"))

    def test_a_silent_store_holds_up_nobody_after_it(self) -> None:
        silent = MemoryStore("A", silent=True)
        stores = UserStores([silent, MemoryStore("B", eve="pw")], patience=0.01)
        begun = time.monotonic()
        assert accepted_by(run(stores.authenticate("eve", "pw"))) == "B"
        assert time.monotonic() - begun < 2
        assert silent.abandoned == 1

    def test_a_caller_who_goes_away_leaves_nothing_behind(self) -> None:
        async def scenario() -> None:
            silent = [MemoryStore("A", silent=True), MemoryStore("B", silent=True)]
            stores = UserStores(silent, patience=0.001)
            task = asyncio.ensure_future(stores.authenticate("eve", "pw"))
            while not silent[1].asked:
                await asyncio.wait([task], timeout=0.005)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert [store.abandoned for store in silent] == [1, 1]

        asyncio.run(scenario())

    def test_a_fault_of_ours_is_not_hidden(self) -> None:
        stores = UserStores([MemoryStore("A", StoreUnavailable("A", "down")), MemoryStore("B", KeyError("bug"))])
        with pytest.raises(KeyError):
            run(stores.authenticate("eve", "pw"))

    def test_a_look_up_never_takes_the_second_best(self) -> None:
        async def scenario() -> None:
            stores = UserStores([MemoryStore("A", StoreUnavailable("A", "down")), MemoryStore("B", eve="pw")])
            with pytest.raises(StoreUnavailable):
                await stores.find("eve")
            assert await stores.find("B/eve") is not None

        asyncio.run(scenario())


class TestNames:
    @pytest.mark.parametrize(
        ("name", "parts"),
        [
            ("ada", (None, "ada")),
            ("corp/ada", ("CORP", "ada")),
            ("corp/a/b", ("CORP", "a/b")),
            ("/ada", (None, "/ada")),
            ("corp/", ("CORP", "")),
        ],
    )
    def test_split(self, name: str, parts: tuple[str | None, str]) -> None:
        assert split_login_name(name) == parts

    def test_qualified(self) -> None:
        assert qualified_name("PRIMARY", "ada") == "ada"
        assert qualified_name("CORP", "ada") == "CORP/ada"

    def test_keys(self) -> None:
        assert username_key("STRASSE") == username_key("straße")
        assert username_key("Zoe\u0308") == username_key("ZO\u00cb")
        assert username_key("аda") != username_key("ada")

    @pytest.mark.parametrize("name", ["a", "ada lovelace", "zoë", "a" * 256, "x'y\"z", "日本"])
    def test_usable(self, name: str) -> None:
        assert is_username(name)

    @pytest.mark.parametrize("name", ["", " a", "a ", "a\nb", "a\0", "\u2028", "a\x7f", "a" * 257, "\udc00"])
    def test_unusable(self, name: str) -> None:
        assert not is_username(name)
