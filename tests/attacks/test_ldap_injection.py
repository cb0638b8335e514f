"""Attack row 26: input that would become part of a filter or DN (OpenAM CVE-2021-29156 read a directory so)."""

import asyncio

import pytest

from tests.userstores.fixtures import ldap_store
from tests.userstores.start_slapd import PEOPLE, Slapd
from userstores.spi import Authenticated, RefusalReason, Refused

SYNTAX = [
    "*",
    "a*",
    "*)(uid=*",
    "ada)(objectClass=*",
    "ada)(|(uid=*",
    "*)(|(objectClass=*)",
    "ada)(!(uid=x)",
    "ad\\61",
    "\\2a",
    "\\61da",
    "ada\\",
    "ada\\00",
    "(uid=ada)",
    "&(uid=ada)",
    "ada,ou=people,dc=example,dc=org",
    f"uid=ada,{PEOPLE}",
    "ada+cn=x",
    "ada#",
    "uid:caseIgnoreMatch:=ada",
    ">=a",
    "~=ada",
]
ODD = [
    "ada\0",
    "\0",
    "ada\0)(uid=*",
    "ada\r\n",
    "a" * 1_000_000,
    "*" * 256,
    "(" * 256,
    "\ud800",
    "ａｄａ",
    "аda",
    "ada\u00ad",
    "ada\u200b",
    "a\u0301da",
    "ada\u202e",
    " ada",
    "a  da",
    "ADA\u0130",
]


class TestLdapInjection:
    @pytest.mark.parametrize("name", SYNTAX + ODD, ids=[ascii(name)[:40] for name in SYNTAX + ODD])
    def test_syntax_in_a_name_is_part_of_the_name(self, slapd: Slapd, name: str) -> None:
        async def scenario() -> None:
            store = ldap_store(slapd)
            assert await store.authenticate(name, "ada-pw") == Refused(RefusalReason.UNKNOWN_USER)
            assert await store.find_by_username(name) is None
            assert await store.find_by_id(name) is None
            assert isinstance(await store.authenticate("ada", "ada-pw"), Authenticated)
            await store.close()

        asyncio.run(scenario())

    @pytest.mark.parametrize("after", SYNTAX)
    def test_syntax_in_a_cursor_is_a_name_to_go_on_after(self, slapd: Slapd, after: str) -> None:
        async def scenario() -> None:
            store = ldap_store(slapd)
            page = await store.list_users(after, 500)
            assert all(user.username > after for user in page.users)
            await store.close()

        asyncio.run(scenario())

    @pytest.mark.parametrize("password", ["", "\0", "\0ada-pw", "ada-pw\0"])
    def test_an_empty_password_never_binds(self, slapd: Slapd, monkeypatch: pytest.MonkeyPatch, password: str) -> None:
        """RFC 4513 §5.1.2: a directory answers success to a name with an empty password."""
        from userstores.ldap.connection import Session

        def network(*_: object) -> None:
            raise AssertionError("the directory was asked")

        monkeypatch.setattr(Session, "search", network)
        monkeypatch.setattr(Session, "bind", network)

        async def scenario() -> None:
            store = ldap_store(slapd)
            for name in ("ada", "nobody", ""):
                assert isinstance(await store.authenticate(name, password), Refused)
            await store.close()

        asyncio.run(scenario())

    @pytest.mark.parametrize("password", ["*", ")(uid=*", "ada-pw ", "ADA-PW", "\\61da-pw", "{SSHA}x"])
    def test_a_password_is_octets(self, slapd: Slapd, password: str) -> None:
        async def scenario() -> None:
            store = ldap_store(slapd)
            outcome = await store.authenticate("zoe.o'neill*(x)", password)
            assert isinstance(outcome, Refused)
            await store.close()

        asyncio.run(scenario())
