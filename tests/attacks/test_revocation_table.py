"""Attack row 16: what ends access ends it at every grant, at its start and at its redemption.

Keycloak CVE-2026-9798 and CVE-2026-16103: checked where a grant began, forgotten where it was redeemed.
"""

from dataclasses import replace

import pytest

from identity.administration import applications, keys
from identity.domain.events import EventType
from identity.domain.keys import SigningKey
from identity.domain.tenants import Tenant
from identity.storage import applications as stored_applications
from identity.storage import signing_keys
from identity.storage.database import Database
from tests.attacks.causes import (
    EVERYTHING,
    OF_THE_APPLICATION,
    OF_THE_PERSON,
    OF_THE_SESSION,
    Cause,
    Place,
    application_deleted,
    grant_taken_away,
    refused,
    session_ended,
    store_disconnected,
    tenant_disabled,
    user_deleted,
    user_disabled,
)
from tests.attacks.targets import location_parameters, raw_cookies, tokens_of
from tests.support.builders import PASSWORD, Client, Pkce, Site, response_parameters
from tests.support.in_process import TimedSite

pytestmark = pytest.mark.long

named = pytest.mark.parametrize("cause", EVERYTHING, ids=lambda cause: cause.__name__)


@pytest.fixture
def place(site: Site) -> Place:
    client, browser = site.application(access_token_type="jwt"), site.browser()
    site.sign_in(client, site.jane, browser=browser)
    return Place(site, client, browser)


@named
def test_an_authorization_code(place: Place, cause: Cause) -> None:
    """Between the answer of the authorization and its redemption."""
    pkce = Pkce()
    page = place.site.sign_in(place.client, place.site.jane, browser=place.browser, **pkce.parameters)
    code = response_parameters(page)["code"]
    cause(place)
    refused(
        place.site, place.client, grant_type="authorization_code", code=code, redirect_uri=place.client.redirect_uri,
        code_verifier=pkce.verifier,
    )  # fmt: skip


@named
@pytest.mark.parametrize("kind", ["opaque", "jwt"])
def test_tokens_that_were_given(place: Place, cause: Cause, kind: str) -> None:
    place.site.update(place.client, access_token_type=kind)
    gateway = place.site.machine(may_introspect_any=True)
    tokens = tokens_of(place.site, place.client, place.site.jane, place.browser)
    assert place.site.is_active(gateway, tokens["access_token"])
    cause(place)
    assert not place.site.is_active(gateway, tokens["access_token"])
    assert place.site.userinfo(tokens["access_token"]).status_code == 401
    refused(place.site, place.client, grant_type="refresh_token", refresh_token=tokens["refresh_token"])


@pytest.mark.parametrize(
    ("cause", "lives"),
    [(session_ended, True), *((each, False) for each in EVERYTHING if each is not session_ended)],
    ids=lambda value: getattr(value, "__name__", None),
)
@pytest.mark.spec("OpenID Connect Core", "11")
def test_offline_access(place: Place, cause: Cause, lives: bool) -> None:
    """It outlives the session, and nothing else (decision 11)."""
    tokens = tokens_of(place.site, place.client, place.site.jane, place.browser, scope="openid offline_access")
    cause(place)
    if lives:
        assert place.site.refresh(place.client, tokens["refresh_token"]).status_code == 200
    else:
        refused(place.site, place.client, grant_type="refresh_token", refresh_token=tokens["refresh_token"])


@pytest.mark.parametrize("cause", [*OF_THE_PERSON, *OF_THE_SESSION], ids=lambda cause: cause.__name__)
def test_the_next_authorization_of_the_session(place: Place, cause: Cause) -> None:
    cookies = "; ".join(f"{name}={value}" for name, value in raw_cookies(place.browser).items())
    cause(place)
    url = place.site.authorize_url(place.client, prompt="none")
    response = place.site.http.get(url, headers={"Cookie": cookies})
    assert location_parameters(response)["error"] == "login_required"
    assert place.site.http.get("/account", headers={"Cookie": cookies}).status_code == 303


@pytest.mark.parametrize("cause", [*OF_THE_APPLICATION, grant_taken_away], ids=lambda cause: cause.__name__)
def test_a_sign_in_that_had_begun(place: Place, cause: Cause) -> None:
    """The application goes while the person reads the login page."""
    browser = place.site.browser()
    page = browser.get(place.site.authorize_url(place.client))
    cause(place)
    done = page.submit("login-submit", username="jane", password=PASSWORD)
    if done.left_for is not None:
        assert "code" not in done.left_for.parameters
        assert done.left_for.parameters["error"] == "unauthorized_client"
    else:
        assert (done.status, done.has("error-page")) == (400, True)


def test_a_redirect_address_taken_away_during_a_sign_in(place: Place) -> None:
    page = place.site.browser().get(place.site.authorize_url(place.client))
    place.site.update(place.client, redirect_uris=("https://new.example/cb",))
    done = page.submit("login-submit", username="jane", password=PASSWORD)
    assert (done.status, done.left_for, done.has("error-page")) == (400, None, True)


@pytest.mark.parametrize("cause", OF_THE_PERSON, ids=lambda cause: cause.__name__)
def test_a_consent_that_was_being_read(place: Place, cause: Cause) -> None:
    place.site.update(place.client, skip_consent=False)
    browser = place.site.browser()
    page = place.site.sign_in(place.client, place.site.jane, browser=browser, scope="openid email")
    assert page.has("consent-allow")
    cause(place)
    answer = page.submit("consent-allow")
    assert answer.left_for is None or "code" not in answer.left_for.parameters
    assert answer.status in (303, 410)


@pytest.mark.parametrize("cause", [user_disabled, user_deleted], ids=lambda cause: cause.__name__)
def test_a_new_sign_in(place: Place, cause: Cause) -> None:
    cause(place)
    page = place.site.browser().get(place.site.authorize_url(place.client))
    again = page.submit("login-submit", username="jane", password=PASSWORD)
    assert (again.status, again.left_for) == (422, None)


@pytest.mark.parametrize("cause", [store_disconnected, tenant_disabled], ids=lambda cause: cause.__name__)
def test_pages_follow_the_tenant_within_a_second(timed: TimedSite, cause: Cause) -> None:
    """They rest on a snapshot that is no older (decision 35)."""
    client, browser = timed.application(), timed.browser()
    timed.sign_in(client, timed.jane, browser=browser)
    page = timed.browser().get(timed.authorize_url(client))
    cause(Place(timed, client, browser))
    timed.clock.advance(1)
    again = page.submit("login-submit", username="jane", password=PASSWORD)
    assert (again.status, again.left_for) in ((422, None), (404, None))
    assert browser.get(timed.authorize_url(client, prompt="none")).left_for is None or cause is store_disconnected


@pytest.mark.parametrize("cause", [*OF_THE_APPLICATION, tenant_disabled], ids=lambda cause: cause.__name__)
@pytest.mark.parametrize("kind", ["opaque", "jwt"])
def test_the_tokens_of_a_machine(place: Place, cause: Cause, kind: str) -> None:
    machine = place.site.machine(access_token_type=kind)
    gateway = place.site.machine(may_introspect_any=True)
    token = place.site.machine_token(machine)
    cause(replace(place, client=machine))
    response = place.site.http.post("/oauth2/introspect", data={"token": token}, auth=gateway.basic)
    assert response.status_code == 404 or response.json() == {"active": False}
    refused(place.site, machine, grant_type="client_credentials")


@pytest.mark.parametrize("kind", ["opaque", "jwt"])
def test_a_client_secret_that_was_replaced(place: Place, kind: str) -> None:
    machine = place.site.machine(access_token_type=kind)
    place.site.machine_token(machine)
    place.site.administer(lambda a: applications.add_client_secret(a, place.site.tenant, machine.client_id))
    refused(place.site, machine, grant_type="client_credentials")
    for door in ("introspect", "revoke"):
        assert place.site.http.post(f"/oauth2/{door}", data={"token": "x"}, auth=machine.basic).status_code == 401


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_a_key_that_was_retired_and_forgotten(place: Place, algorithm: str) -> None:
    """Retired it still verifies; forgotten, what it signed is nothing any more."""
    site = place.site
    site.update(place.client, access_token_algorithm=algorithm, id_token_algorithm=algorithm)
    tokens = tokens_of(site, place.client, site.jane, place.browser)
    hint = {"id_token_hint": tokens["id_token"], "client_id": place.client.client_id}
    old = _kid(site, algorithm)
    site.administer(lambda a: keys.rotate_key(a, site.tenant, algorithm, overlap=0))  # type: ignore[arg-type]
    assert site.is_active(place.client, tokens["access_token"])
    assert site.http.get("/oidc/logout", params=hint).status_code == 200
    site.administer(lambda a: keys.delete_retired_key(a, site.tenant, old))
    assert not site.is_active(place.client, tokens["access_token"])
    assert site.userinfo(tokens["access_token"]).status_code == 401
    # Pages may rest on a snapshot of one second (decision 35); a change of the token road is seen at once.
    assert old not in {key.kid for key in _keys(site)}


def test_the_same_client_id_registered_anew(place: Place) -> None:
    """A process that knew the old application must not go on with its secrets and addresses."""
    site, old = place.site, place.client
    tokens = tokens_of(site, old, site.jane, place.browser)
    application_deleted(place)
    made = site.administer(
        lambda a: applications.create_application(
            a, site.tenant, name="New", client_id=old.client_id, redirect_uris=("https://new.example/cb",),
            grant_types=("authorization_code", "refresh_token"), access_token_type="jwt", skip_consent=True,
        )
    )  # fmt: skip
    new = Client(made.application, str(made.secret))
    # Whatever the old one was: its address leads nowhere, its secret and its tokens open nothing.
    page = place.browser.get(site.authorize_url(old, prompt="none"))
    assert (page.status, page.left_for) == (400, None)
    refused(site, old, grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    refused(site, new, grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert site.userinfo(tokens["access_token"]).status_code == 401


def test_the_jwt_of_a_machine_whose_client_id_was_registered_anew(place: Place) -> None:
    site, old = place.site, place.site.machine(access_token_type="jwt")
    token = site.machine_token(old)
    application_deleted(replace(place, client=old))
    made = site.administer(
        lambda a: applications.create_application(
            a, site.tenant, name="New", client_id=old.client_id, grant_types=("client_credentials",),
        )
    )  # fmt: skip
    _registered_later(site, made.application.client_id, 60)
    assert not site.is_active(Client(made.application, str(made.secret)), token)


def test_each_end_is_on_record(place: Place) -> None:
    user_disabled(place)
    assert EventType.USER_DISABLED.value in [event["type"] for event in place.site.events()]


def _kid(site: Site, algorithm: str) -> str:
    return next(key.kid for key in _keys(site) if key.algorithm == algorithm)


def _keys(site: Site) -> tuple[SigningKey, ...]:
    return site.administer(lambda a: signing_keys.list_signing_keys(a.database, site.tenant.id))


def _registered_later(site: Site, client_id: str, seconds: int) -> None:
    """As if the application had been registered so much later."""

    async def change(database: Database, tenant: Tenant) -> None:
        found = await stored_applications.find_application(database, tenant.id, client_id)
        assert found is not None
        async with database.transaction() as transaction:
            moved = replace(found, created_at=found.created_at + seconds * 1_000_000)
            await stored_applications.update_application(transaction, tenant.id, moved)

    site.administer(lambda a: change(a.database, site.tenant))
