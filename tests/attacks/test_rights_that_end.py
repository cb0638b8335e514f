"""Attack rows 16, 23: a right over our own interfaces ends when it is taken, not when a token that shows it expires."""

from typing import Any

import pytest

from tests.support.builders import Site
from tests.support.key_manager import ROLES, administrator, api, authorized, bearer, change_role, delete_scope, role

VIEW = "internal_role_mgt_view"


@pytest.mark.parametrize("token_type", ["opaque", "jwt"])
def test_a_persons_token_after_the_role_was_taken(site: Site, token_type: str) -> None:
    role(site, "auditor", VIEW, people=(site.jane,))
    console = site.application("Console", management_scopes=(VIEW,), access_token_type=token_type)
    token = site.tokens(console, site.jane, scope=f"openid {VIEW}")["access_token"]
    assert site.http.get(ROLES, headers=bearer(token)).status_code == 200
    change_role(site, "auditor", remove=site.jane)
    assert site.http.get(ROLES, headers=bearer(token)).status_code == 403
    assert site.http.get("/scim2/Me", headers=bearer(token)).status_code == 200, "their own account stays theirs"


def test_a_persons_token_after_the_role_lost_the_scope(site: Site) -> None:
    assert site.jane
    role(site, "auditor", VIEW, groups=("staff",))
    console = site.application("Console", management_scopes=(VIEW,))
    token = site.tokens(console, site.jane, scope=VIEW)["access_token"]
    assert site.http.get(ROLES, headers=bearer(token)).status_code == 200
    change_role(site, "auditor", remove_scopes=frozenset({VIEW}))
    assert site.http.get(ROLES, headers=bearer(token)).status_code == 403


def test_an_applications_token_after_its_scope_was_taken(site: Site) -> None:
    machine = site.machine(scopes=(), management_scopes=(VIEW, "internal_dcr_view"))
    token = site.machine_token(machine, scope=f"{VIEW} internal_dcr_view")
    assert site.http.get(ROLES, headers=bearer(token)).status_code == 200
    site.update(machine, management_scopes=("internal_dcr_view",))
    assert site.http.get(ROLES, headers=bearer(token)).status_code == 403


def test_a_token_narrower_than_its_person_stays_narrow(site: Site) -> None:
    root = administrator(site)
    console = site.application("Console", management_scopes=(VIEW, "internal_role_mgt_create"))
    token = site.tokens(console, root, scope=VIEW)["access_token"]
    assert site.http.get(ROLES, headers=bearer(token)).status_code == 200
    assert site.http.post(ROLES, headers=bearer(token), json={"displayName": "x"}).status_code == 403


def test_introspection_by_a_token_whose_application_lost_the_scope(site: Site) -> None:
    scope = "internal_oauth2_introspect"
    service = site.machine(scopes=(), management_scopes=(scope,))
    shown, other = site.machine_token(service, scope=scope), site.machine_token(site.machine())
    asked: dict[str, Any] = {"data": {"token": other}, "headers": bearer(shown)}
    assert site.http.post("/oauth2/introspect", **asked).json()["active"] is True
    site.update(service, management_scopes=())
    assert site.http.post("/oauth2/introspect", **asked).status_code == 403


def test_an_application_of_strangers_does_not_read_the_whole_account(site: Site) -> None:
    """`internal_login` shows every claim, group and role: more than a person reads off a consent page."""
    known = site.application("Administrators'")
    assert "internal_login" in site.tokens(known, site.jane, scope="openid internal_login")["scope"].split()
    stranger = site.application("Stranger", registered_by="registration")
    tokens = site.tokens(stranger, site.jane, scope="openid internal_login")
    assert "internal_login" not in tokens.get("scope", "openid").split()
    shown = site.http.get("/scim2/Me", headers=bearer(tokens["access_token"])).json()
    assert "emails" not in shown
    assert "roles" not in shown


def test_roles_of_an_application_open_nothing_of_ours(site: Site) -> None:
    """Audience switch: our interfaces are the organization's, whatever an application's own role says."""
    console = site.application("Console", management_scopes=(VIEW,), allowed_audience="application")
    role(site, "auditor", VIEW, people=(site.jane,), application=console)
    tokens = site.tokens(console, site.jane, scope=f"openid {VIEW}")
    assert VIEW not in tokens.get("scope", "openid").split()
    assert site.http.get(ROLES, headers=bearer(tokens["access_token"])).status_code == 403
    assert site.http.get(ROLES, auth=(site.jane.username, site.jane.password)).status_code == 403


def test_a_scope_registered_again_does_not_come_back_to_roles(site: Site) -> None:
    resource = api(site, "orders:read")
    role(site, "clerk", "orders:read", people=(site.jane,))
    delete_scope(site, resource, "orders:read")
    again = api(site, "orders:read", identifier="https://other.example")
    client = site.application(authorized_apis=[authorized(again, "orders:read")])
    tokens = site.tokens(client, site.jane, scope="openid orders:read")
    assert "orders:read" not in tokens.get("scope", "openid").split()
