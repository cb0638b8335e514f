"""Discovery and JWKS: what a tenant offers, at every place of decision 2. At most a second old."""

from collections import OrderedDict
from typing import Any

import msgspec

from identity.authn.sso_sessions import PASSWORD_ACR
from identity.oauth2.authorization_request import RESPONSE_MODES
from identity.storage.configuration import TenantConfiguration
from identity.tokens.addresses import base_of, issuer_of
from identity.tokens.claims import IDENTITY_SCOPES, STANDARD_CLAIMS
from identity.tokens.keyring import Keyring
from identity.web.i18n import available_locales
from identity.web.messages import Headers, Request, Response

CACHED = 500
_HEADERS: Headers = [
    (b"content-type", b"application/json"),
    (b"cache-control", b"public, max-age=1"),
    (b"x-content-type-options", b"nosniff"),
]
_AUTH_METHODS = ["client_secret_basic", "client_secret_post", "none"]


class MetadataEndpoint:
    """OpenID Connect Discovery §3 and RFC 8414 §2: one document serves both."""

    def __init__(self, keyring: Keyring, base_url: str, grant_types: list[str]) -> None:
        self._keyring = keyring
        self._base_url = base_url
        self._grant_types = grant_types
        self._documents: OrderedDict[int, tuple[int, bytes]] = OrderedDict()

    async def below_token_endpoint(self, request: Request) -> Response:
        """The places of the default issuer, `<base>/oauth2/token`."""
        return self._answer(request, "/oauth2/token")

    async def below_base(self, request: Request) -> Response:
        """The places of an issuer that is just the tenant's base."""
        return self._answer(request, "")

    async def alias(self, request: Request) -> Response:
        """A spelling that is nobody's issuer."""
        return self._answer(request, None)

    def _answer(self, request: Request, place: str | None) -> Response:
        """Decision 2: a spelling whose issuer is not its prefix is answered while the tenant allows it."""
        tenant = request.tenant.tenant
        base = base_of(self._base_url, tenant)
        own = place is not None and issuer_of(self._base_url, tenant) == base + place
        if not own and not tenant.settings.legacy_discovery:
            return Response(404, b"Not Found\n", [(b"content-type", b"text/plain")])
        return Response(200, self._document(request.tenant), list(_HEADERS))

    def _document(self, tenant: TenantConfiguration) -> bytes:
        found = self._documents.get(tenant.id)
        if found is not None and found[0] == tenant.tenant.version:
            return found[1]
        document = msgspec.json.encode(self.metadata(tenant))
        self._documents[tenant.id] = (tenant.tenant.version, document)
        if len(self._documents) > CACHED:
            self._documents.popitem(last=False)
        return document

    def metadata(self, tenant: TenantConfiguration) -> dict[str, Any]:
        base = base_of(self._base_url, tenant.tenant)
        return {
            "issuer": issuer_of(self._base_url, tenant.tenant),
            "authorization_endpoint": f"{base}/oauth2/authorize",
            "token_endpoint": f"{base}/oauth2/token",
            "introspection_endpoint": f"{base}/oauth2/introspect",
            "revocation_endpoint": f"{base}/oauth2/revoke",
            "userinfo_endpoint": f"{base}/oauth2/userinfo",
            "jwks_uri": f"{base}/oauth2/jwks",
            "end_session_endpoint": f"{base}/oidc/logout",
            "scopes_supported": list(IDENTITY_SCOPES),
            "response_types_supported": ["code"],
            "response_modes_supported": list(RESPONSE_MODES),
            "grant_types_supported": self._grant_types,
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": self._keyring.of(tenant).algorithms,
            "token_endpoint_auth_methods_supported": _AUTH_METHODS,
            "introspection_endpoint_auth_methods_supported": _AUTH_METHODS[:2],
            "revocation_endpoint_auth_methods_supported": _AUTH_METHODS,
            "code_challenge_methods_supported": ["S256"],
            "claim_types_supported": ["normal"],
            "claims_supported": ["iss", "aud", "exp", "iat", "auth_time", "acr", "amr", "sid", *STANDARD_CLAIMS],
            "claims_parameter_supported": True,
            "request_parameter_supported": False,
            "request_uri_parameter_supported": False,
            "authorization_response_iss_parameter_supported": True,
            "prompt_values_supported": ["none", "login", "consent", "select_account"],
            "acr_values_supported": [PASSWORD_ACR],
            "ui_locales_supported": list(available_locales()),
        }


class JwksEndpoint:
    """RFC 7517 §5. Coming keys are in it before they sign, retired ones while they verify."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    async def __call__(self, request: Request) -> Response:
        return Response(200, self._keyring.of(request.tenant).jwks, list(_HEADERS))
