"""API resources with their scopes and types of authorization details: registered, changed, deleted."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from identity.administration.context import Administration
from identity.authn.api_access import Caller
from identity.domain.api_resources import ApiResource, ApiResourceId, ApiScope, ApiType, DetailsType, is_scope_token
from identity.domain.details_schema import definition_problem
from identity.domain.events import Event, EventType
from identity.domain.management_scopes import is_internal
from identity.domain.tenants import Tenant, TenantId
from identity.errors import IdentityError
from identity.ids import new_id
from identity.storage import api_resources, tenants
from identity.storage.database import Conflict, Transaction
from identity.storage.events import record
from identity.storage.roles import forget_scope
from identity.tokens.claims import IDENTITY_SCOPES

MAXIMUM_NAME = 255
MAXIMUM_DESCRIPTION = 1024
MAXIMUM_SCOPES = 1000
"""In one call, and of one API resource."""
MAXIMUM_SCHEMA = 32_768
_RESERVED = frozenset({*IDENTITY_SCOPES, "SYSTEM"})


async def create_api_resource(
    administration: Administration,
    tenant: Tenant,
    *,
    identifier: str,
    name: str = "",
    description: str = "",
    type: ApiType = "BUSINESS",
    requires_authorization: bool = True,
    properties: Iterable[tuple[str, str]] = (),
    scopes: Sequence[ApiScope] = (),
    details_types: Sequence[DetailsType] = (),
    by: Caller | None = None,
) -> ApiResource:
    """An API resource with its first scopes and types, whose `api` is filled in. Raises IdentityError."""
    resource = ApiResource(
        id=ApiResourceId(new_id()),
        identifier=_text("identifier", identifier, MAXIMUM_NAME, required=True),
        name=_text("name", name or identifier, MAXIMUM_NAME, required=True),
        description=_text("description", description, MAXIMUM_DESCRIPTION),
        type=type,
        requires_authorization=requires_authorization,
        properties=tuple(properties),
        created_at=administration.clock.now(),
    )
    _check_scopes(scopes)
    _check_types(details_types)
    try:
        async with administration.database.transaction() as transaction:
            await api_resources.insert_api_resource(transaction, tenant.id, resource)
            await _insert_parts(transaction, tenant.id, resource.id, scopes, details_types)
            await _changed(transaction, administration, tenant.id, EventType.API_RESOURCE_CREATED, resource, by)
    except Conflict:
        raise _taken("identifier, one of the scopes or one of the types") from None
    return resource


async def require_api_resource(administration: Administration, tenant: Tenant, api: str) -> ApiResource:
    """By id. Raises IdentityError."""
    found = await api_resources.find_api_resource(administration.database, tenant.id, api)
    if found is None:
        raise IdentityError("unknown_api_resource", "There is no such API resource.", status=404)
    return found


async def require_by_identifier(administration: Administration, tenant: Tenant, identifier: str) -> ApiResource:
    """By what the API calls itself. Raises IdentityError."""
    found = await api_resources.find_api_resource_by_identifier(administration.database, tenant.id, identifier)
    if found is None:
        raise IdentityError("unknown_api_resource", f"There is no API resource {identifier!r}.", status=404)
    return found


async def update_api_resource(
    administration: Administration,
    tenant: Tenant,
    resource: ApiResource,
    *,
    name: str | None = None,
    description: str | None = None,
    add_scopes: Sequence[ApiScope] = (),
    remove_scopes: Sequence[str] = (),
    add_types: Sequence[DetailsType] = (),
    remove_types: Sequence[str] = (),
    by: Caller | None = None,
) -> None:
    """Change its texts, add and remove scopes and types. Raises IdentityError."""
    changed = replace(
        resource,
        name=resource.name if name is None else _text("name", name, MAXIMUM_NAME, required=True),
        description=resource.description
        if description is None
        else _text("description", description, MAXIMUM_DESCRIPTION),
    )
    present = {scope.name for scope in await scopes_of(administration, tenant, resource)}
    _check_scopes(add_scopes, beside=len(present - set(remove_scopes)))
    _check_types(add_types)
    listed = await api_resources.list_details_types_of_api(administration.database, tenant.id, resource.id)
    types = {each.type for each in listed}
    try:
        async with administration.database.transaction() as transaction:
            await api_resources.update_api_resource(transaction, tenant.id, changed)
            await _delete_scopes(transaction, tenant.id, present.intersection(remove_scopes))
            for type in types.intersection(remove_types):
                await api_resources.delete_details_type(transaction, tenant.id, type)
            await _insert_parts(transaction, tenant.id, resource.id, add_scopes, add_types)
            await _changed(transaction, administration, tenant.id, EventType.API_RESOURCE_UPDATED, resource, by)
    except Conflict:
        raise _taken("scope or type") from None


async def delete_api_resource(
    administration: Administration, tenant: Tenant, resource: ApiResource, *, by: Caller | None = None
) -> None:
    """Its scopes are granted no more, by no role and to no application."""
    names = {scope.name for scope in await scopes_of(administration, tenant, resource)}
    types = await api_resources.list_details_types_of_api(administration.database, tenant.id, resource.id)
    async with administration.database.transaction() as transaction:
        await _delete_scopes(transaction, tenant.id, names)
        for type in types:
            await api_resources.delete_details_type(transaction, tenant.id, type.type)
        await api_resources.delete_api_resource(transaction, tenant.id, resource.id)
        await _changed(transaction, administration, tenant.id, EventType.API_RESOURCE_DELETED, resource, by)


async def scopes_of(administration: Administration, tenant: Tenant, resource: ApiResource) -> list[ApiScope]:
    return await api_resources.list_scopes_of_api(administration.database, tenant.id, resource.id)


async def require_scope(
    administration: Administration, tenant: Tenant, name: str, resource: ApiResource | None = None
) -> ApiScope:
    """By name; with `resource`, one of that API resource. Raises IdentityError."""
    found = await api_resources.find_scope(administration.database, tenant.id, name)
    if found is None or (resource is not None and found.api != resource.id):
        raise IdentityError("unknown_scope", "There is no such scope.", status=404)
    return found


async def update_scope(
    administration: Administration,
    tenant: Tenant,
    scope: ApiScope,
    *,
    display_name: str | None = None,
    description: str | None = None,
    by: Caller | None = None,
) -> None:
    changed = replace(
        scope,
        display_name=scope.display_name if display_name is None else display_name,
        description=scope.description if description is None else description,
    )
    _check_scopes([changed])
    resource = await require_api_resource(administration, tenant, scope.api)
    async with administration.database.transaction() as transaction:
        await api_resources.update_scope(transaction, tenant.id, changed)
        await _changed(transaction, administration, tenant.id, EventType.API_RESOURCE_UPDATED, resource, by)


async def require_details_type(
    administration: Administration, tenant: Tenant, resource: ApiResource, id: str
) -> DetailsType:
    """By its id. Raises IdentityError."""
    for found in await api_resources.list_details_types_of_api(administration.database, tenant.id, resource.id):
        if id in (found.id, found.type):
            return found
    raise IdentityError("unknown_type", "There is no such type of authorization details.", status=404)


async def update_details_type(
    administration: Administration,
    tenant: Tenant,
    resource: ApiResource,
    changed: DetailsType,
    *,
    by: Caller | None = None,
) -> None:
    """Everything but its name, `type`."""
    _check_types([changed])
    async with administration.database.transaction() as transaction:
        await api_resources.update_details_type(transaction, tenant.id, changed)
        await _changed(transaction, administration, tenant.id, EventType.API_RESOURCE_UPDATED, resource, by)


def details_type(type: str, **values: Any) -> DetailsType:
    """A new type that has no API resource yet."""
    return DetailsType(type=type, api=ApiResourceId(""), id=new_id(), **values)


async def _insert_parts(
    transaction: Transaction,
    tenant: TenantId,
    api: ApiResourceId,
    scopes: Sequence[ApiScope],
    types: Sequence[DetailsType],
) -> None:
    for scope in scopes:
        await api_resources.insert_scope(transaction, tenant, replace(scope, api=api))
    for type in types:
        await api_resources.insert_details_type(transaction, tenant, replace(type, api=api))


async def _delete_scopes(transaction: Transaction, tenant: TenantId, names: Iterable[str]) -> None:
    for name in names:
        await api_resources.delete_scope(transaction, tenant, name)
        await forget_scope(transaction, tenant, name)


async def _changed(
    transaction: Transaction,
    administration: Administration,
    tenant: TenantId,
    event: EventType,
    resource: ApiResource,
    by: Caller | None,
) -> None:
    await tenants.touch_tenant(transaction, tenant)
    data = {"api": resource.id, "identifier": resource.identifier, **(by.named if by is not None else {})}
    await record(transaction, Event(tenant=tenant, type=event, at=administration.clock.now(), data=data))


def _check_scopes(scopes: Sequence[ApiScope], *, beside: int = 0) -> None:
    if len(scopes) + beside > MAXIMUM_SCOPES:
        raise IdentityError("invalid_scope", f"An API resource has at most {MAXIMUM_SCOPES} scopes.")
    for scope in scopes:
        if not is_scope_token(scope.name):
            raise IdentityError("invalid_scope", f"{scope.name[:100]!r} cannot be a scope (RFC 6749 §3.3).")
        if is_internal(scope.name) or scope.name in _RESERVED:
            raise IdentityError("invalid_scope", f"The scope {scope.name!r} is reserved.")
        _text("displayName", scope.display_name, MAXIMUM_NAME)
        _text("description", scope.description, MAXIMUM_DESCRIPTION)


def _check_types(types: Sequence[DetailsType]) -> None:
    if len(types) > MAXIMUM_SCOPES:
        raise IdentityError("invalid_type", "Too many types of authorization details.")
    for type in types:
        _text("type", type.type, MAXIMUM_NAME, required=True)
        _text("name", type.name, MAXIMUM_NAME)
        _text("description", type.description, MAXIMUM_DESCRIPTION)
        if len(msgspec.json.encode(type.schema)) > MAXIMUM_SCHEMA:
            raise IdentityError("invalid_type", "The schema is too large.")
        problem = definition_problem(type.schema)
        if problem is not None:
            raise IdentityError("invalid_type", problem)


def _text(field: str, value: str, limit: int, *, required: bool = False) -> str:
    if (required and not value.strip()) or len(value) > limit or not value.replace("\n", " ").isprintable():
        raise IdentityError("invalid_request", f"{field} must be {int(required)} to {limit} printable characters.")
    return value


def _taken(what: str) -> IdentityError:
    return IdentityError("conflict", f"The {what} is taken already.", status=409)
