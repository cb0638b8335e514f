"""For whoever runs the server: `/health/live`, `/health/ready`, `/metrics`."""

from ipaddress import ip_address

from identity.clock import Clock
from identity.domain.tenants import ROOT_HANDLE
from identity.errors import IdentityError
from identity.storage.database import Database
from identity.storage.tenants import find_tenant
from identity.telemetry import Metrics
from identity.web.messages import Request, Response, json_response


class Operations:
    def __init__(self, database: Database, metrics: Metrics, clock: Clock) -> None:
        self._database = database
        self._metrics = metrics
        self._clock = clock

    async def live(self, request: Request) -> Response:
        """The process answers."""
        return json_response(200, {"status": "live"})

    async def ready(self, request: Request) -> Response:
        """The database answers too: send traffic here."""
        try:
            await find_tenant(self._database, ROOT_HANDLE)
        except IdentityError:
            return json_response(503, {"status": "unavailable", "reason": "database"})
        return json_response(200, {"status": "ready"})

    async def metrics(self, request: Request) -> Response:
        """Prometheus text, for loopback only: a collector elsewhere comes through an agent or proxy on the machine."""
        try:
            local = ip_address(request.address).is_loopback
        except ValueError:
            local = False
        if not local:
            return Response(404, b"Not Found\n", [(b"content-type", b"text/plain")])
        body, content_type = self._metrics.exposition()
        return Response(200, body, [(b"content-type", content_type.encode()), (b"cache-control", b"no-store")])
