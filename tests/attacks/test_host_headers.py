"""Attack row 20: Host, and what proxies write. Links are made from the configured address only."""

import re
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from identity.domain.tenants import RateLimit
from tests.attacks.raw import exchange, get
from tests.attacks.targets import Target
from tests.support.builders import Site
from tests.support.in_process import TimedSite

pytestmark = [pytest.mark.any_engine, pytest.mark.long]

HOSTILE: tuple[bytes, ...] = (
    b"attacker.example", b"localhost.attacker.example:{port}", b"attacker.example:{port}", b"localhost", b"localhost:1",
    b"localhost:{port}.attacker.example", b"localhost:{port}@attacker.example", b"attacker.example@localhost:{port}",
    b"localhost:{port}#attacker.example", b"localhost:{port}/attacker.example", b"localhost:{port},attacker.example",
    b"localhost:{port} attacker.example", b"LOCALHOST.:{port}", b"localhost.:{port}", b"127.0.0.2:{port}",
    b"0.0.0.0:{port}", b"[::2]:{port}", b"[::1%25lo]:{port}", b"2130706433:{port}",
    b"127.1:{port}", b"localhost:0{port}", b"localhost:",
    b":{port}", b"*", b"*.localhost:{port}", b"xn--localhost:{port}", b"localhost:{port}\xc3\xa9", b"\xff\xfe",
    b"<script>alert(1)</script>", b"localhost:{port}\"><script>", b"null", b"undefined", b"a" * 5000,
)  # fmt: skip

PROXY_HEADERS: tuple[tuple[str, str], ...] = (
    ("X-Forwarded-Host", "attacker.example"), ("X-Forwarded-Server", "attacker.example"),
    ("X-Forwarded-Proto", "https"), ("X-Forwarded-Port", "1"), ("X-Forwarded-Prefix", "/attacker"),
    ("X-Forwarded-Scheme", "javascript"),
    ("X-Host", "attacker.example"), ("X-HTTP-Host-Override", "attacker.example"),
    ("X-Original-Host", "attacker.example"),
    ("Forwarded", "for=127.0.0.1;host=attacker.example;proto=https"), ("X-Original-URL", "/metrics"),
    ("X-Rewrite-URL", "/metrics"), ("X-HTTP-Method-Override", "POST"), ("X-Method-Override", "DELETE"),
    ("X-Real-IP", "attacker"), ("X-Forwarded-For", "attacker.example"), ("X-Forwarded-For", "127.0.0.1,"),
    ("X-Forwarded-For", "1" * 5000), ("X-Client-IP", "10.0.0.1"), ("True-Client-IP", "10.0.0.1"), ("Via", "attacker"),
    ("X-Forwarded-User", "admin"), ("X-Remote-User", "admin"), ("Remote-User", "admin"), ("X-Tenant", "root"),
    ("Base-Url", "https://attacker.example"), ("Referer", "https://attacker.example/"), ("Client-Cert", ":AAAA:"),
    ("SSL-Client-Cert", "AAAA"), ("X-SSL-Client-S-DN", "CN=admin"), ("X-Trace-Id", "attacker.example"),
)  # fmt: skip


@pytest.mark.spec("RFC 9110", "7.4")
@pytest.mark.parametrize("host", HOSTILE, ids=lambda host: host[:24])
def test_an_unknown_host(standing_site: Site, host: bytes) -> None:
    """Everywhere the same refusal, and not a word of what was sent."""
    port = str(urlsplit(standing_site.server.base_url).port).encode()
    prefix = f"/t/{standing_site.handle}".encode()
    for path in (b"/.well-known/openid-configuration", b"/oauth2/authorize?client_id=x", b"/account"):
        answer = get(standing_site.server, prefix + path, host=host.replace(b"{port}", port))
        assert answer.status in (400, 421), path
        assert b"attacker" not in answer.head + answer.body
        assert b"<script" not in answer.body


def test_no_host_two_hosts_and_a_host_in_the_target(standing_site: Site) -> None:
    server, path = standing_site.server, f"/t/{standing_site.handle}/.well-known/openid-configuration".encode()
    assert get(server, path, host=b"").status in (400, 421)
    assert get(server, path, b"Host: attacker.example").status in (400, 421)
    assert get(server, path, b"Host: " + urlsplit(server.base_url).netloc.encode()).status in (400, 421)
    # RFC 9112 §3.2.2: the absolute form. Whatever it names, nothing is made from it.
    absolute = get(server, b"http://attacker.example" + path)
    assert b"attacker" not in absolute.head + absolute.body
    old = exchange(server, b"GET " + path + b" HTTP/1.0\r\n\r\n")
    assert old.status in (400, 421)


def test_health_needs_no_host(standing_site: Site) -> None:
    """Decision 30, and nothing in it comes from the request."""
    for path in (b"/health/live", b"/health/ready"):
        answer = get(standing_site.server, path, host=b"attacker.example")
        assert (answer.status, b"attacker" in answer.body) == (200, False)


@pytest.mark.parametrize(("name", "value"), PROXY_HEADERS)
def test_what_a_stranger_writes_as_a_proxy(target: Target, name: str, value: str) -> None:
    """The peer is no trusted proxy: every answer is the same with the header as without it."""
    site = target.site
    requests = (
        "/.well-known/openid-configuration", "/oauth2/jwks", "/", "/nothing", "/oidc/logout",
        f"/oauth2/authorize?client_id={target.client.client_id}&redirect_uri=https://x.example",
        f"/oauth2/authorize?client_id={target.client.client_id}&redirect_uri={target.client.redirect_uri}&prompt=none",
    )  # fmt: skip
    for path in requests:
        plain, forged = site.http.get(path), site.http.get(path, headers={name: value})
        assert forged.status_code == plain.status_code, path
        assert forged.headers.get("location") == plain.headers.get("location"), path
        assert forged.headers.get("set-cookie", "")[:7] == plain.headers.get("set-cookie", "")[:7], path
        assert _without_trace(forged.text) == _without_trace(plain.text), path
    assert site.http.get("/account", headers={name: value}).headers["location"].endswith("/account/sign-in")


def test_links_and_cookies_come_from_the_configured_address(target: Target) -> None:
    document = target.site.http.get("/.well-known/openid-configuration").json()
    addresses = [value for name, value in document.items() if name.endswith(("_endpoint", "_uri", "issuer"))]
    assert addresses
    assert all(address.startswith(target.site.base + "/") for address in addresses)


@pytest.mark.parametrize(
    "forged",
    [
        "10.0.0.{n}", "10.0.0.{n}, 127.0.0.1", "::ffff:10.0.0.{n}", "[2001:db8::{n}]:1", "unknown", "", "a, b, {n}",
        "%ff{n}", "10.0.0.{n}:80", "127.0.0.1;{n}", "{n}",
    ],
)  # fmt: skip
def test_a_limit_counts_the_peer_whatever_it_claims(timed: TimedSite, forged: str) -> None:
    """authentik CVE-2024-47070: an address that could not be read skipped the password. Here it is never read."""
    timed.change_settings(lambda s: replace(s, login_limit_address=RateLimit(count=3, seconds=60)))
    timed.clock.advance(2)
    client = timed.application()
    statuses = []
    for number in range(5):
        browser = timed.browser()
        browser.headers["X-Forwarded-For"] = forged.replace("{n}", str(number))
        page = browser.get(timed.authorize_url(client))
        statuses.append(page.submit("login-submit", username=f"nobody{number}", password="wrong").status)
    assert statuses == [422, 422, 422, 503, 503]


def _without_trace(text: str) -> str:
    """What differs between two answers to one request: trace ids and times."""
    return re.sub(r"[0-9a-f]{32}|\d{4}-\d\d-\d\dT[\d:.]+Z|\d\d:\d\d(:\d\d)?|[0-9a-f-]{36}", "", text)


def test_a_page_under_another_name_of_this_machine_moves_to_the_base_address(site: Site) -> None:
    """Cookies and form tokens belong to one origin; programs are answered under any of our names."""
    port = site.server.base_url.rpartition(":")[2]
    other = f"http://127.0.0.1:{port}"
    answer = site.http.get(f"{other}/t/{site.handle}/account?notice=ended")
    assert (answer.status_code, answer.headers["location"]) == (307, f"{site.base}/account?notice=ended")
    assert site.http.get(f"{other}/t/{site.handle}/oauth2/jwks").status_code == 200
