"""Attack row 23: who has a role, when names resemble each other or are spelled otherwise."""

from typing import Any

import pytest

from tests.support.builders import Person, Site
from tests.support.key_manager import ROLES, administrator, call, role
from userstores.names import qualified_name

VIEW = "internal_role_mgt_view"


@pytest.fixture
def root(site: Site) -> Person:
    return administrator(site)


def patched(site: Site, root: Person, id: str, *operations: dict[str, Any]) -> dict[str, Any]:
    answer = call(site, root, "PATCH", f"{ROLES}/{id}", json={"Operations": list(operations)})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_a_group_named_like_one_of_another_store(site: Site, root: Person) -> None:
    """`ACME/admins` of the primary store is not `admins` of the store ACME."""
    outsider = site.person("outsider", groups=("ACME/admins",))
    made = role(site, "auditor", VIEW, groups=("PRIMARY/ACME/admins",))
    shown = call(site, root, "GET", f"{ROLES}/{made.id}").json()
    assert [group["value"] for group in shown["groups"]] == ["PRIMARY/ACME/admins"]
    assert call(site, outsider, "GET", ROLES).status_code == 200
    refused = call(site, root, "POST", ROLES, json={"displayName": "x", "groups": [{"value": "ACME/admins"}]})
    assert refused.status_code == 400, "there is no store ACME"
    groups = call(site, outsider, "GET", "/scim2/Me").json()["groups"]
    assert [group["value"] for group in groups] == ["PRIMARY/ACME/admins"]


def test_names_of_two_stores_never_meet() -> None:
    assert qualified_name("PRIMARY", "ACME/admins") != qualified_name("ACME", "admins")
    assert qualified_name("PRIMARY", "admins") == "admins"


def test_a_group_named_like_a_role_gives_nothing(site: Site) -> None:
    namesake = site.person("namesake", groups=("admin", "system_primary_admin", "Internal/admin"))
    assert call(site, namesake, "GET", ROLES).status_code == 403
    twin = site.person("admin")
    assert call(site, twin, "GET", ROLES).status_code == 403


@pytest.mark.parametrize("spelling", ["staff", "STAFF", "PRIMARY/staff", "primary/Staff"])
def test_a_group_is_removed_however_it_is_spelled(site: Site, root: Person, spelling: str) -> None:
    assert site.jane
    made = role(site, "auditor", VIEW, groups=("staff",))
    assert call(site, site.jane, "GET", ROLES).status_code == 200
    left = patched(site, root, made.id, {"op": "remove", "path": f'groups[value eq "{spelling}"]'})
    assert left["groups"] == []
    assert call(site, site.jane, "GET", ROLES).status_code == 403


def test_a_person_is_removed_by_the_id_that_added_them(site: Site, root: Person) -> None:
    ben = site.person("ben")
    made = role(site, "auditor", VIEW)
    patched(site, root, made.id, {"op": "add", "path": "users", "value": [{"value": ben.user.id}]})
    assert call(site, ben, "GET", ROLES).status_code == 200
    patched(site, root, made.id, {"op": "remove", "path": f'users[value eq "{ben.user.id}"]'})
    assert call(site, ben, "GET", ROLES).status_code == 403


def test_replacing_by_the_same_people_keeps_them(site: Site, root: Person) -> None:
    ben = site.person("ben")
    made = role(site, "auditor", VIEW, people=(ben,), groups=("staff",) if site.jane else ())
    patched(
        site, root, made.id,
        {"op": "replace", "path": "users", "value": [{"value": ben.user.id}]},
        {"op": "replace", "path": "groups", "value": [{"value": "STAFF"}]},
    )  # fmt: skip
    assert call(site, ben, "GET", ROLES).status_code == 200
    assert call(site, site.jane, "GET", ROLES).status_code == 200


def test_a_removal_of_nobody_is_no_fault(site: Site, root: Person) -> None:
    made = role(site, "auditor", people=(site.jane,))
    left = patched(site, root, made.id, {"op": "remove", "path": 'users[value eq "nobody"]'})
    assert len(left["users"]) == 1


def test_put_does_not_move_a_role_to_another_audience(site: Site, root: Person) -> None:
    client = site.application()
    made = role(site, "auditor")
    moved = {"displayName": "auditor", "audience": {"type": "application", "value": client.application.id}}
    answer = call(site, root, "PUT", f"{ROLES}/{made.id}", json=moved)
    assert (answer.status_code, answer.json()["scimType"]) == (400, "mutability")
    same = call(site, root, "GET", f"{ROLES}/{made.id}").json()
    assert call(site, root, "PUT", f"{ROLES}/{made.id}", json=same).status_code == 200, "as it was read"


def test_a_name_finds_the_organizations_role_first(site: Site, root: Person) -> None:
    """A connector binds scopes to the first role of a name: an application's of the same name must not be it."""
    role(site, "clerk", application=site.application())
    organizations = role(site, "clerk")
    found = call(site, root, "POST", f"{ROLES}/.search", json={"filter": "displayName eq clerk", "startIndex": None})
    assert found.json()["Resources"][0]["id"] == organizations.id
    assert found.json()["totalResults"] == 2


@pytest.mark.parametrize("name", ["admin", "Admin", "ADMIN", "admin ", "admin\u200b", "\u0430dmin"])
def test_no_second_role_is_the_administrators(site: Site, root: Person, name: str) -> None:
    answer = call(site, root, "POST", ROLES, json={"displayName": name, "users": []})
    if answer.status_code == 201:
        shown = call(site, root, "GET", f"{ROLES}/{answer.json()['id']}").json()
        assert shown["permissions"] == []
    else:
        assert answer.status_code in (400, 409)


def test_an_applications_role_named_admin_grants_nothing(site: Site) -> None:
    client = site.application(management_scopes=(VIEW,), allowed_audience="application")
    role(site, "admin", people=(site.jane,), application=client)
    assert call(site, site.jane, "GET", ROLES).status_code == 403
    assert VIEW not in site.tokens(client, site.jane, scope=f"openid {VIEW}").get("scope", "openid").split()
