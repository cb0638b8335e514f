"""Resource indicators (RFC 8707): which APIs a token is for. Its `aud` is then exactly these (decision 4).

An application may name what its `resources` list, or, where it lists none, the identifier of any API resource of its
tenant; and always its own configured audiences, and this server's own interfaces. An authorization names the widest
set, which the token endpoint may narrow.
"""

from urllib.parse import urlsplit

from identity.domain.applications import Application
from identity.oauth2.authorization.authorization_request import Draft
from identity.oauth2.errors import OAuthError
from identity.storage.api_resources import find_api_resource_by_identifier
from identity.storage.configuration import TenantConfiguration
from identity.storage.database import Database
from identity.tokens.addresses import issuer_of

MAXIMUM_RESOURCES = 10


async def read_resources(draft: Draft) -> None:
    text, application = draft.parameters.get("resource"), draft.application
    if text is None:
        if application.require_resource and draft.request.response_words & {"code", "token"}:
            raise invalid_target("The parameter resource is missing: name the API that the token is for.")
        return
    own = issuer_of(draft.grounds.base_url, draft.tenant.tenant)
    allowed = await allowed_resources(draft.grounds.database, draft.tenant, application, text, own=own)
    if "token" in draft.request.response_words:
        require_one(application, allowed)
    draft.request.resources = " ".join(allowed)


async def allowed_resources(
    database: Database, tenant: TenantConfiguration, application: Application, asked: str, *, own: str = ""
) -> tuple[str, ...]:
    """The resources of a request, values joined by spaces, each once. Raises OAuthError invalid_target.

    `own`: the issuer, which our metadata names as the identifier of userinfo and our APIs (RFC 9728 §2), for anybody.
    """
    resources = tuple(dict.fromkeys(asked.split(" ")))
    if len(resources) > MAXIMUM_RESOURCES:
        raise invalid_target(f"At most {MAXIMUM_RESOURCES} resources can be named.")
    for resource in resources:
        if not _is_indicator(resource):
            raise invalid_target("A resource must be an absolute URI without a fragment.")
        if resource != own and not await _is_allowed(database, tenant, application, resource):
            raise invalid_target("A resource is unknown here, or this application may not get tokens for it.")
    return resources


def narrowed_resources(application: Application, granted: tuple[str, ...], asked: tuple[str, ...]) -> tuple[str, ...]:
    """What a token is for: of what was granted, what is asked for now (RFC 8707 §2.2).

    `asked` are allowed to the application. A grant that named no resource leaves the choice to the token request.
    Raises OAuthError invalid_target.
    """
    if asked and granted and not set(granted).issuperset(asked):
        raise invalid_target("A resource goes beyond those of the authorization.")
    resources = asked or granted
    require_one(application, resources)
    return resources


def require_one(application: Application, resources: tuple[str, ...]) -> None:
    """An application with `require_resource` gets no token that is good for more than one audience."""
    if application.require_resource and len(resources) != 1:
        raise invalid_target("Name exactly one resource: the API that the token is for.")


def invalid_target(public: str) -> OAuthError:
    """RFC 8707 §2"""
    return OAuthError("invalid_target", public)


def _is_indicator(resource: str) -> bool:
    try:
        parts = urlsplit(resource)
    except ValueError:
        return False
    absolute = bool(parts.scheme) and bool(parts.netloc or parts.path)
    return absolute and "#" not in resource and resource.isascii() and resource.isprintable()


async def _is_allowed(database: Database, tenant: TenantConfiguration, application: Application, resource: str) -> bool:
    if resource in application.resources or resource in application.audiences:
        return True
    if application.resources:
        return False
    return await find_api_resource_by_identifier(database, tenant.id, resource) is not None
