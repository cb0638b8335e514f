"""What discovery says about how callers show who they are (RFC 8414 §2, RFC 8705 §3.3 and §5, RFC 9449 §5.1)."""

from typing import Any

from identity.config import Settings
from identity.tokens.algorithms import MAC_HASHES, SIGNATURES

_METHODS = ("client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt")
_ALIASED = (
    "token_endpoint",
    "revocation_endpoint",
    "introspection_endpoint",
    "userinfo_endpoint",
    "pushed_authorization_request_endpoint",
    "device_authorization_endpoint",
    "backchannel_authentication_endpoint",
    "registration_endpoint",
)
"""Where a client certificate can count; browsers are sent to none of them."""


class CallerMetadata:
    def __init__(self, settings: Settings, base_url: str) -> None:
        self._base_url = base_url
        self._mtls_base_url = settings.mtls_base_url
        forwarded = bool(settings.proxy_client_certificates and settings.trusted_proxies)
        self.certificates = forwarded or settings.mtls_port is not None
        self._methods = list(_METHODS)
        if self.certificates and settings.tls_client_ca is not None:
            self._methods.append("tls_client_auth")
        if forwarded:
            # Our own TLS lets nobody in whose certificate no authority vouches for (decision 28).
            self._methods.append("self_signed_tls_client_auth")

    def members(self, document: dict[str, Any]) -> dict[str, Any]:
        """Members to add to a tenant's `document`, whose endpoints are in it already."""
        algorithms = [*SIGNATURES, *MAC_HASHES]
        told: dict[str, Any] = {
            "dpop_signing_alg_values_supported": list(SIGNATURES),
            "tls_client_certificate_bound_access_tokens": self.certificates,
        }
        for endpoint in ("token", "revocation", "introspection"):
            # RFC 7662 §2.1: public clients may not introspect.
            public = [] if endpoint == "introspection" else ["none"]
            told[f"{endpoint}_endpoint_auth_methods_supported"] = [*self._methods, *public]
            told[f"{endpoint}_endpoint_auth_signing_alg_values_supported"] = algorithms
        if self._mtls_base_url is not None:
            told["mtls_endpoint_aliases"] = {
                name: self._mtls_base_url + document[name].removeprefix(self._base_url)
                for name in _ALIASED
                if name in document
            }
        return told
