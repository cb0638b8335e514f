"""Attack row 32 over HTTP: what a request may make large (heads: `test_heads`; the logger: `test_log_injection`)."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, urlencode

import httpx
import pytest

from identity.commands import openapi
from identity.domain.redirect_uris import match_redirect_uri
from identity.oauth2.authorization.authorization_checks import _CODE_CHALLENGE, PARAMETERS
from identity.secrets import token_hash
from identity.storage.pushed_requests import find_pushed_request
from tests.attacks.raw import get
from tests.attacks.targets import Target, location_parameters, raw_cookies
from tests.support.authorization import pushed_uri
from tests.support.builders import PASSWORD, Pkce, Site
from tests.support.network import NO_TLS

pytestmark = [pytest.mark.any_engine, pytest.mark.long]

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
MARK = "zqxjk"
"""In no word of ours: where it shows, it came from a request."""

LARGE: dict[str, bytes] = {
    "10,000 parameters": b"&".join(b"p%d=x" % number for number in range(10_000)),
    "10,000 empty parameters": b"&" * 10_000,
    "10,000 times one name": b"&".join([b"scope=x"] * 10_000),
    "200 parameters and one": b"&".join(b"p%d=x" % number for number in range(201)),
    "10,000 scopes": b"scope=" + b"+".join(b"s%d" % number for number in range(10_000)),
    "a name of 60 kB": b"n" * 60_000 + b"=x",
    "a value of 60 kB": b"token=" + b"v" * 60_000,
    "a megabyte": b"token=" + b"v" * (1 << 20),
    "20,000 encoded letters": b"token=" + b"%41" * 20_000,
    "60 kB of percent signs": b"token=" + b"%" * 60_000,
    "60 kB of stops": b"token=" + b"." * 60_000,
    "60 kB that NFKC makes eighteen times as long": b"username=" + "\ufdfa".encode() * 20_000,
    "20,000 accents on one letter": b"username=a" + "\u0301".encode() * 20_000,
}


@pytest.mark.parametrize("name", LARGE)
@pytest.mark.parametrize("door", ["token", "introspect", "revoke", "userinfo", "authorize"])
def test_a_large_body(target: Target, door: str, name: str) -> None:
    credentials = {} if door in ("userinfo", "authorize") else {"auth": target.client.basic}
    answer = target.site.http.post(f"/oauth2/{door}", content=LARGE[name], headers=FORM, **credentials)  # type: ignore[arg-type]
    assert answer.status_code in (200, 303, 400, 401, 413), answer.text[:200]
    assert len(answer.content) < 20_000
    assert len(answer.headers.get("location", "")) < 2_000
    if len(LARGE[name]) > 65_536:
        assert answer.status_code == 413


@pytest.mark.parametrize("name", [name for name in LARGE if name.startswith(("60 kB", "20,000", "a value"))])
def test_a_large_username_or_password(standing_site: Site, name: str) -> None:
    browser, client = standing_site.browser(), standing_site.application()
    page = browser.get(standing_site.authorize_url(client))
    token = page.text.split('name="csrf_token" value="')[1].split('"')[0]
    value = LARGE[name].split(b"=", 1)[1]
    cookies = "; ".join(f"{key}={value}" for key, value in raw_cookies(browser).items())
    for field, other in ((b"username", b"password"), (b"password", b"username")):
        body = b"csrf_token=" + token.encode() + b"&" + other + b"=x&" + field + b"=" + value
        headers = FORM | {"Cookie": cookies, "Origin": standing_site.server.base_url}
        answer = standing_site.http.post(page.url, content=body, headers=headers)
        assert answer.status_code in (400, 422), answer.text[:200]


def test_what_nobody_reads_is_not_stored_with_a_pushed_request(target: Target, repository: Path) -> None:
    """A public client pushes without authentication: only as much as a request can mean is kept."""
    site, client = target.site, target.site.public_application()
    request_uri = pushed_uri(site, client, **Pkce().parameters, filler="f" * 2000, **{"n" * 20_000: "1"})
    digest = token_hash(request_uri.rpartition(":")[2])
    row = site.administer(lambda a: find_pushed_request(a.database, site.tenant.id, digest))
    assert row is not None
    assert len(row.parameters) < 600
    assert "the-state" in row.parameters
    # What a check begins to read has to be kept too.
    code = "".join(
        (repository / f"identity/oauth2/{name}.py").read_text()
        for name in (
            "authorization/authorization_checks", "authorization/authentication_demands", "authorization_details",
            "authorization/response_types", "resources",
        )
    )  # fmt: skip
    read = re.findall(r'(?:parameters\.get\("|parameters\[")(\w+)"', code)
    read += re.findall(r'"(\w+)" (?:not )?in draft\.parameters\b(?!\.)', code)
    assert {*read, "client_id"} - PARAMETERS == set()


@pytest.mark.parametrize("count", [200, 201, 3000])
def test_many_scopes(target: Target, count: int) -> None:
    scope = " ".join(["openid", *(f"s{number}" for number in range(count - 1))])
    url = target.site.authorize_url(target.client, scope=scope[:2000] if count == 200 else scope, prompt="none")
    answer = target.site.http.get(url)
    assert location_parameters(answer)["error"] == ("login_required" if count == 200 else _too_long(scope))
    machine = target.site.machine()
    given = target.site.token(machine, grant_type="client_credentials", scope=scope + " read")
    assert (given.status_code, given.json()["error"]) == (400, "invalid_scope")
    few = target.site.token(machine, grant_type="client_credentials", scope=" ".join([*scope.split()[:199], "read"]))
    assert few.json()["scope"] == "read"


def _too_long(scope: str) -> str:
    return "invalid_request" if len(scope) > 2048 else "invalid_scope"


@pytest.mark.parametrize(
    "name", ["state", "nonce", "scope", "login_hint", "claims", "ui_locales", "acr_values", "prompt", "id_token_hint"]
)
def test_a_large_value_is_not_stored(target: Target, name: str) -> None:
    """Each authorization request without a session writes a row: a stranger must not choose its size."""
    values = {
        "client_id": target.client.client_id, "redirect_uri": target.client.redirect_uri, "response_type": "code",
        "scope": "openid", name: "x" * 40_000,
    }  # fmt: skip
    answer = target.site.http.post("/oauth2/authorize", data=values)
    assert location_parameters(answer)["error"] in ("invalid_request", "invalid_scope")
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "claims",
    [
        "[" * 4000, '{"a":' * 1300, '{"userinfo":' + "[" * 8000, "1" * 8000,
        '{"userinfo":{"' + "a" * 8000 + '":null}}',
        '{"userinfo":{' + ",".join(f'"c{number}":null' for number in range(600)) + "}}", '"\\ud800"',
        "nul", "{}x", "\x01",
        '{"id_token":{"acr":{"essential":true,"values":5}}}', '{"id_token":{"acr":{"essential":true,"values":"1"}}}',
        '{"id_token":{"acr":{"essential":true,"value":{}}}}', '{"id_token":{"sub":{"value":5}}}',
        '{"id_token":{"sub":{"value":["a"]}}}',
        '{"id_token":{"sub":[]}}', '{"id_token":[]}', '{"id_token":7}', "[]", "7",
    ],
)  # fmt: skip
def test_the_claims_parameter(target: Target, claims: str) -> None:
    """JSON from a stranger: never a 500, and no demand that could not be read counts as met."""
    for browser in (target.browser, target.site.browser()):
        cookies = "; ".join(f"{key}={value}" for key, value in raw_cookies(browser).items())
        url = target.site.authorize_url(target.client, claims=claims, prompt="none")
        answer = target.site.http.get(url, headers={"Cookie": cookies})
        assert answer.status_code in (303, 400, 431), answer.text[:300]
        if "essential" in claims or "sub" in claims:
            assert "code" not in location_parameters(answer)


class TestMetrics:
    def test_no_label_comes_from_a_request(self, target: Target) -> None:
        """Keycloak CVE-2026-16100: error text as a label, and every request made a new series."""
        site = target.site
        _ask_with_marks(site, range(1))
        _series(site)  # is counted too
        before = _series(site)
        _ask_with_marks(site, range(1, 20))
        after = _series(site)
        assert not [series for series in after if MARK in series]
        assert after == before
        routes = {match[1] for series in after if (match := re.search(r'route="([^"]*)"', series))}
        assert routes <= {*re.findall(r'"operationId": "(\w+?)(?:_get|_post)?"', openapi.document()), "other"}
        for label in ("client_id", "tenant", "username", "path", "address", "error_description"):
            assert not [series for series in after if f'{label}="' in series], label


def _ask_with_marks(site: Site, numbers: range) -> None:
    """Requests that are refused, each with words of its own wherever there is room for some."""
    for number in numbers:
        mark = f"{MARK}{number}"
        site.http.get(f"/{mark}")
        site.http.get(f"/login/{mark}")
        site.http.get(f"/oauth2/authorize?client_id={mark}&error={mark}&scope={mark}")
        site.http.request(mark.upper()[:8], "/oauth2/token")
        site.http.post("/oauth2/token", data={"grant_type": mark, "scope": mark}, auth=(mark, mark))
        site.http.post("/oauth2/introspect", data={"token": mark}, headers={"User-Agent": mark, mark: mark})
        httpx.get(f"{site.server.base_url}/t/{mark}/account", trust_env=False, verify=NO_TLS)


def _series(site: Site) -> set[str]:
    text = get(site.server, b"/metrics").body.decode()
    return {line.rpartition(" ")[0] for line in text.splitlines() if line and not line.startswith("#")}


HOSTILE = f'{MARK}\r\n{{"event": "forged", "level": "info"}}\n\x1b[2J\u2028\u202e'


class TestLogs:
    def test_no_line_is_forged(self, site: Site) -> None:
        client = site.application()
        encoded = quote(HOSTILE)
        for path in (
            f"/oauth2/authorize?client_id={encoded}", site.authorize_url(client, redirect_uri="https://x/" + HOSTILE),
            site.authorize_url(client, state=HOSTILE, scope=HOSTILE), f"/login/{encoded}", f"/{encoded}",
            f"/oidc/logout?id_token_hint={encoded}", f"/oidc/logout?client_id={encoded}",
        ):  # fmt: skip
            site.http.get(path)
        page = site.browser().get(site.authorize_url(client))
        page.submit("login-submit", username=HOSTILE, password=HOSTILE)
        site.http.post("/oauth2/token", data={"grant_type": HOSTILE, "code": HOSTILE}, auth=(quote(HOSTILE), "x"))
        for line in _lines(site):
            assert line.isprintable()
            assert json.loads(line)["event"] != "forged"

    def test_no_secret_is_written(self, site: Site) -> None:
        """A whole road with every kind of mistake in it; then the log is searched for what was secret."""
        client = site.application()
        browser = site.browser()
        site.sign_in(client, site.jane, browser=browser)
        tokens = site.tokens(client, site.jane)
        secrets_ = [*raw_cookies(browser).values(), PASSWORD, str(client.secret), *(
            str(tokens[name]) for name in ("access_token", "refresh_token", "id_token")
        )]  # fmt: skip
        for secret in list(secrets_):
            for name in ("code", "refresh_token", "token", "id_token_hint", "redirect_uri", "client_id"):
                pair = urlencode({name: secret})
                site.http.get(f"/oauth2/authorize?{pair}")
                site.http.get(f"/oidc/logout?{pair}")
                site.http.get(f"/oauth2/userinfo?{pair}", headers={"Authorization": f"Bearer {secret}"})
                form = {"grant_type": "authorization_code", name: secret}
                site.http.post("/oauth2/token", data=form, auth=client.basic)
        text = "\n".join(_lines(site))
        found = [secret for secret in secrets_ if secret in text]
        assert found == []


def _lines(site: Site) -> list[str]:
    return [line for line in site.server.log_since_mark().splitlines() if line]


def test_no_expression_takes_longer_for_longer_text() -> None:
    """Regular expressions that strangers reach: one that goes back and forth would need hours here."""
    loopback = ("http://127.0.0.1/cb",)
    attempts: tuple[Callable[[int], object], ...] = (
        lambda n: match_redirect_uri("http://127.0.0.1:" + "1" * n, loopback),
        lambda n: match_redirect_uri("http://127.0.0.1/" + "a/" * n + " ", loopback),
        lambda n: _CODE_CHALLENGE.fullmatch("A" * n),
    )
    for attempt in attempts:
        begun = time.perf_counter()
        for _ in range(10):
            attempt(20_000)
        assert time.perf_counter() - begun < 5
