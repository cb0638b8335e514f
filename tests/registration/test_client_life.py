"""The whole life of a registered client (RFC 7591, RFC 7592)."""

import pytest

from tests.registration.registering import (
    PATH,
    SCOPES,
    Office,
    administrators_office,
    initial_token,
    open_office,
    set_registration,
)
from tests.support.builders import CALLBACK, Client, Site, claims_of, response_parameters
from tests.support.in_process import TimedSite


@pytest.mark.spec("RFC 7591", "3.2.1")
def test_anybody_registers_where_the_tenant_is_open(site: Site) -> None:
    information = open_office(site).registered(
        client_name="Notes", scope="openid email", contacts=["a@app.example"], client_uri="https://app.example"
    )
    assert information.pop("client_id_issued_at") > 1_600_000_000
    client_id, secret = information.pop("client_id"), information.pop("client_secret")
    assert len(secret) >= 64
    assert information.pop("registration_access_token").startswith("ra_")
    assert information.pop("registration_client_uri") == f"{site.base}{PATH}/{client_id}"
    assert {name: value for name, value in information.items() if not name.startswith("ext_")} == {
        "client_secret_expires_at": 0,
        "redirect_uris": [CALLBACK],
        "grant_types": ["authorization_code"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "client_secret_basic",
        "application_type": "web",
        "client_name": "Notes",
        "client_uri": "https://app.example",
        "contacts": ["a@app.example"],
        "scope": "openid email",
        "subject_type": "public",
        "backchannel_token_delivery_mode": "poll",
        "require_auth_time": False,
        "require_signed_request_object": False,
        "require_pushed_authorization_requests": False,
        "tls_client_certificate_bound_access_tokens": False,
        "dpop_bound_access_tokens": False,
        "frontchannel_logout_session_required": False,
        "backchannel_logout_session_required": False,
        "backchannel_user_code_parameter": False,
        "token_type_extension": "JWT",
    }


@pytest.mark.spec("RFC 7591", "3.2.1")
def test_what_is_registered_signs_people_in(site: Site) -> None:
    information = open_office(site).registered(grant_types=["authorization_code", "refresh_token"], client_name="Notes")
    stored = site.in_tenant(lambda a, t: a.configuration.load_application(t, information["client_id"]))
    assert stored is not None
    client = Client(stored, information["client_secret"])
    page = site.sign_in(client, site.jane)
    assert page.has("consent-allow"), "people are asked about an application that nobody vouches for"
    code = response_parameters(page.submit("consent-allow"))["code"]
    tokens = site.redeem(client, code).json()
    assert claims_of(tokens["id_token"])["aud"] == client.client_id


@pytest.mark.spec("RFC 7591", "2")
def test_without_a_name_the_client_id_is_shown(site: Site) -> None:
    information = open_office(site).registered()
    assert information["client_name"] == information["client_id"]


@pytest.mark.spec("RFC 7591", "2")
def test_what_is_not_understood_is_ignored(site: Site) -> None:
    information = open_office(site).registered(**{"client_name#de": "Notizen", "x_unknown": {"a": [1]}})
    assert not information.keys() & {"client_name#de", "x_unknown"}


@pytest.mark.spec("RFC 7592", "2.1")
def test_a_client_reads_its_registration(site: Site) -> None:
    office = open_office(site)
    information = office.registered(client_name="Notes")
    response = office.of(information).read()
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    assert response.json() == information


@pytest.mark.spec("RFC 7592", "2.2")
def test_a_client_changes_its_registration(site: Site) -> None:
    office = open_office(site)
    information = office.registered(client_name="Notes", policy_uri="https://app.example/policy")
    own = office.of(information)
    changed = own.update(client_name="Notebook", redirect_uris=["https://app.example/other"])
    assert changed.status_code == 200
    assert changed.json()["client_name"] == "Notebook"
    assert changed.json()["redirect_uris"] == ["https://app.example/other"]
    assert changed.json()["client_secret"] == information["client_secret"]
    assert changed.json()["registration_access_token"] == information["registration_access_token"]
    assert "policy_uri" not in changed.json(), "what is left out is taken away"
    assert own.read().json() == changed.json()


@pytest.mark.spec("RFC 7592", "2.2")
def test_what_was_read_can_be_sent_back(site: Site) -> None:
    office = open_office(site)
    information = office.registered(client_name="Notes", jwks={"keys": []}, default_max_age=60, scope="openid")
    response = office.of(information).update(**information)
    assert (response.status_code, response.json()) == (200, information)


@pytest.mark.spec("RFC 7592", "2.2")
@pytest.mark.parametrize("client_id", [None, "another", 5])
def test_an_update_must_name_its_client(site: Site, client_id: object) -> None:
    office = open_office(site)
    response = office.of(office.registered()).update(client_id=client_id)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_client_metadata")


@pytest.mark.spec("RFC 7592", "2.2")
def test_a_client_cannot_choose_its_secret(site: Site) -> None:
    office = open_office(site)
    information = office.registered()
    own = office.of(information)
    assert own.update(client_secret="x" * 64).json()["error"] == "invalid_client_metadata"
    assert own.update(client_secret=information["client_secret"]).status_code == 200


def test_a_client_that_begins_to_need_a_secret_gets_one(site: Site) -> None:
    office = open_office(site)
    information = office.registered(token_endpoint_auth_method="none")
    assert "client_secret" not in information
    changed = office.of(information).update(token_endpoint_auth_method="client_secret_post").json()
    assert len(changed["client_secret"]) >= 64
    assert office.of(information).read().json() == changed


@pytest.mark.spec("RFC 7592", "2.3")
def test_a_deleted_client_is_gone_with_its_tokens(site: Site) -> None:
    office = administrators_office(site)
    information = office.registered(grant_types=["client_credentials"], redirect_uris=[])
    credentials = information["client_id"], information["client_secret"]
    token = site.http.post("/oauth2/token", data={"grant_type": "client_credentials"}, auth=credentials)
    gateway = site.machine(may_introspect_any=True)
    assert site.is_active(gateway, token.json()["access_token"])
    own = office.of(information)
    deleted = own.delete()
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert not site.is_active(gateway, token.json()["access_token"])
    again = site.http.post("/oauth2/token", data={"grant_type": "client_credentials"}, auth=credentials)
    assert again.json()["error"] == "invalid_client"
    assert own.read().status_code == 401
    assert own.delete().status_code == 401
    assert office.call("GET", f"/{information['client_id']}").status_code == 404


@pytest.mark.spec("RFC 7591", "3.1")
def test_an_initial_access_token_registers_as_often_as_it_says(site: Site) -> None:
    office = Office(site).bearing(initial_token(site, uses=2, scopes=("read",)))
    assert office.registered(scope="openid read write")["scope"] == "openid read"
    assert office.register(redirect_uris=["javascript:alert(1)"]).status_code == 400, "a refusal uses up nothing"
    office.registered()
    refused = office.register()
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_token")


def test_an_initial_access_token_ends(timed: TimedSite) -> None:
    office = Office(timed).bearing(initial_token(timed, uses=5, lifetime=60))
    office.registered()
    timed.clock.advance(61)
    assert office.register().status_code == 401


def test_an_initial_access_token_is_of_its_tenant(site: Site) -> None:
    """A token of the root tenant opens nothing here."""
    from identity.administration.registration_tokens import create_initial_access_token
    from identity.domain.registration import ANYBODY

    async def at_root(administration: object) -> str:
        root = await administration.tenant("root")  # type: ignore[attr-defined]
        return str(await create_initial_access_token(administration, root.tenant, ANYBODY, uses=1, lifetime=60))  # type: ignore[arg-type]

    assert Office(site).bearing(site.administer(at_root)).register().status_code == 401


def test_a_closed_tenant_takes_no_initial_access_token(site: Site) -> None:
    set_registration(site, "closed")
    office = Office(site).bearing(initial_token(site))
    assert office.register().status_code == 401


@pytest.mark.parametrize("rule", ["closed", "token"])
def test_nobody_registers_without_a_token_elsewhere(site: Site, rule: str) -> None:
    set_registration(site, rule)  # type: ignore[arg-type]
    response = Office(site).register()
    assert response.status_code == 401
    assert "www-authenticate" in response.headers


@pytest.mark.parametrize("scope", SCOPES)
def test_each_act_needs_its_scope(site: Site, scope: str) -> None:
    information = administrators_office(site).registered()
    office = Office(site, basic=site.machine(management_scopes=(scope,)).basic)
    place = f"/{information['client_id']}"
    document = {"client_id": information["client_id"], "redirect_uris": [CALLBACK]}
    answers = {
        "internal_dcr_create": office.register(),
        "internal_dcr_view": office.call("GET", place),
        "internal_dcr_update": office.call("PUT", place, document),
        "internal_dcr_delete": office.call("DELETE", place),
    }
    assert {name: response.status_code < 300 for name, response in answers.items()} == {
        name: name == scope for name in SCOPES
    }
    assert {response.status_code for name, response in answers.items() if name != scope} == {403}


def test_a_bearer_with_the_scope_is_an_administrator(site: Site) -> None:
    machine = site.machine(management_scopes=SCOPES)
    token = site.machine_token(machine, scope="internal_dcr_create")
    Office(site).bearing(token).registered(ext_application_token_lifetime=60)


def test_a_name_is_found(site: Site) -> None:
    office = administrators_office(site)
    information = office.registered(client_name="admin_1f_PRODUCTION")
    found = office.call("GET", "?client_name=admin_1f_PRODUCTION").json()
    assert found["client_id"] == information["client_id"]
    assert found["client_secret"] == information["client_secret"]
    assert office.call("GET", "?client_name=nobody").status_code == 404
    assert office.call("GET").status_code == 400
    assert Office(site).call("GET", "?client_name=nobody").status_code == 401


def test_rate_limit(site: Site) -> None:
    from dataclasses import replace

    from identity.domain.tenants import RateLimit

    site.change_settings(
        lambda settings: replace(
            settings, registration="open", registration_limit_address=RateLimit(count=2, seconds=3600)
        )
    )
    office = Office(site)
    answers = [office.register() for _ in range(3)]
    assert [response.status_code for response in answers] == [201, 201, 429]
    assert int(answers[2].headers["retry-after"]) > 0
    assert administrators_office(site).register().status_code == 201


def test_a_replaced_registration_token(site: Site) -> None:
    from identity.administration.registration_tokens import replace_registration_token

    office = administrators_office(site)
    information = office.registered()
    token = site.administer(lambda a: replace_registration_token(a, site.tenant, information["client_id"]))
    assert office.of(information).read().status_code == 401
    assert office.of(information | {"registration_access_token": str(token)}).read().status_code == 200


def test_a_browser_client_manages_itself(site: Site) -> None:
    """Decision 20: from an origin that an application registers, without cookies."""
    office = open_office(site)
    own = office.of(office.registered(token_endpoint_auth_method="none", redirect_uris=["https://spa.example/cb"]))
    path = f"{PATH}/{own.client_id}"
    for origin, allowed in (("https://spa.example", "https://spa.example"), ("https://evil.example", None)):
        headers = {"Origin": origin, "Access-Control-Request-Method": "PUT"}
        preflight = site.http.options(path, headers=headers)
        assert preflight.headers.get("access-control-allow-origin") == allowed
        assert ("PUT" in preflight.headers.get("access-control-allow-methods", "")) == (allowed is not None)
        bearer = {"Authorization": f"Bearer {own.office.token}"}
        answer = site.http.get(path, headers={"Origin": origin, **bearer})
        assert answer.headers.get("access-control-allow-origin") == allowed
