"""Errors of the interfaces for administrators, in the bodies that their clients read."""

from http import HTTPStatus

from identity.errors import IdentityError
from identity.web.messages import Headers, Response, json_response

SCIM_ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
_SCIM_TYPES = {
    "conflict": "uniqueness",
    "invalid_role": "invalidValue",
    "invalid_value": "invalidValue",
    "invalid_filter": "invalidFilter",
    "invalid_path": "invalidPath",
    "invalid_syntax": "invalidSyntax",
    "mutability": "mutability",
    "too_many": "tooMany",
}
"""RFC 7644 §3.12, table 9."""


def problem_json(error: IdentityError, trace_id: str, headers: Headers) -> Response:
    """`{code, message, description, traceId}` (wso2-contracts §6.1), and what `error.more` adds."""
    body = {
        "code": error.code,
        "message": HTTPStatus(error.status).phrase,
        "description": error.public,
        "traceId": trace_id,
        **getattr(error, "more", {}),
    }
    return json_response(error.status, body, headers)


def scim_json(error: IdentityError, headers: Headers) -> Response:
    """RFC 7644 §3.12: the status as a string, and a type where the table has one."""
    body = {"schemas": [SCIM_ERROR], "status": str(error.status), "detail": error.public}
    kind = _SCIM_TYPES.get(error.code)
    if kind is not None:
        body["scimType"] = kind
    response = json_response(error.status, body, headers)
    response.headers[0] = (b"content-type", b"application/scim+json")
    return response
