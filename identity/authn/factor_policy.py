"""What holds for every one-time code: tries are counted for the person and the address before they are judged, wrong
ones lock all of the person's second factors, and a locked person is refused like one who typed a wrong code."""

from identity.authn.authenticators import Attempt, Refusal, Rejected, State
from identity.authn.lockout import Admission, Lockout, account_key, factors_key, user_key
from identity.clock import Clock
from identity.domain.events import Event, EventType
from identity.domain.tenants import TenantSettings
from identity.domain.users import SubjectId
from identity.storage.database import Database, Writer
from identity.storage.events import record
from identity.telemetry import Metrics
from identity.web.client_address import limit_key


def _attempts(settings: TenantSettings) -> int:
    return settings.factor_attempts


class FactorPolicy:
    def __init__(self, database: Database, metrics: Metrics, clock: Clock) -> None:
        self._database = database
        self._metrics = metrics
        self._lockout = Lockout(database, clock, _attempts)

    async def admit(self, attempt: Attempt, factor: str) -> Admission | Rejected:
        """Count one try of this person's second factors. To be followed by `refused`, or by `passed` and the driver's
        clearing of `Admission.account`."""
        admission = await self._lockout.admit_key(attempt.tenant, person_key(attempt), attempt.request.address)
        if admission.verdict == "limited":
            self._metrics.factor(factor, "limited")
            self._metrics.limited("sign_in")
            return Rejected(error="busy")
        if admission.verdict == "locked":
            await self._lockout.turned_away(attempt.tenant, admission)
            await self._tell(attempt, factor, "locked")
            return Rejected(error="refused")
        return admission

    async def admit_address(self, attempt: Attempt, factor: str) -> bool:
        """Count one try for the address alone, where guessing leads nowhere; False: it tries too often."""
        place = f"{factor}:{limit_key(attempt.request.address)}"
        admission = await self._lockout.admit_key(attempt.tenant, place, attempt.request.address)
        await self._lockout.turned_away(attempt.tenant, admission)
        if admission.verdict != "limited":
            return True
        self._metrics.factor(factor, "limited")
        self._metrics.limited("sign_in")
        return False

    async def refused(
        self,
        attempt: Attempt,
        factor: str,
        admission: Admission,
        reason: str,
        *,
        state: State | None = None,
        over: bool = False,
    ) -> Rejected:
        """The try was judged wrong; `reason` is for the audit log alone."""
        began = await self._lockout.failed(attempt.tenant, admission, None)
        await self._tell(attempt, factor, reason)
        if began:
            await self.note(self._database, attempt, EventType.FACTORS_LOCKED, {"factor": factor})
        return Rejected(error="refused", state=state, over=over)

    async def not_judged(
        self, attempt: Attempt, factor: str, admission: Admission, error: Refusal = "expired"
    ) -> Rejected:
        """There was nothing to compare with: the try does not count for the person."""
        await self._lockout.turned_away(attempt.tenant, admission)
        if error == "expired":
            self._metrics.factor(factor, "expired")
        return Rejected(error=error)

    async def turned_down(
        self, attempt: Attempt, factor: str, reason: str, *, error: Refusal = "refused", state: State | None = None
    ) -> Rejected:
        """A refusal that guessing cannot turn into a success (a passkey's): told, and no step towards a lock."""
        await self._tell(attempt, factor, reason)
        return Rejected(error=error, state=state)

    def passed(self, factor: str) -> None:
        self._metrics.factor(factor, "passed")

    async def sent(self, writer: Writer, attempt: Attempt, factor: str, subject: SubjectId) -> None:
        self._metrics.factor(factor, "sent")
        await self.note(writer, attempt, EventType.FACTOR_SENT, {"factor": factor}, subject)

    async def note(
        self,
        writer: Writer,
        attempt: Attempt,
        event: EventType,
        data: dict[str, str],
        subject: SubjectId | None = None,
    ) -> None:
        """An event about the attempt's person, or about `subject`."""
        known = attempt.person.subject.id if attempt.person is not None else ""
        await record(
            writer,
            Event(
                tenant=attempt.tenant.id,
                type=event,
                at=attempt.now,
                subject=subject or known,
                address=attempt.request.address,
                trace_id=attempt.request.trace_id,
                data=data,
            ),
        )

    async def _tell(self, attempt: Attempt, factor: str, reason: str) -> None:
        outcome = reason if reason in ("locked", "expired", "suspended") else "refused"
        self._metrics.factor(factor, outcome)
        await self.note(self._database, attempt, EventType.FACTOR_REFUSED, {"factor": factor, "reason": reason})


def person_key(attempt: Attempt) -> str:
    """The counter of second factors: of the person, or of a name that may be nobody's."""
    if attempt.person is None:
        return factors_key(account_key(attempt.username))
    subject = attempt.person.subject
    return factors_key(user_key(subject.store, subject.external_id))
