"""`POST /oauth2/introspect` (RFC 7662, wso2-contracts §1.5): one statement, exact at the moment of asking."""

import re

import msgspec

from identity.authn.api_access import AccessDenied, ApiAccess
from identity.clock import Clock, seconds
from identity.domain.applications import Application
from identity.oauth2.clients.client_authentication import ClientAuthentication, refuse_query_credentials
from identity.oauth2.errors import OAuthError, invalid_client
from identity.oauth2.family import Families
from identity.oauth2.introspection_answer import Active, active_answer, may_know_name
from identity.secrets import Sealer, token_hash
from identity.storage.configuration import Configuration, ConfigurationMoved
from identity.storage.hot import HotStorage
from identity.telemetry import Metrics
from identity.tokens.addresses import issuer_of
from identity.tokens.claims import open_claims, select_claims
from identity.tokens.issuer import REFRESH_TOKEN_PREFIX
from identity.tokens.keyring import Keyring
from identity.tokens.reader import AccessToken, TokenReader
from identity.tokens.responses import ResponseTokens
from identity.tokens.subjects import shown_subject
from identity.web.messages import NO_STORE_JSON, Request, Response

INACTIVE = b'{"active":false}'
_JWT_MEDIA_TYPE = "application/token-introspection+jwt"
INTROSPECT_SCOPE = "internal_oauth2_introspect"


class IntrospectionEndpoint:
    def __init__(
        self,
        clients: ClientAuthentication,
        access: ApiAccess,
        reader: TokenReader,
        configuration: Configuration,
        hot: HotStorage,
        families: Families,
        keyring: Keyring,
        responses: ResponseTokens,
        sealer: Sealer,
        metrics: Metrics,
        base_url: str,
        clock: Clock,
    ) -> None:
        self._clients = clients
        self._access = access
        self._reader = reader
        self._configuration = configuration
        self._hot = hot
        self._families = families
        self._keyring = keyring
        self._responses = responses
        self._sealer = sealer
        self._metrics = metrics
        self._base_url = base_url
        self._clock = clock
        self._encode = msgspec.json.Encoder().encode

    async def __call__(self, request: Request) -> Response:
        refuse_query_credentials(request)
        form = request.form()
        caller, any_token = await self._caller(request, form)
        token = form.get("token")
        if token is None:
            raise OAuthError("invalid_request", "The parameter token is missing.")
        if caller is None:
            answer = await self._for_administrator(request, token)
            self._metrics.introspected("inactive" if answer is None else "active")
            return Response(200, INACTIVE if answer is None else self._encode(answer), list(NO_STORE_JSON))
        if token.startswith(REFRESH_TOKEN_PREFIX):
            answer = await self._refresh_token(request, caller, token)
        else:
            wanted = set(form["required_claims"].split(",")) if "required_claims" in form else set()
            answer = await self._access_token(request, caller, token, any_token=any_token, wanted=wanted)
        self._metrics.introspected("inactive" if answer is None else "active")
        body = INACTIVE if answer is None else self._encode(answer)
        accept = request.header(b"accept") or ""
        if "jwt" in accept.lower() and _asks_for_jwt(accept):
            return await self._as_jwt(request, caller, body)
        return Response(200, body, list(NO_STORE_JSON))

    async def _as_jwt(self, request: Request, caller: Application, body: bytes) -> Response:
        """RFC 9701 §5: the same answer, signed for the caller, so that it can be shown later."""
        claims = {
            "iss": issuer_of(self._base_url, request.tenant.tenant),
            "aud": caller.client_id,
            "iat": seconds(self._clock.now()),
            "token_introspection": msgspec.json.decode(body),
        }
        token = await self._responses.protect(
            request.tenant,
            caller,
            claims,
            typ="token-introspection+jwt",
            sign=caller.introspection_signed_response_alg or request.tenant.settings.default_algorithm,
            encrypt_alg=caller.introspection_encrypted_response_alg,
            encrypt_enc=caller.introspection_encrypted_response_enc,
        )
        return Response(200, token.encode(), [(b"content-type", _JWT_MEDIA_TYPE.encode()), *NO_STORE_JSON[1:]])

    async def _caller(self, request: Request, form: dict[str, str]) -> tuple[Application | None, bool]:
        """Who asks, and whether every token is theirs to ask about (decision 5).

        An application by its credentials, or by an access token with `internal_oauth2_introspect` (RFC 7662 §2.1;
        Ballerina's services introspect so, wso2-contracts §7.10); or, None, a person who has that scope by a role,
        with Basic credentials or a client certificate, as an API manager's connector asks (§7.1, §7.7).
        """
        header = request.header(b"authorization")
        if header is not None and header.partition(" ")[0].lower() in ("bearer", "dpop"):
            return (await self._access.require(request, INTROSPECT_SCOPE)).application, True
        try:
            caller = await self._clients.authenticate(request, form)
        except OAuthError as error:
            if error.code != "invalid_client" or not await self._access.may_be_person(request, form):
                raise
            try:
                await self._access.require(request, INTROSPECT_SCOPE)
            except AccessDenied as denied:
                # Whoever it may be, it is told as RFC 6749 §5.2 has it.
                raise (error if denied.status == 401 else denied) from None
            return None, True
        if caller.public:
            # RFC 7662 §2.1: the endpoint must not be a token scanner for anybody.
            raise invalid_client("public clients may not introspect", challenge=False)
        return caller, caller.may_introspect_any or INTROSPECT_SCOPE in caller.management_scopes

    async def _for_administrator(self, request: Request, token: str) -> Active | None:
        """A person's question: about access tokens, since refresh tokens are their clients' own affair."""
        live = await self._reader.read(request.tenant, token, None)
        if live is None:
            return None
        return active_answer(None, live, await self._configuration.client_id_of(request.tenant, live.application))

    async def _access_token(
        self, request: Request, caller: Application, token: str, *, any_token: bool, wanted: set[str]
    ) -> Active | None:
        live = await self._reader.read(request.tenant, token, caller, with_claims=bool(wanted))
        if live is None or not (any_token or _may_know(caller, live)):
            return None
        client_id = (
            caller.client_id
            if live.application == caller.id
            else await self._configuration.client_id_of(request.tenant, live.application)
        )
        answer = active_answer(caller, live, client_id)
        if wanted:
            answer.token_string = self._claims_token(request, caller, live, wanted)
        return answer

    def _claims_token(self, request: Request, caller: Application, live: AccessToken, wanted: set[str]) -> str:
        """`token_string` (wso2-contracts §1.5): the asked claims of the person as a JWT for the caller."""
        state, now = live.state, seconds(self._clock.now())
        claims = open_claims(self._sealer, state.claims, state.grant) if state.claims else {}
        content = {
            **select_claims(claims, wanted),
            "iss": issuer_of(self._base_url, request.tenant.tenant),
            "sub": self._name_for(request, caller, live),
            "aud": caller.client_id,
            "iat": now,
            "exp": live.expires_at,
        }
        return self._keyring.of(request.tenant).signing(request.tenant.settings.default_algorithm).sign(content, "JWT")

    @staticmethod
    def _name_for(request: Request, caller: Application, live: AccessToken) -> str:
        if not live.subject:
            return caller.client_id
        if may_know_name(caller) and live.state.subject_username:
            return live.state.subject_username
        return shown_subject(request.tenant, caller, live.subject)

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


def _asks_for_jwt(accept: str) -> bool:
    """RFC 9701 §4. Only where it is named: `*/*` means JSON, and so does a quality of 0 (RFC 9110 §12.5.1)."""
    for media_range in accept.split(","):
        name, *parameters = (part.strip().lower() for part in media_range.split(";"))
        if name == _JWT_MEDIA_TYPE:
            return not any(re.fullmatch(r"q=0(\.0*)?", parameter) for parameter in parameters)
    return False
