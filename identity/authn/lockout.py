"""Lockout of accounts and limits per address and tenant, exact over all workers.

A try is counted before the password is looked at, so that many at once cannot slip past the limit; one that finds the
places taken by tries in flight waits for them. Failures count for the name as typed and for the account it led to, so
that no second spelling (address, `DOMAIN/name`) brings new tries.
"""

import asyncio
import hashlib
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from identity.clock import SECOND, Clock
from identity.domain.tenants import RateLimit, TenantSettings
from identity.storage import attempts
from identity.storage.attempts import Windows
from identity.storage.configuration import TenantConfiguration
from identity.storage.database import Database
from identity.web.client_address import limit_key

WAIT_SECONDS = 0.05
WAITS = 60


@dataclass(frozen=True, slots=True)
class Admission:
    """A counted try: `locked`, the account refuses for now; `limited`, this address or tenant tries too often, or too
    many tries of the account are in flight."""

    verdict: Literal["admitted", "locked", "limited"]
    account: str
    address: str


def _password_attempts(settings: TenantSettings) -> int:
    return settings.lockout_attempts


class Lockout:
    """`limit`: which setting says how many failures lock; 0 switches the lock off."""

    def __init__(
        self, database: Database, clock: Clock, limit: Callable[[TenantSettings], int] = _password_attempts
    ) -> None:
        self._database = database
        self._clock = clock
        self._limit = limit

    async def admit(self, tenant: TenantConfiguration, username: str, address: str) -> Admission:
        """Count one try. Known and unknown names count alike."""
        return await self.admit_key(tenant, account_key(username), address)

    async def admit_key(self, tenant: TenantConfiguration, account: str, address: str) -> Admission:
        """The same for a counter by its own key."""
        settings = tenant.settings
        limit, place = self._limit(settings), f"address:{limit_key(address)}"
        for _ in range(WAITS):
            tries = await attempts.begin_try(
                self._database,
                tenant.id,
                account=account,
                address=place,
                windows=self._windows(tenant),
                now=self._clock.now(),
            )
            if _over(tries.address, settings.login_limit_address) or _over(
                tries.everybody, settings.login_limit_tenant
            ):
                return Admission("limited", account, place)
            if tries.locked:
                return Admission("locked", account, place)
            if limit == 0 or tries.account <= limit:
                return Admission("admitted", account, place)
            await attempts.take_back_try(self._database, tenant.id, account=account, address=place)
            await asyncio.sleep(WAIT_SECONDS)
        return Admission("limited", account, place)

    async def failed(self, tenant: TenantConfiguration, admission: Admission, user: str | None) -> bool:
        """The try was judged wrong; `user` from `user_key` when the name led to an account. True: a lock began."""
        began = await attempts.fail_try(
            self._database,
            tenant.id,
            account=admission.account,
            user=user,
            windows=self._windows(tenant),
            now=self._clock.now(),
        )
        return began and self._limit(tenant.settings) > 0

    async def is_locked(self, tenant: TenantConfiguration, user: str) -> bool:
        """Whether the account itself is locked, by failures under whatever name."""
        return await attempts.is_locked(self._database, tenant.id, user, self._clock.now())

    async def turned_away(self, tenant: TenantConfiguration, admission: Admission) -> None:
        """The account is locked: the try is over, and does not prolong the lock."""
        await attempts.land_try(self._database, tenant.id, account=admission.account)

    async def take_back(self, tenant: TenantConfiguration, admission: Admission) -> None:
        """The try could not be judged (directory down, hash lane full): an outage must not lock people out."""
        await attempts.take_back_try(self._database, tenant.id, account=admission.account, address=admission.address)

    def _windows(self, tenant: TenantConfiguration) -> Windows:
        settings = tenant.settings
        return Windows(
            account=settings.lockout_window * SECOND,
            address=settings.login_limit_address.seconds * SECOND,
            everybody=settings.login_limit_tenant.seconds * SECOND,
            limit=self._limit(settings),
            lock=settings.lockout_seconds * SECOND,
        )


def user_key(store: str, user_id: str) -> str:
    return f"user:{store}/{user_id}"


def factors_key(account: str) -> str:
    """The counter of an account's second factors: a right password must not clear it. `account` from `user_key` or
    `account_key`."""
    return f"factors:{account}"


def _over(count: int, limit: RateLimit) -> bool:
    return limit.count > 0 and count > limit.count


def account_key(username: str) -> str:
    """One key for every spelling of a name: case, compatibility forms and the primary domain do not matter."""
    plain = unicodedata.normalize("NFKC", username).casefold().strip()
    plain = plain.removeprefix("primary/")
    return "account:" + hashlib.sha256(plain.encode(errors="replace")).hexdigest()
