"""The addresses a tenant is known by: issuer and endpoints, all made from the configured base, never from a request."""

from urllib.parse import urlsplit

from identity.domain.tenants import Tenant

PROTECTED_RESOURCE = "/.well-known/oauth-protected-resource"


def base_of(base_url: str, tenant: Tenant) -> str:
    """`<base>[/t/<tenant>]`: what every endpoint's address begins with."""
    return base_url + tenant.prefix


def issuer_of(base_url: str, tenant: Tenant) -> str:
    """The tenant's one issuer (decisions 1 and 2)."""
    return tenant.settings.issuer or f"{base_of(base_url, tenant)}/oauth2/token"


def resource_metadata_of(base_url: str, tenant: Tenant) -> str:
    """Where the tenant's own interfaces say how to get tokens for them; their resource identifier is the issuer.

    RFC 9728 §3.1: the well-known part comes between the host and the path of the identifier.
    """
    parts = urlsplit(issuer_of(base_url, tenant))
    return f"{parts.scheme}://{parts.netloc}{PROTECTED_RESOURCE}{parts.path}"
