"""Sign-in, consent and account pages."""

import json
from typing import Any

from identity.account.account_access import AccountAccess
from identity.account.account_pages import AccountPages
from identity.account.api_routes import account_api_routes
from identity.account.factor_pages import FactorPages
from identity.account.home_page import HomePage, StaticFiles
from identity.account.own_factors import OwnFactors
from identity.account.own_passkeys_endpoint import OwnPasskeysEndpoint
from identity.account.own_recovery_codes_endpoint import OwnRecoveryCodesEndpoint
from identity.account.own_totp_endpoint import OwnTotpEndpoint
from identity.account.own_traces_endpoint import OwnTracesEndpoint
from identity.account.pending_enrolments import PendingEnrolments
from identity.account.routes import account_routes
from identity.account.sealed_states import SealedStates
from identity.account.sign_in import AccountSignIn
from identity.authn.consent_pages import ConsentPages
from identity.authn.login_pages import LoginPages
from identity.authn.login_trace import LoginTraces
from identity.authn.routes import authn_routes
from identity.config import Settings
from identity.demo import APP_PATH
from identity.demo_mailbox import MAILBOX_PATH
from identity.web.routing import Route
from identity.wiring.parts import Parts


def sign_in_routes(parts: Parts) -> list[Route]:
    return authn_routes(
        login=LoginPages(
            parts.flows,
            parts.steps,
            parts.sessions,
            parts.people,
            parts.database,
            parts.cookies,
            parts.pages,
            parts.clock,
        ),
        consent=ConsentPages(parts.flows, parts.consents, parts.people, parts.database, parts.pages),
    )


def own_factors(parts: Parts) -> OwnFactors:
    return OwnFactors(
        factors=parts.factors,
        enrolled=parts.enrolled,
        people=parts.people,
        database=parts.database,
        clock=parts.clock,
    )


def account_page_routes(parts: Parts) -> list[Route]:
    return account_routes(
        account=AccountPages(
            parts.sessions, parts.consents, parts.cookies, parts.database, parts.pages, parts.base_url, parts.clock
        ),
        factors=FactorPages(
            sessions=parts.sessions,
            own=own_factors(parts),
            states=SealedStates(parts.sealer),
            cookies=parts.cookies,
            pages=parts.pages,
            clock=parts.clock,
        ),
        sign_in=AccountSignIn(parts.flows, parts.cookies, parts.database, parts.clock),
        home=HomePage(parts.pages, parts.base_url, lambda: _demo(parts.settings)),
        static=StaticFiles(parts.theme),
    )


def own_account_api_routes(parts: Parts) -> list[Route]:
    own, pending = own_factors(parts), PendingEnrolments(parts.sealer, parts.database)
    access = AccountAccess(parts.access, own, parts.database)
    return account_api_routes(
        totp=OwnTotpEndpoint(access, own, pending),
        passkeys=OwnPasskeysEndpoint(access, own, pending),
        codes=OwnRecoveryCodesEndpoint(access, own),
        traces=OwnTracesEndpoint(access, LoginTraces(parts.sealer), parts.database),
    )


def _demo(settings: Settings) -> dict[str, Any] | None:
    if not settings.demo:
        return None
    document = json.loads((settings.data / "demo.json").read_text())
    return {
        "app_path": APP_PATH,
        "mailbox_path": MAILBOX_PATH if settings.smtp_host is None else None,
        "users": document["users"],
        "applications": document["applications"],
    }
