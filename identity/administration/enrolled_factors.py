"""The factors of people, for administrators: seen, taken away from whoever has lost them, let back in."""

from identity.administration.context import Administration
from identity.administration.users import end_sessions, find_user
from identity.authn.authenticators import TOTP
from identity.authn.enrolled_factors import factor_context
from identity.authn.lockout import factors_key, user_key
from identity.domain.enrolled_factors import EnrolledFactor
from identity.domain.events import Event, EventType
from identity.domain.tenants import TenantId
from identity.domain.users import Subject
from identity.storage import enrolled_factors
from identity.storage.attempts import clear_tries
from identity.storage.configuration import TenantConfiguration
from identity.storage.events import record
from identity.storage.subjects import find_subject_of_user


async def list_factors(
    administration: Administration, tenant: TenantConfiguration, username: str
) -> list[EnrolledFactor]:
    """Oldest first. Raises IdentityError."""
    subject = await _subject(administration, tenant, username)
    if subject is None:
        return []
    return await enrolled_factors.list_factors_of_subject(administration.database, tenant.id, subject.id)


async def remove_factors(administration: Administration, tenant: TenantConfiguration, username: str) -> None:
    """All of them; sessions and grants are over. Raises IdentityError."""
    subject = await _subject(administration, tenant, username)
    if subject is None:
        return
    own = await enrolled_factors.list_factors_of_subject(administration.database, tenant.id, subject.id)
    async with administration.database.transaction() as transaction:
        await enrolled_factors.delete_factors_of_subject(transaction, tenant.id, subject.id)
        for factor in own:
            event = _event(administration, subject, EventType.FACTOR_REMOVED, {"factor": factor.authenticator})
            await record(transaction, event)
    await end_sessions(administration, tenant, username)


async def let_back_in(administration: Administration, tenant: TenantConfiguration, username: str) -> None:
    """Wrong codes from before count no more, neither for the lock nor for the app. Raises IdentityError."""
    subject = await _subject(administration, tenant, username)
    if subject is None:
        return
    async with administration.database.transaction() as transaction:
        await enrolled_factors.forgive_failures(transaction, tenant.id, subject.id, TOTP)
        await clear_tries(transaction, tenant.id, factors_key(user_key(subject.store, subject.external_id)))
        await record(transaction, _event(administration, subject, EventType.FACTORS_FORGIVEN, {}))


async def rewrap_enrolled_factors(administration: Administration, tenant: TenantId) -> int:
    """Seal the secrets of authenticator apps with the current master key; how many."""
    sealer, database = administration.sealer, administration.database
    count, after = 0, ""
    while page := await enrolled_factors.list_sealed_factors_page(database, tenant, after=after):
        for factor in page:
            assert factor.secret is not None
            context = factor_context(tenant, factor.id)
            secret = sealer.seal(sealer.open(factor.secret, context), context)
            async with database.transaction() as transaction:
                await enrolled_factors.reseal_factor(transaction, factor, secret)
        count += len(page)
        after = page[-1].id
    return count


async def _subject(administration: Administration, tenant: TenantConfiguration, username: str) -> Subject | None:
    user = await find_user(administration, tenant, username)
    return await find_subject_of_user(administration.database, tenant.id, user.store, user.id)


def _event(administration: Administration, subject: Subject, type: EventType, data: dict[str, str]) -> Event:
    return Event(tenant=subject.tenant, type=type, at=administration.clock.now(), subject=subject.id, data=data)
