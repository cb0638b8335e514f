"""What the server answers when a script asks: one file for each topic, one line in `ALL` for each question.

An answer is JSON and goes into the login's journal, so that later runs get the same one. Ids of users and sessions come
out of earlier answers; every look-up is bound to the tenant of the login all the same, since a script can make up any.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from identity.authn.login_course import Course
from identity.authn.network_places import NetworkPlaces
from identity.authn.people import People, Person
from identity.authn.role_grants import RoleGrantsOfPeople
from identity.authn.sso_sessions import SsoSessions
from identity.messaging.outbox import Outbox
from identity.secrets import Sealer
from identity.storage.database import Database

Arguments = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What answers are made from."""

    database: Database
    people: People
    sessions: SsoSessions
    roles: RoleGrantsOfPeople
    outbox: Outbox
    sealer: Sealer
    places: NetworkPlaces

    async def person(self, course: Course, user: str) -> Person | None:
        """A person of this login's tenant by the id that scripts know them by. Raises StoreUnavailable."""
        if course.person is not None and course.person.subject.id == user:
            return course.person
        subject = await self.people.subject(course.request.tenant, user)
        return await self.people.current(course.request.tenant, subject) if subject is not None else None


Answering = Callable[[Sources, Course, Arguments], Awaitable[Any]]
"""Raises StoreUnavailable, which the person sees as "try again"."""


class ScriptAnswers:
    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    async def answer(self, course: Course, kind: str, arguments: Arguments) -> Any:
        from identity.authn.script_answers.registry import ALL

        return await ALL[kind](self._sources, course, arguments)
