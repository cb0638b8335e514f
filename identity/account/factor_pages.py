"""`/account/factors`: the ways to sign in that a person has set up: added, renamed, removed by their owner alone.

What is asked of whoever changes something, `own_factors` says.
"""

from typing import Any

from identity.account.own_factors import OwnFactors, Visit
from identity.account.sealed_states import SealedStates
from identity.authn.assurance import MULTI_FACTOR
from identity.authn.authenticators import PASSKEY, RECOVERY_CODE, TOTP, Enrollable, Rejected, State, Verified
from identity.authn.authenticators.recovery_code import codes_left
from identity.authn.cookies import Cookies
from identity.authn.people import Person
from identity.authn.sso_sessions import SsoSessions
from identity.clock import Clock, as_datetime
from identity.domain.enrolled_factors import EnrolledFactor
from identity.domain.sessions import SsoSession
from identity.storage.write_batch import WriteBatch
from identity.web.messages import Request, Response, redirect
from identity.web.pages import PageResponses

PATHS = {"app": TOTP, "passkey": PASSKEY, "recovery-codes": RECOVERY_CODE}
"""The last segment of a page's address → the factor."""
UNPROCESSABLE = 422
_NOTICES = frozenset({"added", "renamed", "removed"})


class FactorPages:
    def __init__(
        self,
        *,
        sessions: SsoSessions,
        own: OwnFactors,
        states: SealedStates,
        cookies: Cookies,
        pages: PageResponses,
        clock: Clock,
    ) -> None:
        self._sessions = sessions
        self._own = own
        self._states = states
        self._cookies = cookies
        self._pages = pages
        self._clock = clock

    async def show(self, request: Request) -> Response:
        session, visit = await self._visit(request)
        if session is None or visit is None:
            return _to_sign_in(request)
        notice = request.query().get("notice")
        return self._pages.respond(
            request,
            "account_factors.html",
            action=_path(request),
            csrf_token=self._token(session),
            user=_user(visit.person),
            factors=[_shown(factor) for factor in visit.factors],
            paths={name: f"{_path(request)}/{slug}" for slug, name in PATHS.items()},
            account_path=f"{request.tenant.prefix}/account",
            notice=notice if notice in _NOTICES else None,
        )

    async def change(self, request: Request) -> Response:
        """POST: rename one (`rename` its id, `label-<id>` the name), or remove one (`remove` its id)."""
        session, visit = await self._visit(request)
        if session is None or visit is None:
            return _to_sign_in(request)
        form = self._form(request, session)
        if not visit.may_change:
            return _to_sign_in(request, visit)
        chosen = form.get("remove") or form.get("rename", "")
        factor = next((own for own in visit.factors if own.id == chosen), None)
        if factor is None:
            return redirect(_path(request))
        if "remove" in form:
            done, notice = await self._own.remove(visit, factor), "removed"
        else:
            done, notice = await self._own.rename(visit, factor, form.get(f"label-{factor.id}", "")), "renamed"
        return redirect(f"{_path(request)}?notice={notice}" if done else _path(request))

    async def begin(self, request: Request) -> Response:
        """GET: the page on which one is added."""
        session, visit = await self._visit(request)
        if session is None or visit is None or not visit.may_change:
            return _to_sign_in(request, visit)
        factor = self._factor(request)
        begun = await factor.begin_enrolment(visit.attempt())
        return await self._page(visit, session, factor, begun.state)

    async def enrol(self, request: Request) -> Response:
        """POST: the proof; the page again when it is none."""
        session, visit = await self._visit(request)
        if session is None or visit is None:
            return _to_sign_in(request)
        form = self._form(request, session)
        if form.get("action") == "cancel":
            return redirect(_path(request))
        if not visit.may_change:
            return _to_sign_in(request, visit)
        factor, sealed = self._factor(request), form.get("state", "")
        state = self._states.open(_place(request, session, factor), sealed, self._clock.now())
        if state is None:
            return redirect(f"{_path(request)}/{request.path_value}")
        outcome = await factor.enrol(visit.attempt(state), form)
        if isinstance(outcome, Rejected):
            kept = outcome.state if outcome.state is not None else state
            return await self._page(visit, session, factor, kept, error=outcome.error, status=UNPROCESSABLE)
        return await self._kept(request, session, factor, sealed, outcome)

    async def _kept(
        self, request: Request, session: SsoSession, factor: Enrollable, sealed: str, proof: Verified
    ) -> Response:
        """What was proven counts in the running session at once, under a new cookie value (decision 18)."""
        value = ""

        async def write(batch: WriteBatch) -> None:
            nonlocal value
            await self._states.use_up(batch, request.tenant.id, sealed, self._clock.now())
            if proof.amr:
                value = await self._sessions.show_more(batch, request, session, factor.name, proof.amr)

        if not await self._own.keep(proof, write):
            return redirect(_path(request))
        response = redirect(f"{_path(request)}?notice=added")
        if value:
            lifetime = request.tenant.settings.session_absolute if session.remembered else None
            self._cookies.set_session(response, request.tenant, value, lifetime)
        return response

    async def _page(
        self, visit: Visit, session: SsoSession, factor: Enrollable, state: State, *, error: str | None = None,
        status: int = 200,
    ) -> Response:  # fmt: skip
        request = visit.request
        shown = await factor.enrolment_page(visit.attempt(state))
        return self._pages.respond(
            request,
            factor.enrol_template,
            status=status,
            action=f"{_path(request)}/{request.path_value}",
            csrf_token=self._token(session),
            user=_user(visit.person),
            authenticator=factor.name,
            other_ways=False,
            can_cancel=True,
            error=error,
            state=self._states.seal(_place(request, session, factor), state, self._clock.now()),
            **shown,
        )

    def _factor(self, request: Request) -> Enrollable:
        return self._own.named(PATHS.get(request.path_value, ""))

    def _form(self, request: Request, session: SsoSession) -> dict[str, str]:
        return self._pages.checked_form(request, session.cookie_hash.hex(), "account-factors")

    async def _visit(self, request: Request) -> tuple[SsoSession | None, Visit | None]:
        """Of the browser's live session; without a visit its person is gone."""
        session = await self._sessions.current(request)
        return session, await self._own.visit(request, session) if session is not None else None

    def _token(self, session: SsoSession) -> str:
        return self._pages.token(session.cookie_hash.hex(), "account-factors")


def _path(request: Request) -> str:
    return f"{request.tenant.prefix}/account/factors"


def _to_sign_in(request: Request, visit: Visit | None = None) -> Response:
    level = f"&level={MULTI_FACTOR}" if visit is not None and visit.wanted_acr == MULTI_FACTOR else ""
    return redirect(f"{request.tenant.prefix}/account/sign-in?next=factors{level}")


def _place(request: Request, session: SsoSession, factor: Enrollable) -> str:
    return f"{request.tenant.id}:{session.id}:{factor.name}"


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
