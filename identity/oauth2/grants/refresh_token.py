"""refresh_token (RFC 6749 §6, RFC 9700 §4.14): rotation with a grace, and the family's end on a later replay."""

from typing import Any

from identity.clock import SECOND, Clock
from identity.domain.events import EventType
from identity.domain.tokens import RedeemableState
from identity.oauth2.errors import OAuthError, invalid_grant
from identity.oauth2.family import Families
from identity.oauth2.grants import TokenCall
from identity.oauth2.person_check import PersonCheck
from identity.oauth2.scope_policy import ScopePolicy
from identity.oauth2.token_answer import GrantTokens, granted_terms
from identity.secrets import token_hash
from identity.storage.configuration import ConfigurationMoved
from identity.storage.hot import HotStorage
from identity.tokens.issuer import REFRESH_TOKEN_PREFIX
from identity.web.messages import Request

GRACE_USES = 5
GRACE_SECONDS = 60
"""Decision 10: a used refresh token may come again (lost answer, two tabs) so often, and for no longer than this."""


class RefreshTokenGrant:
    grant_type = "refresh_token"

    def __init__(
        self,
        hot: HotStorage,
        tokens: GrantTokens,
        families: Families,
        persons: PersonCheck,
        scopes: ScopePolicy,
        clock: Clock,
    ) -> None:
        self._hot = hot
        self._tokens = tokens
        self._families = families
        self._persons = persons
        self._scopes = scopes
        self._clock = clock

    async def handle(self, call: TokenCall) -> dict[str, Any]:
        request, application, form = call.request, call.application, call.form
        token = call.required("refresh_token")
        if not token.startswith(REFRESH_TOKEN_PREFIX):
            raise invalid_grant("not a refresh token")
        tenant, digest = call.tenant, token_hash(token)
        state = await self._hot.read_refresh_token(tenant.id, digest, application.id)
        if state.tenant_version != tenant.tenant.version or state.caller_version != application.version:
            raise ConfigurationMoved
        if not state.found or state.application != application.id:
            raise invalid_grant("unknown, or another client's")
        if state.confirmation and state.confirmation != call.confirmation:
            # RFC 9449 §5, RFC 8705 §4: a bound refresh token is used with its key only.
            raise invalid_grant("another key than the one it is bound to")
        now = self._clock.now()
        if state.expires_at <= now or not self._families.stands(state):
            raise invalid_grant("expired or revoked")
        rotate, grace = application.rotates, min(application.refresh_grace_seconds, GRACE_SECONDS) * SECOND
        if rotate and not self._within_grace(state, now, grace):
            await self._replayed(request, state)
        await self._persons.require(request, state)
        scope = await self._still_allowed(call, state, self._narrowed(state.scope, form.get("scope")))
        made = await self._tokens.make(
            tenant,
            application,
            state,
            scope=scope,
            nonce=None,
            refresh=rotate,
            refresh_scope=state.scope,
            parent=digest,
            terms=granted_terms(call, state),
        )
        went = await self._hot.redeem_refresh_token(
            tenant=tenant.id,
            hash=digest,
            now=now,
            grace_us=grace,
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
    def _within_grace(state: RedeemableState, now: int, grace: int) -> bool:
        if state.closed_at is not None:
            return False
        return state.first_used_at is None or (now - state.first_used_at < grace and state.uses < GRACE_USES)

    async def _still_allowed(self, call: TokenCall, state: RedeemableState, scope: str) -> str:
        """Without what a role or the application has lost since; the refresh token keeps it, should it come back."""
        wanted = scope.split()
        kept = await self._scopes.allowed(call.tenant, call.application, state.subject, wanted)
        if wanted and not kept:
            raise OAuthError("invalid_scope", "None of the scopes is granted any more. Ask for authorization again.")
        return " ".join(kept)

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
