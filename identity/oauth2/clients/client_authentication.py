"""Who is calling, by any of the methods (RFC 6749 §2.3, RFC 7523 §2.2, RFC 8705 §2), one of them per request.

An application registers its method, and no other is taken from it; only a secret may come by header or by form
whichever of the two it registered, since both show the same (RFC 6749 §2.3.1).
"""

import base64
from collections import OrderedDict
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote_to_bytes

from identity.clock import Clock
from identity.domain.applications import Application
from identity.errors import IdentityError
from identity.oauth2.clients.client_assertion import ASSERTION_TYPE, ClientAssertions, claimed_client
from identity.oauth2.clients.client_certificates import CertificateAuthentication
from identity.oauth2.errors import OAuthError, TooManyRequests, invalid_client
from identity.secrets import Sealer
from identity.storage.configuration import Configuration, ConfigurationMoved
from identity.telemetry import Metrics
from identity.web.messages import Request
from identity.web.rate_limits import RateLimits

CACHED_HEADERS = 4096
CACHED_HEADER = 1024
"""Letters: anybody can send headers, and longer ones are nobody's."""

_ASSERTION = frozenset({"client_assertion", "client_assertion_type"})
_PROOFS = _ASSERTION | {"client_secret"}
_SECRETS = frozenset({"client_secret_basic", "client_secret_post"})
_PRESENTED = {
    "client_secret_basic": "client_secret_basic",
    "client_secret_post": "client_secret_post",
    "client_secret_jwt": "client_assertion",
    "private_key_jwt": "client_assertion",
    # RFC 8705 §2: with a certificate, client_id tells whose it is.
    "tls_client_auth": "none",
    "self_signed_tls_client_auth": "none",
    "none": "none",
}
"""How each method looks in a request."""


@dataclass(slots=True)
class Credentials:
    """`proof` is a secret or an assertion; `proved` is the application, as it was cached then, that the secret was
    compared with and belonged to."""

    client_id: str
    proof: str
    method: Literal["client_secret_basic", "client_secret_post", "client_assertion", "none"]
    proved: Application | None = None


class ClientAuthentication:
    """Authenticates against the cached application; whoever relies on it compares the application's version."""

    def __init__(
        self,
        configuration: Configuration,
        assertions: ClientAssertions,
        certificates: CertificateAuthentication,
        sealer: Sealer,
        limits: RateLimits,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self._configuration = configuration
        self._assertions = assertions
        self._certificates = certificates
        self._limits = limits
        self._metrics = metrics
        self._sealer = sealer
        self._clock = clock
        self._headers: OrderedDict[str, Credentials] = OrderedDict()

    async def authenticate(self, request: Request, form: dict[str, str]) -> Application:
        """The calling application. Raises OAuthError invalid_client, the same for every cause."""
        credentials = self._credentials(request, form)
        challenge = credentials.method == "client_secret_basic"
        application = await self._configuration.application(request.tenant, credentials.client_id)
        if application is None:
            raise invalid_client("unknown client", challenge=challenge)
        cause = None
        if credentials.proved is not application:
            cause = await self._refusal(request, application, credentials)
        if cause is None:
            limit = request.tenant.settings.token_limit_client
            if limit.count and not self._limits.allow((request.tenant.id, application.client_id), limit):
                self._metrics.limited("token")
                raise TooManyRequests(self._limits.retry_after((request.tenant.id, application.client_id), limit))
            return application
        # The refusal may rest on a cached secret that was replaced meanwhile: ask once, exactly.
        current = await self._configuration.exact_application(request.tenant, credentials.client_id)
        if current is not None and not _same(current, application):
            raise ConfigurationMoved
        raise invalid_client(cause, challenge=challenge)

    async def confirm(self, request: Request, application: Application) -> None:
        """Before a refusal or an act that no statement of the token road guards: raise ConfigurationMoved when the
        application or its tenant are no longer as cached."""
        current = await self._configuration.load_application(request.tenant, application.client_id)
        tenant = await self._configuration.load(request.tenant.tenant.handle)
        if current is None or not _same(current, application) or tenant is not request.tenant:
            raise ConfigurationMoved

    async def _refusal(self, request: Request, application: Application, credentials: Credentials) -> str | None:
        """Why it is not the application, or may not be it in this way, for the log; None when it is."""
        if not application.enabled:
            return "disabled client"
        expected, rules = application.token_endpoint_auth_method, application.rules
        if rules.auth_methods is not None and expected not in rules.auth_methods:
            return "the profile forbids the registered method"
        if credentials.method != _PRESENTED[expected] and not {expected, credentials.method} <= _SECRETS:
            return f"{credentials.method} instead of {expected}"
        match expected:
            case "client_secret_basic" | "client_secret_post":
                return self._wrong_secret(application, credentials)
            case "client_secret_jwt" | "private_key_jwt":
                return await self._assertions.refusal(request, application, credentials.proof)
            case "tls_client_auth" | "self_signed_tls_client_auth":
                return await self._certificates.refusal(request, application)
            case "none":
                return None

    def _wrong_secret(self, application: Application, credentials: Credentials) -> str | None:
        now = self._clock.now()
        matches = False
        for secret in application.secrets:
            live = secret.expires_at is None or secret.expires_at > now
            matches |= self._sealer.matches(credentials.proof, secret.fingerprint) and live
        if not matches:
            return "wrong secret"
        if all(secret.expires_at is None for secret in application.secrets):
            # Whatever changes of the application or its secrets, the cache then holds another object.
            credentials.proved = application
        return None

    def _credentials(self, request: Request, form: dict[str, str]) -> Credentials:
        header = request.header(b"authorization")
        if header is not None:
            credentials = self._headers.get(header) or self._parse_basic(header)
            if not form.keys().isdisjoint(_PROOFS) or form.get("client_id", credentials.client_id) != (
                credentials.client_id
            ):
                raise _two_methods()
            return credentials
        if not form.keys().isdisjoint(_ASSERTION):
            return _assertion(form)
        client_id = form.get("client_id")
        if client_id is None:
            raise invalid_client("no client credentials", challenge=True)
        secret = form.get("client_secret")
        if secret is None:
            return Credentials(client_id, "", "none")
        return Credentials(client_id, secret, "client_secret_post")

    def _parse_basic(self, header: str) -> Credentials:
        scheme, _, value = header.partition(" ")
        if scheme.lower() != "basic":
            raise invalid_client("not Basic", challenge=True)
        try:
            name, separator, password = base64.b64decode(value.strip(), validate=True).partition(b":")
            client_id, secret = _form_decoded(name), _form_decoded(password)
        except ValueError:  # binascii.Error, UnicodeDecodeError and, for letters beyond ASCII, ValueError itself
            raise invalid_client("malformed Basic", challenge=True) from None
        if not separator or not client_id or "\0" in client_id + secret:
            raise invalid_client("malformed Basic", challenge=True)
        credentials = Credentials(client_id, secret, "client_secret_basic")
        if len(header) <= CACHED_HEADER:
            self._headers[header] = credentials
        if len(self._headers) > CACHED_HEADERS:
            self._headers.popitem(last=False)
        return credentials


def _assertion(form: dict[str, str]) -> Credentials:
    """RFC 7521 §4.2: `client_id` may be left out, since the assertion names the client."""
    if "client_secret" in form:
        raise _two_methods()
    assertion = form.get("client_assertion", "")
    if form.get("client_assertion_type") != ASSERTION_TYPE or not assertion:
        raise invalid_client("client_assertion without its type, or the other way round", challenge=False)
    client_id = claimed_client(assertion)
    if form.get("client_id", client_id) != client_id:
        raise invalid_client("client_id is not the assertion's sub", challenge=False)
    return Credentials(client_id, assertion, "client_assertion")


def _two_methods() -> OAuthError:
    # RFC 6749 §2.3: a client must not use more than one authentication method in a request.
    return OAuthError("invalid_request", "Use one way of client authentication, not two.")


def _same(current: Application, cached: Application) -> bool:
    """A client id that was deleted and registered anew begins at version 1 again, under another id."""
    return (current.id, current.version) == (cached.id, cached.version)


def _form_decoded(value: bytes) -> str:
    """RFC 6749 §2.3.1: both parts are form-urlencoded before base64."""
    return unquote_to_bytes(value.replace(b"+", b" ")).decode()


def refuse_query_credentials(request: Request) -> None:
    """RFC 6749 §2.3.1: credentials must not be in the request URI (decision 24), nor what else belongs in the body."""
    if request.query_string:
        try:
            query = request.query()
        except IdentityError as error:
            raise OAuthError("invalid_request", error.public) from None
        misplaced = {name.rstrip("*") for name in request.route.parameters} | _PROOFS | {"password"}
        if query.keys() & misplaced:
            raise OAuthError("invalid_request", "Send parameters in the body, never in the address.")
