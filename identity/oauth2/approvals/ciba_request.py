"""What a backchannel authentication request asks for (OpenID CIBA Core §7.1, §7.1.1, FAPI-CIBA §5.2.2). Read `CHECKS`.

Every check that fails is answered to the client; nothing here looks for a person.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from identity.clock import SECOND, Clock, seconds
from identity.domain.applications import Application
from identity.domain.keys import SIGNING_ALGORITHMS
from identity.oauth2.authorization.asked_scope import asked_scope
from identity.oauth2.errors import OAuthError
from identity.storage.configuration import TenantConfiguration
from identity.storage.hot import HotStorage
from identity.tokens.addresses import issuer_of
from identity.tokens.client_keys import ClientKeys
from identity.tokens.jose import Claims, InvalidToken, check_times, kid_of
from identity.tokens.single_use import first_use
from identity.web.messages import Request

HINTS = ("login_hint", "id_token_hint", "login_hint_token")
MAXIMUM_BINDING_MESSAGE = 64
MAXIMUM_LIFETIME = 3600
"""FAPI-CIBA §5.2.2 (5, 6) for its profile, and for everybody: a signed request is good for an hour at most."""
MAXIMUM_JTI = 512
SKEW = 10
_TYP = frozenset({None, "JWT", "oauth-authz-req+jwt"})
_OUTSIDE = frozenset({"request", "client_id", "client_secret", "client_assertion", "client_assertion_type"})
_PARAMETERS = frozenset({
    *HINTS, "scope", "binding_message", "acr_values", "requested_expiry", "client_notification_token", "user_code",
    "resource", "authorization_details",
})  # fmt: skip
"""CIBA Core §7.1, RFC 8707, RFC 9396. RFC 7519 §4: other claims are ignored."""
# RFC 6750 §2.1: a bearer token's letters. 22 of them can hold 128 bits (CIBA Core §7.1).
_NOTIFICATION_TOKEN = re.compile(r"(?=.{22,1024}$)[A-Za-z0-9._~+/-]+=*")


@dataclass(slots=True, kw_only=True)
class CibaRequest:
    """A request while it is checked; afterwards nothing else of it is read."""

    parameters: dict[str, str]
    application: Application
    signed: bool
    scope: str = ""
    hint: tuple[str, str] = ("", "")
    """Which of the three, and its value."""
    binding_message: str = ""
    acr_values: str = ""
    lifetime: int | None = None
    """Seconds the client asks for."""
    notification_token: str = ""


def require_signature(request: CibaRequest) -> None:
    application = request.application
    demanded = application.rules.require_signed_ciba_request or application.rules.require_signed_request
    # CIBA Core §4: who registers the algorithm signs.
    if (demanded or application.backchannel_authentication_request_signing_alg) and not request.signed:
        raise OAuthError("invalid_request", "This application must send its request as a signed JWT, in `request`.")


def read_scope(request: CibaRequest) -> None:
    # CIBA Core §7.1: the scope MUST contain openid.
    request.scope = asked_scope(request.application, request.parameters.get("scope", ""))
    if "openid" not in request.scope.split():
        raise OAuthError("invalid_scope", "The scope must contain openid.")


def read_hint(request: CibaRequest) -> None:
    # CIBA Core §7.1: one, and only one, of the hints.
    given = [name for name in HINTS if name in request.parameters]
    if len(given) != 1:
        raise OAuthError("invalid_request", f"Send exactly one of {', '.join(HINTS)}.")
    request.hint = given[0], request.parameters[given[0]]


def read_binding_message(request: CibaRequest) -> None:
    message = request.parameters.get("binding_message", "")
    if len(message) > MAXIMUM_BINDING_MESSAGE or not message.isprintable():
        raise OAuthError(
            "invalid_binding_message",
            f"The binding_message must be 1 to {MAXIMUM_BINDING_MESSAGE} printable letters.",
        )
    # FAPI-CIBA §5.2.2 (3): something must tie what the person sees to what the client means.
    if request.application.rules.require_signed_ciba_request and not (
        message or "authorization_details" in request.parameters
    ):
        raise OAuthError("invalid_binding_message", "The profile fapi_ciba needs a binding_message.")
    request.binding_message = message


def refuse_user_code(request: CibaRequest) -> None:
    # Metadata says backchannel_user_code_parameter_supported: false. Ignored, it would protect nobody.
    if "user_code" in request.parameters:
        raise OAuthError("invalid_request", "The parameter user_code is not supported.")


def read_lifetime(request: CibaRequest) -> None:
    text = request.parameters.get("requested_expiry")
    if text is None:
        return
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text) > 0):
        raise OAuthError("invalid_request", "The requested_expiry must be a positive number of seconds.")
    request.lifetime = int(text)


def read_notification_token(request: CibaRequest) -> None:
    if request.application.backchannel_token_delivery_mode != "ping":
        return
    # CIBA Core §7.1: REQUIRED for ping, with 128 bits that nobody can guess.
    token = request.parameters.get("client_notification_token", "")
    if not _NOTIFICATION_TOKEN.fullmatch(token):
        raise OAuthError(
            "invalid_request", "The client_notification_token must be a bearer token of 22 to 1024 letters."
        )
    request.notification_token = token


def read_acr_values(request: CibaRequest) -> None:
    request.acr_values = request.parameters.get("acr_values", "")[:1024]


CHECKS: tuple[Callable[[CibaRequest], None], ...] = (
    require_signature,
    read_scope,
    read_hint,
    read_binding_message,
    refuse_user_code,
    read_lifetime,
    read_notification_token,
    read_acr_values,
)


class CibaRequests:
    def __init__(self, client_keys: ClientKeys, hot: HotStorage, base_url: str, clock: Clock) -> None:
        self._client_keys = client_keys
        self._hot = hot
        self._base_url = base_url
        self._clock = clock

    async def read(self, http: Request, application: Application, form: dict[str, str]) -> CibaRequest:
        """The checked request, from the form or from the JWT in `request`. Raises OAuthError."""
        signed = "request" in form
        parameters = await self._signed(http, application, form) if signed else form
        request = CibaRequest(parameters=parameters, application=application, signed=signed)
        for check in CHECKS:
            check(request)
        return request

    async def _signed(self, http: Request, application: Application, form: dict[str, str]) -> dict[str, str]:
        # CIBA Core §7.1.1: authentication request parameters MUST NOT be present outside of the JWT.
        outside = sorted(form.keys() - _OUTSIDE)
        if outside:
            raise OAuthError("invalid_request", f"Send {outside[0]} inside the signed request only.")
        try:
            claims = await self._verified(http.tenant, application, form["request"])
            parameters = {name: _text(value) for name, value in claims.items() if name in _PARAMETERS}
        except InvalidToken as error:
            raise OAuthError(
                "invalid_request",
                "The signed request is not valid: it needs iss, aud, exp, iat, nbf and jti, must not be older or "
                "longer than an hour, and must be signed with a registered key.",
                detail=error.detail,
            ) from None
        # The nature of the JWT as a request object depends on nothing outside it, so it is good once.
        spent = sha256(f"ciba_request\0{application.id}\0{claims['jti']}".encode()).digest()
        if not await first_use(self._hot, http, spent, (int(claims["exp"]) + SKEW + 1) * SECOND):
            raise OAuthError("invalid_request", "The signed request was used before: its jti is good once.")
        return parameters

    async def _verified(self, tenant: TenantConfiguration, application: Application, token: str) -> Claims:
        claims = await signed_claims(
            self._client_keys, application, token, _TYP, issuer_of(self._base_url, tenant.tenant)
        )
        if claims.get("client_id", application.client_id) != application.client_id:
            raise InvalidToken("client_id")
        check_times(
            claims,
            seconds(self._clock.now()),
            skew=SKEW,
            maximum_age=MAXIMUM_LIFETIME,
            maximum_lifetime=MAXIMUM_LIFETIME,
            require=("exp", "iat", "nbf"),
        )
        jti = claims.get("jti")
        if not isinstance(jti, str) or not 0 < len(jti) <= MAXIMUM_JTI:
            raise InvalidToken("jti")
        return claims


async def signed_claims(
    client_keys: ClientKeys, application: Application, token: str, typ: frozenset[str | None], issuer: str
) -> Claims:
    """What the application signed for us with a registered key; times are not looked at. Raises InvalidToken."""
    keys = await client_keys.keys_of(application, kid=kid_of(token))
    _, claims = keys.verify(token, request_algorithms(application), typ)
    audience = claims.get("aud")
    listed = audience if isinstance(audience, list) else [audience]
    if claims.get("iss") != application.client_id or issuer not in listed:
        raise InvalidToken("iss or aud")
    return claims


def request_algorithms(application: Application) -> frozenset[str]:
    """What the application may sign its requests and hints with: as registered, and as its profile allows."""
    pinned = application.backchannel_authentication_request_signing_alg
    algorithms = SIGNING_ALGORITHMS if pinned is None else (pinned,)
    return frozenset(filter(application.rules.allows_algorithm, algorithms))


def _text(value: object) -> str:
    """A claim as the form parameter it stands for. Decision 27: `requested_expiry` is a string or a number."""
    if isinstance(value, str) and "\0" not in value:
        return value
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return " ".join(value)
    if type(value) is int or (isinstance(value, float) and value.is_integer()):
        return str(int(value))
    if isinstance(value, list | dict):
        return json.dumps(value)
    raise InvalidToken("a parameter of a type that it cannot have")
