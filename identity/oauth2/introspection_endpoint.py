"""`POST /oauth2/introspect` (RFC 7662, wso2-contracts §1.5): one statement, exact at the moment of asking."""

from typing import Any

import msgspec

from identity.clock import Clock, seconds
from identity.domain.applications import Application
from identity.oauth2.client_authentication import ClientAuthentication, refuse_query_credentials
from identity.oauth2.errors import OAuthError, invalid_client
from identity.oauth2.family import Families
from identity.secrets import token_hash
from identity.storage.configuration import Configuration, ConfigurationMoved
from identity.storage.hot import HotStorage
from identity.telemetry import Metrics
from identity.tokens.bearer import BearerError, require_bearer
from identity.tokens.issuer import REFRESH_TOKEN_PREFIX
from identity.tokens.reader import AccessToken, TokenReader
from identity.web.messages import NO_STORE_JSON, Request, Response

INACTIVE = b'{"active":false}'
INTROSPECT_SCOPE = "internal_oauth2_introspect"


class Active(msgspec.Struct):
    """The answer for a live token. Empty members are left out; `aud` is a string when it is one (contracts §7.10)."""

    active: bool | msgspec.UnsetType = msgspec.UNSET
    scope: str | msgspec.UnsetType = msgspec.UNSET
    client_id: str | msgspec.UnsetType = msgspec.UNSET
    username: str | msgspec.UnsetType = msgspec.UNSET
    token_type: str | msgspec.UnsetType = msgspec.UNSET
    exp: int | msgspec.UnsetType = msgspec.UNSET
    iat: int | msgspec.UnsetType = msgspec.UNSET
    nbf: int | msgspec.UnsetType = msgspec.UNSET
    aut: str | msgspec.UnsetType = msgspec.UNSET
    aud: Any = msgspec.UNSET
    jti: str | msgspec.UnsetType = msgspec.UNSET
    sub: str | msgspec.UnsetType = msgspec.UNSET
    iss: str | msgspec.UnsetType = msgspec.UNSET


class IntrospectionEndpoint:
    def __init__(
        self,
        clients: ClientAuthentication,
        reader: TokenReader,
        configuration: Configuration,
        hot: HotStorage,
        families: Families,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self._clients = clients
        self._reader = reader
        self._configuration = configuration
        self._hot = hot
        self._families = families
        self._metrics = metrics
        self._clock = clock
        self._encode = msgspec.json.Encoder().encode

    async def __call__(self, request: Request) -> Response:
        refuse_query_credentials(request)
        form = request.form()
        caller, any_token = await self._caller(request, form)
        token = form.get("token")
        if token is None:
            raise OAuthError("invalid_request", "The parameter token is missing.")
        if token.startswith(REFRESH_TOKEN_PREFIX):
            answer = await self._refresh_token(request, caller, token)
        else:
            answer = await self._access_token(request, caller, token, any_token=any_token)
        self._metrics.introspected("inactive" if answer is None else "active")
        return Response(200, INACTIVE if answer is None else self._encode(answer), list(NO_STORE_JSON))

    async def _caller(self, request: Request, form: dict[str, str]) -> tuple[Application, bool]:
        """Who asks, and whether every token is theirs to ask about (decision 5).

        An application by its credentials, or by an access token with `internal_oauth2_introspect` (RFC 7662 §2.1;
        Ballerina's services introspect so, wso2-contracts §7.10).
        """
        header = request.header(b"authorization")
        if header is not None and header[:7].lower() == "bearer ":
            token = await require_bearer(self._reader, request)
            if INTROSPECT_SCOPE not in token.scope.split():
                raise BearerError(403, "insufficient_scope", f"The access token needs the scope {INTROSPECT_SCOPE}.")
            client_id = await self._configuration.client_id_of(request.tenant, token.application)
            caller = await self._configuration.application(request.tenant, client_id) if client_id else None
            if caller is None:
                raise BearerError(401, "invalid_token", "The access token is not valid.")
            return caller, True
        caller = await self._clients.authenticate(request, form)
        if caller.public:
            # RFC 7662 §2.1: the endpoint must not be a token scanner for anybody.
            raise invalid_client("public clients may not introspect", challenge=False)
        return caller, caller.may_introspect_any

    async def _access_token(
        self, request: Request, caller: Application, token: str, *, any_token: bool
    ) -> Active | None:
        live = await self._reader.read(request.tenant, token, caller)
        if live is None or not (any_token or _may_know(caller, live)):
            return None
        client_id = (
            caller.client_id
            if live.application == caller.id
            else await self._configuration.client_id_of(request.tenant, live.application)
        )
        answer = Active(
            True,
            live.scope or msgspec.UNSET,
            client_id or msgspec.UNSET,
            token_type="Bearer",  # noqa: S106
            exp=live.expires_at,
            iat=live.issued_at,
            nbf=live.issued_at,
            aud=live.audience[0] if len(live.audience) == 1 else live.audience,
        )
        if live.state.grant or live.subject:
            answer.username = live.state.subject_username or msgspec.UNSET
            answer.aut = "APPLICATION_USER"
        else:
            answer.aut = "APPLICATION"
        if live.claims is not None:
            answer.jti, answer.sub, answer.iss = live.claims["jti"], live.claims["sub"], live.claims["iss"]
        return answer

    async def _refresh_token(self, request: Request, caller: Application, token: str) -> Active | None:
        """A client may ask about its own refresh tokens; those of others are inactive (decision 5)."""
        state = await self._hot.read_refresh_token(request.tenant.id, token_hash(token), caller.id)
        if state.tenant_version != request.tenant.tenant.version or state.caller_version != caller.version:
            raise ConfigurationMoved
        live = (
            state.found
            and state.application == caller.id
            and state.closed_at is None
            and state.expires_at > self._clock.now()
            and self._families.stands(state)
            and (state.first_used_at is None or not caller.rotate_refresh_tokens)
        )
        if not live:
            return None
        return Active(
            True,
            state.scope or msgspec.UNSET,
            caller.client_id,
            token_type="Refresh",  # noqa: S106
            exp=seconds(state.expires_at),
            aut="APPLICATION_USER",
        )


def _may_know(caller: Application, token: AccessToken) -> bool:
    """Decision 5: its client and its audience; to anybody else but a gateway it is inactive."""
    return token.application == caller.id or caller.client_id in token.audience
