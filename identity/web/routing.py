"""One path table for the whole server, and the ASGI application that walks it.

Paths match to the byte: an encoded, doubled or trailing slash is another path and finds nothing (attack class 25). Only
a variable that stands for a name of somebody's own making may be encoded, where its route says so.
Every route declares its permission; what it leaves out is refused.
"""

import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

from identity.clock import Clock
from identity.domain.tenants import ROOT_HANDLE, Tenant
from identity.errors import IdentityError, Unavailable
from identity.storage.configuration import Configuration, ConfigurationMoved, TenantConfiguration
from identity.web.client_address import ClientAddress
from identity.web.client_certificate import ClientCertificates
from identity.web.cors import Cors
from identity.web.csrf import same_origin
from identity.web.failures import NOBODY, ErrorKind, Failures
from identity.web.messages import Headers, Request, Response
from identity.web.path_values import match_path, path_value

if TYPE_CHECKING:
    from identity.telemetry import Metrics, Tracing

Endpoint = Callable[[Request], Awaitable[Response]]
Scope = Any
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]

_TENANT_PATH = re.compile(rb"/t/([a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?)(/.*)")
# RFC 8414 §3.1 puts the well-known part before the issuer's path, hence before the tenant.
_WELL_KNOWN = re.compile(
    rb"(/\.well-known/(?:openid-configuration|oauth-authorization-server|oauth-protected-resource))"
    rb"(/t/[a-z0-9.-]{1,63})(/oauth2/token)?"
)
_WITHOUT_BODY = frozenset({"GET", "HEAD"})
_RERUNS = 3
_FOR_TOKENS = (b"Bearer ", b"DPoP ")
_MACHINE = TenantConfiguration(tenant=NOBODY, keys=(), stores=(), checked_at=0)
"""Stands for a tenant where there is none to read."""


class Permission(StrEnum):
    """Who may call a route. The endpoint named beside it enforces what needs the request's content."""

    PUBLIC = "public"
    """Anybody: it tells nothing about a person and changes nothing of anybody's."""
    CLIENT = "client"
    """An application that authenticates (oauth2.clients.client_authentication)."""
    ACCESS_TOKEN = "access_token"
    """Whoever holds a live access token (tokens.bearer)."""
    FLOW = "flow"
    """The browser that began the flow (authn.cookies)."""
    SESSION = "session"
    """A browser with a live session (authn.sso_sessions)."""
    API = "api"
    """A caller whose token, roles or certificate grant one of the route's scopes (authn.api_access)."""
    ACCOUNT = "account"
    """A person, for their own account: their access token grants one of the route's scopes (authn.api_access)."""
    OPERATOR = "operator"
    """The machine's own network (operations)."""


_TAKES_PROOFS = frozenset({Permission.CLIENT, Permission.ACCESS_TOKEN, Permission.API, Permission.ACCOUNT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """`path` begins below the tenant's prefix; a segment `{name}` takes any one segment.

    `exact` marks the token road: it gets the cached tenant, compares versions itself, and is run again when they
    have moved on. `same_origin` refuses unsafe methods from other origins. `any_host` marks what belongs to the machine
    instead of a tenant: it answers under every host name, and while the database does not.
    """

    name: str
    methods: tuple[Literal["GET", "POST", "PUT", "PATCH", "DELETE"], ...]
    path: str
    endpoint: Endpoint
    permission: Permission
    errors: ErrorKind = "json"
    exact: bool = False
    same_origin: bool = False
    cors: Literal["none", "any", "registered"] = "none"
    body_limit: int = 65_536
    any_host: bool = False
    scopes: tuple[str, ...] = ()
    """With Permission.API and Permission.ACCOUNT: one of these has to be granted."""
    encoded: bool = False
    """Variable segments may be percent-encoded, as names with a slash in them are (a scope can be a URL)."""
    summary: str = ""
    parameters: tuple[str, ...] = ()
    """What it reads from the query or form, for the OpenAPI document; `*` marks a required one."""


class TooLarge(IdentityError):
    def __init__(self) -> None:
        super().__init__("invalid_request", "The body is too large.", status=413)
        self.headers: Headers = [(b"connection", b"close")]


class Router:
    """The ASGI application."""

    def __init__(
        self,
        routes: Iterable[Route],
        *,
        configuration: Configuration,
        failures: Failures,
        cors: Cors,
        addresses: ClientAddress,
        base_url: str,
        certificates: ClientCertificates,
        resource_metadata: Callable[[Tenant], str],
        dpop_nonce: Callable[[int], str],
        hosts: frozenset[bytes],
        metrics: "Metrics",
        tracing: "Tracing",
        clock: Clock,
        lifespan: Callable[[Receive, Send], Awaitable[None]],
    ) -> None:
        self._exact: dict[tuple[bytes, str], Route] = {}
        self._prefixed: dict[tuple[bytes, str], Route] = {}
        self._methods: dict[bytes, set[str]] = {}
        self._prefixed_methods: dict[bytes, set[str]] = {}
        self._patterns: dict[tuple[int, str], list[tuple[list[bytes], Route]]] = {}
        for route in routes:
            self._add(route)
        self._configuration = configuration
        self._failures = failures
        self._cors = cors
        self._addresses = addresses
        self._certificates = certificates
        self._resource_metadata = resource_metadata
        self._dpop_nonce = dpop_nonce
        self._base_url = base_url
        self._hosts = hosts
        own = base_url.partition("//")[2].encode()
        # A proxy may write the default port out; sending it elsewhere would never end.
        self._own = frozenset({own, own + b":443", own + b":80"})
        self._metrics = metrics
        self._tracing = tracing
        self._clock = clock
        self._lifespan = lifespan

    @property
    def routes(self) -> list[Route]:
        """Every route once, in the order of their paths: for the OpenAPI document and the permission test."""
        patterns = (route for places in self._patterns.values() for _, route in places)
        found = {id(route): route for route in (*self._exact.values(), *self._prefixed.values(), *patterns)}
        return sorted(found.values(), key=lambda route: (route.path, route.methods))

    def _add(self, route: Route) -> None:
        head, brace, rest = route.path.partition("{")
        if "/" in rest:
            segments = route.path.encode().split(b"/")
            for method in (*route.methods, *(("HEAD",) if "GET" in route.methods else ())):
                self._patterns.setdefault((len(segments), method), []).append((segments, route))
            return
        table, key = (self._prefixed, head) if brace else (self._exact, route.path)
        known = self._prefixed_methods if brace else self._methods
        for method in route.methods:
            if table.setdefault((key.encode(), method), route) is not route:
                raise AssertionError(f"two routes for {method} {route.path}")
            known.setdefault(key.encode(), set()).add(method)
            if method == "GET":
                table[(key.encode(), "HEAD")] = route

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        if scope["type"] != "http":
            return
        started = self._clock.now()
        path: bytes = scope["raw_path"]
        method: str = scope["method"]
        handle = ROOT_HANDLE
        route = self._exact.get((path, method))
        values: dict[str, str] = {}
        if route is None:
            if path.startswith(b"/.well-known/") and (match := _WELL_KNOWN.fullmatch(path)):
                path = match[2] + match[1] + (match[3] or b"")
            if path.startswith(b"/t/") and (match := _TENANT_PATH.fullmatch(path)):
                handle, path = match[1].decode(), match[2]
                route = self._exact.get((path, method))
                if route is not None and route.any_host:
                    # Health and metrics are the installation's, no tenant's.
                    route, path = None, b""
            if route is None:
                route, values = self._find_variable(path, method)
        span = self._tracing.start(scope["headers"], route.name if route else "unknown")
        if route is None:
            response = await self._unrouted(scope, path, method)
        else:
            response = await self._answer(route, handle, values, scope, receive)
        await _send(response, send, head_only=method == "HEAD")
        self._metrics.request(route.name if route else "unknown", response.status, self._clock.now() - started)
        if span is not None:
            span.end(response.status)

    def _find_variable(self, path: bytes, method: str) -> tuple[Route | None, dict[str, str]]:
        """The route with a variable segment that takes this path, and what its variables are."""
        head, _, last = path.rpartition(b"/")
        route = self._prefixed.get((head + b"/", method))
        if route is not None and (value := path_value(last, encoded=route.encoded)) is not None:
            return route, {route.path.rpartition("{")[2][:-1]: value}
        if path.startswith(b"/static/"):
            return self._prefixed.get((b"/static/", method)), {"file": path[len(b"/static/") :].decode("latin-1")}
        parts = path.split(b"/")
        for segments, candidate in self._patterns.get((len(parts), method), ()):
            values = match_path(segments, parts, encoded=candidate.encoded)
            if values is not None:
                return candidate, values
        return None, {}

    def _methods_of(self, path: bytes) -> set[str]:
        known = self._methods.get(path) or self._prefixed_methods.get(path.rpartition(b"/")[0] + b"/")
        if known:
            return known
        parts = path.split(b"/")
        return {
            method
            for (count, method), places in self._patterns.items()
            if count == len(parts)
            and any(match_path(segments, parts, encoded=route.encoded) is not None for segments, route in places)
        }

    async def _unrouted(self, scope: Scope, path: bytes, method: str) -> Response:
        methods = self._methods_of(path)
        if method == "OPTIONS" and methods:
            return await self._preflight(scope, path)
        if methods:
            allow = ", ".join(sorted(methods)).encode()
            return Response(405, b"Method Not Allowed\n", [(b"allow", allow), (b"content-type", b"text/plain")])
        return self._failures.not_found(scope["headers"])

    async def _preflight(self, scope: Scope, path: bytes) -> Response:
        route = self._exact.get((path, "POST")) or self._exact.get((path, "GET")) or self._find_variable(path, "GET")[0]
        if route is None or route.cors == "none":
            return Response(405, b"", [(b"content-type", b"text/plain")])
        match = _TENANT_PATH.fullmatch(scope["raw_path"])
        try:
            tenant = await self._configuration.recent(match[1].decode() if match else ROOT_HANDLE)
            return await self._cors.preflight(scope["headers"], tenant, route.cors)
        except Exception as error:
            return self._failures.failed(None, route.errors, scope["headers"], error)

    async def _answer(
        self, route: Route, handle: str, values: dict[str, str], scope: Scope, receive: Receive
    ) -> Response:
        headers: Headers = scope["headers"]
        request: Request | None = None
        try:
            if not route.any_host:
                host = _host_of(headers)
                if host not in self._hosts:
                    return self._failures.unknown_host()
                if host not in self._own and route.errors == "page" and scope["method"] == "GET":
                    return self._at_base(scope)
            tenant = self._configuration.cached(handle) if route.exact else None
            if route.any_host:
                tenant = _MACHINE
            if tenant is None:
                tenant = await self._configuration.recent(handle)
                if tenant is None:
                    return self._failures.not_found(headers)
            method = scope["method"]
            body = b""
            if method not in _WITHOUT_BODY:
                if route.same_origin and not same_origin(headers, self._base_url):
                    return self._failures.foreign_origin(headers, tenant)
                body = await _read_body(headers, receive, route.body_limit)
            presented = self._certificates.of(scope)
            request = Request(
                method=method,
                path=scope["path"],
                query_string=scope["query_string"],
                headers=headers,
                body=body,
                tenant=tenant,
                route=route,
                path_value=next(reversed(values.values()), ""),
                path_values=values,
                address=self._address(scope["client"], headers),
                client_certificate=presented.certificate,
                certificate_chain=presented.chain,
            )
            response = await self._run(route, request)
            await self._complete(request, route, response)
            return response
        except Exception as error:
            return await self._failed(request, route, headers, error)

    async def _run(self, route: Route, request: Request) -> Response:
        for _ in range(_RERUNS):
            try:
                return await route.endpoint(request)
            except ConfigurationMoved:
                tenant = await self._configuration.reload(request.tenant)
                if tenant is None:
                    return self._failures.not_found(request.headers)
                request.tenant = tenant
        raise Unavailable("the configuration changed with every try")

    async def _failed(self, request: Request | None, route: Route, headers: Headers, error: Exception) -> Response:
        response = self._failures.failed(request, route.errors, headers, error)
        if request is not None and response.status in (401, 403):
            self._name_resource_metadata(request, response)
        if request is not None:
            try:
                await self._complete(request, route, response)
            except IdentityError:
                return response
        return response

    async def _complete(self, request: Request, route: Route, response: Response) -> None:
        """Headers that answers have because of the tenant and the caller's origin."""
        if request.tenant.settings.dpop_nonce_required and route.permission in _TAKES_PROOFS:
            # RFC 9449 §8, §9: the next request will need it, whatever became of this one.
            response.headers.append((b"dpop-nonce", self._dpop_nonce(request.tenant.id).encode()))
        if route.cors != "none":
            await self._cors.expose(request, response, route.cors)

    def _name_resource_metadata(self, request: Request, response: Response) -> None:
        """RFC 9728 §5.1: a challenge for a token says where to learn how to get one."""
        place = b', resource_metadata="' + self._resource_metadata(request.tenant.tenant).encode() + b'"'
        response.headers = [
            (name, value + place if name == b"www-authenticate" and value.startswith(_FOR_TOKENS) else value)
            for name, value in response.headers
        ]

    def _address(self, client: tuple[str, int] | None, headers: Headers) -> str:
        forwarded = [value.decode("latin-1") for name, value in headers if name == b"x-forwarded-for"]
        return self._addresses.resolve(client[0] if client else "", forwarded)

    def _at_base(self, scope: Scope) -> Response:
        """The same page at the base address: cookies and forms belong to one origin, whatever name it was called by."""
        query = scope["query_string"]
        location = self._base_url.encode() + scope["raw_path"] + (b"?" + query if query else b"")
        return Response(307, headers=[(b"location", location), (b"cache-control", b"no-store")])


def _host_of(headers: Headers) -> bytes | None:
    """The Host header, when there is exactly one (RFC 9110 §7.2); links are never made from it (attack class 20)."""
    host: bytes | None = None
    for name, value in headers:
        if name == b"host":
            if host is not None:
                return None
            host = value
    return host


async def _read_body(headers: Headers, receive: Receive, limit: int) -> bytes:
    """The whole body; `http_protocol` ends those that are too slow. Raises IdentityError 413, or 400 when it breaks."""
    for name, value in headers:
        if name == b"content-length" and (len(value) > 12 or int(value) > limit):
            raise TooLarge
    body: bytes = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            # RFC 9112 §8: half a message is no request; nothing may be done for it.
            raise IdentityError("invalid_request", "The request is incomplete.")
        body += message.get("body", b"")
        if len(body) > limit:
            raise TooLarge
        if not message.get("more_body"):
            return body


async def _send(response: Response, send: Send, *, head_only: bool) -> None:
    headers = [*response.headers, (b"content-length", str(len(response.body)).encode())]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head_only else response.body})
