"""`/api/server/v1/script-libraries` (wso2-contracts §2.1): as JSON, or as the multipart upload of WSO2's clients."""

from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

from identity.admin import script_bodies as bodies
from identity.administration import script_libraries as administration
from identity.administration.script_bundles import ScriptAdministration
from identity.authn.api_access import ApiAccess
from identity.errors import IdentityError
from identity.storage.scripts import find_library, list_libraries
from identity.web.json_bodies import read_body
from identity.web.messages import Request, Response, json_response

_MULTIPART = "multipart/form-data"


class ScriptLibrariesEndpoint:
    def __init__(self, access: ApiAccess, scripting: ScriptAdministration) -> None:
        self._access = access
        self._scripting = scripting
        self._administered = scripting.administration

    async def list_all(self, request: Request) -> Response:
        await self._access.require(request)
        found = await list_libraries(self._administered.database, request.tenant.id)
        shown = [bodies.listed_library(library, request.tenant.prefix) for library in found]
        return json_response(
            200,
            {"totalResults": len(shown), "startIndex": 1, "count": len(shown), "scriptLibraries": shown},
        )

    async def create(self, request: Request) -> Response:
        caller = await self._access.require(request)
        values = _values(request)
        body = bodies.NewLibrary(**values) if values is not None else read_body(request, bodies.NewLibrary)
        tenant = request.tenant.tenant
        if await find_library(self._administered.database, tenant.id, body.name) is not None:
            raise IdentityError("conflict", f"There is a library {body.name!r} already.", status=409)
        library, _ = await administration.put_library(
            self._scripting, tenant, body.name, body.content, description=body.description, by=caller
        )
        location = f"{request.tenant.prefix}{bodies.BASE}/script-libraries/{library.name}"
        shown = bodies.shown_library(library, request.tenant.prefix)
        return json_response(201, shown, [(b"location", location.encode())])

    async def show(self, request: Request) -> Response:
        await self._access.require(request)
        library = await administration.require_library(
            self._administered, request.tenant.tenant, request.path_values["name"]
        )
        return json_response(200, bodies.shown_library(library, request.tenant.prefix))

    async def content(self, request: Request) -> Response:
        """The text itself, to be saved as a file."""
        await self._access.require(request)
        library = await administration.require_library(
            self._administered, request.tenant.tenant, request.path_values["name"]
        )
        headers = [
            (b"content-type", b"application/octet-stream"),
            (b"content-disposition", b"attachment"),
            (b"x-content-type-options", b"nosniff"),
            (b"cache-control", b"no-store"),
        ]
        return Response(200, library.source.encode(), headers)

    async def change(self, request: Request) -> Response:
        """PUT: what is named; published scripts that require it are bundled anew."""
        caller = await self._access.require(request)
        values = _values(request)
        if values is not None:
            values.pop("name", None)
        body = bodies.ChangedLibrary(**values) if values is not None else read_body(request, bodies.ChangedLibrary)
        tenant, name = request.tenant.tenant, request.path_values["name"]
        present = await administration.require_library(self._administered, tenant, name)
        library, bundled = await administration.put_library(
            self._scripting,
            tenant,
            name,
            present.source if body.content is None else body.content,
            description=present.description if body.description is None else body.description,
            by=caller,
        )
        return json_response(200, {**bodies.shown_library(library, request.tenant.prefix), "bundledAnew": bundled})

    async def delete(self, request: Request) -> Response:
        caller = await self._access.require(request)
        await administration.delete_library(
            self._administered, request.tenant.tenant, request.path_values["name"], by=caller
        )
        return Response(204)


def _values(request: Request) -> dict[str, Any] | None:
    """The fields of a multipart body; None where it is none. Raises IdentityError.

    A browser sends such a form from any site, with Basic credentials that it remembers, but no access token.
    """
    content_type = request.header(b"content-type") or ""
    if content_type.partition(";")[0].strip().lower() != _MULTIPART:
        return None
    if not (request.header(b"authorization") or "").lower().startswith("bearer "):
        raise IdentityError("unsupported_media_type", "Send a form with an access token only, or JSON.", status=415)
    head = b"Content-Type: " + content_type.encode("latin-1") + b"\r\n\r\n"
    message = BytesParser(policy=HTTP).parsebytes(head + request.body)
    values: dict[str, Any] = {}
    for part in message.iter_parts() if message.is_multipart() else ():
        name = part.get_param("name", header="content-disposition")
        if name not in ("name", "content", "description") or name in values:
            raise IdentityError("invalid_syntax", "The form has the fields name, content and description, once each.")
        payload = part.get_payload(decode=True)
        try:
            values[name] = payload.decode("utf-8") if isinstance(payload, bytes) else ""
        except UnicodeDecodeError:
            raise IdentityError("invalid_syntax", "The library must be UTF-8.") from None
        if "\0" in values[name]:
            raise IdentityError("invalid_syntax", "The library must be text.")
    if "content" not in values or ("name" not in values and request.method == "POST"):
        raise IdentityError("invalid_syntax", "The form needs the fields name and content.")
    return values
