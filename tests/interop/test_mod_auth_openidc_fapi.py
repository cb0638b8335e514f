"""mod_auth_openidc with the strictest settings that its version 2.4.12 has; docs/clients.md names what it lacks."""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from joserfc.jwk import RSAKey

from identity.domain.tenants import RateLimit
from identity.storage.deliveries import list_deliveries
from tests.interop.two_origins import TwoOrigins
from tests.support.apache import Apache
from tests.support.authorization import header_of
from tests.support.builders import Client, Site, claims_of
from tests.support.client_site import ClientSite
from tests.support.waiting import eventually

Start = Callable[..., Client]

PRIVATE_KEY_JWT = {"token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "RS256"}
BY_VALUE = {
    "copy_and_remove_from_request": ["scope", "state", "nonce", "code_challenge", "code_challenge_method"],
    "copy_from_request": ["client_id", "response_type", "response_mode", "redirect_uri"],
    "crypto": {"sign_alg": "PS256"},
    "request_object_type": "request",
}

OVER_HTTP = {"response_types": ["code"], "initiate_login_uri": "https://app.example/protected/oidc"}
"""Metadata that it would register otherwise, and that an application on plain http may not."""


def quoted(value: dict[str, Any]) -> str:
    """JSON between the quotation marks of a directive."""
    return json.dumps(value).replace('"', '\\"')


class Keys:
    """Of the Apache: an RSA key, the only kind that its version takes from files, and the key set to register."""

    def __init__(self, folder: Path) -> None:
        self._key = RSAKey.generate_key(2048)
        (folder / "client.key").write_bytes(self._key.as_pem(private=True))
        (folder / "client.pub").write_bytes(self._key.as_pem(private=False))
        files = {"OIDCPublicKeyFiles": "client.pub", "OIDCPrivateKeyFiles": "client.key"}
        self.directives = "\n".join(f"{name} k1#{folder}/{file}" for name, file in files.items())

    @property
    def jwks(self) -> str:
        return json.dumps({"keys": [self._key.as_dict(private=False) | {"kid": "k1"}]})


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path)


@pytest.fixture
def start(site: Site, apache: Apache, application_site: ClientSite, keys: Keys) -> Start:
    """Registers the Apache with private_key_jwt and starts it."""

    def started(directives: str = "", **settings: Any) -> Client:
        registered = {"redirect_uris": (apache.redirect_uri,), "require_pkce": True, "jwks": keys.jwks}
        client = site.application("Behind Apache", **(registered | PRIVATE_KEY_JWT | settings))
        apache.start(
            discovery_url=f"{site.issuer}/.well-known/openid-configuration",
            client_id=client.client_id,
            application=application_site.origin,
            directives=f"{keys.directives}\nOIDCProviderTokenEndpointAuth private_key_jwt\n"
            f"OIDCResponseMode form_post\n{directives}",
        )
        return client

    return started


def check_in(site: Site, apache: Apache, application_site: ClientSite) -> dict[str, str]:
    """Sign in; the headers that the application sees."""
    page = TwoOrigins(site, apache).sign_in("/protected/page", site.jane)
    assert (page.status, page.url) == (200, f"{apache.base_url}/protected/page"), f"{page.text}\n{apache.output}"
    headers = application_site.wait_for("/protected/page").headers
    assert headers["oidc_claim_email"] == "jane@example.org"
    return headers


@pytest.mark.spec("RFC 7523", "2.2")
@pytest.mark.spec("OAuth 2.0 Form Post Response Mode", "2")
@pytest.mark.parametrize("algorithm", ["PS256", "ES256"])
def test_private_key_jwt_pkce_and_form_post(
    site: Site, apache: Apache, application_site: ClientSite, start: Start, algorithm: str
) -> None:
    start(
        f"OIDCIDTokenSignedResponseAlg {algorithm}\nOIDCUserInfoSignedResponseAlg {algorithm}",
        id_token_algorithm=algorithm,
        userinfo_signed_response_alg=algorithm,
    )
    check_in(site, apache, application_site)


@pytest.mark.spec("RFC 9101", "5")
def test_a_signed_request_by_value(site: Site, apache: Apache, application_site: ClientSite, start: Start) -> None:
    start(f'OIDCRequestObject "{quoted(BY_VALUE)}"', request_object_signing_alg="PS256")
    browsers = TwoOrigins(site, apache)
    away = browsers.here.get("/protected/page")
    assert away.left_for is not None
    assert header_of(away.left_for.parameters["request"])["alg"] == "PS256"
    assert not {"nonce", "code_challenge"} & away.left_for.parameters.keys()
    assert {"nonce", "code_challenge"} <= claims_of(away.left_for.parameters["request"]).keys()
    check_in(site, apache, application_site)


@pytest.mark.spec("OpenID Connect Core", "3.3")
@pytest.mark.parametrize("response_type", ["code id_token", "code id_token token", "code token"])
def test_hybrid(site: Site, apache: Apache, application_site: ClientSite, start: Start, response_type: str) -> None:
    start(f'OIDCResponseType "{response_type}"', response_types=(response_type,), id_token_algorithm="PS256")
    check_in(site, apache, application_site)


@pytest.mark.spec("OpenID Connect Core", "12")
def test_refresh(site: Site, apache: Apache, application_site: ClientSite, start: Start) -> None:
    start("OIDCInfoHook access_token refresh_token")
    browsers = TwoOrigins(site, apache)
    assert browsers.sign_in("/protected/page", site.jane).status == 200, apache.output
    hook = "/protected/oidc?info=json"
    first = json.loads(browsers.here.get(hook).text)
    second = json.loads(browsers.here.get(f"{hook}&access_token_refresh_interval=0").text)
    assert second["access_token"] != first["access_token"]
    assert second["refresh_token"] != first["refresh_token"]


# Logout


def is_signed_in(browsers: TwoOrigins) -> bool:
    return browsers.here.get("/protected/page").left_for is None


@pytest.mark.spec("OpenID Connect Back-Channel Logout", "2.5")
def test_back_channel_logout(site: Site, apache: Apache, application_site: ClientSite, start: Start) -> None:
    start(backchannel_logout_uri=f"{apache.redirect_uri}?logout=backchannel")
    browsers = TwoOrigins(site, apache)
    browsers.sign_in("/protected/page", site.jane)
    assert is_signed_in(browsers)
    page = browsers.there.get(f"{site.base}/oidc/logout").submit("logout-confirm")
    assert page.status == 200
    delivered(site)
    assert not is_signed_in(browsers), apache.output


def delivered(site: Site) -> None:
    """Returns once the outbox has nothing left for the tenant."""

    def done() -> bool:
        rows = site.administer(lambda a: list_deliveries(a.database, site.tenant.id))
        return bool(rows) and all(row.delivered_at is not None for row in rows)

    eventually(done, "the logout token is delivered")


@pytest.mark.spec("OpenID Connect Front-Channel Logout", "3")
def test_front_channel_logout(site: Site, apache: Apache, application_site: ClientSite, start: Start) -> None:
    start("OIDCLogoutXFrameOptions ALLOWALL", frontchannel_logout_uri=f"{apache.redirect_uri}?logout=get")
    browsers = TwoOrigins(site, apache)
    browsers.sign_in("/protected/page", site.jane)
    page = browsers.there.get(f"{site.base}/oidc/logout").submit("logout-confirm")
    (frame,) = page.document.all("iframe")
    assert is_signed_in(browsers)
    assert browsers.here.get(frame.attributes["src"], from_site=browsers.there.base_url).status == 200
    assert not is_signed_in(browsers), apache.output


@pytest.mark.spec("OpenID Connect Session Management", "3")
def test_session_management(site: Site, apache: Apache, application_site: ClientSite, start: Start) -> None:
    """The module's frame posts what the server's frame compares; when that says `changed`, the module signs out."""
    client = start("OIDCResponseMode query")
    browsers = TwoOrigins(site, apache)
    browsers.sign_in("/protected/page", site.jane)
    frame = browsers.here.get("/protected/oidc?session=iframe_rp").text
    told = dict(re.findall(r"var (\w+) +=.*'(.*)';", frame))
    assert (told["targetOrigin"], told["clientId"]) == (site.server.base_url, client.client_id)

    def compared() -> bool:
        """OpenID Connect Session Management §3.2, as the server's frame does."""
        digest, salt = told["sessionId"].split(".")
        cookie = browsers.there.cookies.find(f"__Host-opbs-{site.handle}")
        state = cookie.value if cookie else ""
        text = f"{client.client_id} {apache.base_url} {state} {salt}"
        return bool(hashlib.sha256(text.encode()).hexdigest() == digest)

    assert compared()
    browsers.there.get(f"{site.base}/oidc/logout").submit("logout-confirm")
    assert not compared()


# Dynamic registration, and login started by somebody else


@pytest.mark.spec("OpenID Connect Dynamic Client Registration", "3.1")
@pytest.mark.spec("OpenID Connect Core", "4")
def test_it_registers_itself_and_somebody_else_starts_the_login(
    site: Site, apache: Apache, application_site: ClientSite, keys: Keys, reachable: Path
) -> None:
    site.change_settings(
        lambda settings: replace(
            settings, registration="open", registration_limit_address=RateLimit(count=0, seconds=1)
        )
    )
    metadata = site.http.get(f"{site.issuer}/.well-known/openid-configuration").text
    (reachable / f"{quote(site.issuer.partition('//')[2], safe='')}.provider").write_text(metadata)
    apache.start(
        application=application_site.origin,
        directives=f"OIDCMetadataDir {reachable}\n{keys.directives}\nOIDCClientName Apache\n"
        f'OIDCProviderRegistrationEndpointJson "{quoted(OVER_HTTP)}"\n'
        "OIDCIDTokenSignedResponseAlg PS256\nOIDCProviderTokenEndpointAuth private_key_jwt",
    )
    browsers = TwoOrigins(site, apache)
    target = f"{apache.base_url}/protected/page"
    away = browsers.here.get(f"/protected/oidc?iss={site.issuer}&target_link_uri={target}")
    assert away.left_for is not None, f"{away}\n{apache.output}"
    page = browsers.there.get(away.left_for.url, from_site=apache.base_url)
    page = page.submit("login-submit", username=site.jane.username, password=site.jane.password)
    if page.has("consent-allow"):
        page = page.submit("consent-allow")
    page = browsers.back(page)
    assert (page.status, page.url) == (200, target), apache.output
    assert application_site.wait_for("/protected/page").headers["oidc_claim_name"] == "Jane Doe"
