"""Codes by mail: to the owner's verified address, good once, in one flow, for some minutes."""

import re
from dataclasses import replace
from typing import Any

import pytest

from identity.authn.authenticators import EMAIL_CODE, Begun, Rejected, State, Verified
from identity.authn.authenticators.email_code import masked
from identity.authn.one_time_codes import ALPHABET
from identity.domain.tenants import TenantSettings
from tests.support.builders import Person
from tests.support.factors import FactorBench
from tests.support.in_process import TimedSite

pytestmark = pytest.mark.long

YEAR = 365 * 86400


@pytest.fixture
def jane(timed: TimedSite) -> Person:
    return timed.person("jane", email="jane@example.org", email_verified=True)


def send(bench: FactorBench, person: Person | None, **more: object) -> State:
    begun = bench.begin(EMAIL_CODE, bench.attempt(person, **more))  # type: ignore[arg-type]
    assert begun.error is None
    return begun.state


def newest_code(bench: FactorBench) -> str:
    found = re.search(r"[A-Z0-9]{4}-[A-Z0-9]{4}", bench.mails("email-otp")[-1])
    assert found is not None
    return found[0]


def test_the_code_of_the_mail_is_taken(bench: FactorBench, jane: Person) -> None:
    state = send(bench, jane)
    outcome = bench.verify(EMAIL_CODE, bench.attempt(jane, state=state), code=newest_code(bench))
    assert isinstance(outcome, Verified)
    assert outcome.amr == ("otp",)
    assert bench.commit(outcome)


@pytest.mark.parametrize("change", [str.lower, lambda code: code.replace("-", ""), lambda code: f" {code} "])
def test_case_blanks_and_hyphens_do_not_matter(bench: FactorBench, jane: Person, change: object) -> None:
    state = send(bench, jane)
    assert bench.passes(EMAIL_CODE, jane, state=state, answers={"code": change(newest_code(bench))})  # type: ignore[operator]


def test_the_state_does_not_hold_the_code(bench: FactorBench, jane: Person) -> None:
    state = send(bench, jane)
    assert newest_code(bench).replace("-", "") not in str(state)


@pytest.mark.parametrize("seconds", [300, 301])
def test_a_code_ends(bench: FactorBench, timed: TimedSite, jane: Person, seconds: int) -> None:
    state = send(bench, jane)
    code = newest_code(bench)
    timed.clock.advance(seconds)
    assert bench.verify(EMAIL_CODE, bench.attempt(jane, state=state), code=code) == Rejected(error="expired")


def test_a_code_of_another_flow_person_or_sending(bench: FactorBench, timed: TimedSite, jane: Person) -> None:
    """Attack 14: cross-use."""
    state = send(bench, jane)
    code = newest_code(bench)
    mallory = timed.person("mallory", email="mallory@example.org", email_verified=True)
    others = send(bench, mallory, flow="theirs")
    for attempt in (
        bench.attempt(jane, flow="another", state=state),
        bench.attempt(mallory, state=state),
        bench.attempt(mallory, flow="theirs", state=others),
        bench.attempt(jane, state=send(bench, jane, state=state)),
    ):
        outcome = bench.verify(EMAIL_CODE, attempt, code=code)
        assert isinstance(outcome, Rejected)
        assert outcome.error == "refused"


@pytest.mark.parametrize("attributes", [{}, {"email": "jane@example.org"}, {"email": "", "email_verified": True}])
def test_only_to_a_verified_address(bench: FactorBench, timed: TimedSite, attributes: dict[str, Any]) -> None:
    """Attack 19."""
    person = timed.person("someone", **attributes)
    assert not bench.is_usable(EMAIL_CODE, person)
    send(bench, person)
    assert bench.mails("email-otp") == []


def test_several_wrong_answers_end_a_code(bench: FactorBench, timed: TimedSite, jane: Person) -> None:
    """Attack 21: also where nothing locks."""
    timed.change_settings(lambda s: replace(s, factor_attempts=0))
    state = send(bench, jane)
    for _ in range(5):
        outcome = bench.verify(EMAIL_CODE, bench.attempt(jane, state=state), code="BBBB-BBBB")
        assert isinstance(outcome, Rejected)
        assert outcome.state is not None
        state = outcome.state
    attempt = bench.attempt(jane, state=state)
    assert bench.verify(EMAIL_CODE, attempt, code=newest_code(bench)) == Rejected(error="expired")


def test_resends_are_limited(bench: FactorBench, timed: TimedSite, jane: Person) -> None:
    state: State = {}
    for number in range(4):
        assert bench.page(EMAIL_CODE, bench.attempt(jane, state=state))["resend"]
        state = send(bench, jane, state=state)
        assert state["sent"] == number + 1
    assert not bench.page(EMAIL_CODE, bench.attempt(jane, state=state))["resend"]
    assert bench.begin(EMAIL_CODE, bench.attempt(jane, state=state)) == Begun(state=state, error="refused")
    assert len(bench.mails("email-otp")) == 4


def test_what_a_script_may_set(bench: FactorBench, jane: Person) -> None:
    resends = {"maximumAllowedResendAttempts": "0", "terminateOnResendLimitExceeded": "true"}
    state = send(bench, jane, parameters=resends)
    assert bench.begin(EMAIL_CODE, bench.attempt(jane, state=state, parameters=resends)).over
    for parameters in ({"enableRetryFromAuthenticator": "false"}, {"maximumAllowedFailureAttempts": "1"}):
        attempt = bench.attempt(jane, state=send(bench, jane), parameters=parameters)
        outcome = bench.verify(EMAIL_CODE, attempt, code="BBBB-BBBB")
        assert isinstance(outcome, Rejected)
        assert outcome.over


def test_a_name_that_is_nobodys_looks_like_anybodys(bench: FactorBench, timed: TimedSite, jane: Person) -> None:
    """Attack 22: before anybody has shown who they are, page, answers and limits are the same."""
    seen = []
    for name in ("jane", "nobody"):
        attempt = bench.attempt(username=name)
        assert bench.is_usable(EMAIL_CODE, None, username=name)
        state = bench.begin(EMAIL_CODE, attempt).state
        page = bench.page(EMAIL_CODE, bench.attempt(username=name, state=state))
        wrong = [
            bench.verify(EMAIL_CODE, bench.attempt(username=name, state=state), code="BBBB-BBBB") for _ in range(6)
        ]
        seen.append((page, sorted(state), [(o.error, o.over) for o in wrong if isinstance(o, Rejected)]))
    assert seen[0] == seen[1]
    assert seen[0][0]["address"] is None


def test_a_name_and_a_code_sign_in(bench: FactorBench, jane: Person) -> None:
    state = send(bench, None, username="jane")
    outcome = bench.verify(EMAIL_CODE, bench.attempt(username="jane", state=state), code=newest_code(bench))
    assert isinstance(outcome, Verified)
    assert outcome.person.subject.username == "jane"


def test_the_address_is_masked() -> None:
    assert masked("daisy@example.org") == "d•••@example.org"
    assert masked('"a@b"@example.org') == '"•••@example.org'


def test_the_odds_of_guessing(capsys: pytest.CaptureFixture[str]) -> None:
    """How likely somebody gets in who guesses as often as is allowed for a year, knowing the password."""
    settings = TenantSettings()
    mails = settings.mail_limit_day.count * 365
    tries_per_code = settings.factor_attempts
    assert settings.mail_limit_day.seconds == 86400
    # A code ends with the lock that its wrong answers begin.
    assert settings.one_time_code_lifetime <= settings.lockout_seconds
    email = mails * tries_per_code / len(ALPHABET) ** settings.one_time_code_length
    codes_at_once = 2 * settings.totp_window + 1
    silent = settings.factor_failures_maximum * codes_at_once / 10**6
    busy_owner = 365 * (settings.factor_failures_maximum - 1) * codes_at_once / 10**6
    with capsys.disabled():
        print(f"\nemail code, a year: {email:.1e}; authenticator app whose owner never signs in: {silent:.1e},")
        print(f"whose owner signs in every day: {busy_owner:.1e} (the count begins anew with each right code)")
    assert email < 1e-6
    assert silent < 1e-4
