"""What the consent page says of `authorization_details` (RFC 9396 §10) and resource indicators: all of it, in words.

The words are those of the API that defines the type: its name and description, and the titles in its schema. Nothing is
left out or cut: what is not shown would be allowed unseen.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from identity.domain.api_resources import DetailsType
from identity.storage.api_resources import find_api_resource_by_identifier, find_details_type
from identity.storage.configuration import TenantConfiguration
from identity.storage.database import Database

_WORD_BOUNDARY = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[_\-\s]+")


async def shown_details(database: Database, tenant: TenantConfiguration, details: str) -> list[dict[str, Any]]:
    """One entry for each object: `title`, `description`, and `facts` as (label, value)."""
    shown = []
    for item in msgspec.json.decode(details) if details else ():
        kind = await find_details_type(database, tenant.id, item["type"])
        shown.append(_shown(item, kind))
    return shown


async def shown_resources(database: Database, tenant: TenantConfiguration, resources: str) -> list[dict[str, str]]:
    """`name` and `address` of the APIs that the access is for."""
    shown = []
    for address in resources.split():
        found = await find_api_resource_by_identifier(database, tenant.id, address)
        shown.append({"name": found.name if found is not None else "", "address": address})
    return shown


def _shown(item: Mapping[str, Any], kind: DetailsType | None) -> dict[str, Any]:
    schema: Mapping[str, Any] = kind.schema if kind is not None else {}
    members = {name: value for name, value in item.items() if name != "type"}
    return {
        "title": kind.name if kind is not None and kind.name else _label(item["type"].rpartition("/")[2], {}),
        "description": kind.description if kind is not None else "",
        "facts": [
            (_label(name, _of(schema, name)), _value(value, _of(schema, name))) for name, value in members.items()
        ],
    }


def _of(schema: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = schema.get("properties", {}).get(name, {})
    return found


def _label(name: str, schema: Mapping[str, Any]) -> str:
    """The schema's `title`, or the member's name as words: `creditorName` is "Creditor name"."""
    if schema.get("title"):
        return str(schema["title"])
    words = " ".join(word for word in _WORD_BOUNDARY.split(name) if word)
    return words[:1].upper() + words[1:].lower() if words else name


def _value(value: Any, schema: Mapping[str, Any]) -> str:
    if isinstance(value, dict):
        parts = ((_label(name, _of(schema, name)), _value(part, _of(schema, name))) for name, part in value.items())
        return ", ".join(f"{label}: {text}" for label, text in parts)
    if isinstance(value, list):
        return ", ".join(_value(part, schema.get("items", {})) for part in value)
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
