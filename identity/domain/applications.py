"""An application (OAuth client): who it is, where it may send people, which tokens it gets.

Names and meanings are those of client metadata (RFC 7591 §2, OpenID Connect Dynamic Client Registration §2) where they
have one.
"""

from dataclasses import dataclass
from typing import Literal, NewType

from identity.domain.profiles import PROFILES, Profile
from identity.domain.registration import RegistrationLimits
from identity.domain.tenants import SignInStep

ApplicationId = NewType("ApplicationId", str)
ClientId = NewType("ClientId", str)

TokenEndpointAuthMethod = Literal[
    "client_secret_basic",
    "client_secret_post",
    "client_secret_jwt",
    "private_key_jwt",
    "tls_client_auth",
    "self_signed_tls_client_auth",
    "none",
]
AccessTokenType = Literal["opaque", "jwt"]

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
CIBA = "urn:openid:params:grant-type:ciba"
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"

GRANT_TYPES = (
    "authorization_code",
    "refresh_token",
    "client_credentials",
    "implicit",
    "password",
    DEVICE_CODE,
    CIBA,
    TOKEN_EXCHANGE,
    JWT_BEARER,
)
RESPONSE_TYPES = (
    "code",
    "id_token",
    "token",
    "id_token token",
    "code id_token",
    "code token",
    "code id_token token",
    "none",
)
"""Words of each in alphabetical order: a request may give them in any."""
SECRET_METHODS = frozenset({"client_secret_basic", "client_secret_post", "client_secret_jwt"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSecret:
    """One of an application's secrets. `fingerprint` compares, `sealed` reads back (decision 15)."""

    id: str
    fingerprint: bytes
    sealed: bytes | None
    created_at: int
    expires_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizedApi:
    """An API resource that the application may get scopes of (wso2-contracts §6.2)."""

    api: str
    """Id of the API resource."""
    policy: Literal["RBAC", "No Policy"] = "RBAC"
    """`RBAC`: a person's roles must grant the scope too."""
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """Lifetimes are seconds, `*_at` microseconds."""

    id: ApplicationId
    client_id: ClientId
    name: str
    """What people see on the sign-in and consent pages."""
    display_name: str | None = None
    """What they see instead of the name, where programs made that (`ext_application_display_name`)."""
    version: int = 1
    """Rises with every change, secrets included (decision 35)."""
    enabled: bool = True
    """Disabled: nobody signs in to it, and its tokens are inactive."""
    created_at: int = 0
    kind: Literal["application", "agent"] = "application"
    """`agent`: an identity of a software agent, which acts for people by token exchange. Preview."""
    profile: Literal["", "fapi1_advanced", "fapi2_security", "fapi2_message_signing", "fapi_ciba"] = ""
    """A FAPI profile: whatever it forbids is refused."""
    token_endpoint_auth_method: TokenEndpointAuthMethod = "client_secret_basic"
    """How it authenticates; `none` makes it public: a browser or native application without a secret."""
    token_endpoint_auth_signing_alg: str | None = None
    """Of client assertions. None: any that fits the method and the keys."""
    secrets: tuple[ClientSecret, ...] = ()
    jwks: str | None = None
    """Its public keys as a JSON Web Key Set."""
    jwks_uri: str | None = None
    """Where its public keys are; not together with `jwks`."""
    tls_client_auth_subject_dn: str | None = None
    """Of its certificate (RFC 8705 §2.1.2); exactly one of these five with `tls_client_auth`."""
    tls_client_auth_san_dns: str | None = None
    tls_client_auth_san_uri: str | None = None
    tls_client_auth_san_ip: str | None = None
    tls_client_auth_san_email: str | None = None
    tls_client_certificate_bound_access_tokens: bool = False
    """Its tokens are good only with the client certificate they were asked for with (RFC 8705 §3)."""
    dpop_bound_access_tokens: bool = False
    """It must send DPoP proofs (RFC 9449 §5.2); any application may."""
    grant_types: tuple[str, ...] = ("authorization_code",)
    """What it may ask the token endpoint for."""
    application_type: Literal["web", "native"] = "web"
    """Of its redirect addresses (OpenID Connect Dynamic Client Registration §2)."""
    response_types: tuple[str, ...] = ("code",)
    """What it may ask the authorization endpoint for; everything but `code` is off unless named."""
    redirect_uris: tuple[str, ...] = ()
    """Compared to the letter; only the port of a loopback address may differ."""
    post_logout_redirect_uris: tuple[str, ...] = ()
    """Where sign-out may lead."""
    web_origins: tuple[str, ...] = ()
    """Origins whose scripts may call token, revocation and userinfo (decision 20)."""
    scopes: tuple[str, ...] = ()
    """Scopes it may ask for without an API resource, beside the OpenID Connect ones."""
    authorized_apis: tuple[AuthorizedApi, ...] = ()
    """API resources whose scopes it may ask for."""
    allowed_audience: Literal["organization", "application"] = "organization"
    """Which roles count for it: the tenant's, or those made for this application."""
    audiences: tuple[str, ...] = ()
    """Added to the client id in `aud` (decision 4)."""
    resources: tuple[str, ...] = ()
    """Resource indicators it may name (RFC 8707). None: every API resource of the tenant."""
    require_resource: bool = False
    """A token request without `resource` is refused; so no token is good for more than one audience."""
    single_audience: bool = False
    """Introspection tells `aud` as one string: for resources that cannot read an array (wso2-contracts §7.10)."""
    authorization_details_types: tuple[str, ...] = ()
    """Types of `authorization_details` it may use (RFC 9396)."""
    access_token_type: AccessTokenType = "opaque"
    """`opaque`, or `jwt` for resources that validate by themselves."""
    access_token_algorithm: str | None = None
    """None: the tenant's default."""
    access_token_claims: tuple[str, ...] = ()
    """Claims of the person that its JWT access tokens carry."""
    scope_as_array: bool = False
    """`scope` in JWT access tokens as an array (wso2-contracts §1.4)."""
    id_token_algorithm: str | None = None
    """Signs ID and logout tokens. None: the tenant's default."""
    id_token_encrypted_response_alg: str | None = None
    id_token_encrypted_response_enc: str | None = None
    userinfo_signed_response_alg: str | None = None
    """None: userinfo answers JSON."""
    userinfo_encrypted_response_alg: str | None = None
    userinfo_encrypted_response_enc: str | None = None
    authorization_signed_response_alg: str | None = None
    """Signs JWT-secured authorization responses (JARM). None: the tenant's default."""
    authorization_encrypted_response_alg: str | None = None
    authorization_encrypted_response_enc: str | None = None
    introspection_signed_response_alg: str | None = None
    """Of introspection answers as JWT (RFC 9701). None: the tenant's default."""
    introspection_encrypted_response_alg: str | None = None
    introspection_encrypted_response_enc: str | None = None
    request_object_signing_alg: str | None = None
    """None: any that its keys allow, never `none`."""
    request_object_encryption_alg: str | None = None
    request_object_encryption_enc: str | None = None
    require_signed_request_object: bool = False
    """Authorization requests must be signed (RFC 9101 §10.5)."""
    require_pushed_authorization_requests: bool = False
    """Authorization requests must be pushed (RFC 9126 §6)."""
    request_uris: tuple[str, ...] = ()
    """Where its request objects may be fetched from, to the letter."""
    subject_type: Literal["public", "pairwise"] = "public"
    """`pairwise`: people have another `sub` at each sector (OpenID Connect Core §8.1)."""
    sector_identifier_uri: str | None = None
    """Names the sector; the document there lists every redirect address."""
    default_max_age: int | None = None
    """Taken where a request has no `max_age`."""
    require_auth_time: bool = False
    default_acr_values: tuple[str, ...] = ()
    initiate_login_uri: str | None = None
    """Where sign-in started by somebody else begins (OpenID Connect Core §4)."""
    backchannel_logout_uri: str | None = None
    backchannel_logout_session_required: bool = False
    frontchannel_logout_uri: str | None = None
    frontchannel_logout_session_required: bool = False
    backchannel_token_delivery_mode: Literal["poll", "ping"] = "poll"
    backchannel_client_notification_endpoint: str | None = None
    """Where CIBA pings go."""
    backchannel_authentication_request_signing_alg: str | None = None
    backchannel_user_code_parameter: bool = False
    user_access_token_lifetime: int = 3600
    application_access_token_lifetime: int = 3600
    refresh_token_lifetime: int = 86400
    id_token_lifetime: int = 3600
    require_pkce: bool | None = None
    """None: the tenant's rule. Public clients always have to."""
    rotate_refresh_tokens: bool = True
    """A refresh token is used once; public applications without sender constraint always rotate (decision 10)."""
    refresh_grace_seconds: int = 60
    """How long a rotated refresh token may come again, at most 60."""
    refresh_without_offline_access: bool = True
    """A refresh token also without `offline_access`; it ends with the session (decision 11)."""
    token_binding: Literal["none", "sso-session"] = "none"
    """`sso-session`: every token ends with the session it was got in, `offline_access` or not."""
    id_token_claims: Literal["requested", "scopes"] = "requested"
    """Where profile claims go (decision 6): userinfo only unless requested, or by scope in the ID token too."""
    sign_in_steps: tuple[SignInStep, ...] = ()
    """Its steps of sign-in, like `[{"authenticators": ["BasicAuthenticator"]}]`; none: the tenant's."""
    sign_in_script: str = ""
    """Hash of the published script that decides over the steps; empty: each step in turn."""
    shadow_script: str = ""
    """Hash of a candidate script that is evaluated silently beside it."""
    minimum_acr: str = ""
    """No sign-in to it is done below this `acr`, whatever a script says: `2` is multi-factor."""
    skip_consent: bool = False
    """People are not asked; `offline_access` is asked about all the same."""
    native_login: bool = False
    """May sign people in by JSON instead of pages (`response_mode=direct`, wso2-contracts §1.6)."""
    keep_client_secret: bool = True
    """Keep a sealed copy of new secrets to be read back; without it only a fingerprint is kept (decision 15)."""
    live_claims: bool = False
    """userinfo reads the store at each call."""
    may_introspect_any: bool = False
    """A gateway: introspects every token of its tenant (decision 5)."""
    may_impersonate: bool = False
    """May exchange a person's token for one without an actor (RFC 8693 §1.1)."""
    management_scopes: tuple[str, ...] = ()
    """`internal_…` scopes of our own APIs that it may get or use by its credentials; `internal_own_factor_mgt` lets
    people change their own ways to sign in through it."""
    logo_uri: str | None = None
    client_uri: str | None = None
    policy_uri: str | None = None
    tos_uri: str | None = None
    contacts: tuple[str, ...] = ()
    software_id: str | None = None
    software_version: str | None = None
    software_statement: str | None = None
    owner: str | None = None
    """Who registered it (`ext_application_owner`)."""
    registered_by: Literal["administrator", "registration", "metadata_document"] = "administrator"
    """How it came to be: what a registration may change is bounded by it."""
    registration_limits: RegistrationLimits | None = None
    """What its own registration access token may change it to at most. None: nothing beyond what it is."""
    registration_token: bytes | None = None
    """Fingerprint of its registration access token (RFC 7592 §3)."""

    @property
    def shown_name(self) -> str:
        return self.display_name or self.name

    @property
    def public(self) -> bool:
        return self.token_endpoint_auth_method == "none"

    @property
    def sender_constrained(self) -> bool:
        """Whether its tokens must be bound to a key or certificate."""
        return self.tls_client_certificate_bound_access_tokens or self.dpop_bound_access_tokens

    @property
    def rotates(self) -> bool:
        """Decision 10: public applications without sender constraint always, FAPI 2 never, others as set."""
        if self.public and not self.sender_constrained:
            return True
        return self.rotate_refresh_tokens and self.rules.rotation_allowed

    @property
    def rules(self) -> Profile:
        return PROFILES[self.profile]
