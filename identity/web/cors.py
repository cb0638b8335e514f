"""Which other origins' scripts may read our answers (decision 20). Never with credentials."""

from typing import TYPE_CHECKING, Literal

from identity.storage import web_origins
from identity.web.messages import Headers, Request, Response

if TYPE_CHECKING:
    from identity.storage.configuration import TenantConfiguration
    from identity.storage.database import Database

_PREFLIGHT: Headers = [
    (b"access-control-allow-methods", b"GET, POST, PUT, DELETE"),
    (b"access-control-allow-headers", b"Authorization, Content-Type, DPoP"),
    (b"access-control-max-age", b"600"),
]
_EXPOSED = (b"access-control-expose-headers", b"WWW-Authenticate, DPoP-Nonce")


class Cors:
    def __init__(self, database: "Database") -> None:
        self._database = database

    async def preflight(
        self, headers: Headers, tenant: "TenantConfiguration | None", rule: Literal["any", "registered", "none"]
    ) -> Response:
        """The answer to OPTIONS: the origin is named only when some application of the tenant registers it."""
        origin = _origin(headers)
        if rule == "any":
            return Response(204, headers=[(b"access-control-allow-origin", b"*"), *_PREFLIGHT])
        if origin and tenant and await web_origins.is_registered(self._database, tenant.id, origin):
            return Response(204, headers=[(b"access-control-allow-origin", origin.encode()), _VARY, *_PREFLIGHT])
        return Response(204, headers=[_VARY])

    async def expose(self, request: Request, response: Response, rule: Literal["any", "registered", "none"]) -> None:
        """Let the calling origin read the answer, when it may."""
        if rule == "any":
            response.headers.append((b"access-control-allow-origin", b"*"))
            return
        origin = _origin(request.headers)
        if not origin:
            return
        response.headers.append(_VARY)
        if await web_origins.is_registered(self._database, request.tenant.id, origin):
            response.headers.append((b"access-control-allow-origin", origin.encode()))
            response.headers.append(_EXPOSED)


_VARY = (b"vary", b"Origin")


def _origin(headers: Headers) -> str:
    found = [value for name, value in headers if name == b"origin"]
    return found[0].decode("latin-1") if len(found) == 1 else ""
