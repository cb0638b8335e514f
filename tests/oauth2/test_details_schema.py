"""The part of JSON Schema that describes authorization details, as a table."""

from typing import Any

import pytest

from identity.domain.details_schema import definition_problem, schema_problem

AMOUNT = {"type": "object", "properties": {"value": {"type": "number", "minimum": 0, "maximum": 10}}}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["actions"],
    "properties": {
        "actions": {"type": "array", "minItems": 1, "maxItems": 2, "items": {"enum": ["read", "write"]}},
        "amount": AMOUNT,
        "name": {"type": ["string", "null"], "minLength": 2, "maxLength": 4},
        "count": {"type": "integer"},
        "sure": {"const": True},
        "free": {"type": "object", "properties": {"a": {}}, "additionalProperties": True},
        "anything": {},
    },
}


@pytest.mark.parametrize(
    "members",
    [
        {}, {"actions": ["read", "write"]}, {"amount": {"value": 0}}, {"amount": {"value": 9.5}}, {"amount": {}},
        {"name": None}, {"name": "ab"}, {"name": "abcd"}, {"count": -1}, {"sure": True}, {"free": {"b": 1}},
        {"anything": {"deep": [{"er": None}]}},
    ],
    ids=str,
)  # fmt: skip
def test_what_conforms(members: dict[str, Any]) -> None:
    assert schema_problem({"type": "t", "actions": ["read"]} | members, SCHEMA) is None


@pytest.mark.parametrize(
    ("members", "named"),
    [
        ({"actions": []}, "actions"), ({"actions": ["read"] * 3}, "actions"), ({"actions": ["steal"]}, "actions"),
        ({"actions": "read"}, "actions"), ({"actions": [["read"]]}, "actions"), ({"amount": 1}, "amount"),
        ({"amount": {"value": -1}}, "amount.value"), ({"amount": {"value": 11}}, "amount.value"),
        ({"amount": {"value": True}}, "amount.value"), ({"amount": {"value": "1"}}, "amount.value"),
        ({"amount": {"other": 1}}, "amount"), ({"amount": {"type": "t"}}, "amount"), ({"name": "a"}, "name"),
        ({"name": "abcde"}, "name"), ({"name": 7}, "name"), ({"count": 1.5}, "count"), ({"count": True}, "count"),
        ({"sure": 1}, "sure"), ({"sure": "true"}, "sure"), ({"surprise": 1}, "member"), ({"free": []}, "free"),
    ],
    ids=str,
)  # fmt: skip
def test_what_does_not(members: dict[str, Any], named: str) -> None:
    problem = schema_problem({"type": "t", "actions": ["read"]} | members, SCHEMA)
    assert problem is not None
    assert named in problem


def test_what_is_missing() -> None:
    assert "actions" in (schema_problem({"type": "t"}, SCHEMA) or "")
    assert schema_problem({"type": "t", "whatever": 1}, {}) is None
    assert schema_problem({"type": "t", "whatever": 1}, {"additionalProperties": False, "properties": {"a": {}}})


@pytest.mark.parametrize(
    "schema", [{}, SCHEMA, {"title": "x", "description": "y", "format": "z", "default": 1}], ids=str
)
def test_schemas(schema: Any) -> None:
    assert definition_problem(schema) is None


@pytest.mark.parametrize(
    "schema",
    [
        [], "x", None, {"oneOf": []}, {"$ref": "#/a"}, {"pattern": "(a+)+$"}, {"type": "float"}, {"type": 7},
        {"type": []}, {"type": ["string", 7]}, {"properties": []}, {"properties": {"a": 7}}, {"required": "a"},
        {"required": [7]}, {"enum": "a"}, {"enum": []}, {"items": [{}]}, {"items": {"oneOf": []}}, {"minimum": "0"},
        {"maxLength": 1.5}, {"additionalProperties": {}}, {"properties": {"a": {"properties": {"b": {"not": {}}}}}},
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_applied_is_no_schema(schema: Any) -> None:
    assert definition_problem(schema)


def test_a_schema_without_end() -> None:
    schema: dict[str, Any] = {}
    for _ in range(9):
        schema = {"items": schema}
    assert definition_problem(schema)
    assert definition_problem(schema["items"]["items"]) is None
