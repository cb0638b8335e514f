"""Nothing crosses from one tenant to another: paths, keys, clients, people, codes and tokens."""

from collections.abc import Iterator

import httpx
import pytest

from identity.administration import tenants
from identity.domain.tenants import TenantSettings
from identity.errors import IdentityError
from tests.support.builders import Pkce, Site
from tests.support.server import RunningServer


@pytest.fixture
def other(server: RunningServer, site: Site) -> Iterator[Site]:
    made = Site(server, f"{site.handle}-b", TenantSettings())
    yield made
    made.close()


@pytest.mark.parametrize("kind", ["opaque", "jwt"])
def test_tokens_of_another_tenant(site: Site, other: Site, kind: str) -> None:
    client = site.application(access_token_type=kind)
    gateway = other.machine(may_introspect_any=True)
    tokens = site.tokens(client, site.jane)
    for name in ("access_token", "refresh_token", "id_token"):
        assert not other.is_active(gateway, tokens[name])
        other.http.post("/oauth2/revoke", data={"token": tokens[name]}, auth=gateway.basic)
    assert other.userinfo(tokens["access_token"]).status_code == 401
    assert site.is_active(client, tokens["access_token"])
    assert site.is_active(client, tokens["refresh_token"])


def test_clients_codes_and_refresh_tokens_of_another_tenant(site: Site, other: Site) -> None:
    preset = "x" * 40
    client = site.application(client_id="same", client_secret=preset)
    twin = other.application(client_id="same", client_secret=preset)
    stranger = site.application("Stranger")
    assert other.token(stranger, grant_type="refresh_token", refresh_token="rt_x").status_code == 401
    pkce = Pkce()
    code = site.code(client, site.jane, **pkce.parameters)
    assert other.redeem(twin, code, code_verifier=pkce.verifier).json()["error"] == "invalid_grant"
    tokens = site.redeem(client, code, code_verifier=pkce.verifier).json()
    assert other.refresh(twin, tokens["refresh_token"]).json()["error"] == "invalid_grant"
    assert site.refresh(client, tokens["refresh_token"]).status_code == 200


def test_people_of_another_tenant(site: Site, other: Site) -> None:
    page = other.browser().get(other.authorize_url(other.application()))
    assert page.submit("login-submit", username="jane", password=site.jane.password).status == 422


def test_a_session_of_another_tenant_in_the_same_browser(site: Site, other: Site) -> None:
    browser = site.browser()
    site.sign_in(site.application(), site.jane, browser=browser)
    assert other.jane
    assert browser.get(other.authorize_url(other.application())).has("login-submit")
    assert browser.get(f"{other.base}/account").has("login-submit")
    assert browser.get(f"{other.base}/oidc/logout").has("logged-out")
    assert browser.get(f"{site.base}/account").has("sessions")


def test_a_flow_of_another_tenant(site: Site, other: Site) -> None:
    browser = site.browser()
    page = browser.get(site.authorize_url(site.application()))
    flow = page.url.rpartition("/")[2]
    for path in (f"/login/{flow}", f"/consent/{flow}", f"/oauth2/authorize/{flow}"):
        assert browser.get(other.base + path).status == 410


def test_signing_keys_and_issuers_differ(site: Site, other: Site) -> None:
    def kids(place: Site) -> set[str]:
        return {key["kid"] for key in place.http.get("/oauth2/jwks").json()["keys"]}

    assert not kids(site) & kids(other)
    assert site.issuer != other.issuer


@pytest.mark.parametrize(
    "path", ["/t/nobody/", "/t/", "/t", "/t//oauth2/jwks", "/t/%2e%2e/oauth2/jwks", "/t/NOBODY/oauth2/jwks"]
)
def test_addresses_of_no_tenant(site: Site, path: str) -> None:
    assert httpx.get(site.server.base_url + path, trust_env=False).status_code == 404


@pytest.mark.parametrize("handle", ["", "UPPER", "a/b", "-a", "a-", "a b", "x" * 64, "ä", "a;b"])
def test_handles_that_cannot_be(site: Site, handle: str) -> None:
    with pytest.raises(IdentityError):
        site.administer(lambda a: tenants.create_tenant(a, handle))


def test_a_disabled_tenant_is_gone_and_comes_back(site: Site) -> None:
    client = site.machine()
    token = site.machine_token(client)
    site.administer(lambda a: tenants.set_tenant_enabled(a, site.handle, False))
    assert site.token(client, grant_type="client_credentials").status_code == 404
    site.administer(lambda a: tenants.set_tenant_enabled(a, site.handle, True))
    assert site.is_active(client, token)
