"""What an authorization request asks to get back, and how (OAuth 2.0 Multiple Response Types, JARM).

Everything but `code` is off unless the application's `response_types` name it. Tokens never travel in a query.
"""

from identity.domain.applications import RESPONSE_TYPES
from identity.oauth2.authorization.authorization_request import Draft
from identity.oauth2.errors import OAuthError
from identity.oauth2.native.native_login import DIRECT

_CARRIERS = ("query", "fragment", "form_post")
JWT_MODES = ("jwt", *(f"{carrier}.jwt" for carrier in _CARRIERS))
"""JARM §2.3: the parameters are claims of one signed JWT."""
RESPONSE_MODES = (*_CARRIERS, *JWT_MODES)
_UNREACHABLE_BY_QUERY = frozenset({"token", "id_token"})


def normal_response_type(text: str) -> str:
    """The words of a `response_type` in alphabetical order: their order means nothing (Multiple Response Types §3)."""
    return " ".join(sorted(text.split(" ")))


def default_carrier(words: frozenset[str]) -> str:
    """Multiple Response Types §2.1, §5: `code` and `none` by query, whatever holds a token by fragment."""
    return "fragment" if words & _UNREACHABLE_BY_QUERY else "query"


def carrier_of(response_mode: str, words: frozenset[str]) -> str:
    """`query`, `fragment` or `form_post`: how a response of this mode travels."""
    if response_mode == "jwt":
        return default_carrier(words)
    return response_mode.removesuffix(".jwt")


def read_response_mode(draft: Draft) -> None:
    """First of all: every later error is answered in this mode. A bad one is told in the default mode."""
    normal = normal_response_type(draft.parameters.get("response_type", "code"))
    words = frozenset(normal.split(" "))
    if normal in RESPONSE_TYPES:
        draft.request.response_type = normal
    draft.request.response_mode = default_carrier(words)
    mode = draft.parameters.get("response_mode")
    if mode is None:
        return
    if mode == DIRECT and draft.application.native_login:
        draft.request.response_mode = mode
        return
    if mode not in RESPONSE_MODES:
        raise OAuthError(
            "invalid_request", f"The response_mode is not supported: use one of {', '.join(RESPONSE_MODES)}."
        )
    # Multiple Response Types §3.0, §5; JARM §2.3.1, whose exception for encrypted responses is not made use of.
    if carrier_of(mode, words) == "query" and words & _UNREACHABLE_BY_QUERY:
        raise OAuthError("invalid_request", "Tokens are not sent in a query: use another response_mode.")
    draft.request.response_mode = mode


def read_response_type(draft: Draft) -> None:
    text, application = draft.parameters.get("response_type"), draft.application
    if text is None:
        raise OAuthError("invalid_request", "The parameter response_type is missing.")
    normal = normal_response_type(text)
    if normal not in RESPONSE_TYPES:
        raise OAuthError("unsupported_response_type", "The response_type is not supported.")
    if normal not in application.response_types:
        raise OAuthError(
            "unsupported_response_type", f"The response_type {normal} is not switched on for this application."
        )
    draft.request.response_type = normal
    if "code" in draft.request.response_words and "authorization_code" not in application.grant_types:
        raise OAuthError("unauthorized_client", "This application may not use the authorization code grant.")
    _hold_to_profile(draft, normal)


def _hold_to_profile(draft: Draft, response_type: str) -> None:
    application, rules = draft.application, draft.application.rules
    if rules.response_types is not None and response_type not in rules.response_types:
        raise OAuthError("unsupported_response_type", f"The profile {rules.name} does not allow this response_type.")
    if "token" in draft.request.response_words and application.sender_constrained:
        # What leaves by the browser cannot be bound to the application's key (FAPI 1 Advanced §5.2.2, RFC 9700 §2.1.2).
        raise OAuthError(
            "unsupported_response_type", "Tokens of this application are bound to its key: use response_type=code."
        )
    signed = draft.request.response_mode in JWT_MODES
    # FAPI 1 Advanced §5.2.2 (2); FAPI 2 Message Signing §5.4
    if not signed and (rules.jarm_only or (rules.code_needs_jarm and response_type == "code")):
        raise OAuthError("invalid_request", f"The profile {rules.name} needs a signed response: response_mode=jwt.")


def require_openid_and_nonce(draft: Draft) -> None:
    """After the scope is known."""
    request, rules = draft.request, draft.application.rules
    request.nonce = draft.parameters.get("nonce")
    openid = "openid" in request.scope.split()
    if "id_token" in request.response_words:
        if not openid:
            # OpenID Connect Core §3.2.2.1
            raise OAuthError("invalid_scope", "A response_type with id_token needs the scope openid.")
        if request.nonce is None:
            # OpenID Connect Core §3.2.2.1, §3.3.2.11
            raise OAuthError("invalid_request", "The parameter nonce is missing: this response_type needs it.")
    # FAPI 1 Baseline §5.2.2.2, §5.2.2.3
    if rules.require_nonce and (request.nonce if openid else request.state) is None:
        missing = "nonce" if openid else "state"
        raise OAuthError("invalid_request", f"The parameter {missing} is missing: the profile {rules.name} needs it.")
