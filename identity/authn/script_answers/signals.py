"""Signals about a login: where it comes from, on which device, how long after the last one."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from identity.authn.devices import is_known_device
from identity.authn.lockout import user_key
from identity.authn.login_course import Course
from identity.authn.network_places import Place, kilometres
from identity.authn.script_answers import Arguments, Sources
from identity.clock import SECOND
from identity.storage.attempts import count_failures
from identity.storage.last_logins import LastLogin, find_last_login

HOUR = 3600 * SECOND


async def network(sources: Sources, course: Course, arguments: Arguments) -> Any:
    """`{ip, private, country, city, asn, organization, latitude, longitude}`; null for what is not known."""
    address = arguments["ip"] or course.request.address
    return {"ip": address, **sources.places.facts(address)}


async def is_new_device(sources: Sources, course: Course, arguments: Arguments) -> Any:
    """Whether this browser has not finished a sign-in of that person before. Asking makes it known at the end."""
    course.change(know_device=True)
    return not is_known_device(sources.sealer, course.request, arguments["user"])


async def failed_attempts(sources: Sources, course: Course, arguments: Arguments) -> Any:
    """Wrong passwords since the last sign-in that was right."""
    person = await sources.person(course, arguments["user"])
    if person is None:
        return 0
    key = user_key(person.user.store, person.user.id)
    return await count_failures(sources.database, course.request.tenant.id, key, course.now)


async def time_since_last_login(sources: Sources, course: Course, arguments: Arguments) -> Any:
    """Seconds, or null when none is known."""
    last = await _last(sources, course, arguments["user"])
    return None if last is None else (course.now - last.at) // SECOND


async def velocity(sources: Sources, course: Course, arguments: Arguments) -> Any:
    """Kilometres an hour between the last sign-in and this one; null while either place is not known."""
    last = await _last(sources, course, arguments["user"])
    here = sources.places.place(arguments["ip"] or course.request.address)
    if last is None or here is None or last.latitude is None or last.longitude is None:
        return None
    distance = kilometres(here, Place(last.latitude, last.longitude))
    hours = max(course.now - last.at, SECOND) / HOUR
    return round(distance / hours, 1)


async def local_time(sources: Sources, course: Course, arguments: Arguments) -> Any:
    """The clock on the wall of a time zone: `{year, month, day, weekday, hour, minute}`, Monday is 1; null when there
    is no such zone."""
    try:
        zone = ZoneInfo(arguments["zone"])
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
    try:
        at = datetime.fromtimestamp(arguments["at"] / 1000, UTC).astimezone(zone)
    except (OverflowError, ValueError, OSError):
        return None
    return {
        "year": at.year, "month": at.month, "day": at.day, "weekday": at.isoweekday(), "hour": at.hour,
        "minute": at.minute,
    }  # fmt: skip


async def _last(sources: Sources, course: Course, user: str) -> LastLogin | None:
    return await find_last_login(sources.database, sources.sealer, course.request.tenant.id, user)
