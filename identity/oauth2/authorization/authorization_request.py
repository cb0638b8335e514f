"""An authorization request: as it is being checked, and as it is kept once it was."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from identity.domain.applications import Application
from identity.errors import IdentityError
from identity.storage.configuration import TenantConfiguration
from identity.storage.database import Database
from identity.tokens.claims import ClaimRequests
from identity.tokens.keyring import Keyring


@dataclass(slots=True, kw_only=True)
class AuthorizationRequest:
    """A checked request. Only this is read later on; the browser cannot change it any more."""

    client_id: str
    redirect_uri: str
    redirect_uri_given: bool
    response_mode: str
    """One of `response_types.RESPONSE_MODES`, with the response type's default filled in."""
    response_type: str = "code"
    """Its words in alphabetical order."""
    state: str | None = None
    scope: str = ""
    """Asked for; what is granted is decided once the person is known."""
    nonce: str | None = None
    code_challenge: str = ""
    prompt: tuple[str, ...] = ()
    max_age: int | None = None
    acr_values: tuple[str, ...] = ()
    """Those of the values asked for that can be reached here."""
    told_acrs: tuple[str, ...] = ()
    """All of them: a sign-in script may know more levels than we do."""
    login_hint: str = ""
    ui_locales: str = ""
    requested_claims: str = ""
    """JSON of the `claims` parameter, with `acr` and `auth_time` where `acr_values` or `max_age` ask for them."""
    subjects: tuple[str, ...] = ()
    """Any of these `sub` as this application sees it, or anybody when there is none."""
    resources: str = ""
    """Space-separated (RFC 8707)."""
    authorization_details: str = ""
    """JSON (RFC 9396)."""
    confirmation: str = ""
    """JSON of the `cnf` that redeeming the code must prove (`dpop_jkt`, RFC 9449 §10)."""
    pushed: str = ""
    """Hexadecimal hash of the `request_uri` that is used up with the response (decision 12)."""

    @property
    def response_words(self) -> frozenset[str]:
        return frozenset(self.response_type.split())


class PageError(IdentityError):
    """The request cannot be trusted to lead anywhere: an error page, no redirect (RFC 6749 §4.1.2.1)."""


class RefusedRequest(Exception):
    """A request whose error goes back to the application."""

    def __init__(self, request: AuthorizationRequest, error: IdentityError) -> None:
        super().__init__(error.code)
        self.request = request
        self.error = error


@dataclass(frozen=True, slots=True, kw_only=True)
class Presented:
    """The parameters that count, and how they came."""

    parameters: dict[str, str]
    pushed: str = ""
    """Hexadecimal hash of the `request_uri` of a pushed request."""
    being_pushed: bool = False
    """It is at the door of pushed requests now."""
    signed: bool = False
    """They were in a request object that the application signed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """What checks are made against, beside the tenant's configuration."""

    database: Database
    keyring: Keyring
    base_url: str


@dataclass(slots=True)
class Draft:
    """A request while it is being checked."""

    presented: Presented
    tenant: TenantConfiguration
    application: Application
    request: AuthorizationRequest
    grounds: Grounds
    claims: ClaimRequests = field(default_factory=dict)

    @property
    def parameters(self) -> dict[str, str]:
        return self.presented.parameters


Check = Callable[[Draft], Awaitable[None] | None]
"""Raises PageError while it is not known where an error may go, OAuthError afterwards. One that reads is awaited."""
