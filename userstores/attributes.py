"""Attributes by claim name: which types they have, and how they are kept as JSON text."""

import json
from collections.abc import Mapping
from types import MappingProxyType

from userstores.spi import Attributes, AttributeValue

TEXT_CLAIMS = frozenset(
    (
        *("name", "given_name", "family_name", "middle_name", "nickname", "preferred_username"),
        *("profile", "picture", "website", "email", "phone_number"),
        *("gender", "birthdate", "zoneinfo", "locale"),
    )
)
FLAG_CLAIMS = frozenset(("email_verified", "phone_number_verified"))
ADDRESS_MEMBERS = frozenset(("formatted", "street_address", "locality", "region", "postal_code", "country"))
STANDARD_CLAIMS = TEXT_CLAIMS | FLAG_CLAIMS | {"address", "updated_at"}
"""OpenID Connect Core §5.1, without `sub`, which is the server's own."""

VALUE_LIMIT = 8192
ATTRIBUTE_LIMIT = 200
_RESERVED = frozenset(("sub", "iss", "aud", "exp", "iat", "nonce", "acr", "amr", "azp", "auth_time"))


def check_attributes(attributes: Attributes) -> dict[str, AttributeValue]:
    """A copy with sequences as tuples. Raises ValueError that names the attribute at fault."""
    if len(attributes) > ATTRIBUTE_LIMIT:
        raise ValueError(f"more than {ATTRIBUTE_LIMIT} attributes")
    return {name: _checked(name, value) for name, value in attributes.items()}


def _checked(name: str, value: object) -> AttributeValue:
    if not name or name in _RESERVED or not _is_text(name):
        raise ValueError(f"attribute name {name!r} cannot be used")
    if name in TEXT_CLAIMS and not isinstance(value, str):
        raise ValueError(f"attribute {name} must be text")
    if name in FLAG_CLAIMS and not isinstance(value, bool):
        raise ValueError(f"attribute {name} must be true or false")
    if name == "updated_at" and (not isinstance(value, int) or isinstance(value, bool)):
        raise ValueError("attribute updated_at must be a number of seconds")
    if name == "address" and not (isinstance(value, Mapping) and ADDRESS_MEMBERS.issuperset(value)):
        raise ValueError(f"attribute address must have members of {', '.join(sorted(ADDRESS_MEMBERS))} only")
    return _plain(name, value)


def _plain(name: str, value: object) -> AttributeValue:
    if isinstance(value, bool | int):
        return value
    if isinstance(value, str) and _is_text(value):
        return value
    if isinstance(value, list | tuple) and all(isinstance(item, str) and _is_text(item) for item in value):
        return tuple(value)
    if isinstance(value, Mapping) and all(_is_text(key) and _is_text(item) for key, item in value.items()):
        return dict(value)
    raise ValueError(f"attribute {name} has a value of a kind, length or character that is not allowed")


def _is_text(value: object) -> bool:
    if not isinstance(value, str) or len(value) > VALUE_LIMIT or "\0" in value:
        return False
    return not any("\ud800" <= character <= "\udfff" for character in value)


def to_json(attributes: Attributes) -> str:
    return json.dumps(dict(attributes), ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def from_json(text: str) -> dict[str, AttributeValue]:
    loaded: dict[str, object] = json.loads(text)
    return {name: tuple(value) if isinstance(value, list) else value for name, value in loaded.items()}  # type: ignore[misc]


def as_presented(attributes: Mapping[str, AttributeValue], username: str) -> Attributes:
    """What a store gives out: `preferred_username` is the username unless the person chose another."""
    return MappingProxyType({"preferred_username": username, **attributes})
