"""Revocation events to an API manager (wso2-contracts §7.6, decision 9): each cause, for each type of token."""

import base64
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from identity.administration import applications, keys, notification_targets, users
from identity.errors import IdentityError
from identity.storage.notification_targets import list_notification_targets
from tests.support.builders import Client, Person, Site, claims_of
from tests.support.key_manager import NOTIFY, notified
from tests.support.receiver import Received, Receiver, Reply

KEY = {"username": "am-admin", "password": "am-secret:with-colon"}


@dataclass
class Place:
    """A tenant with a gateway, an application of one type of token, and a person signed in to it."""

    site: Site
    receiver: Receiver
    client: Client
    tokens: dict[str, Any]
    kind: str

    @property
    def person(self) -> Person:
        return self.site.jane

    @property
    def subject(self) -> str:
        return str(claims_of(self.tokens["id_token"])["sub"])

    def event(self, count: int = 1) -> dict[str, Any]:
        """The last of `count` events."""
        event: dict[str, Any] = self.receiver.wait_for(NOTIFY, count)[-1].json()
        return event

    def in_tenant(self, change: Callable[..., Any], *arguments: Any) -> None:
        self.site.in_tenant(lambda a, t: change(a, t, self.person.username, *arguments))


@pytest.fixture(params=["opaque", "jwt"])
def place(site: Site, receiver: Receiver, request: pytest.FixtureRequest) -> Place:
    notified(site, receiver.url(NOTIFY), **KEY)
    client = site.application(access_token_type=request.param)
    return Place(site, receiver, client, site.tokens(client, site.jane), request.param)


def revoke(place: Place, token: str) -> None:
    response = place.site.http.post("/oauth2/revoke", data={"token": token}, auth=place.client.basic)
    assert response.status_code == 200


def common(event: dict[str, Any], place: Place) -> None:
    uuid.UUID(event["eventId"])
    assert type(event["timeStamp"]) is int
    assert len(str(event["timeStamp"])) == 13, "milliseconds"
    assert event["properties"] == {}
    assert (event["tenantId"], event["tenantDomain"]) == (place.site.tenant.id, place.site.handle)


def test_a_client_revokes_an_access_token(place: Place) -> None:
    token = place.tokens["access_token"]
    revoke(place, token)
    event = place.event()
    common(event, place)
    assert event["type"] == "token_revocation"
    assert event["accessToken"] == (claims_of(token)["jti"] if place.kind == "jwt" else token)
    assert event["tokenType"] == ("JWT" if place.kind == "jwt" else "Default")
    assert (event["consumerKey"], event["user"]) == (place.client.client_id, "jane")
    if place.kind == "jwt":
        assert event["expiryTime"] == claims_of(token)["exp"] * 1000
    assert type(event["expiryTime"]) is int


def test_an_applications_own_token(site: Site, receiver: Receiver) -> None:
    notified(site, receiver.url(NOTIFY))
    machine = site.machine(access_token_type="jwt")
    token = site.machine_token(machine)
    site.http.post("/oauth2/revoke", data={"token": token}, auth=machine.basic)
    event = receiver.wait_for(NOTIFY)[0].json()
    assert (event["accessToken"], event["user"]) == (claims_of(token)["jti"], machine.client_id)


def ended_subject(place: Place, count: int = 1) -> None:
    event = place.event(count)
    common(event, place)
    assert event["type"] == "subject_entity_revocation_event"
    assert (event["entityId"], event["entityType"]) == (place.subject, "USER_ID")
    assert event["revocationTime"] >= event["timeStamp"] - 1000
    if place.kind == "jwt":
        # What the gateway compares: tokens issued before are refused there.
        assert claims_of(place.tokens["access_token"])["iat"] * 1000 <= event["revocationTime"]


def test_a_client_revokes_a_refresh_token(place: Place) -> None:
    """Its access tokens go with it, and are known by their hashes only: the event names the person."""
    revoke(place, place.tokens["refresh_token"])
    ended_subject(place)


def test_a_person_takes_an_applications_access_back(site: Site, receiver: Receiver) -> None:
    notified(site, receiver.url(NOTIFY))
    client = site.application(skip_consent=False)
    browser = site.browser()
    page = site.sign_in(client, site.jane, browser=browser)
    page.submit("consent-allow")
    account = browser.get(f"{site.base}/account")
    fields = {each.attributes.get("name"): each.attributes.get("value", "") for each in account.document.all("input")}
    pressed = {"csrf_token": fields["csrf_token"], "revoke_application": client.application.id}
    browser.post(f"{site.base}/account", pressed)
    assert receiver.wait_for(NOTIFY)[0].json()["type"] == "subject_entity_revocation_event"


def test_a_person_signs_out(place: Place) -> None:
    browser = place.site.browser()
    place.site.sign_in(place.client, place.person, browser=browser)
    browser.get(f"{place.site.base}/oidc/logout").submit("logout-confirm")
    ended_subject(place)


@pytest.mark.parametrize("how", ["password", "disabled", "deleted", "ended"])
def test_an_administrator_ends_a_persons_access(place: Place, how: str) -> None:
    subject = place.subject
    match how:
        case "password":
            place.in_tenant(users.set_password, "another one entirely")
        case "disabled":
            place.in_tenant(users.set_user_enabled, False)
        case "deleted":
            place.in_tenant(users.delete_user)
        case _:
            place.in_tenant(users.end_sessions)
    assert place.event()["entityId"] == subject
    ended_subject(place)


@pytest.mark.parametrize("what", ["code", "refresh token"])
def test_a_replay_ends_a_family(place: Place, what: str) -> None:
    site, client = place.site, place.client
    if what == "code":
        code = site.code(client, place.person)
        assert site.redeem(client, code).status_code == 200
        assert site.redeem(client, code).status_code == 400
    else:
        used = place.tokens["refresh_token"]
        successor = site.refresh(client, used).json()["refresh_token"]
        site.refresh(client, successor)
        assert site.refresh(client, used).status_code == 400
    ended_subject(place)


@pytest.mark.parametrize("how", ["disabled", "deleted", "secret"])
def test_an_application_ends(place: Place, how: str) -> None:
    site, client_id = place.site, place.client.client_id
    match how:
        case "disabled":
            site.update(place.client, enabled=False)
        case "deleted":
            site.administer(lambda a: applications.delete_application(a, site.tenant, client_id))
        case _:
            site.administer(lambda a: applications.add_client_secret(a, site.tenant, client_id))
    event = place.event()
    common(event, place)
    assert event["type"] == "consumer_app_revocation_event"
    assert event["consumerKey"] == client_id
    assert event["revocationTime"] >= event["timeStamp"] - 1000


def marker(place: Place) -> None:
    """One event that certainly comes; whatever came before it was sent before it."""
    other = place.site.machine()
    token = place.site.machine_token(other)
    place.site.http.post("/oauth2/revoke", data={"token": token}, auth=other.basic)


def only_the_marker(place: Place) -> None:
    place.receiver.wait_for(NOTIFY)
    assert [request.json()["type"] for request in place.receiver.at(NOTIFY)] == ["token_revocation"]


def test_a_renewal_tells_nothing_since_it_ends_nothing(place: Place) -> None:
    """Here the former access token is good until it expires, by introspection too."""
    answer = place.site.refresh(place.client, place.tokens["refresh_token"])
    assert answer.status_code == 200
    assert place.site.is_active(place.client, place.tokens["access_token"])
    marker(place)
    only_the_marker(place)


@pytest.mark.parametrize("what", ["unknown", "foreign", "twice", "secret with overlap", "enabled again"])
def test_what_ends_nothing_tells_nothing(place: Place, what: str) -> None:
    site, count = place.site, 1
    match what:
        case "unknown":
            revoke(place, "at_" + "x" * 43)
        case "foreign":
            other = site.application("Other")
            site.http.post("/oauth2/revoke", data={"token": place.tokens["access_token"]}, auth=other.basic)
        case "twice":
            revoke(place, place.tokens["refresh_token"])
            revoke(place, place.tokens["refresh_token"])
            count = 2
        case "secret with overlap":
            client_id = place.client.client_id
            site.administer(lambda a: applications.add_client_secret(a, site.tenant, client_id, old_valid_seconds=60))
        case _:
            place.in_tenant(users.set_user_enabled, True)
    marker(place)
    types = [request.json()["type"] for request in place.receiver.wait_for(NOTIFY, count)]
    assert sorted(types) == sorted(["token_revocation", *(["subject_entity_revocation_event"] * (count - 1))])


# The call itself.


def one(site: Site, receiver: Receiver) -> Received:
    token = site.machine_token(machine := site.machine())
    site.http.post("/oauth2/revoke", data={"token": token}, auth=machine.basic)
    return receiver.wait_for(NOTIFY)[-1]


def test_the_headers(site: Site, receiver: Receiver) -> None:
    notified(site, receiver.url(NOTIFY), **KEY)
    request = one(site, receiver)
    assert request.method == "POST"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["x-wso2-key-manager"] == "WSO2-IS"
    kind, _, credentials = request.headers["authorization"].partition(" ")
    assert (kind, base64.b64decode(credentials).decode()) == ("Basic", f"{KEY['username']}:{KEY['password']}")


def test_another_connector_and_tenant_name(site: Site, receiver: Receiver) -> None:
    notified(site, receiver.url(NOTIFY), key_manager="WSO2-IS-7", tenant_domain="carbon.super", tenant_id=-1234)
    request = one(site, receiver)
    assert request.headers["x-wso2-key-manager"] == "WSO2-IS-7"
    assert "authorization" not in request.headers
    assert (request.json()["tenantDomain"], request.json()["tenantId"]) == ("carbon.super", -1234)


def test_every_gateway_hears_and_one_that_was_busy_hears_again(site: Site, receiver: Receiver) -> None:
    receiver.answer(NOTIFY, Reply(503), Reply(200))
    for path in (NOTIFY, "/other"):
        notified(site, receiver.url(path))
    one(site, receiver)
    again = receiver.wait_for(NOTIFY, 2)
    assert again[0].json() == again[1].json(), "the same event, by its id"
    assert receiver.wait_for("/other")[0].json()["accessToken"] == again[0].json()["accessToken"]


def test_a_gateway_that_is_gone_hears_nothing(site: Site, receiver: Receiver) -> None:
    gone, stays = (notified(site, receiver.url(path)) for path in ("/gone", NOTIFY))
    site.administer(lambda a: notification_targets.delete_notification_target(a, site.tenant, gone.id))
    one(site, receiver)
    assert receiver.at("/gone") == []
    assert stays.id != gone.id


def test_gateways_of_other_tenants_hear_nothing(site: Site, receiver: Receiver, server: Any) -> None:
    elsewhere = Site(server, f"{site.handle}z", site.tenant.settings)
    notified(elsewhere, receiver.url("/elsewhere"))
    elsewhere.close()
    notified(site, receiver.url(NOTIFY))
    one(site, receiver)
    assert receiver.at("/elsewhere") == []


def test_what_is_stored_about_a_gateway_is_sealed(site: Site, receiver: Receiver) -> None:
    notified(site, receiver.url(NOTIFY), **KEY)
    (stored,) = site.administer(lambda a: list_notification_targets(a.database, site.tenant.id))
    assert KEY["password"].encode() not in stored.settings


def test_its_password_outlives_a_change_of_the_master_key(site: Site, receiver: Receiver) -> None:
    """`identity keys rewrap` seals it anew."""
    notified(site, receiver.url(NOTIFY), **KEY)
    before = site.administer(lambda a: list_notification_targets(a.database, site.tenant.id))
    assert site.administer(lambda a: keys.rewrap(a, site.tenant)) > 0
    after = site.administer(lambda a: list_notification_targets(a.database, site.tenant.id))
    assert before[0].settings != after[0].settings
    assert one(site, receiver).headers["authorization"].startswith("Basic ")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://am.example/notify",
        "am.example/notify",
        "https://user:pw@am.example/",
        "https://",
        "https://a/#x",
        "https://:pw@am.example/",
        "https://@am.example/",
        "https://[::1/notify",
        "https://am.example:99999/notify",
        "https://am.example/a b",
        "https://am.example/\n",
        "https://am.example/#",
        "https://\u0430m.example/",
    ],
)
@pytest.mark.any_engine
def test_addresses_that_are_none(site: Site, url: str) -> None:
    with pytest.raises(IdentityError):
        notified(site, url)
