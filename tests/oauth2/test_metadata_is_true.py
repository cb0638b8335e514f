"""Whatever discovery names has a door that takes it, and what no door takes is not named (decision 2)."""

import json
from dataclasses import replace
from typing import Any

import pytest

from identity.domain.api_resources import ApiResource, ApiResourceId, DetailsType
from identity.domain.tenants import TenantSettings
from identity.ids import new_id
from identity.storage import api_resources, tenants
from identity.tokens.public_keys import PublicKeys
from tests.registration.registering import administrators_office
from tests.support.builders import CALLBACK, Client, Pkce, Site, claims_of, response_parameters
from tests.support.in_process import TimedSite

pytestmark = pytest.mark.long

OAUTH = "/oauth2/token/.well-known/oauth-authorization-server"
PREVIEW = ("id-jag", "identity_assertion", "agent")


def metadata_of(site: Site) -> dict[str, Any]:
    document: dict[str, Any] = site.http.get(OAUTH).json()
    return document


def test_each_grant_type_is_known_to_the_token_endpoint(site: Site) -> None:
    named = metadata_of(site)["grant_types_supported"]
    machine = site.machine()
    for grant_type in named:
        answer = site.token(machine, grant_type=grant_type).json()
        assert answer.get("error") != "unsupported_grant_type" or grant_type == "implicit", grant_type
    assert site.token(machine, grant_type="magic").json()["error"] == "unsupported_grant_type"


def test_each_grant_type_can_be_registered(site: Site) -> None:
    office = administrators_office(site)
    for grant_type in metadata_of(site)["grant_types_supported"]:
        assert office.register(grant_types=[grant_type], response_types=[]).status_code == 201, grant_type


def test_each_response_type_and_mode_answers(site: Site) -> None:
    document = metadata_of(site)
    client = site.application(
        response_types=tuple(document["response_types_supported"]),
        grant_types=tuple(document["grant_types_supported"]),
    )
    browser = site.browser()
    site.sign_in(client, site.jane, browser=browser, **Pkce().parameters)
    for response_type in document["response_types_supported"]:
        page = browser.get(
            site.authorize_url(client, response_type=response_type, nonce="n", prompt="none", **Pkce().parameters)
        )
        answer = response_parameters(page)
        assert "error" not in answer, response_type
        named = {"code": "code", "token": "access_token", "id_token": "id_token"}
        assert {named[word] for word in response_type.split() if word in named} <= answer.keys()
    for mode in document["response_modes_supported"]:
        page = browser.get(site.authorize_url(client, response_mode=mode, prompt="none", **Pkce().parameters))
        assert page.status in (200, 303), mode
        assert "response_mode is not supported" not in page.text


def test_each_authentication_method_can_be_registered(site: Site) -> None:
    office = administrators_office(site)
    for method in metadata_of(site)["token_endpoint_auth_methods_supported"]:
        keys = {"jwks_uri": "https://app.example/jwks"} if method == "private_key_jwt" else {}
        assert office.register(token_endpoint_auth_method=method, **keys).status_code == 201, method


@pytest.mark.parametrize(
    ("member", "field"),
    [
        ("id_token_signing_alg_values_supported", "id_token_signed_response_alg"),
        ("userinfo_signing_alg_values_supported", "userinfo_signed_response_alg"),
        ("authorization_signing_alg_values_supported", "authorization_signed_response_alg"),
        ("introspection_signing_alg_values_supported", "introspection_signed_response_alg"),
        ("request_object_signing_alg_values_supported", "request_object_signing_alg"),
    ],
)
def test_each_algorithm_can_be_registered(site: Site, member: str, field: str) -> None:
    office = administrators_office(site)
    for algorithm in metadata_of(site)[member]:
        assert office.register(**{field: algorithm}).status_code == 201, algorithm
    for algorithm in ("none", "HS256", "RS1"):
        assert office.register(**{field: algorithm}).status_code == 400


def test_each_signing_algorithm_signs(site: Site) -> None:
    office = administrators_office(site)
    for algorithm in metadata_of(site)["id_token_signing_alg_values_supported"]:
        information = office.registered(id_token_signed_response_alg=algorithm)
        stored = site.in_tenant(lambda a, t, id=information["client_id"]: a.configuration.load_application(t, id))  # type: ignore[misc]
        client = Client(stored, information["client_secret"])
        site.update(client, skip_consent=True)
        id_token = site.tokens(client, site.jane)["id_token"]
        keys = PublicKeys(site.http.get("/oauth2/jwks").json())
        header, _ = keys.verify(id_token, frozenset({algorithm}), frozenset({"JWT"}))
        assert header["alg"] == algorithm


def test_what_the_profile_endpoints_say(site: Site) -> None:
    """PAR, device and CIBA answer an application that may use them."""
    document = metadata_of(site)
    client = site.application(grant_types=tuple(document["grant_types_supported"]))
    form = {"response_type": "code", "redirect_uri": CALLBACK, "scope": "openid", "client_id": client.client_id}
    pushed = site.http.post(document["pushed_authorization_request_endpoint"], data=form, auth=client.basic)
    assert pushed.status_code == 201
    device = site.http.post(document["device_authorization_endpoint"], data={"scope": "openid"}, auth=client.basic)
    assert device.status_code == 200
    hint = {"scope": "openid", "login_hint": site.jane.username}
    asked = site.http.post(document["backchannel_authentication_endpoint"], data=hint, auth=client.basic)
    assert asked.status_code == 200


def test_what_is_a_setting_shows_with_it(timed: TimedSite) -> None:
    before = metadata_of(timed)
    assert not {"signed_metadata", "client_id_metadata_document_supported"} & before.keys()
    timed.change_settings(lambda settings: replace(settings, client_id_metadata_documents=True, signed_metadata=True))
    timed.clock.advance(2)
    after = metadata_of(timed)
    assert after["client_id_metadata_document_supported"] is True
    assert after.keys() - before.keys() == {"signed_metadata", "client_id_metadata_document_supported"}


@pytest.mark.spec("RFC 8414", "2.1")
def test_signed_metadata(site: Site) -> None:
    site.change_settings(lambda settings: replace(settings, signed_metadata=True))
    document = metadata_of(site)
    signed = document.pop("signed_metadata")
    keys = PublicKeys(site.http.get("/oauth2/jwks").json())
    header, claims = keys.verify(signed, frozenset({"RS256"}), frozenset({"JWT"}))
    assert header["kid"]
    assert claims == {"iss": site.issuer, **document}
    assert claims_of(signed)["issuer"] == site.issuer


@pytest.mark.spec("RFC 9396", "10")
def test_types_of_authorization_details(timed: TimedSite) -> None:
    assert "authorization_details_types_supported" not in metadata_of(timed)
    api = ApiResourceId(new_id())

    async def insert(database: Any) -> None:
        async with database.transaction() as transaction:
            resource = ApiResource(id=api, identifier="https://pay.example/", name="Pay")
            await api_resources.insert_api_resource(transaction, timed.tenant.id, resource)
            kind = DetailsType(type="payment", api=api, id=new_id())
            await api_resources.insert_details_type(transaction, timed.tenant.id, kind)
            await tenants.touch_tenant(transaction, timed.tenant.id)

    timed.administer(lambda a: insert(a.database))
    timed.clock.advance(2)
    assert metadata_of(timed)["authorization_details_types_supported"] == ["payment"]


def test_previews_stay_out(site: Site) -> None:
    """Decision 2, with the previews switched on."""
    site.change_settings(lambda settings: replace(settings, identity_assertions=True))
    text = json.dumps(metadata_of(site))
    assert not [word for word in PREVIEW if word in text]
    assert TenantSettings().identity_assertions is False
