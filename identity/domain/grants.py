"""What a person or application granted: codes and tokens hang on a grant, and ending the grant ends them all."""

from dataclasses import dataclass
from typing import Literal, NewType

from identity.domain.applications import ApplicationId
from identity.domain.sessions import SessionId
from identity.domain.tenants import TenantId
from identity.domain.users import SubjectId

GrantId = NewType("GrantId", str)
GrantKind = Literal["authorization_code", "device", "ciba", "token_exchange", "jwt_bearer", "password"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One authorization (one code redeemed, one family of refresh tokens)."""

    tenant: TenantId
    id: GrantId
    application: ApplicationId
    subject: SubjectId
    session: SessionId | None
    session_bound: bool
    """Ends with the session: true unless `offline_access` was granted (decision 11)."""
    scope: str
    claims: bytes
    """Sealed JSON of every claim the grant may show, answered by userinfo without asking the store."""
    subject_version: int
    """The subject's version when the claims were read; a newer one makes userinfo read the store once."""
    subject_epoch: int
    """The subject's epoch at the grant; when the subject's has moved on, the grant is over (decision 8)."""
    requested_claims: str
    """The `claims` parameter as it came (OpenID Connect Core §5.5), or empty."""
    auth_time: int
    acr: str
    amr: str
    """Space-separated."""
    nonce: str | None
    created_at: int
    expires_at: int
    revoked_at: int | None = None
    kind: GrantKind = "authorization_code"
    """How it came to be."""
    resources: str = ""
    """The resource indicators granted (RFC 8707), space-separated; its tokens are for these and no others."""
    authorization_details: str = ""
    """JSON of the details granted (RFC 9396), or empty."""
    actor: str = ""
    """JSON of the `act` claim (RFC 8693 §4.1): who acts for the subject, or empty."""
    confirmation: str = ""
    """JSON of the `cnf` that redeeming the code must prove (`dpop_jkt`, RFC 9449 §10), or empty."""
    source: str | None = None
    """The grant whose token was exchanged for this one: when it is revoked, so is this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationCode:
    """Stored by hash; single use. `redirect_uri` is empty when the request left it out (RFC 6749 §4.1.3)."""

    tenant: TenantId
    hash: bytes
    grant: GrantId
    redirect_uri: str
    code_challenge: str
    expires_at: int
