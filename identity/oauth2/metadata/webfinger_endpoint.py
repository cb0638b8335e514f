"""`/.well-known/webfinger` (RFC 7033): which issuer is responsible for somebody (OpenID Connect Discovery §2).

The answer is the same for everybody: nobody is looked up, so that nobody can be found out (attack row 26).
"""

import re

import msgspec

from identity.errors import IdentityError
from identity.tokens.addresses import issuer_of
from identity.web.messages import Headers, Request, Response

ISSUER = "http://openid.net/specs/connect/1.0/issuer"
MAXIMUM_RESOURCE = 1000

_HEADERS: Headers = [(b"content-type", b"application/jrd+json"), (b"x-content-type-options", b"nosniff")]
# OpenID Connect Discovery §2.1.2, §2.1.3: an account or an address, in the characters of a URI (RFC 3986 §2).
_RESOURCE = re.compile(r"(?:acct:[^@]+@[^@/?#]+|https://[^/?#@]+(?:[/?].*)?)")
_CHARACTERS = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")


class WebfingerEndpoint:
    def __init__(self, base_url: str) -> None:
        self._base_url = base_url

    async def __call__(self, request: Request) -> Response:
        query = request.query(frozenset({"rel"}))
        resource = query.get("resource")
        if resource is None:
            # RFC 7033 §4.2
            raise IdentityError("invalid_request", "The parameter resource is missing.")
        known = len(resource) <= MAXIMUM_RESOURCE and _CHARACTERS.fullmatch(resource) and _RESOURCE.fullmatch(resource)
        if not known:
            raise IdentityError("not_found", "The resource must be acct:name@host or an https address.", status=404)
        # RFC 7033 §4.3: only the links of the relations that were asked for.
        asked = query["rel"].split() if "rel" in query else [ISSUER]
        links = [{"rel": ISSUER, "href": issuer_of(self._base_url, request.tenant.tenant)}] if ISSUER in asked else []
        return Response(200, msgspec.json.encode({"subject": resource, "links": links}), list(_HEADERS))
