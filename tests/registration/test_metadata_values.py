"""Every value that client metadata can have and must not (RFC 7591 §2, §3.2.2)."""

import json
from dataclasses import fields
from typing import Any

import httpx
import pytest

from identity.domain.applications import Application, ApplicationId, ClientId
from identity.oauth2.clients.client_metadata import FIELDS, read_client_metadata, show_client_metadata
from tests.registration.registering import PATH, Office, administrators_office, initial_token, open_office
from tests.support.builders import CALLBACK, Site
from tests.support.receiver import Receiver, Reply

pytestmark = [pytest.mark.any_engine, pytest.mark.long]

KEY = {"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
       "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}  # fmt: skip
DEEP: Any = []
for _ in range(500):
    DEEP = [DEEP]


def test_every_name_has_a_field() -> None:
    known = {field.name for field in fields(Application)}
    assert {field.target for field in FIELDS} <= known
    assert len({field.name for field in FIELDS}) == len(FIELDS)


def test_what_is_shown_reads_the_same() -> None:
    application = Application(
        id=ApplicationId("1"),
        client_id=ClientId("c"),
        name="Notes",
        redirect_uris=(CALLBACK,),
        scopes=("openid", "email"),
        jwks=json.dumps({"keys": [KEY]}),
        default_max_age=5,
        response_types=("code id_token",),
        id_token_algorithm="ES256",
    )
    values = read_client_metadata(show_client_metadata(application))
    assert {name: getattr(application, name) for name in values} == values


@pytest.mark.spec("RFC 7591", "3.2.2")
@pytest.mark.parametrize(
    "redirect_uris",
    [
        "https://app.example/cb", [5], {"a": 1}, ["https://app.example/cb#f"], ["javascript:alert(1)"],
        ["JavaScript:alert(1)"], ["data:text/html,x"], ["http://app.example/cb"], ["https://u:p@app.example/cb"],
        ["https://*.app.example/cb"], ["//app.example/cb"], ["https://app.example/\u00e9"], ["https:///cb"],
        ["https://app.example/cb\\"], ["https://app.example/ cb"], ["https://[::1"], ["app.example"],
        ["https://app.example/cb", "vbscript:x"], ["https://app.example/" + "a" * 2048],
        [f"https://app.example/{number}" for number in range(101)], [],
    ],
)  # fmt: skip
def test_redirect_addresses(site: Site, redirect_uris: Any) -> None:
    response = open_office(site).register(redirect_uris=redirect_uris)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_redirect_uri")


@pytest.mark.spec("RFC 7591", "3.2.2")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("client_name", ""), ("client_name", "a" * 201), ("client_name", "a\u202eb"), ("client_name", ["Notes"]),
        ("client_name", {"en": "Notes"}), ("client_name", "a\nb"),
        ("grant_types", "authorization_code"), ("grant_types", ["authorization_code", "magic"]),
        ("grant_types", ["urn:ietf:params:oauth:grant-type:saml2-bearer"]), ("grant_types", [None]),
        ("response_types", ["code magic"]), ("response_types", ["token"]), ("response_types", ["code", "id_token"]),
        ("response_types", "code"),
        ("token_endpoint_auth_method", "password"), ("token_endpoint_auth_method", "private_key_jwt"),
        ("token_endpoint_auth_method", "tls_client_auth"), ("token_endpoint_auth_method", ["none"]),
        ("token_endpoint_auth_signing_alg", "RS1"), ("token_endpoint_auth_signing_alg", "none"),
        ("application_type", "mobile"),
        ("jwks", {"keys": "x"}), ("jwks", [KEY]), ("jwks", "{}"), ("jwks", {"keys": [KEY | {"d": "AA"}]}),
        ("jwks", {"keys": [{"kty": "oct", "k": "AAAA"}]}), ("jwks", {"keys": [KEY] * 51}),
        ("jwks_uri", "http://app.example/jwks"), ("jwks_uri", "https://127.0.0.1.example:22/jwks"),
        ("jwks_uri", "https://10.0.0.1/jwks"), ("jwks_uri", "https://169.254.169.254/latest"),
        ("jwks_uri", "https://2130706433/"), ("jwks_uri", "https://u@app.example/"), ("jwks_uri", "file:///etc/passwd"),
        ("logo_uri", "https://[::ffff:10.0.0.1]/logo"), ("logo_uri", "javascript:alert(1)"),
        ("logo_uri", "data:image/png;base64,AA"),
        ("client_uri", "javascript:alert(1)"), ("policy_uri", "data:text/html,x"), ("tos_uri", 5),
        ("backchannel_logout_uri", "https://192.168.0.1/"), ("backchannel_logout_uri", "https://app.example/#x"),
        ("frontchannel_logout_uri", "https://other.example/"), ("frontchannel_logout_uri", "javascript:alert(1)"),
        ("initiate_login_uri", "http://app.example/"), ("post_logout_redirect_uris", ["javascript:alert(1)"]),
        ("request_uris", ["https://10.0.0.1/r"]), ("request_uris", ["ftp://app.example/"]),
        ("sector_identifier_uri", "https://10.0.0.1/"), ("subject_type", "secret"),
        ("id_token_signed_response_alg", "none"), ("id_token_signed_response_alg", "HS256"),
        ("id_token_encrypted_response_alg", "RSA1_5"), ("id_token_encrypted_response_enc", "A128GCM"),
        ("id_token_encrypted_response_alg", "RSA-OAEP-256"), ("userinfo_signed_response_alg", "RS1"),
        ("request_object_signing_alg", "none"), ("authorization_signed_response_alg", "none"),
        ("default_max_age", -1), ("default_max_age", "60"), ("default_max_age", 1.5), ("default_max_age", True),
        ("default_max_age", 2**60), ("require_auth_time", "true"), ("contacts", "me"), ("contacts", ["a"] * 101),
        ("scope", ["openid"]), ("scope", "a\u00e9"), ("scope", 'a"b'), ("scope", "internal_dcr_create"),
        ("software_id", "a" * 2049), ("software_statement", 5),
        ("backchannel_token_delivery_mode", "push"), ("backchannel_token_delivery_mode", "ping"),
        ("backchannel_client_notification_endpoint", "https://172.16.0.1/"),
        ("authorization_details_types", "payment"), ("default_acr_values", DEEP),
    ],
)  # fmt: skip
def test_values(site: Site, name: str, value: Any) -> None:
    response = administrators_office(site).register(**{name: value})
    assert (response.status_code, response.json()["error"]) == (400, "invalid_client_metadata"), response.text
    description = response.json()["error_description"]
    assert name in description or str(value) in description


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", "application/json"), (b"[]", "application/json"), (b"null", "application/json"),
        (b'{"client_name": "a", "client_name": "b"}', "application/json"), (b"\xff{}", "application/json"),
        (b'{"default_max_age": NaN}', "application/json"), (b"[" * 60_000, "application/json"),
        (b'{"jwks": ' + b'{"a":' * 9000, "application/json"), (b'{"client_name": "\\ud800"}', "application/json"),
        (b'{"client_name": "\\u0000"}', "application/json"), (b"{}", "text/plain"),
        (b"redirect_uris=x", "application/x-www-form-urlencoded"), (b'{"default_max_age": 1e400}', "application/json"),
        ('{"client_name": "a"}'.encode("utf-16"), "application/json"),
    ],
)  # fmt: skip
def test_bodies(site: Site, body: bytes, content_type: str) -> None:
    office = open_office(site)
    response = office.site.http.post(PATH, content=body, headers={"Content-Type": content_type})
    assert (response.status_code, response.json()["error"]) == (400, "invalid_client_metadata")


def test_a_large_body(site: Site) -> None:
    office = open_office(site)
    assert office.register(client_name="a" * 70_000).status_code == 413


@pytest.mark.spec("OpenID Connect Dynamic Client Registration", "2")
@pytest.mark.parametrize(
    ("application_type", "uri", "fine"),
    [
        ("web", "https://app.example/cb", True), ("web", "https://localhost/cb", False),
        ("web", "http://localhost/cb", False), ("web", "https://127.0.0.1:8080/cb", False),
        ("web", "com.example.app:/cb", False), ("native", "com.example.app:/cb", True),
        ("native", "http://127.0.0.1/cb", True), ("native", "http://[::1]/cb", True),
        ("native", "http://app.example/cb", False),
    ],
)  # fmt: skip
def test_where_tokens_may_go(site: Site, application_type: str, uri: str, fine: bool) -> None:
    response = open_office(site).register(
        application_type=application_type,
        redirect_uris=[uri],
        grant_types=["implicit"],
        response_types=["id_token token"],
    )
    assert response.status_code == (201 if fine else 400)
    assert fine or response.json()["error"] == "invalid_redirect_uri"


@pytest.mark.spec("RFC 7591", "2.1")
@pytest.mark.parametrize(
    ("grant_types", "response_types", "fine"),
    [
        (["authorization_code"], ["code"], True),
        (["authorization_code", "implicit"], ["token code id_token"], True),
        (["implicit"], ["id_token"], True),
        (["implicit"], ["code"], False),
        (["authorization_code"], ["code id_token"], False),
        (["authorization_code"], ["none"], True),
    ],
)
def test_grant_and_response_types_fit(
    site: Site, grant_types: list[str], response_types: list[str], fine: bool
) -> None:
    response = open_office(site).register(grant_types=grant_types, response_types=response_types)
    assert response.status_code == (201 if fine else 400)


def test_a_redirect_address_may_have_a_query(site: Site) -> None:
    """Decision 25."""
    uris = ["https://app.example/cb?tenant=1&x=%20"]
    assert open_office(site).registered(redirect_uris=uris)["redirect_uris"] == uris


def test_the_order_of_words_means_nothing(site: Site) -> None:
    information = open_office(site).registered(
        grant_types=["authorization_code", "implicit"], response_types=["token code id_token", "code id_token token"]
    )
    assert information["response_types"] == ["code id_token token"]


@pytest.mark.spec("OpenID Connect Dynamic Client Registration", "5")
@pytest.mark.parametrize(
    ("reply", "fine"),
    [
        (Reply.json([CALLBACK, "https://other.example/cb"]), True),
        (Reply.json(["https://other.example/cb"]), False),
        (Reply.json([CALLBACK], status=404), False),
        (Reply.json({"redirect_uris": [CALLBACK]}), False),
        (Reply.json([CALLBACK, 5]), False),
        (Reply(200, b"not JSON"), False),
        (Reply(200, json.dumps([CALLBACK] + ["x" * 1000] * 100)), False),
        (Reply(302, b"", (("location", "/elsewhere"),)), False),
    ],
)
def test_the_sector_document_lists_every_redirect_address(
    site: Site, receiver: Receiver, reply: Reply, fine: bool
) -> None:
    uri = receiver.answer("/sector", reply)
    response = open_office(site).register(sector_identifier_uri=uri, subject_type="pairwise")
    assert response.status_code == (201 if fine else 400), response.text
    assert fine or response.json()["error"] == "invalid_client_metadata"
    assert receiver.at("/sector")
    assert not receiver.at("/elsewhere")


def test_a_browser_application_may_call_from_its_redirect_addresses(site: Site) -> None:
    """Decision 20."""
    open_office(site).registered(
        token_endpoint_auth_method="none", redirect_uris=["https://spa.example:8443/cb", "com.example:/cb"]
    )
    for origin, named in (("https://spa.example:8443", True), ("https://other.example", False)):
        answer = site.http.post("/oauth2/token", data={"grant_type": "x"}, headers={"Origin": origin})
        assert (answer.headers.get("access-control-allow-origin") == origin) is named


def test_an_allowed_scope_of_an_api_still_needs_a_role(site: Site) -> None:
    """The token allows the application; the person has to be allowed too."""
    from tests.oauth2.test_resource_metadata import an_api

    an_api(site, "https://notes.example/", "notes:read")
    office = Office(site).bearing(initial_token(site, scopes=("notes:read",)))
    information = office.registered(scope="openid notes:read notes:write")
    assert information["scope"] == "openid notes:read"
    stored = site.in_tenant(lambda a, t: a.configuration.load_application(t, information["client_id"]))
    assert stored is not None
    assert [(api.policy, api.scopes) for api in stored.authorized_apis] == [("RBAC", ("notes:read",))]


def test_errors_tell_nothing_of_the_inside(site: Site) -> None:
    response: httpx.Response = open_office(site).register(jwks={"keys": [{"kty": "RSA", "n": "!", "e": "AQAB"}]})
    assert response.json().keys() == {"error", "error_description"}
    assert "Traceback" not in response.text
