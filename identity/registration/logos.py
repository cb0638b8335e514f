"""Logos (decision 23): fetched once from the registered address, kept, and served by us.

A logo is fetched when it is first looked at: nobody waits for a stranger's server but whoever wants the image. What is
served is what the first bytes say it is, in one of four formats that hold no script.
"""

import asyncio

from identity.clock import SECOND, Clock
from identity.config import Purpose
from identity.domain.applications import Application
from identity.errors import IdentityError
from identity.messaging.guarded_client import GuardedClient
from identity.storage import logos
from identity.storage.applications import find_application_by_id
from identity.storage.configuration import TenantConfiguration
from identity.storage.database import Database
from identity.storage.logos import Logo
from identity.web.messages import Headers, Request, Response

MAXIMUM_BYTES = 65_536
TRY_AGAIN = 3600 * SECOND
"""Where there was no image, another look is taken after this time."""
MAXIMUM_FETCHES = 64
"""At once in this process; beyond, a page shows the name's first letter until the next look."""

_HEADERS: Headers = [
    (b"cache-control", b"public, max-age=86400"),
    (b"content-security-policy", b"default-src 'none'; sandbox; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-content-type-options", b"nosniff"),
]


class LogoEndpoint:
    def __init__(self, database: Database, client: GuardedClient, clock: Clock) -> None:
        self._database = database
        self._client = client
        self._clock = clock
        self._fetches: dict[tuple[int, str], asyncio.Task[Logo]] = {}

    async def __call__(self, request: Request) -> Response:
        """GET `/logos/<application>`: the image, or 404."""
        application = await find_application_by_id(self._database, request.tenant.id, request.path_value)
        if application is None or application.logo_uri is None or not application.enabled:
            return _nothing()
        logo = await self._logo(request.tenant, application, application.logo_uri)
        if logo is None or not logo.body:
            return _nothing()
        return Response(200, logo.body, [(b"content-type", logo.content_type.encode()), *_HEADERS])

    async def _logo(self, tenant: TenantConfiguration, application: Application, source: str) -> Logo | None:
        stored = await logos.find_logo(self._database, tenant.id, application.id)
        fresh = stored is not None and stored.source == source
        if stored is not None and fresh and (stored.body or self._clock.now() - stored.fetched_at < TRY_AGAIN):
            return stored
        key = (tenant.id, application.id)
        if key not in self._fetches:
            if len(self._fetches) >= MAXIMUM_FETCHES:
                return None
            self._fetches[key] = asyncio.create_task(self._fetch(tenant, application, source))
        # Whoever goes away takes the image from nobody else who waits for it.
        return await asyncio.shield(self._fetches[key])

    async def _fetch(self, tenant: TenantConfiguration, application: Application, source: str) -> Logo:
        try:
            body = b""
            try:
                answer = await self._client.fetch(source, purpose=Purpose.CLIENT_METADATA, limit=MAXIMUM_BYTES)
                body = answer.body if answer.status == 200 else b""
            except IdentityError:
                pass  # the guarded client has logged why
            content_type = image_type(body)
            logo = Logo(source, content_type, body if content_type else b"", self._clock.now())
            async with self._database.transaction() as transaction:
                await logos.save_logo(transaction, tenant.id, application.id, logo)
            return logo
        finally:
            self._fetches.pop((tenant.id, application.id), None)


def image_type(body: bytes) -> str:
    """The media type of an image by its first bytes; empty for anything else, SVG among it, which can hold scripts."""
    if body.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if body.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if body.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if body[:4] == b"RIFF" and body[8:12] == b"WEBP":
        return "image/webp"
    return ""


def _nothing() -> Response:
    return Response(404, b"Not Found\n", [(b"content-type", b"text/plain"), (b"cache-control", b"no-store")])
