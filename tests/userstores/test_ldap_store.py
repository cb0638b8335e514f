"""What only the LDAP store does: mapping, groups of groups, TLS, and reasons an administrator can act upon."""

import asyncio
import socket
from pathlib import Path
from typing import ClassVar

import pytest

from tests.userstores.fixtures import ldap_store, require_slapd
from tests.userstores.start_slapd import BASE, PEOPLE, Slapd
from userstores.ldap.settings import parse_settings
from userstores.ldap.store import LdapUserStore
from userstores.spi import (
    Authenticated,
    ConnectionReport,
    NotSupported,
    Outcome,
    RefusalReason,
    Refused,
    StoreUnavailable,
    StoreUser,
)


def sign_in(store: LdapUserStore, username: str, password: str) -> Outcome:
    async def scenario() -> Outcome:
        try:
            return await store.authenticate(username, password)
        finally:
            await store.close()

    return asyncio.run(scenario())


def find(store: LdapUserStore, username: str) -> StoreUser:
    async def scenario() -> StoreUser | None:
        try:
            return await store.find_by_username(username)
        finally:
            await store.close()

    user = asyncio.run(scenario())
    assert user is not None
    return user


def report(store: LdapUserStore) -> ConnectionReport:
    async def scenario() -> ConnectionReport:
        try:
            return await store.check_connection()
        finally:
            await store.close()

    return asyncio.run(scenario())


class TestMapping:
    def test_inetorgperson_becomes_claims(self, slapd: Slapd) -> None:
        attributes = dict(find(ldap_store(slapd), "ada").attributes)
        assert isinstance(attributes.pop("updated_at"), int)
        assert attributes == {
            "preferred_username": "ada",
            "name": "Ada Lovelace",
            "given_name": "Ada",
            "family_name": "Lovelace",
            "email": "ada@example.org",
            "phone_number": "+44 20 7946 0001",
            "locale": "en-GB",
            "website": "https://ada.example.org/",
            "address": {
                "street_address": "12 St James's Square",
                "locality": "London",
                "region": "England",
                "postal_code": "SW1Y 4JH",
                "formatted": "12 St James's Square\nLondon",
            },
        }

    def test_a_claim_of_ones_own_keeps_all_values(self, slapd: Slapd) -> None:
        claims = {"mail": "mails", "cn": "name", "sn": "email_verified"}
        attributes = find(ldap_store(slapd, attribute_claims=claims), "grace").attributes
        assert attributes == {
            "preferred_username": "grace",
            "name": "Grace Hopper",
            "mails": ("grace@example.org", "ghopper@example.org"),
            "email_verified": False,
        }

    def test_addresses_may_be_trusted(self, slapd: Slapd) -> None:
        assert find(ldap_store(slapd, trust_email=True), "ada").attributes["email_verified"] is True
        assert "email_verified" not in find(ldap_store(slapd), "ada").attributes

    def test_any_address_signs_in_as_the_same_person(self, slapd: Slapd) -> None:
        outcome = sign_in(ldap_store(slapd), "GHopper@example.org", "grace-pw")
        assert isinstance(outcome, Authenticated)
        assert outcome.user.username == "grace"

    def test_only_the_username_where_nothing_else_is_set(self, slapd: Slapd) -> None:
        outcome = sign_in(ldap_store(slapd, login_attributes=[]), "ada@example.org", "ada-pw")
        assert outcome == Refused(RefusalReason.UNKNOWN_USER)


class TestGroups:
    @pytest.mark.parametrize("settings", [{}, {"member_of_attribute": ""}], ids=["memberOf", "search"])
    def test_direct_ones(self, slapd: Slapd, settings: dict[str, object]) -> None:
        assert find(ldap_store(slapd, **settings), "ada").groups == ("math", "staff")
        assert find(ldap_store(slapd, **settings), "grace").groups == ("navy, us",)
        assert find(ldap_store(slapd, **settings), "locked").groups == ()

    def test_groups_of_groups_even_in_a_ring(self, slapd: Slapd) -> None:
        assert find(ldap_store(slapd, nested_groups=True), "ada").groups == ("everything", "math", "science", "staff")

    def test_none_without_a_search_base(self, slapd: Slapd) -> None:
        assert find(ldap_store(slapd, group_search_base=""), "ada").groups == ()

    def test_a_name_in_another_attribute_is_searched(self, slapd: Slapd) -> None:
        groups = find(ldap_store(slapd, group_name_attribute="entryUUID"), "ada").groups
        assert len(groups) == 2
        assert "math" not in groups


class TestRefusals:
    @pytest.mark.parametrize(("name", "reason"), [("locked", RefusalReason.LOCKED), ("expired", RefusalReason.EXPIRED)])
    def test_the_policys_reason_is_for_the_logs(self, slapd: Slapd, name: str, reason: RefusalReason) -> None:
        outcome = sign_in(ldap_store(slapd), name, f"{name}-pw")
        assert isinstance(outcome, Refused)
        assert outcome.reason is reason

    def test_five_wrong_passwords_lock_the_account_there(self, own_slapd: Slapd) -> None:
        async def scenario() -> list[Outcome]:
            store = ldap_store(own_slapd)
            outcomes = [await store.authenticate("u1", "wrong") for _ in range(5)]
            outcomes.append(await store.authenticate("u1", "pw-1"))
            await store.close()
            return outcomes

        *wrong, last = asyncio.run(scenario())
        assert {outcome.reason for outcome in wrong if isinstance(outcome, Refused)} == {RefusalReason.WRONG_PASSWORD}
        assert isinstance(last, Refused)
        assert last.reason is RefusalReason.LOCKED

    @pytest.mark.parametrize("name", ["ada", "nobody", "locked", "twins@example.org"])
    def test_every_name_costs_one_search_and_one_bind(
        self, slapd: Slapd, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        from userstores.ldap.connection import Session

        calls: list[str] = []
        for method in ("search", "bind"):
            original = getattr(Session, method)

            def counted(*arguments: object, _method: str = method, _original: object = original) -> object:
                calls.append(_method)
                return _original(*arguments)  # type: ignore[operator]

            monkeypatch.setattr(Session, method, counted)
        assert isinstance(sign_in(ldap_store(slapd), name, "wrong"), Refused)
        assert calls == ["search", "bind"]

    def test_a_decoy_is_bound_to_where_one_is_set(self, slapd: Slapd, monkeypatch: pytest.MonkeyPatch) -> None:
        from userstores.ldap.connection import Session

        bound: list[str] = []
        original = Session.bind

        def bind(self: Session, dn: str, password: str) -> object:
            bound.append(dn)
            return original(self, dn, password)

        monkeypatch.setattr(Session, "bind", bind)
        decoy = f"uid=u19,{PEOPLE}"
        # Even the decoy's own password signs nobody in.
        assert sign_in(ldap_store(slapd, dummy_bind_dn=decoy), "nobody", "pw-19") == Refused(RefusalReason.UNKNOWN_USER)
        assert bound == [decoy]


class TestList:
    def test_a_directory_beyond_the_limit_is_not_listed(self, slapd: Slapd) -> None:
        async def scenario() -> None:
            store = ldap_store(slapd, list_limit=5)
            with pytest.raises(NotSupported, match="more than 5"):
                await store.list_users()
            assert await store.find_by_username("ada") is not None
            await store.close()

        asyncio.run(scenario())


class TestTls:
    @pytest.mark.parametrize("start_tls", [False, True], ids=["ldaps", "starttls"])
    def test_a_strangers_certificate_is_refused(self, slapd: Slapd, start_tls: bool) -> None:
        urls = slapd.uri if start_tls else slapd.ldaps_uri
        store = ldap_store(slapd, urls=urls, start_tls=start_tls, ca_file=None)
        with pytest.raises(StoreUnavailable, match="certificate is not accepted"):
            sign_in(store, "ada", "ada-pw")

    @pytest.mark.parametrize("start_tls", [False, True], ids=["ldaps", "starttls"])
    def test_so_is_one_for_another_name(self, pytestconfig: pytest.Config, tmp_path: Path, start_tls: bool) -> None:
        require_slapd(pytestconfig)
        with Slapd(tmp_path / "slapd", users=1, names="DNS:other.example.org") as directory:
            urls = directory.uri if start_tls else directory.ldaps_uri
            store = ldap_store(directory, urls=urls, start_tls=start_tls)
            with pytest.raises(StoreUnavailable, match="not valid for"):
                sign_in(store, "ada", "ada-pw")

    def test_verification_may_be_off_on_loopback_only(self, slapd: Slapd) -> None:
        store = ldap_store(slapd, urls=slapd.ldaps_uri, ca_file=None, verify=False)
        assert isinstance(sign_in(store, "ada", "ada-pw"), Authenticated)

    def test_no_password_in_clear_when_starttls_fails(self, slapd: Slapd) -> None:
        """The directory here offers no StartTLS: it is LDAPS already."""
        store = ldap_store(slapd, urls=slapd.ldaps_uri.replace("ldaps", "ldap"), start_tls=True)
        with pytest.raises(StoreUnavailable):
            sign_in(store, "ada", "ada-pw")


class TestConnectionReport:
    @pytest.mark.parametrize(
        ("settings", "words"),
        [
            ({"bind_password": "wrong"}, "refuses the service account cn=svc,dc=example,dc=org"),
            ({"urls": "ldap://127.0.0.1:1"}, "nothing listens on port 1 of 127.0.0.1"),
            ({"user_search_base": f"ou=nowhere,{BASE}"}, "there is no such entry"),
            ({"user_search_base": "nonsense"}, "not a valid DN"),
            ({"user_search_base": f"ou=empty,{BASE}"}, "there is nobody of class inetOrgPerson"),
            ({"group_search_base": f"ou=nowhere,{BASE}"}, "there is no such entry"),
            ({"username_attribute": "sAMAccountName"}, "with the attribute sAMAccountName"),
            ({"id_attribute": "nsUniqueId"}, "set id_attribute"),
            ({"bind_dn": "", "bind_password": ""}, "there is no such entry, or the service account may not see it"),
        ],
    )
    def test_says_what_is_wrong(self, slapd: Slapd, settings: dict[str, object], words: str) -> None:
        found = report(ldap_store(slapd, **settings))
        assert not found.ok
        assert words in found.reason

    def test_names_a_host_that_has_no_address(self, slapd: Slapd, monkeypatch: pytest.MonkeyPatch) -> None:
        def unknown(*_: object, **__: object) -> None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", unknown)
        found = report(ldap_store(slapd, urls="ldaps://directory.example.org"))
        assert found.reason == "The name directory.example.org cannot be resolved to an address."

    def test_names_a_wrong_port_and_authority(self, slapd: Slapd) -> None:
        assert "TLS handshake" in report(ldap_store(slapd, urls=f"ldaps://127.0.0.1:{slapd.port}")).reason
        assert "Set ca_file" in report(ldap_store(slapd, urls=slapd.ldaps_uri, ca_file=None)).reason

    def test_speaks_of_every_server(self, slapd: Slapd) -> None:
        found = report(ldap_store(slapd, urls=[slapd.uri, "ldap://127.0.0.1:1"]))
        assert not found.ok
        assert "port 1" in found.reason


class TestSettings:
    GOOD: ClassVar[dict[str, object]] = {
        "urls": "ldaps://a.example.org ldaps://b.example.org:1636",
        "user_search_base": "ou=people,dc=x",
    }

    def test_parse_a_list_of_servers(self) -> None:
        settings = parse_settings(self.GOOD)
        assert [str(url) for url in settings.urls] == ["ldaps://a.example.org:636", "ldaps://b.example.org:1636"]

    def test_repr_hides_the_password(self) -> None:
        settings = parse_settings(self.GOOD | {"bind_dn": "cn=svc", "bind_password": "hidden"})
        assert "hidden" not in repr(settings)

    @pytest.mark.parametrize(
        ("wrong", "name"),
        [
            ({"urls": "ldap://a.example.org"}, "urls"),
            ({"urls": "http://a.example.org"}, "urls"),
            ({"urls": "ldaps://a.example.org/dc=x??sub"}, "urls"),
            ({"urls": "ldaps://user@a.example.org"}, "urls"),
            ({"urls": "ldaps://a:99999"}, "urls"),
            ({"urls": ""}, "urls"),
            ({"urls": 7}, "urls"),
            ({"verify": False}, "verify"),
            ({"verify": "no"}, "verify"),
            ({"start_tls": True}, "start_tls"),
            ({"user_search_base": ""}, "user_search_base"),
            ({"username_attribute": "uid)(x"}, "uid"),
            ({"login_attributes": ["mail=*"]}, "mail"),
            ({"attribute_claims": {"cn": "sub"}}, "attribute_claims"),
            ({"attribute_claims": {"c n": "name"}}, "c n"),
            ({"bind_dn": "cn=svc"}, "bind_password"),
            ({"ca_file": "/nonexistent/ca.pem"}, "ca_file"),
            ({"pool_size": 0}, "pool_size"),
            ({"pool_size": True}, "pool_size"),
            ({"read_seconds": 0}, "read_seconds"),
            ({"read_seconds": float("nan")}, "read_seconds"),
            ({"unknown": 1}, "unknown"),
        ],
    )
    def test_refuse_what_cannot_work_by_name(self, wrong: dict[str, object], name: str) -> None:
        with pytest.raises(ValueError, match=name.replace("(", r"\(").replace(")", r"\)")):
            parse_settings(self.GOOD | wrong)

    def test_plain_connections_need_loopback_or_a_word(self) -> None:
        assert parse_settings(self.GOOD | {"urls": "ldap://127.0.0.1 ldap://[::1]:1389 ldap://localhost"})
        assert parse_settings(self.GOOD | {"urls": "ldap://a.example.org", "allow_plaintext": True})
        assert parse_settings(self.GOOD | {"urls": "ldap://a.example.org", "start_tls": True})
