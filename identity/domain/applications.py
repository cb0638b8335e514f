"""An application (OAuth client): who it is, where it may send people, which tokens it gets."""

from dataclasses import dataclass
from typing import Literal, NewType

ApplicationId = NewType("ApplicationId", str)
ClientId = NewType("ClientId", str)

TokenEndpointAuthMethod = Literal["client_secret_basic", "client_secret_post", "none"]
AccessTokenType = Literal["opaque", "jwt"]

USER_GRANTS = ("authorization_code", "refresh_token")
GRANT_TYPES = (*USER_GRANTS, "client_credentials")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSecret:
    """One of an application's secrets. `fingerprint` compares, `sealed` reads back (decision 15)."""

    id: str
    fingerprint: bytes
    sealed: bytes | None
    created_at: int
    expires_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """Lifetimes are seconds, `*_at` microseconds."""

    id: ApplicationId
    client_id: ClientId
    name: str
    """What people see on the sign-in and consent pages."""
    version: int = 1
    """Rises with every change, secrets included (decision 35)."""
    enabled: bool = True
    """Disabled: nobody signs in to it, and its tokens are inactive."""
    created_at: int = 0
    token_endpoint_auth_method: TokenEndpointAuthMethod = "client_secret_basic"
    """`none` makes it public: a browser or native application without a secret."""
    secrets: tuple[ClientSecret, ...] = ()
    grant_types: tuple[str, ...] = ("authorization_code",)
    """Of `authorization_code`, `refresh_token`, `client_credentials`."""
    redirect_uris: tuple[str, ...] = ()
    """Compared to the letter; only the port of a loopback address may differ."""
    post_logout_redirect_uris: tuple[str, ...] = ()
    """Where sign-out may lead."""
    web_origins: tuple[str, ...] = ()
    """Origins whose scripts may call token, revocation and userinfo (decision 20)."""
    scopes: tuple[str, ...] = ()
    """API scopes it may ask for, beside the OpenID Connect ones."""
    audiences: tuple[str, ...] = ()
    """Added to the client id in `aud` (decision 4)."""
    access_token_type: AccessTokenType = "opaque"
    """`opaque`, or `jwt` for resources that validate by themselves."""
    access_token_algorithm: str | None = None
    """None: the tenant's default."""
    id_token_algorithm: str | None = None
    user_access_token_lifetime: int = 3600
    application_access_token_lifetime: int = 3600
    refresh_token_lifetime: int = 86400
    id_token_lifetime: int = 3600
    require_pkce: bool | None = None
    """None: the tenant's rule. Public clients always have to."""
    rotate_refresh_tokens: bool = True
    """A refresh token is used once; public applications always rotate (decision 10)."""
    refresh_without_offline_access: bool = True
    """A refresh token also without `offline_access`; it ends with the session (decision 11)."""
    id_token_claims: Literal["requested", "scopes"] = "requested"
    """Where profile claims go (decision 6): userinfo only unless requested, or by scope in the ID token too."""
    skip_consent: bool = False
    """People are not asked; `offline_access` is asked about all the same."""
    keep_client_secret: bool = True
    """Keep a sealed copy of new secrets to be read back; without it only a fingerprint is kept (decision 15)."""
    live_claims: bool = False
    """userinfo reads the store at each call."""
    may_introspect_any: bool = False
    """A gateway: introspects every token of its tenant (decision 5)."""
    policy_uri: str | None = None
    tos_uri: str | None = None

    @property
    def public(self) -> bool:
        return self.token_endpoint_auth_method == "none"
