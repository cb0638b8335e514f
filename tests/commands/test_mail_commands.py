"""`identity mail`: captured mail, and a test of the mail server."""

from typing import Any

from identity.commands.context import with_administration
from identity.domain.mail import MailContent
from identity.ids import new_id
from identity.storage.captured_mail import capture
from tests.commands.test_cli import Cli, cli
from tests.support.mail_server import mail_server

__all__ = ["cli"]


def captured(cli: Cli, subject: str) -> None:
    async def keep(administration: Any) -> None:
        tenant = await administration.tenant("root")
        content = MailContent(
            to="ada@example.org", template="test", locale="en", subject=subject, text="The text\n", html="<p>The text"
        )
        await capture(
            administration.database, administration.sealer, tenant.id, id=new_id(), content=content,
            now=administration.clock.now(),
        )  # fmt: skip

    with_administration(cli.data, keep)


def test_list_and_show(cli: Cli) -> None:
    captured(cli, "First")
    captured(cli, "Second")
    lines = [line.split("\t") for line in cli.output("mail", "list").splitlines()]
    assert [line[2:] for line in lines] == [["ada@example.org", "Second"], ["ada@example.org", "First"]]
    assert cli.output("mail", "show", lines[1][0]) == "To: ada@example.org\nSubject: First\n\nThe text\n"
    assert "<p>The text" in cli.output("mail", "show", "--html", lines[1][0])
    assert "kept for a day" in cli.refusal("mail", "show", "no-such")
    cli.output("tenants", "create", "other")
    assert cli.output("mail", "list", "--tenant", "other") == ""
    assert cli.refusal("mail", "show", "--tenant", "other", lines[1][0])


def test_without_a_server_a_test_is_captured(cli: Cli) -> None:
    assert "captured" in cli.output("mail", "test", "ada@example.org", "--locale", "de")
    assert "Testnachricht" in cli.output("mail", "list")
    assert "not a mail address" in cli.refusal("mail", "test", "ada@example.org\r\nBcc: eve@example.org")
    assert "WARNING  Mail is captured" in cli.output("check")


def test_the_servers_answer_is_printed(cli: Cli, monkeypatch: Any) -> None:
    with mail_server() as server:
        for name, value in {
            "SMTP_HOST": "localhost", "SMTP_PORT": str(server.port), "SMTP_TLS": "none", "MAIL_FROM": "id@example.org",
        }.items():  # fmt: skip
            monkeypatch.setenv(f"IDENTITY_{name}", value)
        assert cli.output("mail", "test", "ada@example.org") == "250 2.0.0 taken as 42\n"
        assert server.wait_for()[0].recipients == ("ada@example.org",)
        assert "Mail is captured" not in cli.output("check")
        server.answer("RCPT", "550 5.7.1 not from you")
        refused = cli("mail", "test", "ada@example.org")
        assert (refused.stdout, refused.exit_code) == ("550 5.7.1 not from you\n", 1)
