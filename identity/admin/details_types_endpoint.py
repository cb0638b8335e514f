"""`/api/server/v1/api-resources/{id}/authorization-details-types` (RFC 9396, wso2-contracts §6.1)."""

from dataclasses import replace

from identity.admin import api_resource_bodies as bodies
from identity.administration import api_resources as administration
from identity.administration.context import Administration
from identity.authn.api_access import ApiAccess
from identity.domain.api_resources import ApiResource, DetailsType
from identity.storage.api_resources import list_details_types_of_api
from identity.web.json_bodies import read_body
from identity.web.messages import Request, Response, json_response


class DetailsTypesEndpoint:
    def __init__(self, access: ApiAccess, administered: Administration) -> None:
        self._access = access
        self._administered = administered

    async def list_all(self, request: Request) -> Response:
        await self._access.require(request)
        resource = await self._resource(request)
        types = await list_details_types_of_api(self._administered.database, request.tenant.id, resource.id)
        return json_response(200, [bodies.shown_type(type) for type in types])

    async def add(self, request: Request) -> Response:
        """POST: several at once."""
        caller = await self._access.require(request)
        added = [type.details_type() for type in read_body(request, list[bodies.NewDetailsType])]
        resource = await self._resource(request)
        await administration.update_api_resource(
            self._administered, request.tenant.tenant, resource, add_types=added, by=caller
        )
        return json_response(201, [bodies.shown_type(type) for type in added])

    async def show(self, request: Request) -> Response:
        await self._access.require(request)
        _, found = await self._type(request)
        return json_response(200, bodies.shown_type(found))

    async def change(self, request: Request) -> Response:
        """PUT: what is named; `type` itself never changes."""
        caller = await self._access.require(request)
        body = read_body(request, bodies.DetailsTypeChanges)
        resource, present = await self._type(request)
        changed = replace(
            present,
            name=present.name if body.name is None else body.name,
            description=present.description if body.description is None else body.description,
            schema=present.schema if body.schema is None else body.schema,
        )
        await administration.update_details_type(
            self._administered, request.tenant.tenant, resource, changed, by=caller
        )
        return Response(204)

    async def delete(self, request: Request) -> Response:
        caller = await self._access.require(request)
        resource, found = await self._type(request)
        await administration.update_api_resource(
            self._administered, request.tenant.tenant, resource, remove_types=[found.type], by=caller
        )
        return Response(204)

    async def _resource(self, request: Request) -> ApiResource:
        return await administration.require_api_resource(
            self._administered, request.tenant.tenant, request.path_values["id"]
        )

    async def _type(self, request: Request) -> tuple[ApiResource, DetailsType]:
        resource = await self._resource(request)
        tenant = request.tenant.tenant
        found = await administration.require_details_type(
            self._administered, tenant, resource, request.path_values["type"]
        )
        return resource, found
