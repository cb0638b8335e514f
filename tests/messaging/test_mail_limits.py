"""How many mails one address may get, and which addresses get none."""

import asyncio

import pytest

from identity.domain.tenants import RateLimit, TenantSettings
from identity.messaging.mail_addresses import canonical_address
from identity.messaging.mail_templates import BadMail
from identity.storage.events import list_events_page
from tests.messaging.mail_office import ADA, MailOffice, run, tenant_of
from tests.messaging.post_office import TENANT
from tests.storage.hot_place import HotEngine

pytestmark = pytest.mark.long

MINUTES_10 = 600
DAY = 86400


async def ask(office: MailOffice, count: int, key: str = "mail", to: str = ADA) -> list[str]:
    return [await office.mail(key=f"{key}-{number}", to=to) for number in range(count)]


def test_five_within_ten_minutes(outbox_engine: HotEngine) -> None:
    async def scenario(office: MailOffice) -> None:
        assert await ask(office, 7) == ["queued"] * 5 + ["limited"] * 2
        assert len(await office.log()) == 5
        assert await office.mail(to="ben@example.org", key="ben") == "queued"
        await office.later(MINUTES_10)
        assert await office.mail(key="later") == "queued"

    run(outbox_engine, scenario)


def test_twenty_a_day(outbox_engine: HotEngine) -> None:
    async def scenario(office: MailOffice) -> None:
        verdicts = []
        for window in range(5):
            # What one limit refuses does not count under the other.
            verdicts += await ask(office, 8, key=f"window-{window}")
            await office.later(MINUTES_10)
        assert verdicts.count("queued") == 20
        assert set(verdicts[-8:]) == {"limited"}
        await office.later(DAY)
        assert await office.mail(key="tomorrow") == "queued"

    run(outbox_engine, scenario)


def test_exact_however_many_ask_at_once(outbox_engine: HotEngine) -> None:
    async def scenario(office: MailOffice) -> None:
        asked = (office.mail(key=f"at-once-{number}") for number in range(20))
        assert sorted(await asyncio.gather(*asked)) == ["limited"] * 15 + ["queued"] * 5

    run(outbox_engine, scenario)


def test_another_spelling_is_the_same_address(outbox_engine: HotEngine) -> None:
    async def scenario(office: MailOffice) -> None:
        spellings = ["ada@example.org", "Ada@Example.ORG", "ADA@EXAMPLE.org", "aDa@example.org", "ada@EXAMPLE.ORG"]
        for number, spelling in enumerate(spellings):
            assert await office.mail(to=spelling, key=f"{number}") == "queued"
        assert await office.mail(key="more") == "limited"

    run(outbox_engine, scenario)


def test_the_same_mail_counts_once(outbox_engine: HotEngine) -> None:
    async def scenario(office: MailOffice) -> None:
        for _ in range(9):
            assert await office.mail(key="one") == "queued"
        assert await ask(office, 5) == ["queued"] * 4 + ["limited"]

    run(outbox_engine, scenario)


def test_tenants_do_not_share_limits_or_keys(outbox_engine: HotEngine) -> None:
    async def scenario(office: MailOffice) -> None:
        assert (await ask(office, 6))[-1] == "limited"
        assert await office.mail(key="mail-0", tenant=office.other) == "queued"
        await office.deliver()
        await office.later(1)
        assert len(await office.captured()) == 5

    run(outbox_engine, scenario)


def test_a_tenants_own_limits(outbox_engine: HotEngine) -> None:
    settings = TenantSettings(mail_limit=RateLimit(count=2, seconds=60), mail_limit_day=RateLimit(count=0, seconds=DAY))

    async def scenario(office: MailOffice) -> None:
        office.tenant = tenant_of(TENANT, settings)
        for window in range(15):
            assert await ask(office, 3, key=f"window-{window}") == ["queued", "queued", "limited"]
            office.clock.at += 60_000_000

    run(outbox_engine, scenario)


def test_a_refusal_is_an_event_and_a_number(outbox_engine: HotEngine) -> None:
    async def scenario(office: MailOffice) -> None:
        before = len(await list_events_page(office.database, office.tenant.id, count=1000))
        await ask(office, 6)
        events = await list_events_page(office.database, office.tenant.id, count=1000)
        (event,) = events[before:]
        assert (event["type"], event["data"]) == ("user:mail:limited", '{"template":"email-otp"}')
        shown = office.metrics.exposition()[0].decode()
        assert 'mails_total{template="email-otp",verdict="queued"} 5.0' in shown
        assert 'mails_total{template="email-otp",verdict="limited"} 1.0' in shown

    run(outbox_engine, scenario)


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("ada@example.org", "ada@example.org"),
        ("Ada.Example@EXAMPLE.Org", "Ada.Example@example.org"),
        ("ada@BÜCHER.example", "ada@xn--bcher-kva.example"),
        ("ada+shop@example.org", "ada+shop@example.org"),
    ],
)
def test_addresses_are_written_in_one_way(written: str, canonical: str) -> None:
    assert canonical_address(written) == canonical


ATTACKS = [
    "", "ada", "@example.org", "ada@", "ada@example.org\r\nBcc: eve@example.org", "ada@example.org\n",
    "a\r@example.org",
    "ada\x00@example.org", "ada@example.org\x00", "ada@exa\tmple.org", "ada@example.org,eve@example.org",
    "ada@example.org;eve@example.org", "ada@example.org> NOTIFY=NEVER", "<ada@example.org>", "Ada <ada@example.org>",
    '"ada eve"@example.org', "ada@[127.0.0.1]", "ada@example.org eve@example.org", " ada@example.org",
    "ada@example.org\u2028", "ada\u202e@example.org", "ada@-example.org", "ada@example..org", "a" * 65 + "@example.org",
    "ada@" + "a" * 250 + ".org", "ada@example.org\x7f", "ada\u00a0@example.org", "ada@corp.local", "ada@localhost",
]  # fmt: skip


@pytest.mark.parametrize("written", ATTACKS)
def test_attack_header_injection_by_address(written: str) -> None:
    assert canonical_address(written) is None


def test_nothing_is_written_or_counted_for_a_bad_address(outbox_engine: HotEngine) -> None:
    async def scenario(office: MailOffice) -> None:
        assert await office.mail(to=f"{ADA}\r\nBcc: eve@example.org") == "bad_address"
        assert await office.log() == []
        assert 'verdict="bad_address"} 1.0' in office.metrics.exposition()[0].decode()

    run(outbox_engine, scenario)


def test_a_mistake_of_the_caller_is_told(outbox_engine: HotEngine) -> None:
    async def scenario(office: MailOffice) -> None:
        with pytest.raises(BadMail):
            await office.mail(template="no-such")
        with pytest.raises(BadMail):
            await office.mail(template="email-otp", values={})
        assert await ask(office, 5) == ["queued"] * 5

    run(outbox_engine, scenario)
