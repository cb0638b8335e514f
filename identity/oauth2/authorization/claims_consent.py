"""Consent to claims that a request names (OpenID Connect Core §5.5): asked about as the scopes that give them.

Else the `claims` parameter would fetch what the consent page shows, and a person can refuse, as a scope.
"""

from collections.abc import Collection
from dataclasses import replace

import msgspec

from identity.oauth2.authorization.authorization_request import AuthorizationRequest
from identity.tokens.claims import CLAIMS_OF_SCOPE, names_of_scope, parse_claim_requests, requested_names

_PLACES = ("userinfo", "id_token")


def scopes_of_claims(request: AuthorizationRequest, scope: str) -> list[str]:
    """The scopes beside those of `scope` that give a claim which the request names."""
    names = {name for place in _PLACES for name in requested_names(request.requested_claims, place)}
    names -= names_of_scope(scope)
    return [each for each, given in CLAIMS_OF_SCOPE.items() if not names.isdisjoint(given)]


def as_allowed(request: AuthorizationRequest, allowed: Collection[str]) -> tuple[AuthorizationRequest, str]:
    """What is left of a request after the consent page: with its claims, and its scope."""
    scope = " ".join(each for each in request.scope.split() if each in allowed)
    refused = [each for each in scopes_of_claims(request, scope) if each not in allowed]
    if not refused:
        return request, scope
    names = names_of_scope(" ".join(refused)) - names_of_scope(scope)
    asked = parse_claim_requests(request.requested_claims)
    kept = {place: {name: asked[place][name] for name in asked[place] if name not in names} for place in _PLACES}
    return replace(request, requested_claims=msgspec.json.encode(kept).decode()), scope
