"""Who asks the person of a backchannel request (OpenID CIBA Core §7.4): the page does, and push messages may later."""

from dataclasses import dataclass
from typing import Protocol

from identity.authn.people import Person
from identity.domain.applications import Application
from identity.domain.pending_authorizations import PendingAuthorization
from identity.storage.configuration import TenantConfiguration


class CannotAsk(Exception):
    """The person cannot be reached this way: the client hears `transaction_failed`."""


@dataclass(frozen=True, slots=True)
class BackchannelRequest:
    """What waits, stored already, and whose decision it is."""

    tenant: TenantConfiguration
    application: Application
    person: Person
    pending: PendingAuthorization


class BackchannelAuthenticator(Protocol):
    """Brings a request to the person's attention; the decision comes back through `Approvals`."""

    async def ask(self, request: BackchannelRequest) -> None:
        """Returns once the person is being asked, without waiting for them. Raises CannotAsk."""
        ...


class PageAuthenticator:
    """The person finds the request at `/oauth2/ciba_authorize`, and its number on their account page."""

    async def ask(self, request: BackchannelRequest) -> None:
        """Being stored is being listed."""
