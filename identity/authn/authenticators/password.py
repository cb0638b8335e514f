"""The password factor: count the try, ask the store, say who it was. Every refusal looks and costs the same."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from identity.authn.authenticators import BASIC, Attempt, Begun, Kinds, PromptField, Rejected, Verified
from identity.authn.lockout import Admission, Lockout, user_key
from identity.authn.people import People, Person
from identity.domain.events import Event, EventType
from identity.errors import Unavailable
from identity.storage.database import Database
from identity.storage.events import record
from identity.telemetry import Metrics
from identity.web.messages import Request
from userstores.spi import Authenticated, Refused, StoreUnavailable, StoreUser

NAME = "password"
AMR = "pwd"
"""RFC 8176 §2."""


@dataclass(frozen=True, slots=True)
class PasswordAnswer:
    """`user` when the password was right; else the words the page knows. A success clears `counters`."""

    user: StoreUser | None
    error: Literal["", "refused", "unavailable", "busy"]
    counters: tuple[str, ...] = ()


class PasswordAuthenticator:
    def __init__(self, people: People, lockout: Lockout, database: Database, metrics: Metrics) -> None:
        self._people = people
        self._lockout = lockout
        self._database = database
        self._metrics = metrics

    async def authenticate(self, request: Request, username: str, password: str, now: int) -> PasswordAnswer:
        """Try one username and password in the request's tenant."""
        admission = await self._lockout.admit(request.tenant, username, request.address)
        if admission.verdict == "limited":
            self._metrics.sign_in("limited")
            self._metrics.limited("sign_in")
            return PasswordAnswer(None, "busy")
        try:
            # A locked account costs the same as any other: the store is asked, and its answer not believed.
            outcome = await self._people.authenticate(request.tenant, username, password)
        except StoreUnavailable as error:
            await self._lockout.take_back(request.tenant, admission)
            self._metrics.sign_in("unavailable")
            await self._record(request, EventType.STORE_UNAVAILABLE, now, {"store": error.store})
            return PasswordAnswer(None, "unavailable")
        except Unavailable:
            await self._lockout.take_back(request.tenant, admission)
            self._metrics.sign_in("busy")
            return PasswordAnswer(None, "busy")
        return await self._judge(request, admission, outcome, now)

    async def _judge(
        self, request: Request, admission: Admission, outcome: Authenticated | Refused, now: int
    ) -> PasswordAnswer:
        user = _user_of(outcome)
        locked = admission.verdict == "locked" or (
            user is not None and await self._lockout.is_locked(request.tenant, user)
        )
        if isinstance(outcome, Authenticated) and not locked and not outcome.must_change_password:
            assert user is not None
            return PasswordAnswer(outcome.user, "", (admission.account, user))
        self._metrics.sign_in("locked" if locked else "refused")
        # The name may be a password typed into the wrong field: the event names the account, or a hash.
        named = {"account": user or admission.account}
        await self._record(request, EventType.SIGN_IN_FAILED, now, {"reason": _reason(outcome, locked), **named})
        if locked:
            await self._lockout.turned_away(request.tenant, admission)
        elif await self._lockout.failed(request.tenant, admission, user):
            await self._record(request, EventType.ACCOUNT_LOCKED, now, named)
        return PasswordAnswer(None, "refused")

    async def refuse_disabled(self, request: Request, answer: PasswordAnswer, now: int) -> PasswordAnswer:
        """The password was right, but the person is disabled with us: one more failure, like any other."""
        account, user = answer.counters
        self._metrics.sign_in("refused")
        await self._record(request, EventType.SIGN_IN_FAILED, now, {"reason": "disabled", "account": user})
        await self._lockout.failed(request.tenant, Admission("admitted", account, ""), user)
        return PasswordAnswer(None, "refused")

    async def _record(self, request: Request, event: EventType, now: int, data: dict[str, str]) -> None:
        await record(
            self._database,
            Event(
                tenant=request.tenant.id,
                type=event,
                at=now,
                address=request.address,
                trace_id=request.trace_id,
                data=data,
            ),
        )


class BasicAuthenticator:
    """Username and password, or the password alone when the login knows the name."""

    name = BASIC
    kinds: Kinds = frozenset({"knowledge"})
    identifies = True
    template = "login.html"
    fields: tuple[PromptField, ...] = (
        PromptField(name="username", display_name="Username", i18n_key="username.param"),
        PromptField(name="password", confidential=True, display_name="Password", i18n_key="password.param"),
    )

    def __init__(self, passwords: PasswordAuthenticator, people: People) -> None:
        self._passwords = passwords
        self._people = people

    async def usable(self, attempt: Attempt) -> bool:
        return True

    async def begin(self, attempt: Attempt) -> Begun:
        return Begun()

    async def page(self, attempt: Attempt) -> dict[str, Any]:
        """`known_name`: as it was given, and is not asked for again; may be nobody's."""
        return {"known_name": _known_name(attempt)}

    async def verify(self, attempt: Attempt, answer: Mapping[str, str]) -> Verified | Rejected:
        username = _known_name(attempt) or answer.get("username", "")
        tried = await self._passwords.authenticate(attempt.request, username, answer.get("password", ""), attempt.now)
        if tried.user is None:
            assert tried.error
            return Rejected(error=tried.error)
        person = await self._people.person_of(attempt.tenant, tried.user)
        if not person.subject.enabled or _other_than_asked(attempt, person):
            await self._passwords.refuse_disabled(attempt.request, tried, attempt.now)
            return Rejected(error="refused")
        return Verified(person=person, amr=(AMR,), counters=tried.counters)


def _known_name(attempt: Attempt) -> str:
    return attempt.person.subject.qualified_username if attempt.person is not None else attempt.username


def _other_than_asked(attempt: Attempt, person: Person) -> bool:
    """The name leads elsewhere by now: renamed, or given to somebody else."""
    return attempt.person is not None and attempt.person.subject.id != person.subject.id


def _user_of(outcome: Authenticated | Refused) -> str | None:
    """The counter of the account that the name led to, if it led to one."""
    if isinstance(outcome, Authenticated):
        return user_key(outcome.user.store, outcome.user.id)
    return user_key(outcome.store, outcome.user_id) if outcome.user_id else None


def _reason(outcome: Authenticated | Refused, locked: bool) -> str:
    if locked:
        return "locked"
    return outcome.reason.value if isinstance(outcome, Refused) else "must_change_password"
