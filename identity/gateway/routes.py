"""The paths that API managers know from older releases (wso2-contracts §7.2, §7.4)."""

from typing import Literal

from identity.gateway.legacy_scopes_endpoint import PATH, LegacyScopesEndpoint
from identity.gateway.user_claims_endpoint import UserClaimsEndpoint
from identity.web.routing import Endpoint, Permission, Route

VIEW = ("internal_oauth2_scope_view",)
CREATE = ("internal_oauth2_scope_create",)
UPDATE = ("internal_oauth2_scope_update",)
DELETE = ("internal_oauth2_scope_delete",)
CLAIMS = ("internal_user_mgt_list",)
_USER_CLAIMS = "/keymanager-operations/user-info/claims"
_Method = Literal["GET", "POST", "PUT", "DELETE"]


def gateway_routes(*, scopes: LegacyScopesEndpoint, claims: UserClaimsEndpoint) -> list[Route]:
    one = f"{PATH}/name/{{name}}"
    return [
        _route("legacy_scopes", "GET", PATH, scopes.list_all, VIEW, "List scopes (older interface)"),
        _route("legacy_scope_create", "POST", PATH, scopes.create, CREATE, "Create a scope (older interface)"),
        _route("legacy_scope", "GET", one, scopes.show, VIEW, "Read a scope (older interface)"),
        _route("legacy_scope_replace", "PUT", one, scopes.replace, UPDATE, "Replace a scope (older interface)"),
        _route("legacy_scope_delete", "DELETE", one, scopes.delete, DELETE, "Delete a scope (older interface)"),
        _route("user_claims", "GET", _USER_CLAIMS, claims.show, CLAIMS, "Claims of a person, for gateways"),
        _route("user_claims_generate", "POST", f"{_USER_CLAIMS}/generate", claims.generate, CLAIMS,
               "Claims of a person, for gateways"),
    ]  # fmt: skip


def _route(name: str, method: _Method, path: str, endpoint: Endpoint, scopes: tuple[str, ...], summary: str) -> Route:
    return Route(
        name=name,
        methods=(method,),
        path=path,
        endpoint=endpoint,
        permission=Permission.API,
        scopes=scopes,
        errors="problem",
        encoded=True,
        summary=summary,
        parameters=("username*", "domain", "dialect") if name == "user_claims" else (),
    )
