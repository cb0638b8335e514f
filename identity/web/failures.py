"""What a request gets when something refused or failed: JSON for applications, the error page for people.

The private detail and the stack go to the log under the trace id that the answer shows.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from identity.domain.tenants import ROOT_HANDLE, ROOT_TENANT, Tenant, TenantSettings
from identity.errors import IdentityError
from identity.ids import new_trace_id
from identity.web.error_bodies import problem_json, scim_json
from identity.web.i18n import choose_locale
from identity.web.messages import Headers, Request, Response, json_response
from identity.web.pages import HTML
from identity.web.security_headers import page_headers

if TYPE_CHECKING:
    from identity.storage.configuration import TenantConfiguration
    from identity.telemetry import Log
    from identity.web.templates import Pages

_PLAIN: Headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]
NOBODY = Tenant(id=ROOT_TENANT, handle=ROOT_HANDLE, enabled=True, version=0, settings=TenantSettings())


ErrorKind = Literal["json", "page", "problem", "scim"]
"""How a route tells of errors: as RFC 6749 has it, as a page, as the administration interface, or as SCIM."""


class Failures:
    def __init__(self, pages: "Pages", log: "Log", *, base_url: str) -> None:
        self._pages = pages
        self._log = log
        self._host = urlsplit(base_url).netloc
        self._https = base_url.startswith("https:")

    def failed(self, request: Request | None, kind: ErrorKind, headers: Headers, error: Exception) -> Response:
        """The answer to an error; an unexpected one is logged with its stack and told nothing about."""
        trace_id = request.trace_id if request is not None else new_trace_id()
        if isinstance(error, IdentityError) and error.code != "configuration":
            if error.status >= 500:
                self._log.warning("request refused", error=error.code, detail=error.detail, trace_id=trace_id)
            else:
                # The error page shows the trace id: the help desk finds the cause under it.
                self._log.info("request refused", error=error.code, detail=error.detail, trace_id=trace_id)
        else:
            self._log.error("request failed", trace_id=trace_id, exc_info=error)
            error = IdentityError("server_error", "Something went wrong on our side.", status=500)
        if kind == "json":
            return error_json(error)
        if kind == "problem":
            return problem_json(error, trace_id, error_headers(error))
        if kind == "scim":
            return scim_json(error, error_headers(error))
        tenant = request.tenant.tenant if request is not None else NOBODY
        return self.page(tenant, headers, error, trace_id)

    def page(
        self,
        tenant: Tenant,
        headers: Headers,
        error: IdentityError,
        trace_id: str,
        *,
        title: str = "This did not work",
        back_url: str | None = None,
        start_again_url: str | None = None,
        ui_locales: str | None = None,
    ) -> Response:
        """The error page: what is wrong, and a trace id for the help desk."""
        accept = next((value.decode("latin-1") for name, value in headers if name == b"accept-language"), None)
        body = self._pages.render(
            "error.html",
            tenant=tenant,
            host=self._host,
            locale=choose_locale(ui_locales, None, accept),
            code=error.code,
            title=title,
            message=error.public,
            trace_id=trace_id,
            time=datetime.now(UTC),
            back_url=back_url,
            start_again_url=start_again_url,
        )
        extra = [HTML, *page_headers(https=self._https)]
        retry_after = getattr(error, "retry_after", None)
        if retry_after is not None:
            extra.append((b"retry-after", str(retry_after).encode()))
        return Response(error.status, body, extra)

    def not_found(self, headers: Headers) -> Response:
        """A page for a browser, a line for a program."""
        if any(name == b"accept" and b"text/html" in value for name, value in headers):
            error = IdentityError("not_found", "There is no page at this address.", status=404)
            return self.page(NOBODY, headers, error, new_trace_id(), title="Page not found")
        return Response(404, b"Not Found\n", list(_PLAIN))

    def unknown_host(self) -> Response:
        """RFC 9110 §15.5.20: this server does not answer for that host."""
        return Response(421, b"Misdirected Request\n", list(_PLAIN))

    def foreign_origin(self, headers: Headers, tenant: "TenantConfiguration") -> Response:
        error = IdentityError(
            "foreign_origin", "This form was sent from another site, so nothing was done.", status=403
        )
        return self.page(tenant.tenant, headers, error, new_trace_id(), title="Not sent from here")


def error_json(error: IdentityError) -> Response:
    """The error of the token road (RFC 6749 §5.2)."""
    return json_response(error.status, {"error": error.code, "error_description": error.public}, error_headers(error))


def error_headers(error: IdentityError) -> Headers:
    """What goes with an error whatever its body: challenges, Retry-After."""
    headers: Headers = list(getattr(error, "headers", []))
    retry_after = getattr(error, "retry_after", None)
    if retry_after is not None:
        headers.append((b"retry-after", str(retry_after).encode()))
    return headers
