"""Attack row 34: whatever comes twice. Two readings of one request are refused (decision 24)."""

from urllib.parse import urlencode, urlsplit

import pytest

from tests.attacks.raw import exchange
from tests.attacks.targets import Target, basic, location_parameters, raw_cookies
from tests.support.builders import Pkce

pytestmark = [pytest.mark.any_engine, pytest.mark.long]

FORM = {"Content-Type": "application/x-www-form-urlencoded"}

AUTHORIZE = (
    "client_id", "response_type", "redirect_uri", "scope", "state", "nonce", "response_mode", "code_challenge",
    "code_challenge_method", "prompt", "max_age", "login_hint", "id_token_hint", "acr_values", "ui_locales", "claims",
    "display", "request", "request_uri", "dpop_jkt", "authorization_details", "registration", "unknown_parameter",
)  # fmt: skip
TOKEN = (
    "grant_type", "code", "redirect_uri", "code_verifier", "client_id", "client_secret", "refresh_token", "scope",
    "authorization_details", "unknown_parameter",
)  # fmt: skip


def _authorization(target: Target) -> dict[str, str]:
    return {
        "client_id": target.client.client_id, "response_type": "code", "redirect_uri": target.client.redirect_uri,
        "scope": "openid", "prompt": "none",
    }  # fmt: skip


@pytest.mark.spec("RFC 6749", "3.1")
@pytest.mark.parametrize("same", [True, False], ids=["same value", "two values"])
@pytest.mark.parametrize("name", AUTHORIZE)
def test_authorize(target: Target, name: str, same: bool) -> None:
    """Not even an error goes to an application that may not be the one meant."""
    values = _authorization(target)
    first = values.pop(name, "x")
    query = urlencode([*values.items(), (name, first), (name, first if same else first + "x")])
    cookies = "; ".join(f"{key}={value}" for key, value in raw_cookies(target.browser).items())
    answers = (
        target.site.http.get(f"/oauth2/authorize?{query}", headers={"Cookie": cookies}),
        target.site.http.post("/oauth2/authorize", content=query, headers=FORM),
    )
    for answer in answers:
        assert (answer.status_code, answer.headers.get("location")) == (400, None)
        assert 'id="error-page"' in answer.text


@pytest.mark.parametrize("name", AUTHORIZE)
def test_authorize_in_the_address_and_in_the_body(target: Target, name: str) -> None:
    values = _authorization(target) | {name: "x"}
    answer = target.site.http.post(f"/oauth2/authorize?{name}=y", data=values)
    assert (answer.status_code, answer.headers.get("location")) == (400, None)


@pytest.mark.spec("RFC 6749", "3.2")
@pytest.mark.parametrize("name", TOKEN)
def test_token(target: Target, name: str) -> None:
    site, pkce = target.site, Pkce()
    code = site.code(target.client, target.person, **pkce.parameters)
    form = {
        "grant_type": "authorization_code", "code": code, "redirect_uri": target.client.redirect_uri,
        "code_verifier": pkce.verifier, "client_id": target.client.client_id,
        "client_secret": str(target.client.secret),
    }  # fmt: skip
    body = urlencode([*form.items(), (name, form.get(name, "x")), *([(name, "x")] if name not in form else [])])
    answer = site.http.post("/oauth2/token", content=body, headers=FORM)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    # In the address too, and the code has not been used up by any of it.
    answer = site.http.post(f"/oauth2/token?{name}=x", data=form)
    assert answer.status_code == (400 if name != "unknown_parameter" else 200)
    if name != "unknown_parameter":
        assert site.http.post("/oauth2/token", data=form).status_code == 200


@pytest.mark.parametrize("door", ["introspect", "revoke"])
@pytest.mark.parametrize("name", ["token", "token_type_hint", "client_id", "client_secret", "unknown_parameter"])
def test_introspect_and_revoke(target: Target, door: str, name: str) -> None:
    client, secret = target.client.client_id, str(target.client.secret)
    form = {"token": target.opaque, "client_id": client, "client_secret": secret}
    extra = [(name, "x")] if name in form else [(name, "x"), (name, "x")]
    body = urlencode([*form.items(), *extra])
    answer = target.site.http.post(f"/oauth2/{door}", content=body, headers=FORM)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert target.site.userinfo(target.opaque).status_code == 200


@pytest.mark.parametrize(
    "name", ["id_token_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales", "unknown_parameter"]
)
def test_logout(target: Target, name: str) -> None:
    for method in ("GET", "POST"):
        pair = urlencode([(name, "x"), (name, "x")])
        answer = (
            target.site.http.get(f"/oidc/logout?{pair}") if method == "GET"
            else target.site.http.post("/oidc/logout", content=pair, headers=FORM)
        )  # fmt: skip
        assert (answer.status_code, answer.headers.get("location")) == (400, None)


@pytest.mark.parametrize("name", ["username", "password", "csrf_token", "action", "remember", "account"])
def test_a_login_form(target: Target, name: str) -> None:
    browser = target.site.browser()
    page = browser.get(target.site.authorize_url(target.client))
    token = page.text.split('name="csrf_token" value="')[1].split('"')[0]
    form = {"username": target.person.username, "password": target.person.password, "csrf_token": token}
    body = urlencode([*form.items(), (name, form.get(name, "x")), *([(name, "x")] if name not in form else [])])
    cookies = "; ".join(f"{key}={value}" for key, value in raw_cookies(browser).items())
    headers = FORM | {"Cookie": cookies, "Origin": target.site.server.base_url}
    answer = target.site.http.post(page.url, content=body, headers=headers)
    assert (answer.status_code, "set-cookie" in answer.headers) == (400, False)


class TestCredentials:
    @pytest.mark.parametrize("door", ["token", "introspect", "revoke"])
    def test_two_authorization_headers(self, target: Target, door: str) -> None:
        good = basic(target.client.client_id, str(target.client.secret))
        for second in (good, basic("x", "x"), f"Bearer {target.opaque}"):
            headers = [("Authorization", good), ("Authorization", second), *FORM.items()]
            answer = target.site.http.post(f"/oauth2/{door}", content="token=x", headers=headers)
            assert answer.status_code == 400
            assert answer.json()["error"] == "invalid_request"

    @pytest.mark.parametrize("door", ["token", "introspect", "revoke"])
    def test_two_ways_of_client_authentication(self, target: Target, door: str) -> None:
        client, secret = target.client.client_id, str(target.client.secret)
        for extra in ({"client_secret": secret}, {"client_id": "another"}, {"client_id": client, "client_secret": "x"}):
            answer = target.site.http.post(f"/oauth2/{door}", data={"token": "x"} | extra, auth=(client, secret))
            assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")

    @pytest.mark.spec("RFC 6749", "2.3.1")
    @pytest.mark.parametrize(
        ("door", "names"),
        [
            ("token", ("client_id", "client_secret", "code", "code_verifier", "refresh_token", "grant_type")),
            ("introspect", ("client_id", "client_secret", "token", "token_type_hint", "client_assertion")),
            ("revoke", ("client_id", "client_secret", "token", "token_type_hint", "client_assertion")),
        ],
    )
    def test_in_the_address(self, target: Target, door: str, names: tuple[str, ...]) -> None:
        """An address is logged by every proxy on the way."""
        for name in names:
            answer = target.site.http.post(f"/oauth2/{door}?{name}=x", data={"token": "x"}, auth=target.client.basic)
            assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request"), name

    def test_a_bearer_token_in_two_places(self, target: Target) -> None:
        site, header = target.site, {"Authorization": f"Bearer {target.opaque}"}
        in_form = site.http.post("/oauth2/userinfo", data={"access_token": target.opaque}, headers=header)
        in_address = site.http.get(f"/oauth2/userinfo?access_token={target.opaque}", headers=header)
        only_address = site.http.get(f"/oauth2/userinfo?access_token={target.opaque}")
        twice = site.http.get("/oauth2/userinfo", headers=[*header.items(), *header.items()])
        body = urlencode([("access_token", target.opaque)] * 2)
        form_twice = site.http.post("/oauth2/userinfo", content=body, headers=FORM)
        for answer in (in_form, in_address, only_address, twice, form_twice):
            assert answer.status_code == 400
            assert "sub" not in answer.json()


class TestHeaders:
    @pytest.mark.parametrize("name", ["Content-Type", "Content-Length", "Transfer-Encoding", "Host"])
    def test_twice(self, target: Target, name: str) -> None:
        parts = urlsplit(target.site.base)
        body = urlencode({"token": target.opaque})
        headers = {
            "Host": parts.netloc, "Content-Type": FORM["Content-Type"], "Content-Length": str(len(body)),
            "Authorization": basic(target.client.client_id, str(target.client.secret)), "Connection": "close",
        }  # fmt: skip
        other = {"Content-Type": "text/plain", "Content-Length": "1", "Transfer-Encoding": "chunked", "Host": "x"}[name]
        lines = [f"{key}: {value}" for key, value in headers.items()] + [f"{name}: {other}"]
        head = f"POST {parts.path}/oauth2/introspect HTTP/1.1\r\n" + "\r\n".join(lines)
        answer = exchange(target.site.server, f"{head}\r\n\r\n{body}".encode())
        assert answer.status in (400, 421)

    def test_a_cookie_that_comes_twice_is_nobodys(self, target: Target) -> None:
        """Which of the two is ours cannot be told."""
        name = f"__Host-sso-{target.site.handle}"
        value = target.browser.cookies.value(name)
        for header in (f"{name}={value}; {name}=x", f"{name}=x; {name}={value}", f"{name}={value}; {name}={value}"):
            answer = target.site.http.get("/account", headers={"Cookie": header})
            assert answer.headers["location"].endswith("/account/sign-in")

    @pytest.mark.parametrize("name", ["Origin", "Sec-Fetch-Site"])
    def test_two_origins_are_none(self, target: Target, name: str) -> None:
        value = {"Origin": target.site.server.base_url, "Sec-Fetch-Site": "same-origin"}[name]
        answer = target.site.http.post("/account", data={"x": "y"}, headers=[(name, value), (name, value)])
        assert answer.status_code == 403


@pytest.mark.parametrize(
    "claims",
    [
        '{"id_token":{"sub":{"value":"a"}},"id_token":{}}', '{"userinfo":{"email":null,"email":{"essential":true}}}',
    ],
)  # fmt: skip
def test_members_of_the_claims_parameter(target: Target, claims: str) -> None:
    url = target.site.authorize_url(target.client, claims=claims, prompt="none")
    assert location_parameters(target.site.http.get(url))["error"] == "invalid_request"
