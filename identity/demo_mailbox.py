"""The mailbox of demo mode: captured mail as a page, for whoever tries something that sends a code."""

from identity.clock import Clock, as_datetime
from identity.domain.mail import CapturedMail
from identity.errors import IdentityError
from identity.secrets import Sealer
from identity.storage.captured_mail import find_captured_mail, list_captured_mail
from identity.storage.database import Database
from identity.web.messages import Request, Response
from identity.web.pages import PageResponses
from identity.web.routing import Permission, Route

MAILBOX_PATH = "/demo/mailbox"
SHOWN = 50


class DemoMailbox:
    """Only routed in demo mode, hence on loopback, and without a mail server: anybody there reads every mail."""

    def __init__(self, database: Database, sealer: Sealer, pages: PageResponses, clock: Clock) -> None:
        self._database = database
        self._sealer = sealer
        self._pages = pages
        self._clock = clock

    def routes(self) -> list[Route]:
        public = Permission.PUBLIC
        return [
            Route(name="demo_mailbox", methods=("GET",), path=MAILBOX_PATH, endpoint=self.index, permission=public,
                  errors="page", summary="Captured mail (demo mode)"),
            Route(name="demo_mail", methods=("GET",), path=MAILBOX_PATH + "/{id}", endpoint=self.show,
                  permission=public, errors="page", summary="One captured mail (demo mode)"),
        ]  # fmt: skip

    async def index(self, request: Request) -> Response:
        mails = await list_captured_mail(
            self._database, self._sealer, request.tenant.id, now=self._clock.now(), count=SHOWN
        )
        return self._pages.respond(
            request, "mailbox.html", mails=[_shown(mail) for mail in mails], path=_path(request), mail=None
        )

    async def show(self, request: Request) -> Response:
        mail = await find_captured_mail(
            self._database, self._sealer, request.tenant.id, request.path_values["id"], now=self._clock.now()
        )
        if mail is None:
            raise IdentityError("not_found", "There is no such mail; it is kept for a day.", status=404)
        return self._pages.respond(request, "mailbox.html", mails=[], path=_path(request), mail=_shown(mail))


def _path(request: Request) -> str:
    return request.tenant.prefix + MAILBOX_PATH


def _shown(mail: CapturedMail) -> dict[str, object]:
    content = mail.content
    return {
        "id": mail.id,
        "at": as_datetime(mail.captured_at),
        "to": content.to,
        "subject": content.subject,
        "text": content.text,
    }
