"""`/scim2/v2/Roles` (wso2-contracts §1.7, §7.4): search, create, read, change and delete roles."""

from datetime import UTC
from typing import Any

import msgspec

from identity.administration import roles as administration
from identity.administration.context import Administration
from identity.authn.api_access import ApiAccess, Caller
from identity.clock import as_datetime
from identity.domain.filters import Filter, equals, read_filter
from identity.domain.management_scopes import MANAGEMENT_SCOPES
from identity.domain.roles import AudienceType, MemberKind, Role
from identity.errors import IdentityError
from identity.scim.bodies import list_response, number, page, scim_response
from identity.scim.role_changes import MAXIMUM_OPERATIONS, Kind, PatchRequest, RoleDraft, values_of
from identity.storage import roles as storage
from identity.storage.configuration import TenantConfiguration
from identity.storage.database import Runner
from identity.storage.roles import RoleGrants
from identity.web.json_bodies import read_body
from identity.web.messages import Request, Response

PATH = "/scim2/v2/Roles"
ROLE_SCHEMA = "urn:ietf:params:scim:schemas:extension:2.0:Role"
FILTERED = ("displayName", "id", "audience.type", "audience.value", "permissions", "groups")


class Audience(msgspec.Struct):
    type: str
    value: str = ""


class NewRole(msgspec.Struct, rename="camel"):
    display_name: str
    audience: Audience | None = None
    permissions: Any = None
    users: Any = None
    groups: Any = None


class SearchRequest(msgspec.Struct, rename="camel"):
    filter: str | None = None
    start_index: int | None = None
    count: int | None = None


class RolesEndpoint:
    def __init__(self, access: ApiAccess, administered: Administration) -> None:
        self._access = access
        self._administered = administered

    async def list_all(self, request: Request) -> Response:
        await self._access.require(request)
        query = request.query()
        start, count = number(query.get("startIndex"), "startIndex"), number(query.get("count"), "count")
        return await self._listed(request, query.get("filter"), start, count)

    async def search(self, request: Request) -> Response:
        """POST `.search` (RFC 7644 §3.4.3)."""
        await self._access.require(request)
        body = read_body(request, SearchRequest)
        return await self._listed(request, body.filter, body.start_index, body.count)

    async def create(self, request: Request) -> Response:
        caller = await self._access.require(request)
        body = read_body(request, NewRole)
        kind, audience = _audience(body.audience)
        role = await administration.create_role(
            self._administered,
            request.tenant,
            body.display_name,
            administration.RoleChanges(
                add_scopes=frozenset(values_of(body.permissions or [])),
                add_users=frozenset(values_of(body.users or [])),
                add_groups=frozenset(values_of(body.groups or [])),
            ),
            audience_type=kind,
            audience=audience,
            by=caller,
        )
        location = f"{request.tenant.prefix}{PATH}/{role.id}"
        return await self._shown(request, role, 201, [(b"location", location.encode())])

    async def show(self, request: Request) -> Response:
        await self._access.require(request)
        return await self._shown(request, await self._role(request), 200, [])

    async def change(self, request: Request) -> Response:
        """PATCH (RFC 7644 §3.5.2)."""
        caller = await self._access.require(request)
        operations = read_body(request, PatchRequest).operations
        if len(operations) > MAXIMUM_OPERATIONS:
            raise IdentityError("too_many", f"At most {MAXIMUM_OPERATIONS} operations.")
        role = await self._role(request)
        draft = self._draft(request.tenant, role)
        for operation in operations:
            await draft.apply(operation)
        return await self._changed(request, caller, role, draft)

    async def replace(self, request: Request) -> Response:
        """PUT (RFC 7644 §3.5.1)."""
        caller = await self._access.require(request)
        body = read_body(request, NewRole)
        role = await self._role(request)
        if body.audience is not None and _audience(body.audience) != (role.audience_type, role.audience):
            # RFC 7644 §3.5.1: what is immutable must come as it is.
            raise IdentityError("mutability", "audience cannot be changed.")
        draft = self._draft(request.tenant, role)
        await draft.replace(
            body.display_name, {"users": body.users, "groups": body.groups, "permissions": body.permissions}
        )
        return await self._changed(request, caller, role, draft)

    async def delete(self, request: Request) -> Response:
        caller = await self._access.require(request)
        role = await self._role(request)
        await administration.delete_role(self._administered, request.tenant, role, by=caller)
        return Response(204)

    async def _changed(self, request: Request, caller: Caller, role: Role, draft: RoleDraft) -> Response:
        await administration.change_role(self._administered, request.tenant, role, draft.changes(), by=caller)
        return await self._shown(request, await self._role(request), 200, [])

    def _draft(self, tenant: TenantConfiguration, role: Role) -> RoleDraft:
        async def present(kind: Kind) -> list[str]:
            database = self._administered.database
            if kind == "permissions":
                return await administration.permissions_of(self._administered, tenant, role)
            member: MemberKind = "user" if kind == "users" else "group"
            return await storage.members_of_role(database, tenant.id, role.id, member, count=1_000_000)

        return RoleDraft(present)

    async def _role(self, request: Request) -> Role:
        return await administration.require_role(self._administered, request.tenant, request.path_values["id"])

    async def _listed(self, request: Request, text: str | None, start: int | None, count: int | None) -> Response:
        wanted = read_filter(text, FILTERED)
        found = await _matching(self._administered.database, request.tenant, wanted)
        shown, start = page(found, 1 if start is None else start, count)
        return list_response([_summary(request.tenant, grants) for grants in shown], len(found), start)

    async def _shown(self, request: Request, role: Role, status: int, headers: list[tuple[bytes, bytes]]) -> Response:
        tenant, database = request.tenant, self._administered.database
        scopes = await administration.permissions_of(self._administered, tenant, role)
        groups = await storage.members_of_role(database, tenant.id, role.id, "group")
        body = _summary(tenant, RoleGrants(role, frozenset(scopes), frozenset(groups)))
        body["users"] = [
            {"value": id, "display": name, "$ref": f"{tenant.prefix}/scim2/Users/{id}"}
            for id, name in await storage.users_of_role(database, tenant.id, role.id)
        ]
        return scim_response(status, body, headers)


async def _matching(runner: Runner, tenant: TenantConfiguration, wanted: Filter | None) -> list[RoleGrants]:
    """The organization's first, since a connector takes the first of a name; then in the order of their making."""
    name = equals(wanted, "displayName")
    if name is None:
        every = list((await storage.load_role_grants(runner, tenant.id)).values())
    else:
        named = await storage.find_roles_by_name(runner, tenant.id, name)
        every = [await storage.find_role_grants(runner, tenant.id, role) for role in named]
    found = []
    for grants in sorted(every, key=lambda each: (each.role.audience_type != "organization", each.role.id)):
        if grants.role.is_admin:
            grants = RoleGrants(grants.role, grants.scopes | MANAGEMENT_SCOPES.keys(), grants.groups)
        if wanted is None or wanted.matches(lambda attribute, of=grants: _values(tenant, of, attribute)):  # type: ignore[misc]
            found.append(grants)
    return found


def _values(tenant: TenantConfiguration, grants: RoleGrants, attribute: str) -> tuple[str, ...]:
    match attribute:
        case "displayName":
            return (grants.role.name,)
        case "id":
            return (grants.role.id,)
        case "audience.type":
            return (grants.role.audience_type,)
        case "audience.value":
            return (grants.role.audience or tenant.tenant.handle,)
        case "permissions":
            return tuple(grants.scopes)
        case _:
            return tuple(grants.groups)


def _summary(tenant: TenantConfiguration, grants: RoleGrants) -> dict[str, Any]:
    """A role as lists show it: without its people."""
    role = grants.role
    location = f"{tenant.prefix}{PATH}/{role.id}"
    return {
        "schemas": [ROLE_SCHEMA],
        "id": role.id,
        "displayName": role.name,
        "audience": {
            "type": role.audience_type,
            "value": role.audience or tenant.tenant.handle,
            "display": role.audience or tenant.tenant.handle,
        },
        "permissions": [{"value": scope, "display": scope} for scope in sorted(grants.scopes)],
        "groups": [{"value": group, "display": group} for group in sorted(grants.groups)],
        "meta": {
            "resourceType": "Role",
            "created": as_datetime(role.created_at).astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "location": location,
        },
    }


def _audience(given: Audience | None) -> tuple[AudienceType, str]:
    if given is None or given.type.lower() == "organization":
        return "organization", ""
    if given.type.lower() != "application":
        raise IdentityError("invalid_value", "audience.type must be organization or application.")
    return "application", given.value
