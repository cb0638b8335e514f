"""The paths of SCIM (RFC 7644 §3.2, wso2-contracts §1.7)."""

from typing import Literal

from identity.domain.management_scopes import LOGIN_SCOPE
from identity.scim.me_endpoint import MeEndpoint
from identity.scim.roles_endpoint import PATH, RolesEndpoint
from identity.scim.schemas import list_schemas, show_schema
from identity.web.routing import Endpoint, Permission, Route

VIEW = ("internal_role_mgt_view",)
CREATE = ("internal_role_mgt_create",)
UPDATE = ("internal_role_mgt_update",)
DELETE = ("internal_role_mgt_delete",)
ME = (LOGIN_SCOPE, "openid")
_Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


def scim_routes(*, roles: RolesEndpoint, me: MeEndpoint) -> list[Route]:
    one = f"{PATH}/{{id}}"
    return [
        _route("scim_roles", "GET", PATH, roles.list_all, VIEW, "List roles"),
        _route("scim_role_create", "POST", PATH, roles.create, CREATE, "Create a role"),
        _route("scim_roles_search", "POST", f"{PATH}/.search", roles.search, VIEW, "Search roles"),
        _route("scim_role", "GET", one, roles.show, VIEW, "Read a role"),
        _route("scim_role_change", "PATCH", one, roles.change, UPDATE, "Change a role"),
        _route("scim_role_replace", "PUT", one, roles.replace, UPDATE, "Replace a role"),
        _route("scim_role_delete", "DELETE", one, roles.delete, DELETE, "Delete a role"),
        _route("scim_me", "GET", "/scim2/Me", me, ME, "The person of the access token"),
        Route(name="scim_schemas", methods=("GET",), path="/scim2/Schemas", endpoint=list_schemas, errors="scim",
              permission=Permission.PUBLIC, summary="What people and roles look like"),
        Route(name="scim_schema", methods=("GET",), path="/scim2/Schemas/{schema}", endpoint=show_schema,
              errors="scim", permission=Permission.PUBLIC, summary="One schema"),
    ]  # fmt: skip


def _route(name: str, method: _Method, path: str, endpoint: Endpoint, scopes: tuple[str, ...], summary: str) -> Route:
    return Route(
        name=name,
        methods=(method,),
        path=path,
        endpoint=endpoint,
        permission=Permission.API,
        scopes=scopes,
        errors="scim",
        body_limit=1_048_576,
        summary=summary,
        parameters=("filter", "startIndex", "count") if name == "scim_roles" else (),
    )
