"""`/api/users`: factors added, renamed and removed by their owner through an application."""

import httpx
import pytest

from identity.administration import users
from identity.authn.authenticators import PASSKEY, RECOVERY_CODE, TOTP
from identity.domain.management_scopes import OWN_FACTORS_SCOPE
from tests.account.factor_api import (
    CODES,
    PASSKEYS,
    TOTP_API,
    TRACES,
    Account,
    account,
    account_application,
    event_types,
    secret_of,
)
from tests.support.builders import Person
from tests.support.exchange import exchanged, portal, service
from tests.support.factors import FactorBench, wrong_code
from tests.support.in_process import TimedSite
from tests.support.soft_key import SoftKey

pytestmark = pytest.mark.long


@pytest.fixture
def jane(timed: TimedSite) -> Person:
    return timed.person("jane", email="jane@example.org", email_verified=True)


def insufficient(answer: httpx.Response, acr: str) -> bool:
    challenge = answer.headers.get("www-authenticate", "")
    expected = f'Bearer error="insufficient_user_authentication", acr_values="{acr}", max_age=600'
    told = answer.status_code == 401 and answer.json()["code"] == "insufficient_user_authentication"
    return told and challenge.startswith(expected)


# Authenticator apps.


@pytest.mark.parametrize("kind", ["opaque", "jwt"])
def test_an_app_is_set_up_and_taken(timed: TimedSite, bench: FactorBench, jane: Person, kind: str) -> None:
    mine = account(timed, jane, client=account_application(timed, access_token_type=kind))
    assert mine.call("GET", TOTP_API).json() == {"isEnrolled": False}
    secret = mine.begin_app()
    assert mine.totp("VALIDATE", wrong_code(bench.app_code(secret))).json() == {"isValid": False}
    assert not bench.is_usable(TOTP, jane)
    assert mine.totp("VALIDATE", bench.app_code(secret)).json() == {"isValid": True}
    assert mine.call("GET", TOTP_API).json() == {"isEnrolled": True}
    timed.clock.advance(30)
    assert bench.passes(TOTP, jane, answers={"code": bench.app_code(secret)})
    assert "user:factor:added" in event_types(timed)
    assert len(bench.mails("factor-added")) == 1


def test_a_code_as_a_number(timed: TimedSite, bench: FactorBench, jane: Person) -> None:
    """Its leading zeros are gone."""
    mine = account(timed, jane)
    secret = mine.begin_app()
    for _ in range(600):
        if bench.app_code(secret).startswith("0"):
            break
        secret = mine.begin_app("REFRESH")
    assert mine.totp("VALIDATE", int(bench.app_code(secret))).json() == {"isValid": True}


def test_refresh_begins_anew(timed: TimedSite, bench: FactorBench, jane: Person) -> None:
    mine = account(timed, jane)
    old, new = mine.begin_app(), mine.begin_app("REFRESH")
    assert old != new
    assert mine.totp("VALIDATE", bench.app_code(old)).json() == {"isValid": False}
    assert mine.totp("VALIDATE", bench.app_code(new)).json() == {"isValid": True}


def test_a_secret_in_use_is_not_shown(timed: TimedSite, bench: FactorBench, jane: Person) -> None:
    mine = account(timed, jane)
    pending = mine.begin_app()
    assert secret_of(mine.totp("VIEW")) == pending
    mine.totp("VALIDATE", bench.app_code(pending))
    assert mine.totp("VIEW").json() == {"isEnrolled": True}
    assert pending not in mine.call("GET", TOTP_API).text


def test_an_app_is_removed(timed: TimedSite, bench: FactorBench, jane: Person) -> None:
    mine = account(timed, jane)
    assert mine.call("DELETE", TOTP_API).status_code == 404
    mine.add_app()
    assert mine.call("DELETE", TOTP_API).status_code == 200
    assert not bench.is_usable(TOTP, jane)
    assert len(bench.mails("factor-removed")) == 1
    assert "user:factor:removed" in event_types(timed)


def test_the_same_proof_twice(timed: TimedSite, bench: FactorBench, jane: Person) -> None:
    """Attack 14: what was pending is good once."""
    mine = account(timed, jane)
    secret = mine.begin_app()
    code = bench.app_code(secret)
    assert mine.totp("VALIDATE", code).json() == {"isValid": True}
    assert mine.totp("VALIDATE", code).json()["code"] == "nothing_pending"
    assert event_types(timed).count("user:factor:added") == 1


def test_both_of_two_proofs_at_once(timed: TimedSite, bench: FactorBench, jane: Person) -> None:
    """Attack 14, as a race."""
    mine = account(timed, jane)
    code = bench.app_code(mine.begin_app())
    headers = {"Authorization": f"Bearer {mine.tokens['access_token']}"}
    body = {"action": "VALIDATE", "verificationCode": code}
    requests = [timed.http.build_request("POST", TOTP_API, headers=headers, json=body) for _ in range(2)]
    answers = sorted(answer.status_code for answer in timed.in_process.answer_all(requests))
    assert answers == [200, 400]
    assert event_types(timed).count("user:factor:added") == 1


def test_what_is_pending_ends(timed: TimedSite, bench: FactorBench, jane: Person) -> None:
    client = account_application(timed)
    timed.clock.advance(1)
    mine = account(timed, jane, client=client)
    secret = mine.begin_app()
    timed.clock.advance(599)
    assert mine.totp("VALIDATE", wrong_code(bench.app_code(secret))).json() == {"isValid": False}
    timed.clock.advance(1)
    again = account(timed, jane, client=client)
    assert again.totp("VALIDATE", bench.app_code(secret)).json()["code"] == "nothing_pending"
    assert not bench.is_usable(TOTP, jane)


def test_what_another_application_began(timed: TimedSite, bench: FactorBench, jane: Person) -> None:
    """Attack 15: nobody is shown, or made to prove, a secret that another application has seen."""
    thief, mine = account(timed, jane), account(timed, jane)
    secret = thief.begin_app()
    assert mine.totp("VIEW").json() == {"isEnrolled": False}
    assert mine.totp("VALIDATE", bench.app_code(secret)).json()["code"] == "nothing_pending"
    assert not bench.is_usable(TOTP, jane)


# Recovery codes.


def test_recovery_codes_are_shown_once(timed: TimedSite, bench: FactorBench, jane: Person) -> None:
    mine = account(timed, jane)
    assert mine.codes_left() == 0
    codes = mine.call("POST", CODES).json()["backupCodes"]
    assert len(set(codes)) == 10
    assert mine.codes_left() == 10
    assert bench.passes(RECOVERY_CODE, jane, answers={"code": codes[3]})
    assert mine.codes_left() == 9
    assert not any(code in mine.call("GET", CODES).text for code in codes)
    assert len(bench.mails("factor-added")) == 1


def test_new_codes_end_the_old(timed: TimedSite, bench: FactorBench, jane: Person) -> None:
    mine = account(timed, jane)
    secret = mine.add_app()
    old = mine.call("POST", CODES).json()["backupCodes"]
    new = mine.call("POST", CODES).json()["backupCodes"]
    assert not bench.passes(RECOVERY_CODE, jane, answers={"code": old[0]})
    assert bench.passes(RECOVERY_CODE, jane, answers={"code": new[0]})
    assert mine.call("DELETE", CODES).status_code == 200
    assert mine.codes_left() == 0
    assert mine.call("DELETE", CODES).status_code == 404
    assert bench.passes(TOTP, jane, answers={"code": bench.app_code(secret)})


# How recent and how sure the sign-in has to be.


def every_change(mine: Account) -> list[httpx.Response]:
    id = mine.passkeys()[0]["credential"]["credentialId"] if mine.passkeys() else "AAAA"
    change = [{"operation": "REPLACE", "path": "/displayName", "value": "x"}]
    return [
        *(mine.totp(action, "123456") for action in ("INIT", "REFRESH", "VALIDATE", "VIEW")),
        mine.call("DELETE", TOTP_API),
        mine.call("POST", f"{PASSKEYS}/start-registration"),
        mine.call("POST", f"{PASSKEYS}/finish-registration", json={"requestId": "x", "credential": {}}),
        mine.call("PATCH", f"{PASSKEYS}/{id}", json=change),
        mine.call("DELETE", f"{PASSKEYS}/{id}"),
        mine.call("POST", CODES),
        mine.call("DELETE", CODES),
    ]


@pytest.mark.spec("RFC 9470", "3")
def test_an_older_sign_in_changes_nothing(timed: TimedSite, bench: FactorBench, jane: Person) -> None:
    """Attack 31: registration without re-authentication; a fresh token of an old sign-in is no fresh sign-in."""
    client = account_application(timed)
    mine = account(timed, jane, client=client)
    timed.clock.advance(599)
    assert mine.totp("INIT").status_code == 200
    timed.clock.advance(1)
    assert all(insufficient(answer, "1") for answer in every_change(mine))
    mine.tokens = timed.refresh(client, mine.tokens["refresh_token"]).json()
    assert all(insufficient(answer, "1") for answer in every_change(mine))
    assert mine.call("GET", TOTP_API).status_code == 200


@pytest.mark.spec("RFC 9470", "3")
def test_a_password_alone_changes_nothing_beside_other_factors(
    timed: TimedSite, bench: FactorBench, jane: Person
) -> None:
    """Attack 15: whoever has stolen the password is asked for what they do not have."""
    client = account_application(timed)
    owner = account(timed, jane, client=client)
    secret = owner.add_app()
    assert owner.finish(owner.start(), SoftKey()).status_code == 200
    thief = account(timed, jane, client=client)
    assert all(insufficient(answer, "2") for answer in every_change(thief))
    assert bench.is_usable(TOTP, jane)
    assert bench.is_usable(PASSKEY, jane)
    again = account(timed, jane, client=client, code=bench.app_code(secret))
    assert again.call("DELETE", TOTP_API).status_code == 200


def test_who_has_just_added_one_may_go_on(timed: TimedSite, bench: FactorBench, jane: Person) -> None:
    """The new factor was shown: the grant says so, and its age stays that of the sign-in."""
    client = account_application(timed, access_token_type="jwt")
    mine = account(timed, jane, client=client)
    mine.add_app()
    assert mine.call("POST", CODES).status_code == 200
    timed.clock.advance(570)
    assert insufficient(mine.call("POST", CODES), "2")


def test_recovery_codes_prove_nothing(timed: TimedSite, jane: Person) -> None:
    mine = account(timed, jane)
    assert mine.call("POST", CODES).status_code == 200
    assert insufficient(mine.call("POST", CODES), "2")


def test_nobody_has_signed_in_for_an_exchanged_token(timed: TimedSite, jane: Person) -> None:
    backend = service(timed, management_scopes=(OWN_FACTORS_SCOPE,))
    mine = account(timed, jane, client=portal(timed, backend, management_scopes=(OWN_FACTORS_SCOPE,)))
    other = Account(timed, exchanged(timed, backend, mine.tokens["access_token"]))
    assert other.call("GET", TOTP_API).status_code == 200
    assert insufficient(other.totp("INIT"), "1")


# Whose account it is.


def test_a_body_that_names_somebody_is_refused(timed: TimedSite, bench: FactorBench, jane: Person) -> None:
    """Attack 23: the access token says whose account it is, and nothing else does."""
    mallory = account(timed, timed.person("mallory"))
    who = {"userId": jane.user.id}
    refused = [
        mallory.call("POST", TOTP_API, json={"action": "INIT", **who}),
        mallory.call("DELETE", TOTP_API, json=who),
        mallory.call("POST", f"{PASSKEYS}/start-registration", json=who),
        mallory.call("POST", f"{PASSKEYS}/start-registration", data=who),
        mallory.call("POST", f"{PASSKEYS}/finish-registration", json={"requestId": "x", "credential": {}, **who}),
        mallory.call("POST", CODES, json=who),
        mallory.call("DELETE", CODES, json=who),
    ]
    assert [answer.status_code for answer in refused] == [400] * len(refused)
    assert mallory.codes_left() == 0


def test_a_token_of_another_tenant(timed: TimedSite, jane: Person) -> None:
    """Attack 18."""
    elsewhere = TimedSite(timed.in_process)
    try:
        foreign = account(elsewhere, elsewhere.person("jane"))
        foreign.site = timed
        for path in (TOTP_API, PASSKEYS, CODES, TRACES):
            assert foreign.call("GET", path).status_code == 401
        assert foreign.totp("INIT").status_code == 401
    finally:
        elsewhere.close()


def test_somebody_who_is_gone(timed: TimedSite, jane: Person) -> None:
    mine = account(timed, jane)
    mine.begin_app()
    timed.in_tenant(lambda a, t: users.delete_user(a, t, "jane"))
    assert mine.call("GET", TOTP_API).status_code == 401


def test_a_right_that_was_taken_away(timed: TimedSite, jane: Person) -> None:
    """It does not wait for the token to expire."""
    client = account_application(timed)
    mine = account(timed, jane, client=client)
    timed.update(client, management_scopes=())
    assert mine.call("GET", TOTP_API).status_code == 403


# How the last sign-ins went.


def test_own_sign_ins_in_short(timed: TimedSite, jane: Person) -> None:
    account(timed, timed.person("mallory"))
    mine = account(timed, jane, scope="internal_login")
    answer = mine.call("GET", TRACES).json()
    assert answer["totalResults"] == 1
    (trace,) = answer["traces"]
    assert trace.keys() == {"short", "started", "outcome", "application", "address"}
    assert trace["outcome"] == "done"
    assert trace["short"][-1] == "signed in"
