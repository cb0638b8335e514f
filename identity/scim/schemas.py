"""`GET /scim2/Schemas` (RFC 7643 §7): what people and roles look like here.

The API manager's connector reads the answer as an array, RFC 7644 §4 has a list response: who asks for
`application/scim+json` gets that, everybody else the array (wso2-contracts §7.1).
"""

from typing import Any

from identity.errors import IdentityError
from identity.scim.bodies import list_response, scim_response
from identity.web.messages import Request, Response, json_response

USER_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE_SCHEMA = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
ROLE_SCHEMA = "urn:ietf:params:scim:schemas:extension:2.0:Role"
SCHEMA_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:Schema"


def _attribute(name: str, type: str = "string", *inside: dict[str, Any], many: bool = False) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": name,
        "type": type,
        "multiValued": many,
        "description": name,
        "required": name in ("userName", "displayName", "value"),
        "caseExact": False,
        "mutability": "readOnly",
        "returned": "default",
        "uniqueness": "none",
    }
    if inside:
        described["subAttributes"] = list(inside)
    return described


def _many(name: str, *inside: str) -> dict[str, Any]:
    return _attribute(name, "complex", *(_attribute(each) for each in inside), many=True)


def _schema(id: str, name: str, *attributes: dict[str, Any]) -> dict[str, Any]:
    return {
        "schemas": [SCHEMA_SCHEMA],
        "id": id,
        "name": name,
        "description": name,
        "attributes": list(attributes),
        "meta": {"resourceType": "Schema", "location": f"/scim2/Schemas/{id}"},
    }


SCHEMAS = (
    _schema(
        USER_SCHEMA,
        "User",
        _attribute("userName"),
        _attribute("name", "complex", *map(_attribute, ("formatted", "familyName", "givenName", "middleName"))),
        *map(_attribute, ("displayName", "nickName", "profileUrl", "locale", "timezone")),
        _attribute("active", "boolean"),
        _many("emails", "value", "type"),
        _many("phoneNumbers", "value", "type"),
        _many("photos", "value", "type"),
        _many("addresses", "formatted", "streetAddress", "locality", "region", "postalCode", "country", "type"),
        _many("groups", "value", "display"),
        _many("roles", "value", "display"),
    ),
    _schema(ENTERPRISE_SCHEMA, "Enterprise User"),
    _schema(
        ROLE_SCHEMA,
        "Role",
        _attribute("displayName"),
        _attribute("audience", "complex", *map(_attribute, ("type", "value", "display"))),
        _many("permissions", "value", "display"),
        _many("users", "value", "display"),
        _many("groups", "value", "display"),
    ),
)


async def list_schemas(request: Request) -> Response:
    if "application/scim+json" in (request.header(b"accept") or ""):
        return list_response(list(SCHEMAS), len(SCHEMAS), 1)
    return json_response(200, SCHEMAS)


async def show_schema(request: Request) -> Response:
    """RFC 7644 §4: one by its URI. Raises IdentityError 404."""
    for schema in SCHEMAS:
        if schema["id"] == request.path_value:
            return scim_response(200, schema)
    raise IdentityError("unknown_schema", "There is no such schema.", status=404)
