"""Tries are counted before the password is looked at, so that many at once cannot slip past the limit."""

import hashlib
import unicodedata
from dataclasses import dataclass

from identity.clock import SECOND, Clock
from identity.domain.tenants import RateLimit
from identity.storage import attempts
from identity.storage.configuration import TenantConfiguration
from identity.storage.attempts import Windows
from identity.storage.database import Database
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
        settings = tenant.settings
        key = account_key(username)
        tries = await attempts.count_try(
            self._database,
            tenant.id,
            account=key,
            address=f"address:{limit_key(address)}",
            windows=Windows(
                account=settings.lockout_window * SECOND,
                address=settings.login_limit_address.seconds * SECOND,
                everybody=settings.login_limit_tenant.seconds * SECOND,
                limit=settings.lockout_attempts,
                lock=settings.lockout_seconds * SECOND,
            ),
            now=self._clock.now(),
        )
        off = settings.lockout_attempts == 0
        return Admission(
            locked=not off and tries.account > settings.lockout_attempts,
            limited=_over(tries.address, settings.login_limit_address)
            or _over(tries.everybody, settings.login_limit_tenant),
            just_locked=not off and tries.account == settings.lockout_attempts,
            account_key=key,
        )

    async def take_back(self, tenant: TenantConfiguration, admission: Admission) -> None:
        """The try could not be judged (directory down, hash lane full): an outage must not lock people out."""
        await attempts.take_back_attempt(
            self._database, tenant.id, admission.account_key, limit=tenant.settings.lockout_attempts
        )


def _over(count: int, limit: RateLimit) -> bool:
    return limit.count > 0 and count > limit.count


def account_key(username: str) -> str:
    """One key for every spelling of a name: case, compatibility forms and the primary domain do not matter."""
    plain = unicodedata.normalize("NFKC", username).casefold().strip()
    plain = plain.removeprefix("primary/")
    return "account:" + hashlib.sha256(plain.encode(errors="replace")).hexdigest()
