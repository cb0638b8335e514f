"""Which claims a grant may show: scopes and the `claims` parameter (OpenID Connect Core §5.4, §5.5)."""

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from identity.domain.strict_json import distinct
from identity.domain.users import Subject
from identity.secrets import Sealer
from userstores.spi import StoreUser

CLAIMS_OF_SCOPE: dict[str, tuple[str, ...]] = {
    "profile": (
        "name",
        "family_name",
        "given_name",
        "middle_name",
        "nickname",
        "preferred_username",
        "profile",
        "picture",
        "website",
        "gender",
        "birthdate",
        "zoneinfo",
        "locale",
        "updated_at",
    ),
    "email": ("email", "email_verified"),
    "address": ("address",),
    "phone": ("phone_number", "phone_number_verified"),
    "groups": ("groups",),
}
IDENTITY_SCOPES = ("openid", *CLAIMS_OF_SCOPE, "offline_access")
STANDARD_CLAIMS = ("sub", *(name for names in CLAIMS_OF_SCOPE.values() for name in names))

_OF_SESSION = "of this sign-in"
"""No claim: beside a grant's claims."""

ClaimRequests = Mapping[str, Mapping[str, Mapping[str, Any] | None]]
"""The `claims` parameter: `userinfo` and `id_token`, each claim name to null or its demands."""


def claims_of_user(user: StoreUser, subject: Subject) -> dict[str, Any]:
    """Everything we can say about a person, by standard claim name. `groups` is always an array (contracts §7.8)."""
    claims: dict[str, Any] = {
        name: value for name in STANDARD_CLAIMS if (value := user.attributes.get(name)) is not None
    }
    claims.setdefault("preferred_username", subject.qualified_username)
    claims["groups"] = list(user.groups)
    return claims


def parse_claim_requests(text: str) -> ClaimRequests:
    """The `claims` parameter. Raises ValueError when it is not what §5.5 describes; unknown members are ignored."""
    value = msgspec.json.decode(text)
    if not isinstance(value, dict):
        raise ValueError("claims is not an object")
    requests: dict[str, dict[str, Mapping[str, Any] | None]] = {}
    for place in ("userinfo", "id_token"):
        members = value.get(place)
        if members is None:
            members = {}
        if not isinstance(members, dict):
            raise ValueError(f"claims.{place} is not an object")
        for name, demand in members.items():
            if demand is not None and not isinstance(demand, dict):
                raise ValueError(f"claims.{place}.{name} is neither null nor an object")
            if demand and not isinstance(demand.get("values", []), list):
                raise ValueError(f"claims.{place}.{name}.values is not an array")
        requests[place] = members
    return requests


def require_distinct_members(text: str) -> None:
    """Raises ValueError when an object of this JSON text names a member twice: it would have two readings."""
    json.loads(text, object_pairs_hook=distinct)


def requested_names(requested_claims: str, place: str) -> frozenset[str]:
    """The claim names that the stored `claims` parameter asks for in `place`."""
    return frozenset(parse_claim_requests(requested_claims).get(place, ())) if requested_claims else frozenset()


def names_of_scope(scope: str) -> set[str]:
    return {name for item in scope.split() for name in CLAIMS_OF_SCOPE.get(item, ())}


def select_claims(claims: Mapping[str, Any], names: set[str] | frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in claims.items() if name in names}


def with_session_claims(claims: Mapping[str, Any], told: Mapping[str, str]) -> dict[str, Any]:
    """The person's claims with those of one sign-in in their place; an empty one is left out.

    Nobody has verified an address that a script names.
    """
    merged = {**claims, **told}
    for name in ("email", "phone_number"):
        if name in told and told[name] != claims.get(name):
            merged[f"{name}_verified"] = False
    return {name: value for name, value in merged.items() if told.get(name) != ""}


def seal_claims(
    sealer: Sealer, claims: Mapping[str, Any], grant: str, session_claims: Mapping[str, str] | None = None
) -> bytes:
    """The claims of a grant as they lie in the database: readable only with the master key.

    `session_claims` are among `claims` already; they are kept for when the person's are read anew.
    """
    content = {**claims, _OF_SESSION: session_claims} if session_claims else claims
    return sealer.seal(msgspec.json.encode(content), b"claims:" + grant.encode())


def open_claims(sealer: Sealer, sealed: bytes, grant: str) -> dict[str, Any]:
    return _opened(sealer, sealed, grant)[0]


def open_session_claims(sealer: Sealer, sealed: bytes, grant: str) -> dict[str, str]:
    """Of the claims of a grant, those that its sign-in set."""
    return _opened(sealer, sealed, grant)[1]


def _opened(sealer: Sealer, sealed: bytes, grant: str) -> tuple[dict[str, Any], dict[str, str]]:
    opened: dict[str, Any] = msgspec.json.decode(sealer.open(sealed, b"claims:" + grant.encode()))
    return opened, opened.pop(_OF_SESSION, {})
