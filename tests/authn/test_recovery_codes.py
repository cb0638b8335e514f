"""Recovery codes: ten, each good once, stored as hashes."""

import pytest

from identity.authn.authenticators import RECOVERY_CODE, TOTP, Rejected, Verified
from identity.authn.authenticators.recovery_code import CODE_LENGTH
from identity.authn.one_time_codes import ALPHABET, shown_code
from identity.storage.enrolled_factors import list_factors_of_subject
from tests.support.builders import Person
from tests.support.factors import FactorBench, wrong_code
from tests.support.in_process import TimedSite

pytestmark = pytest.mark.long


@pytest.fixture
def jane(timed: TimedSite) -> Person:
    return timed.person("jane", email="jane@example.org", email_verified=True)


def add_codes(bench: FactorBench, person: Person) -> list[str]:
    state = bench.begin_enrolment(RECOVERY_CODE, person)
    assert bench.commit(bench.enrol(RECOVERY_CODE, bench.attempt(person, state=state)))
    codes: list[str] = state["codes"]
    return codes


def test_each_of_ten_codes_is_good_once(bench: FactorBench, jane: Person) -> None:
    codes = add_codes(bench, jane)
    assert len(set(codes)) == 10
    for code in codes:
        assert bench.passes(RECOVERY_CODE, jane, answers={"code": shown_code(code).lower()})
        assert not bench.passes(RECOVERY_CODE, jane, answers={"code": code}, flow="another")
    assert not bench.is_usable(RECOVERY_CODE, jane)


def test_a_code_has_more_than_fifty_bits() -> None:
    assert len(ALPHABET) ** CODE_LENGTH > 2**50
    assert not set("01OILAEU") & set(ALPHABET)


def test_new_codes_end_the_old_ones(bench: FactorBench, jane: Person) -> None:
    old, new = add_codes(bench, jane), add_codes(bench, jane)
    assert not bench.passes(RECOVERY_CODE, jane, answers={"code": old[0]})
    assert bench.passes(RECOVERY_CODE, jane, answers={"code": new[0]})


def test_two_logins_with_one_code_at_once(bench: FactorBench, jane: Person) -> None:
    """Attack 14."""
    code = add_codes(bench, jane)[0]
    logins = [(bench.attempt(jane, flow=f"flow-{n}"), {"code": code}) for n in range(4)]
    outcomes = bench.verify_at_once(RECOVERY_CODE, logins)
    assert sorted(bench.commit(outcome) for outcome in outcomes) == [False, False, False, True]


def test_nobody_elses(timed: TimedSite, bench: FactorBench, jane: Person) -> None:
    codes = add_codes(bench, jane)
    mallory = timed.person("mallory")
    add_codes(bench, mallory)
    assert bench.verify(RECOVERY_CODE, bench.attempt(mallory), code=codes[0]) == Rejected(error="refused")


def test_what_is_stored_is_no_code(bench: FactorBench, jane: Person) -> None:
    codes = add_codes(bench, jane)
    subject = bench.known(jane).subject.id
    (row,) = bench.run(lambda: list_factors_of_subject(bench.parts.database, bench.site.tenant.id, subject))
    assert not any(code in str(row) for code in codes)


def test_setting_them_up_proves_nothing(bench: FactorBench, jane: Person) -> None:
    """Attack 15: whoever makes codes while signing in has not shown a second factor by that."""
    state = bench.begin_enrolment(RECOVERY_CODE, jane)
    outcome = bench.enrol(RECOVERY_CODE, bench.attempt(jane, state=state))
    assert isinstance(outcome, Verified)
    assert outcome.amr == ()


def test_the_owner_is_told_of_the_use_and_the_app_is_taken_again(
    timed: TimedSite, bench: FactorBench, jane: Person
) -> None:
    codes, secret = add_codes(bench, jane), bench.add_app(jane)
    for _ in range(4):
        assert not bench.passes(TOTP, jane, answers={"code": wrong_code(bench.app_code(secret))})
    assert bench.passes(RECOVERY_CODE, jane, answers={"code": codes[0]})
    subject = bench.known(jane).subject.id
    rows = bench.run(lambda: list_factors_of_subject(bench.parts.database, timed.tenant.id, subject))
    assert [row.failures for row in rows] == [0, 0]
    (mail,) = bench.mails("factor-used")
    assert "Codes left: 9" in mail
