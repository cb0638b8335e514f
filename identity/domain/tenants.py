"""A tenant: everything belongs to one, and nothing crosses from one to another."""

from dataclasses import dataclass, field
from typing import Literal, NewType

TenantId = NewType("TenantId", int)
"""Small integer: the first column of every key."""

ROOT_TENANT = TenantId(1)
ROOT_HANDLE = "root"


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """At most `count` tries in `seconds`; a count of 0 switches the limit off."""

    count: int
    seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInStep:
    """One step of a sign-in: any one of these factors satisfies it. Names are WSO2's (wso2-contracts §4)."""

    authenticators: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdministratorCertificate:
    """Whoever holds this client certificate acts as the person `username` (wso2-contracts §7.7)."""

    username: str
    sha256: str = ""
    """The certificate's SHA-256 thumbprint, 64 hexadecimal digits. Either this or `subject`."""
    subject: str = ""
    """Its subject as RFC 4514 writes it; an authority of `tls_client_ca` must have issued it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantSettings:
    """What an administrator may set for a tenant. Lifetimes are seconds."""

    issuer: str | None = None
    """Default `<base>[/t/<tenant>]/oauth2/token`, which the neighbours expect (decision 1)."""
    display_name: str = ""
    """The organisation's name on the pages."""
    require_pkce: bool = False
    """Of confidential clients too; public clients always have to (decision 26)."""
    legacy_discovery: bool = True
    """Discovery also at spellings whose issuer is not their prefix (decision 2)."""
    default_algorithm: str = "RS256"
    """Signs where an application names no algorithm: `RS256` or `ES256`, which is thirteen times cheaper."""
    session_idle: int = 8 * 3600
    """A session ends when it was not used for so long."""
    session_remembered: int = 14 * 86400
    """The same for people who asked to be kept signed in."""
    session_absolute: int = 30 * 86400
    """A session ends so long after sign-in, however much it is used."""
    code_lifetime: int = 60
    """Of an authorization code."""
    flow_lifetime: int = 1800
    """How long a sign-in page may stay open."""
    lockout_attempts: int = 5
    """Failures that lock an account; 0 switches the lockout off."""
    lockout_window: int = 900
    """Failures further apart than this are counted anew."""
    lockout_seconds: int = 300
    """How long an account stays locked."""
    login_limit_address: RateLimit = field(default_factory=lambda: RateLimit(count=100, seconds=300))
    """Sign-in tries of one address (IPv6: one /64), like `{"count": 100, "seconds": 300}`."""
    login_limit_tenant: RateLimit = field(default_factory=lambda: RateLimit(count=6000, seconds=60))
    """Sign-in tries of the whole tenant."""
    mail_limit: RateLimit = field(default_factory=lambda: RateLimit(count=5, seconds=600))
    """Mails to one address, of whatever kind."""
    mail_limit_day: RateLimit = field(default_factory=lambda: RateLimit(count=20, seconds=86400))
    """The same over a longer time; both hold."""
    token_limit_client: RateLimit = field(default_factory=lambda: RateLimit(count=0, seconds=1))
    """Per client on the token road, counted per process."""
    default_resource: str | None = None
    """The audience of access tokens asked for without `resource`; none: client id and configured audiences."""
    authorize_all_scopes: bool = False
    """Scopes are granted as asked, registered or not: for an API manager that checks them itself."""
    administrator_certificates: tuple[AdministratorCertificate, ...] = ()
    """Client certificates that call the interfaces of administration as a person, with that person's roles."""
    pairwise_salt: str = ""
    """Makes pairwise subjects (OpenID Connect Core §8.1); made with the tenant. Another one gives everybody a new
    `sub`."""
    pushed_request_lifetime: int = 60
    """Of a pushed authorization request."""
    device_code_lifetime: int = 600
    """How long a person has to enter a device's code."""
    device_interval: int = 5
    """How often a device may ask at most."""
    ciba_lifetime: int = 300
    """How long a person has to approve a backchannel authentication request."""
    ciba_interval: int = 5
    """How often a client may ask at most."""
    dpop_nonce_required: bool = False
    """DPoP proofs must carry a nonce of ours (RFC 9449 §8)."""
    registration: Literal["closed", "token", "open"] = "token"
    """Who may register applications without being an administrator: nobody, holders of an initial access token, or
    anybody."""
    registration_limit_address: RateLimit = field(default_factory=lambda: RateLimit(count=60, seconds=300))
    """Registrations without a token, and addresses of client metadata that were new to us, of one address (IPv6: one
    /64), counted per process."""
    client_id_metadata_documents: bool = False
    """Clients may present the address of their metadata as `client_id`."""
    identity_assertions: bool = False
    """Take identity assertions of trusted issuers (ID-JAG). Preview."""
    signed_metadata: bool = False
    """Metadata carries a signed copy of itself (RFC 8414 §2.1)."""
    sign_in_steps: tuple[SignInStep, ...] = (SignInStep(authenticators=("BasicAuthenticator", "FIDOAuthenticator")),)
    """The steps of sign-in for applications that have none of their own."""
    sign_in_script: str = ""
    """Hash of the published script for applications that have neither steps nor a script of their own."""
    shadow_script: str = ""
    """Hash of a candidate that is evaluated silently beside it."""
    factor_attempts: int = 5
    """Wrong one-time codes, of whatever factor, that lock a person's second factors; 0 switches the lock off."""
    factor_failures_maximum: int = 20
    """Wrong codes in a row after which an authenticator app is not taken any more until its owner signed in another
    way or an administrator has let it back in: a code of six digits must not be guessed over a year."""
    one_time_code_lifetime: int = 300
    """Of a code by mail."""
    one_time_code_length: int = 8
    """Letters and digits of a code by mail, at least 6."""
    one_time_code_resends: int = 3
    """How often one sign-in may ask for another mail."""
    totp_window: int = 1
    """Steps of 30 s that an authenticator app's clock may be off, each way."""
    passkey_user_verification: Literal["required", "preferred", "discouraged"] = "preferred"
    """Whether a passkey asks for a PIN or finger; without a password beside it, it always has to."""
    passkey_attestation: Literal["none", "direct"] = "none"
    """`direct`: ask authenticators for a statement of their make, and refuse those that give none."""
    script_hosts: tuple[str, ...] = ()
    """Hosts that sign-in scripts may call by https, `api.example.org` or `*.example.org`; none: no calls."""
    trace_days: int = 30
    """How long the explanation of a sign-in is kept; 0: not at all."""
    recorded_login_days: int = 7
    """How long sign-ins are kept for backtests of changed scripts; 0: not at all."""
    directory_check_interval: int = 0
    """How often people of directories who hold a session or a grant are looked up there, 30 or more; who is gone or
    disabled loses them. 0: only at sign-in, refresh and exchange (decision 13)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    id: TenantId
    handle: str
    enabled: bool
    version: int
    """Rises with every change of the settings or keys (decision 35)."""
    settings: TenantSettings

    @property
    def prefix(self) -> str:
        """What its paths begin with: empty for the root tenant."""
        return "" if self.id == ROOT_TENANT else f"/t/{self.handle}"
