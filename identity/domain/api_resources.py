"""An API resource: what an API calls itself, and the scopes and authorization details it understands.

Names are those of wso2-contracts §6.1 and §6.2.
"""

import re
from dataclasses import dataclass, field
from typing import Any, Literal, NewType

ApiResourceId = NewType("ApiResourceId", str)

ApiType = Literal["BUSINESS", "MCP"]

MAXIMUM_SCOPE = 255
_SCOPE_TOKEN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,255}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiScope:
    """A scope belongs to one API resource; its name is the tenant's, once."""

    name: str
    api: ApiResourceId
    display_name: str = ""
    """What the consent page may call it."""
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DetailsType:
    """A type of `authorization_details` (RFC 9396 §2) that an API resource understands."""

    type: str
    api: ApiResourceId
    id: str
    name: str = ""
    description: str = ""
    schema: dict[str, Any] = field(default_factory=dict)
    """JSON schema of the details, or empty: any members."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiResource:
    """`identifier` is also the resource indicator that asks for tokens of this audience (RFC 8707)."""

    id: ApiResourceId
    identifier: str
    name: str
    description: str = ""
    type: ApiType = "BUSINESS"
    requires_authorization: bool = True
    properties: tuple[tuple[str, str], ...] = ()
    created_at: int = 0


def is_scope_token(text: str) -> bool:
    """RFC 6749 §3.3: printable ASCII without space, quotation mark and backslash; and of bounded length."""
    return _SCOPE_TOKEN.fullmatch(text) is not None
