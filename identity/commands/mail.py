"""`identity mail`: what was captured instead of sent, and a test of the mail server."""

from pathlib import Path
from typing import Annotated, Any

import typer

from identity.commands.context import with_administration

app = typer.Typer(help="Mail: list and show what was captured, send a test.", no_args_is_help=True)

Data = Annotated[Path | None, typer.Option("--data", help="Data folder of the embedded installation.")]
Tenant = Annotated[str, typer.Option("--tenant", help="Handle of the tenant.")]


@app.command("list")
def list_captured(
    count: Annotated[int, typer.Option(help="How many, at most.", min=1, max=1000)] = 100,
    tenant: Tenant = "root",
    data: Data = None,
) -> None:
    """List captured mail, newest first: id, when, to whom, subject."""
    from identity.clock import as_datetime
    from identity.storage.captured_mail import list_captured_mail

    async def work(administration: Any) -> Any:
        place = await administration.tenant(tenant)
        return await list_captured_mail(
            administration.database, administration.sealer, place.id, now=administration.clock.now(), count=count
        )

    for mail in with_administration(data, work):
        moment = f"{as_datetime(mail.captured_at):%Y-%m-%d %H:%M:%S}"
        print(f"{mail.id}\t{moment}\t{mail.content.to}\t{mail.content.subject}")


@app.command()
def show(
    id: Annotated[str, typer.Argument(help="As `list` shows it.")],
    html: Annotated[bool, typer.Option("--html", help="The HTML part instead of the text.")] = False,
    tenant: Tenant = "root",
    data: Data = None,
) -> None:
    """Show one captured mail."""
    from identity.errors import ConfigurationError
    from identity.storage.captured_mail import find_captured_mail

    async def work(administration: Any) -> Any:
        place = await administration.tenant(tenant)
        now = administration.clock.now()
        return await find_captured_mail(administration.database, administration.sealer, place.id, id, now=now)

    mail = with_administration(data, work)
    if mail is None:
        raise ConfigurationError(f"There is no captured mail {id!r}; it is kept for a day.")
    if html:
        print(mail.content.html)
    else:
        print(f"To: {mail.content.to}\nSubject: {mail.content.subject}\n\n{mail.content.text}", end="")


@app.command()
def test(
    address: Annotated[str, typer.Argument(help="To whom.")],
    locale: Annotated[str, typer.Option(help="The language of the mail.")] = "en",
    tenant: Tenant = "root",
    data: Data = None,
) -> None:
    """Send a test mail now and print what the mail server answers; exit code 1 when it did not take it."""
    from identity.config import load_settings
    from identity.errors import ConfigurationError
    from identity.messaging.mail_addresses import canonical_address

    to = canonical_address(address)
    if to is None:
        raise ConfigurationError(f"{address!r} is not a mail address.")
    settings = load_settings(data=data)

    async def work(administration: Any) -> Any:
        return await _send_test(administration, settings, tenant, to, locale)

    outcome = with_administration(data, work)
    print(outcome.error or "delivered")
    if outcome.result.value != "delivered":
        raise typer.Exit(1)


async def _send_test(administration: Any, settings: Any, tenant: str, to: str, locale: str) -> Any:
    """Past the outbox and its limits: an administrator waits for the answer."""
    from identity.ids import new_id
    from identity.messaging.mail import CAPTURED, MailCarrier, mail_content
    from identity.messaging.mail_templates import MailTemplates
    from identity.messaging.outcomes import Outcome, Result
    from identity.messaging.smtp import SmtpServer
    from identity.resources import data_folder
    from identity.telemetry import get_logger

    place = await administration.tenant(tenant)
    templates = MailTemplates(data_folder("themes") / "base" / "mail")
    content = mail_content(templates, place, to, "test", locale, {})
    log = get_logger("identity.commands.mail")
    carrier = MailCarrier(
        SmtpServer.of(settings), administration.database, administration.sealer, administration.clock, log
    )
    outcome = await carrier.send(place.id, content, id=new_id(), at=administration.clock.now())
    return Outcome(Result.DELIVERED, error=CAPTURED) if carrier.captures else outcome
