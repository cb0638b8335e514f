"""Tries are counted before the password is looked at, so that many at once cannot slip past the limit."""

import hashlib
import unicodedata
from dataclasses import dataclass

from identity.clock import SECOND, Clock
from identity.domain.tenants import RateLimit
from identity.storage import attempts
from identity.storage.configuration import TenantConfiguration
from identity.storage.database import Database, Transaction
from identity.web.client_address import limit_key


@dataclass(frozen=True, slots=True)
class Admission:
    """`locked`: the account refuses for now. `limited`: this address or tenant tries too often."""

    locked: bool
    limited: bool
    just_locked: bool
    account_key: str


class Lockout:
    """Exact limits of sign-in tries per account, address (IPv6 by its /64) and tenant, in SQL."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def admit(self, tenant: TenantConfiguration, username: str, address: str) -> Admission:
        """Count one try. Known and unknown names count alike."""
        settings, now = tenant.settings, self._clock.now()
        key = account_key(username)
        async with self._database.transaction() as transaction:
            account = await attempts.count_attempt(
                transaction, tenant.id, key, now=now, window=settings.lockout_window * SECOND,
                limit=settings.lockout_attempts, lock_until=now + settings.lockout_seconds * SECOND,
            )
            limited = await self._over(
                transaction, tenant, f"address:{limit_key(address)}", settings.login_limit_address, now
            )
            limited |= await self._over(transaction, tenant, "tenant", settings.login_limit_tenant, now)
        off = settings.lockout_attempts == 0
        return Admission(
            locked=not off and account.count > settings.lockout_attempts,
            limited=limited,
            just_locked=not off and account.count == settings.lockout_attempts,
            account_key=key,
        )

    async def take_back(self, tenant: TenantConfiguration, admission: Admission) -> None:
        """The try could not be judged (directory down, hash lane full): an outage must not lock people out."""
        async with self._database.transaction() as transaction:
            await attempts.take_back_attempt(
                transaction, tenant.id, admission.account_key, limit=tenant.settings.lockout_attempts
            )

    async def _over(
        self, transaction: Transaction, tenant: TenantConfiguration, key: str, limit: RateLimit, now: int
    ) -> bool:
        if limit.count == 0:
            return False
        counted = await attempts.count_attempt(
            transaction, tenant.id, key, now=now, window=limit.seconds * SECOND, limit=-1, lock_until=None
        )
        return counted.count > limit.count


def account_key(username: str) -> str:
    """One key for every spelling of a name: case, compatibility forms and the primary domain do not matter."""
    plain = unicodedata.normalize("NFKC", username).casefold().strip()
    plain = plain.removeprefix("primary/")
    return "account:" + hashlib.sha256(plain.encode(errors="replace")).hexdigest()
