"""Discovery and JWKS: what a tenant offers, at every place of decision 2. At most a second old."""

from collections import OrderedDict

import msgspec

from identity.oauth2.metadata.server_metadata import ServerMetadata
from identity.storage.configuration import TenantConfiguration
from identity.tokens.addresses import base_of, issuer_of
from identity.tokens.keyring import Keyring
from identity.web.messages import Headers, Request, Response

CACHED = 500
_HEADERS: Headers = [
    (b"content-type", b"application/json"),
    (b"cache-control", b"public, max-age=1"),
    (b"x-content-type-options", b"nosniff"),
]


class MetadataEndpoint:
    """OpenID Connect Discovery §3 and RFC 8414 §2: one document serves both."""

    def __init__(self, keyring: Keyring, metadata: ServerMetadata, base_url: str) -> None:
        self._keyring = keyring
        self._metadata = metadata
        self._base_url = base_url
        self._documents: OrderedDict[int, tuple[int, bytes]] = OrderedDict()

    async def below_token_endpoint(self, request: Request) -> Response:
        """The places of the default issuer, `<base>/oauth2/token`."""
        return await self._answer(request, "/oauth2/token")

    async def below_base(self, request: Request) -> Response:
        """The places of an issuer that is just the tenant's base."""
        return await self._answer(request, "")

    async def alias(self, request: Request) -> Response:
        """A spelling that is nobody's issuer."""
        return await self._answer(request, None)

    async def _answer(self, request: Request, place: str | None) -> Response:
        """Decision 2: a spelling whose issuer is not its prefix is answered while the tenant allows it."""
        tenant = request.tenant.tenant
        base = base_of(self._base_url, tenant)
        own = place is not None and issuer_of(self._base_url, tenant) == base + place
        if not own and not tenant.settings.legacy_discovery:
            return Response(404, b"Not Found\n", [(b"content-type", b"text/plain")])
        return Response(200, await self._document(request.tenant), list(_HEADERS))

    async def _document(self, tenant: TenantConfiguration) -> bytes:
        """Kept until the tenant's version rises, as it does with its settings, keys and API resources."""
        found = self._documents.get(tenant.id)
        if found is not None and found[0] == tenant.tenant.version:
            return found[1]
        document = await self._metadata.document(tenant)
        if tenant.settings.signed_metadata:
            # RFC 8414 §2.1: a JWT of the same members, with `iss`, and without itself.
            signer = self._keyring.of(tenant).signing(tenant.settings.default_algorithm)
            document["signed_metadata"] = signer.sign({"iss": document["issuer"], **document}, "JWT")
        encoded = msgspec.json.encode(document)
        self._documents[tenant.id] = (tenant.tenant.version, encoded)
        if len(self._documents) > CACHED:
            self._documents.popitem(last=False)
        return encoded


class JwksEndpoint:
    """RFC 7517 §5. Coming keys are in it before they sign, retired ones while they verify."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    async def __call__(self, request: Request) -> Response:
        return Response(200, self._keyring.of(request.tenant).jwks, list(_HEADERS))
