"""`POST /oauth2/device_authorize` (RFC 8628 §3.1): a device asks for a code that a person enters elsewhere."""

from identity.clock import SECOND, Clock
from identity.domain.applications import DEVICE_CODE, Application
from identity.domain.pending_authorizations import (
    DEVICE_CODE_PREFIX,
    AskedAuthorization,
    PendingAuthorization,
)
from identity.errors import Unavailable
from identity.ids import new_secret
from identity.oauth2.approvals.approvals import require_resource
from identity.oauth2.approvals.user_codes import new_user_code, shown_user_code
from identity.oauth2.asked_targets import AskedTargets
from identity.oauth2.authorization.asked_scope import asked_scope
from identity.oauth2.clients.client_authentication import ClientAuthentication, refuse_query_credentials
from identity.oauth2.errors import OAuthError
from identity.secrets import token_hash
from identity.storage.database import Conflict, Database
from identity.storage.pending_authorizations import insert_pending_authorization
from identity.tokens.addresses import base_of
from identity.web.messages import Request, Response, json_response

REPEATABLE = frozenset({"resource"})
VERIFICATION_PATH = "/oauth2/device"
_TRIES = 5
"""For a user code that nobody has; one of 25 billion is taken by as many devices as wait."""


class DeviceEndpoint:
    def __init__(
        self, clients: ClientAuthentication, targets: AskedTargets, database: Database, base_url: str, clock: Clock
    ) -> None:
        self._clients = clients
        self._targets = targets
        self._database = database
        self._base_url = base_url
        self._clock = clock

    async def __call__(self, request: Request) -> Response:
        refuse_query_credentials(request)
        form = request.form(REPEATABLE)
        application = await self._clients.authenticate(request, form)
        try:
            if DEVICE_CODE not in application.grant_types:
                raise OAuthError("unauthorized_client", "This application may not use the device grant.")
            resources, details = await self._targets.read(request.tenant, application, form)
            require_resource(application, resources)
            scope = asked_scope(application, form.get("scope", ""))
        finally:
            # Granted or refused, by the configuration as it is now.
            await self._clients.confirm(request, application)
        asked = AskedAuthorization(
            scope=scope,
            resources=" ".join(resources),
            authorization_details=details,
            address=request.address,
            user_agent=(request.header(b"user-agent") or "")[:256],
        )
        device_code, pending = await self._stored(request, application, asked)
        assert pending.user_code is not None
        address = base_of(self._base_url, request.tenant.tenant) + VERIFICATION_PATH
        shown = shown_user_code(pending.user_code)
        return json_response(
            200,
            {
                "device_code": device_code,
                "user_code": shown,
                "verification_uri": address,
                "verification_uri_complete": f"{address}?user_code={shown}",
                "expires_in": request.tenant.settings.device_code_lifetime,
                "interval": pending.interval,
            },
        )

    async def _stored(
        self, request: Request, application: Application, asked: AskedAuthorization
    ) -> tuple[str, PendingAuthorization]:
        """A device code and what it waits for, under a user code that no other device has."""
        settings, now = request.tenant.settings, self._clock.now()
        for _ in range(_TRIES):
            device_code = DEVICE_CODE_PREFIX + new_secret()
            pending = PendingAuthorization(
                tenant=request.tenant.id,
                hash=token_hash(device_code),
                kind="device",
                application=application.id,
                user_code=new_user_code(),
                asked=asked,
                subject=None,
                interval=settings.device_interval,
                next_poll_at=now,
                created_at=now,
                expires_at=now + settings.device_code_lifetime * SECOND,
            )
            try:
                await insert_pending_authorization(self._database, pending)
            except Conflict:
                continue
            return device_code, pending
        raise Unavailable("no free user code")
