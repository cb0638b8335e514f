"""`POST /oauth2/ciba` (OpenID CIBA Core §7): a client asks for the consent of a person who is somewhere else."""

from dataclasses import replace

from identity.authn.people import Person
from identity.clock import SECOND, Clock
from identity.domain.applications import CIBA, Application
from identity.domain.pending_authorizations import AUTH_REQ_ID_PREFIX, AskedAuthorization, PendingAuthorization
from identity.ids import new_secret
from identity.oauth2.approvals.approvals import require_resource
from identity.oauth2.approvals.backchannel_authenticator import BackchannelAuthenticator, BackchannelRequest, CannotAsk
from identity.oauth2.approvals.ciba_hints import CibaHints
from identity.oauth2.approvals.ciba_ping import CibaPings
from identity.oauth2.approvals.ciba_request import CibaRequest, CibaRequests
from identity.oauth2.asked_targets import AskedTargets
from identity.oauth2.clients.client_authentication import ClientAuthentication, refuse_query_credentials
from identity.oauth2.errors import OAuthError, TooManyRequests
from identity.oauth2.scope_policy import ScopePolicy
from identity.secrets import token_hash
from identity.storage.database import Database
from identity.storage.pending_authorizations import (
    count_waiting_of_application,
    decide_pending_authorization,
    insert_pending_authorization,
)
from identity.web.messages import Request, Response, json_response

REPEATABLE = frozenset({"resource"})
MAXIMUM_WAITING = 20
"""Requests of one application that wait for one person."""


class CibaEndpoint:
    def __init__(
        self,
        *,
        clients: ClientAuthentication,
        requests: CibaRequests,
        hints: CibaHints,
        targets: AskedTargets,
        scopes: ScopePolicy,
        pings: CibaPings,
        authenticators: tuple[BackchannelAuthenticator, ...],
        database: Database,
        clock: Clock,
    ) -> None:
        self._clients = clients
        self._requests = requests
        self._hints = hints
        self._targets = targets
        self._scopes = scopes
        self._pings = pings
        self._authenticators = authenticators
        self._database = database
        self._clock = clock

    async def __call__(self, http: Request) -> Response:
        refuse_query_credentials(http)
        form = http.form(REPEATABLE)
        application = await self._clients.authenticate(http, form)
        try:
            # CIBA Core §4: only confidential clients; nobody else learns whether a person is known.
            if CIBA not in application.grant_types or application.public:
                raise OAuthError("unauthorized_client", "This application may not use backchannel authentication.")
            request = await self._requests.read(http, application, form)
            resources, details = await self._targets.read(http.tenant, application, request.parameters)
            require_resource(application, resources)
            person = await self._hints.find(http.tenant, request)
        finally:
            await self._clients.confirm(http, application)
        await self._require_room(http, application, person)
        names = await self._scopes.allowed(http.tenant, application, person.subject.id, request.scope.split())
        asked = AskedAuthorization(
            scope=" ".join(names),
            resources=" ".join(resources),
            authorization_details=details,
            acr_values=request.acr_values,
            binding_message=request.binding_message,
            address=http.address,
            user_agent=(http.header(b"user-agent") or "")[:256],
        )
        auth_req_id, pending = self._pending(http, request, person, asked)
        await insert_pending_authorization(self._database, pending)
        await self._ask(BackchannelRequest(http.tenant, application, person, pending))
        return json_response(
            200,
            {
                "auth_req_id": auth_req_id,
                "expires_in": (pending.expires_at - pending.created_at) // SECOND,
                "interval": pending.interval,
            },
        )

    async def _require_room(self, http: Request, application: Application, person: Person) -> None:
        """No application fills a person's page, so that what others ask would not be seen. Raises TooManyRequests."""
        waiting = await count_waiting_of_application(
            self._database, http.tenant.id, person.subject.id, application.id, self._clock.now()
        )
        if waiting >= MAXIMUM_WAITING:
            raise TooManyRequests(http.tenant.settings.ciba_interval)

    def _pending(
        self, http: Request, request: CibaRequest, person: Person, asked: AskedAuthorization
    ) -> tuple[str, PendingAuthorization]:
        settings, now = http.tenant.settings, self._clock.now()
        auth_req_id = AUTH_REQ_ID_PREFIX + new_secret()
        digest = token_hash(auth_req_id)
        if request.notification_token:
            asked = replace(asked, notification=self._pings.sealed(digest, auth_req_id, request.notification_token))
        # CIBA Core §7.1: requested_expiry is a wish; nothing waits longer than the tenant allows.
        lifetime = min(request.lifetime or settings.ciba_lifetime, settings.ciba_lifetime)
        pending = PendingAuthorization(
            tenant=http.tenant.id,
            hash=digest,
            kind="ciba",
            application=request.application.id,
            user_code=None,
            asked=asked,
            subject=person.subject.id,
            interval=settings.ciba_interval,
            next_poll_at=now,
            created_at=now,
            expires_at=now + lifetime * SECOND,
        )
        return auth_req_id, pending

    async def _ask(self, request: BackchannelRequest) -> None:
        """By every authenticator there is; when none can, the client hears it at its next poll."""
        reached = False
        for authenticator in self._authenticators:
            try:
                await authenticator.ask(request)
                reached = True
            except CannotAsk:
                continue
        if reached:
            return
        async with self._database.transaction() as transaction:
            now, subject = self._clock.now(), request.pending.subject
            await decide_pending_authorization(
                transaction, request.pending, "failed", subject=subject, grant=None, now=now
            )
            await self._pings.decided(transaction, request.application, request.pending)
