"""No request makes a 500: every route of the path table, thrown at with what it expects and with what nobody expects.

Derandomized: the same requests each time. Whoever wants to look further raises the counts.
"""

import base64
import json
from collections import Counter
from dataclasses import dataclass
from urllib.parse import quote_from_bytes, urlencode, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from identity.web.routing import Route
from tests.attacks.raw import Answer, exchange
from tests.attacks.targets import Target, basic, raw_cookies
from tests.support.builders import Pkce, claims_of
from tests.support.in_process import InProcessServer

pytestmark = pytest.mark.long

EXAMPLES = 25
ROUTES_AT_ONCE = 30
"""In one example: there is only so much that hypothesis draws for one."""
FINE = {200, 204, 303, 400, 401, 403, 404, 405, 408, 410, 413, 414, 421, 422, 431, 501, 505}
"""503 is not among them: nothing here is busy or away."""

examples = settings(
    max_examples=EXAMPLES, derandomize=True, deadline=None, database=None, report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)  # fmt: skip

HOSTILE: tuple[bytes, ...] = (
    b"", b" ", b"\0", b"a\0b", b"\xff", b"\xc3\x28", b"\xed\xa0\x80", "é".encode(), "\U0001f600".encode(), b"'",
    b'"', b"\\", b"' or 1=1 --", b"*)(uid=*", b"%", b"%zz", b"%00", b"&", b"=", b"+", b";", b"0", b"-1", b"9" * 30,
    b"9" * 5000, b"1e999", b"NaN", b"null", b"true", b"[]", b"{}", b"[" * 3000, b'{"a":' * 500, b"{0}", b"{flow}",
    b"%s", b'{"id_token":{"acr":{"essential":true,"values":5}}}', b"../../etc/passwd", b"a" * 300, b"a" * 3000,
    b"\r\n", b"\x1b[2J", "\ufdfa".encode() * 20, b"ac_", b"at_", b"rt_", b"ac_" + b"A" * 43, b"at_" + b"\xff",
    b"..", b"a.b.c", b"e30.e30.e30", b"query", b"fragment", b"form_post", b"none", b"login", b"select_account",
    b"consent", b"S256", b"plain", b"code", b"token", b"openid", b"offline_access openid email",
    b"http://127.0.0.1:1/cb", "http://127.0.0.1:\uff11/cb".encode(), b"javascript:alert(1)", b"https://[::1",
    b"http://\xc3\xa9/", b"//x", b"2001:db8::1", b"DOMAIN/user", b"PRIMARY/", b"/", b"authorization_code",
    b"refresh_token", b"client_credentials", b"cancel", b"allow", b"deny", b"logout", b"yes",
)  # fmt: skip

NAMES = (
    "client_id", "client_secret", "grant_type", "code", "code_verifier", "redirect_uri", "scope", "state", "nonce",
    "response_type", "response_mode", "prompt", "max_age", "claims", "id_token_hint", "login_hint", "ui_locales",
    "acr_values", "code_challenge", "code_challenge_method", "token", "token_type_hint", "refresh_token",
    "access_token", "csrf_token", "username", "password", "remember", "action", "account", "decision", "end_session",
    "revoke_application", "post_logout_redirect_uri", "notice", "request", "request_uri", "registration", "resource",
)  # fmt: skip


@dataclass(frozen=True)
class Known:
    """Real values, so that requests get past the first check: what goes wrong lies behind it."""

    values: tuple[bytes, ...]
    flow: str
    cookies: bytes
    basic: bytes


@pytest.fixture(scope="module")
def known(target: Target) -> Known:
    site, pkce = target.site, Pkce()
    browser = target.browser
    page = browser.get(site.authorize_url(target.client, prompt="login"))
    flow = urlsplit(page.url).path.rpartition("/")[2]
    account = browser.get(f"{site.base}/account").text
    values = (
        target.client.client_id, str(target.client.secret), target.client.redirect_uri, target.opaque,
        target.access_token, target.id_token, target.refresh_token, target.person.username, target.person.password,
        site.code(target.client, target.person, **pkce.parameters), pkce.verifier, pkce.challenge, flow,
        claims_of(target.id_token)["sid"], account.split('name="csrf_token" value="')[1].split('"')[0],
        page.text.split('name="csrf_token" value="')[1].split('"')[0],
    )  # fmt: skip
    cookies = "; ".join(f"{name}={value}" for name, value in raw_cookies(browser).items())
    pair = f"{target.client.client_id}:{target.client.secret}".encode()
    return Known(tuple(value.encode() for value in values), flow, cookies.encode(), b"Basic " + base64.b64encode(pair))


def _jwts() -> st.SearchStrategy[bytes]:
    """Headers of any type under the names that are read, with signatures of nobody."""
    member = st.sampled_from(["alg", "typ", "kid", "crit", "jwk", "cty", "b64"])
    value = st.sampled_from([None, True, 0, "", "RS256", "ES256", "none", "JWT", "at+jwt", [], ["JWT"], {}, {"a": 1}])
    header = st.dictionaries(member, value, max_size=5).map(lambda members: json.dumps(members).encode())
    return st.tuples(header | st.binary(max_size=20), st.binary(max_size=20), st.binary(max_size=70)).map(
        lambda parts: b".".join(base64.urlsafe_b64encode(each).rstrip(b"=") for each in parts)
    )


class Garbage:
    """Strategies, built once: what a request is put together from."""

    def __init__(self, known: Known, origin: bytes) -> None:
        text = st.text(max_size=40).map(lambda text: text.encode("utf-8", "replace"))
        real, hostile = st.sampled_from(known.values), st.sampled_from(HOSTILE)
        self.value: st.SearchStrategy[bytes] = st.one_of(
            real, real, real, hostile, hostile, st.binary(max_size=40), text, _jwts()
        )
        self.encoded = self.value.map(lambda value: quote_from_bytes(value).encode())
        self.segment = st.one_of(st.just(known.flow.encode()), self.value.map(lambda value: value[:400])).map(
            lambda value: quote_from_bytes(value).encode()
        )
        self.headers = self._headers(known, origin)
        self._pairs: dict[str, st.SearchStrategy[bytes]] = {}

    def pairs(self, route: Route) -> st.SearchStrategy[bytes]:
        """A query or form: mostly names that this route reads, mostly encoded as they should be."""
        if route.name not in self._pairs:
            own = [name.rstrip("*").encode() for name in route.parameters] or [b"x"]
            name = st.sampled_from([*own * 3, *(name.encode() for name in NAMES), b"", b"\xff", b"%00"])
            pair = st.tuples(name, st.one_of(self.encoded, self.encoded, self.encoded, self.value))
            self._pairs[route.name] = st.lists(pair, max_size=9).map(
                lambda pairs: b"&".join(name + b"=" + value for name, value in pairs)
            )
        return self._pairs[route.name]

    def _headers(self, known: Known, origin: bytes) -> st.SearchStrategy[list[bytes]]:
        own = [known.basic, b"Bearer " + known.values[3], b"Bearer " + known.values[4]]
        whole = [
            *(b"Authorization: " + credential for credential in own), b"Cookie: " + known.cookies,
            b"Cookie: " + known.cookies, b"Origin: " + origin, b"Sec-Fetch-Site: same-origin",
        ]  # fmt: skip
        begun = [
            b"Authorization: Bearer ", b"Authorization: Basic ", b"Authorization: ", b"Cookie: ", b"Origin: ",
            b"Cookie: __Host-flow-" + known.flow.encode() + b"=", b"Accept-Language: ", b"Accept: text/html,",
            b"User-Agent: ", b"X-Forwarded-For: ", b"traceparent: 00-", b"Accept-Encoding: gzip", b"X: ",
        ]  # fmt: skip
        pair = st.tuples(self.value, self.value).map(lambda two: base64.b64encode(b":".join(two)))
        line = st.one_of(
            st.sampled_from(whole), st.sampled_from(whole),
            st.tuples(st.sampled_from(begun), self.value).map(b"".join),
            pair.map(lambda encoded: b"Authorization: Basic " + encoded),
        )  # fmt: skip
        return st.lists(line.map(lambda line: line.replace(b"\r", b"").replace(b"\n", b"")), max_size=5)


CONTENT_TYPES = (
    b"application/x-www-form-urlencoded", b"application/x-www-form-urlencoded",
    b"application/x-www-form-urlencoded; charset=x", b"application/json", b"multipart/form-data; boundary=x", b"\xff",
)  # fmt: skip


@pytest.fixture(scope="module")
def table(in_process_server: InProcessServer) -> dict[str, Route]:
    """Every route there is: a new one is tried without a word here."""
    return {route.name: route for route in in_process_server.server.app.routes}


def assert_no_failure(answer: Answer, request: bytes) -> None:
    assert answer.status in FINE, (answer.head[:300], request[:2000])
    assert b"Traceback" not in answer.body
    assert b"server_error" not in answer.body


@pytest.mark.parametrize(("method", "count"), [("GET", 25), ("POST", 100), ("HEAD", 5), ("OPTIONS", 5)])
def test_every_route(target: Target, known: Known, table: dict[str, Route], method: str, count: int) -> None:
    parts = urlsplit(target.site.base)
    garbage = Garbage(known, f"{parts.scheme}://{parts.netloc}".encode())
    tried: Counter[str] = Counter()
    statuses: Counter[int] = Counter()
    chosen = [route for route in table.values() if method in route.methods or method in ("HEAD", "OPTIONS")]

    def request(data: st.DataObject, route: Route) -> bytes:
        path = parts.path.encode() + route.path.partition("{")[0].encode()
        if "{" in route.path:
            path += data.draw(garbage.segment)
        query = data.draw(garbage.pairs(route)) if method != "POST" or data.draw(st.booleans()) else b""
        body = data.draw(garbage.pairs(route)) if method == "POST" else b""
        lines = [
            method.encode() + b" " + path + (b"?" + _target_safe(query) if query else b"") + b" HTTP/1.1",
            b"Host: " + parts.netloc.encode(), *data.draw(garbage.headers), b"Connection: close",
        ]  # fmt: skip
        if method == "POST":
            lines += [b"Content-Type: " + data.draw(st.sampled_from(CONTENT_TYPES)), b"Content-Length: %d" % len(body)]
        return b"\r\n".join(lines) + b"\r\n\r\n" + body

    @settings(examples, max_examples=count)
    @given(st.data())
    def throw(data: st.DataObject) -> None:
        for route in some:
            tried[route.name] += 1
            thrown = request(data, route)
            answer = exchange(target.site.server, thrown)
            statuses[answer.status] += 1
            assert_no_failure(answer, thrown)

    for start in range(0, len(chosen), ROUTES_AT_ONCE):
        some = chosen[start : start + ROUTES_AT_ONCE]
        throw()
    print(method, dict(statuses))
    assert min(tried.values()) >= min(count, EXAMPLES)
    assert len(statuses) > 2 or method in ("HEAD", "OPTIONS")


def _target_safe(query: bytes) -> bytes:
    """Without what would end the request line; the rest may be as wrong as it likes."""
    return query.replace(b" ", b"+").replace(b"\r", b"").replace(b"\n", b"")[:8000]


@pytest.mark.parametrize(
    ("method", "path", "names"),
    [
        ("GET", "/oauth2/authorize", (
            "client_id", "response_type", "redirect_uri", "scope", "state", "nonce", "response_mode", "code_challenge",
            "code_challenge_method", "prompt", "max_age", "login_hint", "id_token_hint", "acr_values", "ui_locales",
            "claims",
        )),
        ("GET", "/oidc/logout", ("id_token_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales")),
        ("POST", "/oauth2/token", ("grant_type", "code", "redirect_uri", "code_verifier", "refresh_token", "scope")),
        ("POST", "/oauth2/introspect", ("token", "token_type_hint")),
        ("POST", "/oauth2/revoke", ("token", "token_type_hint")),
        ("POST", "/oauth2/userinfo", ("access_token",)),
    ],
)  # fmt: skip
def test_a_good_request_with_one_thing_wrong(target: Target, method: str, path: str, names: tuple[str, ...]) -> None:
    """Every hostile value in the place of each parameter, with everything around it right."""
    good = {
        "client_id": target.client.client_id, "response_type": "code", "redirect_uri": target.client.redirect_uri,
        "scope": "openid", "prompt": "none", "grant_type": "authorization_code", "id_token_hint": target.id_token,
    }  # fmt: skip
    cookies = "; ".join(f"{name}={value}" for name, value in raw_cookies(target.browser).items())
    headers = {"Cookie": "" if path == "/oidc/logout" else cookies}
    if method == "POST":
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    if path in ("/oauth2/token", "/oauth2/introspect", "/oauth2/revoke"):
        headers["Authorization"] = basic(target.client.client_id, str(target.client.secret))
    for name in names:
        rest = {key: value for key, value in good.items() if key in names and key != name}
        if name in ("refresh_token", "scope"):
            rest["grant_type"] = "refresh_token"
        for hostile in HOSTILE:
            query = "&".join([urlencode(rest), f"{name}={quote_from_bytes(hostile)}"])
            if method == "GET":
                answer = target.site.http.get(f"{path}?{query}", headers=headers)
            else:
                answer = target.site.http.post(path, content=query, headers=headers)
            assert answer.status_code in FINE, (name, hostile, answer.text[:300])
            assert "server_error" not in answer.text


CREDENTIALS = (
    b"Basic \xe9", b"Basic", b"Basic ", b"Basic =", b"Basic !!!!", b"Basic AA==", b"Basic " + b"A" * 9001,
    b"Basic " + base64.b64encode(b"a" * 5000 + b":b"), b"Bearer \xe9", b"Bearer a.b.\xe9", b"Bearer", b"Bearer  ",
    b"Digest x", b"DPoP x", b"bearer x", b"BASIC x", b"x", b"", b"Basic a, Basic b", b"Bearer " + b"." * 9000,
    b"Bearer at_\xff",
    *(
        b"Basic " + base64.b64encode(pair)
        for pair in (b"no colon", b":", b"a%00:b", b"a:%00", b"\xff:\xff", b"%zz:%")
    ),
)  # fmt: skip


@pytest.mark.parametrize("door", ["token", "introspect", "revoke", "userinfo"])
def test_credentials_of_any_kind(target: Target, door: str) -> None:
    parts = urlsplit(target.site.base)
    for credential in CREDENTIALS:
        head = (
            f"POST {parts.path}/oauth2/{door} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 7\r\nAuthorization: "
        )
        answer = exchange(target.site.server, head.encode() + credential + b"\r\n\r\ntoken=x")
        assert answer.status in (400, 401), (credential, answer.body)


@settings(examples, max_examples=200)
@given(junk=st.one_of(st.binary(max_size=200), st.text(max_size=80).map(str.encode)), ended=st.booleans())
def test_anything_at_all(target: Target, junk: bytes, ended: bool) -> None:
    """Not even HTTP."""
    request = b"GET " + junk + (b"\r\n\r\n\r\n" if ended else b" HTTP/1.1\r\n\r\n")
    answer = exchange(target.site.server, request.replace(b"HTTP/1.0", b"") + b"\r\nConnection: close\r\n\r\n")
    assert answer.status in FINE | {0}, request


@settings(examples, max_examples=60)
@given(data=st.data())
def test_a_login_with_any_name_and_password(target: Target, data: st.DataObject) -> None:
    """Past cookie, origin and form token: what people type."""
    typed = st.one_of(st.text(max_size=60), st.sampled_from([text.decode("utf-8", "replace") for text in HOSTILE]))
    browser = target.site.browser()
    page = browser.get(target.site.authorize_url(target.client))
    form = {"username": data.draw(typed), "password": data.draw(typed), "remember": data.draw(typed)}
    token = page.text.split('name="csrf_token" value="')[1].split('"')[0]
    form = {name: value.encode("utf-8", "replace").decode() for name, value in form.items()}
    answer = browser.post(page.url, form | {"csrf_token": token})
    assert answer.status in (400, 422), (answer, form)
