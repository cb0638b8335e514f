"""What a FAPI profile demands of an application's settings, and what it fills in where nothing is said."""

from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from identity.domain.applications import DEVICE_CODE, JWT_BEARER, TOKEN_EXCHANGE, Application
from identity.domain.tenants import Tenant

_CHOSEN = "PS256"
"""Signs for applications of a profile that name no algorithm, where the tenant's default is not allowed now."""
_SIGNATURES = (
    "access_token_algorithm",
    "id_token_algorithm",
    "authorization_signed_response_alg",
    "introspection_signed_response_alg",
)
_NOT_WITH_A_PROFILE = frozenset({"password", "implicit", JWT_BEARER, DEVICE_CODE, TOKEN_EXCHANGE})
_ENDPOINTS = ("/oauth2/token", "/oauth2/authorize", "/oauth2/par", "/oauth2/introspect", "/oauth2/revoke")


def with_profile_defaults(application: Application, tenant: Tenant) -> Application:
    """The application, with algorithms that its profile allows wherever none is named: the tenant's default of today
    may become another one, which the profile forbids."""
    allowed = application.rules.signing_algorithms
    if allowed is None:
        return application
    default = tenant.settings.default_algorithm
    algorithm = default if default in allowed else _CHOSEN
    chosen: dict[str, Any] = {name: algorithm for name in _SIGNATURES if getattr(application, name) is None}
    return replace(application, **chosen)


def profile_problem(application: Application, tenant: Tenant) -> str | None:
    """What the application's profile forbids, or None."""
    rules = application.rules
    if not rules.name:
        return None
    if rules.auth_methods is not None and application.token_endpoint_auth_method not in rules.auth_methods:
        return f"profile: {rules.name} needs token_endpoint_auth_method {' or '.join(sorted(rules.auth_methods))}."
    if rules.require_sender_constraint and not application.sender_constrained:
        return (
            f"profile: {rules.name} needs dpop_bound_access_tokens or tls_client_certificate_bound_access_tokens: "
            "tokens that are good for their owner only."
        )
    if rules.response_types is not None and not rules.response_types.issuperset(application.response_types):
        return f"profile: {rules.name} allows the response types {', '.join(sorted(rules.response_types))} only."
    forbidden = _NOT_WITH_A_PROFILE.intersection(application.grant_types)
    if forbidden:
        return f"profile: {rules.name} does not allow the grant type {sorted(forbidden)[0]}."
    if rules.require_https_redirect:
        for uri in application.redirect_uris:
            if urlsplit(uri).scheme != "https":
                return f"profile: {rules.name} needs https redirect_uris; {uri!r} is not."
    return _algorithm_problem(application) or _issuer_problem(application, tenant)


def _algorithm_problem(application: Application) -> str | None:
    names = (*_SIGNATURES, "userinfo_signed_response_alg", "token_endpoint_auth_signing_alg",
             "request_object_signing_alg", "backchannel_authentication_request_signing_alg")  # fmt: skip
    for name in names:
        algorithm = getattr(application, name)
        if algorithm is not None and not application.rules.allows_algorithm(algorithm):
            allowed = ", ".join(sorted(application.rules.signing_algorithms or ()))
            return f"profile: {application.profile} allows {name} {allowed} only."
    return None


def _issuer_problem(application: Application, tenant: Tenant) -> str | None:
    """Decision 1: with FAPI 2 an assertion for the token endpoint must not pass as one for the issuer."""
    if not application.rules.issuer_is_no_endpoint:
        return None
    issuer = tenant.settings.issuer
    if issuer is None or issuer.endswith(_ENDPOINTS):
        return (
            f"profile: {application.profile} needs an issuer that is no endpoint's address: set the tenant's issuer "
            "to its base address first (identity tenants update)."
        )
    return None
