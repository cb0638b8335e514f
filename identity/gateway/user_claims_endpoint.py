"""`/keymanager-operations/user-info/claims`: a person's claims for the JWT that a gateway makes for its back ends
(wso2-contracts §7.2). Claims go by WSO2's local names."""

from typing import Any

import msgspec

from identity.authn.api_access import ApiAccess
from identity.authn.people import People, store_unavailable
from identity.errors import IdentityError
from identity.web.json_bodies import read_body
from identity.web.messages import Request, Response, json_response
from userstores.names import qualified_name
from userstores.spi import StoreUnavailable, StoreUser

DIALECT = "http://wso2.org/claims"
_LOCAL_CLAIMS = {
    "name": "fullname",
    "given_name": "givenname",
    "family_name": "lastname",
    "middle_name": "middleName",
    "nickname": "nickname",
    "email": "emailaddress",
    "phone_number": "mobile",
    "website": "url",
    "gender": "gender",
    "birthdate": "dob",
    "locale": "local",
    "zoneinfo": "timeZone",
}


class UserInfo(msgspec.Struct, rename="camel"):
    username: str
    domain: str | None = None
    dialect: str | None = None


class UserClaimsEndpoint:
    def __init__(self, access: ApiAccess, people: People) -> None:
        self._access = access
        self._people = people

    async def show(self, request: Request) -> Response:
        """GET: `username`, `domain` and `dialect` in the query."""
        await self._access.require(request)
        query = request.query()
        if "username" not in query:
            raise IdentityError("invalid_request", "The parameter username is missing.")
        return await self._claims(request, UserInfo(query["username"], query.get("domain"), query.get("dialect")))

    async def generate(self, request: Request) -> Response:
        """POST: the same in a JSON body, which may carry an access token besides; it is not looked at."""
        await self._access.require(request)
        return await self._claims(request, read_body(request, UserInfo))

    async def _claims(self, request: Request, asked: UserInfo) -> Response:
        if asked.dialect not in (None, "", DIALECT):
            raise IdentityError("invalid_request", f"The dialect must be {DIALECT}.")
        name = f"{asked.domain}/{asked.username}" if asked.domain else asked.username
        try:
            user = await self._people.stores(request.tenant).find(name)
        except StoreUnavailable as error:
            raise store_unavailable(error) from None
        if user is None:
            raise IdentityError("unknown_user", "There is no such user.", status=404)
        claims = _claims_of(user)
        return json_response(200, {"count": len(claims), "list": claims})


def _claims_of(user: StoreUser) -> list[dict[str, Any]]:
    claims = {
        local: value
        for name, local in _LOCAL_CLAIMS.items()
        if isinstance(value := user.attributes.get(name), str) and value
    }
    claims["username"] = qualified_name(user.store, user.username)
    if user.groups:
        claims["groups"] = ",".join(qualified_name(user.store, group) for group in user.groups)
    return [{"uri": f"{DIALECT}/{name}", "value": value} for name, value in sorted(claims.items())]
