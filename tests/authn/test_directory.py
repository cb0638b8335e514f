"""People of a directory: who is gone there is noticed, and its silence never counts as success (decision 13)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import structlog

from identity.administration import stores
from identity.administration.directory_check import FEW, DirectoryCheck
from identity.domain.tenants import Tenant
from identity.domain.users import Subject
from identity.storage.configuration import TenantConfiguration
from tests.support.builders import Client, Site, response_parameters
from tests.support.waiting import eventually
from tests.userstores.start_slapd import (
    ADMIN_DN,
    ADMIN_PASSWORD,
    GROUPS,
    PEOPLE,
    SERVICE_DN,
    SERVICE_PASSWORD,
    Slapd,
)

PATIENT = {"connect_seconds": 20, "read_seconds": 20, "operation_seconds": 20, "breaker_seconds": 0.2}
"""For everything that must succeed, however busy the machine is."""
HURRIED = PATIENT | {"connect_seconds": 0.3, "read_seconds": 0.3, "operation_seconds": 0.5}
"""For a directory that does not answer."""


@pytest.fixture
def connected(site: Site, own_slapd: Slapd) -> Slapd:
    """The tenant's second store CORP is a directory."""
    given = settings(own_slapd, PATIENT)
    site.in_tenant(lambda a, t: stores.create_store(a, t, "CORP", "ldap", given))
    return own_slapd


def settings(directory: Slapd, deadlines: dict[str, float]) -> dict[str, object]:
    return {
        "urls": directory.uri, "user_search_base": PEOPLE, "group_search_base": GROUPS, "bind_dn": SERVICE_DN,
        "bind_password": SERVICE_PASSWORD, "ca_file": str(directory.ca_file), **deadlines,
    }  # fmt: skip


def wait_for(site: Site, directory: Slapd, deadlines: dict[str, float]) -> None:
    """From now on the server waits that long for the directory."""
    given = settings(directory, deadlines)
    site.in_tenant(lambda a, t: stores.update_store(a, t, "CORP", given))


@contextmanager
def administrator(directory: Slapd) -> Iterator[Any]:
    """A connection of the directory's own administrator."""
    from userstores.ldap.library import ldap3

    server = ldap3.Server(directory.uri, get_info=ldap3.NONE)
    connection = ldap3.Connection(server, ADMIN_DN, ADMIN_PASSWORD, auto_bind=True)
    try:
        yield connection
    finally:
        connection.unbind()


def check(site: Site, store: str = "CORP") -> int:
    """One round over one store, now."""
    return site.in_tenant(lambda a, t: DirectoryCheck(a, structlog.get_logger()).check(t, store))


def sign_in(site: Site, client: Client, username: str = "CORP/ada", password: str = "ada-pw") -> dict[str, str]:
    page = site.browser().get(site.authorize_url(client, scope="openid profile email groups"))
    page = page.submit("login-submit", username=username, password=password)
    tokens: dict[str, str] = site.redeem(client, response_parameters(page)["code"]).json()
    return tokens


@pytest.mark.parametrize("username", ["ada", "CORP/ada", "corp/ADA"])
def test_a_person_of_the_directory_signs_in(site: Site, connected: Slapd, username: str) -> None:
    client = site.application()
    tokens = sign_in(site, client, username)
    assert site.introspect(client, tokens["access_token"])["username"] == "CORP/ada"
    claims = site.userinfo(tokens["access_token"]).json()
    assert claims["given_name"] == "Ada"
    assert claims["groups"]
    assert isinstance(claims["groups"], list)
    assert site.refresh(client, tokens["refresh_token"]).status_code == 200


def test_a_store_switched_off_ends_refresh_and_sign_in_not_introspection(site: Site, connected: Slapd) -> None:
    client = site.application()
    tokens = sign_in(site, client)
    site.in_tenant(lambda a, t: stores.delete_store(a, t, "CORP"))
    assert site.is_active(client, tokens["access_token"])
    assert site.refresh(client, tokens["refresh_token"]).json()["error"] == "invalid_grant"
    page = site.browser().get(site.authorize_url(client))
    assert page.submit("login-submit", username="CORP/ada", password="ada-pw").status == 422


@pytest.mark.parametrize("fault", ["frozen", "stopped"])
def test_a_silent_directory_is_temporarily_unavailable_and_comes_back(site: Site, connected: Slapd, fault: str) -> None:
    client = site.application()
    browser = site.browser()
    page = browser.get(site.authorize_url(client))
    signed_in = page.submit("login-submit", username="CORP/ada", password="ada-pw")
    tokens = site.redeem(client, response_parameters(signed_in)["code"]).json()
    _ = site.jane
    wait_for(site, connected, HURRIED)
    if fault == "frozen":
        connected.freeze()
    else:
        connected.stop()
    try:
        refused = site.refresh(client, tokens["refresh_token"])
        assert (refused.status_code, refused.json()["error"]) == (503, "temporarily_unavailable")
        assert refused.headers["retry-after"]
        again = browser.get(site.authorize_url(client))
        assert response_parameters(again)["error"] == "temporarily_unavailable"
        page = site.browser().get(site.authorize_url(client))
        page = page.submit("login-submit", username="CORP/ada", password="ada-pw")
        assert page.status == 503
        assert "cannot check" in page.text
        assert site.is_active(client, tokens["access_token"])
        assert "code" in response_parameters(site.sign_in(client, site.jane))
    finally:
        if fault == "frozen":
            connected.thaw()
        else:
            connected.start()
    wait_for(site, connected, PATIENT)
    eventually(lambda: site.refresh(client, tokens["refresh_token"]).status_code == 200, "the directory is used again")


def test_who_is_deleted_in_the_directory_is_noticed_at_refresh(site: Site, connected: Slapd) -> None:
    """Introspection reads no directory; the refresh that notices ends the grant for everybody."""
    client, browser = site.application(), site.browser()
    page = browser.get(site.authorize_url(client)).submit("login-submit", username="CORP/ada", password="ada-pw")
    tokens = site.redeem(client, response_parameters(page)["code"]).json()
    with administrator(connected) as connection:
        assert connection.delete(f"uid=ada,{PEOPLE}")
    assert site.is_active(client, tokens["access_token"])
    assert response_parameters(browser.get(site.authorize_url(client)))["error"] == "login_required"
    assert site.refresh(client, tokens["refresh_token"]).json()["error"] == "invalid_grant"
    assert not site.is_active(client, tokens["access_token"])


class TestCheck:
    """Decision 13: the change poll. It looks people up whom nobody asks about."""

    def test_who_is_deleted_loses_session_and_tokens(self, site: Site, connected: Slapd) -> None:
        client, browser = site.application(), site.browser()
        page = browser.get(site.authorize_url(client)).submit("login-submit", username="CORP/ada", password="ada-pw")
        tokens = site.redeem(client, response_parameters(page)["code"]).json()
        assert check(site) == 0
        assert site.is_active(client, tokens["access_token"])
        with administrator(connected) as connection:
            assert connection.delete(f"uid=ada,{PEOPLE}")
        assert check(site) == 1
        assert not site.is_active(client, tokens["access_token"])
        assert site.refresh(client, tokens["refresh_token"]).json()["error"] == "invalid_grant"
        assert browser.get(site.authorize_url(client)).status == 200  # the sign-in page: nobody is signed in
        assert [event["type"] for event in site.events()].count("user:account:left") == 1
        assert check(site) == 0

    def test_who_comes_back_signs_in_again(self, site: Site, connected: Slapd) -> None:
        client = site.application()
        tokens = sign_in(site, client)
        entry = f"uid=ada,{PEOPLE}"
        with administrator(connected) as connection:
            assert connection.search(entry, "(objectClass=*)", "BASE", attributes=["entryUUID"])
            assert connection.modify_dn(entry, "uid=ada", new_superior=GROUPS)
            assert check(site) == 1
            assert not site.is_active(client, tokens["access_token"])
            assert connection.modify_dn(f"uid=ada,{GROUPS}", "uid=ada", new_superior=PEOPLE)
        assert site.is_active(client, sign_in(site, client)["access_token"])

    def test_a_silent_directory_ends_nothing(self, site: Site, connected: Slapd) -> None:
        client = site.application()
        tokens = sign_in(site, client)
        wait_for(site, connected, HURRIED)
        connected.stop()
        try:
            assert check(site) == 0
        finally:
            connected.start()
        assert site.is_active(client, tokens["access_token"])

    def test_a_wrong_search_base_ends_nothing(self, site: Site, connected: Slapd) -> None:
        client = site.application()
        tokens = [sign_in(site, client)]
        with administrator(connected) as connection:
            for number in range(FEW):
                attributes = {"cn": "New", "sn": "Person", "userPassword": "new-person-pw"}
                assert connection.add(f"uid=new{number},{PEOPLE}", "inetOrgPerson", attributes)
        tokens += [sign_in(site, client, f"CORP/new{number}", "new-person-pw") for number in range(FEW)]
        elsewhere = settings(connected, PATIENT) | {"user_search_base": GROUPS}
        site.in_tenant(lambda a, t: stores.update_store(a, t, "CORP", elsewhere))
        assert check(site) == 0
        assert all(site.is_active(client, each["access_token"]) for each in tokens)

    def test_who_is_back_before_the_round_ends_stays(self, site: Site, connected: Slapd) -> None:
        client = site.application()
        tokens = sign_in(site, client)
        with administrator(connected) as connection:

            class Slow(DirectoryCheck):
                async def _ask(self, tenant: TenantConfiguration, store: str) -> tuple[int, list[Subject]]:
                    asked, gone = await super()._ask(tenant, store)
                    assert len(gone) == 1
                    assert connection.modify_dn(f"uid=ada,{GROUPS}", "uid=ada", new_superior=PEOPLE)
                    return asked, gone

            assert connection.modify_dn(f"uid=ada,{PEOPLE}", "uid=ada", new_superior=GROUPS)
            assert site.in_tenant(lambda a, t: Slow(a, structlog.get_logger()).check(t, "CORP")) == 0
        assert site.is_active(client, tokens["access_token"])

    def test_the_faults_of_one_tenant_are_its_own(self, site: Site, connected: Slapd) -> None:
        class Broken(DirectoryCheck):
            async def _check_all(self, tenant: Tenant) -> int:
                raise ValueError("settings that cannot be read")

        site.change_settings(lambda current: replace(current, directory_check_interval=3600))
        assert site.administer(lambda a: Broken(a, structlog.get_logger()).once()) == 0

    def test_another_tenants_people_are_left_alone(self, site: Site, other_site: Site, connected: Slapd) -> None:
        given = settings(connected, PATIENT)
        other_site.in_tenant(lambda a, t: stores.create_store(a, t, "CORP", "ldap", given))
        ours, theirs = site.application(), other_site.application()
        tokens, other_tokens = sign_in(site, ours), sign_in(other_site, theirs)
        with administrator(connected) as connection:
            assert connection.delete(f"uid=ada,{PEOPLE}")
        assert check(site) == 1
        assert not site.is_active(ours, tokens["access_token"])
        assert other_site.is_active(theirs, other_tokens["access_token"])

    def test_it_is_one_workers_turn_when_the_tenant_wants_it(self, site: Site, connected: Slapd) -> None:
        client = site.application()
        tokens = sign_in(site, client)
        with administrator(connected) as connection:
            assert connection.delete(f"uid=ada,{PEOPLE}")

        def once() -> int:
            return site.administer(lambda a: DirectoryCheck(a, structlog.get_logger()).once())

        assert once() == 0
        assert site.is_active(client, tokens["access_token"])
        site.change_settings(lambda current: replace(current, directory_check_interval=3600))
        # The server's own workers may have had the turn: one of all has it, and the next is in an hour.
        eventually(lambda: once() >= 0 and not site.is_active(client, tokens["access_token"]), "somebody had the turn")
        assert [event["type"] for event in site.events()].count("user:account:left") == 1
