"""What a script is likely to ask once a step is done: it asked the same in logins before.

Runs are most of what a script costs, and every question without an answer ends one. So the questions that followed
this step before are answered ahead of the run: an answer that it takes goes into the journal as if it had been asked,
one that it does not take is forgotten.
"""

import json
from collections import OrderedDict
from collections.abc import Sequence

from adaptive_auth.evaluation import Operation
from identity.authn.login_course import Course
from identity.authn.login_record import Answer
from identity.authn.script_answers import ScriptAnswers
from userstores.spi import StoreUnavailable

REMEMBERED = 1000
QUESTIONS = 10
MAXIMUM_TEXT = 1000
MAXIMUM_JOURNAL = 50
"""Entries of a journal that still has room for guesses."""
MILLISECOND = 1000
READING = frozenset({
    "claims", "roles", "hasAnyOfTheRoles", "hasAnyOfTheRolesV2", "isAnyOfTheRolesAssignedToUser",
    "isMemberOfAnyOfGroups", "getNetwork", "getFailedAttempts", "getTimeSinceLastLogin", "getLoginVelocity",
})  # fmt: skip
"""Questions that change nothing, so that they may be answered though nobody asks."""
_PERSON = "\0person\0"

Key = tuple[int, str, str]
"""Tenant, hash of the script, and the key of the step or page whose answer came last."""


class ForeseenQuestions:
    """Learned by each worker for itself. A wrong guess costs a look-up; it never decides anything."""

    def __init__(self, answers: ScriptAnswers) -> None:
        self._answers = answers
        self._asked: OrderedDict[Key, tuple[str, ...]] = OrderedDict()

    async def answers(self, course: Course) -> list[Answer]:
        """To the questions that followed in other logins, when somebody has just answered a step; else none."""
        journal = course.record.script.journal if course.record.script is not None else ()
        key = _last_step(course)
        if key is None or journal[-1].key != key[2] or len(journal) > MAXIMUM_JOURNAL:
            return []
        found = []
        try:
            for told in self._asked.get(key, ()):
                asked = _operation(told.replace(_PERSON, course.record.subject))
                value = await self._answers.answer(course, asked.kind, asked.arguments)
                found.append(Answer(key=asked.key, value=value, at=course.now // MILLISECOND))
        except StoreUnavailable:
            return []  # whoever really asks is told
        return found

    def learn(self, course: Course, asked: Operation) -> None:
        """A question that was not foreseen; before its answer is in the journal."""
        key, person = _last_step(course), course.record.subject
        if key is None or asked.kind not in READING or len(asked.key) > MAXIMUM_TEXT:
            return
        question = asked.key.replace(person, _PERSON) if person else asked.key
        known = self._asked.get(key, ())
        if question in known or len(known) >= QUESTIONS:
            return
        self._asked[key] = (*known, question)
        self._asked.move_to_end(key)
        if len(self._asked) > REMEMBERED:
            self._asked.popitem(last=False)


def taken_in_order(taken: Sequence[int], recorded: int) -> bool:
    """Whether a run took every recorded answer, in the order in which they were recorded, before any that is new."""
    return tuple(taken[:recorded]) == tuple(range(recorded))


def _last_step(course: Course) -> Key | None:
    state = course.record.script
    if state is None:
        return None
    last = next((each.key for each in reversed(state.journal) if each.key.startswith(("step:", "prompt:"))), None)
    return None if last is None else (int(course.request.tenant.id), state.script, last)


def _operation(key: str) -> Operation:
    kind, _, arguments = key.partition(":")
    return Operation(kind, json.loads(arguments), key)
