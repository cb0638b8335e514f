"""The addresses a tenant is known by: issuer and endpoints, all made from the configured base, never from a request."""

from identity.domain.tenants import Tenant


def base_of(base_url: str, tenant: Tenant) -> str:
    """`<base>[/t/<tenant>]`: what every endpoint's address begins with."""
    return base_url + tenant.prefix


def issuer_of(base_url: str, tenant: Tenant) -> str:
    """The tenant's one issuer (decisions 1 and 2)."""
    return tenant.settings.issuer or f"{base_of(base_url, tenant)}/oauth2/token"
