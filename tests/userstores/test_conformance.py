"""The contract of `userstores/spi.py`: every store passes it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from tests.userstores.fixtures import OpenStore
from userstores.spi import (
    Authenticated,
    NewUser,
    NotSupported,
    Outcome,
    RefusalReason,
    Refused,
    StoreUser,
    UserChanges,
    UserPage,
    UserStore,
)

T = TypeVar("T")

ODD_NAMES = ["", " ", "ada ", "a\0da", "ada\n", "\ud800", "x" * 100_000, "ａｄａ", "ada\u200b", "*"]
NOBODYS_ID = "00000000-0000-0000-0000-000000000000"


def using(open_store: OpenStore, work: Callable[[UserStore], Awaitable[T]]) -> T:
    async def scenario() -> T:
        async with open_store() as store:
            return await work(store)

    return asyncio.run(scenario())


def sign_in(open_store: OpenStore, username: str, password: str) -> Outcome:
    return using(open_store, lambda store: store.authenticate(username, password))


class TestAuthenticate:
    def test_the_right_password_gives_the_person(self, open_store: OpenStore) -> None:
        outcome = sign_in(open_store, "ada", "ada-pw")
        assert isinstance(outcome, Authenticated)
        assert not outcome.must_change_password
        user = outcome.user
        assert (user.store, user.username, user.enabled, user.groups) == ("CORP", "ada", True, ("math", "staff"))
        assert user.id

    def test_attributes_have_the_standard_claims_names_and_types(self, open_store: OpenStore) -> None:
        outcome = sign_in(open_store, "ada", "ada-pw")
        assert isinstance(outcome, Authenticated)
        attributes = outcome.user.attributes
        expected = {
            "name": "Ada Lovelace",
            "given_name": "Ada",
            "family_name": "Lovelace",
            "preferred_username": "ada",
            "email": "ada@example.org",
            "phone_number": "+44 20 7946 0001",
            "locale": "en-GB",
        }
        assert {name: attributes.get(name) for name in expected} == expected
        address = attributes["address"]
        assert isinstance(address, dict)
        assert (address["locality"], address["postal_code"]) == ("London", "SW1Y 4JH")
        assert isinstance(attributes["updated_at"], int)
        assert "sub" not in attributes

    @pytest.mark.parametrize("typed", ["ADA", "Ada", "ada@example.org", "ADA@Example.org"])
    def test_case_does_not_matter_and_the_address_will_do(self, open_store: OpenStore, typed: str) -> None:
        outcome = sign_in(open_store, typed, "ada-pw")
        assert isinstance(outcome, Authenticated)
        assert outcome.user.username == "ada"

    def test_signs_in_a_name_full_of_syntax(self, open_store: OpenStore) -> None:
        name = "zoe.o'neill*(x)"
        outcome = sign_in(open_store, name, f"{name}-pw")
        assert isinstance(outcome, Authenticated)
        assert outcome.user.attributes["given_name"] == "Zoë"

    def test_a_wrong_password_names_the_account_for_the_logs_only(self, open_store: OpenStore) -> None:
        async def scenario(store: UserStore) -> None:
            ada = await store.find_by_username("ada")
            assert ada is not None
            outcome = await store.authenticate("ada", "other")
            assert outcome == Refused(RefusalReason.WRONG_PASSWORD, "CORP", ada.id)

        using(open_store, scenario)

    def test_an_unknown_name_is_refused(self, open_store: OpenStore) -> None:
        assert sign_in(open_store, "nobody", "ada-pw") == Refused(RefusalReason.UNKNOWN_USER)

    def test_an_address_of_two_people_signs_in_neither(self, open_store: OpenStore) -> None:
        assert sign_in(open_store, "twins@example.org", "twin1-pw") == Refused(RefusalReason.UNKNOWN_USER)
        assert isinstance(sign_in(open_store, "twin1", "twin1-pw"), Authenticated)

    def test_a_locked_or_disabled_person_is_refused(self, open_store: OpenStore) -> None:
        outcome = sign_in(open_store, "locked", "locked-pw")
        assert isinstance(outcome, Refused)
        assert outcome.reason in (RefusalReason.LOCKED, RefusalReason.DISABLED)

    def test_says_when_the_password_must_be_changed(self, open_store: OpenStore) -> None:
        outcome = sign_in(open_store, "changing", "changing-pw")
        assert isinstance(outcome, Authenticated)
        assert outcome.must_change_password

    @pytest.mark.parametrize("password", ["", "\0", "ada-pw\0", "\ud800", "x" * 1025, "é" * 513])
    def test_refuses_passwords_that_no_store_may_see(self, open_store: OpenStore, password: str) -> None:
        assert isinstance(sign_in(open_store, "ada", password), Refused)

    @pytest.mark.parametrize(
        "name", ["", " ", "ada ", "a\0da", "ada\n", "\ud800", "x" * 100_000, "ａｄａ", "ada\u200b", "*"]
    )
    def test_refuses_odd_names(self, open_store: OpenStore, name: str) -> None:
        assert sign_in(open_store, name, "ada-pw") == Refused(RefusalReason.UNKNOWN_USER)

    def test_many_at_once(self, open_store: OpenStore) -> None:
        async def scenario(store: UserStore) -> list[Outcome]:
            return await asyncio.gather(*(store.authenticate(f"u{n}", f"pw-{n % 19}") for n in range(20)))

        outcomes = using(open_store, scenario)
        accepted = [outcome.user.username for outcome in outcomes if isinstance(outcome, Authenticated)]
        assert accepted == [f"u{n}" for n in range(19)]


class TestFind:
    def test_by_name_and_by_id_give_the_same(self, open_store: OpenStore) -> None:
        async def scenario(store: UserStore) -> tuple[StoreUser | None, StoreUser | None]:
            user = await store.find_by_username("GRACE")
            assert user is not None
            return user, await store.find_by_id(user.id)

        by_name, by_id = using(open_store, scenario)
        assert by_name == by_id
        assert by_name is not None
        assert by_name.groups == ("navy, us",)

    @pytest.mark.parametrize("name", ["nobody", "grace@example.org", "*", "", "gr\0ace", "gra*"])
    def test_finds_exact_usernames_only(self, open_store: OpenStore, name: str) -> None:
        assert using(open_store, lambda store: store.find_by_username(name)) is None

    @pytest.mark.parametrize(
        "user_id", ["", "*", "nobody", "00000000-0000-0000-0000-000000000000", "x\0", "y" * 10_000]
    )
    def test_an_unknown_id_is_nobody(self, open_store: OpenStore, user_id: str) -> None:
        assert using(open_store, lambda store: store.find_by_id(user_id)) is None

    def test_a_disabled_person_is_found_as_such(self, open_store: OpenStore) -> None:
        user = using(open_store, lambda store: store.find_by_username("locked"))
        assert user is not None
        assert not user.enabled

    @pytest.mark.parametrize(
        ("claim", "value", "found"),
        [
            ("email", "grace@example.org", ["grace"]), ("email", "GRACE@Example.org", ["grace"]),
            ("email", "twins@example.org", ["twin1", "twin2"]), ("email", "nobody@example.org", []),
            ("email", "*", []), ("email", "*)(uid=*", []), ("email", "", []), ("email", "grace@example.org\0", []),
            ("phone_number", "%", []), ("phone_number", "phone_number", []), ("name", "Grace Hopper", []),
            ("username", "grace", []), ("x", "grace@example.org", []),
        ],
    )  # fmt: skip
    def test_by_a_claim_that_is_exactly_theirs(
        self, open_store: OpenStore, claim: str, value: str, found: list[str]
    ) -> None:
        users = using(open_store, lambda store: store.find_by_claim(claim, value))
        assert sorted(user.username for user in users) == found


class TestList:
    def test_pages_are_in_order_and_complete(self, open_store: OpenStore) -> None:
        async def scenario(store: UserStore) -> list[UserPage]:
            pages = [await store.list_users(limit=9)]
            while pages[-1].next is not None:
                pages.append(await store.list_users(pages[-1].next, 9))
            return pages

        pages = using(open_store, scenario)
        names = [user.username for page in pages for user in page.users]
        assert names == sorted(names)
        assert {"ada", "grace", "locked", "u0", "u19", "zoe.o'neill*(x)"} <= set(names)
        assert [len(page.users) for page in pages[:-1]] == [9] * (len(pages) - 1)
        ada = next(user for page in pages for user in page.users if user.username == "ada")
        assert ada.groups == ("math", "staff")

    def test_a_page_ends_exactly_at_the_end(self, open_store: OpenStore) -> None:
        async def scenario(store: UserStore) -> None:
            everyone = await store.list_users(limit=1000)
            assert everyone.next is None
            exact = await store.list_users(limit=len(everyone.users))
            assert exact == everyone
            assert await store.list_users("zzzz") == UserPage((), None)

        using(open_store, scenario)

    def test_groups_are_listed(self, open_store: OpenStore) -> None:
        groups = using(open_store, lambda store: store.groups())
        assert {"math", "staff", "navy, us"} <= set(groups)
        assert list(groups) == sorted(groups)


class TestCapabilities:
    def test_what_it_cannot_do_it_refuses_by_capability(self, open_store: OpenStore) -> None:
        async def scenario(store: UserStore) -> None:
            can = store.capabilities
            tries: dict[str, Callable[[], Awaitable[object]]] = {
                "create": lambda: store.create_user(NewUser(username="new", password="new-pw")),
                "update": lambda: store.update_user("x", UserChanges()),
                "set_password": lambda: store.set_password("x", "y"),
                "set_enabled": lambda: store.set_enabled("x", False),
                "delete": lambda: store.delete_user("x"),
            }
            for name, attempt in tries.items():
                if not getattr(can, name):
                    with pytest.raises(NotSupported):
                        await attempt()

        using(open_store, scenario)

    def test_the_connection_test_is_content(self, open_store: OpenStore) -> None:
        report = using(open_store, lambda store: store.check_connection())
        assert report.ok, report.reason
