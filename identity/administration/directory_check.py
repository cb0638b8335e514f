"""The change poll of decision 13: people whose directory has them no more lose what they hold, without being asked.

A tenant's `directory_check_interval` switches it on. Whoever holds a session or a grant is looked up in their
directory; who is gone or disabled there is signed out everywhere, and applications and gateways are told.
"""

import asyncio
import random

from identity.administration.context import Administration
from identity.administration.users import end_departed
from identity.domain.tenants import Tenant
from identity.domain.users import Subject
from identity.errors import IdentityError
from identity.storage.configuration import TenantConfiguration
from identity.storage.installation import take_turn
from identity.storage.subjects import list_subjects_with_access
from identity.storage.tenants import list_tenants_with_directories
from identity.telemetry import Log
from userstores.spi import StoreUnavailable

LOOK_EVERY_SECONDS = 10
PAGE = 200
AT_ONCE = 4
"""Look-ups of one directory at the same time; sign-ins have the rest of its connections."""
FEW = 10
"""So many may always leave in one round. Of more, at most half: whole departments do not leave at once, but a search
base with a typing error looks as if they had."""


class DirectoryCheck:
    def __init__(self, administration: Administration, log: Log) -> None:
        self._administration = administration
        self._log = log

    async def run(self) -> None:
        """For as long as the server runs."""
        while True:
            await asyncio.sleep(LOOK_EVERY_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311  spread, no secret
            try:
                await self.once()
            except IdentityError as error:
                self._log.warning("directories were not checked", detail=error.detail)

    async def once(self) -> int:
        """Every tenant whose turn it is; how many people had left."""
        gone = 0
        for tenant in await list_tenants_with_directories(self._administration.database):
            if await self._is_our_turn(tenant):
                current = await self._administration.tenant(tenant.handle)
                for store in current.stores:
                    if store.enabled and store.type != "sql":
                        gone += await self.check(current, store.name)
        return gone

    async def _is_our_turn(self, tenant: Tenant) -> bool:
        seconds = tenant.settings.directory_check_interval
        if not seconds:
            return False
        database, now = self._administration.database, self._administration.clock.now()
        return await take_turn(database, f"directory_check:{tenant.id}", now=now, seconds=seconds)

    async def check(self, tenant: TenantConfiguration, store: str) -> int:
        """One store; how many people had left."""
        asked, gone, after = 0, list[Subject](), ""
        try:
            while found := await self._page(tenant, store, after):
                asked, after = asked + len(found), found[-1].id
                gone += await self._gone(tenant, found)
        except StoreUnavailable as error:
            self._log.warning(
                "a directory was not checked", tenant=tenant.tenant.handle, store=store, detail=str(error)
            )
            return 0
        if len(gone) > FEW and 2 * len(gone) > asked:
            self._log.error(
                "most people seem to have left a directory: nothing was done; look at its search base and rights",
                tenant=tenant.tenant.handle,
                store=store,
                asked=asked,
                gone=len(gone),
            )
            return 0
        for subject in gone:
            await end_departed(self._administration, tenant, subject)
        return len(gone)

    async def _page(self, tenant: TenantConfiguration, store: str, after: str) -> list[Subject]:
        now = self._administration.clock.now()
        return await list_subjects_with_access(
            self._administration.database, tenant.id, store, after=after, now=now, count=PAGE
        )

    async def _gone(self, tenant: TenantConfiguration, subjects: list[Subject]) -> list[Subject]:
        turns = asyncio.Semaphore(AT_ONCE)

        async def left(subject: Subject) -> bool:
            async with turns:
                return await self._administration.people.current(tenant, subject) is None

        answers = await asyncio.gather(*map(left, subjects))
        return [subject for subject, has_left in zip(subjects, answers, strict=True) if has_left]
