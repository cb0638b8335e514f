"""Other people of the tenant, and changes of the person who signs in."""

from typing import Any

from identity.authn.login_course import Course
from identity.authn.script_answers import Arguments, Sources
from identity.authn.script_answers.claims import attribute_of
from identity.authn.script_facts import shown_person
from identity.domain.events import Event, EventType
from identity.storage.events import record
from userstores.passwords import LaneFull, PasswordRefused
from userstores.spi import InvalidUser, NotSupported, UnknownUser


async def unique_with_claims(sources: Sources, course: Course, arguments: Arguments) -> Any:
    """The one person with these values, or null. Only addresses, numbers and names can be looked for."""
    wanted = {attribute_of(str(name)): str(value) for name, value in arguments["claims"].items()}
    if not wanted or not set(wanted) <= {"username", "email", "phone_number"}:
        return None
    person = await sources.people.find_by_claims(course.request.tenant, wanted)
    return None if person is None else shown_person(course.request.tenant, person)


async def with_claims(sources: Sources, course: Course, arguments: Arguments) -> Any:
    found = await unique_with_claims(sources, course, arguments)
    return [] if found is None else [found]


async def resolve_identifier(sources: Sources, course: Course, arguments: Arguments) -> Any:
    """The username that an address or another spelling leads to; null for nobody."""
    tenant = arguments["tenant"]
    if not arguments["identifier"] or tenant not in (None, "", course.request.tenant.tenant.handle):
        return None
    person = await sources.people.find_by_name(course.request.tenant, arguments["identifier"])
    return None if person is None else person.subject.qualified_username


async def no_association(sources: Sources, course: Course, arguments: Arguments) -> Any:
    """Nobody comes from another provider yet."""
    return None


async def cannot_associate(sources: Sources, course: Course, arguments: Arguments) -> Any:
    return False


async def update_password(sources: Sources, course: Course, arguments: Arguments) -> Any:
    """Of the person who is signing in and nobody else; whether it was changed."""
    person = await sources.person(course, arguments["user"])
    password = arguments["password"]
    if person is None or person.subject.id != course.record.subject or not isinstance(password, str):
        return False
    store = sources.people.stores(course.request.tenant).get(person.user.store)
    if store is None or not store.capabilities.set_password:
        return False
    try:
        await store.set_password(person.user.id, password)
    except (PasswordRefused, UnknownUser, InvalidUser, NotSupported, LaneFull):
        return False
    await record(
        sources.database,
        Event(
            tenant=course.request.tenant.id,
            type=EventType.PASSWORD_CHANGED,
            at=course.now,
            subject=person.subject.id,
            application=course.row.application,
            trace_id=course.request.trace_id,
            data={"by": "sign-in script"},
        ),
    )
    return True
