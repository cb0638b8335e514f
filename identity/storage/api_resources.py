"""API resources, their scopes, their types of authorization details: documents beside the columns searched by."""

from dataclasses import replace

import msgspec
from sqlalchemy import bindparam, delete, select, update

from identity.domain.api_resources import ApiResource, ApiResourceId, ApiScope, DetailsType
from identity.domain.tenants import TenantId
from identity.storage.authorization_tables import api_resource as table
from identity.storage.authorization_tables import api_scope, authorization_details_type
from identity.storage.database import Row, Runner, Writer, insert_into, of_tenant

_ALL = select(table).where(of_tenant(table))
_PAGE = _ALL.where(table.c.id > bindparam("after")).order_by(table.c.id).limit(bindparam("count"))
_BY_ID = _ALL.where(table.c.id == bindparam("id"))
_BY_IDENTIFIER = _ALL.where(table.c.identifier == bindparam("identifier"))
_INSERT = insert_into(table)
_UPDATE = (
    update(table)
    .where(table.c.tenant == bindparam("b_tenant"), table.c.id == bindparam("b_id"))
    .values(document=bindparam("document"))
)
_DELETE = delete(table).where(of_tenant(table), table.c.id == bindparam("id"))

_SCOPES = select(api_scope).where(of_tenant(api_scope))
_SCOPE = _SCOPES.where(api_scope.c.name == bindparam("name"))
_SCOPES_OF = _SCOPES.where(api_scope.c.api == bindparam("api")).order_by(api_scope.c.name)
_SCOPES_PAGE = _SCOPES.where(api_scope.c.name > bindparam("after")).order_by(api_scope.c.name).limit(bindparam("count"))
_SCOPE_NAMES = select(api_scope.c.name, api_scope.c.api).where(of_tenant(api_scope))
_INSERT_SCOPE = insert_into(api_scope)
_UPDATE_SCOPE = (
    update(api_scope)
    .where(api_scope.c.tenant == bindparam("b_tenant"), api_scope.c.name == bindparam("b_name"))
    .values(document=bindparam("document"))
)
_DELETE_SCOPE = delete(api_scope).where(of_tenant(api_scope), api_scope.c.name == bindparam("name"))

_TYPES = select(authorization_details_type).where(of_tenant(authorization_details_type))
_TYPES_OF = _TYPES.where(authorization_details_type.c.api == bindparam("api")).order_by(
    authorization_details_type.c.type
)
_TYPE = _TYPES.where(authorization_details_type.c.type == bindparam("type"))
_INSERT_TYPE = insert_into(authorization_details_type)
_UPDATE_TYPE = (
    update(authorization_details_type)
    .where(
        authorization_details_type.c.tenant == bindparam("b_tenant"),
        authorization_details_type.c.type == bindparam("b_type"),
    )
    .values(document=bindparam("document"))
)
_DELETE_TYPE = delete(authorization_details_type).where(
    of_tenant(authorization_details_type), authorization_details_type.c.type == bindparam("type")
)


async def find_api_resource(runner: Runner, tenant: TenantId, api: str) -> ApiResource | None:
    row = await runner.fetch_one(_BY_ID, tenant=tenant, id=api)
    return None if row is None else _resource(row)


async def find_api_resource_by_identifier(runner: Runner, tenant: TenantId, identifier: str) -> ApiResource | None:
    row = await runner.fetch_one(_BY_IDENTIFIER, tenant=tenant, identifier=identifier)
    return None if row is None else _resource(row)


async def list_api_resources_page(
    runner: Runner, tenant: TenantId, *, after: str = "", count: int = 100
) -> list[ApiResource]:
    """Up to `count` with an id above `after`, in the order of their ids."""
    return [_resource(row) for row in await runner.fetch(_PAGE, tenant=tenant, after=after, count=count)]


async def insert_api_resource(writer: Writer, tenant: TenantId, resource: ApiResource) -> None:
    """Raises Conflict when the identifier is taken."""
    await writer.execute(
        _INSERT,
        tenant=tenant,
        id=resource.id,
        identifier=resource.identifier,
        document=msgspec.json.encode(resource).decode(),
        created_at=resource.created_at,
    )


async def update_api_resource(writer: Writer, tenant: TenantId, resource: ApiResource) -> bool:
    """Everything but its identifier."""
    document = msgspec.json.encode(resource).decode()
    return await writer.execute(_UPDATE, b_tenant=tenant, b_id=resource.id, document=document) == 1


async def delete_api_resource(writer: Writer, tenant: TenantId, api: ApiResourceId) -> bool:
    """The resource alone: its scopes and types go first."""
    return await writer.execute(_DELETE, tenant=tenant, id=api) == 1


async def find_scope(runner: Runner, tenant: TenantId, name: str) -> ApiScope | None:
    row = await runner.fetch_one(_SCOPE, tenant=tenant, name=name)
    return None if row is None else _scope(row)


async def list_scopes_of_api(runner: Runner, tenant: TenantId, api: ApiResourceId) -> list[ApiScope]:
    return [_scope(row) for row in await runner.fetch(_SCOPES_OF, tenant=tenant, api=api)]


async def list_scopes_page(runner: Runner, tenant: TenantId, *, after: str = "", count: int = 100) -> list[ApiScope]:
    """Up to `count` scopes of all API resources with a name above `after`, by name."""
    return [_scope(row) for row in await runner.fetch(_SCOPES_PAGE, tenant=tenant, after=after, count=count)]


async def load_scope_names(runner: Runner, tenant: TenantId) -> dict[str, str]:
    """Every registered scope and the id of its API resource."""
    return {row["name"]: row["api"] for row in await runner.fetch(_SCOPE_NAMES, tenant=tenant)}


async def insert_scope(writer: Writer, tenant: TenantId, scope: ApiScope) -> None:
    """Raises Conflict when the tenant has a scope of that name."""
    document = msgspec.json.encode(scope).decode()
    await writer.execute(_INSERT_SCOPE, tenant=tenant, name=scope.name, api=scope.api, document=document)


async def update_scope(writer: Writer, tenant: TenantId, scope: ApiScope) -> bool:
    document = msgspec.json.encode(scope).decode()
    return await writer.execute(_UPDATE_SCOPE, b_tenant=tenant, b_name=scope.name, document=document) == 1


async def delete_scope(writer: Writer, tenant: TenantId, name: str) -> bool:
    return await writer.execute(_DELETE_SCOPE, tenant=tenant, name=name) == 1


async def find_details_type(runner: Runner, tenant: TenantId, type: str) -> DetailsType | None:
    row = await runner.fetch_one(_TYPE, tenant=tenant, type=type)
    return None if row is None else _type(row)


async def list_details_types(runner: Runner, tenant: TenantId) -> list[DetailsType]:
    """Of every API resource of the tenant."""
    return [_type(row) for row in await runner.fetch(_TYPES, tenant=tenant)]


async def list_details_types_of_api(runner: Runner, tenant: TenantId, api: ApiResourceId) -> list[DetailsType]:
    return [_type(row) for row in await runner.fetch(_TYPES_OF, tenant=tenant, api=api)]


async def insert_details_type(writer: Writer, tenant: TenantId, details: DetailsType) -> None:
    """Raises Conflict when the tenant has that type."""
    document = msgspec.json.encode(details).decode()
    await writer.execute(_INSERT_TYPE, tenant=tenant, type=details.type, api=details.api, document=document)


async def update_details_type(writer: Writer, tenant: TenantId, details: DetailsType) -> bool:
    document = msgspec.json.encode(details).decode()
    return await writer.execute(_UPDATE_TYPE, b_tenant=tenant, b_type=details.type, document=document) == 1


async def delete_details_type(writer: Writer, tenant: TenantId, type: str) -> bool:
    return await writer.execute(_DELETE_TYPE, tenant=tenant, type=type) == 1


def _resource(row: Row) -> ApiResource:
    return replace(msgspec.json.decode(row["document"], type=ApiResource), identifier=row["identifier"])


def _scope(row: Row) -> ApiScope:
    return msgspec.json.decode(row["document"], type=ApiScope)


def _type(row: Row) -> DetailsType:
    return msgspec.json.decode(row["document"], type=DetailsType)
