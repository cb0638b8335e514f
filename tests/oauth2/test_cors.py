"""Which other origins' scripts may read which answers (decision 20)."""

import httpx
import pytest

from tests.support.builders import Pkce, Site, response_parameters

pytestmark = [pytest.mark.any_engine, pytest.mark.long]

ORIGIN = "https://dashboard.example"
NONE = ["/oauth2/authorize", "/oauth2/introspect", "/oidc/logout", "/account", "/"]
REGISTERED = ["/oauth2/par", "/oauth2/token", "/oauth2/revoke", "/oauth2/userinfo"]
ANY = ["/oauth2/jwks", "/oauth2/token/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"]


def preflight(site: Site, path: str, origin: str) -> httpx.Response:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    return site.http.options(path, headers=headers)


def allowed(response: httpx.Response) -> str | None:
    assert "access-control-allow-credentials" not in response.headers
    origin: str | None = response.headers.get("access-control-allow-origin")
    return origin


@pytest.mark.parametrize("path", REGISTERED)
def test_registered_origins_may_call(site: Site, path: str) -> None:
    site.public_application(web_origins=(ORIGIN,))
    answer = preflight(site, path, ORIGIN)
    assert (answer.status_code, allowed(answer)) == (204, ORIGIN)
    assert "Authorization" in answer.headers["access-control-allow-headers"]
    assert "POST" in answer.headers["access-control-allow-methods"]
    called = site.http.post(path, data={"x": "y"}, headers={"Origin": ORIGIN})
    assert called.status_code in (400, 401)
    assert allowed(called) == ORIGIN
    assert called.headers["access-control-expose-headers"] == "WWW-Authenticate, DPoP-Nonce"
    assert "Origin" in called.headers["vary"]


@pytest.mark.parametrize("path", REGISTERED)
@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "https://dashboard.example.evil.example", "http://dashboard.example", ""]
)
def test_other_origins_may_not(site: Site, path: str, origin: str) -> None:
    site.public_application(web_origins=(ORIGIN,))
    assert allowed(preflight(site, path, origin)) is None
    assert allowed(site.http.post(path, data={"x": "y"}, headers={"Origin": origin})) is None


def test_an_origin_of_another_tenant(site: Site) -> None:
    site.public_application(web_origins=(ORIGIN,))
    answer = httpx.options(f"{site.server.base_url}/oauth2/token", headers={"Origin": ORIGIN}, trust_env=False)
    assert allowed(answer) is None


def test_an_origin_is_gone_with_its_application(site: Site) -> None:
    client = site.public_application(web_origins=(ORIGIN,))
    other = site.public_application(web_origins=(ORIGIN,))
    site.update(client, web_origins=())
    assert allowed(preflight(site, "/oauth2/token", ORIGIN)) == ORIGIN
    site.update(other, web_origins=())
    assert allowed(preflight(site, "/oauth2/token", ORIGIN)) is None


@pytest.mark.parametrize("path", ANY)
def test_discovery_and_keys_are_everybodys(site: Site, path: str) -> None:
    assert allowed(preflight(site, path, "https://anybody.example")) == "*"
    assert allowed(site.http.get(path, headers={"Origin": "https://anybody.example"})) == "*"
    assert allowed(site.http.get(path)) == "*"


@pytest.mark.parametrize("path", NONE)
def test_pages_and_introspection_are_nobodys(site: Site, path: str) -> None:
    site.public_application(web_origins=(ORIGIN,))
    assert allowed(preflight(site, path, ORIGIN)) is None
    for method in ("GET", "POST"):
        assert allowed(site.http.request(method, path, headers={"Origin": ORIGIN})) is None


def test_a_single_page_application_goes_the_whole_road(site: Site) -> None:
    client = site.public_application(web_origins=(ORIGIN,))
    pkce = Pkce()
    code = response_parameters(site.sign_in(client, site.jane, browser=site.browser(), **pkce.parameters))["code"]
    form = {
        "grant_type": "authorization_code", "code": code, "redirect_uri": client.redirect_uri,
        "code_verifier": pkce.verifier, "client_id": client.client_id,
    }  # fmt: skip
    token = site.http.post("/oauth2/token", data=form, headers={"Origin": ORIGIN})
    assert (token.status_code, allowed(token)) == (200, ORIGIN)
    headers = {"Origin": ORIGIN, "Authorization": f"Bearer {token.json()['access_token']}"}
    assert allowed(site.http.get("/oauth2/userinfo", headers=headers)) == ORIGIN
