"""API resources as `/api/server/v1` shows and takes them (wso2-contracts §6.1, §6.2, §7.4)."""

from typing import Any, Literal

import msgspec

from identity.administration.api_resources import details_type
from identity.domain.api_resources import ApiResource, ApiResourceId, ApiScope, DetailsType

PATH = "/api/server/v1/api-resources"


class Property(msgspec.Struct):
    name: str
    value: str


class NewScope(msgspec.Struct, rename="camel"):
    name: str
    display_name: str | None = None
    description: str | None = None

    def scope(self) -> ApiScope:
        """Its API resource is filled in by whoever stores it."""
        return ApiScope(
            name=self.name,
            api=ApiResourceId(""),
            display_name=self.name if self.display_name is None else self.display_name,
            description=self.description or "",
        )


class NewDetailsType(msgspec.Struct):
    type: str
    name: str = ""
    description: str = ""
    schema: dict[str, Any] = {}

    def details_type(self) -> DetailsType:
        return details_type(self.type, name=self.name, description=self.description, schema=self.schema)


class NewApiResource(msgspec.Struct, rename="camel"):
    identifier: str
    name: str | None = None
    description: str | None = None
    requires_authorization: bool | None = True
    type: Literal["BUSINESS", "MCP"] = "BUSINESS"
    scopes: list[NewScope] | None = None
    authorization_details_types: list[NewDetailsType] | None = None
    properties: list[Property] | None = None


class ApiResourceChanges(msgspec.Struct, rename="camel"):
    name: str | None = None
    description: str | None = None
    added_scopes: list[NewScope] | None = None
    removed_scopes: list[str] | None = None
    added_authorization_details_types: list[NewDetailsType] | None = None
    removed_authorization_details_types: list[str] | None = None


class ScopeChanges(msgspec.Struct, rename="camel"):
    display_name: str | None = None
    description: str | None = None


class DetailsTypeChanges(msgspec.Struct):
    name: str | None = None
    description: str | None = None
    schema: dict[str, Any] | None = None


def listed(resource: ApiResource, prefix: str) -> dict[str, Any]:
    """As lists show it; `prefix` is the tenant's."""
    return {
        "id": resource.id,
        "name": resource.name,
        "identifier": resource.identifier,
        "type": resource.type,
        "requiresAuthorization": resource.requires_authorization,
        "properties": [{"name": name, "value": value} for name, value in resource.properties],
        "self": f"{prefix}{PATH}/{resource.id}",
    }


def shown(resource: ApiResource, scopes: list[ApiScope], types: list[DetailsType], prefix: str) -> dict[str, Any]:
    return listed(resource, prefix) | {
        "description": resource.description,
        "scopes": [shown_scope(scope) for scope in scopes],
        "authorizationDetailsTypes": [shown_type(type) for type in types],
        "subscribedApplications": [],
    }


def shown_scope(scope: ApiScope) -> dict[str, Any]:
    """No member is missing: the connector reads `description` without asking whether it is there."""
    return {
        "id": scope.name,
        "name": scope.name,
        "displayName": scope.display_name or scope.name,
        "description": scope.description,
    }


def shown_type(type: DetailsType) -> dict[str, Any]:
    return {
        "id": type.id,
        "type": type.type,
        "name": type.name,
        "description": type.description,
        "schema": type.schema,
    }
