"""`/api/server/v1/api-resources` and its scopes (wso2-contracts §6.1, §7.4)."""

import json
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.support.builders import Person, Site
from tests.support.key_manager import API_RESOURCES, api, authorized, call, role


def create(site: Site, root: Person, **body: Any) -> httpx.Response:
    values = {"identifier": "orders", "name": "Orders", "requiresAuthorization": True}
    return call(site, root, "POST", API_RESOURCES, json=values | body)


def identifiers(response: httpx.Response) -> list[str]:
    assert response.status_code == 200, response.text
    return [item["identifier"] for item in response.json()["apiResources"]]


def scopes(site: Site, root: Person, id: str) -> dict[str, Any]:
    listed = call(site, root, "GET", f"{API_RESOURCES}/{id}/scopes").json()
    return {scope["name"]: scope for scope in listed}


def test_created_as_it_is_read(site: Site, root: Person) -> None:
    created = create(site, root, description="Everything ordered", scopes=[
        {"name": "orders:read", "displayName": "Read orders", "description": "All of them"}, {"name": "orders:write"},
    ])  # fmt: skip
    assert created.status_code == 201
    body = created.json()
    assert created.headers["location"].endswith(f"{API_RESOURCES}/{body['id']}")
    assert {name: body[name] for name in ("identifier", "name", "description", "type", "requiresAuthorization")} == {
        "identifier": "orders",
        "name": "Orders",
        "description": "Everything ordered",
        "type": "BUSINESS",
        "requiresAuthorization": True,
    }
    assert call(site, root, "GET", f"{API_RESOURCES}/{body['id']}").json() == body
    assert scopes(site, root, body["id"])["orders:read"] == {
        "id": "orders:read",
        "name": "orders:read",
        "displayName": "Read orders",
        "description": "All of them",
    }
    # The connector reads both texts without asking whether they are there.
    assert scopes(site, root, body["id"])["orders:write"]["description"] == ""
    assert scopes(site, root, body["id"])["orders:write"]["displayName"] == "orders:write"


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        ("identifier eq orders", ["orders"]),
        ('identifier eq "orders"', ["orders"]),
        ("identifier eq User-defined OAuth2 Resource", ["User-defined OAuth2 Resource"]),
        ("name co Stock", ["stock"]),
        ('name sw "Or" or identifier eq stock', ["orders", "stock"]),
        ("identifier eq orders and name eq Stock", []),
        ("not (identifier eq orders) and type eq BUSINESS", ["stock", "User-defined OAuth2 Resource"]),
        ("identifier eq nothing", []),
        ("", ["orders", "stock", "User-defined OAuth2 Resource"]),
    ],
)
def test_filters(site: Site, root: Person, filter: str, expected: list[str]) -> None:
    for identifier, name in (("orders", "Orders"), ("stock", "Stock"), ("User-defined OAuth2 Resource", "Default")):
        assert create(site, root, identifier=identifier, name=name).status_code == 201
    found = call(site, root, "GET", API_RESOURCES, params={"filter": filter})
    assert sorted(identifiers(found)) == sorted(expected)
    assert found.json()["totalResults"] == len(expected)


def test_pages(site: Site, root: Person) -> None:
    made = [create(site, root, identifier=f"api-{number}").json()["identifier"] for number in range(7)]
    url: str | None = f"{API_RESOURCES}?limit=3&filter={quote('identifier sw api')}"
    seen: list[list[str]] = []
    back = ""
    while url is not None:
        page = call(site, root, "GET", url)
        seen.append(identifiers(page))
        assert page.json()["totalResults"] == 7
        links = {link["rel"]: link["href"].removeprefix(site.tenant.prefix) for link in page.json()["links"]}
        url, back = links.get("next"), links.get("previous", "")
    assert seen == [made[:3], made[3:6], made[6:]]
    assert identifiers(call(site, root, "GET", back)) == made[3:6]


def test_conflicts(site: Site, root: Person) -> None:
    first = create(site, root, scopes=[{"name": "orders:read"}]).json()
    answers = [
        create(site, root),
        create(site, root, identifier="other", scopes=[{"name": "orders:read"}]),
        call(site, root, "PATCH", f"{API_RESOURCES}/{first['id']}", json={"addedScopes": [{"name": "orders:read"}]}),
    ]
    for answer in answers:
        assert answer.status_code == 409
        assert answer.json().keys() == {"code", "message", "description", "traceId"}
    assert identifiers(call(site, root, "GET", API_RESOURCES)) == ["orders"], "nothing is half made"


def test_scopes_are_added_changed_and_deleted(site: Site, root: Person) -> None:
    id = create(site, root, scopes=[{"name": "a"}]).json()["id"]
    one = f"{API_RESOURCES}/{id}"
    added = {"name": "Shop", "addedScopes": [{"name": "b", "displayName": "B", "description": "The second"}]}
    assert call(site, root, "PATCH", one, json=added).status_code == 204
    assert call(site, root, "GET", one).json()["name"] == "Shop"
    changed = {"displayName": "Bee", "description": "Changed"}
    assert call(site, root, "PATCH", f"{one}/scopes/b", json=changed).status_code == 204
    assert scopes(site, root, id)["b"] == {"id": "b", "name": "b", **changed}
    assert call(site, root, "DELETE", f"{one}/scopes/a").status_code == 204
    assert call(site, root, "DELETE", f"{one}/scopes/a").status_code == 404
    assert scopes(site, root, id).keys() == {"b"}
    replaced = [{"name": "c"}, {"name": "b", "displayName": "Again"}]
    assert call(site, root, "PUT", f"{one}/scopes", json=replaced).status_code == 204
    assert {name: scope["displayName"] for name, scope in scopes(site, root, id).items()} == {"b": "Again", "c": "c"}


def test_deleting_takes_the_scopes_from_roles(site: Site, root: Person) -> None:
    resource = api(site, "orders:read")
    clerk = role(site, "clerk", "orders:read")
    assert call(site, root, "DELETE", f"{API_RESOURCES}/{resource.id}").status_code == 204
    assert call(site, root, "GET", f"{API_RESOURCES}/{resource.id}").status_code == 404
    assert call(site, root, "GET", f"/scim2/v2/Roles/{clerk.id}").json()["permissions"] == []
    again = create(site, root, identifier=resource.identifier, scopes=[{"name": "orders:read"}])
    assert again.status_code == 201
    old = site.machine(authorized_apis=[authorized(resource, "orders:read")])
    answer = site.token(old, grant_type="client_credentials", scope="orders:read").json()
    assert "scope" not in answer, "an application was authorized for the resource that is gone"


def test_every_scope_of_the_tenant(site: Site, root: Person) -> None:
    api(site, "b", "a", identifier="one")
    api(site, "c", identifier="two")
    listed = call(site, root, "GET", "/api/server/v1/scopes").json()
    assert [scope["name"] for scope in listed] == ["a", "b", "c"]
    some = call(site, root, "GET", "/api/server/v1/scopes", params={"filter": "name eq c"}).json()
    assert [scope["name"] for scope in some] == ["c"]


def test_types_of_authorization_details(site: Site, root: Person) -> None:
    id = create(site, root).json()["id"]
    types = f"{API_RESOURCES}/{id}/authorization-details-types"
    payment = {"type": "payment", "name": "Payment", "description": "", "schema": {"type": "object"}}
    (added,) = call(site, root, "POST", types, json=[payment]).json()
    assert call(site, root, "GET", types).json() == [added]
    assert added | payment == added
    one = f"{types}/{added['id']}"
    assert call(site, root, "PUT", one, json={"description": "Moves money", "schema": {}}).status_code == 204
    assert call(site, root, "GET", one).json() == added | {"description": "Moves money", "schema": {}}
    assert call(site, root, "POST", types, json=[payment]).status_code == 409
    assert call(site, root, "DELETE", one).status_code == 204
    assert call(site, root, "GET", one).status_code == 404


BAD: dict[str, dict[str, Any]] = {
    "no identifier": {"identifier": " "},
    "a long identifier": {"identifier": "x" * 256},
    "a control character": {"identifier": "a\x07b"},
    "a long description": {"description": "x" * 1025},
    "a scope with a space": {"scopes": [{"name": "a b"}]},
    "a scope with a quotation mark": {"scopes": [{"name": 'a"b'}]},
    "an empty scope": {"scopes": [{"name": ""}]},
    "a scope of ours": {"scopes": [{"name": "internal_role_mgt_update"}]},
    "a scope about people": {"scopes": [{"name": "openid"}]},
    "too many scopes": {"scopes": [{"name": f"s{number}"} for number in range(1001)]},
    "another type": {"type": "SYSTEM"},
    "a number for a name": {"name": 7},
    "a list for scopes' members": {"scopes": ["orders:read"]},
}


@pytest.mark.parametrize("why", BAD)
@pytest.mark.any_engine
def test_what_cannot_be_registered(site: Site, root: Person, why: str) -> None:
    refused = create(site, root, **BAD[why])
    assert refused.status_code == 400, refused.text
    assert refused.json()["description"]
    assert identifiers(call(site, root, "GET", API_RESOURCES)) == []


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b"null", b'{"identifier": "a", "identifier": "b"}', b"\xff", b'{"identifier": "a\\u0000"}',
     b'{"identifier": "\\ud800"}', b'{"identifier": NaN}', b'{"x":' * 5000 + b"1" + b"}" * 5000],
)  # fmt: skip
@pytest.mark.any_engine
def test_bodies_that_are_no_json_of_ours(site: Site, root: Person, body: bytes) -> None:
    refused = call(site, root, "POST", API_RESOURCES, content=body, headers={"Content-Type": "application/json"})
    assert refused.status_code == 400, refused.text


@pytest.mark.parametrize(
    "filter", ["password eq x", "identifier", "identifier eq", "identifier like x", "(" * 50, "x" * 3000, '"']
)
def test_filters_that_are_refused(site: Site, root: Person, filter: str) -> None:
    refused = call(site, root, "GET", API_RESOURCES, params={"filter": filter})
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_filter")


def test_hostile_texts_come_back_as_they_are(site: Site, root: Person) -> None:
    """JSON, served as such: nothing is interpreted on the way."""
    text = "<script>alert(1)</script>' or 1=1 --"
    answer = create(site, root, name=text, description=text)
    assert answer.json()["name"] == text
    assert answer.headers["content-type"] == "application/json"


def test_changes_are_events(site: Site, root: Person) -> None:
    id = create(site, root).json()["id"]
    call(site, root, "PATCH", f"{API_RESOURCES}/{id}", json={"name": "Other"})
    call(site, root, "DELETE", f"{API_RESOURCES}/{id}")
    events = [event for event in site.events() if "api_resource" in event["type"]]
    me = call(site, root, "GET", "/scim2/Me").json()["id"]
    assert {json.loads(event["data"])["by_person"] for event in events} == {me}
    assert [event["type"] for event in events] == [
        f"tenant:api_resource:{what}" for what in ("created", "updated", "deleted")
    ]


BAD_SCHEMAS: dict[str, dict[str, Any]] = {
    "an unknown keyword": {"pattern": "(a+)+$"},
    "a reference": {"$ref": "https://attacker.example/schema"},
    "a type that is none": {"type": "text"},
    "properties that are none": {"properties": []},
    "an inner fault": {"properties": {"a": {"items": {"maximum": "7"}}}},
    "a schema that is none": {"properties": {"a": True}},
    "too deep": {"items": {"items": {"items": {"items": {"items": {"items": {"items": {"items": {}}}}}}}}},
}


@pytest.mark.spec("RFC 9396", "5")
@pytest.mark.parametrize("why", BAD_SCHEMAS)
def test_schemas_that_could_not_be_applied(site: Site, root: Person, why: str) -> None:
    """At each door that saves a type: a rule that is not understood would not be kept."""
    type = {"type": "payment", "schema": BAD_SCHEMAS[why]}
    assert create(site, root, authorizationDetailsTypes=[type]).status_code == 400
    id = create(site, root).json()["id"]
    one, types = f"{API_RESOURCES}/{id}", f"{API_RESOURCES}/{id}/authorization-details-types"
    assert call(site, root, "PATCH", one, json={"addedAuthorizationDetailsTypes": [type]}).status_code == 400
    refused = call(site, root, "POST", types, json=[type])
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_type")
    assert call(site, root, "GET", types).json() == []
    (good,) = call(site, root, "POST", types, json=[{"type": "payment"}]).json()
    assert call(site, root, "PUT", f"{types}/{good['id']}", json={"schema": type["schema"]}).status_code == 400
    assert call(site, root, "GET", types).json() == [good]


def test_a_type_is_removed_by_its_own_api_resource_only(site: Site, root: Person) -> None:
    first = create(site, root, authorizationDetailsTypes=[{"type": "payment"}]).json()["id"]
    second = create(site, root, identifier="other", authorizationDetailsTypes=[{"type": "transfer"}]).json()["id"]
    removed = {"removedAuthorizationDetailsTypes": ["payment", "transfer"], "removedScopes": ["nothing"]}
    assert call(site, root, "PATCH", f"{API_RESOURCES}/{second}", json=removed).status_code == 204
    shown = [call(site, root, "GET", f"{API_RESOURCES}/{id}").json() for id in (first, second)]
    assert [[each["type"] for each in body["authorizationDetailsTypes"]] for body in shown] == [["payment"], []]


def test_absent_texts_may_be_null(site: Site, root: Person) -> None:
    """A gateway's JSON library may write what is missing as null."""
    scope = {"name": "a", "displayName": None, "description": None}
    made = create(site, root, name=None, description=None, requiresAuthorization=None, scopes=[scope], properties=None)
    assert made.status_code == 201, made.text
    body = made.json()
    assert (body["name"], body["description"], body["requiresAuthorization"]) == ("orders", "", True)
    changes = {"name": None, "addedScopes": None, "removedScopes": None}
    assert call(site, root, "PATCH", f"{API_RESOURCES}/{body['id']}", json=changes).status_code == 204
    assert None not in call(site, root, "GET", f"{API_RESOURCES}/{body['id']}").json().values()


@pytest.mark.parametrize("filter", ['identifier eq "a\\u0000"', 'identifier eq "\\ud800"', 'name co "\\udfff\\ud800"'])
def test_strings_of_filters_that_no_database_holds(site: Site, root: Person, filter: str) -> None:
    refused = call(site, root, "GET", API_RESOURCES, params={"filter": filter})
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_filter")
    searched = call(site, root, "POST", "/scim2/v2/Roles/.search", json={"filter": filter.replace("name", "id")})
    assert searched.status_code == 400
