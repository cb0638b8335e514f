"""A mailer and its carrier over a database of one engine, with a clock that tests set."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import uvloop
from sqlalchemy import delete

from identity.domain.deliveries import DeliveryKind
from identity.domain.mail import MAIL_TEMPLATES, CapturedMail, MailContent, MailVerdict
from identity.domain.tenants import Tenant, TenantId, TenantSettings
from identity.messaging.courier import Courier
from identity.messaging.guarded_client import GuardedClient
from identity.messaging.mail import MailCarrier, Mailer
from identity.messaging.mail_templates import MailTemplates
from identity.messaging.outbox import Outbox
from identity.messaging.smtp import SmtpServer
from identity.resources import data_folder
from identity.storage.authorization_tables import captured_mail
from identity.storage.captured_mail import list_captured_mail
from identity.storage.configuration import TenantConfiguration
from identity.storage.tables import attempt
from identity.storage.write_batch import WriteBatch
from identity.telemetry import Metrics, get_logger
from tests.messaging.post_office import LIMIT_SECONDS, SEALER, TENANT, Office, empty
from tests.storage.hot_place import HotEngine, StoppedClock

ADA = "ada@example.org"
TEMPLATES = MailTemplates(data_folder("themes") / "base" / "mail")


def tenant_of(id: int, settings: TenantSettings) -> TenantConfiguration:
    tenant = Tenant(id=TenantId(id), handle=f"t{id}", enabled=True, version=1, settings=settings)
    return TenantConfiguration(tenant=tenant, keys=(), stores=(), checked_at=0)


def content(**changes: Any) -> MailContent:
    fields: dict[str, Any] = {
        "to": ADA, "template": "test", "locale": "en", "subject": "Test", "text": "text\n", "html": "<p>text</p>",
    }  # fmt: skip
    return MailContent(**(fields | changes))


@dataclass
class MailOffice(Office):
    """`server` None: mail is captured."""

    server: SmtpServer | None = None
    tenant: TenantConfiguration = field(default_factory=lambda: tenant_of(TENANT, TenantSettings()))
    other: TenantConfiguration = field(default_factory=lambda: tenant_of(TENANT + 1, TenantSettings()))

    def __post_init__(self) -> None:
        self.metrics = Metrics(delivery_kinds=tuple(DeliveryKind), mail_templates=MAIL_TEMPLATES)
        super().__post_init__()
        self.mailer = Mailer(self.outbox, self.database, TEMPLATES, self.metrics)

    def worker(self, *_: Any, **__: Any) -> tuple[Outbox, Courier]:
        log = get_logger("identity.test")
        outbox = Outbox(SEALER, self.clock)
        MailCarrier(self.server, self.database, SEALER, self.clock, log).register(outbox)
        # No test of mail calls anybody by HTTP.
        return outbox, Courier(outbox, _no_client(), self.database, self.metrics, log)

    async def mail(
        self,
        *,
        to: str = ADA,
        template: str = "email-otp",
        locale: str = "en",
        values: Mapping[str, str] | None = None,
        key: str = "key",
        tenant: TenantConfiguration | None = None,
        **options: Any,
    ) -> MailVerdict:
        """Asked for and committed."""
        batch = WriteBatch()
        verdict = await self.mailer.enqueue(
            batch,
            tenant or self.tenant,
            to=to,
            template=template,
            locale=locale,
            values={"code": "123456"} if values is None else values,
            key=key,
            **options,
        )
        if batch.writes:
            assert await self.database.commit(batch)
        return verdict

    async def captured(self) -> list[CapturedMail]:
        return await list_captured_mail(self.database, SEALER, self.tenant.id, now=self.clock.now())


def _no_client() -> GuardedClient:
    from identity.config import Settings

    return GuardedClient(Settings())


def run(
    engine: HotEngine,
    scenario: Callable[[MailOffice], Awaitable[None]],
    server: SmtpServer | None = None,
    *,
    empty_first: bool = True,
) -> None:
    """Run `scenario` on the server's loop, with nothing written yet."""

    async def main() -> None:
        clock = StoppedClock()
        async with asyncio.timeout(LIMIT_SECONDS), engine.open(clock) as (database, _):
            if empty_first:
                await empty(database)
                await database.execute(delete(captured_mail))
                await database.execute(delete(attempt))
            await scenario(MailOffice(database, clock, engine, server=server))

    uvloop.run(main())
