"""Factors in whole sign-ins over HTTP: what counts, what ends, what looks the same."""

import re

import pytest

from identity.authn.authenticators import RECOVERY_CODE
from tests.support.browser import Page
from tests.support.builders import Client, Person
from tests.support.factors import FactorBench, wrong_code
from tests.support.in_process import TimedSite
from tests.support.scripts import steps

pytestmark = pytest.mark.long

SECOND = ("totp", "email-otp-authenticator", "backup-code-authenticator")


@pytest.fixture
def jane(timed: TimedSite) -> Person:
    return timed.person("jane", email="jane@example.org", email_verified=True)


def begun(timed: TimedSite, client: Client, person: Person) -> Page:
    page = timed.browser().get(timed.authorize_url(client))
    return page.submit("login-submit", username=person.username, password=person.password)


def is_in(page: Page) -> bool:
    return page.left_for is not None and "code" in page.left_for.parameters


def test_many_sign_ins_in_two_steps(timed: TimedSite, bench: FactorBench, jane: Person) -> None:
    """What was passed counts no more as a try: neither the password of a login that was left, nor the codes."""
    client = timed.application(sign_in_steps=steps(("BasicAuthenticator",), ("totp",)))
    secret = bench.add_app(jane)
    for _ in range(7):
        assert begun(timed, client, jane).has("code-submit")
    for _ in range(7):
        assert is_in(begun(timed, client, jane).submit("code-submit", code=bench.app_code(secret)))
        timed.clock.advance(30)


def test_every_second_factor_locks_the_others(timed: TimedSite, bench: FactorBench, jane: Person) -> None:
    """Attack 21."""
    client = timed.application(sign_in_steps=steps(("BasicAuthenticator",), SECOND))
    secret = bench.add_app(jane)
    page = begun(timed, client, jane)
    for _ in range(4):
        page = page.submit("code-submit", code=wrong_code(bench.app_code(secret)))
        assert page.status == 422
    page = page.submit("another-way").submit("factor-submit", authenticator="email-otp-authenticator")
    page = page.submit("code-submit", code="BBBB-BBBB")
    assert page.status == 422
    fresh = begun(timed, client, jane)
    locked = fresh.submit("code-submit", code=bench.app_code(secret))
    assert locked.status == 422
    timed.clock.advance(301)
    assert is_in(begun(timed, client, jane).submit("code-submit", code=bench.app_code(secret)))


def test_a_code_by_mail(timed: TimedSite, bench: FactorBench, jane: Person) -> None:
    client = timed.application(sign_in_steps=steps(("BasicAuthenticator",), ("email-otp-authenticator",)))
    page = begun(timed, client, jane)
    assert "j•••@example.org" in page.text
    page = page.submit("code-resend")
    first, second = (re.search(r"[A-Z0-9]{4}-[A-Z0-9]{4}", mail) for mail in bench.mails("email-otp"))
    assert first is not None
    assert second is not None
    refused = page.submit("code-submit", code=first[0])
    assert refused.status == 422
    assert is_in(refused.submit("code-submit", code=second[0].lower()))


def test_a_recovery_code(timed: TimedSite, bench: FactorBench, jane: Person) -> None:
    client = timed.application(sign_in_steps=steps(("BasicAuthenticator",), SECOND))
    state = bench.begin_enrolment(RECOVERY_CODE, jane)
    assert bench.commit(bench.enrol(RECOVERY_CODE, bench.attempt(jane, state=state)))
    for expected in (True, False):
        page = begun(timed, client, jane)
        page = page.submit("another-way").submit("factor-submit", authenticator=RECOVERY_CODE)
        assert is_in(page.submit("code-submit", code=state["codes"][0])) is expected


def test_known_and_unknown_names_look_the_same(timed: TimedSite, jane: Person) -> None:
    """Attack 22: from the name to the refused password, and to the code that nobody gets."""
    client = timed.application(
        sign_in_steps=steps(("IdentifierExecutor",), ("BasicAuthenticator", "email-otp-authenticator"))
    )
    seen = []
    for name in ("jane", "nobody"):
        page = timed.browser().get(timed.authorize_url(client)).submit("identifier-submit", username=name)
        refused = page.submit("login-submit", password="wrong")
        mail = refused.submit("another-way").submit("factor-submit", authenticator="email-otp-authenticator")
        wrong = mail.submit("code-submit", code="BBBB-BBBB")
        seen.append([(p.status, p.document.text.replace(name, "NAME")) for p in (page, refused, mail, wrong)])
    assert seen[0] == seen[1]


def test_the_name_first_then_the_password(timed: TimedSite, jane: Person) -> None:
    client = timed.application(sign_in_steps=steps(("IdentifierExecutor",), ("BasicAuthenticator",)))
    page = timed.browser().get(timed.authorize_url(client)).submit("identifier-submit", username="jane")
    assert page.has("known-name")
    assert is_in(page.submit("login-submit", password=jane.password))
