"""The security profiles an application can be held to, as data. Who enforces a rule reads it from here.

FAPI 1.0 Part 2 (Advanced) §5.2.2, FAPI 2.0 Security Profile §5.3.2, FAPI 2.0 Message Signing §5, FAPI-CIBA §5.2.2.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What an application of this profile may do. None and False: no rule beyond those for everybody."""

    name: str
    response_types: frozenset[str] | None = None
    code_needs_jarm: bool = False
    """FAPI 1 Advanced §5.2.2 (2): `code id_token`, or `code` with a signed response."""
    jarm_only: bool = False
    auth_methods: frozenset[str] | None = None
    signing_algorithms: frozenset[str] | None = None
    """Of client assertions, request objects, DPoP proofs and everything we sign for it."""
    require_pushed_request: bool = False
    require_signed_request: bool = False
    require_nonce: bool = False
    """FAPI 1 Baseline §5.2.2.2 and §5.2.2.3: `nonce` with `openid`, else `state`."""
    require_request_lifetime: bool = False
    """FAPI 1 Advanced §5.2.2 (13, 14): request objects have `nbf`, and at most 60 minutes from it to `exp`."""
    require_sender_constraint: bool = False
    require_pkce: bool = False
    """S256 with every request."""
    require_pkce_when_pushed: bool = False
    """FAPI 1 Advanced §5.2.2 (18)."""
    require_https_redirect: bool = False
    assertion_audience_is_issuer: bool = False
    """Decision 3: exactly the issuer, as one string."""
    maximum_code_lifetime: int | None = None
    """Seconds. FAPI 2 §5.3.2.1: at most 60."""
    rotation_allowed: bool = True
    require_signed_ciba_request: bool = False
    issuer_is_no_endpoint: bool = False
    """Decision 1: the tenant's issuer must not equal an endpoint's address."""

    def allows_algorithm(self, algorithm: str) -> bool:
        return self.signing_algorithms is None or algorithm in self.signing_algorithms


_FAPI_METHODS = frozenset({"private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth"})
_FAPI1_ALGORITHMS = frozenset({"PS256", "ES256"})
_FAPI2_ALGORITHMS = frozenset({"PS256", "ES256", "EdDSA"})

_FAPI1 = Profile(
    name="fapi1_advanced",
    response_types=frozenset({"code", "code id_token"}),
    code_needs_jarm=True,
    auth_methods=_FAPI_METHODS,
    signing_algorithms=_FAPI1_ALGORITHMS,
    require_signed_request=True,
    require_request_lifetime=True,
    require_nonce=True,
    require_sender_constraint=True,
    require_pkce_when_pushed=True,
    require_https_redirect=True,
)
_FAPI2 = Profile(
    name="fapi2_security",
    response_types=frozenset({"code"}),
    auth_methods=_FAPI_METHODS,
    signing_algorithms=_FAPI2_ALGORITHMS,
    require_pushed_request=True,
    require_request_lifetime=True,
    require_sender_constraint=True,
    require_pkce=True,
    require_https_redirect=True,
    assertion_audience_is_issuer=True,
    maximum_code_lifetime=60,
    rotation_allowed=False,
    issuer_is_no_endpoint=True,
)

PROFILES: dict[str, Profile] = {
    "": Profile(name=""),
    "fapi1_advanced": _FAPI1,
    "fapi2_security": _FAPI2,
    "fapi2_message_signing": replace(
        _FAPI2,
        name="fapi2_message_signing",
        require_signed_request=True,
        jarm_only=True,
    ),
    "fapi_ciba": replace(_FAPI1, name="fapi_ciba", require_signed_ciba_request=True),
}
