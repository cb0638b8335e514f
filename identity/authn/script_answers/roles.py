"""Roles and groups of people. Roles of the tenant count everywhere, those of an application in its own logins (V2)."""

from collections.abc import Iterable
from typing import Any

from identity.authn.login_course import Course
from identity.authn.people import Person
from identity.authn.role_grants import qualified_groups
from identity.authn.script_answers import Arguments, Sources
from identity.domain.events import Event, EventType
from identity.domain.roles import Role
from identity.storage.events import record
from identity.storage.roles import add_role_members, remove_role_members, roles_of_user


async def held(sources: Sources, course: Course, person: Person) -> list[Role]:
    """Every role that a person has, by themselves or by a group."""
    book = await sources.roles.book(course.request.tenant)
    own = await roles_of_user(sources.database, course.request.tenant.id, person.subject.id)
    groups = frozenset(qualified_groups(person.user))
    return [grants.role for id, grants in book.roles.items() if id in own or not grants.groups.isdisjoint(groups)]


async def roles(sources: Sources, course: Course, arguments: Arguments) -> Any:
    person = await sources.person(course, arguments["user"])
    return [] if person is None else sorted({role.name for role in await held(sources, course, person)})


async def has_any(sources: Sources, course: Course, arguments: Arguments) -> Any:
    person = await sources.person(course, arguments["user"])
    if person is None:
        return False
    wanted = _texts(arguments["roles"])
    return any(role.name in wanted for role in await held(sources, course, person))


async def has_any_for_application(sources: Sources, course: Course, arguments: Arguments) -> Any:
    """Only roles that count for the application of this login."""
    person = await sources.person(course, arguments["user"])
    if person is None:
        return False
    wanted = _texts(arguments["roles"])
    return any(role.name in wanted and _counts(course, role) for role in await held(sources, course, person))


async def is_member(sources: Sources, course: Course, arguments: Arguments) -> Any:
    person = await sources.person(course, arguments["user"])
    if person is None:
        return False
    return not _texts(arguments["groups"]).isdisjoint({*person.user.groups, *qualified_groups(person.user)})


async def assign(sources: Sources, course: Course, arguments: Arguments) -> Any:
    return await _change(sources, course, arguments, add=True)


async def remove(sources: Sources, course: Course, arguments: Arguments) -> Any:
    return await _change(sources, course, arguments, add=False)


async def _change(sources: Sources, course: Course, arguments: Arguments, *, add: bool) -> bool:
    """Once for the login: the answer is in the journal. Doing it twice after a crash does no harm.

    The administrators' role is not a script's to give: whoever may write a script could make themselves one of them.
    """
    person = await sources.person(course, arguments["user"])
    wanted = _texts(arguments["roles"])
    if person is None or person.subject.id != course.record.subject:
        return False
    tenant = course.request.tenant
    book = await sources.roles.book(tenant)
    chosen = [
        grants.role
        for grants in book.roles.values()
        if grants.role.name in wanted and _counts(course, grants.role) and not grants.role.is_admin
        and not any(scope.startswith("internal_") for scope in grants.scopes)
    ]  # fmt: skip
    if len({role.name for role in chosen}) != len(wanted):
        return False
    async with sources.database.transaction() as transaction:
        for role in chosen:
            change = add_role_members if add else remove_role_members
            await change(transaction, tenant.id, role.id, "user", [person.subject.id])
            await record(
                transaction,
                Event(
                    tenant=tenant.id,
                    type=EventType.ROLE_UPDATED,
                    at=course.now,
                    subject=person.subject.id,
                    application=course.row.application,
                    trace_id=course.request.trace_id,
                    data={"role": role.name, "by": "sign-in script", "change": "added" if add else "removed"},
                ),
            )
    return True


def _counts(course: Course, role: Role) -> bool:
    application = course.application
    if application is None or application.allowed_audience == "organization":
        return role.audience_type == "organization"
    return role.audience_type == "application" and role.audience == application.id


def _texts(values: Iterable[Any]) -> frozenset[str]:
    return frozenset(value for value in values if isinstance(value, str))
