"""Attack row 17: tokens of another tenant, another audience, another kind."""

import secrets
from collections.abc import Iterator

import pytest

from identity.domain.tenants import TenantSettings
from tests.attacks.forging import Forge
from tests.attacks.targets import HINT_DOORS, TOKEN_DOORS, Target
from tests.support.builders import Pkce, Site, claims_of
from tests.support.server import RunningServer

DOORS = HINT_DOORS | TOKEN_DOORS


@pytest.fixture(scope="module")
def neighbour(server: RunningServer) -> Iterator[Target]:
    """The same person, application and password in another tenant of the same server."""
    site = Site(server, f"t{secrets.token_hex(6)}", TenantSettings())
    try:
        yield Target.made_in(site)
    finally:
        site.close()


def _tokens(target: Target) -> dict[str, str]:
    return {
        "access_token": target.opaque, "jwt": target.access_token, "id_token": target.id_token,
        "refresh_token": target.refresh_token,
    }  # fmt: skip


@pytest.mark.parametrize("door", DOORS)
def test_a_token_of_another_tenant(target: Target, neighbour: Target, door: str) -> None:
    """Zitadel CVE-2026-55669, Casdoor CVE-2026-9094. Both ways, and in the other's own tenant it is still good."""
    for here, there in ((target, neighbour), (neighbour, target)):
        assert [name for name, token in _tokens(there).items() if DOORS[door](here, token)] == []
    assert neighbour.site.is_active(neighbour.client, neighbour.access_token)


def test_the_codes_and_sessions_of_another_tenant(target: Target, neighbour: Target) -> None:
    pkce = Pkce()
    code = neighbour.site.code(neighbour.client, neighbour.person, **pkce.parameters)
    for site, client in ((target.site, target.client), (target.site, neighbour.client)):
        response = site.redeem(client, code, code_verifier=pkce.verifier)
        assert response.json()["error"] in ("invalid_grant", "invalid_client")
    assert neighbour.site.redeem(neighbour.client, code, code_verifier=pkce.verifier).status_code == 200
    cookie = neighbour.browser.cookies.value(f"__Host-sso-{neighbour.site.handle}")
    for name in (f"__Host-sso-{target.site.handle}", f"__Host-sso-{neighbour.site.handle}"):
        response = target.site.http.get("/account", headers={"Cookie": f"{name}={cookie}"})
        assert response.headers["location"].endswith("/account/sign-in")


def test_the_client_of_another_tenant(target: Target, neighbour: Target) -> None:
    """Its id and secret are nobody's here, at every door that takes them."""
    for door in ("token", "introspect", "revoke"):
        form = {"token": target.opaque, "grant_type": "client_credentials"}
        response = target.site.http.post(f"/oauth2/{door}", data=form, auth=neighbour.client.basic)
        assert (response.status_code, response.json()["error"]) == (401, "invalid_client")
    page = target.site.browser().get(target.site.authorize_url(neighbour.client))
    assert (page.status, page.left_for) == (400, None)


@pytest.mark.spec("RFC 9068", "4")
@pytest.mark.parametrize("kind", ["id_token", "refresh_token"])
def test_another_kind_of_token_is_no_access_token(target: Target, kind: str) -> None:
    token = _tokens(target)[kind]
    assert target.site.userinfo(token).status_code == 401
    if kind == "id_token":
        assert not target.site.is_active(target.client, token)


@pytest.mark.parametrize("kind", ["access_token", "jwt", "refresh_token"])
@pytest.mark.parametrize("door", HINT_DOORS)
def test_only_an_id_token_is_a_hint(target: Target, door: str, kind: str) -> None:
    assert not HINT_DOORS[door](target, _tokens(target)[kind])


def test_an_id_token_relabelled_as_an_access_token_needs_the_key(target: Target) -> None:
    """Even signed anew, it lacks what an access token has."""
    forge = Forge(target.site, target.id_token)
    assert not target.site.is_active(target.client, forge.resigned(typ="at+jwt"))
    assert target.site.userinfo(forge.resigned(typ="at+jwt")).status_code == 401


def test_every_jwt_says_what_it_is(target: Target) -> None:
    assert Forge(target.site, target.access_token).header["typ"] == "at+jwt"
    assert Forge(target.site, target.id_token).header["typ"] == "JWT"


class TestAudience:
    @pytest.mark.parametrize("kind", ["opaque", "jwt"])
    def test_who_may_ask_about_a_token(self, standing_site: Site, kind: str) -> None:
        """Its client, its audience and a gateway; to all others it does not exist (decision 5)."""
        site = standing_site
        resource = site.machine()
        owner = site.machine(access_token_type=kind, audiences=(resource.client_id,))
        stranger, gateway = site.machine(), site.machine(may_introspect_any=True)
        token = site.machine_token(owner)
        asked = {"owner": owner, "resource": resource, "gateway": gateway, "stranger": stranger}
        known = {name for name, client in asked.items() if site.is_active(client, token)}
        assert known == {"owner", "resource", "gateway"}

    def test_a_public_client_may_not_ask(self, standing_site: Site, target: Target) -> None:
        public = standing_site.public_application()
        response = standing_site.http.post(
            "/oauth2/introspect", data={"token": target.opaque, "client_id": public.client_id}
        )
        assert (response.status_code, response.json()["error"]) == (401, "invalid_client")

    @pytest.mark.parametrize("kind", ["opaque", "jwt"])
    def test_an_applications_own_token_is_nobodys_userinfo(self, standing_site: Site, kind: str) -> None:
        machine = standing_site.machine(access_token_type=kind, scopes=("openid", "read"))
        token = standing_site.machine_token(machine, scope="openid read")
        response = standing_site.userinfo(token)
        assert (response.status_code, response.json()["error"]) == (403, "insufficient_scope")

    def test_a_token_without_openid_is_nobodys_userinfo(self, target: Target) -> None:
        site, pkce = target.site, Pkce()
        code = site.code(target.client, target.person, scope="email", **pkce.parameters)
        token = site.redeem(target.client, code, code_verifier=pkce.verifier).json()["access_token"]
        assert site.userinfo(token).status_code == 403

    def test_another_client_redeems_and_revokes_nothing(self, target: Target) -> None:
        site, pkce, thief = target.site, Pkce(), target.site.application()
        code = site.code(target.client, target.person, **pkce.parameters)
        assert site.redeem(thief, code, code_verifier=pkce.verifier).json()["error"] == "invalid_grant"
        assert site.refresh(thief, target.refresh_token).json()["error"] == "invalid_grant"
        for token in (target.access_token, target.opaque, target.refresh_token):
            assert site.http.post("/oauth2/revoke", data={"token": token}, auth=thief.basic).status_code == 200
        assert site.is_active(target.client, target.refresh_token)
        assert site.userinfo(target.opaque).status_code == 200
        # The thief's try told the thief nothing and cost the owner nothing.
        assert site.redeem(target.client, code, code_verifier=pkce.verifier).status_code == 200

    def test_a_hint_for_another_application(self, target: Target) -> None:
        other = target.site.application()
        url = target.site.authorize_url(other, prompt="none", id_token_hint=target.id_token)
        assert target.browser.get(url).left_for is not None
        assert "error=invalid_request" in target.browser.get(url).left_for.url  # type: ignore[union-attr]
        response = target.site.http.get(
            "/oidc/logout", params={"id_token_hint": target.id_token, "client_id": other.client_id}
        )
        assert response.status_code == 400

    def test_a_hint_for_another_person(self, target: Target) -> None:
        """Nobody is signed in as whom the application means: never the other person's code."""
        site, bob = target.site, target.site.person("bob" + secrets.token_hex(3))
        client = target.client
        browser = site.browser()
        site.sign_in(client, bob, browser=browser)
        assert claims_of(target.id_token)["aud"] == client.client_id
        silent = browser.get(site.authorize_url(client, prompt="none", id_token_hint=target.id_token))
        assert silent.left_for is not None
        assert silent.left_for.parameters["error"] == "login_required"
        page = browser.get(site.authorize_url(client, id_token_hint=target.id_token))
        again = page.submit("login-submit", username=bob.username, password=bob.password)
        assert again.left_for is not None
        assert again.left_for.parameters["error"] == "login_required"
