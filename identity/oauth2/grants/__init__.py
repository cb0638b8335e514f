"""The grants, one file each. A new one is a file and a line in `app.py`."""

from dataclasses import dataclass
from typing import Any, Protocol

from identity.domain.applications import Application
from identity.oauth2.errors import OAuthError
from identity.storage.configuration import TenantConfiguration
from identity.web.messages import Request

REPEATABLE = frozenset({"resource", "audience"})
"""Decision 24: these parameters of the token endpoint may come several times; their values are joined by spaces."""


@dataclass(frozen=True, slots=True)
class TokenCall:
    """One call of the token endpoint: who calls, with what, and which key or certificate the call proves."""

    request: Request
    application: Application
    form: dict[str, str]
    confirmation: str
    """JSON of the `cnf` proved by this request, or empty: what tokens are bound to."""
    resources: tuple[str, ...] = ()
    """The `resource` parameters (RFC 8707 §2.2), each one that this application may name."""
    authorization_details: str = ""
    """The parameter of that name (RFC 9396 §6), conforming to its types, as compact JSON."""

    @property
    def tenant(self) -> TenantConfiguration:
        return self.request.tenant

    def required(self, name: str) -> str:
        """A parameter of the form. Raises OAuthError invalid_request when it is missing."""
        value = self.form.get(name)
        if value is None:
            raise OAuthError("invalid_request", f"The parameter {name} is missing.")
        return value


class Grant(Protocol):
    """`grant_type` names it; `handle` gives the token response's members.

    Raises OAuthError for a refusal, ConfigurationMoved when the caller was authenticated by something older.
    """

    @property
    def grant_type(self) -> str: ...

    async def handle(self, call: TokenCall) -> dict[str, Any]: ...
