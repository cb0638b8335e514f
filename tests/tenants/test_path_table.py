"""The path table: every route says who may call it, and what refuses those who may not."""

from collections.abc import Callable

import pytest

from identity.app import Server
from identity.config import Settings
from identity.web.routing import Permission, Route
from tests.support.builders import Site
from tests.support.in_process import BASE_URL, InProcessServer

NOWHERE = "01a2b3c4-0000-7000-8000-000000000000"


def refuses_strangers(site: Site, route: Route, method: str) -> None:
    """What a stranger gets, by the route's permission."""
    url = site.base + route.path.partition("{")[0] + (NOWHERE if "{" in route.path else "")
    browser = site.browser()
    if route.permission in (Permission.CLIENT, Permission.ACCESS_TOKEN, Permission.ACCOUNT):
        response = site.http.request(method, url, data={"token": "x"} if method == "POST" else None)
        assert response.status_code == 401, route.name
        return
    page = browser.get(url) if method == "GET" else browser.post(url, {"csrf_token": "x"})
    if route.permission is Permission.FLOW:
        assert page.status == 410, route.name
    elif route.permission is Permission.SESSION:
        assert page.has("login-submit") or page.has("logged-out"), route.name


def routes_of(server: Server) -> list[Route]:
    return server.app.routes


@pytest.fixture
def routes(in_process_server: InProcessServer) -> list[Route]:
    return routes_of(in_process_server.server)


def test_names_are_given_once(routes: list[Route]) -> None:
    names = [route.name for route in routes]
    assert len(names) == len(set(names))


def test_without_demo_mode_its_routes_are_missing(in_process_server: InProcessServer, routes: list[Route]) -> None:
    settings = Settings(data=in_process_server.data, master_key=in_process_server.master_key, demo=True)
    in_demo_mode = {route.name for route in routes_of(Server(settings, BASE_URL))}
    assert in_demo_mode - {route.name for route in routes} == {
        "demo_app",
        "demo_introspect",
        "demo_mail",
        "demo_mailbox",
    }


def test_every_route_declares_its_permission(routes: list[Route]) -> None:
    for route in routes:
        assert isinstance(route.permission, Permission), route.name
        assert route.summary, route.name


def test_forms_of_pages_come_from_our_own_pages(routes: list[Route]) -> None:
    """Who changes something by a cookie's authority has to come from a page of ours."""
    for route in routes:
        if "POST" in route.methods and route.permission in (Permission.FLOW, Permission.SESSION):
            assert route.same_origin, route.name
            assert route.cors == "none", route.name


def test_other_origins_read_no_pages(routes: list[Route]) -> None:
    """Decision 20, as a table."""
    readable = {route.name: route.cors for route in routes if route.cors != "none"}
    names = (
        "pushed_request", "token", "revoke", "userinfo", "native_login", "device_authorize", "register",
        "registration_read", "registration_update", "registration_delete",
    )  # fmt: skip
    registered = dict.fromkeys(names, "registered")
    assert {name: rule for name, rule in readable.items() if rule == "registered"} == registered
    assert all(rule == "any" for name, rule in readable.items() if name not in registered)
    discovery = ("configuration", "server", "jwks", "resource_metadata", "webfinger")
    assert all(any(word in name for word in discovery) for name in readable.keys() - registered)


def _every(check: Callable[[Site, Route, str], None], site: Site, routes: list[Route]) -> None:
    for route in routes:
        for method in route.methods:
            check(site, route, method)


def test_strangers_are_refused_by_every_route_that_is_not_public(site: Site, routes: list[Route]) -> None:
    _every(refuses_strangers, site, routes)


def test_forms_from_other_sites_are_refused_by_every_page(site: Site, routes: list[Route]) -> None:
    for route in routes:
        if route.same_origin:
            url = site.base + route.path.partition("{")[0] + (NOWHERE if "{" in route.path else "")
            assert site.browser().post(url, {"a": "b"}, from_site="https://evil.example/").status == 403, route.name


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_operators_routes_are_for_loopback(in_process_server: InProcessServer, method: str) -> None:
    import httpx

    far = httpx.ASGITransport(in_process_server.server.app, client=("192.0.2.7", 1))

    async def ask(path: str) -> int:
        response = await far.handle_async_request(httpx.Request(method, BASE_URL + path))
        return response.status_code

    in_process_server.run(lambda _: ask("/health/live"))
    for route in routes_of(in_process_server.server):
        if route.permission is Permission.OPERATOR:
            assert in_process_server.run(lambda _, path=route.path: ask(path)) in (404, 405)  # type: ignore[misc]
