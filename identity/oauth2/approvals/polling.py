"""Polling for a decision that a person takes elsewhere: RFC 8628 §3.5, CIBA Core §10.1 and §11.

A poll while nothing is decided is one read. How often a client came is kept in this process; only a client that comes
too often costs a write, which tells every worker.
"""

from collections import OrderedDict
from typing import Any

from identity.clock import SECOND, Clock
from identity.domain.events import EventType
from identity.domain.pending_authorizations import PendingAuthorization, PendingKind
from identity.domain.tokens import RedeemableState
from identity.oauth2.errors import ExactRefusal, OAuthError, invalid_grant
from identity.oauth2.family import Families
from identity.oauth2.grants import TokenCall
from identity.oauth2.person_check import PersonCheck
from identity.oauth2.token_answer import GrantTokens, gets_refresh_token, granted_terms
from identity.secrets import token_hash
from identity.storage.configuration import ConfigurationMoved
from identity.storage.database import Database
from identity.storage.hot import HotStorage
from identity.storage.pending_authorizations import poll_pending_authorization, slow_down

MORE_SECONDS = 5
"""RFC 8628 §3.5: with each `slow_down` the interval rises by 5 seconds."""
LONGEST_INTERVAL = 60
SLACK = SECOND // 2
"""Clocks and networks are not exact: who comes so little early has waited."""
REMEMBERED = 20_000

_DECIDED = {
    "denied": ("access_denied", "The person did not allow the request."),
    "failed": ("transaction_failed", "The person could not be asked."),
}


class Polling:
    def __init__(
        self,
        hot: HotStorage,
        database: Database,
        tokens: GrantTokens,
        families: Families,
        persons: PersonCheck,
        clock: Clock,
    ) -> None:
        self._hot = hot
        self._database = database
        self._tokens = tokens
        self._families = families
        self._persons = persons
        self._clock = clock
        self._polled: OrderedDict[bytes, int] = OrderedDict()

    async def answer(self, call: TokenCall, kind: PendingKind, value: str) -> dict[str, Any]:
        """The tokens, once the person has approved. Raises OAuthError for everything else there is to say."""
        tenant, application = call.tenant, call.application
        digest = token_hash(value)
        poll = await poll_pending_authorization(self._database, tenant.id, digest, application.id)
        if poll.tenant_version != tenant.tenant.version or poll.caller_version != application.version:
            raise ConfigurationMoved
        pending = poll.pending
        if pending is not None and (pending.application != application.id or pending.kind != kind):
            raise invalid_grant("another client's")
        if pending is None or pending.status == "approved":
            return await self._redeem(call, kind, digest)
        raise await self._not_yet(pending)

    async def _not_yet(self, pending: PendingAuthorization) -> OAuthError:
        now = self._clock.now()
        if pending.status in _DECIDED:
            return ExactRefusal(*_DECIDED[pending.status])
        if pending.expires_at <= now:
            return _expired()
        if self._too_early(pending, now):
            if pending.interval < LONGEST_INTERVAL:
                not_before = now + (pending.interval + MORE_SECONDS) * SECOND
                await slow_down(self._database, pending, more=MORE_SECONDS, not_before=not_before)
            return ExactRefusal("slow_down", "Wait longer between two polls: the interval is 5 seconds more now.")
        return ExactRefusal("authorization_pending", "The person has not decided yet.")

    def _too_early(self, pending: PendingAuthorization, now: int) -> bool:
        before = self._polled.pop(pending.hash, None)
        self._polled[pending.hash] = now
        if len(self._polled) > REMEMBERED:
            self._polled.popitem(last=False)
        if now < pending.next_poll_at - SLACK:
            return True
        return before is not None and now - before < pending.interval * SECOND - SLACK

    async def _redeem(self, call: TokenCall, kind: PendingKind, digest: bytes) -> dict[str, Any]:
        """What was approved is redeemed like a code: once, and a replay ends what it gave."""
        request, tenant, application = call.request, call.tenant, call.application
        state = await self._hot.read_code(tenant.id, digest, application.id)
        if state.tenant_version != tenant.tenant.version or state.caller_version != application.version:
            raise ConfigurationMoved
        if not state.found or state.application != application.id or state.kind != kind:
            raise invalid_grant("unknown, or another client's")
        if state.consumed_at is not None:
            await self._replayed(call, state)
        if state.expires_at <= self._clock.now():
            raise _expired()
        if not self._families.stands(state):
            raise invalid_grant("revoked")
        await self._persons.require(request, state)
        made = await self._tokens.make(
            tenant,
            application,
            state,
            scope=state.grant_scope,
            nonce=None,
            refresh=gets_refresh_token(application, state.grant_scope),
            refresh_scope=state.grant_scope,
            terms=granted_terms(call, state),
        )
        won = await self._hot.redeem_code(
            tenant=tenant.id, hash=digest, now=self._clock.now(), access=made.access, refresh=made.refresh
        )
        if not won:
            await self._replayed(call, state)
        return made.answer

    async def _replayed(self, call: TokenCall, state: RedeemableState) -> None:
        await self._families.revoke(call.request, state, EventType.CODE_REPLAYED)
        raise invalid_grant("replayed")


def _expired() -> OAuthError:
    return ExactRefusal("expired_token", "The request has expired. Begin a new one.")
