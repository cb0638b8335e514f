"""The order of the checks of an authorization request. Read `CHECKS` first: it is the list.

A check that fails before client and redirect address are known shows an error page; after that the error goes to the
application (RFC 6749 §4.1.2.1). Nothing here asks who is signed in. A pushed request passes the list when it is pushed,
and once more when it is used.
"""

import re
from urllib.parse import urlsplit

from identity.domain.redirect_uris import match_redirect_uri
from identity.oauth2.authorization.authentication_demands import (
    read_acr_values,
    read_claims,
    read_expected_subjects,
    read_hints,
    read_max_age,
    read_prompt,
)
from identity.oauth2.authorization.authorization_request import (
    AuthorizationRequest,
    Check,
    Draft,
    PageError,
    RefusedRequest,
)
from identity.oauth2.authorization.response_types import (
    read_response_mode,
    read_response_type,
    require_openid_and_nonce,
)
from identity.oauth2.authorization_details import read_authorization_details
from identity.oauth2.clients.sender_constraint import jkt_confirmation
from identity.oauth2.errors import OAuthError
from identity.oauth2.resources import read_resources
from identity.tokens.jose import MAXIMUM_JWT

PARAMETERS = frozenset({
    "acr_values", "authorization_details", "claims", "client_id", "code_challenge", "code_challenge_method", "dpop_jkt",
    "id_token_hint", "login_hint", "max_age", "nonce", "prompt", "redirect_uri", "registration", "resource",
    "response_mode", "response_type", "scope", "state", "ui_locales",
})  # fmt: skip
"""Every parameter that a check reads; RFC 6749 §3.1: others are ignored."""
MAXIMUM_VALUE = 2048
MAXIMUM_OTHERS = 10
MAXIMUM_OTHER = 256
MAXIMUM_SCOPES = 200
_LONG_VALUES = {"claims": 8192, "state": 8192, "authorization_details": 8192, "id_token_hint": MAXIMUM_JWT}
_CREDENTIALS = frozenset({"client_secret", "client_assertion", "username", "password"})
_NOT_TOLD = frozenset({"request", "request_uri", "client_assertion_type"})
_CODE_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


def keep_other_parameters(draft: Draft) -> None:
    """RFC 6749 §3.1: parameters that nobody here knows are ignored; a sign-in script may know some."""
    others = [
        (name, value)
        for name, value in draft.parameters.items()
        if name not in PARAMETERS | _CREDENTIALS | _NOT_TOLD
        and len(name) <= MAXIMUM_OTHER
        and len(value) <= MAXIMUM_OTHER
    ]
    draft.request.other_parameters = dict(others[:MAXIMUM_OTHERS])


def match_redirect_address(draft: Draft) -> None:
    # RFC 6749 §3.1.2.3; OpenID Connect Core §3.1.2.1: exact comparison with the registered ones.
    presented = draft.parameters.get("redirect_uri")
    registered, rules = draft.application.redirect_uris, draft.application.rules
    if presented is None:
        openid = "openid" in draft.parameters.get("scope", "").split()
        # FAPI 1 Baseline §5.2.2 (9), FAPI 2 §5.3.2.2: always given.
        if len(registered) != 1 or openid or rules.require_https_redirect:
            raise PageError("invalid_request", "The parameter redirect_uri is missing.")
        draft.request.redirect_uri = registered[0]
        return
    if not match_redirect_uri(presented, registered):
        raise PageError(
            "invalid_request",
            "The redirect_uri is not one of those registered for this application. It must be the same to the letter.",
            detail=presented[:300],
        )
    if rules.require_https_redirect and urlsplit(presented).scheme != "https":
        raise PageError("invalid_request", f"The profile {rules.name} needs an https redirect_uri.")
    draft.request.redirect_uri, draft.request.redirect_uri_given = presented, True


def bound_parameters(draft: Draft) -> None:
    # Each request without a session writes a row: what goes into it must not be as large as anybody likes.
    if any(len(value) > _LONG_VALUES.get(name, MAXIMUM_VALUE) for name, value in draft.parameters.items()):
        raise OAuthError("invalid_request", "A parameter is too long.")
    if draft.parameters.keys() & _CREDENTIALS:
        raise OAuthError("invalid_request", "Credentials must not be sent to this endpoint.")


def refuse_unsupported(draft: Draft) -> None:
    # OpenID Connect Core §3.1.2.6: say so rather than ignore what the application meant to protect.
    if "registration" in draft.parameters:
        raise OAuthError("registration_not_supported", "The parameter registration is not supported.")


def require_protected_request(draft: Draft) -> None:
    application, presented = draft.application, draft.presented
    pushed = presented.being_pushed or bool(presented.pushed)
    # RFC 9126 §5, §6
    if (application.require_pushed_authorization_requests or application.rules.require_pushed_request) and not pushed:
        raise OAuthError("invalid_request", "This application has to push its requests to /oauth2/par first.")
    # RFC 9101 §10.5
    if needs_signed_request(draft) and not presented.signed:
        raise OAuthError("invalid_request", "This application has to sign its requests: send a request object.")


def needs_signed_request(draft: Draft) -> bool:
    return draft.application.require_signed_request_object or draft.application.rules.require_signed_request


def read_scope(draft: Draft) -> None:
    """Which of them the application gets, `oauth2.scope_policy` says once the person is known."""
    if needs_signed_request(draft) and not draft.parameters.keys() & {"scope", "authorization_details"}:
        # FAPI 1 Advanced §5.2.3 (8): one beside the request object does not count, and the client may believe it does.
        raise OAuthError("invalid_request", "The parameter scope is missing: it has to be in the request object.")
    asked = list(dict.fromkeys(draft.parameters.get("scope", "").split()))
    if len(asked) > MAXIMUM_SCOPES:
        raise OAuthError("invalid_scope", "There are too many scopes.")
    refreshable = "refresh_token" in draft.application.grant_types and "code" in draft.request.response_words
    if "openid" not in asked or not refreshable:
        # OpenID Connect Core §11: offline_access is ignored where no refresh token can be given.
        asked = [scope for scope in asked if scope != "offline_access"]
    draft.request.scope = " ".join(asked)


def require_pkce(draft: Draft) -> None:
    # RFC 7636 §4.4.1, RFC 9700 §2.1.1; S256 only (decision 26).
    challenge = draft.parameters.get("code_challenge")
    method = draft.parameters.get("code_challenge_method")
    if challenge is None:
        if method is not None or ("code" in draft.request.response_words and _pkce_is_due(draft)):
            raise OAuthError("invalid_request", "The parameter code_challenge is missing: use PKCE with S256.")
        return
    if method != "S256":
        raise OAuthError("invalid_request", "The code_challenge_method must be S256.")
    if not _CODE_CHALLENGE.fullmatch(challenge):
        raise OAuthError("invalid_request", "The code_challenge is not the base64url of a SHA-256 hash.")
    draft.request.code_challenge = challenge


def _pkce_is_due(draft: Draft) -> bool:
    application, rules, presented = draft.application, draft.application.rules, draft.presented
    if application.public or rules.require_pkce:
        return True
    if rules.require_pkce_when_pushed and (presented.pushed or presented.being_pushed):
        return True
    own = application.require_pkce
    return draft.tenant.settings.require_pkce if own is None else own


def read_dpop_jkt(draft: Draft) -> None:
    # RFC 9449 §10: the code is then redeemed with this key only.
    if "dpop_jkt" in draft.parameters:
        draft.request.confirmation = jkt_confirmation(draft.parameters["dpop_jkt"])


CHECKS: tuple[Check, ...] = (
    match_redirect_address,
    read_response_mode,
    bound_parameters,
    refuse_unsupported,
    require_protected_request,
    read_response_type,
    read_scope,
    require_openid_and_nonce,
    require_pkce,
    read_dpop_jkt,
    read_prompt,
    read_max_age,
    read_claims,
    read_acr_values,
    read_hints,
    read_expected_subjects,
    read_resources,
    read_authorization_details,
    keep_other_parameters,
)
_WHERE_ERRORS_GO: tuple[Check, ...] = (match_redirect_address, read_response_mode)


async def check_authorization_request(draft: Draft) -> AuthorizationRequest:
    """Run the checks. Raises PageError, or RefusedRequest that knows where the error may be sent."""
    try:
        for check in CHECKS:
            reading = check(draft)
            if reading is not None:
                await reading
    except OAuthError as error:
        raise RefusedRequest(draft.request, error) from None
    return draft.request


def refused_unread(draft: Draft, error: OAuthError) -> Exception:
    """What to raise when the parameters that count cannot be had: the plain ones say where the error goes, if they
    name an address that is registered."""
    if "redirect_uri" not in draft.parameters:
        return PageError(error.code, error.public, detail=error.detail)
    try:
        for check in _WHERE_ERRORS_GO:
            check(draft)
    except PageError:
        return PageError(error.code, error.public, detail=error.detail)
    except OAuthError:
        pass
    return RefusedRequest(draft.request, error)
