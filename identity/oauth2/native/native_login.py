"""Sign-in as JSON: what an application sends and gets instead of pages (wso2-contracts §1.6).

The shapes only; `native_login_endpoint` drives the flow. Attestation of the application is not supported.
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Any, Literal

from identity.errors import IdentityError
from identity.oauth2.errors import OAuthError
from identity.telemetry import get_logger
from identity.tokens.compact import InvalidToken, parse_object
from identity.web.messages import Request, Response, json_response

DIRECT = "direct"
"""The `response_mode` of such a request."""
AUTHENTICATOR = "BasicAuthenticator"
IDENTITY_PROVIDER = "LOCAL"
REQUIRED = ("username", "password")
MAXIMUM_VALUE = 2048

_LOG = get_logger("identity")
FlowStatus = Literal["INCOMPLETE", "FAIL_INCOMPLETE"]


@dataclass(frozen=True, slots=True)
class StepAnswer:
    """`flow` and `secret` are the two halves of the `flowId`."""

    flow: str
    secret: str
    username: str
    password: str


def flow_id(flow: str, secret: str) -> str:
    """What the application keeps: with 256 random bits in it, nobody else can go on with the flow."""
    return f"{flow}.{secret}"


def authenticator_id() -> str:
    return base64.b64encode(f"{AUTHENTICATOR}:{IDENTITY_PROVIDER}".encode()).decode()


def prompt(identifier: str, endpoint: str, status: FlowStatus = "INCOMPLETE") -> dict[str, Any]:
    """Username and password are asked for; FAIL_INCOMPLETE: once more, since they were refused."""
    step: dict[str, Any] = {"stepType": "AUTHENTICATOR_PROMPT", "authenticators": [_authenticator()]}
    if status == "FAIL_INCOMPLETE":
        # One text for every cause (attack class 22).
        step["messages"] = [
            {
                "type": "ERROR",
                "messageId": "login.fail.message",
                "message": "The username or password is not right, or the account is locked.",
                "i18nKey": "login.fail.message",
                "context": [],
            }
        ]
    return {
        "flowId": identifier,
        "flowStatus": status,
        "flowType": "AUTHENTICATION",
        "nextStep": step,
        "links": [{"name": "authentication", "href": endpoint, "method": "POST"}],
    }


def completed(parameters: dict[str, str]) -> dict[str, Any]:
    """The parameters of an authorization response: `code`, `state`, `session_state`, `iss`."""
    return {"flowStatus": "SUCCESS_COMPLETED", "flowType": "AUTHENTICATION", "authData": parameters}


def _authenticator() -> dict[str, Any]:
    parameters = [
        {
            "param": name,
            "type": "STRING",
            "order": order,
            "confidential": name == "password",
            "displayName": name.capitalize(),
            "i18nKey": f"{name}.param",
        }
        for order, name in enumerate(REQUIRED)
    ]
    return {
        "authenticatorId": authenticator_id(),
        "authenticator": "Username & Password",
        "idp": IDENTITY_PROVIDER,
        "metadata": {"i18nKey": "authenticator.basic", "promptType": "USER_PROMPT", "params": parameters},
        "requiredParams": list(REQUIRED),
    }


def read_answer(http: Request) -> StepAnswer:
    """Raises OAuthError that names the member at fault."""
    if (http.header(b"content-type") or "").partition(";")[0].strip().lower() != "application/json":
        raise _invalid("The body must be application/json.")
    try:
        body = parse_object(http.body)
    except InvalidToken:
        raise _invalid("The body is not a JSON object with distinct members.") from None
    flow, dot, secret = _text(body, "flowId").partition(".")
    if not dot:
        raise _invalid("The flowId is not one of ours: send it as it was received.")
    selected = body.get("selectedAuthenticator")
    if not isinstance(selected, dict):
        raise _invalid("selectedAuthenticator is missing.")
    if not _is_offered(_text(selected, "authenticatorId")):
        raise _invalid("The authenticatorId is not one of those that this step offers.")
    parameters = selected.get("params")
    if not isinstance(parameters, dict):
        raise _invalid("selectedAuthenticator.params is missing.")
    return StepAnswer(flow, secret, _text(parameters, "username"), _text(parameters, "password"))


def _is_offered(identifier: str) -> bool:
    try:
        return base64.b64decode(identifier, validate=True) == f"{AUTHENTICATOR}:{IDENTITY_PROVIDER}".encode()
    except (binascii.Error, ValueError):
        return False


def _text(members: dict[str, Any], name: str) -> str:
    value = members.get(name)
    if not isinstance(value, str) or not value or len(value) > MAXIMUM_VALUE or "\0" in value:
        raise _invalid(f"{name} is missing, empty or not a text of at most {MAXIMUM_VALUE} characters.")
    return value


def _invalid(public: str) -> OAuthError:
    return OAuthError("invalid_request", public)


def error_answer(http: Request, error: IdentityError) -> Response:
    """An error as JSON; `traceId` finds its cause in the log."""
    _LOG.info("request refused", error=error.code, detail=error.detail, trace_id=http.trace_id)
    headers = list(getattr(error, "headers", []))
    retry_after = getattr(error, "retry_after", None)
    if retry_after is not None:
        headers.append((b"retry-after", str(retry_after).encode()))
    answer = {
        "code": error.code,
        "message": _TITLES.get(error.code, "The request cannot be processed."),
        "description": error.public,
        "traceId": http.trace_id,
    }
    return json_response(error.status, answer, headers)


_TITLES = {
    "invalid_request": "The request is invalid.",
    "invalid_client": "The application is not authenticated.",
    "unauthorized_client": "The application may not do this.",
    "flow_expired": "The flow has ended.",
    "login_required": "Sign-in is required.",
    "consent_required": "Consent is required.",
    "access_denied": "Access is denied.",
    "temporarily_unavailable": "The service is busy.",
}
