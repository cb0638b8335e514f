"""A request as an endpoint sees it, and the response it returns.

Deliberately small: on the token road every microsecond counts, and one parser of forms, cookies and credentials serves
every endpoint.
"""

from typing import TYPE_CHECKING, Any

import msgspec

from identity.ids import new_trace_id
from identity.web.forms import MalformedForm, RepeatedParameter, parse_cookies, parse_form

if TYPE_CHECKING:
    from identity.storage.configuration import TenantConfiguration
    from identity.web.routing import Route

Headers = list[tuple[bytes, bytes]]

FORM = "application/x-www-form-urlencoded"


class Request:
    """One request. `path_value` is the last variable segment of its route."""

    __slots__ = (
        "_trace_id",
        "address",
        "base_url",
        "body",
        "certificate_chain",
        "client_certificate",
        "headers",
        "method",
        "path",
        "path_value",
        "path_values",
        "query_string",
        "route",
        "spent",
        "tenant",
    )

    def __init__(
        self,
        *,
        method: str,
        path: str,
        query_string: bytes,
        headers: Headers,
        body: bytes,
        tenant: "TenantConfiguration",
        route: "Route",
        path_value: str = "",
        path_values: dict[str, str] | None = None,
        address: str = "",
        client_certificate: bytes | None = None,
        certificate_chain: tuple[bytes, ...] | None = None,
    ) -> None:
        self.method = method
        self.path = path
        self.query_string = query_string
        self.headers = headers
        self.body = body
        self.tenant = tenant
        self.route = route
        self.path_value = path_value
        self.path_values = path_values or {}
        """Every variable segment by its name, for routes with several."""
        self.client_certificate = client_certificate
        """DER; the TLS connection's own, or told by a trusted proxy (RFC 9440)."""
        self.certificate_chain = certificate_chain
        """What the proxy told besides; None when our own TLS has verified the certificate."""
        self.spent: frozenset[bytes] = frozenset()
        """Hashes of the values good once that this request has used (tokens.single_use)."""
        self.address = address
        """The client's address, canonical text; an IPv6 one by its /64 where limits count."""
        self._trace_id = ""

    @property
    def trace_id(self) -> str:
        """Made when first asked for: most requests of the token road never need one."""
        if not self._trace_id:
            self._trace_id = new_trace_id()
        return self._trace_id

    def adopt_trace(self, trace: str) -> None:
        """The request belongs to something longer, whose trace id it takes: a login over several pages."""
        self._trace_id = trace or self._trace_id

    def header(self, name: bytes) -> str | None:
        """A header's value by its lower-case name; raises RepeatedParameter when it came twice."""
        found: bytes | None = None
        for key, value in self.headers:
            if key == name:
                if found is not None:
                    raise RepeatedParameter(name.decode())
                found = value
        return None if found is None else found.decode("latin-1")

    def query(self, repeatable: frozenset[str] = frozenset()) -> dict[str, str]:
        """The query's parameters. Raises RepeatedParameter, MalformedForm."""
        return parse_form(self.query_string, repeatable)

    def form(self, repeatable: frozenset[str] = frozenset()) -> dict[str, str]:
        """The body's parameters when it is a form, else MalformedForm. Raises RepeatedParameter."""
        content_type = self.header(b"content-type") or ""
        if not content_type and not self.body:
            return {}
        if content_type != FORM and content_type.partition(";")[0].strip().lower() != FORM:
            raise MalformedForm("The body must be application/x-www-form-urlencoded.")
        return parse_form(self.body, repeatable)

    def parameters(self, repeatable: frozenset[str] = frozenset()) -> dict[str, str]:
        """Of the query, or of the form when it is a POST; a name in both is repeated (decision 24)."""
        if self.method == "GET":
            return self.query(repeatable)
        form = self.form(repeatable)
        for name in self.query(repeatable) if self.query_string else ():
            if name in form:
                raise RepeatedParameter(name)
        return form

    def cookies(self) -> dict[str, str]:
        return parse_cookies(self.headers)


class Response:
    """Status, headers and the whole body."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, body: bytes = b"", headers: Headers | None = None) -> None:
        self.status = status
        self.body = body
        self.headers: Headers = headers if headers is not None else []

    def set_cookie(self, value: bytes) -> None:
        self.headers.append((b"set-cookie", value))


def redirect(location: str, *, status: int = 303) -> Response:
    """303: whatever the method was, the next request is a GET (RFC 9110 §15.4.4)."""
    return Response(status, headers=[(b"location", location.encode("latin-1", "strict"))])


def json_response(status: int, value: Any, headers: Headers | None = None) -> Response:
    """A JSON answer that no cache keeps (RFC 6749 §5.1)."""
    return Response(status, msgspec.json.encode(value), [*NO_STORE_JSON, *(headers or [])])


NO_STORE_JSON: Headers = [
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"pragma", b"no-cache"),
]
