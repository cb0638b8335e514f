"""Mail over a real server: sent once, again after what may change, never in the clear, never to an unproven server."""

import asyncio
import logging
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from identity.clock import SECOND
from identity.config import Settings
from identity.errors import ConfigurationError
from identity.messaging.courier import GIVE_UP_SECONDS, LEASE_SECONDS, RETRY_SECONDS
from identity.messaging.smtp import SmtpServer
from tests.messaging.mail_office import ADA, MailOffice, run
from tests.storage.hot_place import HotEngine
from tests.support.authority import Authority, server_context
from tests.support.mail_server import MailServer, mail_server

pytestmark = pytest.mark.long

FROM = "Example Org <id@example.org>"
PASSWORD = "a word for the mail server"


def smtp(server: MailServer, **changes: Any) -> SmtpServer:
    values: dict[str, Any] = {
        "smtp_host": "localhost", "smtp_port": server.port, "smtp_tls": server.mode, "mail_from": FROM,
    }  # fmt: skip
    found = SmtpServer.of(Settings.model_validate(values | changes))
    assert found is not None
    return found


@pytest.fixture
def mails() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture
def secure(tls: ssl.SSLContext) -> Iterator[MailServer]:
    """STARTTLS under the tests' own authority, and a password."""
    with mail_server(tls, "starttls", password=PASSWORD) as server:
        yield server


def with_password(server: MailServer, ca_file: Path | None) -> SmtpServer:
    return smtp(server, smtp_user="identity", smtp_password=PASSWORD, smtp_ca_file=ca_file)


def test_sent_once(outbox_engine: HotEngine, mails: MailServer) -> None:
    async def scenario(office: MailOffice) -> None:
        assert await office.mail(values={"code": "482913", "application": "Shop"}) == "queued"
        await office.deliver()
        await office.later(LEASE_SECONDS + 1)
        (mail,) = mails.mails
        assert (mail.sender, mail.recipients) == ("id@example.org", (ADA,))
        headers = mail.message
        assert (headers["From"], headers["To"], headers["Subject"]) == (FROM, ADA, "Your sign-in code for Shop")
        assert headers["Auto-Submitted"] == "auto-generated"
        assert "482913" in mail.part("plain")
        assert "482913" in mail.part("html")
        sent = await office.only()
        assert (sent.delivered_at is not None, sent.attempts, sent.last_status) == (True, 1, 250)
        assert headers["Message-ID"] == f"<{sent.id}@example.org>"
        assert sent.target == "mail://server/a***@example.org"

    run(outbox_engine, scenario, smtp(mails))


def test_the_same_key_is_sent_once(outbox_engine: HotEngine, mails: MailServer) -> None:
    async def scenario(office: MailOffice) -> None:
        for _ in range(3):
            assert await office.mail(key="flow-1") == "queued"
        await asyncio.gather(*(office.mail(key="flow-2") for _ in range(4)))
        await office.deliver()
        await office.later(1)
        assert len(mails.mails) == 2
        assert len(await office.log()) == 2

    run(outbox_engine, scenario, smtp(mails))


@pytest.mark.parametrize("verb", ["CONNECT", "MAIL", "RCPT", "DATA", "."])
def test_sent_again_after_4xx(outbox_engine: HotEngine, mails: MailServer, verb: str) -> None:
    usual = {"CONNECT": "220 ready", "DATA": "354 go on", ".": "250 taken"}.get(verb, "250 ok")
    mails.answer(verb, "451 4.7.1 come back later", usual)

    async def scenario(office: MailOffice) -> None:
        await office.mail()
        await office.deliver()
        waiting = await office.only()
        assert (waiting.failed_at, waiting.last_status) == (None, 451)
        assert not mails.mails
        await office.later(2 * RETRY_SECONDS[0])
        assert len(mails.mails) == 1
        assert (await office.only()).delivered_at is not None

    run(outbox_engine, scenario, smtp(mails))


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA", "."])
def test_not_sent_again_after_5xx(outbox_engine: HotEngine, mails: MailServer, verb: str) -> None:
    mails.answer(verb, f"550 5.1.1 there is no {ADA} here", "250 ok")

    async def scenario(office: MailOffice) -> None:
        await office.mail()
        await office.deliver()
        await office.later(GIVE_UP_SECONDS / 2)
        refused = await office.only()
        assert refused.failed_at is not None
        assert (refused.attempts, refused.last_status) == (1, 550)
        assert refused.last_error == "550 5.1.1 there is no *** here"
        assert not mails.mails

    run(outbox_engine, scenario, smtp(mails))


def test_a_wrong_password_loses_no_mail(outbox_engine: HotEngine, secure: MailServer, ca_file: Path) -> None:
    """535 is about our settings, and those can be mended."""
    server = smtp(secure, smtp_user="identity", smtp_password="another word", smtp_ca_file=ca_file)

    async def scenario(office: MailOffice) -> None:
        await office.mail()
        await office.deliver()
        waiting = await office.only()
        assert (waiting.failed_at, waiting.last_status) == (None, 535)
        secure.password = "another word"
        await office.later(2 * RETRY_SECONDS[0])
        assert len(secure.mails) == 1

    run(outbox_engine, scenario, server)


def test_sent_after_a_restart(outbox_engine: HotEngine, mails: MailServer) -> None:
    """The worker that had it died; the lease ends, and another one sends it."""
    mails.silent_at("MAIL")

    async def dies(office: MailOffice) -> None:
        await office.mail()
        await office.courier.dispatch()
        await asyncio.to_thread(mails.wait_until_asked)

    run(outbox_engine, dies, smtp(mails))

    async def goes_on(office: MailOffice) -> None:
        await office.deliver()
        assert not again.mails
        await office.later(LEASE_SECONDS)
        assert len(again.mails) == 1

    with mail_server() as again:
        run(outbox_engine, goes_on, smtp(again), empty_first=False)


def test_starttls_with_a_password(outbox_engine: HotEngine, secure: MailServer, ca_file: Path) -> None:
    async def scenario(office: MailOffice) -> None:
        await office.mail()
        await office.deliver()
        (mail,) = secure.mails
        assert (mail.secure, mail.user) == (True, "identity")
        assert [line.split()[0] for line in secure.clear] == ["EHLO", "STARTTLS"]

    run(outbox_engine, scenario, with_password(secure, ca_file))


def test_implicit_tls(outbox_engine: HotEngine, tls: ssl.SSLContext, ca_file: Path) -> None:
    async def scenario(office: MailOffice) -> None:
        await office.mail()
        await office.deliver()
        (mail,) = server.mails
        assert mail.secure

    with mail_server(tls, "implicit") as server:
        run(outbox_engine, scenario, smtp(server, smtp_ca_file=ca_file))


def test_attack_starttls_stripped(outbox_engine: HotEngine, secure: MailServer, ca_file: Path) -> None:
    """Somebody in between leaves STARTTLS out of the answer: neither password nor mail is told."""
    secure.offers_starttls = False

    async def scenario(office: MailOffice) -> None:
        await office.mail(values={"code": "482913"})
        await office.deliver()
        waiting = await office.only()
        assert waiting.delivered_at is None
        assert "STARTTLS" in waiting.last_error
        assert not secure.mails
        assert {line.split()[0] for line in secure.clear if line} <= {"EHLO", "QUIT"}

    run(outbox_engine, scenario, with_password(secure, ca_file))


def test_attack_answers_injected_before_tls(outbox_engine: HotEngine, secure: MailServer, ca_file: Path) -> None:
    """What stands behind the answer to STARTTLS came from somebody in between, and is not the server's word."""
    secure.answer("STARTTLS", "220 go ahead\r\n250-mail.example\r\n250 ok")

    async def scenario(office: MailOffice) -> None:
        await office.mail()
        await office.deliver()
        for mail in secure.mails:
            assert mail.secure
        assert [line.split()[0] for line in secure.clear if line] == ["EHLO", "STARTTLS"]

    run(outbox_engine, scenario, with_password(secure, ca_file))


@pytest.mark.parametrize("fault", ["unknown authority", "another name", "expired"])
@pytest.mark.parametrize("mode", ["implicit", "starttls"])
def test_attack_untrusted_certificate(
    outbox_engine: HotEngine, authority: Authority, ca_file: Path, tmp_path: Path, mode: Any, fault: str
) -> None:
    pairs = {
        "unknown authority": lambda: Authority("Somebody else").issue(),
        "another name": lambda: authority.issue(("mail.example",)),
        "expired": lambda: authority.issue(days=-1),
    }

    async def scenario(office: MailOffice) -> None:
        await office.mail()
        await office.deliver()
        waiting = await office.only()
        assert waiting.delivered_at is None
        assert "certificate" in waiting.last_error.lower()
        assert not server.mails
        assert not any("AUTH" in line for line in server.clear)

    with mail_server(server_context(tmp_path, pairs[fault]()), mode, password=PASSWORD) as server:
        run(outbox_engine, scenario, with_password(server, ca_file))


def test_a_server_that_says_nothing(outbox_engine: HotEngine, mails: MailServer) -> None:
    mails.silent_at("MAIL")

    async def scenario(office: MailOffice) -> None:
        await office.mail()
        await office.deliver()
        assert "no answer within 0.3 s" in (await office.only()).last_error

    run(outbox_engine, scenario, smtp(mails, smtp_timeout=0.3))


def test_not_sent_after_its_end(outbox_engine: HotEngine, mails: MailServer) -> None:
    mails.answer("RCPT", "450 later", "250 ok")

    async def scenario(office: MailOffice) -> None:
        await office.mail(expires_at=office.clock.now() + 3 * SECOND)
        await office.deliver()
        await office.later(3)
        ended = await office.only()
        assert ended.failed_at is not None
        assert not mails.mails

    run(outbox_engine, scenario, smtp(mails))


def test_an_unreachable_server_is_tried_by_one_mail_at_a_time(outbox_engine: HotEngine, mails: MailServer) -> None:
    mails.answer("CONNECT", "421 4.3.2 closed", "220 ready")

    async def scenario(office: MailOffice) -> None:
        for number in range(6):
            await office.mail(to=f"person{number}@example.org", key=f"{number}")
        await office.deliver()
        assert mails.connections == 1
        for _ in range(3):
            await office.later(2 * RETRY_SECONDS[0])
        assert len({mail.recipients for mail in mails.mails}) == len(mails.mails) == 6

    run(outbox_engine, scenario, smtp(mails))


def test_a_local_part_in_another_script(outbox_engine: HotEngine, mails: MailServer) -> None:
    async def scenario(office: MailOffice) -> None:
        assert await office.mail(to="jürgen@bücher.example") == "queued"
        await office.deliver()
        assert (await office.only()).failed_at is not None  # the server has no SMTPUTF8
        mails.extensions = ["SMTPUTF8", "8BITMIME"]
        assert await office.mail(to="jürgen@bücher.example", key="again") == "queued"
        await office.deliver()
        (mail,) = mails.mails
        assert mail.recipients == ("jürgen@xn--bcher-kva.example",)

    run(outbox_engine, scenario, smtp(mails))


def test_secrets_and_addresses_never_reach_logs(
    outbox_engine: HotEngine, secure: MailServer, ca_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secure.answer("RCPT", f"550 5.1.1 <{ADA}>: no such user")
    secure.answer("AUTH", "454 4.7.0 not now", "235 2.7.0 welcome")

    async def scenario(office: MailOffice) -> None:
        await office.mail(values={"code": "482913"})
        await office.deliver()
        await office.later(2)
        assert (await office.only()).failed_at is not None

    run(outbox_engine, scenario, with_password(secure, ca_file))
    written = "\n".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
    assert "mail server does not take mail" in written
    assert "delivery given up" in written
    for secret in (PASSWORD, "482913", ADA):
        assert secret not in written


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"smtp_host": "mail.example.org", "smtp_tls": "none"}, "smtp_tls"),
        ({"mail_from": None}, "mail_from"),
        ({"mail_from": "nobody"}, "mail_from"),
        ({"mail_from": "a@example.org\r\nBcc: b@example.org"}, "mail_from"),
        ({"smtp_user": "identity"}, "smtp_password"),
        ({"smtp_password": "word"}, "smtp_user"),
        ({"smtp_ca_file": "/nowhere/ca.pem"}, "smtp_ca_file"),
    ],
)
def test_settings_that_are_refused(changes: dict[str, Any], words: str) -> None:
    values: dict[str, Any] = {"smtp_host": "localhost", "mail_from": FROM}
    with pytest.raises(ConfigurationError) as refusal:
        SmtpServer.of(Settings.model_validate(values | changes))
    assert words in refusal.value.public
