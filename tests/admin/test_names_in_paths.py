"""Names of somebody's own making in paths: percent-encoded, decoded once, and still one segment (attack class 25)."""

from urllib.parse import quote

import pytest

from identity.web.path_values import path_value
from tests.support.builders import Person, Site
from tests.support.key_manager import API_RESOURCES, LEGACY_SCOPES, api, call

URL = "https://api.example.org/orders:read?all=1&x;y"
NAMES = (URL, "orders/read", "a%2Fb", "a%b", "menu:write", "..", "../x", "~'()*!$,")


@pytest.mark.parametrize("name", [name for name in NAMES if name != ".."])
def test_a_scope_of_any_name_is_changed_and_deleted(site: Site, root: Person, name: str) -> None:
    resource = api(site, name, "other")
    one = f"{API_RESOURCES}/{resource.id}/scopes/{quote(name, safe='')}"
    changed = call(site, root, "PATCH", one, json={"displayName": "Changed"})
    assert changed.status_code == 204, changed.text
    scopes = call(site, root, "GET", f"{API_RESOURCES}/{resource.id}/scopes").json()
    assert {scope["name"]: scope["displayName"] for scope in scopes}[name] == "Changed"
    assert call(site, root, "DELETE", one).status_code == 204
    left = call(site, root, "GET", f"{API_RESOURCES}/{resource.id}/scopes").json()
    assert [scope["name"] for scope in left] == ["other"]


@pytest.mark.parametrize("name", [name for name in NAMES if name != ".."])
def test_at_the_older_interface(site: Site, root: Person, name: str) -> None:
    created = call(site, root, "POST", LEGACY_SCOPES, json={"name": name, "displayName": None, "bindings": ["manager"]})
    assert created.status_code == 201, created.text
    location = created.headers["location"].removeprefix(site.tenant.prefix)
    assert location == f"{LEGACY_SCOPES}/name/{quote(name, safe='')}"
    assert call(site, root, "HEAD", location).status_code == 200
    assert call(site, root, "GET", location).json()["name"] == name
    assert call(site, root, "PUT", location, json={"name": name, "bindings": []}).json()["bindings"] == []
    assert call(site, root, "DELETE", location).status_code == 200
    assert call(site, root, "HEAD", location).status_code == 404


@pytest.mark.parametrize(
    ("segment", "expected"),
    [
        (b"a%2Fb", "a/b"), (b"a%2fb", "a/b"), (b"a%252Fb", "a%2Fb"), (b"%C3%A9", "\u00e9"), (b"a%3Bb", "a;b"),
        (b"plain", "plain"), (b"a+b", "a+b"),
        (b"%", None), (b"%2", None), (b"%zz", None), (b"a;b", None), (b"a%2Fb;c", None), (b"", None), (b"..", None),
        (b"%2e%2e", None), (b".%2E", None), (b"%2e", None), (b"%00", None), (b"a%0d%0ab", None), (b"%ff", None),
        (b"%c0%af", None), (b"\xc3\xa9", None), (b"%ed%a0%80", None), (b"%e2%80%ae", None), (b"%u002f", None),
    ],
)  # fmt: skip
def test_what_a_segment_says(segment: bytes, expected: str | None) -> None:
    assert path_value(segment, encoded=True) == expected
    assert path_value(segment, encoded=False) == (expected if b"%" not in segment else None)


@pytest.mark.parametrize("path", ["/scim2/v2/Roles%2F.search", "/scim2/v2/Roles/%2e%2e", "/scim2/Schemas/%75rn"])
def test_other_paths_take_nothing_encoded(site: Site, root: Person, path: str) -> None:
    assert call(site, root, "GET", path).status_code in (404, 405)


@pytest.mark.parametrize("tail", ["/scopes%2Fx", "%2Fscopes", "/%73copes", "/scopes/a%2F..%2F..%2Fx"])
def test_an_encoded_slash_leads_nowhere_else(site: Site, root: Person, tail: str) -> None:
    resource = api(site, "x")
    assert call(site, root, "GET", f"{API_RESOURCES}/{resource.id}{tail}").status_code in (404, 405)
    assert call(site, root, "DELETE", f"{API_RESOURCES}/{resource.id}{tail}").status_code in (404, 405)
    assert len(call(site, root, "GET", f"{API_RESOURCES}/{resource.id}/scopes").json()) == 1
