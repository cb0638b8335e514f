"""`GET /api/server/v1/scopes`: every scope of the tenant, whichever API resource it belongs to."""

from identity.admin.api_resource_bodies import shown_scope
from identity.administration.context import Administration
from identity.authn.api_access import ApiAccess
from identity.domain.api_resources import ApiScope
from identity.domain.filters import read_filter
from identity.storage.api_resources import list_scopes_page
from identity.web.messages import Request, Response, json_response

PAGE = 500
MAXIMUM_LISTED = 10_000


class ScopesEndpoint:
    def __init__(self, access: ApiAccess, administered: Administration) -> None:
        self._access = access
        self._administered = administered

    async def list_all(self, request: Request) -> Response:
        await self._access.require(request)
        wanted = read_filter(request.query().get("filter"), ("name",))
        found: list[ApiScope] = []
        after = ""
        while len(found) < MAXIMUM_LISTED and (
            page := await list_scopes_page(self._administered.database, request.tenant.id, after=after, count=PAGE)
        ):
            for scope in page:
                if wanted is None or wanted.matches(lambda _, name=scope.name: (name,)):  # type: ignore[misc]
                    found.append(scope)
            after = page[-1].name
        return json_response(200, [shown_scope(scope) | {"apiResourceId": scope.api} for scope in found])
