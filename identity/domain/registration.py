"""What somebody may register without being an administrator (RFC 7591 §3): by an initial access token, or anybody."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationLimits:
    """The most that a registration may ask for, and later change itself to. The defaults are what anybody may."""

    profile: str = ""
    """The FAPI profile that the application gets; empty: it may choose."""
    grant_types: tuple[str, ...] = ("authorization_code", "refresh_token", "implicit")
    response_types: tuple[str, ...] = (
        "code",
        "id_token",
        "token",
        "id_token token",
        "code id_token",
        "code token",
        "code id_token token",
        "none",
    )
    scopes: tuple[str, ...] = ()
    """Beside those of OpenID Connect."""
    authorization_details_types: tuple[str, ...] = ()


ANYBODY = RegistrationLimits()
