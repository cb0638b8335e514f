"""`/scim2/v2/Roles` as the API manager's connector and a SCIM client call it (wso2-contracts §7.4, RFC 7644)."""

import json
from typing import Any

import httpx
import pytest

from identity.administration import users
from tests.support.builders import Person, Site
from tests.support.key_manager import ROLES, administrator, api, call, role

SEARCH = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"


@pytest.fixture
def root(site: Site) -> Person:
    return administrator(site)


def search(site: Site, root: Person, **body: Any) -> httpx.Response:
    return call(site, root, "POST", f"{ROLES}/.search", json={"schemas": [SEARCH]} | body)


def names(response: httpx.Response) -> list[str]:
    assert response.status_code == 200, response.text
    return [resource["displayName"] for resource in response.json()["Resources"]]


def patched(site: Site, root: Person, id: str, *operations: dict[str, Any]) -> httpx.Response:
    return call(site, root, "PATCH", f"{ROLES}/{id}", json={"schemas": [PATCH_OP], "Operations": list(operations)})


def shown(site: Site, root: Person, id: str) -> dict[str, Any]:
    body: dict[str, Any] = call(site, root, "GET", f"{ROLES}/{id}").json()
    return body


def values(role: dict[str, Any], kind: str) -> set[str]:
    return {item["value"] for item in role[kind]}


# As the connector calls it.


@pytest.mark.parametrize("name", ["publisher", "system_primary_manager", "two words", "Ünïcode"])
def test_found_by_an_unquoted_name(site: Site, root: Person, name: str) -> None:
    made = role(site, name)
    role(site, f"{name} too")
    found = search(site, root, filter=f"displayName eq {name}").json()
    assert [(each["id"], each["displayName"]) for each in found["Resources"]] == [(made.id, name)]
    assert search(site, root, filter="displayName eq nobody").json()["Resources"] == []


def test_without_a_filter_every_role_comes(site: Site, root: Person) -> None:
    api(site, "orders:read")
    for number in range(120):
        role(site, f"role-{number:03}", *(["orders:read"] if number == 7 else []))
    found = search(site, root).json()
    assert found["totalResults"] == len(found["Resources"]) == 121
    granting = [each["displayName"] for each in found["Resources"] if "orders:read" in values(each, "permissions")]
    assert granting == ["role-007"]


def test_created_with_permissions(site: Site, root: Person) -> None:
    api(site, "orders:read")
    body = {"displayName": "clerk", "permissions": [{"value": "orders:read", "display": "Read orders"}]}
    created = call(site, root, "POST", ROLES, json=body)
    assert created.status_code == 201
    assert created.headers["content-type"] == "application/scim+json"
    role_ = created.json()
    assert role_["meta"]["location"] == created.headers["location"]
    assert role_["permissions"] == [{"value": "orders:read", "display": "orders:read"}]
    assert shown(site, root, role_["id"]) == role_
    assert role_["audience"]["type"] == "organization"


def test_permissions_replaced_without_a_path(site: Site, root: Person) -> None:
    """The connector's form."""
    api(site, "a", "b", "c")
    clerk = role(site, "clerk", "a", "b")
    value = {"permissions": [{"value": "b", "display": "B"}, {"value": "c"}]}
    body = {"Operations": [{"op": "replace", "value": value}]}
    answer = call(site, root, "PATCH", f"{ROLES}/{clerk.id}", json=body)
    assert answer.status_code == 200
    assert values(answer.json(), "permissions") == {"b", "c"}
    nothing = call(
        site, root, "PATCH", f"{ROLES}/{clerk.id}",
        json={"Operations": [{"op": "replace", "value": {"permissions": []}}]},
    )  # fmt: skip
    assert nothing.json()["permissions"] == []


# As a SCIM client calls it.


@pytest.mark.spec("RFC 7644", "3.5.2")
def test_members_are_added_and_removed(site: Site, root: Person) -> None:
    ben = call(site, site.person("ben"), "GET", "/scim2/Me").json()["id"]
    jane = call(site, site.jane, "GET", "/scim2/Me").json()["id"]
    clerk = role(site, "clerk").id
    added = patched(
        site, root, clerk,
        {"op": "add", "path": "users", "value": [{"value": ben}, {"value": jane}]},
        {"op": "Add", "path": "groups", "value": [{"value": "STAFF"}]},
    ).json()  # fmt: skip
    assert {item["display"] for item in added["users"]} == {"ben", "jane"}
    assert values(added, "groups") == {"staff"}, "as the store spells it"
    removed = patched(site, root, clerk, {"op": "remove", "path": f'users[value eq "{ben}"]'}).json()
    assert values(removed, "users") == {jane}
    patched(site, root, clerk, {"op": "remove", "path": "groups", "value": [{"value": "staff"}]})
    assert shown(site, root, clerk)["groups"] == []
    replaced = patched(site, root, clerk, {"op": "replace", "path": "users", "value": [{"value": ben}]}).json()
    assert values(replaced, "users") == {ben}
    assert patched(site, root, clerk, {"op": "remove", "path": "users"}).json()["users"] == []


def test_a_person_may_be_named_by_the_id_of_their_store(site: Site, root: Person) -> None:
    """Somebody who never signed in has no subject yet."""
    ben = site.person("ben")
    clerk = role(site, "clerk").id
    added = patched(site, root, clerk, {"op": "add", "value": {"users": [{"value": ben.user.id}]}}).json()
    assert values(added, "users") == {call(site, ben, "GET", "/scim2/Me").json()["id"]}


@pytest.mark.spec("RFC 7644", "3.5.1")
def test_put_replaces_everything(site: Site, root: Person) -> None:
    api(site, "a", "b")
    assert site.jane
    made = role(site, "clerk", "a", people=(site.jane,), groups=("staff",))
    body = {"displayName": "clerks", "permissions": [{"value": "b"}]}
    answer = call(site, root, "PUT", f"{ROLES}/{made.id}", json=body).json()
    assert (answer["displayName"], values(answer, "permissions")) == ("clerks", {"b"})
    assert answer["users"] == answer["groups"] == []


def test_renamed(site: Site, root: Person) -> None:
    made = role(site, "clerk")
    role(site, "taken")
    rename = {"op": "replace", "path": "displayName", "value": "clerks"}
    assert patched(site, root, made.id, rename).json()["displayName"] == "clerks"
    assert patched(site, root, made.id, rename).status_code == 200, "its own name is not taken"
    clash = patched(site, root, made.id, rename | {"value": "taken"})
    assert (clash.status_code, clash.json()["scimType"]) == (409, "uniqueness")


def test_deleted(site: Site, root: Person) -> None:
    made = role(site, "clerk", people=(site.jane,))
    assert call(site, root, "DELETE", f"{ROLES}/{made.id}").status_code == 204
    gone = call(site, root, "GET", f"{ROLES}/{made.id}")
    assert (gone.status_code, gone.json()["status"], gone.json()["schemas"]) == (404, "404", [ERROR])


def test_changes_are_events_that_say_who(site: Site, root: Person) -> None:
    machine = site.machine(
        management_scopes=("internal_role_mgt_create", "internal_role_mgt_update", "internal_role_mgt_delete")
    )
    made = site.http.post(ROLES, json={"displayName": "clerk"}, auth=machine.basic).json()["id"]
    patched(site, root, made, {"op": "replace", "path": "displayName", "value": "clerks"})
    call(site, root, "DELETE", f"{ROLES}/{made}")
    events = [event for event in site.events() if event["type"].startswith("tenant:role:")]
    told = [json.loads(event["data"]) for event in events if made in event["data"]]
    me = call(site, root, "GET", "/scim2/Me").json()["id"]
    assert [each.get("by_application", each.get("by_person")) for each in told] == [machine.application.id, me, me]


def test_a_deleted_person_has_no_roles(site: Site, root: Person) -> None:
    made = role(site, "clerk", people=(site.jane, site.person("ben")))
    site.in_tenant(lambda a, t: users.delete_user(a, t, "ben"))
    assert [item["display"] for item in shown(site, root, made.id)["users"]] == ["jane"]


@pytest.mark.spec("RFC 7644", "3.4.2.2")
@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        ('displayName eq "b"', ["b"]),
        ("displayName sw a", ["admin", "ab"]),
        ("displayName co b and not (displayName eq b)", ["ab"]),
        ("(displayName eq b or displayName eq ab) and displayName ne b", ["ab"]),
        ("permissions eq scope", ["b"]),
        ("groups pr", ["ab"]),
        ("audience.type eq organization and displayName ew b", ["b", "ab"]),
        ("urn:ietf:params:scim:schemas:extension:2.0:Role:displayName eq b", ["b"]),
        ("DISPLAYNAME EQ b", ["b"]),
    ],
)
def test_filters(site: Site, root: Person, filter: str, expected: list[str]) -> None:
    api(site, "scope")
    assert site.jane
    role(site, "b", "scope")
    role(site, "ab", groups=("staff",))
    assert names(search(site, root, filter=filter)) == expected
    assert names(call(site, root, "GET", ROLES, params={"filter": filter})) == expected


@pytest.mark.spec("RFC 7644", "3.4.2.4")
def test_pages(site: Site, root: Person) -> None:
    for number in range(5):
        role(site, f"r{number}")
    every = [each["displayName"] for each in call(site, root, "GET", ROLES).json()["Resources"]]
    assert sorted(every) == ["admin", "r0", "r1", "r2", "r3", "r4"]
    page = call(site, root, "GET", ROLES, params={"startIndex": "3", "count": "2"}).json()
    # In the order of ids, which those made within one millisecond have by chance.
    assert [each["displayName"] for each in page["Resources"]] == every[2:4]
    assert (page["totalResults"], page["startIndex"], page["itemsPerPage"]) == (6, 3, 2)
    for odd in ({"count": "0"}, {"count": "-1"}):
        answer = call(site, root, "GET", ROLES, params=odd).json()
        assert (answer["totalResults"], answer["Resources"]) == (6, [])
    assert call(site, root, "GET", ROLES, params={"startIndex": "10001"}).status_code == 400
    assert call(site, root, "GET", ROLES, params={"count": "many"}).status_code == 400


def test_duplicates_are_refused_within_an_audience(site: Site, root: Person) -> None:
    client = site.application()
    of_application = {"displayName": "clerk", "audience": {"type": "APPLICATION", "value": client.application.id}}
    assert call(site, root, "POST", ROLES, json={"displayName": "clerk"}).status_code == 201
    assert call(site, root, "POST", ROLES, json=of_application).status_code == 201
    for body in ({"displayName": "clerk"}, of_application):
        clash = call(site, root, "POST", ROLES, json=body)
        assert (clash.status_code, clash.json()["scimType"]) == (409, "uniqueness")


BAD_BODIES: dict[str, dict[str, Any]] = {
    "no name": {},
    "an empty name": {"displayName": ""},
    "a name with spaces around": {"displayName": " x "},
    "a long name": {"displayName": "x" * 256},
    "a number": {"displayName": 7},
    "an unknown permission": {"displayName": "x", "permissions": [{"value": "ghost"}]},
    "an unknown permission of ours": {"displayName": "x", "permissions": [{"value": "internal_everything"}]},
    "an unknown user": {"displayName": "x", "users": [{"value": "nobody"}]},
    "an unknown group": {"displayName": "x", "groups": [{"value": "nowhere"}]},
    "a member without a value": {"displayName": "x", "users": [{"display": "jane"}]},
    "a member that is a number": {"displayName": "x", "users": [7]},
    "an unknown audience": {"displayName": "x", "audience": {"type": "galaxy", "value": "1"}},
    "an unknown application": {"displayName": "x", "audience": {"type": "application", "value": "1"}},
    "too many members": {"displayName": "x", "permissions": [{"value": f"s{number}"} for number in range(1001)]},
}


@pytest.mark.parametrize("why", BAD_BODIES)
@pytest.mark.any_engine
def test_what_cannot_be_a_role(site: Site, root: Person, why: str) -> None:
    refused = call(site, root, "POST", ROLES, json=BAD_BODIES[why])
    assert refused.status_code == 400, refused.text
    assert refused.json()["schemas"] == [ERROR]
    assert names(search(site, root)) == ["admin"]


BAD_PATCHES: dict[str, dict[str, Any]] = {
    "another operation": {"op": "move", "path": "users", "value": []},
    "the id": {"op": "replace", "path": "id", "value": "x"},
    "the audience": {"op": "replace", "path": "audience", "value": {"type": "organization"}},
    "meta": {"op": "add", "value": {"meta": {}}},
    "an unknown attribute": {"op": "replace", "path": "password", "value": "x"},
    "a removal of nothing": {"op": "remove"},
    "the name removed": {"op": "remove", "path": "displayName"},
    "a name that is none": {"op": "replace", "path": "displayName", "value": ["x"]},
    "a selected member replaced": {"op": "replace", "path": 'users[value eq "x"]', "value": {"value": "y"}},
    "another selection": {"op": "remove", "path": 'users[display sw "j"]'},
    "a nested selection": {"op": "remove", "path": 'users[value eq "a" or value eq "b"]'},
    "a value that is none": {"op": "replace", "value": "permissions"},
    "an attribute of an attribute": {"op": "replace", "path": "users.value", "value": "x"},
}


@pytest.mark.spec("RFC 7644", "3.12")
@pytest.mark.parametrize("why", BAD_PATCHES)
@pytest.mark.any_engine
def test_operations_that_are_refused(site: Site, root: Person, why: str) -> None:
    """Attack row 27."""
    made = role(site, "clerk", people=(site.jane,))
    before = shown(site, root, made.id)
    refused = patched(site, root, made.id, {"op": "add", "path": "groups", "value": ["staff"]}, BAD_PATCHES[why])
    assert refused.status_code == 400, refused.text
    assert shown(site, root, made.id) == before, "all or nothing"


def test_too_many_operations(site: Site, root: Person) -> None:
    operation = {"op": "remove", "path": "users"}
    assert patched(site, root, role(site, "clerk").id, *[operation] * 101).status_code == 400
