"""refresh_token (RFC 6749 §6, RFC 9700 §4.14): rotation with a grace, and the family's end on a later replay."""

from typing import Any

from identity.authn.people import People, store_unavailable
from identity.clock import SECOND, Clock
from identity.domain.applications import Application
from identity.domain.events import EventType
from identity.domain.tokens import RedeemableState
from identity.oauth2.errors import OAuthError, invalid_grant
from identity.oauth2.family import Families
from identity.oauth2.token_answer import GrantTokens
from identity.secrets import token_hash
from identity.storage.configuration import ConfigurationMoved
from identity.storage.hot import HotStorage
from identity.tokens.issuer import REFRESH_TOKEN_PREFIX
from identity.web.messages import Request
from userstores.spi import StoreUnavailable

GRACE = 60 * SECOND
GRACE_USES = 5
"""Decision 10: a used refresh token may come again (lost answer, two tabs) this long and this often."""


class RefreshTokenGrant:
    grant_type = "refresh_token"

    def __init__(self, hot: HotStorage, tokens: GrantTokens, families: Families, people: People, clock: Clock) -> None:
        self._hot = hot
        self._tokens = tokens
        self._families = families
        self._people = people
        self._clock = clock

    async def handle(self, request: Request, application: Application, form: dict[str, str]) -> dict[str, Any]:
        token = form.get("refresh_token")
        if token is None:
            raise OAuthError("invalid_request", "The parameter refresh_token is missing.")
        if not token.startswith(REFRESH_TOKEN_PREFIX):
            raise invalid_grant("not a refresh token")
        tenant, digest = request.tenant, token_hash(token)
        state = await self._hot.read_refresh_token(tenant.id, digest, application.id)
        if state.tenant_version != tenant.tenant.version or state.caller_version != application.version:
            raise ConfigurationMoved
        if not state.found or state.application != application.id:
            raise invalid_grant("unknown, or another client's")
        now = self._clock.now()
        if state.expires_at <= now or not self._families.stands(state):
            raise invalid_grant("expired or revoked")
        rotate = application.rotate_refresh_tokens or application.public
        if rotate and not self._within_grace(state, now):
            await self._replayed(request, state)
        await self._check_person(request, state)
        scope = self._narrowed(state.scope, form.get("scope"))
        made = self._tokens.make(
            tenant,
            application,
            state,
            scope=scope,
            nonce=None,
            refresh=rotate,
            refresh_scope=state.scope,
            parent=digest,
        )
        went = await self._hot.redeem_refresh_token(
            tenant=tenant.id,
            hash=digest,
            now=now,
            grace_us=GRACE,
            grace_uses=GRACE_USES,
            rotate=rotate,
            access=made.access,
            refresh=made.refresh,
        )
        if not went:
            await self._replayed(request, state)
        if not rotate:
            made.answer["refresh_token"] = token
        return made.answer

    @staticmethod
    def _within_grace(state: RedeemableState, now: int) -> bool:
        if state.closed_at is not None:
            return False
        return state.first_used_at is None or (now - state.first_used_at < GRACE and state.uses < GRACE_USES)

    async def _check_person(self, request: Request, state: RedeemableState) -> None:
        """Decision 13: who is disabled or gone in a directory is noticed here; a silent directory is no success."""
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

    @staticmethod
    def _narrowed(granted: str, asked: str | None) -> str:
        """RFC 6749 §6: no scope beyond what was granted."""
        if asked is None:
            return granted
        wanted = list(dict.fromkeys(asked.split()))
        if not set(granted.split()).issuperset(wanted):
            raise OAuthError("invalid_scope", "The scope goes beyond what was granted.")
        return " ".join(wanted)

    async def _replayed(self, request: Request, state: RedeemableState) -> None:
        await self._families.revoke(request, state, EventType.REFRESH_REPLAYED)
        raise invalid_grant("used refresh token presented again")
