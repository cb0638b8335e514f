"""Attack rows 18, 23, 24: who may call a person's own account; generated from the path table."""

from dataclasses import replace
from typing import Any

import pytest

from identity.app import Server
from identity.config import Settings
from identity.domain.management_scopes import LOGIN_SCOPE, MANAGEMENT_SCOPES, OWN_FACTORS_SCOPE
from identity.domain.tenants import RateLimit
from identity.web.routing import Permission, Route
from tests.attacks.test_admin_access import Callers, ask, every
from tests.support.builders import Site
from tests.support.in_process import BASE_URL
from tests.support.key_manager import administrator, bearer


@pytest.fixture(scope="session")
def account_routes(tmp_path_factory: pytest.TempPathFactory) -> list[Route]:
    """Every route about a person's own account."""
    server = Server(Settings(data=tmp_path_factory.mktemp("routes"), master_key="00" * 32), BASE_URL)
    found = [route for route in server.app.routes if route.permission is Permission.ACCOUNT]
    assert len(found) > 10
    return found


@pytest.fixture
def callers(site: Site) -> Callers:
    # The limit of tries by one address has its own tests; here every door is tried.
    site.change_settings(lambda settings: replace(settings, login_limit_address=RateLimit(count=0, seconds=1)))
    return Callers(site)


def test_every_route_names_scopes_that_people_have(account_routes: list[Route]) -> None:
    for route in account_routes:
        assert route.scopes, route.name
        assert {LOGIN_SCOPE, OWN_FACTORS_SCOPE} >= set(route.scopes), route.name
        assert LOGIN_SCOPE not in route.scopes or route.methods == ("GET",), route.name
        assert route.cors == "none", route.name


def test_who_is_no_person_with_a_token(site: Site, server: Any, callers: Callers, account_routes: list[Route]) -> None:
    elsewhere = Site(server, f"{site.handle}z", site.tenant.settings)
    foreign = Callers(elsewhere).persons_token(elsewhere.jane, OWN_FACTORS_SCOPE)
    elsewhere.close()
    presented = {
        "nobody": ({}, 401),
        "a person by password": (callers.basic(site.jane), 401),
        "an administrator by password": (callers.basic(administrator(site)), 401),
        "an application": (callers.application(*MANAGEMENT_SCOPES), 401),
        "an application's token": (callers.machine_token(*MANAGEMENT_SCOPES), 403),
        "an application's JWT": (callers.machine_token(*MANAGEMENT_SCOPES, access_token_type="jwt"), 403),
        "a person's token of another tenant": (foreign, 401),
        "an unknown token": ({"headers": bearer("at_" + "x" * 43)}, 401),
        "a person's token with another scope": (callers.persons_token(site.jane, "internal_role_mgt_view"), 403),
    }
    for who, (request, status) in presented.items():
        for route, method in every(account_routes):
            response = ask(site, route, method, **request)
            assert response.status_code == status, (who, route.name, response.text)


@pytest.mark.parametrize("scope", [LOGIN_SCOPE, OWN_FACTORS_SCOPE])
def test_each_scope_opens_its_routes_and_no_other(
    site: Site, callers: Callers, account_routes: list[Route], scope: str
) -> None:
    request = callers.persons_token(site.jane, scope)
    for route, method in every(account_routes):
        # Having made recovery codes, the same sign-in is not enough any more: 401.
        opened = ask(site, route, method, **request).status_code != 403
        assert opened == (scope in route.scopes), route.name


@pytest.mark.parametrize("registered_by", ["administrator", "registration"])
def test_an_application_without_the_right_gets_no_such_token(site: Site, registered_by: str) -> None:
    given = (OWN_FACTORS_SCOPE,) if registered_by == "registration" else ()
    client = site.application(management_scopes=given, registered_by=registered_by)
    tokens = site.tokens(client, site.jane, scope=f"openid {OWN_FACTORS_SCOPE}")
    assert OWN_FACTORS_SCOPE not in tokens.get("scope", "openid").split()
    answer = site.http.get("/api/users/v1/me/totp", headers=bearer(tokens["access_token"]))
    assert answer.status_code == 403
