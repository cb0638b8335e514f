"""Roles: made, changed, given to people and groups. Nobody gives what they do not hold themselves."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from identity.administration.context import Administration
from identity.administration.users import find_user
from identity.authn.api_access import Caller
from identity.authn.people import store_unavailable
from identity.domain.applications import ApplicationId
from identity.domain.events import Event, EventType
from identity.domain.management_scopes import MANAGEMENT_SCOPES, is_internal
from identity.domain.roles import ADMIN_ROLE, ADMIN_ROLE_ID, AudienceType, Role, RoleId
from identity.domain.tenants import TenantId
from identity.domain.users import SubjectId
from identity.errors import IdentityError
from identity.ids import new_id
from identity.storage import roles, subjects, tenants
from identity.storage.api_resources import find_scope
from identity.storage.applications import find_application_by_id
from identity.storage.configuration import TenantConfiguration
from identity.storage.database import Conflict, Transaction
from identity.storage.events import record
from userstores.names import PRIMARY, qualified_name, split_login_name
from userstores.spi import NotSupported, StoreUnavailable

MAXIMUM_CHANGES = 1000
"""Scopes or members in one change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleChanges:
    """What is added to and removed from a role; users by subject id, groups by qualified name."""

    name: str | None = None
    add_scopes: frozenset[str] = frozenset()
    remove_scopes: frozenset[str] = frozenset()
    add_users: frozenset[str] = frozenset()
    remove_users: frozenset[str] = frozenset()
    add_groups: frozenset[str] = frozenset()
    remove_groups: frozenset[str] = frozenset()

    @property
    def widest(self) -> int:
        added = (self.add_scopes, self.remove_scopes, self.add_users, self.remove_users, self.add_groups)
        return max(len(names) for names in (*added, self.remove_groups))

    @property
    def only_users(self) -> bool:
        """Who has a role is read each time; everything else is cached by the tenant's version."""
        return self.name is None and not (self.add_scopes | self.remove_scopes | self.add_groups | self.remove_groups)


async def insert_admin_role(transaction: Transaction, tenant: TenantId, now: int) -> None:
    """The role that administrators have, made with its tenant."""
    await roles.insert_role(transaction, tenant, Role(id=ADMIN_ROLE_ID, name=ADMIN_ROLE, created_at=now))


async def require_role(administration: Administration, tenant: TenantConfiguration, role: str) -> Role:
    """By id. Raises IdentityError."""
    found = await roles.find_role(administration.database, tenant.id, role)
    if found is None:
        raise IdentityError("unknown_role", f"There is no role {role!r}.", status=404)
    return found


async def require_role_by_name(administration: Administration, tenant: TenantConfiguration, name: str) -> Role:
    """The organization's role of this name. Raises IdentityError."""
    for role in await roles.find_roles_by_name(administration.database, tenant.id, name):
        if role.audience_type == "organization":
            return role
    raise IdentityError("unknown_role", f"There is no role {name!r}.", status=404)


async def permissions_of(administration: Administration, tenant: TenantConfiguration, role: Role) -> list[str]:
    """The scopes that it grants, by name."""
    stored = await roles.scopes_of_role(administration.database, tenant.id, role.id)
    return sorted({*stored, *MANAGEMENT_SCOPES}) if role.is_admin else stored


async def create_role(
    administration: Administration,
    tenant: TenantConfiguration,
    name: str,
    changes: RoleChanges,
    *,
    audience_type: AudienceType = "organization",
    audience: str = "",
    by: Caller | None = None,
) -> Role:
    """A role with the scopes and members that `changes` adds. `audience` is an application's id.

    `by`: who asks; None for the machine's own administrator. Raises IdentityError.
    """
    role = Role(
        id=RoleId(new_id()),
        name=_checked_name(name),
        audience_type=audience_type,
        audience=audience,
        created_at=administration.clock.now(),
    )
    if audience_type == "application":
        application = await find_application_by_id(administration.database, tenant.id, ApplicationId(audience))
        if application is None:
            raise IdentityError("invalid_role", "The audience's value is not the id of an application.")
    changes = await _checked(administration, tenant, role, changes, frozenset(), by)
    try:
        async with administration.database.transaction() as transaction:
            await roles.insert_role(transaction, tenant.id, role)
            await _apply(transaction, tenant.id, role.id, changes)
            await tenants.touch_tenant(transaction, tenant.id)
            await _record(transaction, administration, tenant.id, EventType.ROLE_CREATED, role, by)
    except Conflict:
        raise IdentityError("conflict", f"There is a role {name!r} already.", status=409) from None
    return role


async def change_role(
    administration: Administration,
    tenant: TenantConfiguration,
    role: Role,
    changes: RoleChanges,
    *,
    by: Caller | None = None,
) -> None:
    """Rename it, change its scopes and members. Raises IdentityError."""
    if changes.name == role.name:
        changes = replace(changes, name=None)
    if changes.name is not None:
        _checked_name(changes.name)
        if role.is_admin:
            raise IdentityError("invalid_role", "The administrators' role cannot be renamed.")
    present = frozenset(await permissions_of(administration, tenant, role))
    changes = await _checked(administration, tenant, role, changes, present, by)
    try:
        async with administration.database.transaction() as transaction:
            if changes.name is not None:
                await roles.rename_role(transaction, tenant.id, role.id, changes.name)
            await _apply(transaction, tenant.id, role.id, changes)
            if not changes.only_users:
                await tenants.touch_tenant(transaction, tenant.id)
            await _record(transaction, administration, tenant.id, EventType.ROLE_UPDATED, role, by)
    except Conflict:
        raise IdentityError("conflict", f"There is a role {changes.name!r} already.", status=409) from None


async def delete_role(
    administration: Administration, tenant: TenantConfiguration, role: Role, *, by: Caller | None = None
) -> None:
    """What it granted is gone with the next refresh of each token. Raises IdentityError."""
    if role.is_admin:
        raise IdentityError("invalid_role", "The administrators' role cannot be deleted.")
    _require_held(frozenset(await permissions_of(administration, tenant, role)), by)
    async with administration.database.transaction() as transaction:
        await roles.delete_role(transaction, tenant.id, role.id)
        await tenants.touch_tenant(transaction, tenant.id)
        await _record(transaction, administration, tenant.id, EventType.ROLE_DELETED, role, by)


async def user_of_role(administration: Administration, tenant: TenantConfiguration, value: str) -> SubjectId:
    """The subject of a person named by subject id or by their store's own id. Raises IdentityError."""
    known = await subjects.find_subject(administration.database, tenant.id, value)
    if known is not None:
        return known.id
    try:
        for store in administration.people.stores(tenant):
            user = await store.find_by_id(value)
            if user is not None:
                return await subject_of_user(administration, tenant, user.store, user.id, user.username)
    except StoreUnavailable as error:
        raise store_unavailable(error) from None
    raise IdentityError("invalid_role", f"There is no user {value[:100]!r}.")


async def subjects_of_usernames(
    administration: Administration, tenant: TenantConfiguration, usernames: Iterable[str]
) -> frozenset[str]:
    """Of people by `name` or `DOMAIN/name`. Raises IdentityError."""
    found: set[str] = set()
    for username in usernames:
        user = await find_user(administration, tenant, username)
        found.add(await subject_of_user(administration, tenant, user.store, user.id, user.username))
    return frozenset(found)


async def subject_of_user(
    administration: Administration, tenant: TenantConfiguration, store: str, user: str, username: str
) -> SubjectId:
    """Made now when the person has never signed in."""
    async with administration.database.transaction() as transaction:
        subject = await subjects.ensure_subject(
            transaction, tenant.id, store=store, external_id=user, username=username, now=administration.clock.now()
        )
    return subject.id


async def _checked(
    administration: Administration,
    tenant: TenantConfiguration,
    role: Role,
    changes: RoleChanges,
    present: frozenset[str],
    by: Caller | None,
) -> RoleChanges:
    """The changes with members as they are stored. `present`: the scopes that the role has."""
    if changes.widest > MAXIMUM_CHANGES:
        raise IdentityError("invalid_role", f"At most {MAXIMUM_CHANGES} scopes or members in one change.")
    internal = frozenset(scope for scope in changes.add_scopes | changes.remove_scopes if is_internal(scope))
    if not MANAGEMENT_SCOPES.keys() >= internal:
        raise IdentityError("invalid_role", f"There is no scope {min(internal - MANAGEMENT_SCOPES.keys())[:100]!r}.")
    _require_held(present | changes.add_scopes, by)
    added = changes.add_scopes - present
    for scope in added - internal:
        if await find_scope(administration.database, tenant.id, scope) is None:
            raise IdentityError("invalid_role", f"There is no scope {scope[:100]!r}.")
    kept = internal if role.is_admin else frozenset[str]()
    return RoleChanges(
        name=changes.name,
        add_scopes=added - kept,
        remove_scopes=changes.remove_scopes - kept,
        add_users=frozenset([await user_of_role(administration, tenant, user) for user in changes.add_users]),
        remove_users=frozenset([await _leaving_user(administration, tenant, user) for user in changes.remove_users]),
        add_groups=await _groups(administration, tenant, changes.add_groups),
        remove_groups=await _leaving_groups(administration, tenant, role, changes.remove_groups),
    )


async def _leaving_user(administration: Administration, tenant: TenantConfiguration, value: str) -> str:
    """By the names that make one a member; somebody who is nowhere may still be listed."""
    try:
        return await user_of_role(administration, tenant, value)
    except IdentityError as error:
        if error.code != "invalid_role":
            raise
        return value


async def _leaving_groups(
    administration: Administration, tenant: TenantConfiguration, role: Role, names: frozenset[str]
) -> frozenset[str]:
    """As the role has them, however they are spelled: a removal that misses would leave the right in place."""
    if not names:
        return names
    members = await roles.members_of_role(administration.database, tenant.id, role.id, "group", count=1_000_000)
    listed = {member.casefold(): member for member in members}
    found: set[str] = set()
    for name in names:
        domain, group = split_login_name(name)
        found.add(listed.get(qualified_name(domain or PRIMARY, group).casefold(), name))
    return frozenset(found)


def _require_held(scopes: frozenset[str], by: Caller | None) -> None:
    """Who may change roles could otherwise give themselves every other right (attack class 23)."""
    beyond = sorted(scope for scope in scopes if is_internal(scope) and by is not None and scope not in by.scopes)
    if beyond:
        raise IdentityError(
            "forbidden", f"You cannot change who has {beyond[0]}: you do not have it yourself.", status=403
        )


async def _groups(administration: Administration, tenant: TenantConfiguration, names: Iterable[str]) -> frozenset[str]:
    """Groups as their stores spell them. Raises IdentityError for one that is nowhere."""
    found: set[str] = set()
    known: dict[str, dict[str, str]] = {}
    for name in names:
        domain, group = split_login_name(name)
        domain = domain or PRIMARY
        if domain not in known:
            known[domain] = await _groups_of_store(administration, tenant, domain)
        spelled = known[domain].get(group.casefold())
        if spelled is None:
            raise IdentityError("invalid_role", f"There is no group {name[:100]!r}.")
        found.add(qualified_name(domain, spelled))
    return frozenset(found)


async def _groups_of_store(administration: Administration, tenant: TenantConfiguration, domain: str) -> dict[str, str]:
    """Every group of it as it spells them, by case-folded name; none of a store that is not there or has none."""
    store = administration.people.stores(tenant).get(domain)
    try:
        return {group.casefold(): group for group in (await store.groups() if store is not None else ())}
    except StoreUnavailable as error:
        raise store_unavailable(error) from None
    except NotSupported:
        return {}


async def _apply(transaction: Transaction, tenant: TenantId, role: RoleId, changes: RoleChanges) -> None:
    await roles.remove_role_scopes(transaction, tenant, role, changes.remove_scopes)
    await roles.add_role_scopes(transaction, tenant, role, sorted(changes.add_scopes))
    await roles.remove_role_members(transaction, tenant, role, "user", changes.remove_users)
    await roles.add_role_members(transaction, tenant, role, "user", sorted(changes.add_users))
    await roles.remove_role_members(transaction, tenant, role, "group", changes.remove_groups)
    await roles.add_role_members(transaction, tenant, role, "group", sorted(changes.add_groups))


def _checked_name(name: str) -> str:
    if not name or len(name) > 255 or not name.isprintable() or name != name.strip():
        raise IdentityError("invalid_role", "A role's name must be 1 to 255 printable characters.")
    return name


async def _record(
    transaction: Transaction,
    administration: Administration,
    tenant: TenantId,
    event: EventType,
    role: Role,
    by: Caller | None,
) -> None:
    data = {"role": role.id, "name": role.name, **(by.named if by is not None else {})}
    await record(transaction, Event(tenant=tenant, type=event, at=administration.clock.now(), data=data))
