"""Factors asked directly, as the driver of sign-in does: one attempt after the other, committed like a step of a login.

def test_a_code(bench: FactorBench) -> None:
    secret = bench.add_app(person)
    assert bench.passes(TOTP, person, code=bench.app_code(secret))
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from identity.authn.authenticators import (
    TOTP,
    Attempt,
    Authenticator,
    Begun,
    Enrollable,
    Named,
    Rejected,
    State,
    Verified,
    enrollable,
)
from identity.authn.people import Person as KnownPerson
from identity.storage import attempts
from identity.storage.captured_mail import list_captured_mail
from identity.storage.configuration import TenantConfiguration
from identity.storage.database import Database
from identity.storage.deliveries import count_waiting
from identity.storage.write_batch import WriteBatch
from identity.web.messages import Request
from identity.wiring.parts import Parts
from tests.support.builders import Person
from tests.support.in_process import TimedSite

T = TypeVar("T")
Outcome = Verified | Named | Rejected


class FactorBench:
    """The factors of one tenant's site. Every `flow` is a login of its own."""

    def __init__(self, site: TimedSite) -> None:
        self.site = site
        self.parts: Parts = site.in_process.server.parts

    def run(self, work: Callable[[], Awaitable[T]]) -> T:
        async def within(_: Database) -> T:
            return await work()

        return self.site.in_process.run(within)

    def factor(self, name: str) -> Authenticator:
        return self.parts.factors[name]

    def enrollable(self, name: str) -> Enrollable:
        found = enrollable(self.factor(name))
        assert found is not None
        return found

    def known(self, person: Person) -> KnownPerson:
        """The person as the login knows them."""

        async def find(tenant: TenantConfiguration) -> KnownPerson:
            found = await self.parts.people.find_by_name(tenant, person.username)
            assert found is not None
            return found

        return self.run(lambda: self._in_tenant(find))

    async def _in_tenant(self, work: Callable[[TenantConfiguration], Awaitable[T]]) -> T:
        return await work(await self.parts.administration.tenant(self.site.handle))

    def attempt(
        self,
        person: Person | None = None,
        *,
        flow: str = "flow",
        address: str = "192.0.2.1",
        state: State | None = None,
        user_agent: str = "",
        **more: Any,
    ) -> Attempt:
        tenant = self.run(lambda: self.parts.administration.tenant(self.site.handle))
        request = Request(
            method="POST",
            path="/login/x",
            query_string=b"",
            headers=[(b"user-agent", user_agent.encode())] if user_agent else [],
            body=b"",
            tenant=tenant,
            route=self.site.in_process.server.app.routes[0],
            address=address,
        )
        more.setdefault("proven", person is not None)
        return Attempt(
            request=request,
            flow=flow,
            now=self.site.clock.now(),
            person=self.known(person) if person is not None else None,
            state=state or {},
            **more,
        )

    def begin(self, name: str, attempt: Attempt) -> Begun:
        """Chosen; what it wants written is committed."""
        begun = self.run(lambda: self.factor(name).begin(attempt))
        if begun.writes is not None:
            assert self.commit(Verified(person=None, amr=(), writes=begun.writes))  # type: ignore[arg-type]
        return begun

    def page(self, name: str, attempt: Attempt) -> dict[str, Any]:
        return self.run(lambda: self.factor(name).page(attempt))

    def verify(self, name: str, attempt: Attempt, **answer: str) -> Outcome:
        return self.run(lambda: self.factor(name).verify(attempt, answer))

    def verify_at_once(self, name: str, attempts: list[tuple[Attempt, dict[str, str]]]) -> list[Outcome]:
        """Several answers, none waiting for another."""

        async def everybody() -> list[Outcome]:
            return list(await asyncio.gather(*(self.factor(name).verify(*attempt) for attempt in attempts)))

        return self.run(everybody)

    def commit(self, outcome: Outcome) -> bool:
        """As the driver does with a success: False when the race was lost."""
        if not isinstance(outcome, Verified):
            return False

        async def write() -> bool:
            batch = WriteBatch()
            if outcome.writes is not None:
                await outcome.writes(batch)
            for counter in outcome.counters:
                await attempts.clear_tries(batch, self.site.tenant.id, counter)
            return await self.parts.database.commit(batch)

        return self.run(write)

    def passes(self, name: str, person: Person | None, *, answers: dict[str, str] | None = None, **more: Any) -> bool:
        return self.commit(self.verify(name, self.attempt(person, **more), **(answers or {})))

    def enrol(self, name: str, attempt: Attempt, **answer: str) -> Outcome:
        return self.run(lambda: self.enrollable(name).enrol(attempt, answer))

    def begin_enrolment(self, name: str, person: Person) -> State:
        attempt = self.attempt(person)
        return self.run(lambda: self.enrollable(name).begin_enrolment(attempt)).state

    def enrolment_page(self, name: str, person: Person, state: State) -> dict[str, Any]:
        attempt = self.attempt(person, state=state)
        return self.run(lambda: self.enrollable(name).enrolment_page(attempt))

    def is_usable(self, name: str, person: Person | None, **more: Any) -> bool:
        attempt = self.attempt(person, **more)
        return self.run(lambda: self.factor(name).usable(attempt))

    def add_app(self, person: Person) -> str:
        """An authenticator app; its secret."""
        state = self.begin_enrolment(TOTP, person)
        secret: str = state["secret"]
        assert self.commit(self.enrol(TOTP, self.attempt(person, state=state), code=self.app_code(secret)))
        self.site.clock.advance(30)
        return secret

    def app_code(self, secret: str, *, off: int = 0) -> str:
        """What the app shows now, or so many steps of 30 s off."""
        import pyotp

        return pyotp.TOTP(secret).generate_otp(self.site.clock.now() // 30_000_000 + off)

    def mails(self, template: str) -> list[str]:
        """The texts of captured mails of a template, oldest first. Time goes on a little: of many mails some wait."""

        async def deliver() -> int:
            await self.site.in_process.server.courier.dispatch()
            await self.site.in_process.server.courier.idle()
            return await count_waiting(self.parts.database)

        async def read() -> list[str]:
            now = self.site.clock.now()
            found = await list_captured_mail(self.parts.database, self.parts.sealer, self.site.tenant.id, now=now)
            return [mail.content.text for mail in reversed(found) if mail.content.template == template]

        while self.run(deliver):
            self.site.clock.advance(0.15)
        return self.run(read)


def wrong_code(right: str) -> str:
    """Six digits that are not these."""
    return f"{(int(right) + 1 + secrets.randbelow(899_999)) % 1_000_000:06d}"


@pytest.fixture
def bench(timed: TimedSite) -> FactorBench:
    return FactorBench(timed)
