"""What a registration says, as the fields of an application: statement, metadata, extensions, limits, addresses."""

from typing import Any

from identity.domain.applications import Application, AuthorizedApi
from identity.domain.management_scopes import is_internal
from identity.domain.registration import RegistrationLimits
from identity.messaging.guarded_client import GuardedClient
from identity.oauth2.clients.client_metadata import (
    Metadata,
    invalid_metadata,
    origins_of,
    read_client_metadata,
    require_consistent,
)
from identity.oauth2.clients.client_urls import check_urls, require_sector
from identity.registration.limits import apply_limits
from identity.registration.software_statements import SoftwareStatements
from identity.registration.wso2_extensions import read_extensions
from identity.storage.api_resources import find_scope
from identity.storage.configuration import TenantConfiguration
from identity.storage.database import Database
from identity.tokens.claims import IDENTITY_SCOPES


class MetadataReader:
    def __init__(self, statements: SoftwareStatements, client: GuardedClient, database: Database) -> None:
        self._statements = statements
        self._client = client
        self._database = database

    async def read(
        self,
        tenant: TenantConfiguration,
        document: Metadata,
        present: Application | None,
        limits: RegistrationLimits | None,
    ) -> dict[str, Any]:
        """Fields of `Application`: to create one, or to change `present`. `limits`: None for administrators.

        Raises OAuthError with the codes of RFC 7591 §3.2.2.
        """
        document = await self._statements.merged(tenant, document)
        values = read_client_metadata(document) | read_extensions(document, present, administrator=limits is None)
        if any(is_internal(scope) for scope in values["scopes"]):
            raise invalid_metadata("scope: scopes of our own interfaces are not given by registration.")
        if limits is not None:
            apply_limits(limits, values)
            if present is None:
                # Whoever registers alone is heard of by resource servers that know nobody here: they cannot ask us.
                values.setdefault("access_token_type", "jwt")
            if present is None or present.registration_limits is not None:
                values["authorized_apis"] = await self._apis_of(tenant, values["scopes"])
        require_consistent(values)
        check_urls(self._client, values)
        await require_sector(self._client, values)
        before = "" if present is None else present.token_endpoint_auth_method
        if values.get("token_endpoint_auth_method", before) == "none":
            # A public client in a browser calls the token endpoint from where its redirect addresses are.
            values["web_origins"] = origins_of(values["redirect_uris"])
        return values

    async def _apis_of(self, tenant: TenantConfiguration, scopes: tuple[str, ...]) -> tuple[AuthorizedApi, ...]:
        """The API resources that allowed scopes belong to; a person's roles have to grant them too."""
        found: dict[str, list[str]] = {}
        for name in scopes:
            scope = None if name in IDENTITY_SCOPES else await find_scope(self._database, tenant.id, name)
            if scope is not None:
                found.setdefault(scope.api, []).append(name)
        return tuple(AuthorizedApi(api=api, scopes=tuple(names)) for api, names in found.items())
