"""What the application that asks takes to sign in to, asked of the session that decides for it (attack rows 15 and 16).

A session meets the policy by what it has shown. Where that cannot say it, because a script decides or because a step
leaves no trace in the session, a login flow of the application is gone through, and its end gives the page a token:
that this session has passed, for this one request, under the policy as it stands.
"""

from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

import msgspec

from identity.authn.assurance import REACHABLE_ACRS, reaches
from identity.authn.sign_in_plan import Plan, plan_of
from identity.clock import SECOND, Clock
from identity.domain.applications import Application
from identity.domain.pending_authorizations import PendingAuthorization
from identity.domain.sessions import SsoSession
from identity.storage.configuration import TenantConfiguration
from identity.web.pages import PageResponses

HOUR = 3600 * SECOND


@dataclass(frozen=True, slots=True)
class ApprovalDemand:
    """What one request takes of whoever decides on it."""

    application: Application
    plan: Plan
    purpose: str
    """Names the application, the request and the policy: whatever of these changes, a token for it is worth nothing."""
    facts: dict[str, Any]
    """What a script is told of the request."""


def demand_of(tenant: TenantConfiguration, application: Application, pending: PendingAuthorization) -> ApprovalDemand:
    asked = pending.asked
    acr_values = tuple(asked.acr_values.split()) or application.default_acr_values
    plan = plan_of(tenant, application, tuple(value for value in acr_values if value in REACHABLE_ACRS))
    # A candidate script decides nothing. A script is told of the request, so that its word is good for this one alone.
    policy = sha256(msgspec.json.encode((replace(plan, shadow=""), application.minimum_acr))).hexdigest()
    return ApprovalDemand(
        application=application,
        plan=plan,
        purpose=f"cleared:{application.id}:{pending.hash.hex()}:{policy}",
        facts={
            "requested_acr": list(acr_values),
            "scopes": asked.scope.split(),
            "authorization_details": msgspec.json.decode(asked.authorization_details or "[]"),
        },
    )


class ApprovalPolicy:
    def __init__(self, pages: PageResponses, clock: Clock) -> None:
        self._pages = pages
        self._clock = clock

    def met(self, demand: ApprovalDemand, session: SsoSession, cleared: str) -> bool:
        """Whether this session may decide; `cleared` is the page's token, or empty."""
        # A session may have been renewed with less between the end of its login and the token.
        if not reaches(session.acr, demand.application.minimum_acr):
            return False
        return demand.plan.satisfied_by(session) or self._is_cleared(demand, session, cleared)

    def token(self, purpose: str, session: SsoSession) -> str:
        """That this session has gone through the login of `purpose`; good for this hour and the next."""
        return self._pages.token(session.cookie_hash.hex(), self._in_hour(purpose, 0))

    def _is_cleared(self, demand: ApprovalDemand, session: SsoSession, cleared: str) -> bool:
        cookie = session.cookie_hash.hex()
        return any(self._pages.valid_token(cookie, self._in_hour(demand.purpose, before), cleared) for before in (0, 1))

    def _in_hour(self, purpose: str, before: int) -> str:
        return f"{purpose}:{self._clock.now() // HOUR - before}"
