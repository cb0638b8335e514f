"""A single-sign-on session: one browser, one person, until it ends."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, NewType

from identity.domain.tenants import TenantId

if TYPE_CHECKING:
    from identity.domain.users import SubjectId

SessionId = NewType("SessionId", str)
"""The stable `sid`; the cookie carries another, secret value that changes at each gain of privilege (decision 18)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SsoSession:
    tenant: TenantId
    id: SessionId
    cookie_hash: bytes
    subject: "SubjectId"
    subject_epoch: int
    username: str
    """For the pages: who is signed in, `DOMAIN/user` outside the primary store."""
    display_name: str
    auth_time: int
    acr: str
    amr: str
    factors: str
    """What was shown, as `factor=method+method` separated by spaces: `BasicAuthenticator=pwd totp=otp`."""
    remembered: bool
    created_at: int
    last_seen_at: int
    expires_at: int
    ended_at: int | None = None
    user_agent: str = ""
    address: str = ""

    @property
    def shown(self) -> dict[str, tuple[str, ...]]:
        """The methods (`amr`) by the factor that showed them."""
        pairs = (text.partition("=") for text in self.factors.split())
        return {name: tuple(methods.split("+")) if methods else () for name, _, methods in pairs}


def factors_text(shown: dict[str, tuple[str, ...]]) -> str:
    """`SsoSession.factors` of what `shown` gives back."""
    return " ".join(f"{name}={'+'.join(methods)}" for name, methods in shown.items())
