"""Hooks of `json.loads` for JSON that has one reading only. They raise ValueError."""

import math
from typing import Any


def distinct(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """`object_pairs_hook`: a member that is named twice has two readings (RFC 8259 §4, RFC 8725 §2.4)."""
    result = dict(members)
    if len(result) != len(members):
        raise ValueError("repeated member")
    return result


def finite(number: str) -> float:
    """`parse_constant`, `parse_float`: NaN and Infinity are no JSON (RFC 8259 §6), and 1e999 would become one."""
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(number)
    return value
