"""`/api/server/v1/secrets/{type}`: secrets of sign-in scripts. Values go in and never come out."""

from identity.admin import script_bodies as bodies
from identity.administration import script_secrets as administration
from identity.administration.context import Administration
from identity.authn.api_access import ApiAccess
from identity.errors import IdentityError
from identity.storage.scripts import find_secret, list_secrets
from identity.web.json_bodies import read_body
from identity.web.messages import Request, Response, json_response

TYPES = ("ADAPTIVE_AUTH", "ADAPTIVE_AUTH_CALL_CHOREO")
"""Both name the same secrets; the second is what WSO2's console calls them."""


class ScriptSecretsEndpoint:
    def __init__(self, access: ApiAccess, administered: Administration) -> None:
        self._access = access
        self._administered = administered

    async def list_all(self, request: Request) -> Response:
        await self._access.require(request)
        type = _type(request)
        found = await list_secrets(self._administered.database, request.tenant.id)
        return json_response(200, [bodies.shown_secret(secret, type) for secret in found])

    async def create(self, request: Request) -> Response:
        caller = await self._access.require(request)
        type, body = _type(request), read_body(request, bodies.NewSecret)
        tenant = request.tenant.tenant
        if await find_secret(self._administered.database, tenant.id, body.name) is not None:
            raise IdentityError("conflict", f"There is a secret {body.name!r} already.", status=409)
        secret = await administration.put_secret(
            self._administered,
            tenant,
            body.name,
            value=body.value,
            hosts=body.hosts,
            description=body.description,
            by=caller,
        )
        location = f"{request.tenant.prefix}{bodies.BASE}/secrets/{type}/{secret.name}"
        return json_response(201, bodies.shown_secret(secret, type), [(b"location", location.encode())])

    async def show(self, request: Request) -> Response:
        await self._access.require(request)
        type, name = _type(request), request.path_values["name"]
        secret = await administration.require_secret(self._administered, request.tenant.tenant, name)
        return json_response(200, bodies.shown_secret(secret, type))

    async def change(self, request: Request) -> Response:
        """PUT, PATCH: what is named."""
        caller = await self._access.require(request)
        type, name = _type(request), request.path_values["name"]
        body, tenant = read_body(request, bodies.ChangedSecret), request.tenant.tenant
        await administration.require_secret(self._administered, tenant, name)
        secret = await administration.put_secret(
            self._administered,
            tenant,
            name,
            value=body.value,
            hosts=body.hosts,
            description=body.description,
            by=caller,
        )
        return json_response(200, bodies.shown_secret(secret, type))

    async def delete(self, request: Request) -> Response:
        """`force=true`: also where a published script names it."""
        caller = await self._access.require(request)
        _type(request)
        await administration.delete_secret(
            self._administered,
            request.tenant.tenant,
            request.path_values["name"],
            force=_flag(request, "force"),
            by=caller,
        )
        return Response(204)


def _flag(request: Request, name: str) -> bool:
    value = request.query().get(name, "false")
    if value not in ("true", "false"):
        raise IdentityError("invalid_request", f"{name} is true or false.")
    return value == "true"


def _type(request: Request) -> str:
    type = request.path_values["type"]
    if type not in TYPES:
        raise IdentityError("unknown_secret_type", f"There is no type of secrets {type!r}.", status=404)
    return type
