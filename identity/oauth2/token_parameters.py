"""The parameters of the token endpoint: a form (RFC 6749 §4), or the same members as JSON (wso2-contracts §1.1)."""

from typing import Any

import msgspec

from identity.errors import IdentityError
from identity.oauth2.errors import OAuthError
from identity.oauth2.grants import REPEATABLE
from identity.web.json_bodies import read_json
from identity.web.messages import Request


def token_parameters(request: Request) -> dict[str, str]:
    """Each parameter once, values of repeatable ones joined by spaces. Raises IdentityError."""
    content_type = request.header(b"content-type") or ""
    if not content_type.startswith("application/json"):
        return request.form(REPEATABLE)
    try:
        members = read_json(request)
    except IdentityError as error:
        raise OAuthError("invalid_request", error.public) from None
    if not isinstance(members, dict):
        raise OAuthError("invalid_request", "The body must be a JSON object.")
    return {name: text for name, value in members.items() if (text := _text(name, value))}


def _text(name: str, value: Any) -> str:
    """The member as the form would have it; an empty one counts as absent (RFC 6749 §3.1)."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and name == "authorization_details":
        return msgspec.json.encode(value).decode()
    if isinstance(value, list) and name in REPEATABLE and all(isinstance(item, str) for item in value):
        return " ".join(value)
    raise OAuthError("invalid_request", "A member of the body has the wrong type: send strings.")
