"""`POST /oauth2/revoke` (RFC 7009): an application gives back a token of its own."""

from identity.authn.revocation_notices import tell_subject_ended, tell_token_revoked
from identity.clock import SECOND, Clock
from identity.domain.applications import Application
from identity.domain.events import Event, EventType
from identity.messaging.outbox import Outbox
from identity.oauth2.clients.client_authentication import ClientAuthentication, refuse_query_credentials
from identity.oauth2.errors import OAuthError
from identity.secrets import token_hash
from identity.storage import grants
from identity.storage.database import Database
from identity.storage.events import record
from identity.tokens.issuer import REFRESH_TOKEN_PREFIX
from identity.tokens.reader import AccessToken, TokenReader
from identity.web.messages import NO_STORE_JSON, Request, Response


class RevocationEndpoint:
    def __init__(
        self, clients: ClientAuthentication, reader: TokenReader, database: Database, outbox: Outbox, clock: Clock
    ) -> None:
        self._clients = clients
        self._reader = reader
        self._database = database
        self._outbox = outbox
        self._clock = clock

    async def __call__(self, request: Request) -> Response:
        """200 for whatever token: unknown and foreign ones look like revoked ones (RFC 7009 §2.2)."""
        refuse_query_credentials(request)
        form = request.form()
        caller = await self._clients.authenticate(request, form)
        token = form.get("token")
        if token is None:
            raise OAuthError("invalid_request", "The parameter token is missing.")
        if token.startswith(REFRESH_TOKEN_PREFIX):
            await self._clients.confirm(request, caller)
            await self._revoke_refresh_token(request, caller, token)
        else:
            live = await self._reader.read(request.tenant, token, caller)
            if live is not None and live.application == caller.id:
                await self._revoke_access_token(request, caller, live, token)
        return Response(200, b"", list(NO_STORE_JSON))

    async def _revoke_refresh_token(self, request: Request, caller: Application, token: str) -> None:
        """RFC 7009 §2.1: the access tokens of the same grant go with it."""
        owner = await grants.find_refresh_token_owner(self._database, request.tenant.id, token_hash(token))
        if owner is None or owner[1] != caller.id:
            return
        now = self._clock.now()
        subject = await grants.find_grant_subject(self._database, request.tenant.id, owner[0])
        async with self._database.transaction() as transaction:
            if await grants.revoke_grant(transaction, request.tenant.id, owner[0], now):
                if subject:
                    await tell_subject_ended(self._outbox, transaction, request.tenant, subject)
                await record(transaction, self._event(request, EventType.GRANT_REVOKED, caller, owner[0], now))

    async def _revoke_access_token(
        self, request: Request, caller: Application, token: AccessToken, presented: str
    ) -> None:
        now = self._clock.now()
        grant = token.state.grant
        async with self._database.transaction() as transaction:
            await grants.revoke_access_token(
                transaction,
                request.tenant.id,
                token.hash,
                application=caller.id,
                grant=grant,
                expires_at=token.expires_at * SECOND,
                at=now,
            )
            await tell_token_revoked(
                self._outbox,
                transaction,
                request.tenant,
                token=presented if token.claims is None else token.claims["jti"],
                is_jwt=token.claims is not None,
                expires_at=token.expires_at,
                user=token.state.subject_username or caller.client_id,
                client_id=caller.client_id,
            )
            await record(transaction, self._event(request, EventType.TOKEN_REVOKED, caller, grant, now))

    def _event(self, request: Request, event: EventType, caller: Application, grant: str, now: int) -> Event:
        return Event(
            tenant=request.tenant.id,
            type=event,
            at=now,
            application=caller.id,
            grant=grant,
            address=request.address,
            trace_id=request.trace_id,
        )
