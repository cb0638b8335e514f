"""The paths of discovery beside the authorization server's own document: protected resources, webfinger."""

from identity.oauth2.metadata.resource_metadata_endpoint import ResourceMetadataEndpoint
from identity.oauth2.metadata.webfinger_endpoint import WebfingerEndpoint
from identity.tokens.addresses import PROTECTED_RESOURCE
from identity.web.routing import Permission, Route


def discovery_routes(*, resources: ResourceMetadataEndpoint, webfinger: WebfingerEndpoint) -> list[Route]:
    public = Permission.PUBLIC
    return [
        Route(name="resource_metadata", methods=("GET",), path=PROTECTED_RESOURCE + "/oauth2/token",
              endpoint=resources.below_token_endpoint, permission=public, cors="any",
              summary="Our own interfaces as a protected resource (RFC 9728)"),
        Route(name="resource_metadata_root", methods=("GET",), path=PROTECTED_RESOURCE, endpoint=resources.below_base,
              permission=public, cors="any",
              summary="The same, of a tenant whose issuer is its base address (RFC 9728)"),
        Route(name="resource_metadata_of_api", methods=("GET",), path="/oauth2/resource-metadata",
              endpoint=resources.of_api, permission=public, cors="any", parameters=("resource*",),
              summary="What an API resource publishes about itself (RFC 9728)"),
        Route(name="webfinger", methods=("GET",), path="/.well-known/webfinger", endpoint=webfinger,
              permission=public, cors="any", parameters=("resource*", "rel"),
              summary="Who is responsible for somebody (RFC 7033, OpenID Connect Discovery §2)"),
    ]  # fmt: skip
