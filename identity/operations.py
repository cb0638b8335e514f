"""For whoever runs the server: `/health/live`, `/health/ready`, `/metrics`."""

from collections.abc import Sequence
from ipaddress import ip_address, ip_network

from identity.authn.script_runner import ScriptRunner
from identity.domain.tenants import ROOT_HANDLE
from identity.errors import IdentityError
from identity.storage.database import Database
from identity.storage.tenants import find_tenant
from identity.telemetry import Metrics
from identity.web.messages import Request, Response, json_response

_FORWARDED = frozenset({b"x-forwarded-for", b"forwarded", b"x-real-ip", b"via"})


class Operations:
    def __init__(
        self, database: Database, scripts: ScriptRunner, metrics: Metrics, metrics_from: Sequence[str]
    ) -> None:
        self._scripts = scripts
        self._database = database
        self._metrics = metrics
        self._networks = [ip_network(network, strict=False) for network in metrics_from]

    async def live(self, request: Request) -> Response:
        """The process answers."""
        return json_response(200, {"status": "live"})

    async def ready(self, request: Request) -> Response:
        """The database answers too: send traffic here. `scripts`: how sign-in scripts are isolated, and why not."""
        try:
            await find_tenant(self._database, ROOT_HANDLE)
        except IdentityError:
            return json_response(503, {"status": "unavailable", "reason": "database"})
        return json_response(200, {"status": "ready", "scripts": await self._script_state()})

    async def _script_state(self) -> dict[str, object]:
        state = self._scripts.state
        refused = await self._scripts.refusal()
        return {
            "isolation": state.isolation,
            "locked": state.locked,
            "reason": refused or state.reason,
            "refused": bool(refused),
            "running": state.running,
            "waiting": state.waiting,
            "pausedTenants": len(state.paused),
        }

    async def metrics(self, request: Request) -> Response:
        """Prometheus text, for the networks of the setting `metrics_from`; what came through a proxy is not local."""
        if not self._may_scrape(request):
            return Response(404, b"Not Found\n", [(b"content-type", b"text/plain")])
        body, content_type = self._metrics.exposition()
        return Response(200, body, [(b"content-type", content_type.encode()), (b"cache-control", b"no-store")])

    def _may_scrape(self, request: Request) -> bool:
        if any(name in _FORWARDED for name, _ in request.headers):
            return False
        try:
            address = ip_address(request.address)
        except ValueError:
            return False
        return any(address in network for network in self._networks)
