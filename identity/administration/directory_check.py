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
            except Exception as error:
                self._log.error("directories were not checked", exc_info=error)

    async def once(self) -> int:
        """Every tenant whose turn it is; how many people had left."""
        gone = 0
        for tenant in await list_tenants_with_directories(self._administration.database):
            try:
                if await self._is_our_turn(tenant):
                    gone += await self._check_all(tenant)
            except Exception as error:
                # One tenant's settings keep nobody else's directories from being checked.
                self._log.error("directories were not checked", tenant=tenant.handle, exc_info=error)
        return gone

    async def _check_all(self, tenant: Tenant) -> int:
        current, gone = await self._administration.tenant(tenant.handle), 0
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
        handle = tenant.tenant.handle
        try:
            asked, gone = await self._ask(tenant, store)
            if len(gone) > FEW and 2 * len(gone) > asked:
                self._log.error(
                    "most people seem to have left a directory: nothing was done; look at its search base and rights",
                    tenant=handle, store=store, asked=asked, gone=len(gone),
                )  # fmt: skip
                return 0
            return sum([await self._end(tenant, subject) for subject in gone])
        except StoreUnavailable as error:
            self._log.warning("a directory was not checked", tenant=handle, store=store, detail=str(error))
            return 0

    async def _ask(self, tenant: TenantConfiguration, store: str) -> tuple[int, list[Subject]]:
        """How many were looked up, and who seems to have left. Nobody where the tenant was changed meanwhile: the store
        may have other settings, and the next round takes those."""
        asked, gone, after = 0, list[Subject](), ""
        while found := await self._page(tenant, store, after):
            current = await self._administration.configuration.load(tenant.tenant.handle)
            if current is None or current.tenant.version != tenant.tenant.version:
                return 0, []
            asked, after = asked + len(found), found[-1].id
            gone += await self._gone(tenant, found)
        return asked, gone

    async def _end(self, tenant: TenantConfiguration, subject: Subject) -> bool:
        """Unless they came back during the round, or somebody else has ended everything of theirs."""
        people = self._administration.people
        now = await people.subject(tenant, subject.id)
        if now is None or now.epoch != subject.epoch or await people.current(tenant, now) is not None:
            return False
        await end_departed(self._administration, tenant, now)
        return True

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
