"""What every SCIM answer and request has in common (RFC 7644 §3)."""

from typing import Any

from identity.errors import IdentityError
from identity.web.messages import Headers, Response, json_response

LIST_RESPONSE = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
SEARCH_REQUEST = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
MAXIMUM_START = 10_000
MAXIMUM_COUNT = 1000


def scim_response(status: int, body: Any, headers: Headers | None = None) -> Response:
    response = json_response(status, body, headers)
    response.headers[0] = (b"content-type", b"application/scim+json")
    return response


def page(resources: list[Any], start: int, count: int | None) -> tuple[list[Any], int]:
    """The resources from `start` (1 is the first, RFC 7644 §3.4.2.4), and the start that was taken.

    Without a count up to 1000 come at once: the API manager reads one page only. Raises IdentityError.
    """
    start = max(1, start)
    if start > MAXIMUM_START:
        raise IdentityError("too_many", f"startIndex goes to {MAXIMUM_START}: use a filter.")
    wanted = MAXIMUM_COUNT if count is None else max(0, min(count, MAXIMUM_COUNT))
    return resources[start - 1 : start - 1 + wanted], start


def list_response(resources: list[Any], total: int, start: int) -> Response:
    return scim_response(
        200,
        {
            "schemas": [LIST_RESPONSE],
            "totalResults": total,
            "startIndex": start,
            "itemsPerPage": len(resources),
            "Resources": resources,
        },
    )


def number(text: str | None, name: str) -> int | None:
    """Raises IdentityError."""
    if text is None:
        return None
    digits = text.removeprefix("-")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 9:
        raise IdentityError("invalid_value", f"{name} must be a number.")
    return int(text)
