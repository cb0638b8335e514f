"""The part of JSON Schema that describes authorization details: `type`, `properties`, `required`, `enum`, `const`,
`items`, `additionalProperties`, and the bounds of numbers, strings and arrays.

Members that a schema with `properties` does not name are refused (RFC 9396 §5) unless `additionalProperties` is true.
Without `properties` anything may stand there.
"""

from collections.abc import Callable, Mapping
from typing import Any

Schema = Mapping[str, Any]

_TYPES: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "null": lambda value: value is None,
}


def schema_problem(value: Any, schema: Schema, place: str = "") -> str | None:
    """What of `value` does not conform to a schema without `definition_problem`, as the end of a sentence; None when
    all of it does. The member `type` of the details object itself is its caller's to check.
    """
    name = place or "it"
    wanted = schema.get("type")
    if wanted is not None and not any(_TYPES[one](value) for one in _names(wanted)):
        return f"{name} must be of the type {' or '.join(_names(wanted))}"
    allowed = [schema["const"]] if "const" in schema else schema.get("enum")
    if allowed is not None and not any(_same(value, one) for one in allowed):
        return f"{name} is none of the values allowed"
    if isinstance(value, dict):
        return _object_problem(value, schema, place)
    if isinstance(value, list):
        return _array_problem(value, schema, place)
    return _bounds_problem(value, schema, name)


def _object_problem(value: dict[str, Any], schema: Schema, place: str) -> str | None:
    properties: Mapping[str, Schema] = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            return f"{_at(place, name)} is missing"
    for name, member in value.items():
        if name in properties:
            problem = schema_problem(member, properties[name], _at(place, name))
            if problem is not None:
                return problem
        elif properties and schema.get("additionalProperties") is not True and (place or name != "type"):
            return f"{place or 'it'} has a member that the type does not know"
    return None


def _array_problem(value: list[Any], schema: Schema, place: str) -> str | None:
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
        return f"{place} has too few or too many values"
    if "items" in schema:
        for item in value:
            problem = schema_problem(item, schema["items"], f"a value of {place}")
            if problem is not None:
                return problem
    return None


def _bounds_problem(value: Any, schema: Schema, name: str) -> str | None:
    if isinstance(value, str) and not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
        return f"{name} is too short or too long"
    if _TYPES["number"](value) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        return f"{name} is out of range"
    return None


def _names(wanted: Any) -> list[str]:
    """`type` as a list, empty when it is neither a string nor a list of strings."""
    names = [wanted] if isinstance(wanted, str) else wanted
    return names if isinstance(names, list) and all(isinstance(name, str) for name in names) else []


def _same(value: Any, other: Any) -> bool:
    """JSON's equality: `true` is not 1."""
    return bool(value == other) and isinstance(value, bool) == isinstance(other, bool)


def _at(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


_MEMBERS: dict[str, Callable[[Any], bool]] = {
    "type": lambda value: bool(_names(value)) and all(name in _TYPES for name in _names(value)),
    "properties": _TYPES["object"],
    "required": lambda value: isinstance(value, list) and all(isinstance(name, str) for name in value),
    "enum": lambda value: isinstance(value, list) and bool(value),
    "items": _TYPES["object"],
    "additionalProperties": _TYPES["boolean"],
    "minimum": _TYPES["number"],
    "maximum": _TYPES["number"],
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems"), _TYPES["integer"]),
    **dict.fromkeys(("const", "default", "examples"), lambda value: True),
    **dict.fromkeys(("title", "description", "format", "$schema", "$id", "$comment"), _TYPES["string"]),
}


def definition_problem(schema: Any, depth: int = 8) -> str | None:
    """Why this cannot be the schema of a type, as a sentence; None when it can. A keyword that is not understood is a
    problem: a rule that is not applied would be a promise that is not kept."""
    if not isinstance(schema, dict) or depth == 0:
        return "A schema is a JSON object, nested 8 deep at most."
    for name, value in schema.items():
        if name not in _MEMBERS:
            return f"The keyword {name!r} of JSON Schema is not supported here."
        if not _MEMBERS[name](value):
            return f"The keyword {name} has a value that it cannot have."
    inner = [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]
    return next((problem for each in inner if (problem := definition_problem(each, depth - 1))), None)
