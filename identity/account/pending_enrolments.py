"""What a factor keeps between the two calls that add it through `/api/users`: sealed, in the database, once.

Good for the same grant only: what one application began for a person, no other shows them or ends for them.
"""

import json
from dataclasses import dataclass

from identity.account.own_factors import Visit
from identity.authn.authenticators import State
from identity.clock import SECOND
from identity.errors import ConfigurationError
from identity.ids import new_id
from identity.secrets import Sealer
from identity.storage.database import Database
from identity.storage.pending_enrolments import (
    PendingEnrolment,
    find_pending_enrolment,
    use_up_pending_enrolment,
    write_pending_enrolment,
)
from identity.storage.write_batch import WriteBatch

LIFETIME_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Pending:
    row: PendingEnrolment
    state: State


class PendingEnrolments:
    def __init__(self, sealer: Sealer, database: Database) -> None:
        self._sealer = sealer
        self._database = database

    async def begin(self, visit: Visit, authenticator: str, state: State) -> str:
        """In the place of what was pending of this kind; its new id."""
        row = PendingEnrolment(
            tenant=visit.request.tenant.id,
            subject=visit.sign_in.subject,
            authenticator=authenticator,
            id=new_id(),
            state=self._sealer.seal(json.dumps(state).encode(), _context(visit, authenticator)),
            expires_at=visit.now + LIFETIME_SECONDS * SECOND,
        )
        await write_pending_enrolment(self._database, row)
        return row.id

    async def find(self, visit: Visit, authenticator: str) -> Pending | None:
        """None: nothing was begun by this grant, or it is used up or too old."""
        tenant, subject = visit.request.tenant.id, visit.sign_in.subject
        row = await find_pending_enrolment(self._database, tenant, subject, authenticator, visit.now)
        if row is None:
            return None
        try:
            return Pending(row, json.loads(self._sealer.open(row.state, _context(visit, authenticator))))
        except ConfigurationError:
            return None

    async def use_up(self, batch: WriteBatch, pending: Pending) -> None:
        """With the batch's commit; of two at once one is left undone."""
        await use_up_pending_enrolment(batch, pending.row)

    async def give_up(self, pending: Pending) -> None:
        """It was answered wrongly, and is good for one answer."""
        batch = WriteBatch()
        await self.use_up(batch, pending)
        await self._database.commit(batch)


def _context(visit: Visit, authenticator: str) -> bytes:
    tenant, sign_in = visit.request.tenant.id, visit.sign_in
    return f"pending-enrolment:{tenant}:{sign_in.subject}:{sign_in.id}:{authenticator}".encode()
