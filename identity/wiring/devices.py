"""Authorizations that a person decides on elsewhere: devices, and the back channel (CIBA)."""

from identity.authn.lockout import Lockout
from identity.oauth2.approvals.approval_policy import ApprovalPolicy
from identity.oauth2.approvals.approvals import Approvals
from identity.oauth2.approvals.backchannel_authenticator import BackchannelAuthenticator, PageAuthenticator
from identity.oauth2.approvals.ciba_endpoint import CibaEndpoint
from identity.oauth2.approvals.ciba_hints import CibaHints
from identity.oauth2.approvals.ciba_pages import PATH, CibaPages, CibaTestDoor
from identity.oauth2.approvals.ciba_ping import CibaPings
from identity.oauth2.approvals.ciba_request import CibaRequests
from identity.oauth2.approvals.decision_routes import ciba_routes, device_routes
from identity.oauth2.approvals.device_endpoint import VERIFICATION_PATH, DeviceEndpoint
from identity.oauth2.approvals.device_pages import DevicePages
from identity.oauth2.approvals.page_sign_in import PageSignIn
from identity.oauth2.asked_targets import AskedTargets
from identity.oauth2.shown_subjects import ShownSubjects
from identity.web.routing import Route
from identity.wiring.parts import Parts

AUTHENTICATORS: tuple[BackchannelAuthenticator, ...] = (PageAuthenticator(),)
"""Who asks the person of a backchannel request; all of them are tried."""


def decision_routes(parts: Parts) -> list[Route]:
    pings = CibaPings(parts.outbox, parts.sealer)
    approvals = Approvals(parts.database, parts.people, parts.scope_policy, parts.sealer, pings, parts.clock)
    targets = AskedTargets(parts.database, parts.base_url)
    return [*_device_routes(parts, approvals, targets), *_ciba_routes(parts, approvals, targets, pings)]


def _device_routes(parts: Parts, approvals: Approvals, targets: AskedTargets) -> list[Route]:
    policy = ApprovalPolicy(parts.pages, parts.clock)
    sign_in = PageSignIn(VERIFICATION_PATH, parts.flows, policy, parts.cookies, parts.database, parts.clock)
    pages = DevicePages(
        sessions=parts.sessions,
        sign_in=sign_in,
        policy=policy,
        consents=parts.consents,
        approvals=approvals,
        scopes=parts.scope_policy,
        lockout=Lockout(parts.database, parts.clock),
        database=parts.database,
        pages=parts.pages,
        clock=parts.clock,
    )
    device = DeviceEndpoint(parts.clients, targets, parts.database, parts.base_url, parts.clock)
    return device_routes(device=device, pages=pages, sign_in=sign_in)


def _ciba_routes(parts: Parts, approvals: Approvals, targets: AskedTargets, pings: CibaPings) -> list[Route]:
    policy = ApprovalPolicy(parts.pages, parts.clock)
    sign_in = PageSignIn(PATH, parts.flows, policy, parts.cookies, parts.database, parts.clock)
    subjects = ShownSubjects(parts.people, parts.database, parts.clock)
    ciba = CibaEndpoint(
        clients=parts.clients,
        requests=CibaRequests(parts.client_keys, parts.hot, parts.base_url, parts.clock),
        hints=CibaHints(parts.people, subjects, parts.keyring, parts.client_keys, parts.base_url, parts.clock),
        targets=targets,
        scopes=parts.scope_policy,
        pings=pings,
        authenticators=AUTHENTICATORS,
        database=parts.database,
        clock=parts.clock,
    )
    pages = CibaPages(
        sessions=parts.sessions,
        sign_in=sign_in,
        policy=policy,
        consents=parts.consents,
        approvals=approvals,
        scopes=parts.scope_policy,
        database=parts.database,
        pages=parts.pages,
        clock=parts.clock,
    )
    return ciba_routes(ciba=ciba, pages=pages, sign_in=sign_in, test_door=_test_door(parts, approvals))


def _test_door(parts: Parts, approvals: Approvals) -> CibaTestDoor | None:
    """Decision 27: it exists in test mode only, and needs a key that the settings name."""
    key = parts.settings.test_mode_key
    if not parts.settings.test_mode or key is None:
        return None
    return CibaTestDoor(approvals, parts.people, parts.database, key, parts.clock)
