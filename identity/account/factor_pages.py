"""`/account/factors`: the ways to sign in that a person has set up: added, renamed, removed by their owner alone.

Whoever changes something has signed in within the last ten minutes, and with two factors once there are two: a stolen
password must not add its own passkey, or take the owner's away. Others sign in again first.
"""

from dataclasses import dataclass
from typing import Any

from identity.account.sealed_states import SealedStates
from identity.authn.assurance import MULTI_FACTOR, reaches
from identity.authn.authenticators import (
    PASSKEY,
    RECOVERY_CODE,
    TOTP,
    Attempt,
    Enrollable,
    Factors,
    Rejected,
    State,
    enrollable,
)
from identity.authn.authenticators.recovery_code import codes_left
from identity.authn.enrolled_factors import EnrolledFactors
from identity.authn.people import People, Person, store_unavailable
from identity.authn.sso_sessions import SsoSessions
from identity.clock import SECOND, Clock, as_datetime
from identity.domain.enrolled_factors import EnrolledFactor
from identity.domain.sessions import SsoSession
from identity.errors import IdentityError
from identity.storage.database import Conflict, Database
from identity.storage.enrolled_factors import list_factors_of_subject
from identity.storage.write_batch import WriteBatch
from identity.web.messages import Request, Response, redirect
from identity.web.pages import PageResponses
from userstores.spi import StoreUnavailable

FRESH_SECONDS = 600
PATHS = {"app": TOTP, "passkey": PASSKEY, "recovery-codes": RECOVERY_CODE}
"""The last segment of a page's address → the factor."""
LONGEST_LABEL = 60
UNPROCESSABLE = 422
_NOTICES = frozenset({"added", "renamed", "removed"})


@dataclass(frozen=True, slots=True)
class _Visit:
    """A signed-in person at their own factors."""

    session: SsoSession
    person: Person
    has_factors: bool
    may_change: bool


class FactorPages:
    def __init__(
        self,
        *,
        sessions: SsoSessions,
        factors: Factors,
        enrolled: EnrolledFactors,
        states: SealedStates,
        people: People,
        database: Database,
        pages: PageResponses,
        clock: Clock,
    ) -> None:
        self._sessions = sessions
        self._factors = factors
        self._enrolled = enrolled
        self._states = states
        self._people = people
        self._database = database
        self._pages = pages
        self._clock = clock

    async def show(self, request: Request) -> Response:
        visit = await self._visit(request)
        if visit is None:
            return _to_sign_in(request)
        own = await self._enrolled.of_person(self._attempt(request, visit))
        notice = request.query().get("notice")
        return self._pages.respond(
            request,
            "account_factors.html",
            action=_path(request),
            csrf_token=self._token(visit),
            user=_user(visit.person),
            factors=[_shown(factor) for factor in own],
            paths={name: f"{_path(request)}/{slug}" for slug, name in PATHS.items()},
            account_path=f"{request.tenant.prefix}/account",
            notice=notice if notice in _NOTICES else None,
        )

    async def change(self, request: Request) -> Response:
        """POST: rename one (`rename` its id, `label-<id>` the name), or remove one (`remove` its id)."""
        visit = await self._visit(request)
        if visit is None:
            return _to_sign_in(request)
        form = self._pages.checked_form(request, visit.session.cookie_hash.hex(), "account-factors")
        if not visit.may_change:
            return _to_sign_in(request, visit)
        attempt = self._attempt(request, visit)
        chosen = form.get("remove") or form.get("rename", "")
        factor = next((own for own in await self._enrolled.of_person(attempt) if own.id == chosen), None)
        if factor is None:
            return redirect(_path(request))
        batch = WriteBatch()
        if "remove" in form:
            await self._enrolled.remove(batch, attempt, factor)
        else:
            label = form.get(f"label-{factor.id}", "").strip()[:LONGEST_LABEL]
            await self._enrolled.rename(batch, attempt, factor, label or factor.label)
        await self._database.commit(batch)
        return redirect(f"{_path(request)}?notice={'removed' if 'remove' in form else 'renamed'}")

    async def begin(self, request: Request) -> Response:
        """GET: the page on which one is added."""
        visit = await self._visit(request)
        if visit is None or not visit.may_change:
            return _to_sign_in(request, visit)
        factor = self._factor(request.path_value)
        begun = await factor.begin_enrolment(self._attempt(request, visit))
        return await self._page(request, visit, factor, begun.state)

    async def enrol(self, request: Request) -> Response:
        """POST: the proof; the page again when it is none."""
        visit = await self._visit(request)
        if visit is None:
            return _to_sign_in(request)
        form = self._pages.checked_form(request, visit.session.cookie_hash.hex(), "account-factors")
        if form.get("action") == "cancel":
            return redirect(_path(request))
        if not visit.may_change:
            return _to_sign_in(request, visit)
        factor, sealed = self._factor(request.path_value), form.get("state", "")
        state = self._states.open(_place(request, visit, factor), sealed, self._clock.now())
        if state is None:
            return redirect(f"{_path(request)}/{request.path_value}")
        outcome = await factor.enrol(self._attempt(request, visit, state), form)
        if isinstance(outcome, Rejected):
            kept = outcome.state if outcome.state is not None else state
            return await self._page(request, visit, factor, kept, error=outcome.error, status=UNPROCESSABLE)
        batch = WriteBatch()
        await self._states.use_up(batch, request.tenant.id, sealed, self._clock.now())
        assert outcome.writes is not None
        await outcome.writes(batch)
        try:
            await self._database.commit(batch)
        except Conflict:
            # The same form came twice, or somebody else has this passkey by now: nothing was written.
            return redirect(_path(request))
        return redirect(f"{_path(request)}?notice=added")

    async def _page(
        self, request: Request, visit: _Visit, factor: Enrollable, state: State, *, error: str | None = None,
        status: int = 200,
    ) -> Response:  # fmt: skip
        shown = await factor.enrolment_page(self._attempt(request, visit, state))
        return self._pages.respond(
            request,
            factor.enrol_template,
            status=status,
            action=f"{_path(request)}/{request.path_value}",
            csrf_token=self._token(visit),
            user=_user(visit.person),
            authenticator=factor.name,
            other_ways=False,
            can_cancel=True,
            error=error,
            state=self._states.seal(_place(request, visit, factor), state, self._clock.now()),
            **shown,
        )

    def _factor(self, slug: str) -> Enrollable:
        found = self._factors.get(PATHS.get(slug, ""))
        factor = enrollable(found) if found is not None else None
        if factor is None:
            raise IdentityError("not_found", "There is no such way to sign in.", status=404)
        return factor

    def _attempt(self, request: Request, visit: _Visit, state: State | None = None) -> Attempt:
        return Attempt(
            request=request,
            flow=visit.session.id,
            now=self._clock.now(),
            person=visit.person,
            proven=True,
            state=state or {},
        )

    async def _visit(self, request: Request) -> _Visit | None:
        session = await self._sessions.current(request)
        if session is None:
            return None
        try:
            subject = await self._people.subject(request.tenant, session.subject)
            person = await self._people.current(request.tenant, subject) if subject is not None else None
        except StoreUnavailable as error:
            raise store_unavailable(error) from None
        if person is None:
            return None
        own = await list_factors_of_subject(self._database, request.tenant.id, session.subject)
        has_factors = any(factor.authenticator != RECOVERY_CODE or codes_left(factor) > 0 for factor in own)
        fresh = self._clock.now() - session.auth_time < FRESH_SECONDS * SECOND
        strong = not has_factors or reaches(session.acr, MULTI_FACTOR)
        return _Visit(session, person, has_factors, fresh and strong)

    def _token(self, visit: _Visit) -> str:
        return self._pages.token(visit.session.cookie_hash.hex(), "account-factors")


def _path(request: Request) -> str:
    return f"{request.tenant.prefix}/account/factors"


def _to_sign_in(request: Request, visit: _Visit | None = None) -> Response:
    level = f"&level={MULTI_FACTOR}" if visit is not None and visit.has_factors else ""
    return redirect(f"{request.tenant.prefix}/account/sign-in?next=factors{level}")


def _place(request: Request, visit: _Visit, factor: Enrollable) -> str:
    return f"{request.tenant.id}:{visit.session.id}:{factor.name}"


def _user(person: Person) -> dict[str, str]:
    return {"display_name": person.display_name, "username": person.subject.qualified_username}


def _shown(factor: EnrolledFactor) -> dict[str, Any]:
    return {
        "id": factor.id,
        "authenticator": factor.authenticator,
        "label": factor.label,
        "created_at": as_datetime(factor.created_at),
        "last_used_at": None if factor.last_used_at is None else as_datetime(factor.last_used_at),
        "codes_left": codes_left(factor) if factor.authenticator == RECOVERY_CODE else None,
    }
