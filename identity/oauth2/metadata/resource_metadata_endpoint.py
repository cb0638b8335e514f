"""What a resource server says of itself (RFC 9728), so that a client finds where to get tokens for it.

Ours are userinfo, registration and administration: they take tokens whose audience is the issuer, so that is their
resource identifier. For a registered API resource the document is made here and served there: an administrator lets
`/.well-known/oauth-protected-resource` of the API's host lead to `/oauth2/resource-metadata?resource=<identifier>`.
"""

from typing import Any

import msgspec

from identity.errors import IdentityError
from identity.storage.api_resources import (
    find_api_resource_by_identifier,
    list_details_types_of_api,
    list_scopes_of_api,
)
from identity.storage.configuration import TenantConfiguration
from identity.storage.database import Database
from identity.tokens.addresses import base_of, issuer_of
from identity.tokens.algorithms import SIGNATURES
from identity.tokens.claims import IDENTITY_SCOPES
from identity.web.messages import Headers, Request, Response

_HEADERS: Headers = [
    (b"content-type", b"application/json"),
    (b"cache-control", b"public, max-age=60"),
    (b"x-content-type-options", b"nosniff"),
]


class ResourceMetadataEndpoint:
    def __init__(self, database: Database, base_url: str, *, certificates: bool) -> None:
        self._database = database
        self._base_url = base_url
        self._certificates = certificates
        """Whether tokens can be bound to client certificates."""

    async def below_token_endpoint(self, request: Request) -> Response:
        """The place of the default issuer, `<base>/oauth2/token`."""
        return self._own(request, "/oauth2/token")

    async def below_base(self, request: Request) -> Response:
        """The place of an issuer that is just the tenant's base."""
        return self._own(request, "")

    def _own(self, request: Request, place: str) -> Response:
        tenant = request.tenant.tenant
        issuer, base = issuer_of(self._base_url, tenant), base_of(self._base_url, tenant)
        if issuer != base + place:
            # RFC 9728 §3.3: `resource` must be the identifier that the address of the document is made from.
            return Response(404, b"Not Found\n", [(b"content-type", b"text/plain")])
        document = self._document(request.tenant, issuer, list(IDENTITY_SCOPES)) | {
            "jwks_uri": f"{base}/oauth2/jwks",
            "bearer_methods_supported": ["header", "body"],
            "resource_name": tenant.settings.display_name or "Identity Server",
        }
        return _answer(document)

    async def of_api(self, request: Request) -> Response:
        """Of a registered API resource, named by its identifier."""
        identifier, tenant = request.query().get("resource"), request.tenant
        if identifier is None:
            raise IdentityError("invalid_request", "The parameter resource is missing.")
        api = await find_api_resource_by_identifier(self._database, tenant.id, identifier)
        # RFC 9728 §1.2: a resource identifier is an https URL without a fragment.
        if api is None or not identifier.startswith("https://") or "#" in identifier:
            raise IdentityError("not_found", "No API resource has this address as its identifier.", status=404)
        scopes = await list_scopes_of_api(self._database, tenant.id, api.id)
        types = await list_details_types_of_api(self._database, tenant.id, api.id)
        document = self._document(tenant, identifier, [scope.name for scope in scopes]) | {
            "bearer_methods_supported": ["header"],
            "resource_name": api.name,
        }
        if types:
            document["authorization_details_types_supported"] = [each.type for each in types]
        return _answer(document)

    def _document(self, tenant: TenantConfiguration, resource: str, scopes: list[str]) -> dict[str, Any]:
        document: dict[str, Any] = {
            "resource": resource,
            "authorization_servers": [issuer_of(self._base_url, tenant.tenant)],
            "dpop_signing_alg_values_supported": list(SIGNATURES),
            "tls_client_certificate_bound_access_tokens": self._certificates,
        }
        return document | ({"scopes_supported": scopes} if scopes else {})


def _answer(document: dict[str, Any]) -> Response:
    return Response(200, msgspec.json.encode(document), list(_HEADERS))
