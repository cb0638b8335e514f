"""People of a tenant, wherever they live: the user stores of its rows, and what tokens may say about a person."""

import asyncio
import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from identity.clock import Clock
from identity.domain.users import Subject
from identity.errors import IdentityError, Unavailable
from identity.ids import new_id
from identity.secrets import Sealer
from identity.storage import subjects
from identity.storage.configuration import TenantConfiguration
from identity.storage.database import Database, forbid_in_transaction
from identity.tokens.claims import claims_of_user
from userstores.passwords import LaneFull, PasswordLane
from userstores.registry import StoreContext, build_store
from userstores.routing import UserStores
from userstores.spi import Authenticated, Refused, StoreUnavailable, StoreUser, UserStore

CACHED_TENANTS = 200


@dataclass(frozen=True, slots=True)
class Person:
    """A person as one of the stores knows them, with the subject that tokens name."""

    user: StoreUser
    subject: Subject

    @property
    def claims(self) -> dict[str, Any]:
        return claims_of_user(self.user, self.subject)

    @property
    def display_name(self) -> str:
        name = self.user.attributes.get("name")
        return name if isinstance(name, str) and name else self.subject.username


class People:
    """Builds each tenant's stores once per version of the tenant; nothing here runs inside a transaction."""

    def __init__(self, database: Database, sealer: Sealer, clock: Clock, lane: PasswordLane) -> None:
        self._database = database
        self._sealer = sealer
        self._clock = clock
        self._lane = lane
        self._stores: OrderedDict[int, tuple[int, UserStores]] = OrderedDict()
        self._built: dict[tuple[int, str], tuple[bytes, UserStore]] = {}
        self._closing: set[asyncio.Future[None]] = set()

    def stores(self, tenant: TenantConfiguration) -> UserStores:
        """The tenant's stores in their order. A store whose settings have not changed keeps its connections."""
        found = self._stores.get(tenant.id)
        if found is not None and found[0] == tenant.tenant.version:
            return found[1]
        stores = UserStores(
            [self._store(tenant, row.name, row.type, row.settings) for row in tenant.stores if row.enabled]
        )
        self._stores[tenant.id] = (tenant.tenant.version, stores)
        if len(self._stores) > CACHED_TENANTS:
            self._stores.popitem(last=False)
        return stores

    def _store(self, tenant: TenantConfiguration, name: str, kind: str, sealed: bytes) -> UserStore:
        key = (tenant.id, name)
        known = self._built.get(key)
        if known is not None and known[0] == sealed:
            return known[1]
        settings = json.loads(self._sealer.open(sealed, store_context(tenant.id, name)))
        store = self.build(tenant, kind, name, settings)
        self._built[key] = (sealed, store)
        if known is not None:
            closing = asyncio.ensure_future(known[1].close())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
        return store

    def build(self, tenant: TenantConfiguration, kind: str, name: str, settings: Mapping[str, Any]) -> UserStore:
        """A store by its settings, not connected yet. Raises ValueError with what is wrong with them."""
        context = StoreContext(
            tenant=tenant.id, database=self._database, lane=self._lane, now=self._clock.now, new_id=new_id
        )
        return build_store(kind, name, settings, context)

    async def authenticate(self, tenant: TenantConfiguration, username: str, password: str) -> Authenticated | Refused:
        """Check a password in the store or stores that the name may belong to.

        Raises Unavailable when the hash lane is full, StoreUnavailable when a directory that could have known the
        person did not answer.
        """
        forbid_in_transaction("a password check")
        try:
            return await self.stores(tenant).authenticate(username, password)
        except LaneFull:
            raise Unavailable("the hash lane is full", retry_after=2) from None

    async def current(self, tenant: TenantConfiguration, subject: Subject) -> Person | None:
        """The person as the store has them now; None when they are gone or disabled there.

        Raises StoreUnavailable.
        """
        forbid_in_transaction("a user store")
        if not subject.enabled:
            return None
        user = await self.stores(tenant).find_by_id(subject.store, subject.external_id)
        return Person(user, subject) if user is not None and user.enabled else None

    async def subject(self, tenant: TenantConfiguration, subject: str) -> Subject | None:
        return await subjects.find_subject(self._database, tenant.id, subject)

    async def person_of(self, tenant: TenantConfiguration, user: StoreUser) -> Person:
        """The person with their subject, which is made when nobody has named them before."""
        known = await subjects.find_subject_of_user(self._database, tenant.id, user.store, user.id)
        if known is None or known.username != user.username:
            async with self._database.transaction() as transaction:
                known = await subjects.ensure_subject(
                    transaction,
                    tenant.id,
                    store=user.store,
                    external_id=user.id,
                    username=user.username,
                    now=self._clock.now(),
                )
        return Person(user, known)

    async def find_by_name(self, tenant: TenantConfiguration, name: str) -> Person | None:
        """By username, `DOMAIN/user` too. Raises StoreUnavailable."""
        forbid_in_transaction("a user store")
        user = await self.stores(tenant).find(name)
        return None if user is None else await self.person_of(tenant, user)

    async def find_by_claims(self, tenant: TenantConfiguration, wanted: Mapping[str, str]) -> Person | None:
        """The one person of all stores who has all of these (`username`, `email`, `phone_number`); None for two.

        An email address counts once it is verified: otherwise whoever writes somebody's address into their own account
        would be taken for them (attack row 19). Raises StoreUnavailable.
        """
        forbid_in_transaction("a user store")
        stores = self.stores(tenant)
        found: dict[tuple[str, str], StoreUser] | None = None
        for claim, value in wanted.items():
            having = {(user.store, user.id): user for user in await stores.find_by_claim(claim, value)}
            if len(having) > 1:
                # Unique by each claim alone: a second person who has one of them must not be told apart by luck.
                return None
            if claim == "email":
                having = {key: user for key, user in having.items() if _has_address(user, value)}
            found = having if found is None else {key: user for key, user in found.items() if key in having}
        if not found:
            return None
        (user,) = found.values()
        return await self.person_of(tenant, user)

    def lives_with_us(self, tenant: TenantConfiguration, subject: Subject) -> bool:
        """Whether every change of this person goes through us, so that the subject's row tells all (decision 13)."""
        return any(row.name == subject.store and row.type == "sql" for row in tenant.stores)

    def open_circuits(self) -> dict[str, int]:
        """1 for each store whose circuit is open, by tenant and name: for the metrics."""
        return {
            f"{tenant}/{name}": int(getattr(store, "circuit", "closed") != "closed")
            for (tenant, name), (_, store) in self._built.items()
            if store.type != "sql"
        }

    async def close(self) -> None:
        for _, store in self._built.values():
            await store.close()


def _has_address(user: StoreUser, address: str) -> bool:
    """Whether they have verified this very address: capitals aside, but not the look-alikes that stores fold too."""
    own = user.attributes.get("email")
    same = own == address or (str(own).lower() == address.lower() and (f"{own}{address}").isascii())
    return same and user.attributes.get("email_verified") is True


def store_context(tenant: int, name: str) -> bytes:
    """What a store's sealed settings are bound to."""
    return f"user-store:{tenant}:{name}".encode()


def store_unavailable(error: StoreUnavailable) -> IdentityError:
    return Unavailable(f"user store: {error}", retry_after=5)
