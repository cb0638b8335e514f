"""Client self-service that wants more than it may (attack rows 13, 14, 18 and 24)."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from tests.registration.registering import Office, administrators_office, initial_token, open_office, set_registration
from tests.support.builders import CALLBACK, Site, response_parameters
from tests.support.receiver import Receiver

pytestmark = pytest.mark.long

BEYOND: list[dict[str, Any]] = [
    {"grant_types": ["client_credentials"]},
    {"grant_types": ["authorization_code", "password"]},
    {"grant_types": ["urn:ietf:params:oauth:grant-type:token-exchange"]},
    {"grant_types": ["urn:ietf:params:oauth:grant-type:jwt-bearer"]},
    {"grant_types": ["urn:openid:params:grant-type:ciba"]},
    {"grant_types": ["urn:ietf:params:oauth:grant-type:device_code"]},
    {"authorization_details_types": ["payment"]},
    {"ext_application_token_lifetime": 999_999},
    {"ext_refresh_token_lifetime": 9_999_999},
    {"ext_allowed_audience": "application"},
    {"ext_application_owner": "admin"},
    {"ext_param_client_id": "chosen"},
    {"ext_param_client_secret": "s" * 64},
    {"scope": "internal_dcr_create"},
]
NOT_METADATA: dict[str, Any] = {
    "id": "1", "name": "Bank", "version": 99, "enabled": True, "kind": "agent", "skip_consent": True,
    "management_scopes": ["internal_dcr_create"], "may_introspect_any": True, "may_impersonate": True,
    "registered_by": "administrator", "registration_limits": None, "registration_token": "x", "secrets": [],
    "authorized_apis": [{"api": "1", "scopes": ["pay"]}], "audiences": ["https://api.example"], "live_claims": True,
    "access_token_claims": ["email"], "web_origins": ["https://evil.example"], "native_login": True,
    "user_access_token_lifetime": 1, "client_id": "chosen", "client_secret": "chosen", "client_secret_expires_at": 5,
    "client_id_issued_at": 1, "registration_access_token": "ra_chosen", "registration_client_uri": "https://evil.example",
}  # fmt: skip


@pytest.mark.parametrize("metadata", BEYOND)
@pytest.mark.any_engine
def test_row_24_nobody_registers_beyond_the_limits(site: Site, metadata: dict[str, Any]) -> None:
    response = open_office(site).register(**metadata)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_client_metadata")


@pytest.mark.parametrize("metadata", BEYOND)
def test_row_24_an_update_is_checked_as_a_registration_is(site: Site, metadata: dict[str, Any]) -> None:
    office = open_office(site)
    information = office.registered()
    own = office.of(information)
    response = own.update(**metadata)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_client_metadata")
    assert own.read().json() == information


@pytest.mark.parametrize(
    "metadata",
    [
        {"redirect_uris": ["javascript:alert(1)"]},
        {"redirect_uris": ["https://app.example/cb", "https://evil.example/#"]},
        {"token_endpoint_auth_method": "private_key_jwt"},
        {"jwks_uri": "https://10.0.0.1/"},
        {"id_token_signed_response_alg": "none"},
        {"application_type": "web", "grant_types": ["implicit"], "response_types": ["id_token"],
         "redirect_uris": ["http://localhost/cb"]},
    ],
)  # fmt: skip
def test_row_24_what_could_not_be_registered_cannot_become(site: Site, metadata: dict[str, Any]) -> None:
    office = open_office(site)
    own = office.of(office.registered())
    assert own.update(**metadata).status_code == 400


def test_row_24_scopes_do_not_widen(site: Site) -> None:
    office = Office(site).bearing(initial_token(site, scopes=("read",)))
    own = office.of(office.registered(scope="openid"))
    assert own.update(scope="openid read write admin").json()["scope"] == "openid read"
    open_one = open_office(site)
    assert open_one.of(open_one.registered()).update(scope="openid read").json()["scope"] == "openid"


def test_row_24_a_token_for_codes_only(site: Site) -> None:
    """What the initial access token did not allow cannot be got later, when it is long gone."""
    token = initial_token(site, grant_types=("authorization_code",), response_types=("code",))
    office = Office(site).bearing(token)
    own = office.of(office.registered())
    for metadata in (
        {"grant_types": ["authorization_code", "refresh_token"]},
        {"grant_types": ["implicit"], "response_types": ["id_token"]},
    ):
        assert own.update(**metadata).status_code == 400
    assert own.update(client_name="New").status_code == 200


def test_row_24_a_profile_is_not_left(site: Site) -> None:
    office = Office(site).bearing(initial_token(site, profile="fapi1_advanced"))
    strong = {
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks_uri": "https://app.example/jwks",
        "dpop_bound_access_tokens": True,
    }
    assert office.register().status_code == 400, "a secret is not enough for the profile"
    information = office.registered(**strong)
    assert information["ext_profile"] == "fapi1_advanced"
    own = office.of(information)
    assert own.update(**strong, ext_profile="").status_code == 400
    assert own.update(token_endpoint_auth_method="client_secret_basic").status_code == 400
    assert own.update(**strong).json()["ext_profile"] == "fapi1_advanced"


def test_row_24_what_an_administrator_made_grows_no_further(site: Site) -> None:
    office = administrators_office(site)
    own = office.of(office.registered(grant_types=["authorization_code"], scope="read"))
    assert own.update(grant_types=["authorization_code", "refresh_token"]).status_code == 400
    assert own.update(scope="read write").json()["scope"] == "read"
    changed = office.call(
        "PUT", f"/{own.client_id}", {"redirect_uris": [CALLBACK], "grant_types": ["authorization_code", "password"]}
    )
    assert changed.status_code == 200, "an administrator may"


def test_row_24_a_registration_token_is_its_clients_only(site: Site) -> None:
    office = open_office(site)
    one, other = office.registered(), office.registered()
    stolen = office.of(one | {"client_id": other["client_id"]})
    for response in (stolen.read(), stolen.update(), stolen.delete()):
        assert (response.status_code, response.json()["error"]) == (401, "invalid_token")
    assert office.of(other).read().status_code == 200


def test_row_24_and_of_its_tenant_only(site: Site) -> None:
    office = open_office(site)
    information = office.registered()
    path = f"/api/identity/oauth2/dcr/v1.1/register/{information['client_id']}"
    headers = {"Authorization": f"Bearer {information['registration_access_token']}"}
    assert httpx.get(site.server.base_url + path, headers=headers, trust_env=False).status_code == 401


def test_row_24_refusals_look_the_same(site: Site) -> None:
    """RFC 7592 §2.1: nobody learns from a wrong token which clients there are."""
    office = open_office(site)
    known = office.registered()
    wrong = office.bearing("ra_" + "A" * 43)
    answers = [wrong.call("GET", f"/{client_id}") for client_id in (known["client_id"], "nobody")]
    assert {(answer.status_code, answer.content) for answer in answers} == {(401, answers[0].content)}


def test_row_18_what_is_not_metadata_is_not_written(site: Site) -> None:
    office = open_office(site)
    plain, mixed = office.registered(client_name="Notes"), office.registered(**{"client_name": "Notes"} | NOT_METADATA)
    differing = {name for name in plain if plain[name] != mixed.get(name)} | (mixed.keys() - plain.keys())
    assert differing <= {
        "client_id", "client_secret", "registration_access_token", "registration_client_uri", "client_id_issued_at",
    }  # fmt: skip
    assert mixed["client_id"] != "chosen"
    read = [
        site.in_tenant(lambda a, t, id=each["client_id"]: a.configuration.load_application(t, id))  # type: ignore[misc]
        for each in (plain, mixed)
    ]
    own = {"id", "client_id", "secrets", "created_at", "registration_token"}
    assert all(
        getattr(read[0], name) == getattr(read[1], name)
        for name in type(read[0]).__dataclass_fields__
        if name not in own
    )


def test_row_14_an_initial_token_of_one_use_registers_one(site: Site) -> None:
    office = Office(site).bearing(initial_token(site, uses=1))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: office.register().status_code, range(16)))
    assert sorted(answers) == [201] + [401] * 15


def test_row_14_tokens_of_registration_are_good_for_nothing_else(site: Site) -> None:
    office = open_office(site)
    information = office.registered()
    initial = initial_token(site)
    client = site.application(grant_types=("authorization_code", "refresh_token"))
    tokens = site.tokens(client, site.jane)
    for token in (information["registration_access_token"], initial):
        assert site.userinfo(token).status_code == 401
        assert not site.is_active(client, token)
        assert site.refresh(client, token).json()["error"] == "invalid_grant"
        assert site.redeem(client, token).json()["error"] == "invalid_grant"
        site.http.post("/oauth2/revoke", data={"token": token}, auth=client.basic)
    assert office.of(information).read().status_code == 200, "revoking elsewhere did nothing to it"
    place = f"/{information['client_id']}"
    for token in (initial, tokens["access_token"], tokens["refresh_token"], tokens["id_token"]):
        assert office.bearing(token).call("GET", place).status_code in (401, 403)
    set_registration(site, "token")
    for token in (information["registration_access_token"], tokens["access_token"], tokens["refresh_token"]):
        assert office.bearing(token).register().status_code in (401, 403)


@pytest.mark.parametrize("asked", [False, True, None])
def test_row_24_the_tenants_pkce_rule_cannot_be_left(site: Site, asked: bool | None) -> None:
    """Decision 26: a registration may ask for more than the tenant's rule, never for less; nor may its update."""
    site.change_settings(lambda settings: replace(settings, require_pkce=True))
    office = open_office(site)
    information = office.registered(ext_pkce_mandatory=asked)
    assert office.of(information).update(ext_pkce_mandatory=False).status_code == 200
    request = {"client_id": information["client_id"], "redirect_uri": CALLBACK, "response_type": "code"}
    page = site.browser().get(f"{site.base}/oauth2/authorize?{urlencode(request)}")
    assert response_parameters(page)["error"] == "invalid_request"


@pytest.mark.parametrize(
    "field", ["jwks_uri", "logo_uri", "sector_identifier_uri", "backchannel_logout_uri", "initiate_login_uri"]
)
@pytest.mark.parametrize(
    "uri",
    [
        "https://169.254.169.254/latest/meta-data", "https://10.1.2.3/x", "https://192.168.1.1/x", "https://[fd00::1]/x",
        "https://[::ffff:169.254.169.254]/x", "https://2130706433/x", "https://0x7f000001/x", "https://127.1/x",
        "https://0177.0.0.1/x", "https://u:p@app.example/x", "https://app.example:22/x", "https://app.example\\@10.1.2.3/",
        "file:///etc/passwd", "gopher://app.example/", "ftp://app.example/", "https://",
    ],
)  # fmt: skip
@pytest.mark.any_engine
def test_row_13_addresses_of_inside(site: Site, field: str, uri: str) -> None:
    response = open_office(site).register(**{field: uri})
    if field == "initiate_login_uri" and response.status_code == 201:
        return  # a browser goes there, we never do
    assert (response.status_code, response.json()["error"]) == (400, "invalid_client_metadata")


def test_row_13_registering_calls_nobody(site: Site, receiver: Receiver) -> None:
    open_office(site).registered(
        jwks_uri=receiver.url("/jwks"),
        logo_uri=receiver.url("/logo"),
        backchannel_logout_uri=receiver.url("/logout"),
        client_uri=receiver.url("/home"),
        request_uris=[receiver.url("/request")],
    )
    assert receiver.received == []


@pytest.mark.parametrize(
    "credential",
    [
        lambda site, client: {"Authorization": "Bearer " + site.machine_token(site.machine())},
        lambda site, client: {"Authorization": "Bearer " + site.tokens(client, site.jane)["access_token"]},
        lambda site, client: {"Authorization": "Bearer"},
        lambda site, client: {"Authorization": "Basic AAAA"},
    ],
    ids=["a machine without the scope", "a person without a role", "empty", "malformed"],
)
def test_no_administrator(site: Site, credential: Callable[[Site, Any], dict[str, str]]) -> None:
    headers = credential(site, site.application())
    path = "/api/identity/oauth2/dcr/v1.1/register"
    response = site.http.post(path, json={"redirect_uris": [CALLBACK]}, headers=headers)
    assert response.status_code in (401, 403)


def test_a_registered_client_is_never_vouched_for(site: Site) -> None:
    """Its people are asked, whatever it says; and what its token carries is for itself."""
    office = open_office(site)
    information = office.registered(token_endpoint_auth_method="none", skip_consent=True)
    page = site.browser().get(
        f"{site.base}/oauth2/authorize?client_id={information['client_id']}&response_type=code&scope=openid"
        f"&redirect_uri={CALLBACK}&code_challenge={'a' * 43}&code_challenge_method=S256"
    )
    page = page.submit("login-submit", username=site.jane.username, password=site.jane.password)
    assert page.has("consent-allow")
