"""The order of the checks of an authorization request. Read `CHECKS` first: it is the list.

A check that fails before client and redirect address are known shows an error page; after that the error goes to the
application (RFC 6749 §4.1.2.1). Nothing here asks who is signed in.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from identity.domain.applications import Application
from identity.domain.redirect_uris import match_redirect_uri
from identity.errors import IdentityError
from identity.oauth2.errors import OAuthError
from identity.storage.configuration import TenantConfiguration
from identity.tokens.claims import IDENTITY_SCOPES, ClaimRequests, parse_claim_requests, require_distinct_members
from identity.tokens.jose import MAXIMUM_JWT

RESPONSE_MODES = ("query", "fragment", "form_post")
PROMPTS = frozenset({"none", "login", "consent", "select_account"})
MAXIMUM_VALUE = 2048
MAXIMUM_SCOPES = 200
_LONG_VALUES = {"claims": 8192, "state": 8192, "id_token_hint": MAXIMUM_JWT}
_CODE_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(slots=True, kw_only=True)
class AuthorizationRequest:
    """A checked request. Only this is read later on; the browser cannot change it any more."""

    client_id: str
    redirect_uri: str
    redirect_uri_given: bool
    response_mode: str
    state: str | None = None
    scope: str = ""
    nonce: str | None = None
    code_challenge: str = ""
    prompt: tuple[str, ...] = ()
    max_age: int | None = None
    login_hint: str = ""
    ui_locales: str = ""
    requested_claims: str = ""
    """The `claims` parameter, checked, as it came."""
    id_token_hint: str = ""


class PageError(IdentityError):
    """The request cannot be trusted to lead anywhere: an error page, no redirect (RFC 6749 §4.1.2.1)."""


@dataclass(slots=True)
class Draft:
    """A request while it is being checked."""

    parameters: dict[str, str]
    tenant: TenantConfiguration
    application: Application
    request: AuthorizationRequest
    claims: ClaimRequests = field(default_factory=dict)


def match_redirect_address(draft: Draft) -> None:
    # RFC 6749 §3.1.2.3; OpenID Connect Core §3.1.2.1: exact comparison with the registered ones.
    presented = draft.parameters.get("redirect_uri")
    registered = draft.application.redirect_uris
    if presented is None:
        openid = "openid" in draft.parameters.get("scope", "").split()
        if len(registered) != 1 or openid:
            raise PageError("invalid_request", "The parameter redirect_uri is missing.")
        draft.request.redirect_uri = registered[0]
        return
    if not match_redirect_uri(presented, registered):
        raise PageError(
            "invalid_request",
            "The redirect_uri is not one of those registered for this application. It must be the same to the letter.",
            detail=presented[:300],
        )
    draft.request.redirect_uri, draft.request.redirect_uri_given = presented, True


def read_response_mode(draft: Draft) -> None:
    # OAuth 2.0 Multiple Response Type Encoding Practices §2.1: a code travels in the query by default.
    mode = draft.parameters.get("response_mode", "query")
    if mode not in RESPONSE_MODES:
        raise OAuthError("invalid_request", "The response_mode is not supported: use query, fragment or form_post.")
    draft.request.response_mode = mode


def bound_parameters(draft: Draft) -> None:
    # Each request without a session writes a row: what goes into it must not be as large as anybody likes.
    if any(len(value) > _LONG_VALUES.get(name, MAXIMUM_VALUE) for name, value in draft.parameters.items()):
        raise OAuthError("invalid_request", "A parameter is too long.")
    if draft.parameters.keys() & {"client_secret", "username", "password"}:
        raise OAuthError("invalid_request", "Credentials must not be sent to this endpoint.")


def refuse_request_objects(draft: Draft) -> None:
    # OpenID Connect Core §3.1.2.6: say so rather than ignore what the application meant to protect.
    for name, code in (
        ("request", "request_not_supported"),
        ("request_uri", "request_uri_not_supported"),
        ("registration", "registration_not_supported"),
    ):
        if name in draft.parameters:
            raise OAuthError(code, f"The parameter {name} is not supported.")


def refuse_resources(draft: Draft) -> None:
    # RFC 8707 §2: a token for another audience than the one asked for must not be issued silently.
    if "resource" in draft.parameters:
        raise OAuthError("invalid_target", "The parameter resource is not supported yet.")


def require_code(draft: Draft) -> None:
    response_type = draft.parameters.get("response_type")
    if response_type is None:
        raise OAuthError("invalid_request", "The parameter response_type is missing.")
    if response_type != "code":
        raise OAuthError("unsupported_response_type", "The response_type is not supported: use code.")
    if "authorization_code" not in draft.application.grant_types:
        raise OAuthError("unauthorized_client", "This application may not use the authorization code grant.")


def read_scope(draft: Draft) -> None:
    # RFC 6749 §3.3: what the application may not have is left out, and the token response says what it got.
    asked = draft.parameters.get("scope", "").split()
    if len(asked) > MAXIMUM_SCOPES:
        raise OAuthError("invalid_scope", "There are too many scopes.")
    allowed = {*IDENTITY_SCOPES, *draft.application.scopes}
    if "openid" not in asked:
        allowed -= {"offline_access"}
    if "refresh_token" not in draft.application.grant_types:
        # OpenID Connect Core §11: offline_access is ignored where no refresh token can be given.
        allowed -= {"offline_access"}
    draft.request.scope = " ".join(dict.fromkeys(scope for scope in asked if scope in allowed))


def require_pkce(draft: Draft) -> None:
    # RFC 7636 §4.4.1, RFC 9700 §2.1.1; S256 only (decision 26).
    challenge = draft.parameters.get("code_challenge")
    method = draft.parameters.get("code_challenge_method")
    if challenge is None:
        own = draft.application.require_pkce
        required = draft.application.public or (draft.tenant.settings.require_pkce if own is None else own)
        if required or method is not None:
            raise OAuthError("invalid_request", "The parameter code_challenge is missing: use PKCE with S256.")
        return
    if method != "S256":
        raise OAuthError("invalid_request", "The code_challenge_method must be S256.")
    if not _CODE_CHALLENGE.fullmatch(challenge):
        raise OAuthError("invalid_request", "The code_challenge is not the base64url of a SHA-256 hash.")
    draft.request.code_challenge = challenge


def read_prompt(draft: Draft) -> None:
    # OpenID Connect Core §3.1.2.1.
    prompt = tuple(draft.parameters.get("prompt", "").split())
    if not PROMPTS.issuperset(prompt):
        raise OAuthError("invalid_request", "The prompt must be none, login, consent or select_account.")
    if "none" in prompt and len(prompt) > 1:
        raise OAuthError("invalid_request", "The prompt none cannot be used with another.")
    draft.request.prompt = prompt


def read_max_age(draft: Draft) -> None:
    text = draft.parameters.get("max_age")
    if text is None:
        return
    if not text.isascii() or not text.isdigit() or len(text) > 10:
        raise OAuthError("invalid_request", "The max_age must be a number of seconds.")
    draft.request.max_age = int(text)


def read_claims(draft: Draft) -> None:
    # OpenID Connect Core §5.5.
    text = draft.parameters.get("claims")
    if text is None:
        return
    try:
        require_distinct_members(text)
        draft.claims = parse_claim_requests(text)
    except (ValueError, RecursionError):
        raise OAuthError(
            "invalid_request", "The claims parameter is not a JSON object as OpenID Connect defines it."
        ) from None
    draft.request.requested_claims = text


def read_hints(draft: Draft) -> None:
    request, parameters = draft.request, draft.parameters
    request.nonce = parameters.get("nonce")
    request.login_hint = parameters.get("login_hint", "")[:320]
    request.ui_locales = parameters.get("ui_locales", "")[:200]
    request.id_token_hint = parameters.get("id_token_hint", "")


Check = Callable[[Draft], None]

CHECKS: tuple[Check, ...] = (
    match_redirect_address,
    read_response_mode,
    bound_parameters,
    refuse_request_objects,
    refuse_resources,
    require_code,
    read_scope,
    require_pkce,
    read_prompt,
    read_max_age,
    read_claims,
    read_hints,
)


def check_authorization_request(
    parameters: dict[str, str], tenant: TenantConfiguration, application: Application | None
) -> tuple[AuthorizationRequest, Draft]:
    """Run the checks. Raises PageError, or RefusedRequest that knows where the error may be sent."""
    if application is None or not application.enabled:
        raise PageError("invalid_client", "The client_id is unknown here, or the application is disabled.", status=400)
    request = AuthorizationRequest(
        client_id=application.client_id,
        redirect_uri="",
        redirect_uri_given=False,
        response_mode="query",
        state=parameters.get("state"),
    )
    draft = Draft(parameters, tenant, application, request)
    try:
        for check in CHECKS:
            check(draft)
    except OAuthError as error:
        raise RefusedRequest(request, error) from None
    return request, draft


class RefusedRequest(Exception):
    """A request whose error goes back to the application."""

    def __init__(self, request: AuthorizationRequest, error: IdentityError) -> None:
        super().__init__(error.code)
        self.request = request
        self.error = error
