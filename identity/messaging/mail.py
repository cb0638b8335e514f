"""Mail to people: written down with its cause, limited per address, and sent, or captured, by whichever worker is free.

verdict = await mailer.enqueue(batch, tenant, to=address, template="email-otp", locale="de",
                               values={"code": code}, key=f"email-otp:{flow}:{number}", expires_at=end)
await database.commit(batch)
mailer.wake()
"""

from collections.abc import Mapping
from email.message import EmailMessage
from email.policy import SMTP

import msgspec

from identity.clock import SECOND, Clock
from identity.domain.deliveries import DeliveryKind
from identity.domain.events import Event, EventType
from identity.domain.mail import MailContent, MailVerdict
from identity.domain.tenants import TenantId
from identity.messaging.mail_addresses import canonical_address, limit_name
from identity.messaging.mail_templates import MailTemplates, template_name
from identity.messaging.outbox import OF_NO_USE, Outbox, Outgoing
from identity.messaging.outcomes import Outcome, Result
from identity.messaging.smtp import PARTING_SECONDS, SmtpClient, SmtpServer
from identity.secrets import Sealer
from identity.storage.captured_mail import capture
from identity.storage.configuration import TenantConfiguration
from identity.storage.database import Database, forbid_in_transaction
from identity.storage.deliveries import key_is_taken
from identity.storage.events import record
from identity.storage.mail_limits import take_places
from identity.storage.write_batch import WriteBatch
from identity.telemetry import Log, Metrics, masked_address

CAPTURED = "Mail is captured, not sent: no smtp_host is set. `identity mail list` shows it."
CAPTURE_SECONDS = 10.0
_DEFAULT_ORGANISATION = "Identity Server"


class Mailer:
    """What writes mail. `MailCarrier` takes it further."""

    def __init__(self, outbox: Outbox, database: Database, templates: MailTemplates, metrics: Metrics) -> None:
        self._outbox = outbox
        self._database = database
        self._templates = templates
        self._metrics = metrics

    async def enqueue(
        self,
        batch: WriteBatch,
        tenant: TenantConfiguration,
        *,
        to: str,
        template: str,
        locale: str,
        values: Mapping[str, str],
        key: str,
        expires_at: int | None = None,
        subject: str = "",
        application: str = "",
    ) -> MailVerdict:
        """Note a mail in `batch`; it goes out once that is committed. Not to be called within a transaction.

        The same `key` of a tenant is one mail, however often it is asked for, and counts once. After `expires_at` (µs)
        it is not sent any more. `subject` and `application` (ids) are for the delivery log and events. Values
        `organisation` and `application` default to the tenant's display name. When the verdict is `limited`, `batch`
        has the event about it instead. Raises BadMail for an unknown template or a missing value.
        """
        forbid_in_transaction("a mail's limits")
        name = template_name(template)
        address = canonical_address(to)
        if address is None:
            return self._verdict(name, "bad_address")
        content = mail_content(self._templates, tenant, address, name, locale, values, expires_at)
        if await key_is_taken(self._database, tenant.id, key):
            return "queued"
        now = self._outbox.clock.now()
        limits = {"short": tenant.settings.mail_limit, "day": tenant.settings.mail_limit_day}
        if not await take_places(self._database, tenant.id, limit_name(address), limits, now=now):
            event = Event(
                tenant=tenant.id, type=EventType.MAIL_LIMITED, at=now, subject=subject, application=application,
                data={"template": name},
            )  # fmt: skip
            await record(batch, event)
            return self._verdict(name, "limited")
        await self._outbox.enqueue(
            batch,
            DeliveryKind.MAIL,
            tenant=tenant.id,
            target=f"mail://server/{masked_address(address)}",
            payload=msgspec.json.encode(content),
            application=application,
            subject=subject,
            key=key,
        )
        return self._verdict(name, "queued")

    def wake(self) -> None:
        """Send now: after the commit, when a person waits for the mail."""
        self._outbox.wake()

    def _verdict(self, template: str, verdict: MailVerdict) -> MailVerdict:
        self._metrics.mail(template, verdict)
        return verdict


class MailCarrier:
    """Sends what the outbox holds, or captures it when there is no server."""

    def __init__(self, server: SmtpServer | None, database: Database, sealer: Sealer, clock: Clock, log: Log) -> None:
        self._client = SmtpClient(server) if server is not None else None
        self._database = database
        self._sealer = sealer
        self._clock = clock
        self._log = log

    @property
    def captures(self) -> bool:
        return self._client is None

    def register(self, outbox: Outbox) -> None:
        seconds = CAPTURE_SECONDS if self._client is None else self._client.server.seconds + PARTING_SECONDS
        outbox.register_carrier(DeliveryKind.MAIL, self.carry, seconds=seconds)

    async def carry(self, outgoing: Outgoing) -> Outcome:
        content = msgspec.json.decode(outgoing.payload, type=MailContent)
        delivery = outgoing.delivery
        if content.expires_at is not None and self._clock.now() >= content.expires_at:
            return Outcome(Result.FAILED, error=OF_NO_USE)
        return await self.send(delivery.tenant, content, id=delivery.id, at=delivery.created_at)

    async def send(self, tenant: TenantId, content: MailContent, *, id: str, at: int) -> Outcome:
        """One try, past the outbox; the same `id` is the same mail. `at` (µs) is when it was written."""
        if self._client is None:
            now = self._clock.now()
            await capture(self._database, self._sealer, tenant, id=id, content=content, now=now)
            return Outcome(Result.DELIVERED)
        message = build_message(content, self._client.server, id=id, at=at)
        outcome = await self._client.send(message, content.to)
        if outcome.unreachable:
            self._log.warning("mail server does not take mail", host=self._client.server.host, reason=outcome.error)
        return outcome


def mail_content(
    templates: MailTemplates,
    tenant: TenantConfiguration,
    to: str,
    template: str,
    locale: str,
    values: Mapping[str, str],
    expires_at: int | None = None,
) -> MailContent:
    """The template filled in. Raises BadMail."""
    organisation = tenant.settings.display_name or _DEFAULT_ORGANISATION
    given = {name: value for name, value in values.items() if value}
    rendered = templates.render(template, locale, {"organisation": organisation, "application": organisation} | given)
    return MailContent(
        to=to,
        template=template,
        locale=locale,
        subject=rendered.subject,
        text=rendered.text,
        html=rendered.html,
        expires_at=expires_at,
    )


def build_message(content: MailContent, server: SmtpServer, *, id: str, at: int) -> EmailMessage:
    """The message (RFC 5322); `id` makes its Message-ID, the same at each try, and `at` (µs) its date."""
    from email.utils import formatdate

    # Python's own line length for headers; a text line may be longer, and is then encoded.
    message = EmailMessage(policy=SMTP)
    message["From"] = server.sender
    message["To"] = content.to
    message["Subject"] = content.subject
    message["Date"] = formatdate(at / SECOND)
    message["Message-ID"] = f"<{id}@{server.domain}>"
    # RFC 3834 §5: nobody's holiday notice is an answer to it.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(content.text, cte="quoted-printable")
    message.add_alternative(content.html, subtype="html", cte="quoted-printable")
    return message
