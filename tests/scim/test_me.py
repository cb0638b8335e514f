"""`/scim2/Me` and `/scim2/Schemas`, where an API manager reads the claims of a token's user (wso2-contracts §7.1)."""

from typing import Any

import pytest

from identity.administration import users
from tests.support.builders import Client, Person, Site
from tests.support.key_manager import bearer, call, role

ADA: dict[str, Any] = {
    "name": "Ada Example",
    "given_name": "Ada",
    "family_name": "Example",
    "nickname": "ada",
    "email": "ada@example.org",
    "phone_number": "+44 20 7946 0018",
    "locale": "en-GB",
    "zoneinfo": "Europe/London",
    "address": {"formatted": "12 St James's Square", "country": "United Kingdom"},
}


@pytest.fixture
def ada(site: Site) -> Person:
    return site.person("ada", groups=("staff",), **ADA)


@pytest.fixture(params=["opaque", "jwt"])
def client(site: Site, request: pytest.FixtureRequest) -> Client:
    return site.application(access_token_type=request.param)


def me(site: Site, client: Client, person: Person, scope: str) -> dict[str, Any]:
    token = site.tokens(client, person, scope=scope)["access_token"]
    answer = site.http.get("/scim2/Me", headers=bearer(token))
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/scim+json"
    body: dict[str, Any] = answer.json()
    return body


@pytest.mark.spec("RFC 7644", "3.11")
def test_everything_with_internal_login(site: Site, client: Client, ada: Person) -> None:
    role(site, "clerk", people=(ada,))
    body = me(site, client, ada, "internal_login")
    assert body["userName"] == "ada"
    assert body["name"] == {"formatted": "Ada Example", "givenName": "Ada", "familyName": "Example"}
    assert body["emails"] == [{"value": "ada@example.org", "primary": True}]
    assert body["phoneNumbers"][0]["value"] == ADA["phone_number"]
    assert body["addresses"] == [{"formatted": "12 St James's Square", "country": "United Kingdom"}]
    assert (body["locale"], body["timezone"], body["nickName"]) == ("en-GB", "Europe/London", "ada")
    assert body["groups"] == [{"value": "staff", "display": "staff"}]
    assert [role["display"] for role in body["roles"]] == ["clerk"]


def test_the_id_is_the_subject(site: Site, client: Client, ada: Person) -> None:
    tokens = site.tokens(client, ada, scope="openid internal_login")
    told = site.userinfo(tokens["access_token"]).json()["sub"]
    assert site.http.get("/scim2/Me", headers=bearer(tokens["access_token"])).json()["id"] == told


def test_with_openid_no_more_than_userinfo_tells(site: Site, client: Client, ada: Person) -> None:
    bare = me(site, client, ada, "openid")
    assert not bare.keys() & {"userName", "name", "emails", "phoneNumbers", "addresses", "groups", "roles", "locale"}
    some = me(site, client, ada, "openid email groups")
    assert some["emails"] == [{"value": "ada@example.org", "primary": True}]
    assert some["groups"] == [{"value": "staff", "display": "staff"}]
    assert not some.keys() & {"name", "phoneNumbers", "roles"}


def test_a_token_without_either_scope(site: Site, ada: Person) -> None:
    client = site.application(scopes=("read",))
    token = site.tokens(client, ada, scope="read")["access_token"]
    assert site.http.get("/scim2/Me", headers=bearer(token)).status_code == 403


def test_an_application_has_no_account(site: Site) -> None:
    machine = site.machine(management_scopes=("internal_login",))
    assert site.http.get("/scim2/Me", auth=machine.basic).status_code == 403
    token = site.machine_token(machine, scope="internal_login")
    assert site.http.get("/scim2/Me", headers=bearer(token)).status_code == 403


def test_a_person_who_is_gone(site: Site, client: Client, ada: Person) -> None:
    token = site.tokens(client, ada, scope="internal_login")["access_token"]
    site.in_tenant(lambda a, t: users.delete_user(a, t, "ada"))
    assert site.http.get("/scim2/Me", headers=bearer(token)).status_code == 401


def test_changed_attributes_are_seen_at_once(site: Site, ada: Person) -> None:
    from userstores.spi import UserChanges

    assert call(site, ada, "GET", "/scim2/Me").json()["nickName"] == "ada"
    changes = UserChanges(attributes=ADA | {"nickname": "countess"})
    site.in_tenant(lambda a, t: users.update_user(a, t, "ada", changes))
    assert call(site, ada, "GET", "/scim2/Me").json()["nickName"] == "countess"


@pytest.mark.spec("RFC 7644", "4")
def test_schemas_in_both_shapes(site: Site) -> None:
    """An array for the connector, which casts; a list response for who asks for SCIM."""
    plain = site.http.get("/scim2/Schemas").json()
    assert isinstance(plain, list)
    listed = site.http.get("/scim2/Schemas", headers={"Accept": "application/scim+json"}).json()
    assert listed["Resources"] == plain
    assert listed["totalResults"] == len(plain)
    for schema in plain:
        assert site.http.get(f"/scim2/Schemas/{schema['id']}").json() == schema
    assert site.http.get("/scim2/Schemas/urn:nothing").status_code == 404
    core = next(schema for schema in plain if schema["id"].endswith("core:2.0:User"))
    assert {"userName", "emails", "groups"} <= {attribute["name"] for attribute in core["attributes"]}
