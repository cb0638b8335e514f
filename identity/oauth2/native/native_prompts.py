"""What a sign-in by JSON asks for now, from the flow that the pages would show."""

from typing import Any

from identity.authn.login_course import Course
from identity.authn.login_flow import OpenFlow
from identity.authn.login_steps import LoginSteps, attempt_at
from identity.authn.people import People, Person
from identity.clock import Clock
from identity.oauth2.errors import OAuthError
from identity.oauth2.native.native_login import FlowStatus, OfferedFactor, flow_id, prompt
from identity.tokens.addresses import base_of
from identity.web.messages import Request

PATH = "/oauth2/authn"


class NativePrompts:
    def __init__(self, steps: LoginSteps, people: People, base_url: str, clock: Clock) -> None:
        self._steps = steps
        self._people = people
        self._base_url = base_url
        self._clock = clock

    async def of(self, http: Request, flow: OpenFlow, status: FlowStatus = "INCOMPLETE") -> dict[str, Any]:
        """The JSON of the step at hand. Raises OAuthError for what only a page can ask."""
        pending = flow.pending
        if pending.kind == "prompt" or pending.enrolling:
            raise OAuthError("access_denied", "This sign-in asks for something that only a page can ask.")
        course = Course(request=http, row=flow.row, record=flow.record, now=self._clock.now())
        person = await course.whom(self._people)
        chosen = (pending.chosen,) if pending.chosen and len(pending.states) == 1 else pending.authenticators
        offered = [
            OfferedFactor(
                self._steps.factor(name),
                await self._shown(course, name, person) if name in pending.states else None,
            )
            for name in chosen
        ]
        identifier = flow_id(flow.row.id, flow.cookie)
        return prompt(identifier, f"{base_of(self._base_url, http.tenant.tenant)}{PATH}", offered, status)

    async def _shown(self, course: Course, name: str, person: Person | None) -> dict[str, Any]:
        shown = await self._steps.factor(name).page(attempt_at(course, name, person))
        return {member: value for member, value in shown.items() if value}
