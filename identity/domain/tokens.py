"""What the token road asks of storage and what it hears: plain rows, no rules."""

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class TokenQuery:
    """One look-up. Empty text means "not asked".

    `hash` is SHA-256 of an opaque token or of a JWT's `jti`. `caller` is the id of the application that asks, for its
    configuration version. `grant` and `application` come from a verified JWT, whose row exists only once it is
    revoked; for an opaque token its row names them.
    """

    tenant: int
    hash: bytes
    caller: str = ""
    grant: str = ""
    application: str = ""


class TokenState(NamedTuple):
    """The answer, from one statement begun after the question was asked. `*_at` are microseconds.

    A named tuple: one is made for each token that is looked up, four times cheaper than a frozen dataclass.
    """

    tenant_version: int | None
    """None: the tenant is gone or disabled."""
    caller_version: int | None
    """None: the calling application is gone (a disabled one still has a version)."""
    found: bool
    """A token row exists (for a JWT: it was revoked one by one)."""
    application: str
    """The id of the application the token was issued to."""
    application_enabled: bool
    scope: str
    audience: str
    """Space-separated."""
    issued_at: int
    expires_at: int
    token_revoked: bool
    grant: str
    grant_found: bool
    grant_revoked: bool
    session_ended: bool
    """The grant is bound to a session that has ended."""
    subject: str
    subject_username: str
    """As `domain.users.Subject.qualified_username` puts it."""
    subject_current: bool
    """The subject is enabled and its epoch is still the grant's."""
    subject_version: int
    claims: bytes
    claims_version: int
    """The subject's version when `claims` were read."""
    requested_claims: str = ""
    """The grant's `claims` parameter. These three only in answers of `look_up_claims`."""
    extra: str = ""
    """See `NewToken.extra`; of an opaque token."""


@dataclass(frozen=True, slots=True)
class NewToken:
    """An access token to store. `grant` and `subject` are empty for client credentials.

    It is inserted only while the application still has `application_version` and the tenant `tenant_version`.
    """

    tenant: int
    hash: bytes
    application: str
    grant: str
    scope: str
    audience: str
    issued_at: int
    expires_at: int
    application_version: int
    tenant_version: int
    extra: str = ""
    """JSON of what else introspection shows and what binds the token: `cnf`, `authorization_details`, `act`,
    `may_act`; empty for none."""


@dataclass(frozen=True, slots=True)
class NewRefreshToken:
    tenant: int
    hash: bytes
    grant: str
    application: str
    scope: str
    parent: bytes | None
    issued_at: int
    expires_at: int
    confirmation: str = ""
    """JSON of the `cnf` that its use must prove, or empty."""


@dataclass(frozen=True, slots=True)
class RedeemableState:
    """A code or refresh token as it stands, with its grant, session, subject and configuration versions.

    Text and numbers of the kind that was not asked for are empty or 0.
    """

    tenant_version: int | None
    caller_version: int | None
    found: bool
    application: str
    application_enabled: bool
    grant: str
    grant_revoked: bool
    grant_expires_at: int
    session: str
    session_bound: bool
    session_over: bool
    """Bound to a session that has ended, or whose `expires_at` has passed."""
    subject: str
    subject_current: bool
    subject_version: int
    scope: str
    """Of the refresh token; for a code, of the grant."""
    grant_scope: str
    requested_claims: str
    claims: bytes
    claims_version: int
    auth_time: int
    acr: str
    amr: str
    nonce: str | None
    expires_at: int
    redirect_uri: str
    code_challenge: str
    consumed_at: int | None
    """Of a code."""
    parent: bytes | None
    first_used_at: int | None
    """Of a refresh token."""
    uses: int
    closed_at: int | None
    """A successor of this refresh token has been used: its grace is over (decision 10)."""
    kind: str
    """Of the grant, like the next three."""
    resources: str
    authorization_details: str
    actor: str
    confirmation: str
    """JSON of the `cnf` that has to be proved: the grant's for a code, its own for a refresh token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenTerms:
    """What limits or binds an access token beside its scope. Empty text means none."""

    resources: tuple[str, ...] = ()
    """Its audience, exactly; empty for the default audience (decision 4)."""
    confirmation: str = ""
    """JSON of `cnf` (RFC 7800): the key or certificate that its use must prove."""
    authorization_details: str = ""
    """JSON (RFC 9396)."""
    actor: str = ""
    """JSON of `act` (RFC 8693 §4.1)."""
    may_act: str = ""
    """JSON of `may_act` (RFC 8693 §4.4)."""
    session: str = ""
    """The session that the token is bound to (`token_binding=sso-session`)."""
    acr: str = ""
    """How the person signed in, where the request asked for that (RFC 9470 §6)."""
    auth_time: int | None = None
    """When, in seconds; likewise."""


NO_TERMS = TokenTerms()
