"""One advance of a login: what it has become so far, and what has to be written together with it."""

from dataclasses import dataclass, field, replace
from typing import Any

from identity.authn.authenticators import Writes
from identity.authn.login_record import Denial, LoginRecord
from identity.authn.people import People, Person
from identity.domain.applications import Application
from identity.domain.login_flows import LoginFlow
from identity.domain.sessions import SsoSession
from identity.storage.attempts import clear_tries
from identity.storage.write_batch import WriteBatch
from identity.web.messages import Headers, Request


@dataclass(slots=True, kw_only=True)
class Course:
    request: Request
    row: LoginFlow
    record: LoginRecord
    now: int
    application: Application | None = None
    """None: our own pages."""
    person: Person | None = None
    """Who the login is about, once it was looked up."""
    session: SsoSession | None = None
    """The browser's running session."""
    writes: list[Writes] = field(default_factory=list)
    counters: list[str] = field(default_factory=list)
    """Counters of tries that were passed: cleared with the step, whenever the login ends and however."""
    headers: Headers = field(default_factory=list)
    """What a script puts into the response: cookies and headers."""

    def change(self, **changes: Any) -> None:
        self.record = replace(self.record, **changes)

    def deny(self, denial: Denial) -> None:
        self.change(verdict="denied", denial=denial, pending=None)

    async def whom(self, people: People) -> Person | None:
        """The person as their store knows them now; None while nobody is identified, or when they are gone.

        Raises StoreUnavailable.
        """
        if self.person is None and self.record.subject:
            subject = await people.subject(self.request.tenant, self.record.subject)
            self.person = await people.current(self.request.tenant, subject) if subject is not None else None
        return self.person

    async def note(self, batch: WriteBatch) -> None:
        for write in self.writes:
            await write(batch)
        for counter in dict.fromkeys(self.counters):
            await clear_tries(batch, self.row.tenant, counter)
