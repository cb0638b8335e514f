"""Attack row 21: guessing passwords. One count per account however it is spelled, per household, per tenant."""

import asyncio
from collections import Counter
from dataclasses import replace

import httpx
import pytest

from identity.authn.lockout import Lockout
from identity.domain.tenants import RateLimit
from identity.jobs import KEEP
from identity.storage.purge import purge_batch
from tests.attacks.targets import raw_cookies
from tests.support.browser import Page
from tests.support.builders import PASSWORD, Client, Site
from tests.support.in_process import TimedSite

UNLIMITED = RateLimit(count=0, seconds=1)


@pytest.fixture
def client(timed: TimedSite) -> Client:
    timed.change_settings(lambda s: replace(s, login_limit_address=UNLIMITED, lockout_attempts=3, lockout_seconds=300))
    timed.clock.advance(2)
    _ = timed.jane
    return timed.application()


def guess(site: Site, client: Client, username: str, password: str = "wrong") -> Page:
    page = site.browser().get(site.authorize_url(client))
    return page.submit("login-submit", username=username, password=password)


def signed_in(page: Page) -> bool:
    return page.left_for is not None and "code" in page.left_for.parameters


def test_the_right_password_after_too_many_wrong_ones(timed: TimedSite, client: Client) -> None:
    wrong = [guess(timed, client, "jane") for _ in range(3)]
    locked = guess(timed, client, "jane", PASSWORD)
    assert not signed_in(locked)
    # The guesser does not learn that it would have been the one.
    assert {page.status for page in (*wrong, locked)} == {422}
    assert len({page.document.text for page in (*wrong, locked)}) == 1


@pytest.mark.parametrize(
    "spellings",
    [
        ("jane", "JANE", "Jane"), ("jane", "PRIMARY/jane", "primary/JANE"), ("jane", "Primary/Jane", "jAnE"),
        ("\uff4a\uff41\uff4e\uff45", "jane", "\U0001d4f3ane"),
        ("jane ", " jane", "jane"), ("jane\u00a0", "\u2003jane", "jane"),
    ],
)  # fmt: skip
def test_every_spelling_counts_on_one_account(timed: TimedSite, client: Client, spellings: tuple[str, ...]) -> None:
    for spelling in spellings:
        guess(timed, client, spelling)
    assert not signed_in(guess(timed, client, "jane", PASSWORD))


@pytest.mark.parametrize("last", ["jane", "jane@example.org", "PRIMARY/jane", "Jane@Example.org"])
def test_every_name_of_an_account_shares_its_failures(timed: TimedSite, client: Client, last: str) -> None:
    """Better Auth CVE-2026-45364: a second way to name the account brings no new tries."""
    for name in ("jane", "jane@example.org", "JANE@example.org"):
        guess(timed, client, name)
    assert not signed_in(guess(timed, client, last, PASSWORD))
    timed.clock.advance(301)
    assert signed_in(guess(timed, client, last, PASSWORD))


def test_somebody_elses_lock_locks_nobody_else(timed: TimedSite, client: Client) -> None:
    for _ in range(4):
        guess(timed, client, "janet")
    assert signed_in(guess(timed, client, "jane", PASSWORD))


def test_success_clears_the_count(timed: TimedSite, client: Client) -> None:
    for _ in range(3):
        guess(timed, client, "jane")
        guess(timed, client, "jane")
        assert signed_in(guess(timed, client, "jane", PASSWORD))


def test_tries_during_a_lock_do_not_prolong_it(timed: TimedSite, client: Client) -> None:
    for _ in range(3):
        guess(timed, client, "jane")
    for _ in range(5):
        timed.clock.advance(50)
        assert not signed_in(guess(timed, client, "jane", PASSWORD))
    timed.clock.advance(51)
    assert signed_in(guess(timed, client, "jane", PASSWORD))


def test_the_end_of_a_window_does_not_open_a_lock(timed: TimedSite, client: Client) -> None:
    """The third wrong one at the window's very end locks for its whole time; the purge does not open it either."""
    guess(timed, client, "jane")
    timed.clock.advance(890)
    guess(timed, client, "jane")
    guess(timed, client, "jane")
    for _ in range(5):
        timed.clock.advance(50)
        timed.administer(lambda a: purge_batch(a.database, "attempt", before=timed.clock.now() - KEEP))
        assert not signed_in(guess(timed, client, "jane", PASSWORD))


def test_many_guesses_at_once_are_no_more_than_one_after_another(site: Site) -> None:
    """Counted before the password is looked at: nine right ones at once are too late."""
    site.change_settings(lambda s: replace(s, login_limit_address=UNLIMITED, lockout_attempts=3))
    client, person = site.application(), site.jane
    pages = []
    for _ in range(12):
        browser = site.browser()
        page = browser.get(site.authorize_url(client))
        pages.append((page, raw_cookies(browser)))
    # Three wrong ones first: from then on the account is locked, whatever arrives together.
    for page, _ in pages[:3]:
        page.submit("login-submit", username=person.username, password="wrong")

    assert Counter(_post_at_once(site, pages[3:], person.username)) == {422: 9}


def test_right_passwords_at_once_are_all_right(site: Site) -> None:
    """Tries in flight are no failures: they wait for each other."""
    site.change_settings(lambda s: replace(s, login_limit_address=UNLIMITED, lockout_attempts=3))
    client, person = site.application(), site.jane
    pages = []
    for _ in range(10):
        browser = site.browser()
        page = browser.get(site.authorize_url(client))
        pages.append((page, raw_cookies(browser)))
    assert Counter(_post_at_once(site, pages, person.username)) == {303: 10}
    assert not [event for event in site.events() if event["type"] == "user:account:locked"]


def _post_at_once(site: Site, pages: list[tuple[Page, dict[str, str]]], username: str) -> list[int]:
    """The right password on all of these login pages together; the statuses."""

    async def at_once() -> list[int]:
        async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
            answers = await asyncio.gather(
                *(
                    http.post(
                        page.url,
                        data={
                            "csrf_token": page.text.split('name="csrf_token" value="')[1].split('"')[0],
                            "username": username, "password": PASSWORD,
                        },
                        headers={
                            "Origin": site.server.base_url,
                            "Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()),
                        },
                    )
                    for page, cookies in pages
                )
            )  # fmt: skip
        return [answer.status_code for answer in answers]

    return asyncio.run(at_once())


@pytest.mark.parametrize(
    ("addresses", "one"),
    [
        (["2001:db8::1", "2001:db8::2", "2001:db8:0:0:ffff::1", "2001:db8::"], True),
        (["2001:db8:0:0::1", "2001:0db8::1", "2001:DB8::1", "2001:db8::0001"], True),
        (["::ffff:192.0.2.1", "192.0.2.1", "::ffff:c000:201", "::FFFF:192.0.2.1"], True),
        (["2001:db8:0:1::1", "2001:db8:0:2::1", "2001:db8:0:3::1", "2001:db8:0:4::1"], False),
        (["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"], False),
        (["", "x", "1.2.3", "999.1.1.1"], True),
    ],
)
def test_a_household_is_one_address(timed: TimedSite, client: Client, addresses: list[str], one: bool) -> None:
    """Better Auth CVE-2026-45364: rotation within a /64, and other spellings of one address."""
    timed.change_settings(lambda s: replace(s, login_limit_address=RateLimit(count=3, seconds=60)))

    async def admitted(database: object) -> list[bool]:
        administration = timed.server.server.foundation.administration  # type: ignore[attr-defined]
        tenant = await administration.configuration.load(timed.handle)
        lockout = Lockout(administration.database, timed.clock)
        return [
            (await lockout.admit(tenant, f"nobody{number}", address)).verdict == "limited"
            for number, address in enumerate(addresses)
        ]

    assert timed.server.run(admitted) == [False, False, False, one]


def test_a_tenants_flood_is_bounded(timed: TimedSite, client: Client) -> None:
    timed.change_settings(lambda s: replace(s, login_limit_tenant=RateLimit(count=3, seconds=60)))
    timed.clock.advance(2)
    assert [guess(timed, client, f"nobody{number}").status for number in range(5)] == [422, 422, 422, 503, 503]
    timed.clock.advance(61)
    assert signed_in(guess(timed, client, "jane", PASSWORD))


def test_a_limited_try_checks_no_password(timed: TimedSite, client: Client) -> None:
    timed.change_settings(lambda s: replace(s, login_limit_tenant=RateLimit(count=1, seconds=60)))
    timed.clock.advance(2)
    guess(timed, client, "nobody")
    busy = guess(timed, client, "jane", PASSWORD)
    assert (busy.status, busy.header("retry-after"), busy.left_for) == (503, "5", None)


def test_a_lock_is_on_record(timed: TimedSite, client: Client) -> None:
    for _ in range(5):
        guess(timed, client, "jane")
    types = [event["type"] for event in timed.events()]
    assert types.count("user:account:locked") == 1
    assert types.count("user:password:refused") == 5
