"""A grant's family of tokens: whether it still stands, and its end."""

from identity.authn.revocation_notices import tell_subject_ended
from identity.clock import Clock
from identity.domain.events import Event, EventType
from identity.domain.tokens import RedeemableState
from identity.messaging.outbox import Outbox
from identity.storage import grants
from identity.storage.database import Database
from identity.storage.events import record
from identity.web.messages import Request


class Families:
    def __init__(self, database: Database, outbox: Outbox, clock: Clock) -> None:
        self._database = database
        self._outbox = outbox
        self._clock = clock

    def stands(self, state: RedeemableState) -> bool:
        """Grant, session and subject are all as they must be."""
        return (
            state.application_enabled
            and not state.grant_revoked
            and state.grant_expires_at > self._clock.now()
            and not (state.session_bound and state.session_over)
            and state.subject_current
        )

    async def revoke(self, request: Request, state: RedeemableState, cause: EventType) -> None:
        """End the family: committed before the refusal is told."""
        now = self._clock.now()
        async with self._database.transaction() as transaction:
            if await grants.revoke_grant(transaction, request.tenant.id, state.grant, now):
                await tell_subject_ended(self._outbox, transaction, request.tenant, state.subject)
                await record(
                    transaction,
                    Event(
                        tenant=request.tenant.id,
                        type=cause,
                        at=now,
                        subject=state.subject,
                        application=state.application,
                        grant=state.grant,
                        address=request.address,
                        trace_id=request.trace_id,
                    ),
                )
