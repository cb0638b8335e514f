"""`/`: what this server is, for whoever opens its address; and the theme's files."""

from collections.abc import Callable
from typing import Any

from identity.tokens.addresses import issuer_of
from identity.web.messages import Request, Response
from identity.web.pages import PageResponses
from identity.web.theme import CACHE_CONTROL, Theme


class HomePage:
    def __init__(self, pages: PageResponses, base_url: str, demo: Callable[[], dict[str, Any] | None]) -> None:
        self._pages = pages
        self._base_url = base_url
        self._demo = demo

    async def __call__(self, request: Request) -> Response:
        demo = self._demo() if not request.tenant.prefix else None
        return self._pages.respond(
            request,
            "home.html",
            discovery_url=f"{issuer_of(self._base_url, request.tenant.tenant)}/.well-known/openid-configuration",
            account_url=f"{request.tenant.prefix}/account",
            demo=demo,
        )


class StaticFiles:
    """Files under a hash of their content: cached for good."""

    def __init__(self, theme: Theme) -> None:
        self._theme = theme

    async def __call__(self, request: Request) -> Response:
        asset = self._theme.find(request.path_value)
        if asset is None:
            return Response(404, b"Not Found\n", [(b"content-type", b"text/plain")])
        headers = [
            (b"content-type", asset.content_type.encode()),
            (b"cache-control", CACHE_CONTROL.encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"vary", b"accept-encoding"),
        ]
        if "gzip" in (request.header(b"accept-encoding") or ""):
            return Response(200, asset.gzipped, [*headers, (b"content-encoding", b"gzip")])
        return Response(200, asset.body, headers)
