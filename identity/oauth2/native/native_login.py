"""Sign-in as JSON: what an application sends and gets instead of pages (wso2-contracts §1.6).

The shapes only; `native_login_endpoint` drives the flow. Attestation of the application is not supported.
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Any, Literal

from identity.authn.authenticators import (
    BASIC,
    EMAIL_CODE,
    IDENTIFIER,
    PASSKEY,
    RECOVERY_CODE,
    TOTP,
    Authenticator,
)
from identity.errors import IdentityError
from identity.oauth2.errors import OAuthError
from identity.telemetry import get_logger
from identity.tokens.compact import InvalidToken, parse_object
from identity.web.messages import Request, Response, json_response

DIRECT = "direct"
"""The `response_mode` of such a request."""
IDENTITY_PROVIDER = "LOCAL"
MAXIMUM_VALUE = 2048
MAXIMUM_PARAMETERS = 20

_SHOWN = {
    BASIC: ("Username & Password", "authenticator.basic"),
    IDENTIFIER: ("Identifier First", "authenticator.identifier"),
    TOTP: ("TOTP", "authenticator.totp"),
    PASSKEY: ("Passkey", "authenticator.fido"),
    EMAIL_CODE: ("Email OTP", "authenticator.email.otp"),
    RECOVERY_CODE: ("Backup Code", "authenticator.backup.code"),
}
"""Name and i18n key by authenticator, as WSO2 has them."""
_LOG = get_logger("identity")
FlowStatus = Literal["INCOMPLETE", "FAIL_INCOMPLETE"]


@dataclass(frozen=True, slots=True)
class StepAnswer:
    """`flow` and `secret` are the two halves of the `flowId`; without `values` an authenticator is only chosen."""

    flow: str
    secret: str
    authenticator: str
    values: dict[str, str]


@dataclass(frozen=True, slots=True)
class OfferedFactor:
    """`data`: what the factor shows (a challenge, a masked address); None while it is not chosen."""

    factor: Authenticator
    data: dict[str, Any] | None


def flow_id(flow: str, secret: str) -> str:
    """What the application keeps: with 256 random bits in it, nobody else can go on with the flow."""
    return f"{flow}.{secret}"


def authenticator_id(name: str) -> str:
    return base64.b64encode(f"{name}:{IDENTITY_PROVIDER}".encode()).decode()


def prompt(
    identifier: str, endpoint: str, offered: list[OfferedFactor], status: FlowStatus = "INCOMPLETE"
) -> dict[str, Any]:
    """What is asked for; FAIL_INCOMPLETE: once more, since the answer was refused."""
    kind = "AUTHENTICATOR_PROMPT" if len(offered) == 1 else "MULTI_OPTIONS_PROMPT"
    step: dict[str, Any] = {"stepType": kind, "authenticators": [_authenticator(factor) for factor in offered]}
    if status == "FAIL_INCOMPLETE":
        # One text for every cause (attack class 22).
        step["messages"] = [
            {
                "type": "ERROR",
                "messageId": "login.fail.message",
                "message": "What was given is not right, or the account is locked.",
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


def _authenticator(offered: OfferedFactor) -> dict[str, Any]:
    factor = offered.factor
    name, key = _SHOWN.get(factor.name, (factor.name, f"authenticator.{factor.name}"))
    parameters = [
        {
            "param": asked.name,
            "type": asked.type,
            "order": order,
            "confidential": asked.confidential,
            "displayName": asked.display_name,
            "i18nKey": asked.i18n_key,
        }
        for order, asked in enumerate(factor.fields)
    ]
    metadata: dict[str, Any] = {"i18nKey": key, "promptType": "USER_PROMPT", "params": parameters}
    if factor.name == PASSKEY:
        metadata["promptType"] = "INTERNAL_PROMPT"
    if offered.data:
        metadata["additionalData"] = offered.data
    return {
        "authenticatorId": authenticator_id(factor.name),
        "authenticator": name,
        "idp": IDENTITY_PROVIDER,
        "metadata": metadata,
        "requiredParams": [asked.name for asked in factor.fields],
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
    name = _authenticator_name(_text(selected, "authenticatorId"))
    parameters = selected.get("params", {})
    if not isinstance(parameters, dict) or len(parameters) > MAXIMUM_PARAMETERS:
        raise _invalid("selectedAuthenticator.params is not an object with the values that were asked for.")
    return StepAnswer(flow, secret, name, {param: _text(parameters, param) for param in parameters})


def not_offered() -> OAuthError:
    return _invalid("The authenticatorId is not one of those that this step offers.")


def require_values(factor: Authenticator, values: dict[str, str]) -> None:
    """Raises OAuthError that names what is missing."""
    for asked in factor.fields:
        if asked.name not in values:
            raise _invalid(f"{asked.name} is missing, empty or not a text of at most {MAXIMUM_VALUE} characters.")


def _authenticator_name(identifier: str) -> str:
    try:
        name, colon, provider = base64.b64decode(identifier, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise not_offered() from None
    if not colon or provider != IDENTITY_PROVIDER:
        raise not_offered()
    return name


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
