"""What people do with their own factors, by the account's pages and by `/api/users` alike.

Whoever changes something has signed in within the last ten minutes, and with two factors once there are two: a stolen
password must not add its own passkey, or take the owner's away. Others sign in again first.
"""

from dataclasses import dataclass
from typing import Protocol

from identity.authn.assurance import MULTI_FACTOR, SINGLE_FACTOR, reaches
from identity.authn.authenticators import (
    RECOVERY_CODE,
    Attempt,
    Enrollable,
    Factors,
    State,
    Verified,
    Writes,
    enrollable,
)
from identity.authn.authenticators.recovery_code import codes_left
from identity.authn.enrolled_factors import EnrolledFactors
from identity.authn.people import People, Person, store_unavailable
from identity.clock import SECOND, Clock
from identity.domain.enrolled_factors import EnrolledFactor
from identity.domain.users import SubjectId
from identity.errors import IdentityError
from identity.storage.database import Conflict, Database
from identity.storage.enrolled_factors import list_factors_of_subject
from identity.storage.write_batch import WriteBatch
from identity.web.messages import Request
from userstores.spi import StoreUnavailable

FRESH_SECONDS = 600
LONGEST_LABEL = 60


class SignIn(Protocol):
    """How somebody has signed in: a browser's session, or the grant that an application got by it."""

    @property
    def id(self) -> str: ...

    @property
    def subject(self) -> SubjectId: ...

    @property
    def auth_time(self) -> int: ...

    @property
    def acr(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Visit:
    """A signed-in person at their own factors; `factors` are all that they have set up, oldest first."""

    request: Request
    person: Person
    sign_in: SignIn
    factors: list[EnrolledFactor]
    now: int

    @property
    def wanted_acr(self) -> str:
        """What changing something takes. Recovery codes that are used up are no factor any more."""
        more = any(factor.authenticator != RECOVERY_CODE or codes_left(factor) > 0 for factor in self.factors)
        return MULTI_FACTOR if more else SINGLE_FACTOR

    @property
    def may_change(self) -> bool:
        fresh = self.now - self.sign_in.auth_time < FRESH_SECONDS * SECOND
        return fresh and reaches(self.sign_in.acr, self.wanted_acr)

    def of_kind(self, authenticator: str) -> list[EnrolledFactor]:
        return [factor for factor in self.factors if factor.authenticator == authenticator]

    def attempt(self, state: State | None = None) -> Attempt:
        return Attempt(
            request=self.request,
            flow=self.sign_in.id,
            now=self.now,
            person=self.person,
            proven=True,
            state=state or {},
        )


class OwnFactors:
    def __init__(
        self, *, factors: Factors, enrolled: EnrolledFactors, people: People, database: Database, clock: Clock
    ) -> None:
        self._factors = factors
        self._enrolled = enrolled
        self._people = people
        self._database = database
        self._clock = clock

    async def visit(self, request: Request, sign_in: SignIn) -> Visit | None:
        """None: the person is gone or disabled. Raises Unavailable."""
        try:
            subject = await self._people.subject(request.tenant, sign_in.subject)
            person = await self._people.current(request.tenant, subject) if subject is not None else None
        except StoreUnavailable as error:
            raise store_unavailable(error) from None
        if person is None:
            return None
        own = await list_factors_of_subject(self._database, request.tenant.id, sign_in.subject)
        return Visit(request, person, sign_in, own, self._clock.now())

    def named(self, name: str) -> Enrollable:
        """What people can add by this name. Raises IdentityError 404."""
        found = self._factors.get(name)
        factor = enrollable(found) if found is not None else None
        if factor is None:
            raise IdentityError("not_found", "There is no such way to sign in.", status=404)
        return factor

    async def rename(self, visit: Visit, factor: EnrolledFactor, label: str) -> bool:
        """An empty label leaves it as it is called. False: it is gone."""
        batch = WriteBatch()
        named = label.strip()[:LONGEST_LABEL] or factor.label
        await self._enrolled.rename(batch, visit.attempt(), factor, named)
        return await self._database.commit(batch)

    async def remove(self, visit: Visit, factor: EnrolledFactor) -> bool:
        """False: it was gone."""
        batch = WriteBatch()
        await self._enrolled.remove(batch, visit.attempt(), factor)
        return await self._database.commit(batch)

    async def remove_kind(self, visit: Visit, authenticator: str) -> bool:
        """False: there was none."""
        removed = [await self.remove(visit, factor) for factor in visit.of_kind(authenticator)]
        return any(removed)

    async def keep(self, proof: Verified, *more: Writes) -> bool:
        """Write the factor that was proven and, in the same transaction, `more`.

        False: the same proof came twice, the sign-in has ended, or somebody else has this passkey by now; nothing was
        written.
        """
        batch = WriteBatch()
        for write in (proof.writes, *more):
            assert write is not None
            await write(batch)
        try:
            return await self._database.commit(batch)
        except Conflict:
            return False
