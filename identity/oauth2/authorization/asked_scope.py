"""The scope that a request without a browser asks for."""

from identity.domain.applications import Application
from identity.oauth2.errors import OAuthError

MAXIMUM_SCOPE = 8192


def asked_scope(application: Application, text: str) -> str:
    """The scopes of a request, each once. Which of them are granted is decided when the person is known.

    OpenID Connect Core §11: `offline_access` counts with `openid`, and where a refresh token can be given.
    """
    if len(text) > MAXIMUM_SCOPE:
        raise OAuthError("invalid_scope", "The scope is too long.")
    names = list(dict.fromkeys(text.split()))
    if "openid" not in names or "refresh_token" not in application.grant_types:
        names = [name for name in names if name != "offline_access"]
    return " ".join(names)
