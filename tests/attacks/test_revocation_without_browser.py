"""Attack row 16 for the grants that need no browser: at their start, and where they are redeemed or were given."""

import pytest

from identity.domain.applications import CIBA, DEVICE_CODE, JWT_BEARER, TOKEN_EXCHANGE
from tests.attacks.causes import (
    EVERYTHING,
    OF_THE_APPLICATION,
    OF_THE_PERSON,
    OF_THE_SESSION,
    Cause,
    Place,
    consent_taken_back,
    refused,
    session_ended,
    user_deleted,
    user_disabled,
)
from tests.attacks.decisions import approve_backchannel, approve_device, ask_backchannel, ask_for_device
from tests.attacks.targets import tokens_of
from tests.support.builders import PASSWORD, Site
from tests.support.trusted import Trusted

pytestmark = pytest.mark.long

ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
WITHOUT_SESSION = (*OF_THE_PERSON, *OF_THE_APPLICATION, consent_taken_back)
"""A device, a backchannel client and an assertion have no part in a browser's session (decision 11)."""
GONE: tuple[Cause, ...] = (user_disabled, user_deleted)
"""What keeps somebody from starting anything."""


def causes(*those: Cause) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("cause", those, ids=lambda cause: cause.__name__)


@pytest.fixture
def headless(site: Site) -> Place:
    """An application with every grant that needs no browser, and jane's browser with a session in it."""
    client = site.application(
        grant_types=(
            "authorization_code", "refresh_token", "password", DEVICE_CODE, CIBA, TOKEN_EXCHANGE, JWT_BEARER,
        ),
        skip_consent=False, access_token_type="jwt",
    )  # fmt: skip
    browser = site.browser()
    site.sign_in(client, site.jane, browser=browser)
    return Place(site, client, browser)


def refused_everywhere(place: Place, tokens: dict[str, str]) -> None:
    gateway = place.site.machine(may_introspect_any=True)
    assert not place.site.is_active(gateway, tokens["access_token"])
    assert place.site.userinfo(tokens["access_token"]).status_code == 401
    refused(place.site, place.client, grant_type="refresh_token", refresh_token=tokens["refresh_token"])


@causes(*WITHOUT_SESSION)
@pytest.mark.parametrize("kind", ["device", "ciba"])
def test_what_was_approved_elsewhere_before_it_is_fetched(headless: Place, cause: Cause, kind: str) -> None:
    """Keycloak CVE-2026-9798, CVE-2026-16103."""
    form = _approved(headless, kind)
    cause(headless)
    refused(headless.site, headless.client, **form)


@causes(*WITHOUT_SESSION)
@pytest.mark.parametrize("kind", ["device", "ciba"])
def test_what_was_approved_elsewhere_and_fetched(headless: Place, cause: Cause, kind: str) -> None:
    response = headless.site.token(headless.client, **_approved(headless, kind))
    assert response.status_code == 200, response.text
    cause(headless)
    refused_everywhere(headless, response.json())


@pytest.mark.parametrize("kind", ["device", "ciba"])
def test_what_was_approved_elsewhere_outlives_the_browser_s_session(headless: Place, kind: str) -> None:
    form = _approved(headless, kind)
    session_ended(headless)
    assert headless.site.token(headless.client, **form).status_code == 200


@causes(*OF_THE_PERSON)
@pytest.mark.parametrize("kind", ["device", "ciba"])
def test_a_decision_that_was_being_made(headless: Place, cause: Cause, kind: str) -> None:
    """Something happens to the person while their page is open."""
    site, client = headless.site, headless.client
    if kind == "device":
        answer = ask_for_device(site, client)
        page, button = headless.browser.get(answer["verification_uri_complete"]), "device-allow"
        form = {"grant_type": DEVICE_CODE, "device_code": answer["device_code"]}
    else:
        form = {"grant_type": CIBA, "auth_req_id": ask_backchannel(site, client)["auth_req_id"]}
        page, button = headless.browser.get(f"{site.base}/oauth2/ciba_authorize"), "ciba-allow-1"
    cause(headless)
    done = page.submit(button)
    assert not done.has("device-allowed")
    assert not done.has("notice")
    response = site.token(client, **form)
    assert (response.status_code, response.json()["error"]) == (400, "authorization_pending")


@causes(*GONE)
def test_a_backchannel_request_about_who_is_gone(headless: Place, cause: Cause) -> None:
    cause(headless)
    form = {"scope": "openid", "login_hint": "jane"}
    response = headless.site.http.post("/oauth2/ciba", data=form, auth=headless.client.basic)
    assert (response.status_code, response.json()["error"]) == (400, "unknown_user_id")


@causes(*OF_THE_APPLICATION)
@pytest.mark.parametrize("door", ["device_authorize", "ciba"])
def test_a_stopped_application_starts_nothing(headless: Place, cause: Cause, door: str) -> None:
    cause(headless)
    form = {"scope": "openid", "login_hint": "jane"}
    response = headless.site.http.post(f"/oauth2/{door}", data=form, auth=headless.client.basic)
    assert (response.status_code, response.json()["error"]) == (401, "invalid_client")


@causes(*EVERYTHING)
def test_a_token_that_is_to_be_exchanged(headless: Place, cause: Cause) -> None:
    """Casdoor CVE-2026-9097: a revoked token was exchanged for a live one."""
    token = _own_tokens(headless)["access_token"]
    form = {"grant_type": TOKEN_EXCHANGE, "subject_token": token, "subject_token_type": ACCESS_TOKEN}
    assert headless.site.token(headless.client, **form).status_code == 200
    cause(headless)
    response = headless.site.token(headless.client, **form)
    assert response.status_code in (400, 401)
    assert response.json()["error"] in ("invalid_request", "invalid_client")


@causes(*EVERYTHING)
def test_what_a_token_was_exchanged_for(headless: Place, cause: Cause) -> None:
    token = _own_tokens(headless)["access_token"]
    form = {"grant_type": TOKEN_EXCHANGE, "subject_token": token, "subject_token_type": ACCESS_TOKEN}
    given = headless.site.token(headless.client, **form).json()
    cause(headless)
    refused_everywhere(headless, given)


@causes(*OF_THE_PERSON, *OF_THE_SESSION, *OF_THE_APPLICATION)
def test_an_id_token_that_is_to_be_exchanged(headless: Place, cause: Cause) -> None:
    token = _own_tokens(headless)["id_token"]
    form = {
        "grant_type": TOKEN_EXCHANGE, "subject_token": token,
        "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
    }  # fmt: skip
    assert headless.site.token(headless.client, **form).status_code == 200
    cause(headless)
    assert headless.site.token(headless.client, **form).status_code in (400, 401)


@causes(*GONE, *OF_THE_APPLICATION)
@pytest.mark.parametrize("kind", ["jwt_bearer", "password"])
def test_a_grant_about_who_is_gone(headless: Place, cause: Cause, kind: str) -> None:
    form = _at_once(headless, kind)
    cause(headless)
    refused(headless.site, headless.client, **form)


@causes(*WITHOUT_SESSION)
@pytest.mark.parametrize("kind", ["jwt_bearer", "password"])
def test_what_such_a_grant_gave(headless: Place, cause: Cause, kind: str) -> None:
    response = headless.site.token(headless.client, **_at_once(headless, kind))
    assert response.status_code == 200, response.text
    cause(headless)
    refused_everywhere(headless, response.json())


def _approved(place: Place, kind: str) -> dict[str, str]:
    """The token request for something that jane has approved."""
    if kind == "device":
        answer = ask_for_device(place.site, place.client)
        approve_device(place.site, place.site.jane, answer["user_code"], place.browser)
        return {"grant_type": DEVICE_CODE, "device_code": answer["device_code"]}
    auth_req_id = ask_backchannel(place.site, place.client)["auth_req_id"]
    approve_backchannel(place.site, place.site.jane, place.browser)
    return {"grant_type": CIBA, "auth_req_id": auth_req_id}


def _own_tokens(place: Place) -> dict[str, str]:
    return tokens_of(place.site, place.client, place.site.jane, place.browser)


def _at_once(place: Place, kind: str) -> dict[str, str]:
    if kind == "password":
        return {"grant_type": "password", "username": "jane", "password": PASSWORD, "scope": "openid"}
    return {"grant_type": JWT_BEARER, "assertion": Trusted(place.site).token(), "scope": "openid"}
