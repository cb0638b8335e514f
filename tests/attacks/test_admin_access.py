"""Attack rows 18, 23, 24: who may call our own interfaces, and with which objects; generated from the path table.

Keycloak CVE-2026-14209 and its siblings: fine-grained rights bypassed through side endpoints.
"""

import base64
import re
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest

from identity.administration import users
from identity.app import Server
from identity.config import Settings
from identity.domain.management_scopes import MANAGEMENT_SCOPES
from identity.domain.roles import ADMIN_ROLE_ID
from identity.domain.tenants import RateLimit
from identity.web.routing import Permission, Route
from tests.support.builders import Client, Person, Site
from tests.support.in_process import BASE_URL, TimedSite
from tests.support.key_manager import API_RESOURCES, ROLES, administrator, api, bearer, call, change_role, role

NOWHERE = "01a2b3c4-0000-7000-8000-000000000000"
REFUSED = (401, 403)


@pytest.fixture(scope="session")
def api_routes(tmp_path_factory: pytest.TempPathFactory) -> list[Route]:
    """Every route that the permission of our own interfaces guards."""
    server = Server(Settings(data=tmp_path_factory.mktemp("routes"), master_key="00" * 32), BASE_URL)
    found = [route for route in server.app.routes if route.permission is Permission.API]
    assert len(found) > 30
    return found


def test_every_route_names_scopes_that_exist(api_routes: list[Route]) -> None:
    for route in api_routes:
        assert route.scopes, route.name
        known = MANAGEMENT_SCOPES.keys() | ({"openid"} if route.name == "scim_me" else set())
        assert known >= set(route.scopes), route.name


def test_nothing_here_is_for_browsers_of_other_sites(api_routes: list[Route]) -> None:
    """Decision 20: registration alone may be called by scripts of an application's origin."""
    assert {route.cors for route in api_routes if not route.path.startswith("/api/identity/oauth2/dcr/")} == {"none"}


def ask(site: Site, route: Route, method: str, **request: Any) -> httpx.Response:
    path = re.sub(r"\{[a-z_]+\}", NOWHERE, route.path)
    if method in ("POST", "PUT", "PATCH"):
        request["json"] = {}
    return site.http.request(method, path, **request)


@dataclass
class Callers:
    """Ways to present oneself, as arguments of a request."""

    site: Site

    def basic(self, person: Person) -> dict[str, Any]:
        return {"auth": (person.username, person.password)}

    def application(self, *scopes: str) -> dict[str, Any]:
        return {"auth": self.site.machine(scopes=(), management_scopes=scopes).basic}

    def machine_token(self, *scopes: str, **settings: Any) -> dict[str, Any]:
        machine = self.site.machine(scopes=(), management_scopes=scopes, **settings)
        return {"headers": bearer(self.site.machine_token(machine, scope=" ".join(scopes)))}

    def persons_token(self, person: Person, *scopes: str) -> dict[str, Any]:
        console = self.site.application("Console", management_scopes=scopes)
        token = self.site.tokens(console, person, scope=" ".join(("openid", *scopes)))["access_token"]
        return {"headers": bearer(token)}


@pytest.fixture
def callers(site: Site) -> Callers:
    return Callers(site)


def every(api_routes: list[Route]) -> list[tuple[Route, str]]:
    return [(route, method) for route in api_routes for method in route.methods]


def test_nobody_comes_in_without_credentials(site: Site, api_routes: list[Route]) -> None:
    for route, method in every(api_routes):
        response = ask(site, route, method)
        assert response.status_code == 401, route.name
        assert "Bearer" in response.headers["www-authenticate"], route.name


def test_strangers_are_refused(site: Site, server: Any, callers: Callers, api_routes: list[Route]) -> None:
    # The limit of tries by one address has its own tests; here every door is tried.
    site.change_settings(lambda settings: replace(settings, login_limit_address=RateLimit(count=0, seconds=1)))
    elsewhere = Site(server, f"{site.handle}x", site.tenant.settings)
    foreign = Callers(elsewhere)
    presented = {
        "an administrator of another tenant": foreign.basic(administrator(elsewhere, "root")),
        "an application of another tenant": foreign.application(*MANAGEMENT_SCOPES),
        "a token of another tenant": foreign.machine_token(*MANAGEMENT_SCOPES),
        "an unknown token": {"headers": bearer("at_" + "x" * 43)},
        "nonsense": {"headers": {"Authorization": "Basic %%%"}},
        "another scheme": {"headers": {"Authorization": "Digest x"}},
    }
    elsewhere.close()
    for who, request in presented.items():
        for route, method in every(api_routes):
            response = ask(site, route, method, **request)
            assert response.status_code == 401, (who, route.name, response.text)
            assert response.headers["www-authenticate"], (who, route.name)


def test_callers_without_the_scope_are_refused(site: Site, callers: Callers, api_routes: list[Route]) -> None:
    other = "internal_oauth2_introspect"
    ben = site.person("ben")
    role(site, "introspector", other, people=(ben,))
    presented = {
        "a person without a role": callers.basic(site.jane),
        "a person with another role": callers.basic(ben),
        "an application without a scope": callers.application(),
        "an application with another scope": callers.application(other),
        "a token with another scope": callers.machine_token(other),
        "a person's token with another scope": callers.persons_token(ben, other),
    }
    for who, request in presented.items():
        for route, method in every(api_routes):
            response = ask(site, route, method, **request)
            if route.name == "scim_me" and "person" in who:
                # Everybody reads their own account, by password or by `openid`.
                assert response.status_code == 200, who
                continue
            assert response.status_code == 403, (who, route.name, response.text)


def test_each_scope_opens_its_routes_and_no_other(site: Site, callers: Callers, api_routes: list[Route]) -> None:
    for scope in sorted({scope for route in api_routes for scope in route.scopes if scope.startswith("internal_")}):
        request = callers.application(scope)
        for route, method in every(api_routes):
            opened = ask(site, route, method, **request).status_code not in REFUSED
            # Registration tells a caller with a right of its own to the application that is asked about by 401 alone.
            expected = scope in route.scopes and route.name != "scim_me"
            assert opened == expected, (scope, route.name)


@pytest.mark.parametrize("how", ["basic", "token"])
def test_a_role_opens_what_its_scopes_open(site: Site, callers: Callers, api_routes: list[Route], how: str) -> None:
    scope = "internal_role_mgt_view"
    role(site, "auditor", scope, people=(site.jane,))
    request = callers.basic(site.jane) if how == "basic" else callers.persons_token(site.jane, scope)
    for route, method in every(api_routes):
        opened = ask(site, route, method, **request).status_code not in REFUSED
        assert opened == (scope in route.scopes or route.name == "scim_me"), route.name


def test_the_administrators_role_opens_everything(site: Site, callers: Callers, api_routes: list[Route]) -> None:
    request = callers.basic(administrator(site))
    for route, method in every(api_routes):
        response = ask(site, route, method, **request)
        assert response.status_code not in REFUSED, (route.name, response.text)
        assert response.status_code < 500, route.name


def test_a_token_for_another_audience_is_refused(site: Site) -> None:
    """Decision 4: asked for with `resource`, it is for that API and not for ours."""
    scope = "internal_role_mgt_view"
    orders = api(site)
    machine = site.machine(scopes=(), management_scopes=(scope,))
    ours = site.machine_token(machine, scope=scope)
    theirs = site.machine_token(machine, scope=scope, resource=orders.identifier)
    assert site.http.get(ROLES, headers=bearer(ours)).status_code == 200
    assert site.http.get(ROLES, headers=bearer(theirs)).status_code == 401


def test_an_id_token_opens_nothing(site: Site) -> None:
    tokens = site.tokens(site.application(), administrator(site), scope="openid internal_login")
    for value in (tokens["id_token"], tokens["refresh_token"]):
        assert site.http.get("/scim2/Me", headers=bearer(value)).status_code == 401


# A remembered credential (decision 16) lives no longer than what it proves.


@pytest.mark.parametrize("how", ["password", "disabled", "deleted", "role", "signed out everywhere"])
def test_a_remembered_credential_dies_with_the_account(site: Site, how: str) -> None:
    root = administrator(site)
    assert call(site, root, "GET", ROLES).status_code == 200
    assert call(site, root, "GET", ROLES).status_code == 200
    expected = 401

    async def change(administration: Any, tenant: Any) -> None:
        match how:
            case "password":
                await users.set_password(administration, tenant, root.username, "another one entirely")
            case "disabled":
                await users.set_user_enabled(administration, tenant, root.username, False)
            case "deleted":
                await users.delete_user(administration, tenant, root.username)

    if how == "role":
        change_role(site, "admin", remove=root)
        expected = 403
    elif how == "signed out everywhere":
        site.in_tenant(lambda a, t: users.end_sessions(a, t, root.username))
        expected = 200  # the password is still the right one
    else:
        site.in_tenant(change)
    assert call(site, root, "GET", ROLES).status_code == expected


def test_a_remembered_credential_is_asked_again_after_five_minutes(timed: TimedSite) -> None:
    root = administrator(timed)
    assert call(timed, root, "GET", ROLES).status_code == 200

    async def change_behind_our_back(administration: Any, tenant: Any) -> None:
        """As in a directory: nothing tells us."""
        store = administration.people.stores(tenant).get("PRIMARY")
        await store.set_password(root.user.id, "another one entirely")

    timed.in_tenant(change_behind_our_back)
    timed.clock.advance(299)
    assert call(timed, root, "GET", ROLES).status_code == 200
    timed.clock.advance(2)
    assert call(timed, root, "GET", ROLES).status_code == 401


def test_wrong_passwords_lock_the_account_here_too(site: Site) -> None:
    """Attack row 21: the same limit on every door."""
    root = administrator(site)
    wrong = Person(root.username, "wrong", root.user)
    for _ in range(site.tenant.settings.lockout_attempts):
        assert call(site, wrong, "GET", ROLES).status_code == 401
    assert call(site, root, "GET", ROLES).status_code == 401
    types = [event["type"] for event in site.events()]
    assert "user:account:locked" in types


def test_a_lock_does_not_keep_out_who_was_let_in_before(site: Site) -> None:
    """Attack row 21: whoever guesses passwords must not shut out the gateway whose credential is known to be right."""
    root = administrator(site)
    assert call(site, root, "GET", ROLES).status_code == 200
    wrong = Person(root.username, "wrong", root.user)
    for _ in range(site.tenant.settings.lockout_attempts + 1):
        assert call(site, wrong, "GET", ROLES).status_code == 401
    assert call(site, root, "GET", ROLES).status_code == 200


def test_many_calls_at_once_are_one_try(timed: TimedSite) -> None:
    """A hundred calls of a connector that starts are one hash, and no try too many of one account."""
    root = administrator(timed)
    answers = timed.at_once(40, f"{ROLES}/.search", {}, (root.username, root.password))
    assert {answer.status_code for answer in answers} == {415}, "let in, and then told to send JSON"


def test_refusals_look_the_same_for_known_and_unknown_names(site: Site) -> None:
    known, unknown = Person(site.jane.username, "wrong", site.jane.user), Person("nobody", "wrong", site.jane.user)
    answers = []
    for person in (known, unknown):
        response = call(site, person, "GET", ROLES)
        body = response.json()
        answers.append((response.status_code, body, sorted(response.headers.items())[2:]))
    assert [answer[:2] for answer in answers] == [answers[0][:2]] * 2


def test_a_person_may_bear_the_name_of_an_application(site: Site) -> None:
    root = administrator(site, "shared-name")
    machine = site.machine(client_id="shared-name")
    assert call(site, root, "GET", ROLES).status_code == 200
    assert site.http.get(ROLES, auth=machine.basic).status_code == 403


def test_passwords_beyond_ascii_and_with_colons(site: Site) -> None:
    """RFC 7617 §2, §2.1: UTF-8, and only the first colon separates."""
    word = "pass:wörd:✓ long enough"
    person = site.person("colon", word)
    header = {"Authorization": "Basic " + base64.b64encode(f"colon:{word}".encode()).decode()}
    role(site, "auditor", "internal_role_mgt_view", people=(person,))
    assert site.http.get(ROLES, headers=header).status_code == 200


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_a_form_of_another_site_changes_nothing(site: Site, content_type: str) -> None:
    """A browser adds remembered Basic credentials to forms of strangers, but sends no JSON for them unasked."""
    root = administrator(site)
    response = call(
        site, root, "POST", ROLES, content=b'{"displayName": "planted"}', headers={"Content-Type": content_type}
    )
    assert response.status_code == 415


# Nobody gives what they do not have.


@pytest.fixture
def role_keeper(site: Site) -> Person:
    """May change roles, and nothing else."""
    keeper = site.person("keeper")
    role(site, "role keeper", "internal_role_mgt_update", "internal_role_mgt_create", "internal_role_mgt_view",
         "internal_role_mgt_delete", people=(keeper,))  # fmt: skip
    return keeper


def patch(*operations: dict[str, Any]) -> dict[str, Any]:
    return {"Operations": list(operations)}


def test_who_keeps_roles_cannot_make_themselves_administrator(site: Site, role_keeper: Person) -> None:
    me = call(site, role_keeper, "GET", "/scim2/Me").json()["id"]
    tries = [
        ("PATCH", f"{ROLES}/{ADMIN_ROLE_ID}", patch({"op": "add", "path": "users", "value": [{"value": me}]})),
        ("PUT", f"{ROLES}/{ADMIN_ROLE_ID}", {"displayName": "admin", "users": [{"value": me}]}),
        ("POST", ROLES, {"displayName": "mine", "permissions": [{"value": "internal_dcr_view"}]}),
    ]
    for method, path, body in tries:
        assert call(site, role_keeper, method, path, json=body).status_code == 403, (method, path)
    other = role(site, "registrar", "internal_dcr_view")
    own = call(site, role_keeper, "POST", ROLES, json={"displayName": "own"})
    assert own.status_code == 201
    for path, body in (
        (f"{ROLES}/{other.id}", patch({"op": "add", "path": "users", "value": [{"value": me}]})),
        (
            f"{ROLES}/{own.json()['id']}",
            patch({"op": "add", "value": {"permissions": [{"value": "internal_dcr_view"}]}}),
        ),
    ):
        assert call(site, role_keeper, "PATCH", path, json=body).status_code == 403, path
    assert call(site, role_keeper, "DELETE", f"{ROLES}/{other.id}").status_code == 403


def test_who_keeps_roles_gives_what_they_have(site: Site, role_keeper: Person) -> None:
    body = {"displayName": "deputy", "permissions": [{"value": "internal_role_mgt_view"}]}
    assert call(site, role_keeper, "POST", ROLES, json=body).status_code == 201


@pytest.mark.parametrize("change", ["rename", "delete"])
def test_the_administrators_role_stays(site: Site, change: str) -> None:
    root = administrator(site)
    path = f"{ROLES}/{ADMIN_ROLE_ID}"
    if change == "rename":
        body = patch({"op": "replace", "path": "displayName", "value": "nobody"})
        assert call(site, root, "PATCH", path, json=body).status_code == 400
    else:
        assert call(site, root, "DELETE", path).status_code == 400
    assert call(site, root, "GET", path).json()["displayName"] == "admin"


def test_objects_of_another_tenant_are_not_there(site: Site, server: Any) -> None:
    elsewhere = Site(server, f"{site.handle}y", site.tenant.settings)
    foreign_role, foreign_api = role(elsewhere, "clerk"), api(elsewhere, "orders:read")
    elsewhere.close()
    root = administrator(site)
    for method, path in (
        ("GET", f"{ROLES}/{foreign_role.id}"),
        ("DELETE", f"{ROLES}/{foreign_role.id}"),
        ("GET", f"{API_RESOURCES}/{foreign_api.id}"),
        ("GET", f"{API_RESOURCES}/{foreign_api.id}/scopes"),
        ("DELETE", f"{API_RESOURCES}/{foreign_api.id}"),
    ):
        assert call(site, root, method, path).status_code == 404, path


def test_a_public_client_is_nobody_here(site: Site) -> None:
    public: Client = site.public_application(management_scopes=())
    header = base64.b64encode(f"{public.client_id}:x".encode()).decode()
    assert site.http.get(ROLES, headers={"Authorization": f"Basic {header}"}).status_code == 401
