"""Clients whose id is the address of their metadata (draft-ietf-oauth-client-id-metadata-document)."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from identity.clock import SECOND
from identity.domain.applications import Application
from identity.domain.tenants import TenantSettings
from identity.messaging.guarded_client import Answer
from identity.oauth2.clients.client_metadata_documents import client_id_problem, lifetime_of
from tests.support.authority import Authority, server_context
from tests.support.browser import Page
from tests.support.builders import Pkce, Site, response_parameters
from tests.support.in_process import TimedSite
from tests.support.key_holder import KeyHolder, assertion_form
from tests.support.receiver import Receiver, Reply
from tests.support.server import Engine, start_server

pytestmark = pytest.mark.long

REDIRECT = "http://localhost:7777/callback"


@pytest.fixture(scope="module")
def trusting(
    engine: Engine, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Any, Receiver]]:
    """A server that trusts the authority of a receiver that speaks https."""
    folder = tmp_path_factory.mktemp("documents")
    authority = Authority()
    certificates = folder / "authority.pem"
    certificates.write_bytes(authority.certificate)
    receiver = Receiver(server_context(folder, authority.issue()))
    server = start_server(engine, request, folder, outbound_ca_file=str(certificates))
    try:
        yield server, receiver
    finally:
        server.stop()
        receiver.close()


@pytest.fixture
def https(trusting: tuple[Any, Receiver]) -> Receiver:
    return trusting[1]


@pytest.fixture
def site(trusting: tuple[Any, Receiver]) -> Iterator[Site]:
    import secrets

    made = Site(trusting[0], f"t{secrets.token_hex(6)}", TenantSettings(client_id_metadata_documents=True))
    try:
        yield made
    finally:
        made.close()


def publish(https: Receiver, site: Site, **metadata: Any) -> str:
    """Put the document of a client up; its client_id. None takes a member away."""
    path = f"/{site.handle}/client.json"
    document = {
        "client_id": https.url(path),
        "client_name": "Agent",
        "redirect_uris": [REDIRECT],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": "none",
    } | metadata
    return https.answer(path, Reply.json({name: value for name, value in document.items() if value is not None}))


def begin(site: Site, client_id: str, pkce: Pkce, **parameters: str) -> Page:
    from urllib.parse import urlencode

    values = {
        "client_id": client_id,
        "response_type": "code",
        "redirect_uri": REDIRECT,
        "scope": "openid",
        **pkce.parameters,
        **parameters,
    }
    return site.browser().get(f"{site.base}/oauth2/authorize?{urlencode(values)}")


def test_a_client_nobody_registered_signs_people_in(site: Site, https: Receiver) -> None:
    client_id, pkce = publish(https, site), Pkce()
    page = begin(site, client_id, pkce)
    assert page.element("identified-by").text.endswith(f"localhost:{https.port}")
    page = page.submit("login-submit", username=site.jane.username, password=site.jane.password)
    assert page.element("identified-by").text.endswith(f"localhost:{https.port}")
    code = response_parameters(page.submit("consent-allow"))["code"]
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": REDIRECT,
        "client_id": client_id,
        "code_verifier": pkce.verifier,
    }
    answer = site.http.post("/oauth2/token", data=form)
    assert answer.status_code == 200, answer.text
    again = {"grant_type": "refresh_token", "refresh_token": answer.json()["refresh_token"], "client_id": client_id}
    assert site.http.post("/oauth2/token", data=again).status_code == 200


def test_the_document_is_kept(site: Site, https: Receiver) -> None:
    client_id = publish(https, site)
    for _ in range(3):
        assert begin(site, client_id, Pkce()).has("login-submit")
    assert len(https.at(f"/{site.handle}/client.json")) == 1


def test_a_pushed_request(site: Site, https: Receiver) -> None:
    form = {
        "client_id": publish(https, site),
        "response_type": "code",
        "redirect_uri": REDIRECT,
        "scope": "openid",
        **Pkce().parameters,
    }
    assert site.http.post("/oauth2/par", data=form).status_code == 201


@pytest.mark.parametrize("by_value", [True, False])
def test_a_client_with_keys_authenticates_by_them(site: Site, https: Receiver, by_value: bool) -> None:
    key = KeyHolder("ES256")
    address = https.answer(f"/{site.handle}/jwks", Reply.json(json.loads(key.jwks)))
    keys = {"jwks": json.loads(key.jwks)} if by_value else {"jwks_uri": address}
    client_id = publish(https, site, token_endpoint_auth_method="private_key_jwt", **keys)
    request = {
        "client_id": client_id,
        "response_type": "code",
        "redirect_uri": REDIRECT,
        "scope": "openid",
        **Pkce().parameters,
    }
    assert site.http.post("/oauth2/par", data=request).json()["error"] == "invalid_client"
    wrong = assertion_form(KeyHolder("ES256").assertion(client_id, site.issuer), **request)
    assert site.http.post("/oauth2/par", data=wrong).json()["error"] == "invalid_client"
    signed = assertion_form(key.assertion(client_id, site.issuer), **request)
    assert site.http.post("/oauth2/par", data=signed).status_code == 201


def test_what_we_do_not_give_is_left_out(site: Site, https: Receiver) -> None:
    client_id = publish(
        https,
        site,
        grant_types=["authorization_code", "urn:ietf:params:oauth:grant-type:device_code", "client_credentials"],
        response_types=["code", "id_token"],
        scope="openid read",
        ext_application_token_lifetime=99,
        software_statement="x.y.z",
    )
    assert begin(site, client_id, Pkce()).has("login-submit")
    stored = site.in_tenant(lambda a, t: a.configuration.load_application(t, client_id))
    assert stored is not None
    assert (stored.grant_types, stored.response_types, stored.scopes) == (
        ("authorization_code",),
        ("code",),
        ("openid",),
    )
    assert (stored.registered_by, stored.application_access_token_lifetime) == ("metadata_document", 3600)
    assert stored.software_statement is None


def test_the_authentication_method_is_none_unless_named(site: Site, https: Receiver) -> None:
    client_id = publish(https, site, token_endpoint_auth_method=None)
    assert begin(site, client_id, Pkce()).has("login-submit")
    stored = site.in_tenant(lambda a, t: a.configuration.load_application(t, client_id))
    assert stored is not None
    assert stored.public


@pytest.mark.parametrize(
    "metadata",
    [
        {"client_id": "https://other.example/client.json"},
        {"client_id": None},
        {"client_secret": "s" * 64},
        {"client_secret_expires_at": 0},
        {"token_endpoint_auth_method": "client_secret_basic"},
        {"token_endpoint_auth_method": "client_secret_jwt"},
        {"token_endpoint_auth_method": "private_key_jwt"},
        {"token_endpoint_auth_method": "tls_client_auth"},
        {"redirect_uris": []},
        {"redirect_uris": ["javascript:alert(1)"]},
        {"redirect_uris": ["http://app.example/cb"]},
        {"grant_types": ["client_credentials"]},
        {"response_types": ["token"]},
        {"jwks_uri": "https://10.0.0.1/"},
        {"logo_uri": "https://169.254.169.254/"},
        {"client_name": "a\u202eb"},
        {"jwks": {"keys": [{"kty": "oct", "k": "AAAA"}]}},
    ],
)
@pytest.mark.any_engine
def test_documents_that_are_refused(site: Site, https: Receiver, metadata: dict[str, Any]) -> None:
    page = begin(site, publish(https, site, **metadata), Pkce())
    assert (page.status, page.has("error-page")) == (400, True)
    assert page.header("location") is None


@pytest.mark.parametrize(
    "reply",
    [
        Reply(404, "{}", (("content-type", "application/json"),)),
        Reply(302, "", (("location", "/elsewhere"),)),
        Reply(200, "{}", (("content-type", "text/html"),)),
        Reply(200, '{"a": 1, "a": 2}', (("content-type", "application/json"),)),
        Reply(200, "[" * 2000, (("content-type", "application/json"),)),
        Reply(200, " " * 20_000, (("content-type", "application/json"),)),
    ],
)
def test_answers_that_are_no_document(site: Site, https: Receiver, reply: Reply) -> None:
    client_id = https.answer(f"/{site.handle}/client.json", reply)
    assert begin(site, client_id, Pkce()).status == 400
    assert begin(site, client_id, Pkce()).status == 400
    assert len(https.at(f"/{site.handle}/client.json")) == 1, "a failure is remembered for a while"
    assert not https.at("/elsewhere")


def test_switched_off(site: Site, https: Receiver) -> None:
    site.change_settings(lambda settings: replace(settings, client_id_metadata_documents=False))
    page = begin(site, publish(https, site), Pkce())
    assert page.status == 400
    assert not https.at(f"/{site.handle}/client.json")


def test_a_disabled_one_stays_disabled(site: Site, https: Receiver) -> None:
    from identity.administration.applications import update_application

    client_id = publish(https, site)
    assert begin(site, client_id, Pkce()).has("login-submit")
    site.administer(lambda a: update_application(a, site.tenant, client_id, {"enabled": False}))
    assert begin(site, client_id, Pkce()).status == 400


def test_new_addresses_are_limited(site: Site, https: Receiver) -> None:
    from identity.domain.tenants import RateLimit

    site.change_settings(lambda settings: replace(settings, registration_limit_address=RateLimit(count=1, seconds=900)))
    assert begin(site, publish(https, site), Pkce()).has("login-submit")
    other = https.answer(f"/{site.handle}/other.json", Reply(404))
    assert begin(site, other, Pkce()).status == 429
    assert not https.at(f"/{site.handle}/other.json")


@pytest.mark.parametrize(
    "client_id",
    [
        "https://app.example", "http://app.example/c", "https://app.example/c#f", "https://u@app.example/c",
        "https://u:p@app.example/c", "https://app.example/a/../c", "https://app.example/./c",
        "https://app.example/%2e%2e/c", "https://app.example/a/%2E/c", "https://APP.example/c",
        "https://app.example:443/c", "https://app.example./c", "https://app.example\\@evil.example/c",
        "https://2130706433/c", "https:///c", "https://app.example/" + "a" * 1000, "https://app.ex\u00e4mple/c",
        "ftp://app.example/c",
    ],
)  # fmt: skip
def test_what_is_no_client_id_of_this_kind(client_id: str) -> None:
    assert client_id_problem(client_id)


@pytest.mark.parametrize("client_id", ["https://app.example/", "https://app.example:8443/client.json?v=1"])
def test_what_is_one(client_id: str) -> None:
    assert client_id_problem(client_id) is None


def test_discovery_says_so(site: Site) -> None:
    document = site.http.get("/oauth2/token/.well-known/oauth-authorization-server").json()
    assert document["client_id_metadata_document_supported"] is True


@pytest.mark.spec("RFC 9111", "5.2.2")
@pytest.mark.parametrize(
    ("cache_control", "seconds"),
    [
        ("", 300), ("max-age=600", 600), ("public, max-age=3600, immutable", 3600), ("Max-Age=600", 600),
        ("max-age=1", 300), ("max-age=0", 300), ("max-age=99999999", 86400), ("max-age=99999999999999", 300),
        ("no-store", 300), ("no-cache, max-age=7200", 300), ("s-maxage=900", 300), ("max-age=x", 300),
        ('max-age="900"', 900),
    ],
)  # fmt: skip
def test_how_long_a_document_is_good(cache_control: str, seconds: int) -> None:
    assert lifetime_of(cache_control) == seconds * SECOND


def test_it_is_read_again_when_its_time_is_over(timed: TimedSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """The application changes with its document and keeps its id; nothing is written while that stays the same."""
    timed.change_settings(lambda settings: replace(settings, client_id_metadata_documents=True))
    client_id = "https://agent.example/client.json"
    document = {"client_id": client_id, "client_name": "Agent", "redirect_uris": [REDIRECT]}
    fetched: list[str] = []

    async def fetch(url: str, **_: Any) -> Answer:
        fetched.append(url)
        headers = {"content-type": "application/json", "cache-control": "max-age=600"}
        return Answer(200, headers, json.dumps(document).encode())

    monkeypatch.setattr(timed._timed.server.parts.outbound, "fetch", fetch)

    def stored() -> Application:
        found = timed.in_tenant(lambda a, t: a.configuration.load_application(t, client_id))
        assert found is not None
        return found

    assert begin(timed, client_id, Pkce()).has("login-submit")
    first = stored()
    timed.clock.advance(599)
    begin(timed, client_id, Pkce())
    assert len(fetched) == 1
    timed.clock.advance(2)
    begin(timed, client_id, Pkce())
    assert len(fetched) == 2
    assert stored() == first
    document["client_name"] = "Renamed"
    timed.clock.advance(601)
    assert "Renamed" in begin(timed, client_id, Pkce()).text
    assert (stored().id, stored().version) == (first.id, first.version + 1)
    document["redirect_uris"] = ["javascript:alert(1)"]
    timed.clock.advance(601)
    assert begin(timed, client_id, Pkce()).status == 400
    assert stored().redirect_uris == (REDIRECT,)
