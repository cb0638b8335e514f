"""A limit of sessions: at the limit the person ends some of theirs, or gives up. Shows nothing about who it is."""

from collections.abc import Mapping
from typing import Any

from identity.authn.authenticators import SESSION_LIMIT, Attempt, Begun, Kinds, PromptField, Rejected, Verified
from identity.authn.sso_sessions import SsoSessions
from identity.clock import as_datetime
from identity.domain.sessions import SsoSession
from identity.storage.database import Database
from identity.storage.sso_sessions import list_sessions_of_subject
from identity.storage.write_batch import WriteBatch

LIMIT_PARAMETER = "MaxSessionCount"
LIMIT_WITHOUT_PARAMETER = 1
CHOSEN = "end-"
"""A ticked box is named by this and the session's id: form fields must not repeat."""


class SessionLimitExecutor:
    name = SESSION_LIMIT
    kinds: Kinds = frozenset()
    identifies = False
    template = "factors/session_limit.html"
    fields: tuple[PromptField, ...] = (
        PromptField(name="sessions", display_name="Sessions to end", i18n_key="session.limit"),
    )

    def __init__(self, sessions: SsoSessions, database: Database) -> None:
        self._sessions = sessions
        self._database = database

    async def usable(self, attempt: Attempt) -> bool:
        return attempt.person is not None

    async def begin(self, attempt: Attempt) -> Begun:
        """Passed at once below the limit."""
        if attempt.person is not None and len(await self._others(attempt)) < _limit(attempt):
            return Begun(passed=Verified(person=attempt.person, amr=()))
        return Begun()

    async def page(self, attempt: Attempt) -> dict[str, Any]:
        """`end_at_least`: how many of `sessions` have to go."""
        others = await self._others(attempt)
        return {
            "sessions": [
                {
                    "field": f"{CHOSEN}{session.id}",
                    "user_agent": session.user_agent,
                    "address": session.address,
                    "started_at": as_datetime(session.created_at),
                    "last_seen_at": as_datetime(session.last_seen_at),
                }
                for session in others
            ],
            "limit": _limit(attempt),
            "end_at_least": max(0, len(others) - _limit(attempt) + 1),
        }

    async def verify(self, attempt: Attempt, answer: Mapping[str, str]) -> Verified | Rejected:
        """`end-<id>` for each session to end, or `sessions`: their ids, separated by blanks."""
        if attempt.person is None:
            return Rejected(error="refused")
        listed = set(answer.get("sessions", "").split())
        others = await self._others(attempt)
        ended = [session for session in others if f"{CHOSEN}{session.id}" in answer or session.id in listed]
        if len(others) - len(ended) >= _limit(attempt):
            return Rejected(error="refused")

        async def write(batch: WriteBatch) -> None:
            for session in ended:
                await self._sessions.end_with(batch, attempt.request, session)

        return Verified(person=attempt.person, amr=(), writes=write)

    async def _others(self, attempt: Attempt) -> list[SsoSession]:
        """The person's sessions but this browser's, which goes on."""
        assert attempt.person is not None
        found = await list_sessions_of_subject(
            self._database, attempt.tenant.id, attempt.person.subject.id, attempt.now
        )
        running = await self._sessions.current(attempt.request)
        return [session for session in found if running is None or session.id != running.id]


def _limit(attempt: Attempt) -> int:
    value = attempt.parameters.get(LIMIT_PARAMETER, "")
    return max(1, int(value)) if value.isascii() and value.isdigit() and len(value) < 6 else LIMIT_WITHOUT_PARAMETER
