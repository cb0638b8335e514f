"""From the `sub` that an application sees back to the person."""

from identity.authn.people import People, Person
from identity.clock import Clock
from identity.domain.applications import Application
from identity.storage import sso_sessions
from identity.storage.configuration import TenantConfiguration
from identity.storage.database import Database
from identity.tokens.subjects import shown_subject


class ShownSubjects:
    def __init__(self, people: People, database: Database, clock: Clock) -> None:
        self._people = people
        self._database = database
        self._clock = clock

    async def person(
        self, tenant: TenantConfiguration, application: Application, sub: str, session: str | None
    ) -> Person | None:
        """Who `sub` is, as their store has them now; None when they are unknown, gone or disabled.

        A pairwise `sub` is a hash, so it leads nowhere by itself: the session that the ID token names (`sid`), while
        it lives, says whose it was. Raises StoreUnavailable.
        """
        subject_id = sub
        if application.subject_type == "pairwise":
            found = session and await sso_sessions.find_session(self._database, tenant.id, session, self._clock.now())
            if not found or shown_subject(tenant, application, found.subject) != sub:
                return None
            subject_id = found.subject
        subject = await self._people.subject(tenant, subject_id)
        return await self._people.current(tenant, subject) if subject is not None else None
