"""The paths of administration (wso2-contracts §6.1). Each names the scopes that open it."""

from typing import Literal

from identity.admin.api_resource_bodies import PATH
from identity.admin.api_resources_endpoint import ApiResourcesEndpoint
from identity.admin.details_types_endpoint import DetailsTypesEndpoint
from identity.admin.scopes_endpoint import ScopesEndpoint
from identity.web.routing import Endpoint, Permission, Route

VIEW = ("internal_api_resource_view",)
CREATE = ("internal_api_resource_create",)
UPDATE = ("internal_api_resource_update",)
DELETE = ("internal_api_resource_delete",)
_PAGED = ("filter", "limit", "after", "before")
_PARAMETERS = {
    "api_resources": _PAGED,
    "scopes": _PAGED,
    "script_diff": ("from*", "to*"),
    "tenant_script_diff": ("from*", "to*"),
    "script_secret_delete": ("force",),
}
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


def admin_routes(
    *, api_resources: ApiResourcesEndpoint, details_types: DetailsTypesEndpoint, scopes: ScopesEndpoint
) -> list[Route]:
    resource, types = f"{PATH}/{{id}}", f"{PATH}/{{id}}/authorization-details-types"
    return [
        api_route("api_resources", "GET", PATH, api_resources.list_all, VIEW, "List API resources"),
        api_route("api_resource_create", "POST", PATH, api_resources.create, CREATE, "Register an API resource"),
        api_route("api_resource", "GET", resource, api_resources.show, VIEW, "Read an API resource"),
        api_route("api_resource_change", "PATCH", resource, api_resources.change, UPDATE, "Change an API resource"),
        api_route("api_resource_delete", "DELETE", resource, api_resources.delete, DELETE, "Delete an API resource"),
        api_route("api_scopes", "GET", f"{resource}/scopes", api_resources.scopes, VIEW, "Scopes of an API resource"),
        api_route("api_scopes_replace", "PUT", f"{resource}/scopes", api_resources.replace_scopes, UPDATE,
               "Replace the scopes of an API resource"),
        api_route("api_scope_change", "PATCH", f"{resource}/scopes/{{name}}", api_resources.change_scope, UPDATE,
               "Change a scope's texts"),
        api_route("api_scope_delete", "DELETE", f"{resource}/scopes/{{name}}", api_resources.delete_scope, UPDATE,
               "Delete a scope"),
        api_route("details_types", "GET", types, details_types.list_all, VIEW, "Types of authorization details"),
        api_route("details_types_add", "POST", types, details_types.add, UPDATE, "Add types of authorization details"),
        api_route("details_type", "GET", f"{types}/{{type}}", details_types.show, VIEW,
               "Read a type of authorization details"),
        api_route("details_type_change", "PUT", f"{types}/{{type}}", details_types.change, UPDATE,
               "Change a type of authorization details"),
        api_route("details_type_delete", "DELETE", f"{types}/{{type}}", details_types.delete, UPDATE,
               "Delete a type of authorization details"),
        api_route("scopes", "GET", "/api/server/v1/scopes", scopes.list_all, VIEW, "Every scope of the tenant"),
    ]  # fmt: skip


def api_route(name: str, method: Method, path: str, endpoint: Endpoint, scopes: tuple[str, ...], summary: str) -> Route:
    return Route(
        name=name,
        methods=(method,),
        path=path,
        endpoint=endpoint,
        permission=Permission.API,
        scopes=scopes,
        errors="problem",
        encoded=True,
        body_limit=1_048_576,
        summary=summary,
        parameters=_PARAMETERS.get(name, ()),
    )
