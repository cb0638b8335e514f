"""Mail that a server without a mail server captured, as tests read it.

    (mail,) = Mailbox(site).wait_for("ada@example.org")
    assert "123456" in mail.text

A `TimedSite` delivers nothing by itself: `deliver()` first, then `mails()`.
"""

from identity.administration.context import Administration
from identity.domain.mail import CapturedMail, MailContent
from identity.storage.captured_mail import list_captured_mail
from tests.support.builders import Site
from tests.support.waiting import eventually


class Mailbox:
    """The mails of one tenant."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def mails(self, to: str = "") -> list[MailContent]:
        """Newest first; with `to` only those to this address."""

        async def read(administration: Administration) -> list[CapturedMail]:
            tenant = await administration.tenant(self._site.handle)
            return await list_captured_mail(
                administration.database, administration.sealer, tenant.id, now=administration.clock.now()
            )

        return [mail.content for mail in self._site.administer(read) if to in ("", mail.content.to)]

    def wait_for(self, to: str = "", count: int = 1) -> list[MailContent]:
        """The same, once there are at least `count`."""
        eventually(lambda: len(self.mails(to)) >= count, f"{count} captured mails")
        return self.mails(to)
