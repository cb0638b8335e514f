"""The name first, the password alone, a limit of sessions: asked directly, as the driver does."""

from dataclasses import replace

import pytest

from identity.authn.authenticators import BASIC, IDENTIFIER, SESSION_LIMIT, Attempt, Named, Rejected, Verified
from identity.storage.sso_sessions import list_sessions_of_subject
from tests.support.builders import Person
from tests.support.factors import FactorBench
from tests.support.in_process import TimedSite

pytestmark = pytest.mark.long


@pytest.fixture
def jane(timed: TimedSite) -> Person:
    return timed.person("jane")


def test_a_name_shows_nothing(bench: FactorBench, jane: Person) -> None:
    known, unknown = (bench.verify(IDENTIFIER, bench.attempt(), username=name) for name in ("jane", "nobody"))
    assert isinstance(known, Named)
    assert known.person is not None
    assert unknown == Named(username="nobody")
    assert bench.factor(IDENTIFIER).kinds == frozenset()


def test_the_password_page_is_the_same_for_every_name(bench: FactorBench, jane: Person) -> None:
    """Attack 22."""
    for name in ("jane", "nobody"):
        attempt = bench.attempt(username=name)
        assert bench.page(BASIC, attempt) == {"known_name": name}
        assert bench.verify(BASIC, attempt, password="wrong") == Rejected(error="refused")


@pytest.mark.parametrize("typed", ["", "  ", "x" * 257])
def test_what_is_no_name(bench: FactorBench, typed: str) -> None:
    assert bench.verify(IDENTIFIER, bench.attempt(), username=typed) == Rejected(error="refused")


def test_names_are_not_tried_without_end(bench: FactorBench, timed: TimedSite) -> None:
    """Attack 21."""
    timed.change_settings(lambda s: replace(s, login_limit_address=replace(s.login_limit_address, count=8)))
    answers = [bench.verify(IDENTIFIER, bench.attempt(), username=f"name-{n}") for n in range(10)]
    assert [isinstance(answer, Named) for answer in answers] == [True] * 8 + [False] * 2
    assert answers[-1] == Rejected(error="busy")


def test_the_password_of_the_name_that_was_typed(bench: FactorBench, timed: TimedSite, jane: Person) -> None:
    """Attack 15: another name in the form of the second step changes nothing."""
    timed.person("mallory", "mallorys own password")
    attempt = bench.attempt(username="jane")
    wrong = bench.verify(BASIC, attempt, username="mallory", password="mallorys own password")
    assert wrong == Rejected(error="refused")
    right = bench.verify(BASIC, attempt, username="mallory", password=jane.password)
    assert isinstance(right, Verified)
    assert right.person.subject.username == "jane"


def test_a_known_person_is_asked_for_their_own_password(bench: FactorBench, timed: TimedSite, jane: Person) -> None:
    mallory = timed.person("mallory", "mallorys own password")
    assert isinstance(bench.verify(BASIC, bench.attempt(jane), password=jane.password), Verified)
    assert bench.verify(BASIC, bench.attempt(jane), password=mallory.password) == Rejected(error="refused")


def test_name_and_password(bench: FactorBench, jane: Person) -> None:
    outcome = bench.verify(BASIC, bench.attempt(), username="jane", password=jane.password)
    assert isinstance(outcome, Verified)
    assert outcome.amr == ("pwd",)
    assert bench.commit(outcome)


class TestSessionLimit:
    def limited(self, bench: FactorBench, person: Person, count: str = "2") -> Attempt:
        return bench.attempt(person, parameters={"MaxSessionCount": count})

    def signed_in(self, timed: TimedSite, person: Person, times: int) -> None:
        client = timed.application()
        for _ in range(times):
            timed.sign_in(client, person)

    def test_below_the_limit_nobody_is_asked(self, bench: FactorBench, timed: TimedSite, jane: Person) -> None:
        self.signed_in(timed, jane, 1)
        begun = bench.begin(SESSION_LIMIT, self.limited(bench, jane))
        assert begun.passed is not None
        assert begun.passed.amr == ()

    def test_at_the_limit_sessions_are_listed_and_ended(
        self, bench: FactorBench, timed: TimedSite, jane: Person
    ) -> None:
        self.signed_in(timed, jane, 3)
        attempt = self.limited(bench, jane)
        assert bench.begin(SESSION_LIMIT, attempt).passed is None
        page = bench.page(SESSION_LIMIT, attempt)
        assert (len(page["sessions"]), page["end_at_least"]) == (3, 2)
        fields = [session["field"] for session in page["sessions"]]
        assert bench.verify(SESSION_LIMIT, attempt) == Rejected(error="refused")
        assert bench.verify(SESSION_LIMIT, attempt, **{fields[0]: "yes"}) == Rejected(error="refused")
        outcome = bench.verify(SESSION_LIMIT, attempt, **{fields[0]: "yes", fields[1]: "yes"})
        assert bench.commit(outcome)
        subject, now = bench.known(jane).subject.id, timed.clock.now()
        left = bench.run(lambda: list_sessions_of_subject(bench.parts.database, timed.tenant.id, subject, now))
        assert [f"end-{session.id}" for session in left] == fields[2:]

    def test_sessions_of_others_do_not_count(self, bench: FactorBench, timed: TimedSite, jane: Person) -> None:
        """Attack 15."""
        mallory = timed.person("mallory")
        self.signed_in(timed, jane, 1)
        self.signed_in(timed, mallory, 1)
        janes = bench.page(SESSION_LIMIT, self.limited(bench, jane, "1"))["sessions"][0]["field"]
        outcome = bench.verify(SESSION_LIMIT, self.limited(bench, mallory, "1"), **{janes: "yes"})
        assert outcome == Rejected(error="refused")

    @pytest.mark.parametrize("count", ["", "0", "-1", "many", "²", "1" * 9])
    def test_a_limit_that_is_none_means_one(
        self, bench: FactorBench, timed: TimedSite, jane: Person, count: str
    ) -> None:
        assert bench.begin(SESSION_LIMIT, self.limited(bench, jane, count)).passed is not None
        self.signed_in(timed, jane, 1)
        assert bench.begin(SESSION_LIMIT, self.limited(bench, jane, count)).passed is None
