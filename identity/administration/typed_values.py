"""Settings from outside (command line, later REST), made the types that the domain declares."""

from collections.abc import Mapping
from functools import cache
from typing import Any, get_type_hints

import msgspec

from identity.errors import IdentityError


def typed_values(kind: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` as the fields of the dataclass `kind` want them. Raises IdentityError that names the one at fault."""
    types = _types(kind)
    typed: dict[str, Any] = {}
    for name, value in values.items():
        if name not in types:
            raise IdentityError("invalid_setting", f"There is no setting {name!r}.")
        try:
            typed[name] = msgspec.convert(value, types[name])
        except msgspec.ValidationError as error:
            raise IdentityError("invalid_setting", f"{name}: {error}.") from None
    return typed


@cache
def _types(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)
