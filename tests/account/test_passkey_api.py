"""`/api/users/v2/me/webauthn`: passkeys added, renamed and removed by their owner through an application."""

import json
from typing import Any

import httpx
import pytest

from identity.authn.authenticators import PASSKEY
from identity.domain.management_scopes import OWN_FACTORS_SCOPE
from tests.account.factor_api import PASSKEYS, account, account_application, event_types
from tests.oauth2.dpop_client import bound_tokens
from tests.support.builders import Person, Site
from tests.support.factors import FactorBench
from tests.support.in_process import TimedSite
from tests.support.key_holder import KeyHolder
from tests.support.soft_key import SoftKey

pytestmark = pytest.mark.long


@pytest.fixture
def jane(timed: TimedSite) -> Person:
    return timed.person("jane", email="jane@example.org", email_verified=True)


def test_a_passkey_is_added_renamed_and_removed(timed: TimedSite, bench: FactorBench, jane: Person) -> None:
    mine, key = account(timed, jane), SoftKey()
    added = mine.finish(mine.start(), key)
    assert added.status_code == 200, added.text
    id = added.json()["credential"]["credentialId"]
    assert mine.passkeys() == [added.json()]
    assert bench.is_usable(PASSKEY, jane)
    change = [{"operation": "REPLACE", "path": "/displayName", "value": "Desk <b>"}]
    assert mine.call("PATCH", f"{PASSKEYS}/{id}", json=change).status_code == 200
    assert mine.passkeys()[0]["displayName"] == "Desk <b>"
    assert mine.call("DELETE", f"{PASSKEYS}/{id}").status_code == 204
    assert mine.passkeys() == []
    assert not bench.is_usable(PASSKEY, jane)
    assert {"user:factor:added", "user:factor:renamed", "user:factor:removed"} <= set(event_types(timed))
    assert (len(bench.mails("factor-added")), len(bench.mails("factor-removed"))) == (1, 1)


def test_the_form_of_the_account_application(timed: TimedSite, jane: Person) -> None:
    """WSO2's sends its origin, and a credential without `rawId`."""
    mine, key = account(timed, jane), SoftKey()
    started = mine.call("POST", f"{PASSKEYS}/start-registration", data={"appId": "https://elsewhere.example"})
    options = started.json()["publicKeyCredentialCreationOptions"]
    assert options["rp"]["id"] == "localhost"
    credential = json.loads(key.create(options))
    del credential["rawId"]
    body = {"requestId": started.json()["requestId"], "credential": credential}
    assert mine.call("POST", f"{PASSKEYS}/finish-registration", json=body).status_code == 200


def test_a_passkey_that_knows_whose_it_is(timed: TimedSite, jane: Person) -> None:
    mine, key = account(timed, jane), SoftKey()
    started = mine.call("POST", f"{PASSKEYS}/start-usernameless-registration")
    selection = started.json()["publicKeyCredentialCreationOptions"]["authenticatorSelection"]
    assert (selection["residentKey"], selection["requireResidentKey"]) == ("required", True)
    assert mine.start()["publicKeyCredentialCreationOptions"]["authenticatorSelection"]["residentKey"] == "preferred"
    started = mine.call("POST", f"{PASSKEYS}/start-usernameless-registration")
    assert mine.finish(started.json(), key).status_code == 200


@pytest.mark.parametrize("how", ["replayed", "wrong before", "other id", "late", "other grant"])
def test_requests_that_are_used_up_or_foreign(timed: TimedSite, jane: Person, how: str) -> None:
    """Attack 14, 15."""
    client = account_application(timed)
    mine, key = account(timed, jane, client=client), SoftKey()
    started = mine.start()
    if how == "replayed":
        assert mine.finish(started, key).status_code == 200
    elif how == "wrong before":
        wrong = mine.finish(started, SoftKey(), origin="https://evil.example")
        assert wrong.json()["code"] == "invalid_credential"
    elif how == "other id":
        started["requestId"] = mine.start()["requestId"][:-1] + "x"
    elif how == "late":
        timed.clock.advance(600)
        mine = account(timed, jane, client=client)
    else:
        mine = account(timed, jane, client=client)
    before = mine.passkeys()
    assert mine.finish(started, key).json()["code"] == "nothing_pending"
    assert mine.passkeys() == before


def test_a_challenge_is_good_for_five_minutes(timed: TimedSite, jane: Person) -> None:
    mine = account(timed, jane)
    started = mine.start()
    timed.clock.advance(301)
    assert mine.finish(started, SoftKey()).json()["code"] == "invalid_credential"


def test_a_passkey_of_another_person(timed: TimedSite, bench: FactorBench, jane: Person) -> None:
    """Attack 23: it is not there, and cannot be taken over."""
    mine, key = account(timed, jane), SoftKey()
    id = mine.finish(mine.start(), key).json()["credential"]["credentialId"]
    mallory = account(timed, timed.person("mallory"))
    change = [{"operation": "REPLACE", "path": "/displayName", "value": "mine"}]
    for answer in (
        mallory.call("PATCH", f"{PASSKEYS}/{id}", json=change),
        mallory.call("DELETE", f"{PASSKEYS}/{id}"),
    ):
        unknown = mallory.call("DELETE", f"{PASSKEYS}/AAAA")
        assert (answer.status_code, answer.json()["description"]) == (404, unknown.json()["description"])
    assert mallory.finish(mallory.start(), key).json()["code"] == "invalid_credential"
    assert mallory.passkeys() == []
    assert mine.passkeys()[0]["displayName"] != "mine"


@pytest.mark.parametrize(
    "body",
    [
        [],
        [{"operation": "REPLACE", "path": "/displayName", "value": " "}],
        [{"operation": "REMOVE", "path": "/displayName", "value": "x"}],
        [{"operation": "REPLACE", "path": "/userId", "value": "x"}],
        [{"operation": "REPLACE", "path": "/displayName", "value": "x"}] * 2,
        {"displayName": "x"},
    ],
)
def test_what_is_no_change_of_the_name(timed: TimedSite, jane: Person, body: Any) -> None:
    mine = account(timed, jane)
    id = mine.finish(mine.start(), SoftKey()).json()["credential"]["credentialId"]
    before = mine.passkeys()
    assert mine.call("PATCH", f"{PASSKEYS}/{id}", json=body).status_code == 400
    assert mine.passkeys() == before


@pytest.mark.any_engine
def test_with_a_token_that_is_bound_to_a_key(site: Site) -> None:
    """RFC 9449: each call shows one proof, which is good once."""
    client, holder = account_application(site), KeyHolder("ES256")
    tokens = bound_tokens(site, client, holder, scope=f"openid {OWN_FACTORS_SCOPE}")

    def call(path: str, **request: Any) -> httpx.Response:
        proof = holder.proof("POST", site.base + path, access_token=tokens["access_token"])
        headers = {"Authorization": f"DPoP {tokens['access_token']}", "DPoP": proof}
        return site.http.post(path, headers=headers, **request)

    started = call(f"{PASSKEYS}/start-registration").json()
    credential = json.loads(SoftKey(origin=site.server.base_url).create(started["publicKeyCredentialCreationOptions"]))
    body = {"requestId": started["requestId"], "credential": credential}
    finished = call(f"{PASSKEYS}/finish-registration", json=body)
    assert finished.json()["credential"]["credentialId"] == credential["id"]
    stolen = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert site.http.post(f"{PASSKEYS}/start-registration", headers=stolen).status_code == 401
