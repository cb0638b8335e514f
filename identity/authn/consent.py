"""Consent: what a person has allowed an application, asked once and remembered until taken back."""

from identity.authn.revocation_notices import tell_subject_ended
from identity.clock import Clock
from identity.domain.applications import Application, ApplicationId
from identity.domain.events import Event, EventType
from identity.domain.users import SubjectId
from identity.messaging.outbox import Outbox
from identity.storage import consents, grants
from identity.storage.configuration import TenantConfiguration
from identity.storage.consents import Consent
from identity.storage.database import Database
from identity.storage.events import record

NOTHING = Consent(frozenset(), frozenset())


class Consents:
    def __init__(self, database: Database, outbox: Outbox, clock: Clock) -> None:
        self._database = database
        self._outbox = outbox
        self._clock = clock

    async def missing(
        self,
        tenant: TenantConfiguration,
        application: Application,
        subject: SubjectId,
        scope: str,
        *,
        ask: bool,
        resources: str = "",
    ) -> list[str] | None:
        """The scopes to ask about, in the request's order; None when nobody has to be asked. `ask`: in any case.

        A request without a scope is asked about too, once: it tells the application who the person is. OpenID Connect
        Core §11: `offline_access` needs consent even where the rest goes without.
        """
        wanted = scope.split()
        if ask:
            return wanted
        if application.skip_consent and "offline_access" not in wanted:
            return None
        known = await consents.find_consent(self._database, tenant.id, subject, application.id)
        if known is None:
            return wanted
        if application.skip_consent:
            return None if "offline_access" in known.scopes else wanted
        allowed = known.scopes.issuperset(wanted) and known.resources.issuperset(resources.split())
        return None if allowed else wanted

    async def remember(
        self,
        tenant: TenantConfiguration,
        application: ApplicationId,
        subject: SubjectId,
        scope: str,
        trace_id: str,
        *,
        resources: str = "",
    ) -> None:
        """Add `scope` and `resources` to what is remembered."""
        now = self._clock.now()
        known = await consents.find_consent(self._database, tenant.id, subject, application) or NOTHING
        together = Consent(known.scopes.union(scope.split()), known.resources.union(resources.split()))
        async with self._database.transaction() as transaction:
            await consents.remember_consent(transaction, tenant.id, subject, application, together, now=now)
            await record(
                transaction,
                Event(
                    tenant=tenant.id,
                    type=EventType.CONSENT_GIVEN,
                    at=now,
                    subject=subject,
                    application=application,
                    trace_id=trace_id,
                    data={"scope": scope},
                ),
            )

    async def denied(
        self, tenant: TenantConfiguration, application: ApplicationId, subject: SubjectId, trace_id: str
    ) -> None:
        async with self._database.transaction() as transaction:
            await record(
                transaction,
                Event(
                    tenant=tenant.id,
                    type=EventType.CONSENT_DENIED,
                    at=self._clock.now(),
                    subject=subject,
                    application=application,
                    trace_id=trace_id,
                ),
            )

    async def revoke(
        self, tenant: TenantConfiguration, application: ApplicationId, subject: SubjectId, trace_id: str = ""
    ) -> bool:
        """Forget the consent and end every grant it gave: tokens are inactive from the commit on."""
        now = self._clock.now()
        async with self._database.transaction() as transaction:
            forgotten = await consents.forget_consent(transaction, tenant.id, subject, application)
            ended = await grants.revoke_grants_of_application(transaction, tenant.id, subject, application, now)
            if ended:
                await tell_subject_ended(self._outbox, transaction, tenant, subject)
            if forgotten or ended:
                await record(
                    transaction,
                    Event(
                        tenant=tenant.id,
                        type=EventType.CONSENT_REVOKED,
                        at=now,
                        subject=subject,
                        application=application,
                        trace_id=trace_id,
                        data={"grants": str(ended)},
                    ),
                )
        return forgotten or ended > 0
