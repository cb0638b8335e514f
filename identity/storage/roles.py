"""Roles, the scopes they grant, and who has them: people by subject id, groups by qualified name."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, delete, select, update

from identity.domain.roles import MemberKind, Role, RoleId
from identity.domain.tenants import TenantId
from identity.domain.users import SubjectId
from identity.storage.authorization_tables import role as table
from identity.storage.authorization_tables import role_member, role_scope
from identity.storage.database import Row, Runner, Writer, insert_into, of_tenant
from identity.storage.tables import subject as subject_table

_ALL = select(table).where(of_tenant(table))
_PAGE = (
    select(table)
    .where(of_tenant(table), table.c.id > bindparam("after"))
    .order_by(table.c.id)
    .limit(bindparam("count"))
)
_BY_ID = _ALL.where(table.c.id == bindparam("id"))
_BY_NAME = _ALL.where(table.c.name == bindparam("name")).order_by(table.c.id)
_INSERT = insert_into(table)
_RENAME = (
    update(table)
    .where(table.c.tenant == bindparam("b_tenant"), table.c.id == bindparam("b_id"))
    .values(name=bindparam("new_name"))
)
_DELETE = delete(table).where(of_tenant(table), table.c.id == bindparam("id"))

_SCOPES = select(role_scope.c.role, role_scope.c.scope).where(of_tenant(role_scope))
_SCOPES_OF = _SCOPES.where(role_scope.c.role == bindparam("role")).order_by(role_scope.c.scope)
_ROLES_OF_SCOPE = _SCOPES.where(role_scope.c.scope == bindparam("scope")).order_by(role_scope.c.role)
_ADD_SCOPE = insert_into(role_scope).on_conflict_do_nothing()
_REMOVE_SCOPE = delete(role_scope).where(
    of_tenant(role_scope), role_scope.c.role == bindparam("role"), role_scope.c.scope == bindparam("scope")
)
_REMOVE_SCOPES = delete(role_scope).where(of_tenant(role_scope), role_scope.c.role == bindparam("role"))
_FORGET_SCOPE = delete(role_scope).where(of_tenant(role_scope), role_scope.c.scope == bindparam("scope"))

_MEMBERS_OF = (
    select(role_member.c.member)
    .where(of_tenant(role_member), role_member.c.role == bindparam("role"), role_member.c.kind == bindparam("kind"))
    .order_by(role_member.c.member)
    .limit(bindparam("count"))
)
_USERS_OF = (
    select(role_member.c.member, subject_table.c.store, subject_table.c.username)
    .join(
        subject_table,
        (subject_table.c.tenant == role_member.c.tenant) & (subject_table.c.id == role_member.c.member),
    )
    .where(of_tenant(role_member), role_member.c.role == bindparam("role"), role_member.c.kind == "user")
    .order_by(role_member.c.member)
    .limit(bindparam("count"))
)
# Through the roles, by the primary key: a tenant's members are people, nearly all of them.
_GROUPS = (
    select(role_member.c.role, role_member.c.member)
    .join(
        table,
        (table.c.tenant == role_member.c.tenant) & (table.c.id == role_member.c.role) & (role_member.c.kind == "group"),
    )
    .where(of_tenant(table))
)
_ROLES_HELD = (
    select(table)
    .join(role_member, (role_member.c.tenant == table.c.tenant) & (role_member.c.role == table.c.id))
    .where(of_tenant(role_member), role_member.c.member == bindparam("member"), role_member.c.kind == "user")
    .order_by(table.c.id)
)
_BINDINGS = (
    select(role_scope.c.scope, table.c.name)
    .join(table, (table.c.tenant == role_scope.c.tenant) & (table.c.id == role_scope.c.role))
    .where(of_tenant(role_scope), table.c.audience_type == "organization")
)
_ROLES_OF_USER = select(role_member.c.role).where(
    of_tenant(role_member), role_member.c.member == bindparam("member"), role_member.c.kind == "user"
)
_ADD_MEMBER = insert_into(role_member).on_conflict_do_nothing()
_REMOVE_MEMBER = delete(role_member).where(
    of_tenant(role_member),
    role_member.c.role == bindparam("role"),
    role_member.c.kind == bindparam("kind"),
    role_member.c.member == bindparam("member"),
)
_REMOVE_MEMBERS = delete(role_member).where(of_tenant(role_member), role_member.c.role == bindparam("role"))
_FORGET_USER = delete(role_member).where(
    of_tenant(role_member), role_member.c.member == bindparam("member"), role_member.c.kind == "user"
)

MEMBERS_SHOWN = 1000
"""The most members of a role that are listed (wso2-contracts §1.7: `max_users_list_per_role`)."""


@dataclass(frozen=True, slots=True)
class RoleGrants:
    """A role as decisions need it: what it grants, and by which groups people have it."""

    role: Role
    scopes: frozenset[str]
    groups: frozenset[str]


async def find_role(runner: Runner, tenant: TenantId, role: str) -> Role | None:
    row = await runner.fetch_one(_BY_ID, tenant=tenant, id=role)
    return None if row is None else _role(row)


async def find_roles_by_name(runner: Runner, tenant: TenantId, name: str) -> list[Role]:
    """The organization's, and those of applications."""
    return [_role(row) for row in await runner.fetch(_BY_NAME, tenant=tenant, name=name)]


async def list_roles_page(runner: Runner, tenant: TenantId, *, after: str = "", count: int = 100) -> list[Role]:
    """Up to `count` roles with an id above `after`, in the order of their ids."""
    return [_role(row) for row in await runner.fetch(_PAGE, tenant=tenant, after=after, count=count)]


async def load_role_grants(runner: Runner, tenant: TenantId) -> dict[str, RoleGrants]:
    """Every role of the tenant by its id, without the people who have it: three reads."""
    scopes: defaultdict[str, list[str]] = defaultdict(list)
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for row in await runner.fetch(_SCOPES, tenant=tenant):
        scopes[row["role"]].append(row["scope"])
    for row in await runner.fetch(_GROUPS, tenant=tenant):
        groups[row["role"]].append(row["member"])
    return {
        row["id"]: RoleGrants(_role(row), frozenset(scopes[row["id"]]), frozenset(groups[row["id"]]))
        for row in await runner.fetch(_ALL, tenant=tenant)
    }


async def roles_of_user(runner: Runner, tenant: TenantId, subject: SubjectId) -> frozenset[str]:
    """Ids of the roles that a person has by themselves, not by a group."""
    return frozenset(row["role"] for row in await runner.fetch(_ROLES_OF_USER, tenant=tenant, member=subject))


async def list_roles_of_user(runner: Runner, tenant: TenantId, subject: SubjectId) -> list[Role]:
    """The same roles, whole."""
    return [_role(row) for row in await runner.fetch(_ROLES_HELD, tenant=tenant, member=subject)]


async def find_role_grants(runner: Runner, tenant: TenantId, role: Role) -> RoleGrants:
    """Of one role: two reads."""
    scopes = await scopes_of_role(runner, tenant, role.id)
    return RoleGrants(role, frozenset(scopes), frozenset(await members_of_role(runner, tenant, role.id, "group")))


async def load_role_names(runner: Runner, tenant: TenantId) -> dict[str, list[str]]:
    """By scope, the names of the organization's roles that grant it."""
    names: defaultdict[str, list[str]] = defaultdict(list)
    for row in await runner.fetch(_BINDINGS, tenant=tenant):
        names[row["scope"]].append(row["name"])
    return names


async def scopes_of_role(runner: Runner, tenant: TenantId, role: RoleId) -> list[str]:
    return [row["scope"] for row in await runner.fetch(_SCOPES_OF, tenant=tenant, role=role)]


async def roles_of_scope(runner: Runner, tenant: TenantId, scope: str) -> list[str]:
    """Ids of the roles that grant it."""
    return [row["role"] for row in await runner.fetch(_ROLES_OF_SCOPE, tenant=tenant, scope=scope)]


async def members_of_role(
    runner: Runner, tenant: TenantId, role: RoleId, kind: MemberKind, *, count: int = MEMBERS_SHOWN
) -> list[str]:
    rows = await runner.fetch(_MEMBERS_OF, tenant=tenant, role=role, kind=kind, count=count)
    return [row["member"] for row in rows]


async def users_of_role(
    runner: Runner, tenant: TenantId, role: RoleId, *, count: int = MEMBERS_SHOWN
) -> list[tuple[str, str]]:
    """(subject id, `DOMAIN/user` or the bare name of the primary store) of people who have the role themselves."""
    rows = await runner.fetch(_USERS_OF, tenant=tenant, role=role, count=count)
    return [
        (row["member"], row["username"] if row["store"] == "PRIMARY" else f"{row['store']}/{row['username']}")
        for row in rows
    ]


async def insert_role(writer: Writer, tenant: TenantId, role: Role) -> None:
    """Raises Conflict when its audience has a role of that name."""
    await writer.execute(
        _INSERT,
        tenant=tenant,
        id=role.id,
        name=role.name,
        audience_type=role.audience_type,
        audience=role.audience,
        created_at=role.created_at,
    )


async def rename_role(writer: Writer, tenant: TenantId, role: RoleId, name: str) -> bool:
    return await writer.execute(_RENAME, b_tenant=tenant, b_id=role, new_name=name) == 1


async def delete_role(writer: Writer, tenant: TenantId, role: RoleId) -> bool:
    await writer.execute(_REMOVE_SCOPES, tenant=tenant, role=role)
    await writer.execute(_REMOVE_MEMBERS, tenant=tenant, role=role)
    return await writer.execute(_DELETE, tenant=tenant, id=role) == 1


async def add_role_scopes(writer: Writer, tenant: TenantId, role: RoleId, scopes: Iterable[str]) -> None:
    for scope in scopes:
        await writer.execute(_ADD_SCOPE, tenant=tenant, role=role, scope=scope)


async def remove_role_scopes(writer: Writer, tenant: TenantId, role: RoleId, scopes: Iterable[str]) -> None:
    for scope in scopes:
        await writer.execute(_REMOVE_SCOPE, tenant=tenant, role=role, scope=scope)


async def forget_scope(writer: Writer, tenant: TenantId, scope: str) -> None:
    """It is gone: no role grants it any more."""
    await writer.execute(_FORGET_SCOPE, tenant=tenant, scope=scope)


async def add_role_members(
    writer: Writer, tenant: TenantId, role: RoleId, kind: MemberKind, members: Sequence[str]
) -> None:
    for member in members:
        await writer.execute(_ADD_MEMBER, tenant=tenant, role=role, kind=kind, member=member)


async def remove_role_members(
    writer: Writer, tenant: TenantId, role: RoleId, kind: MemberKind, members: Iterable[str]
) -> None:
    for member in members:
        await writer.execute(_REMOVE_MEMBER, tenant=tenant, role=role, kind=kind, member=member)


async def forget_user(writer: Writer, tenant: TenantId, subject: SubjectId) -> None:
    """A deleted person has no roles."""
    await writer.execute(_FORGET_USER, tenant=tenant, member=subject)


def _role(row: Row) -> Role:
    return Role(
        id=RoleId(row["id"]),
        name=row["name"],
        audience_type=row["audience_type"],
        audience=row["audience"],
        created_at=row["created_at"],
    )
