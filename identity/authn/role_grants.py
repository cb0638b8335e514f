"""What roles grant to a person: the tenant's roles as cached by its version, and who has them as stored now."""

from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from identity.authn.people import People, store_unavailable
from identity.domain.management_scopes import MANAGEMENT_SCOPES
from identity.domain.roles import AudienceType
from identity.domain.users import SubjectId
from identity.storage.api_resources import load_scope_names
from identity.storage.configuration import TenantConfiguration
from identity.storage.database import Database
from identity.storage.roles import RoleGrants, load_role_grants, roles_of_user
from userstores.names import qualified_name
from userstores.spi import StoreUnavailable, StoreUser

CACHED_TENANTS = 200


@dataclass(frozen=True, slots=True)
class ScopeBook:
    """A tenant's registered scopes, each with the id of its API resource, and its roles by id."""

    apis: Mapping[str, str]
    roles: Mapping[str, RoleGrants]
    of_groups: tuple[RoleGrants, ...]
    """Those of the roles that people have by a group."""


class RoleGrantsOfPeople:
    def __init__(self, database: Database, people: People) -> None:
        self._database = database
        self._people = people
        self._books: OrderedDict[int, tuple[int, ScopeBook]] = OrderedDict()

    async def book(self, tenant: TenantConfiguration) -> ScopeBook:
        """Read once for each version of the tenant: whatever changes a scope or a role raises it."""
        known = self._books.get(tenant.id)
        if known is not None and known[0] == tenant.tenant.version:
            return known[1]
        roles = await load_role_grants(self._database, tenant.id)
        for id, grants in roles.items():
            if grants.role.is_admin:
                roles[id] = replace(grants, scopes=grants.scopes | MANAGEMENT_SCOPES.keys())
        of_groups = tuple(grants for grants in roles.values() if grants.groups)
        book = ScopeBook(await load_scope_names(self._database, tenant.id), roles, of_groups)
        self._books[tenant.id] = (tenant.tenant.version, book)
        if len(self._books) > CACHED_TENANTS:
            self._books.popitem(last=False)
        return book

    async def scopes(
        self,
        tenant: TenantConfiguration,
        subject: SubjectId,
        wanted: Collection[str],
        *,
        audience_type: AudienceType = "organization",
        audience: str = "",
        groups: Collection[str] | None = None,
    ) -> frozenset[str]:
        """Those of `wanted` that a role of the person grants, their own or of one of their groups.

        `groups` as `qualified_groups` puts them, when they are known; else their store is asked, if that can matter.
        Raises Unavailable when it does not answer.
        """

        def counts(grants: RoleGrants) -> bool:
            return (grants.role.audience_type, grants.role.audience) == (audience_type, audience)

        book = await self.book(tenant)
        wanted = frozenset(wanted)
        held = await roles_of_user(self._database, tenant.id, subject)
        own = [book.roles[id] for id in held if id in book.roles]
        granted = {scope for grants in own if counts(grants) for scope in grants.scopes & wanted}
        by_group = [each for each in book.of_groups if counts(each) and not granted.issuperset(each.scopes & wanted)]
        if by_group:
            if groups is None:
                groups = await self._groups(tenant, subject)
            for grants in by_group:
                if not grants.groups.isdisjoint(groups):
                    granted |= grants.scopes.intersection(wanted)
        return frozenset(granted)

    async def _groups(self, tenant: TenantConfiguration, subject: SubjectId) -> tuple[str, ...]:
        known = await self._people.subject(tenant, subject)
        if known is None:
            return ()
        try:
            person = await self._people.current(tenant, known)
        except StoreUnavailable as error:
            raise store_unavailable(error) from None
        return () if person is None else qualified_groups(person.user)


def qualified_groups(user: StoreUser) -> tuple[str, ...]:
    """The names of a person's groups, `DOMAIN/group` outside the primary store."""
    return tuple(qualified_name(user.store, group) for group in user.groups)
