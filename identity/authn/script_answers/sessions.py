"""Running sessions of people, as scripts see and end them."""

from typing import Any

from identity.authn.login_course import Course
from identity.authn.script_answers import Arguments, Sources
from identity.clock import SECOND
from identity.domain.sessions import SsoSession
from identity.domain.users import SubjectId
from identity.storage.session_applications import list_applications_of_session
from identity.storage.sso_sessions import find_session, list_sessions_of_subject
from identity.web.user_agents import browser_and_system

MILLISECONDS = SECOND // 1000


async def sessions_of_user(sources: Sources, course: Course, arguments: Arguments) -> Any:
    """As wso2-contracts §2.2 has them; `loginTime` and `lastAccessTime` are epoch milliseconds."""
    tenant = course.request.tenant
    found = await list_sessions_of_subject(sources.database, tenant.id, SubjectId(arguments["user"]), course.now)
    return [await _shown(sources, course, session) for session in found]


async def terminate(sources: Sources, course: Course, arguments: Arguments) -> Any:
    """Only a session of that very person."""
    tenant = course.request.tenant
    session = await find_session(sources.database, tenant.id, arguments["session"] or "", course.now)
    if session is None or session.subject != arguments["user"]:
        return False
    await _end(sources, course, session)
    return True


async def exists(sources: Sources, course: Course, arguments: Arguments) -> Any:
    """Whether the browser's running session has answered this step already."""
    session, number = course.session, arguments["step"]
    if session is None or not 1 <= number <= len(course.record.steps):
        return False
    return not session.shown.keys().isdisjoint(course.record.steps[number - 1])


async def within_limit(sources: Sources, course: Course, arguments: Arguments) -> Any:
    limit = _limit(arguments["values"])
    return limit is None or len(await _own(sources, course)) < limit


async def session_data(sources: Sources, course: Course, arguments: Arguments) -> Any:
    return [await _shown(sources, course, session) for session in await _own(sources, course)]


async def kill(sources: Sources, course: Course, arguments: Arguments) -> Any:
    """`{sessionId}` or, with another value, the oldest ones down to the limit. How many ended."""
    own = await _own(sources, course)
    wanted = arguments["values"].get("sessionId")
    limit = _limit(arguments["values"])
    if isinstance(wanted, str):
        chosen = [session for session in own if session.id == wanted]
    elif limit is not None:
        oldest = sorted(own, key=lambda session: session.created_at)
        chosen = oldest[: max(0, len(own) - max(limit - 1, 0))]
    else:
        chosen = []
    for session in chosen:
        await _end(sources, course, session)
    return len(chosen)


async def applications(sources: Sources, course: Course, arguments: Arguments) -> Any:
    if course.session is None:
        return []
    tenant = course.request.tenant
    reached = await list_applications_of_session(sources.database, tenant.id, course.session.id)
    return [each.application.client_id for each in reached]


async def _own(sources: Sources, course: Course) -> list[SsoSession]:
    if not course.record.subject:
        return []
    return await list_sessions_of_subject(
        sources.database, course.request.tenant.id, SubjectId(course.record.subject), course.now
    )


async def _end(sources: Sources, course: Course, session: SsoSession) -> None:
    async with sources.database.transaction() as transaction:
        await sources.sessions.end(transaction, course.request, session)


async def _shown(sources: Sources, course: Course, session: SsoSession) -> dict[str, Any]:
    tenant = course.request.tenant
    reached = await list_applications_of_session(sources.database, tenant.id, session.id)
    browser, system = browser_and_system(session.user_agent)
    return {
        "id": session.id,
        "userAgent": {
            "rawString": session.user_agent,
            "browser": browser,
            "platform": system,
            "device": system,
        },
        "ip": session.address,
        "loginTime": session.created_at // MILLISECONDS,
        "lastAccessTime": session.last_seen_at // MILLISECONDS,
        "applications": [
            {"subject": session.subject, "appName": each.application.name, "appId": each.application.id}
            for each in reached
        ],
    }


def _limit(values: dict[str, Any]) -> int | None:
    """`MaxSessionCount`, as a text or a number."""
    text = str(values.get("MaxSessionCount", ""))
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else None
