"""Without a mail server mail is captured: kept for a while, sealed, and never lost silently."""

import pytest
from sqlalchemy import func, select

from identity.storage.authorization_tables import captured_mail, delivery
from identity.storage.captured_mail import KEPT, KEPT_SECONDS, capture, list_captured_mail
from identity.storage.database import Database
from identity.storage.purge import purge_batch
from identity.storage.write_batch import WriteBatch
from tests.messaging.mail_office import ADA, MailOffice, content, run
from tests.messaging.post_office import SEALER, TENANT
from tests.storage.hot_place import HotEngine
from tests.support.in_process import InProcessServer, TimedSite, in_process_server, timed
from tests.support.mailbox import Mailbox

pytestmark = pytest.mark.long

__all__ = ["in_process_server", "timed"]


def test_a_mail_without_a_server_is_captured(outbox_engine: HotEngine) -> None:
    async def scenario(office: MailOffice) -> None:
        assert await office.mail(values={"code": "482913"}) == "queued"
        assert await office.captured() == []
        await office.deliver()
        (mail,) = await office.captured()
        assert (mail.content.to, mail.content.template) == (ADA, "email-otp")
        assert "482913" in mail.content.text
        assert (await office.only()).delivered_at is not None

    run(outbox_engine, scenario)


def test_codes_are_sealed_at_rest(outbox_engine: HotEngine) -> None:
    async def scenario(office: MailOffice) -> None:
        await office.mail(values={"code": "482913"})
        await office.deliver()
        for table in (delivery, captured_mail):
            for row in await office.database.fetch(select(table)):
                whole = b"".join(str(row[name]).encode() for name in row.keys()) + bytes(row["payload"])  # noqa: SIM118
                assert b"482913" not in whole
                assert ADA.encode() not in whole

    run(outbox_engine, scenario)


def test_captured_mail_ends_after_a_day(outbox_engine: HotEngine) -> None:
    async def scenario(office: MailOffice) -> None:
        await office.mail()
        await office.deliver()
        await office.later(KEPT_SECONDS)
        assert await office.captured() == []
        assert await purge_batch(office.database, "captured_mail", before=office.clock.now() + 1) == 1

    run(outbox_engine, scenario)


def test_the_oldest_of_too_many_go(outbox_engine: HotEngine) -> None:
    async def scenario(office: MailOffice) -> None:
        for number in range(KEPT + 5):
            await keep(office.database, f"{number:05}")
        (row,) = await office.database.fetch(
            select(func.count().label("rows"), func.min(captured_mail.c.id).label("oldest"))
        )
        assert (row["rows"], row["oldest"]) == (KEPT, "00005")

    async def keep(database: Database, id: str) -> None:
        await capture(database, SEALER, TENANT, id=id, content=content(), now=1)

    run(outbox_engine, scenario)


def test_captured_twice_is_kept_once(outbox_engine: HotEngine) -> None:
    """A worker that died between the two writes tries again."""

    async def scenario(office: MailOffice) -> None:
        for _ in range(2):
            await capture(office.database, SEALER, TENANT, id="one", content=content(), now=office.clock.now())
        assert len(await office.captured()) == 1

    run(outbox_engine, scenario)


def test_another_tenant_sees_nothing_of_it(outbox_engine: HotEngine) -> None:
    async def scenario(office: MailOffice) -> None:
        await office.mail()
        await office.deliver()
        now = office.clock.now()
        assert await list_captured_mail(office.database, SEALER, office.other.id, now=now) == []
        assert len(await office.captured()) == 1

    run(outbox_engine, scenario)


def test_the_servers_own_mailer(in_process_server: InProcessServer, timed: TimedSite) -> None:
    """As the server is put together: its mailer, its outbox, its courier."""
    parts = in_process_server.server.parts

    async def ask(database: Database) -> None:
        tenant = await parts.administration.tenant(timed.handle)
        batch = WriteBatch()
        verdict = await parts.mailer.enqueue(
            batch, tenant, to=ADA, template="test", locale="de-AT", values={}, key="one"
        )
        assert verdict == "queued"
        assert await database.commit(batch)

    in_process_server.run(ask)
    timed.deliver()
    (mail,) = Mailbox(timed).mails(ADA)
    assert mail.subject == "Testnachricht von Identity Server"
