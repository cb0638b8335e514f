"""What an authorization request demands of the sign-in: prompt, age, class, person, language.

OpenID Connect Core §3.1.2.1 and §5.5; what a resource's step-up challenge asked for comes here too (RFC 9470 §4).
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from identity.authn.assurance import REACHABLE_ACRS, reaches
from identity.authn.login_record import Denial
from identity.oauth2.authorization.authorization_request import AuthorizationRequest, Draft, RefusedRequest
from identity.oauth2.errors import OAuthError
from identity.oauth2.id_token_hint import subject_of_hint
from identity.tokens.claims import ClaimRequests, parse_claim_requests, require_distinct_members
from identity.tokens.jose import InvalidToken

PROMPTS = frozenset({"none", "login", "consent", "select_account"})
MAXIMUM_SUBJECTS = 20
MAXIMUM_ACR = 200

LOGIN_REQUIRED = ("login_required", "Nobody is signed in, or not recently enough.")


def read_prompt(draft: Draft) -> None:
    prompt = tuple(draft.parameters.get("prompt", "").split())
    if not PROMPTS.issuperset(prompt):
        raise OAuthError("invalid_request", "The prompt must be none, login, consent or select_account.")
    if "none" in prompt and len(prompt) > 1:
        raise OAuthError("invalid_request", "The prompt none cannot be used with another.")
    draft.request.prompt = prompt


def read_max_age(draft: Draft) -> None:
    text = draft.parameters.get("max_age")
    if text is None:
        draft.request.max_age = draft.application.default_max_age
        return
    if not text.isascii() or not text.isdigit() or len(text) > 10:
        raise OAuthError("invalid_request", "The max_age must be a number of seconds.")
    draft.request.max_age = int(text)


def read_claims(draft: Draft) -> None:
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


def read_acr_values(draft: Draft) -> None:
    """OpenID Connect Core §5.5.1.1: an essential acr that cannot be met is an error; voluntary ones may be missed.

    What the access token says of the sign-in is what was asked about it (RFC 9470 §6): `acr` and `auth_time` are noted
    among the requested claims.
    """
    asked = tuple(draft.parameters.get("acr_values", "").split()) or draft.application.default_acr_values
    demand = _id_token_demand(draft.claims, "acr")
    values = _values(demand)
    reachable = [value for value in values if value in REACHABLE_ACRS]
    if demand.get("essential") and values and not reachable:
        raise OAuthError("unmet_authentication_requirements", "The demanded acr cannot be reached here.")
    told = (*(value for value in values if isinstance(value, str)), *asked)
    draft.request.asked_acr_values = tuple(text[:MAXIMUM_ACR] for text in told[:MAXIMUM_SUBJECTS])
    draft.request.acr_values = (*reachable, *(value for value in asked if value in REACHABLE_ACRS))
    noted = [name for name, wanted in (("acr", asked), ("auth_time", draft.request.max_age is not None)) if wanted]
    if noted:
        _note(draft, noted)


def told_acr(request: AuthorizationRequest, reached: str) -> str:
    """The class that the answer names: of those asked for, the first that was reached; else the session's own (empty).

    Who has shown two factors has shown one, too.
    """
    if reached in request.acr_values:
        return ""
    return next((acr for acr in request.acr_values if reaches(reached, acr)), "")


def require_essential_acr(request: AuthorizationRequest, told: str) -> None:
    """OpenID Connect Core §5.5.1.1: an essential acr that the sign-in did not reach. Raises RefusedRequest."""
    if not request.requested_claims:
        return
    demand = _id_token_demand(parse_claim_requests(request.requested_claims), "acr")
    values = _values(demand)
    if demand.get("essential") and values and told not in values:
        raise RefusedRequest(
            request, OAuthError("unmet_authentication_requirements", "The sign-in did not reach the demanded acr.")
        )


def script_facts(request: AuthorizationRequest) -> dict[str, Any]:
    """What a sign-in script is told of the request; nothing in it proves anything."""
    told = {
        "client_id": request.client_id,
        "redirect_uri": request.redirect_uri,
        "response_type": request.response_type,
        "scope": request.scope,
        "acr_values": " ".join(request.asked_acr_values),
        "prompt": " ".join(request.prompt),
        "max_age": "" if request.max_age is None else str(request.max_age),
        "login_hint": request.login_hint,
        "ui_locales": request.ui_locales,
        "resource": request.resources,
    }
    return {
        "params": {**request.other_parameters, **{name: value for name, value in told.items() if value}},
        "requested_acr": list(request.asked_acr_values),
        "scopes": request.scope.split(),
        "authorization_details": msgspec.json.decode(request.authorization_details or "[]"),
    }


def _note(draft: Draft, names: list[str]) -> None:
    """OpenID Connect Core §3.1.2.1: `acr_values` and `max_age` ask for these claims."""
    of_id_token = dict.fromkeys(names) | dict(draft.claims.get("id_token", {}))
    draft.claims = {**draft.claims, "id_token": of_id_token}
    draft.request.requested_claims = msgspec.json.encode(draft.claims).decode()


def read_hints(draft: Draft) -> None:
    request, parameters = draft.request, draft.parameters
    request.login_hint = parameters.get("login_hint", "")[:320]
    request.ui_locales = parameters.get("ui_locales", "")[:200]


def read_expected_subjects(draft: Draft) -> None:
    """The `sub` that the application insists on, by `id_token_hint` or by the `claims` parameter."""
    expected = _values(_id_token_demand(draft.claims, "sub"))
    if len(expected) > MAXIMUM_SUBJECTS or not all(isinstance(value, str) for value in expected):
        raise OAuthError("invalid_request", "The demanded sub is not a string, or there are too many.")
    hint = draft.parameters.get("id_token_hint")
    if hint is not None:
        hinted = _hinted_subject(draft, hint)
        if expected and hinted not in expected:
            raise OAuthError(*LOGIN_REQUIRED)
        expected = [hinted]
    draft.request.subjects = tuple(expected)


def _hinted_subject(draft: Draft, hint: str) -> str:
    grounds = draft.grounds
    try:
        return subject_of_hint(grounds.keyring, grounds.base_url, draft.tenant, hint, draft.application)
    except InvalidToken:
        raise OAuthError("invalid_request", "The id_token_hint is not an ID token of ours.") from None


def _id_token_demand(claims: ClaimRequests, name: str) -> Mapping[str, Any]:
    return claims.get("id_token", {}).get(name) or {}


def _values(demand: Mapping[str, Any]) -> list[Any]:
    """OpenID Connect Core §5.5.1: `value`, or `values` in the order of preference."""
    values: list[Any] = demand.get("values") or ([demand["value"]] if "value" in demand else [])
    return values


def sign_in_denied(denial: Denial | None) -> OAuthError:
    """What the application is told about a sign-in that was given up or denied (RFC 6749 §4.1.2.1)."""
    if denial is None or denial.kind != "oauth_error":
        return OAuthError("access_denied", "The person did not allow the request.")
    return OAuthError(denial.code, denial.message or "The sign-in was denied.", uri=denial.uri)
