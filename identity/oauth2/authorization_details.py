"""Rich authorization requests (RFC 9396): what exactly is to be allowed, as JSON objects whose type an API defines.

A type is registered at an API resource of the tenant, with a schema; an application uses those its
`authorization_details_types` name. What does not conform is refused (§5), never trimmed.
"""

import json
from typing import Any

import msgspec

from identity.domain.api_resources import DetailsType
from identity.domain.applications import Application
from identity.domain.details_schema import definition_problem, schema_problem
from identity.domain.strict_json import distinct, finite
from identity.oauth2.authorization.authorization_request import Draft
from identity.oauth2.errors import OAuthError
from identity.storage.api_resources import find_details_type
from identity.storage.configuration import TenantConfiguration
from identity.storage.database import Database

Details = list[dict[str, Any]]

MAXIMUM_TEXT = 8192
MAXIMUM_OBJECTS = 20
MAXIMUM_DEPTH = 6
_STRINGS = ("locations", "actions", "datatypes", "privileges")


async def read_authorization_details(draft: Draft) -> None:
    text = draft.parameters.get("authorization_details")
    if text is not None:
        details = await allowed_details(draft.grounds.database, draft.tenant, draft.application, text)
        draft.request.authorization_details = details


async def allowed_details(database: Database, tenant: TenantConfiguration, application: Application, text: str) -> str:
    """The `authorization_details` of a request as compact JSON. Raises OAuthError invalid_authorization_details."""
    details = read(text)
    types: dict[str, DetailsType] = {}
    for item in details:
        name = item["type"]
        if name not in types:
            types[name] = await _require_type(database, tenant, application, name)
        problem = common_problem(item) or schema_problem(item, types[name].schema)
        if problem is not None:
            raise invalid(f"The type {name}: {problem}.")
    return msgspec.json.encode(details).decode()


async def _require_type(
    database: Database, tenant: TenantConfiguration, application: Application, name: str
) -> DetailsType:
    if name in application.authorization_details_types:
        found = await find_details_type(database, tenant.id, name)
        if found is not None:
            problem = definition_problem(found.schema)
            if problem is not None:
                raise invalid("The type's schema cannot be applied here.", detail=problem)
            return found
    raise invalid("A type is unknown here, or this application may not use it (authorization_details_types).")


def read(text: str) -> Details:
    """§2: an array of objects with a `type` each; bounded in length and depth, no member twice."""
    try:
        if len(text) > MAXIMUM_TEXT:
            raise ValueError("length")
        value = json.loads(text, object_pairs_hook=distinct, parse_constant=finite, parse_float=finite)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise invalid("It is not a JSON array of objects whose members are all different.") from None
    if not isinstance(value, list) or not 0 < len(value) <= MAXIMUM_OBJECTS:
        raise invalid(f"It must be a JSON array of 1 to {MAXIMUM_OBJECTS} objects.")
    if not _is_shallow(value, MAXIMUM_DEPTH):
        raise invalid("It is nested too deeply.")
    if any(not isinstance(item, dict) or not isinstance(item.get("type"), str) for item in value):
        raise invalid("Each object needs a type, which is a string.")
    return value


def narrowed_details(granted: str, asked: str) -> str:
    """§6.1: what a token carries of what was granted, when the token request names less.

    `asked` conforms to its types. Raises OAuthError invalid_authorization_details for anything beyond the grant.
    """
    if not asked or asked == granted:
        return granted
    have: Details = msgspec.json.decode(granted) if granted else []
    wanted: Details = msgspec.json.decode(asked)
    for item in wanted:
        if not any(_covers(other, item) for other in have):
            raise invalid("It goes beyond what was granted.")
    return asked


def _covers(granted: dict[str, Any], asked: dict[str, Any]) -> bool:
    """Whether `asked` is the granted object with, at most, some values of its lists left out.

    A member left out altogether might mean "all": then it is not less but more.
    """
    if granted.keys() != asked.keys():
        return False
    return all(value == asked[name] or _is_part(value, asked[name]) for name, value in granted.items())


def _is_part(granted: Any, asked: Any) -> bool:
    return (
        isinstance(granted, list) and isinstance(asked, list) and bool(asked) and all(item in granted for item in asked)
    )


def common_problem(item: dict[str, Any]) -> str | None:
    """§2.2: the members that mean the same in every type."""
    for name in _STRINGS:
        value = item.get(name, [])
        if not isinstance(value, list) or not all(isinstance(part, str) for part in value):
            return f"{name} must be an array of strings"
    if not isinstance(item.get("identifier", ""), str):
        return "identifier must be a string"
    return None


def invalid(public: str, *, detail: str = "") -> OAuthError:
    """§5"""
    return OAuthError("invalid_authorization_details", f"authorization_details: {public}", detail=detail)


def _is_shallow(value: Any, depth: int) -> bool:
    """Whether nothing lies deeper than `depth` objects and arrays; it looks no deeper than that itself."""
    if not isinstance(value, dict | list):
        return True
    members = value.values() if isinstance(value, dict) else value
    return depth > 0 and all(_is_shallow(member, depth - 1) for member in members)
