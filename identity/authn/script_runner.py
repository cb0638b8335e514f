"""Runs scripts in the lane, where the rule about isolation allows it."""

from adaptive_auth.answers import GuestAnswer
from adaptive_auth.lane import LaneState, ScriptLane, Unavailable
from identity.clock import SECOND, Clock
from identity.storage.database import Database
from identity.storage.tenants import count_tenants

COUNTED_FOR = 60 * SECOND
NOT_LOCKED = (
    "scripts of several tenants run only in locked worker processes, which this machine does not give: {reason}. "
    "The setting script_isolation=preferred runs them in this process all the same."
)


class ScriptRunner:
    """`automatic`: locked workers are required once there is more than one tenant."""

    def __init__(self, lane: ScriptLane, database: Database, clock: Clock, *, automatic: bool) -> None:
        self.lane = lane
        self._database = database
        self._clock = clock
        self._automatic = automatic
        self._tenants = 0
        self._counted_at = 0

    async def run(self, tenant: int, given: str, script: str) -> GuestAnswer:
        """Raises what the lane raises."""
        await self.require_isolation()
        return await self.lane.run(tenant, given, script)

    async def require_isolation(self) -> None:
        """Raises Unavailable with a reason for administrators."""
        await self.lane.open()
        refusal = await self.refusal()
        if refusal:
            raise Unavailable(refusal)

    async def refusal(self) -> str:
        """Why scripts do not run as things stand; empty when they do, or when none has been tried yet."""
        state = self.lane.state
        if not self._automatic or state.locked or not self.lane.opened or not await self._several():
            return ""
        return NOT_LOCKED.format(reason=state.reason)

    async def _several(self) -> bool:
        now = self._clock.now()
        if now - self._counted_at > COUNTED_FOR:
            self._tenants, self._counted_at = await count_tenants(self._database), now
        return self._tenants > 1

    @property
    def state(self) -> LaneState:
        return self.lane.state
