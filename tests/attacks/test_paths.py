"""Attack row 25: one spelling for each path. Keycloak CVE-2026-15573: a trailing slash, a matrix parameter."""

import pytest

from tests.attacks.raw import exchange, get
from tests.attacks.targets import Target
from tests.support.builders import Site

pytestmark = [pytest.mark.any_engine, pytest.mark.long]

METRICS = (
    b"/metrics/", b"//metrics", b"/./metrics", b"/x/../metrics", b"/metrics/.", b"/metrics;", b"/metrics;a=b",
    b"/;/metrics", b"/%6detrics", b"/metrics%20", b"/metrics%00", b"/metrics%2f", b"/metrics.", b"/METRICS",
    b"/metrics/..;/metrics", b"/static/../metrics", b"/static/..%2fmetrics", b"/static/%2e%2e/metrics",
    b"/t/root/metrics", b"/metrics\\", b"\\metrics", b"/..\\metrics", b"/metrics%09", b"/metrics\x0b", b"/metrics%0a",
    b"/metrics%23", b"/metrics%3f", b"/%2fmetrics", b"/%252fmetrics", b"/metrics%c0%af", b"/\xef\xbd\x8detrics",
)  # fmt: skip
"""Spellings of a path that a proxy may have been told to keep from strangers."""

TENANT_PATHS = (
    b"/t/{h}/account/", b"/t/{h}//account", b"//t/{h}/account", b"/t//{h}/account", b"/t/{h}/./account",
    b"/t/{h}/x/../account", b"/t/{h}/account;x", b"/t/{h};x/account", b"/t/{h}%2faccount", b"/t/{h}/%61ccount",
    b"/t/{H}/account", b"/T/{h}/account", b"/t/{h}./account", b"/t/.{h}/account", b"/t/{h}%00/account",
    b"/t/{h}%20/account", b"/t/ {h}/account", b"/t/../t/{h}/account", b"/t/x/../{h}/account", b"/t/{h}/t/{h}/account",
    b"/t/{h}", b"/t/", b"/t", b"/t//account", b"/t/-/account", b"/t/a_b/account",
    b"/t/{h}/account%3fx", b"/t/{h}/account%23", b"/t/{h}\\account", b"/t/{h}/ACCOUNT", b"/t/{h}/account/x",
)  # fmt: skip

FLOW_PATHS = (
    b"/t/{h}/login/", b"/t/{h}/login/a/b", b"/t/{h}/login/%61", b"/t/{h}/login/a;b", b"/t/{h}/login/..",
    b"/t/{h}/login/.",
    b"/t/{h}/login/%2e%2e", b"/t/{h}/login/a%2fb", b"/t/{h}/login/\xc3\xa9", b"/t/{h}/login/a%00", b"/t/{h}/login//a",
    b"/t/{h}/oauth2/authorize/", b"/t/{h}/oauth2/authorize/a/b", b"/t/{h}/oauth2/authorize/..;", b"/t/{h}/logout/",
    b"/t/{h}/consent/", b"/t/{h}/consent/a%0d%0ab",
)  # fmt: skip

WELL_KNOWN = (
    b"/.well-known/openid-configuration/", b"/.well-known/openid-configuration/t/{h}/",
    b"/.well-known/openid-configuration/t/{h}/oauth2/token/", b"/.well-known/openid-configuration/t/{h}/account",
    b"/.well-known/openid-configuration/t/{h}/oauth2/authorize", b"/.well-known/../metrics",
    b"/.well-known/openid-configuration/t/../account",
    b"/.well-known/openid-configuration/t/{h}/t/{h}", b"/.well-known/jwks.json", b"/.well-known/",
    b"/t/{h}/.well-known/openid-configuration/t/{h}", b"/.WELL-KNOWN/openid-configuration",
)  # fmt: skip

STATIC = (
    b"/static/", b"/static/../theme.toml", b"/static/../../etc/passwd", b"/static/%2e%2e/%2e%2e/etc/passwd",
    b"/static/..%2f..%2fetc%2fpasswd", b"/static//etc/passwd", b"/static/%00", b"/static/\\..\\..\\etc\\passwd",
    b"/static/....//....//etc/passwd", b"/static/base.css%00.html", b"/static/C:/windows/win.ini", b"/static/.",
)  # fmt: skip


def _filled(path: bytes, site: Site) -> bytes:
    return path.replace(b"{h}", site.handle.encode()).replace(b"{H}", site.handle.upper().encode())


@pytest.mark.parametrize("path", METRICS, ids=repr)
def test_another_spelling_of_metrics_is_nothing(standing_site: Site, path: bytes) -> None:
    answer = get(standing_site.server, path)
    assert answer.status in (400, 404)
    assert b"identity_" not in answer.body


@pytest.mark.parametrize("path", [*TENANT_PATHS, *FLOW_PATHS, *WELL_KNOWN, *STATIC], ids=repr)
def test_another_spelling_of_a_page_is_nothing(standing_site: Site, path: bytes) -> None:
    answer = get(standing_site.server, _filled(path, standing_site))
    assert answer.status in (400, 404, 405), answer.head
    assert answer.headers(b"location") == []
    assert answer.headers(b"set-cookie") == []
    assert b"root:" not in answer.body


METHODS = (b"GET", b"OPTIONS", b"CONNECT", b"TRACE", b"PUT", b"DELETE", b"PATCH", b"get", b"X" * 300)
TARGETS = (
    b"*", b"/", b"http://localhost/metrics/", b"localhost:80", b"?x", b"#", b"/a b", b"/\x00", b"/\x7f", b"/\xff", b"",
)  # fmt: skip


@pytest.mark.parametrize("target", TARGETS, ids=repr)
@pytest.mark.parametrize("method", METHODS, ids=lambda method: method[:9].decode())
def test_strange_targets_and_methods(standing_site: Site, target: bytes, method: bytes) -> None:
    answer = get(standing_site.server, target, method=method)
    assert answer.status in (0, 200, 204, 400, 404, 405, 421, 501, 505), answer.head
    assert (answer.status == 200) <= (target == b"/" and method == b"GET")


@pytest.mark.parametrize("door", ["token", "introspect", "revoke", "userinfo"])
@pytest.mark.parametrize("suffix", ["/", "/.", "//", ";x=y", "%20", ".json", "/x", "%2f", "?"])
def test_the_token_road_has_one_spelling(target: Target, door: str, suffix: str) -> None:
    site = target.site
    own = f"{site.base}/oauth2/{door}"
    request = (
        f"POST /t/{site.handle}/oauth2/{door}{suffix} HTTP/1.1\r\nHost: {own.split('/')[2]}\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 7\r\nConnection: close\r\n\r\ntoken=x"
    )
    answer = exchange(site.server, request.encode())
    assert answer.status == (401 if suffix == "?" else 404), answer.head


def test_a_query_changes_no_route(standing_site: Site) -> None:
    for path in (b"/nothing?/metrics", b"/nothing?x=/../metrics", b"/?path=/metrics", b"/nothing#/metrics"):
        assert b"identity_" not in get(standing_site.server, path).body
