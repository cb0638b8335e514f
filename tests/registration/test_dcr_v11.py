"""The DCR v1.1 door as the API Manager's connector calls it (wso2-contracts §7.2)."""

import base64
from typing import Any

import pytest

from tests.registration.registering import SCOPES, administrators_office
from tests.support.builders import CALLBACK, Site

CLIENT_ID = "vFMs7_Y_ih9t0exHL9nZUw7W5kwa"
SECRET = "zFGfMcMr8HF7EbxQlpVzszVu5RGpYrEfTpAKbfu4y4Qa"
"""Key and secret in the forms that the API Manager makes them."""

GENERATE: dict[str, Any] = {
    "client_name": "admin_7d0b1fd6-36f5-4ad5-a9cf-b5b9e1e0cc3e_PRODUCTION",
    "redirect_uris": [CALLBACK],
    "grant_types": ["authorization_code", "client_credentials", "refresh_token"],
    "ext_application_display_name": "Pizza shack",
    "ext_allowed_audience": "organization",
    "ext_application_token_lifetime": 900,
    "ext_user_token_lifetime": 1800,
    "ext_refresh_token_lifetime": 7200,
    "ext_id_token_lifetime": 600,
    "ext_pkce_mandatory": False,
    "ext_pkce_support_plain": False,
    "ext_public_client": False,
    "token_type_extension": "JWT",
}


def test_generating_keys(site: Site) -> None:
    information = administrators_office(site).registered(**GENERATE)
    assert GENERATE.items() <= information.items()
    assert information["client_secret_expires_at"] == 0
    assert information["ext_token_type"] == "JWT"
    assert None not in information.values()
    token = site.http.post(
        "/oauth2/token",
        data={"grant_type": "client_credentials"},
        auth=(information["client_id"], information["client_secret"]),
    ).json()
    assert token["expires_in"] == 900
    assert token["access_token"].count(".") == 2


def test_basic_credentials_as_its_http_client_sends_them(site: Site) -> None:
    user, password = site.machine(management_scopes=SCOPES).basic
    header = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    path = "/api/identity/oauth2/dcr/v1.1/register"
    response = site.http.post(
        path, json=GENERATE, headers={"Authorization": header, "Content-Type": "application/json;charset=UTF-8"}
    )
    assert response.status_code == 201


def test_an_application_without_a_callback(site: Site) -> None:
    metadata = {name: value for name, value in GENERATE.items() if name != "redirect_uris"}
    metadata["grant_types"] = ["client_credentials"]
    response = administrators_office(site).call("POST", "", metadata)
    assert (response.status_code, response.json()["redirect_uris"]) == (201, [])
    assert response.json()["response_types"] == []


def test_mapping_existing_keys(site: Site) -> None:
    """Preset key and secret; the connector then reads them and compares (decision 15)."""
    office = administrators_office(site)
    preset = GENERATE | {"ext_param_client_id": CLIENT_ID, "ext_param_client_secret": SECRET}
    information = office.registered(**preset)
    assert (information["client_id"], information["client_secret"]) == (CLIENT_ID, SECRET)
    read = office.call("GET", f"/{CLIENT_ID}")
    assert (read.status_code, read.json()["client_secret"]) == (200, SECRET)
    assert not {"ext_param_client_id", "ext_param_client_secret"} & read.json().keys()
    token = site.http.post("/oauth2/token", data={"grant_type": "client_credentials"}, auth=(CLIENT_ID, SECRET))
    assert token.status_code == 200


def test_updating_as_the_connector_does(site: Site) -> None:
    """It sends the key and the present secret along, and only what the person changed of the rest."""
    office = administrators_office(site)
    information = office.registered(**GENERATE)
    changed = {
        "client_id": information["client_id"],
        "client_secret": information["client_secret"],
        "client_name": GENERATE["client_name"],
        "grant_types": ["client_credentials"],
        "token_type_extension": "Default",
        "ext_application_display_name": "Pizza shack",
        "ext_allowed_audience": "organization",
    }
    response = office.call("PUT", f"/{information['client_id']}", changed)
    assert response.status_code == 200
    assert changed.items() <= response.json().items()
    assert response.json()["ext_application_token_lifetime"] == 900, "what is not sent stays"
    assert "registration_access_token" not in response.json()


def test_an_update_of_dcr_names_no_client(site: Site) -> None:
    office = administrators_office(site)
    information = office.registered(**GENERATE)
    response = office.call("PUT", f"/{information['client_id']}", {"grant_types": ["password"]})
    assert (response.status_code, response.json()["grant_types"]) == (200, ["password"])
    assert response.json()["client_name"] == GENERATE["client_name"]


def test_deleting(site: Site) -> None:
    office = administrators_office(site)
    place = f"/{office.registered(**GENERATE)['client_id']}"
    assert office.call("DELETE", place).status_code == 204
    assert office.call("GET", place).status_code == 404
    assert office.call("DELETE", place).status_code == 404


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_an_unknown_client_is_not_found(site: Site, method: str) -> None:
    document = {"client_id": "nobody"} if method == "PUT" else None
    assert administrators_office(site).call(method, "/nobody", document).status_code == 404


def test_the_owner(site: Site) -> None:
    office = administrators_office(site)
    assert office.basic is not None
    assert office.registered(ext_application_owner="alice")["ext_application_owner"] == "alice"
    assert office.registered()["ext_application_owner"] == office.basic[0]


def test_a_public_client(site: Site) -> None:
    office = administrators_office(site)
    information = office.registered(ext_public_client=True)
    assert information["token_endpoint_auth_method"] == "none"
    assert (information["ext_public_client"], information["ext_pkce_mandatory"]) == (True, True)
    assert "client_secret" not in information
    place = f"/{information['client_id']}"
    changed = office.call("PUT", place, {"redirect_uris": [CALLBACK], "ext_public_client": False}).json()
    assert changed["token_endpoint_auth_method"] == "client_secret_basic"
    assert changed["client_secret"]


def test_plain_pkce_is_taken_note_of_and_refused(site: Site) -> None:
    """Decision 7: the answer says what is registered."""
    assert administrators_office(site).registered(ext_pkce_support_plain=True)["ext_pkce_support_plain"] is False


def test_the_url_is_the_client_uri(site: Site) -> None:
    office = administrators_office(site)
    assert office.registered(url="https://app.example")["client_uri"] == "https://app.example"


def test_the_profile(site: Site) -> None:
    """Decision 25."""
    information = administrators_office(site).registered(
        ext_profile="fapi1_advanced",
        token_endpoint_auth_method="private_key_jwt",
        jwks_uri="https://app.example/jwks",
        dpop_bound_access_tokens=True,
    )
    assert information["ext_profile"] == "fapi1_advanced"


@pytest.mark.parametrize(
    ("metadata", "name"),
    [
        ({"ext_param_client_id": "a b"}, "ext_param_client_id"),
        ({"ext_param_client_id": "https://app.example/client"}, "ext_param_client_id"),
        ({"ext_param_client_id": "a" * 201}, "ext_param_client_id"),
        ({"ext_param_client_id": "a/b"}, "ext_param_client_id"),
        ({"ext_param_client_secret": "s" * 31}, "ext_param_client_secret"),
        ({"ext_param_client_secret": SECRET, "ext_public_client": True}, "ext_param_client_secret"),
        ({"ext_token_type": "jwt"}, "ext_token_type"),
        ({"ext_token_type": "JWT", "token_type_extension": "Default"}, "ext_token_type"),
        ({"ext_public_client": True, "token_endpoint_auth_method": "client_secret_post"}, "ext_public_client"),
        ({"ext_public_client": "true"}, "ext_public_client"),
        ({"ext_application_token_lifetime": 0}, "ext_application_token_lifetime"),
        ({"ext_application_token_lifetime": -1}, "ext_application_token_lifetime"),
        ({"ext_application_token_lifetime": True}, "ext_application_token_lifetime"),
        ({"ext_refresh_token_lifetime": 10**12}, "ext_refresh_token_lifetime"),
        ({"ext_allowed_audience": "everybody"}, "ext_allowed_audience"),
        ({"ext_profile": "fapi9"}, "ext_profile"),
        ({"ext_profile": "fapi2_security"}, "ext_profile"),
        ({"ext_application_display_name": "a\u202eb"}, "ext_application_display_name"),
    ],
)
@pytest.mark.any_engine
def test_what_is_refused(site: Site, metadata: dict[str, Any], name: str) -> None:
    response = administrators_office(site).register(**metadata)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_client_metadata")
    assert name in response.json()["error_description"]


def test_a_taken_client_id(site: Site) -> None:
    office = administrators_office(site)
    office.registered(ext_param_client_id=CLIENT_ID)
    response = office.register(ext_param_client_id=CLIENT_ID)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_client_metadata")


def test_the_name_people_see(site: Site) -> None:
    """wso2-contracts §7.2: programs make the name, people read the other one."""
    office = administrators_office(site)
    information = office.registered(**GENERATE)
    page = site.browser().get(
        f"{site.base}/oauth2/authorize?client_id={information['client_id']}&response_type=code&scope=openid"
        f"&redirect_uri={CALLBACK}"
    )
    assert "Pizza shack" in page.text
    assert "7d0b1fd6" not in page.text
