"""What a registration may not ask for: checked at creation and at each change alike (attack row 24)."""

from typing import Any

from identity.domain.applications import Application
from identity.domain.registration import RegistrationLimits
from identity.oauth2.clients.client_metadata import invalid_metadata
from identity.tokens.claims import IDENTITY_SCOPES


def limits_of(application: Application) -> RegistrationLimits:
    """What the application's own token may change it to. One that an administrator made stays within what it is."""
    return application.registration_limits or RegistrationLimits(
        profile=application.profile,
        grant_types=application.grant_types,
        response_types=application.response_types,
        scopes=application.scopes,
        authorization_details_types=application.authorization_details_types,
    )


def apply_limits(limits: RegistrationLimits, values: dict[str, Any]) -> None:
    """Put the profile of `limits` into the fields, and leave out scopes that are not allowed, which the answer shows
    (RFC 7591 §3.2.1); anything else beyond them raises OAuthError."""
    for name in ("grant_types", "response_types", "authorization_details_types"):
        for value in values[name]:
            if value not in getattr(limits, name):
                raise invalid_metadata(f"{name}: {value!r} is not allowed for this registration.")
    allowed = {*IDENTITY_SCOPES, *limits.scopes}
    values["scopes"] = tuple(scope for scope in values["scopes"] if scope in allowed)
    if limits.profile and values.get("profile", limits.profile) != limits.profile:
        raise invalid_metadata(f"ext_profile: this registration is for {limits.profile} only.")
    if limits.profile:
        values["profile"] = limits.profile
