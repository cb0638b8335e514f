"""Authenticator apps: which codes are taken, how often, and what ends them."""

from dataclasses import replace

import pytest

from identity.authn.authenticators import TOTP, Rejected, Verified
from identity.authn.authenticators.totp import matching_step
from identity.storage.enrolled_factors import list_factors_of_subject
from tests.support.builders import Person
from tests.support.factors import FactorBench, wrong_code
from tests.support.in_process import TimedSite

pytestmark = pytest.mark.long


@pytest.fixture
def jane(timed: TimedSite) -> Person:
    return timed.person("jane", email="jane@example.org", email_verified=True)


def test_a_code_is_taken_and_shows_possession(bench: FactorBench, jane: Person) -> None:
    secret = bench.add_app(jane)
    outcome = bench.verify(TOTP, bench.attempt(jane), code=bench.app_code(secret))
    assert isinstance(outcome, Verified)
    assert outcome.amr == ("otp",)
    assert outcome.person.subject.username == "jane"
    assert bench.commit(outcome)
    assert bench.is_usable(TOTP, jane)


@pytest.mark.parametrize("typed", ["{0}{1}", "{0} {1}", " {0}-{1} "])
def test_blanks_and_hyphens_do_not_matter(bench: FactorBench, jane: Person, typed: str) -> None:
    code = bench.app_code(bench.add_app(jane))
    assert bench.passes(TOTP, jane, answers={"code": typed.format(code[:3], code[3:])})


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "abcdef", "１２３４５６", "0" * 5000])
def test_what_is_no_code(bench: FactorBench, jane: Person, typed: str) -> None:
    bench.add_app(jane)
    assert not bench.passes(TOTP, jane, answers={"code": typed})


@pytest.mark.spec("RFC 6238", "5.2")
@pytest.mark.parametrize(("window", "off", "taken"), [(1, -1, True), (1, 1, True), (1, 2, False), (0, 1, False)])
def test_how_far_the_clocks_may_differ(
    timed: TimedSite, bench: FactorBench, jane: Person, window: int, off: int, taken: bool
) -> None:
    timed.change_settings(lambda s: replace(s, totp_window=window))
    secret = bench.add_app(jane)
    timed.clock.advance(120)
    assert bench.passes(TOTP, jane, answers={"code": bench.app_code(secret, off=off)}) is taken


@pytest.mark.spec("RFC 6238", "B")
def test_codes_are_those_of_the_specification(timed: TimedSite, bench: FactorBench, jane: Person) -> None:
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    attempt = replace(bench.attempt(jane), now=1_111_111_109_000_000)
    assert matching_step(secret, "081804", attempt, after=0) == 0x23523EC


@pytest.mark.spec("RFC 6238", "5.2")
def test_a_step_is_used_once(timed: TimedSite, bench: FactorBench, jane: Person) -> None:
    """Attack 14: the same code again, and the one before it, for as long as the window would take them."""
    secret = bench.add_app(jane)
    timed.clock.advance(60)
    earlier, code = bench.app_code(secret, off=-1), bench.app_code(secret)
    assert bench.passes(TOTP, jane, answers={"code": code})
    assert not bench.passes(TOTP, jane, answers={"code": code}, flow="another")
    assert not bench.passes(TOTP, jane, answers={"code": earlier})
    timed.clock.advance(30)
    assert not bench.passes(TOTP, jane, answers={"code": code})
    assert bench.passes(TOTP, jane, answers={"code": bench.app_code(secret)})


def test_the_code_that_set_it_up_opens_nothing(bench: FactorBench, jane: Person) -> None:
    state = bench.begin_enrolment(TOTP, jane)
    code = bench.app_code(state["secret"])
    assert bench.commit(bench.enrol(TOTP, bench.attempt(jane, state=state), code=code))
    assert not bench.passes(TOTP, jane, answers={"code": code})


def test_two_logins_with_one_code_at_once(bench: FactorBench, jane: Person) -> None:
    """Attack 14: both codes are judged right before either is written; one login gets on."""
    code = bench.app_code(bench.add_app(jane))
    logins = [(bench.attempt(jane, flow=f"flow-{n}"), {"code": code}) for n in range(4)]
    outcomes = bench.verify_at_once(TOTP, logins)
    assert sum(isinstance(outcome, Verified) for outcome in outcomes) > 1
    assert sorted(bench.commit(outcome) for outcome in outcomes) == [False, False, False, True]


def test_wrong_codes_lock_every_second_factor(timed: TimedSite, bench: FactorBench, jane: Person) -> None:
    """Attack 21: and the locked person looks like one who mistyped."""
    secret = bench.add_app(jane)
    wrong = [bench.verify(TOTP, bench.attempt(jane), code=wrong_code(bench.app_code(secret))) for _ in range(5)]
    locked = bench.verify(TOTP, bench.attempt(jane), code=bench.app_code(secret))
    assert [*wrong, locked] == [Rejected(error="refused")] * 6
    assert "authn:factor:locked" in [event["type"] for event in timed.events()]
    timed.clock.advance(301)
    assert bench.passes(TOTP, jane, answers={"code": bench.app_code(secret)})


def test_a_right_code_clears_the_count(timed: TimedSite, bench: FactorBench, jane: Person) -> None:
    secret = bench.add_app(jane)
    for _ in range(3):
        for _ in range(4):
            assert not bench.passes(TOTP, jane, answers={"code": wrong_code(bench.app_code(secret))})
        assert bench.passes(TOTP, jane, answers={"code": bench.app_code(secret)})
        timed.clock.advance(30)


def test_guesses_at_once_do_not_slip_past_the_lock(timed: TimedSite, bench: FactorBench, jane: Person) -> None:
    """Attack 21."""
    secret = bench.add_app(jane)
    guesses = [(bench.attempt(jane), {"code": wrong_code(bench.app_code(secret))}) for _ in range(12)]
    outcomes = bench.verify_at_once(TOTP, guesses)
    reasons = [event["data"] for event in timed.events() if event["type"] == "authn:factor:refused"]
    assert sum("wrong_code" in data for data in reasons) == 5
    assert not any(isinstance(outcome, Verified) for outcome in outcomes)


def test_too_many_wrong_codes_in_a_row_suspend_the_app(timed: TimedSite, bench: FactorBench, jane: Person) -> None:
    """Attack 21: slow guessing; the right code then does not help, whoever types it."""
    timed.change_settings(lambda s: replace(s, factor_failures_maximum=7, factor_attempts=0))
    secret = bench.add_app(jane)
    for _ in range(7):
        assert not bench.passes(TOTP, jane, answers={"code": wrong_code(bench.app_code(secret))})
        timed.clock.advance(30)
    assert not bench.passes(TOTP, jane, answers={"code": bench.app_code(secret)})
    assert "authn:factor:suspended" in [event["type"] for event in timed.events()]


def test_the_limit_of_addresses_holds_here_too(timed: TimedSite, bench: FactorBench, jane: Person) -> None:
    """Attack 21: many persons from one network."""
    timed.change_settings(lambda s: replace(s, login_limit_address=replace(s.login_limit_address, count=3)))
    for number in range(3):
        someone = timed.person(f"someone-{number}")
        assert bench.verify(TOTP, bench.attempt(someone), code="123456") == Rejected(error="refused")
    assert bench.verify(TOTP, bench.attempt(jane), code="123456") == Rejected(error="busy")


def test_a_new_app_takes_the_place_of_the_old_one(bench: FactorBench, jane: Person) -> None:
    old, new = bench.add_app(jane), bench.add_app(jane)
    assert not bench.passes(TOTP, jane, answers={"code": bench.app_code(old)})
    assert bench.passes(TOTP, jane, answers={"code": bench.app_code(new)})


def test_the_secret_is_sealed_and_long(bench: FactorBench, jane: Person) -> None:
    secret = bench.add_app(jane)
    assert len(secret) * 5 == 160
    subject = bench.known(jane).subject.id
    (row,) = bench.run(lambda: list_factors_of_subject(bench.parts.database, bench.site.tenant.id, subject))
    assert row.secret is not None
    assert secret.encode() not in row.secret
    assert secret not in str(row.document)


def test_without_an_app_it_cannot_be_used(bench: FactorBench, jane: Person) -> None:
    assert not bench.is_usable(TOTP, jane)
    assert bench.verify(TOTP, bench.attempt(jane), code="123456") == Rejected(error="refused")


def test_the_drawing_is_the_address(bench: FactorBench, jane: Person) -> None:
    state = bench.begin_enrolment(TOTP, jane)
    page = bench.enrolment_page(TOTP, jane, state)
    assert page["uri"].startswith("otpauth://totp/")
    assert f"secret={state['secret']}" in page["uri"]
    assert page["secret"].replace(" ", "") == state["secret"]
    assert page["qr"]["size"] > 20
    assert set(page["qr"]["path"]) <= set("Mhvz -0123456789")


def test_the_owner_is_told(bench: FactorBench, jane: Person) -> None:
    bench.add_app(jane)
    (mail,) = bench.mails("factor-added")
    assert "Authenticator app" in mail
