"""`/api/server/v1/api-resources`: API resources and their scopes, as the API manager's connector calls them."""

from collections.abc import Callable

from identity.admin import api_resource_bodies as bodies
from identity.admin.paging import page_of
from identity.administration import api_resources as administration
from identity.administration.context import Administration
from identity.authn.api_access import ApiAccess
from identity.domain.api_resources import ApiResource
from identity.domain.filters import Filter, equals, read_filter
from identity.storage import api_resources as storage
from identity.storage.configuration import TenantConfiguration
from identity.web.json_bodies import read_body
from identity.web.messages import Request, Response, json_response

FILTERED = ("identifier", "name", "type", "id")


class ApiResourcesEndpoint:
    def __init__(self, access: ApiAccess, administered: Administration) -> None:
        self._access = access
        self._administered = administered

    async def list_all(self, request: Request) -> Response:
        """GET: those that the filter takes, a page of them."""
        await self._access.require(request)
        found = await self._matching(request.tenant, read_filter(request.query().get("filter"), FILTERED))
        path = request.tenant.prefix + bodies.PATH
        page, links = page_of(request, sorted(found), path)
        shown = [bodies.listed(found[id], request.tenant.prefix) for id in page]
        return json_response(200, {"totalResults": len(found), "links": links, "apiResources": shown})

    async def create(self, request: Request) -> Response:
        caller = await self._access.require(request)
        body = read_body(request, bodies.NewApiResource)
        resource = await administration.create_api_resource(
            self._administered,
            request.tenant.tenant,
            identifier=body.identifier,
            name=body.name or "",
            description=body.description or "",
            type=body.type,
            requires_authorization=body.requires_authorization is not False,
            properties=[(item.name, item.value) for item in body.properties or ()],
            scopes=[scope.scope() for scope in body.scopes or ()],
            details_types=[type.details_type() for type in body.authorization_details_types or ()],
            by=caller,
        )
        location = f"{request.tenant.prefix}{bodies.PATH}/{resource.id}"
        return await self._shown(request, resource, 201, [(b"location", location.encode())])

    async def show(self, request: Request) -> Response:
        await self._access.require(request)
        return await self._shown(request, await self._resource(request), 200, [])

    async def change(self, request: Request) -> Response:
        """PATCH: texts, and scopes added or removed."""
        caller = await self._access.require(request)
        body = read_body(request, bodies.ApiResourceChanges)
        await administration.update_api_resource(
            self._administered,
            request.tenant.tenant,
            await self._resource(request),
            name=body.name,
            description=body.description,
            add_scopes=[scope.scope() for scope in body.added_scopes or ()],
            remove_scopes=body.removed_scopes or (),
            add_types=[type.details_type() for type in body.added_authorization_details_types or ()],
            remove_types=body.removed_authorization_details_types or (),
            by=caller,
        )
        return Response(204)

    async def delete(self, request: Request) -> Response:
        caller = await self._access.require(request)
        await administration.delete_api_resource(
            self._administered, request.tenant.tenant, await self._resource(request), by=caller
        )
        return Response(204)

    async def scopes(self, request: Request) -> Response:
        await self._access.require(request)
        resource = await self._resource(request)
        scopes = await administration.scopes_of(self._administered, request.tenant.tenant, resource)
        return json_response(200, [bodies.shown_scope(scope) for scope in scopes])

    async def replace_scopes(self, request: Request) -> Response:
        """PUT: exactly these. Those that stay keep the roles that grant them."""
        caller = await self._access.require(request)
        wanted = {scope.name: scope.scope() for scope in read_body(request, list[bodies.NewScope])}
        resource = await self._resource(request)
        present = {
            scope.name: scope
            for scope in await administration.scopes_of(self._administered, request.tenant.tenant, resource)
        }
        await administration.update_api_resource(
            self._administered,
            request.tenant.tenant,
            resource,
            add_scopes=[scope for name, scope in wanted.items() if name not in present],
            remove_scopes=[name for name in present if name not in wanted],
            by=caller,
        )
        for name in wanted.keys() & present.keys():
            await administration.update_scope(
                self._administered,
                request.tenant.tenant,
                present[name],
                display_name=wanted[name].display_name,
                description=wanted[name].description,
                by=caller,
            )
        return Response(204)

    async def change_scope(self, request: Request) -> Response:
        caller = await self._access.require(request)
        body = read_body(request, bodies.ScopeChanges)
        resource = await self._resource(request)
        tenant = request.tenant.tenant
        scope = await administration.require_scope(self._administered, tenant, request.path_values["name"], resource)
        await administration.update_scope(
            self._administered, tenant, scope, display_name=body.display_name, description=body.description, by=caller
        )
        return Response(204)

    async def delete_scope(self, request: Request) -> Response:
        caller = await self._access.require(request)
        resource = await self._resource(request)
        tenant = request.tenant.tenant
        scope = await administration.require_scope(self._administered, tenant, request.path_values["name"], resource)
        await administration.update_api_resource(
            self._administered, tenant, resource, remove_scopes=[scope.name], by=caller
        )
        return Response(204)

    async def _resource(self, request: Request) -> ApiResource:
        return await administration.require_api_resource(
            self._administered, request.tenant.tenant, request.path_values["id"]
        )

    async def _shown(
        self, request: Request, resource: ApiResource, status: int, headers: list[tuple[bytes, bytes]]
    ) -> Response:
        tenant = request.tenant
        scopes = await administration.scopes_of(self._administered, tenant.tenant, resource)
        types = await storage.list_details_types_of_api(self._administered.database, tenant.id, resource.id)
        return json_response(status, bodies.shown(resource, scopes, types, tenant.prefix), headers)

    async def _matching(self, tenant: TenantConfiguration, wanted: Filter | None) -> dict[str, ApiResource]:
        database = self._administered.database
        identifier = equals(wanted, "identifier")
        if identifier is not None:
            one = await storage.find_api_resource_by_identifier(database, tenant.id, identifier)
            return {} if one is None else {one.id: one}
        found: dict[str, ApiResource] = {}
        after = ""
        while page := await storage.list_api_resources_page(database, tenant.id, after=after, count=500):
            found |= {each.id: each for each in page if wanted is None or wanted.matches(_values(each))}
            after = page[-1].id
        return found


def _values(resource: ApiResource) -> Callable[[str], tuple[str, ...]]:
    return lambda name: (str(getattr(resource, name)),)
