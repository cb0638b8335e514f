"""What tests of roles, API resources and gateways make: administrators, roles, APIs, and calls as they send them."""

from typing import Any

import httpx

from identity.administration import api_resources, notification_targets, roles
from identity.administration.roles import RoleChanges
from identity.domain.api_resources import ApiResource, ApiResourceId, ApiScope
from identity.domain.notification_targets import NotificationTarget
from identity.domain.roles import ADMIN_ROLE, Role
from tests.support.builders import Client, Person, Site

ROLES = "/scim2/v2/Roles"
API_RESOURCES = "/api/server/v1/api-resources"
LEGACY_SCOPES = "/api/identity/oauth2/v1.0/scopes"
NOTIFY = "/internal/data/v1/notify"


def role(
    site: Site,
    name: str,
    *scopes: str,
    people: tuple[Person, ...] = (),
    groups: tuple[str, ...] = (),
    application: Client | None = None,
) -> Role:
    """A role that grants `scopes` to these people and groups; with `application`, one of that application only."""

    async def make(administration: Any, tenant: Any) -> Role:
        changes = RoleChanges(
            add_scopes=frozenset(scopes),
            add_users=await roles.subjects_of_usernames(administration, tenant, [each.username for each in people]),
            add_groups=frozenset(groups),
        )
        if application is None:
            return await roles.create_role(administration, tenant, name, changes)
        owner = application.application.id
        return await roles.create_role(
            administration, tenant, name, changes, audience_type="application", audience=owner
        )

    return site.in_tenant(make)


def change_role(
    site: Site, name: str, *, add: Person | None = None, remove: Person | None = None, **changes: Any
) -> None:
    """Give it to somebody, take it from somebody, or change its scopes (`add_scopes=…`)."""

    async def change(administration: Any, tenant: Any) -> None:
        found = await roles.require_role_by_name(administration, tenant, name)
        added = await roles.subjects_of_usernames(administration, tenant, [add.username] if add else [])
        removed = await roles.subjects_of_usernames(administration, tenant, [remove.username] if remove else [])
        wanted = RoleChanges(add_users=added, remove_users=removed, **changes)
        await roles.change_role(administration, tenant, found, wanted)

    site.in_tenant(change)


def administrator(site: Site, username: str = "root") -> Person:
    """Somebody with the administrators' role."""
    person = site.person(username)
    change_role(site, ADMIN_ROLE, add=person)
    return person


def api(site: Site, *scopes: str, identifier: str = "https://api.example.org") -> ApiResource:
    """An API resource with these scopes."""
    made = [ApiScope(name=name, api=ApiResourceId("")) for name in scopes]
    return site.administer(
        lambda a: api_resources.create_api_resource(a, site.tenant, identifier=identifier, scopes=made)
    )


def delete_scope(site: Site, resource: ApiResource, scope: str) -> None:
    site.administer(lambda a: api_resources.update_api_resource(a, site.tenant, resource, remove_scopes=[scope]))


def authorized(resource: ApiResource, *scopes: str, policy: str = "RBAC") -> dict[str, Any]:
    """As the setting `authorized_apis` of an application has it."""
    return {"api": resource.id, "policy": policy, "scopes": list(scopes)}


def notified(site: Site, url: str, **settings: Any) -> NotificationTarget:
    """A gateway that hears of revocations."""
    return site.administer(lambda a: notification_targets.create_notification_target(a, site.tenant, url, **settings))


def call(site: Site, person: Person | None, method: str, path: str, **request: Any) -> httpx.Response:
    """A call of one of our own interfaces with a person's Basic credentials."""
    if person is not None:
        request["auth"] = (person.username, person.password)
    return site.http.request(method, path, **request)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
