"""Whether the person of a grant is still who they were, where a grant is used later than it was made (decision 13)."""

from identity.authn.people import People, store_unavailable
from identity.domain.events import EventType
from identity.domain.tokens import RedeemableState
from identity.oauth2.errors import invalid_grant
from identity.oauth2.family import Families
from identity.web.messages import Request
from userstores.spi import StoreUnavailable


class PersonCheck:
    def __init__(self, people: People, families: Families) -> None:
        self._people = people
        self._families = families

    async def require(self, request: Request, state: RedeemableState) -> None:
        """Who is disabled or gone in a directory is noticed here, and the family ends.

        Raises OAuthError invalid_grant; Unavailable when the directory is silent: that is no success.
        """
        subject = await self._people.subject(request.tenant, state.subject)
        if subject is None:
            raise invalid_grant("the person is gone")
        if self._people.lives_with_us(request.tenant, subject):
            return
        try:
            person = await self._people.current(request.tenant, subject)
        except StoreUnavailable as error:
            raise store_unavailable(error) from None
        if person is None:
            await self._families.revoke(request, state, EventType.GRANT_REVOKED)
            raise invalid_grant("the person is disabled or gone in their directory")
