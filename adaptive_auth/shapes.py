"""The shapes of what scripts ask and cause, checked on our side: a script can spoil everything its own run answers."""

import json
import re
from collections.abc import Mapping
from typing import Any

MAXIMUM_OPERATIONS = 100
MAXIMUM_HTTP = 20
MAXIMUM_EFFECTS = 100
"""In one login. The prelude has the same numbers and gives the better message."""

SECRET = re.compile("\ue000secret:([A-Za-z_][A-Za-z0-9_]*)\ue001")
"""The placeholder that `secrets.<name>` is in a script. The server puts the secret's text in, nobody else."""
_SECRET_MARKS = frozenset("\ue000\ue001")

Fields = Mapping[str, tuple[type, ...]]
_TEXT, _TEXT_OR_NONE, _MAP, _LIST, _NUMBER = (str,), (str, type(None)), (dict,), (list,), (int,)
_ROLES: Fields = {"user": _TEXT, "roles": _LIST}
_USER: Fields = {"user": _TEXT}
_FOUND: Fields = {"claims": _MAP, "profile": _TEXT_OR_NONE}
_VALUES: Fields = {"values": _MAP}

OPERATIONS: Mapping[str, Fields] = {
    "step": {"step": _NUMBER, "options": _MAP, "retry": (bool,)},
    "prompt": {"template": _TEXT, "data": (dict, list, str, int, float, bool)},
    "http": {
        "method": _TEXT,
        "url": _TEXT,
        "body": (dict, list, str, int, float, bool, type(None)),
        "headers": _MAP,
        "auth": (dict, type(None)),
    },
    "claims": _USER,
    "remoteClaims": _USER,
    "sessionClaims": _USER,
    "roles": _USER,
    "hasAnyOfTheRoles": _ROLES,
    "hasAnyOfTheRolesV2": _ROLES,
    "isAnyOfTheRolesAssignedToUser": _ROLES,
    "isMemberOfAnyOfGroups": {"user": _TEXT, "groups": _LIST},
    "assignUserRoles": _ROLES,
    "assignUserRolesV2": _ROLES,
    "removeUserRoles": _ROLES,
    "removeUserRolesV2": _ROLES,
    "getUserSessions": _USER,
    "terminateUserSession": {"user": _TEXT, "session": _TEXT_OR_NONE},
    "checkSessionExistence": {"step": _NUMBER},
    "isWithinSessionLimit": _VALUES,
    "getSessionData": _VALUES,
    "killSession": _VALUES,
    "getAuthenticatedApplications": {},
    "getUniqueUserWithClaimValues": _FOUND,
    "getUsersWithClaimValues": _FOUND,
    "getAssociatedLocalUser": _USER,
    "doAssociationWithLocalUser": {
        "user": _TEXT,
        "username": _TEXT_OR_NONE,
        "tenant": _TEXT_OR_NONE,
        "domain": _TEXT_OR_NONE,
    },
    "removeAssociatedLocalUser": _USER,
    "resolveMultiAttributeLoginIdentifier": {"identifier": _TEXT_OR_NONE, "tenant": _TEXT_OR_NONE},
    "updateUserPassword": {"user": _TEXT, "password": _TEXT_OR_NONE, "skipValidation": (bool,)},
    "getCookieValue": {"name": _TEXT, "value": _TEXT, "decrypt": (bool,), "validateSignature": (bool,)},
    "getNetwork": {"ip": _TEXT_OR_NONE},
    "isNewDevice": _USER,
    "getFailedAttempts": _USER,
    "getTimeSinceLastLogin": _USER,
    "getLoginVelocity": {"user": _TEXT, "ip": _TEXT_OR_NONE},
    "getLocalTime": {"zone": _TEXT, "at": _NUMBER},
}
"""Arguments by kind. `user` is the id that an earlier answer gave."""

_CLAIM: Fields = {"user": _TEXT, "claim": _TEXT, "value": _TEXT}
EFFECTS: Mapping[str, Fields] = {
    "email": {"user": _TEXT, "template": _TEXT, "placeholders": _MAP},
    "cookie": {"name": _TEXT, "value": _TEXT, "options": _MAP},
    "header": {"name": _TEXT, "value": _TEXT},
    "claim": _CLAIM,
    "session_claim": _CLAIM,
    "remote_claim": _CLAIM,
    "acr": {"value": _TEXT_OR_NONE},
}
"""Members by kind, beside `kind`."""


class Malformed(Exception):
    """Not what the prelude writes; the text says why, for an administrator."""


SECRET_MISPLACED = "a secret may only be used in headers or authConfig"


def check_operation(kind: Any, arguments: Any, key: Any) -> None:
    """Raises Malformed."""
    fields = OPERATIONS.get(kind) if isinstance(kind, str) else None
    if fields is None:
        raise Malformed("an operation of no known kind")
    _check_fields(kind, fields, arguments)
    _check_key(kind, arguments, key)
    open_to_secrets = ("headers", "auth") if kind == "http" else ()
    _refuse_secrets({name: value for name, value in arguments.items() if name not in open_to_secrets})
    if kind == "http":
        if arguments["method"] not in ("GET", "POST"):
            raise Malformed("an HTTP call of no known method")
        for item in arguments["headers"].items():
            _refuse_controls(*item)


def check_effect(effect: Any) -> None:
    """Raises Malformed."""
    if not isinstance(effect, dict) or not isinstance(effect.get("kind"), str) or effect["kind"] not in EFFECTS:
        raise Malformed("an effect of no known kind")
    kind = effect["kind"]
    members = {name: value for name, value in effect.items() if name != "kind"}
    _check_fields(kind, EFFECTS[kind], members)
    _refuse_secrets(members)
    if kind in ("cookie", "header"):
        _refuse_controls(effect["name"], effect["value"], *effect.get("options", {}).values())


def check_texts(value: Any) -> None:
    """No text may hold NUL or half a surrogate pair: no database takes them. Raises Malformed."""
    if isinstance(value, str):
        if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
            raise Malformed("a text with NUL or half a character")
    elif isinstance(value, list):
        for item in value:
            check_texts(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            check_texts(name)
            check_texts(item)


def _check_fields(kind: str, fields: Fields, given: Any) -> None:
    if not isinstance(given, dict) or given.keys() != fields.keys():
        raise Malformed(f"{kind}: other members than it has")
    for name, allowed in fields.items():
        if type(given[name]) not in allowed:
            raise Malformed(f"{kind}: {name} has the wrong type")


def _check_key(kind: str, arguments: dict[str, Any], key: Any) -> None:
    """The key is the kind and the arguments as JSON, without a password."""
    if not isinstance(key, str) or not key.startswith(kind + ":"):
        raise Malformed(f"{kind}: a key of something else")
    expected = {**arguments, "password": None} if kind == "updateUserPassword" else arguments
    try:
        same = json.loads(key[len(kind) + 1 :]) == expected
    except ValueError:
        same = False
    if not same:
        raise Malformed(f"{kind}: a key of something else")


def _refuse_secrets(value: Any) -> None:
    if _SECRET_MARKS.intersection(json.dumps(value, ensure_ascii=False)):
        raise Malformed(SECRET_MISPLACED)


def _refuse_controls(*values: Any) -> None:
    for value in values:
        if isinstance(value, str) and any(ord(character) < 32 or ord(character) == 127 for character in value):
            raise Malformed("a cookie or header with a control character")
