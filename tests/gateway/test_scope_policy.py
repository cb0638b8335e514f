"""Scopes granted by role and by API resource (wso2-contracts §6.2, §7.4)."""

from dataclasses import replace
from typing import Any

import pytest

from tests.support.builders import Client, Person, Site
from tests.support.key_manager import api, authorized, change_role, delete_scope, role


def scopes_of(answer: dict[str, Any]) -> set[str]:
    return set(answer.get("scope", "").split())


def machine_scopes(site: Site, client: Client, asked: str) -> set[str]:
    return scopes_of(site.token(client, grant_type="client_credentials", scope=asked).json())


def person_scopes(site: Site, client: Client, person: Person, asked: str) -> set[str]:
    return scopes_of(site.tokens(client, person, scope=asked))


def test_an_application_gets_scopes_of_the_apis_it_is_authorized_for(site: Site) -> None:
    orders = api(site, "orders:read", "orders:write", "orders:delete")
    client = site.machine(scopes=("own",), authorized_apis=[authorized(orders, "orders:read", "orders:write")])
    asked = "own orders:read orders:delete orders:write unknown"
    assert machine_scopes(site, client, asked) == {"own", "orders:read", "orders:write"}


def test_scopes_of_people_and_unregistered_ones_are_left_out(site: Site) -> None:
    client = site.machine(scopes=("own",), authorized_apis=[{"api": "nowhere", "scopes": ["ghost"]}])
    assert machine_scopes(site, client, "openid profile own ghost internal_role_mgt_view SYSTEM") == {"own"}


def test_a_scope_that_is_deleted_is_granted_no_more(site: Site) -> None:
    orders = api(site, "orders:read", "orders:write")
    client = site.machine(authorized_apis=[authorized(orders, "orders:read", "orders:write")])
    assert machine_scopes(site, client, "orders:read orders:write") == {"orders:read", "orders:write"}
    delete_scope(site, orders, "orders:read")
    assert machine_scopes(site, client, "orders:read orders:write") == {"orders:write"}


@pytest.mark.parametrize("kind", ["opaque", "jwt"])
def test_a_person_gets_what_a_role_of_theirs_grants(site: Site, kind: str) -> None:
    orders = api(site, "orders:read", "orders:write")
    client = site.application(
        access_token_type=kind, authorized_apis=[authorized(orders, "orders:read", "orders:write")]
    )
    asked = "openid orders:read orders:write"
    assert person_scopes(site, client, site.jane, asked) == {"openid"}
    role(site, "clerk", "orders:read", people=(site.jane,))
    assert person_scopes(site, client, site.jane, asked) == {"openid", "orders:read"}
    assert person_scopes(site, client, site.person("ben"), asked) == {"openid"}


def test_a_role_may_come_by_a_group(site: Site) -> None:
    orders = api(site, "orders:read")
    client = site.application(authorized_apis=[authorized(orders, "orders:read")])
    assert site.jane.user.groups == ("staff",)
    role(site, "clerk", "orders:read", groups=("staff",))
    assert person_scopes(site, client, site.jane, "openid orders:read") == {"openid", "orders:read"}
    assert person_scopes(site, client, site.person("ben", groups=("guests",)), "orders:read") == set()


def test_without_rbac_the_application_is_enough(site: Site) -> None:
    orders = api(site, "orders:read", "orders:write")
    client = site.application(
        authorized_apis=[
            authorized(orders, "orders:read", policy="No Policy"),
            authorized(orders, "orders:write"),
        ]
    )
    assert person_scopes(site, client, site.jane, "openid orders:read orders:write") == {"openid", "orders:read"}


def test_roles_of_an_application_count_for_it_alone(site: Site) -> None:
    orders = api(site, "orders:read")
    apis = [authorized(orders, "orders:read")]
    own, other = (
        site.application(name, allowed_audience="application", authorized_apis=apis) for name in ("Own", "Other")
    )
    tenant_wide = site.application("Wide", authorized_apis=apis)
    role(site, "clerk", "orders:read", people=(site.jane,), application=own)
    granted = {
        client.application.name: person_scopes(site, client, site.jane, "openid orders:read")
        for client in (own, other, tenant_wide)
    }
    assert granted == {"Own": {"openid", "orders:read"}, "Other": {"openid"}, "Wide": {"openid"}}


def test_a_role_that_is_taken_away_is_missed_at_refresh(site: Site) -> None:
    orders = api(site, "orders:read", "orders:write")
    client = site.application(authorized_apis=[authorized(orders, "orders:read", "orders:write")])
    role(site, "reader", "orders:read", people=(site.jane,))
    role(site, "writer", "orders:write", people=(site.jane,))
    tokens = site.tokens(client, site.jane, scope="openid orders:read orders:write")
    change_role(site, "writer", remove=site.jane)
    refreshed = site.refresh(client, tokens["refresh_token"]).json()
    assert scopes_of(refreshed) == {"openid", "orders:read"}
    change_role(site, "writer", add=site.jane)
    assert scopes_of(site.refresh(client, refreshed["refresh_token"]).json()) == {
        "openid",
        "orders:read",
        "orders:write",
    }


def test_a_refresh_that_would_give_nothing_says_so(site: Site) -> None:
    orders = api(site, "orders:read")
    client = site.application(authorized_apis=[authorized(orders, "orders:read")])
    role(site, "reader", "orders:read", people=(site.jane,))
    tokens = site.tokens(client, site.jane, scope="orders:read")
    change_role(site, "reader", remove=site.jane)
    refused = site.refresh(client, tokens["refresh_token"])
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_scope")


def test_authorize_all_scopes_grants_as_asked(site: Site) -> None:
    """For an API manager that checks scopes itself (wso2-contracts §7.1)."""
    site.change_settings(lambda settings: replace(settings, authorize_all_scopes=True))
    orders = api(site, "orders:read")
    client, machine = site.application(authorized_apis=[authorized(orders, "orders:read")]), site.machine()
    assert machine_scopes(site, machine, "apim:view default openid") == {"apim:view", "default"}
    assert person_scopes(site, client, site.jane, "openid orders:read whatever") == {
        "openid",
        "orders:read",
        "whatever",
    }


def test_authorize_all_scopes_leaves_our_own_interfaces_out(site: Site) -> None:
    site.change_settings(lambda settings: replace(settings, authorize_all_scopes=True))
    assert machine_scopes(site, site.machine(), "internal_role_mgt_update apim:view") == {"apim:view"}
    assert person_scopes(site, site.application(), site.jane, "internal_role_mgt_update openid") == {"openid"}


def test_our_own_interfaces_need_the_application_and_a_role(site: Site) -> None:
    asked = "openid internal_login internal_role_mgt_view internal_role_mgt_update"
    plain = site.application("Plain", scopes=("internal_role_mgt_view",))
    console = site.application("Console", management_scopes=("internal_role_mgt_view", "internal_role_mgt_update"))
    role(site, "auditor", "internal_role_mgt_view", people=(site.jane,))
    ben = site.person("ben")
    assert person_scopes(site, plain, site.jane, asked) == {"openid", "internal_login"}
    assert person_scopes(site, console, site.jane, asked) == {"openid", "internal_login", "internal_role_mgt_view"}
    assert person_scopes(site, console, ben, asked) == {"openid", "internal_login"}


def test_a_machine_gets_management_scopes_as_set(site: Site) -> None:
    client = site.machine(scopes=("internal_user_mgt_list",), management_scopes=("internal_role_mgt_view",))
    asked = "internal_role_mgt_view internal_user_mgt_list internal_login"
    assert machine_scopes(site, client, asked) == {"internal_role_mgt_view"}


def test_too_many_scopes_are_refused(site: Site) -> None:
    refused = site.token(
        site.machine(), grant_type="client_credentials", scope=" ".join(f"s{number}" for number in range(201))
    )
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_scope")
