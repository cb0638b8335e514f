"""What this server offers a tenant, member by member (RFC 8414 §2, OpenID Connect Discovery §3 and their relatives).

A member is here because something accepts what it names, and `tests/oauth2/test_discovery.py` tries each. Preview
features stay out (decision 2).
"""

from typing import Any

from identity.authn.assurance import REACHABLE_ACRS
from identity.domain.applications import RESPONSE_TYPES
from identity.domain.keys import CONTENT_ENCRYPTIONS, KEY_MANAGEMENT_ALGORITHMS, SIGNING_ALGORITHMS
from identity.oauth2.authorization.response_types import RESPONSE_MODES
from identity.oauth2.clients.caller_metadata import CallerMetadata
from identity.storage.api_resources import list_details_types
from identity.storage.configuration import TenantConfiguration
from identity.storage.database import Database
from identity.tokens.addresses import base_of, issuer_of
from identity.tokens.claims import IDENTITY_SCOPES, STANDARD_CLAIMS
from identity.web.i18n import available_locales

_ENDPOINTS = {
    "authorization_endpoint": "/oauth2/authorize",
    "token_endpoint": "/oauth2/token",
    "introspection_endpoint": "/oauth2/introspect",
    "revocation_endpoint": "/oauth2/revoke",
    "userinfo_endpoint": "/oauth2/userinfo",
    "pushed_authorization_request_endpoint": "/oauth2/par",
    "device_authorization_endpoint": "/oauth2/device_authorize",
    "backchannel_authentication_endpoint": "/oauth2/ciba",
    "registration_endpoint": "/api/identity/oauth2/dcr/v1.1/register",
    "jwks_uri": "/oauth2/jwks",
    "end_session_endpoint": "/oidc/logout",
    "check_session_iframe": "/oidc/checksession",
}
_SIGNED = ("id_token", "userinfo", "request_object", "authorization", "introspection")
"""What is signed, and encrypted, as each application has registered it."""
_IMPLICIT = "implicit"
"""No grant of the token endpoint: the authorization endpoint gives tokens by it (OpenID Connect Core §3.2)."""


class ServerMetadata:
    def __init__(self, database: Database, callers: CallerMetadata, base_url: str, grant_types: list[str]) -> None:
        self._database = database
        self._callers = callers
        self._base_url = base_url
        self._grant_types = [*grant_types, _IMPLICIT]

    async def document(self, tenant: TenantConfiguration) -> dict[str, Any]:
        """The tenant's metadata, unsigned."""
        base = base_of(self._base_url, tenant.tenant)
        document: dict[str, Any] = {"issuer": issuer_of(self._base_url, tenant.tenant)}
        document |= {name: base + path for name, path in _ENDPOINTS.items()}
        document |= self._authorization() | _protection() | _logout() | _backchannel()
        types = [each.type for each in await list_details_types(self._database, tenant.id)]
        if types:
            # RFC 9396 §10
            document["authorization_details_types_supported"] = types
        if tenant.settings.client_id_metadata_documents:
            document["client_id_metadata_document_supported"] = True
        return document | self._callers.members(document)

    def _authorization(self) -> dict[str, Any]:
        return {
            "scopes_supported": list(IDENTITY_SCOPES),
            "response_types_supported": list(RESPONSE_TYPES),
            "response_modes_supported": list(RESPONSE_MODES),
            "grant_types_supported": self._grant_types,
            "subject_types_supported": ["public", "pairwise"],
            "code_challenge_methods_supported": ["S256"],
            "claim_types_supported": ["normal"],
            "claims_supported": ["iss", "aud", "exp", "iat", "auth_time", "acr", "amr", "sid", *STANDARD_CLAIMS],
            "claims_parameter_supported": True,
            "request_parameter_supported": True,
            "request_uri_parameter_supported": True,
            "require_request_uri_registration": True,
            "authorization_response_iss_parameter_supported": True,
            "prompt_values_supported": ["none", "login", "consent", "select_account"],
            "acr_values_supported": list(REACHABLE_ACRS),
            "ui_locales_supported": list(available_locales()),
        }


def _protection() -> dict[str, Any]:
    """Algorithms: an application may register any of them, and a key of ours is made when the first one does."""
    told: dict[str, Any] = {}
    for what in _SIGNED:
        told[f"{what}_signing_alg_values_supported"] = list(SIGNING_ALGORITHMS)
        told[f"{what}_encryption_alg_values_supported"] = list(KEY_MANAGEMENT_ALGORITHMS)
        told[f"{what}_encryption_enc_values_supported"] = list(CONTENT_ENCRYPTIONS)
    return told


def _logout() -> dict[str, Any]:
    return {
        "frontchannel_logout_supported": True,
        "frontchannel_logout_session_supported": True,
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
    }


def _backchannel() -> dict[str, Any]:
    """CIBA §4."""
    return {
        "backchannel_token_delivery_modes_supported": ["poll", "ping"],
        "backchannel_authentication_request_signing_alg_values_supported": list(SIGNING_ALGORITHMS),
        "backchannel_user_code_parameter_supported": False,
    }
