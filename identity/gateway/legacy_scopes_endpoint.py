"""`/api/identity/oauth2/v1.0/scopes`: the older scope interface, on the same model (wso2-contracts §7.4).

Its scopes belong to the API resource that the newer connector uses too; its bindings are roles, by the names that an
API manager has for them.
"""

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

import msgspec

from identity.administration import api_resources, roles
from identity.administration.context import Administration
from identity.authn.api_access import ApiAccess, Caller
from identity.domain.api_resources import ApiResource, ApiResourceId, ApiScope
from identity.domain.roles import Role, manager_name_of_role, role_of_manager_name
from identity.errors import IdentityError
from identity.storage import roles as stored_roles
from identity.storage.api_resources import find_api_resource_by_identifier
from identity.storage.configuration import TenantConfiguration
from identity.web.json_bodies import read_body
from identity.web.messages import Request, Response, json_response

RESOURCE_IDENTIFIER = "User-defined-oauth2-resource"
RESOURCE_NAME = "User-defined OAuth2 Resource"
PATH = "/api/identity/oauth2/v1.0/scopes"


class ScopeBinding(msgspec.Struct, rename="camel"):
    binding_type: str = "DEFAULT"
    binding: list[str] = []


class LegacyScope(msgspec.Struct, rename="camel"):
    name: str
    display_name: str | None = None
    description: str | None = None
    bindings: list[str] | None = None
    scope_bindings: list[ScopeBinding] | None = None

    def role_names(self) -> frozenset[str] | None:
        """As our roles are called; None when nothing is said about bindings."""
        if self.bindings is None and self.scope_bindings is None:
            return None
        named = [*(self.bindings or ()), *(name for each in self.scope_bindings or () for name in each.binding)]
        return frozenset(role_of_manager_name(name) for name in named if name)


class LegacyScopesEndpoint:
    def __init__(self, access: ApiAccess, administered: Administration) -> None:
        self._access = access
        self._administered = administered

    async def list_all(self, request: Request) -> Response:
        await self._access.require(request)
        resource = await self._resource(request.tenant)
        scopes = [] if resource is None else await self._scopes(request.tenant, resource)
        roles_of = await stored_roles.load_role_names(self._administered.database, request.tenant.id)
        return json_response(200, [_shown(scope, roles_of.get(scope.name, ())) for scope in scopes])

    async def create(self, request: Request) -> Response:
        caller = await self._access.require(request)
        body = read_body(request, LegacyScope)
        scope = ApiScope(
            name=body.name,
            api=ApiResourceId(""),
            display_name=body.display_name or body.name,
            description=body.description or "",
        )
        tenant = request.tenant
        resource = await self._resource(tenant)
        if resource is None:
            await api_resources.create_api_resource(
                self._administered,
                tenant.tenant,
                identifier=RESOURCE_IDENTIFIER,
                name=RESOURCE_NAME,
                scopes=[scope],
                by=caller,
            )
        else:
            await api_resources.update_api_resource(
                self._administered, tenant.tenant, resource, add_scopes=[scope], by=caller
            )
        await self._bind(tenant, caller, scope.name, body.role_names())
        location = f"{tenant.prefix}{PATH}/name/{quote(scope.name, safe='')}"
        return json_response(201, await self._shown(tenant, scope), [(b"location", location.encode())])

    async def show(self, request: Request) -> Response:
        """GET and HEAD `/name/{name}`: 404 when there is none."""
        await self._access.require(request)
        return json_response(200, await self._shown(request.tenant, await self._scope(request)))

    async def replace(self, request: Request) -> Response:
        caller = await self._access.require(request)
        body = read_body(request, LegacyScope)
        scope = await self._scope(request)
        await api_resources.update_scope(
            self._administered,
            request.tenant.tenant,
            scope,
            display_name=body.display_name or scope.name,
            description=body.description or "",
            by=caller,
        )
        await self._bind(request.tenant, caller, scope.name, body.role_names() or frozenset())
        return json_response(200, await self._shown(request.tenant, await self._scope(request)))

    async def delete(self, request: Request) -> Response:
        caller = await self._access.require(request)
        scope = await self._scope(request)
        tenant = request.tenant.tenant
        resource = await api_resources.require_api_resource(self._administered, tenant, scope.api)
        await api_resources.update_api_resource(
            self._administered, tenant, resource, remove_scopes=[scope.name], by=caller
        )
        return Response(200)

    async def _resource(self, tenant: TenantConfiguration) -> ApiResource | None:
        return await find_api_resource_by_identifier(self._administered.database, tenant.id, RESOURCE_IDENTIFIER)

    async def _scopes(self, tenant: TenantConfiguration, resource: ApiResource) -> list[ApiScope]:
        return await api_resources.scopes_of(self._administered, tenant.tenant, resource)

    async def _scope(self, request: Request) -> ApiScope:
        resource = await self._resource(request.tenant)
        if resource is None:
            raise IdentityError("unknown_scope", "There is no such scope.", status=404)
        return await api_resources.require_scope(
            self._administered, request.tenant.tenant, request.path_values["name"], resource
        )

    async def _bind(
        self, tenant: TenantConfiguration, caller: Caller, scope: str, names: frozenset[str] | None
    ) -> None:
        """Exactly these roles grant the scope; one that is missing is made, without people."""
        if names is None:
            return
        present = {role.name: role for role in await self._roles_of(tenant, scope)}
        for name in sorted(present.keys() - names):
            changes = roles.RoleChanges(remove_scopes=frozenset({scope}))
            await roles.change_role(self._administered, tenant, present[name], changes, by=caller)
        for name in sorted(names - present.keys()):
            await self._grant(tenant, caller, scope, name)

    async def _grant(self, tenant: TenantConfiguration, caller: Caller, scope: str, name: str) -> None:
        changes = roles.RoleChanges(add_scopes=frozenset({scope}))
        try:
            role = await roles.require_role_by_name(self._administered, tenant, name)
        except IdentityError:
            await roles.create_role(self._administered, tenant, name, changes, by=caller)
        else:
            await roles.change_role(self._administered, tenant, role, changes, by=caller)

    async def _roles_of(self, tenant: TenantConfiguration, scope: str) -> list[Role]:
        database = self._administered.database
        ids = await stored_roles.roles_of_scope(database, tenant.id, scope)
        found = [await stored_roles.find_role(database, tenant.id, id) for id in ids]
        return [role for role in found if role is not None and role.audience_type == "organization"]

    async def _shown(self, tenant: TenantConfiguration, scope: ApiScope) -> dict[str, Any]:
        return _shown(scope, [role.name for role in await self._roles_of(tenant, scope.name)])


def _shown(scope: ApiScope, roles: Iterable[str]) -> dict[str, Any]:
    names = sorted(manager_name_of_role(role) for role in roles)
    return {
        "name": scope.name,
        "displayName": scope.display_name or scope.name,
        "description": scope.description,
        "bindings": names,
        "scopeBindings": [{"bindingType": "DEFAULT", "binding": names}],
    }
