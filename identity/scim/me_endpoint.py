"""`GET /scim2/Me`: the person whose access token it is (RFC 7644 §3.11), under the names of RFC 7643 §4.1.

API managers read the claims of a token's user here (wso2-contracts §7.1). A token with `internal_login` reads all of
its person; one with `openid` only what its scopes show at userinfo too.
"""

from collections.abc import Mapping
from typing import Any

from identity.authn.api_access import AccessDenied, ApiAccess, Caller
from identity.authn.people import People, Person, store_unavailable
from identity.authn.role_grants import qualified_groups
from identity.domain.management_scopes import LOGIN_SCOPE
from identity.scim.bodies import scim_response
from identity.scim.schemas import ENTERPRISE_SCHEMA, USER_SCHEMA
from identity.storage.configuration import TenantConfiguration
from identity.storage.database import Database
from identity.storage.roles import list_roles_of_user
from identity.tokens.claims import names_of_scope, select_claims
from identity.tokens.subjects import shown_subject
from identity.web.messages import Request, Response
from userstores.spi import StoreUnavailable

_NAME = {
    "name": "formatted",
    "given_name": "givenName",
    "family_name": "familyName",
    "middle_name": "middleName",
}
_PLAIN = {
    "name": "displayName",
    "nickname": "nickName",
    "profile": "profileUrl",
    "locale": "locale",
    "zoneinfo": "timezone",
}
_ADDRESS = {
    "formatted": "formatted",
    "street_address": "streetAddress",
    "locality": "locality",
    "region": "region",
    "postal_code": "postalCode",
    "country": "country",
}


class MeEndpoint:
    def __init__(self, access: ApiAccess, people: People, database: Database) -> None:
        self._access = access
        self._people = people
        self._database = database

    async def __call__(self, request: Request) -> Response:
        caller = await self._access.require(request)
        if caller.subject is None:
            raise AccessDenied(403, "insufficient_scope", "This is about a person: an application has no account.", ())
        subject = await self._people.subject(request.tenant, caller.subject)
        try:
            person = await self._people.current(request.tenant, subject) if subject is not None else None
        except StoreUnavailable as error:
            raise store_unavailable(error) from None
        if person is None:
            raise AccessDenied(401, "unauthorized", "The person is gone or disabled.", ('Bearer realm="identity"',))
        return scim_response(200, await self._body(request.tenant, caller, person))

    async def _body(self, tenant: TenantConfiguration, caller: Caller, person: Person) -> dict[str, Any]:
        own = LOGIN_SCOPE in caller.scopes
        claims = person.claims if own else select_claims(person.claims, names_of_scope(" ".join(caller.scopes)))
        id = person.subject.id
        shown = shown_subject(tenant, caller.application, id) if caller.application is not None else id
        body: dict[str, Any] = {"schemas": [USER_SCHEMA, ENTERPRISE_SCHEMA], "id": shown}
        if own or "preferred_username" in claims:
            body |= {"userName": person.subject.qualified_username, "active": True}
        body |= attributes_of(claims)
        if own:
            body["roles"] = await self._roles(tenant, person)
        if own or "groups" in claims:
            body["groups"] = [{"value": group, "display": group} for group in qualified_groups(person.user)]
        body["meta"] = {"resourceType": "User", "location": f"{tenant.prefix}/scim2/Me"}
        return body

    async def _roles(self, tenant: TenantConfiguration, person: Person) -> list[dict[str, str]]:
        held = await list_roles_of_user(self._database, tenant.id, person.subject.id)
        return [{"value": role.id, "display": role.name} for role in held]


def attributes_of(claims: Mapping[str, Any]) -> dict[str, Any]:
    """Standard claims (OpenID Connect Core §5.1) as SCIM names them; what is missing is left out."""
    attributes: dict[str, Any] = {
        attribute: claims[name] for name, attribute in _PLAIN.items() if isinstance(claims.get(name), str)
    }
    names = {attribute: claims[name] for name, attribute in _NAME.items() if isinstance(claims.get(name), str)}
    if names:
        attributes["name"] = names
    if isinstance(claims.get("email"), str):
        attributes["emails"] = [{"value": claims["email"], "primary": True}]
    if isinstance(claims.get("phone_number"), str):
        attributes["phoneNumbers"] = [{"value": claims["phone_number"], "type": "mobile"}]
    if isinstance(claims.get("picture"), str):
        attributes["photos"] = [{"value": claims["picture"], "type": "photo"}]
    address = claims.get("address")
    if isinstance(address, Mapping):
        attributes["addresses"] = [
            {attribute: address[name] for name, attribute in _ADDRESS.items() if name in address}
        ]
    return attributes
