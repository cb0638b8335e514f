"""What a factor is: one file each in this package, one line in `registry.py`. Sign-in and account use the same object.

Names are WSO2's (wso2-contracts §4), since scripts, REST and sign-in as JSON use them. A factor never writes by itself
while a sign-in is judged: what it wants written comes back as `writes`, and the driver commits it together with the
flow, so that a code is used up exactly when the flow has gone on.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from identity.authn.people import Person
from identity.storage.configuration import TenantConfiguration
from identity.storage.write_batch import WriteBatch
from identity.web.messages import Request

State = dict[str, Any]
"""What a factor keeps in the flow (sealed at rest), JSON: a challenge, the hash of a code, how often it was sent."""

Writes = Callable[[WriteBatch], Awaitable[None]]
"""Notes writes in the batch that saves the flow; `expect_one` where a lost race must undo everything."""

Kinds = frozenset[Literal["knowledge", "possession", "inherence"]]

Refusal = Literal["refused", "unavailable", "busy", "expired"]
"""`refused`: wrong, unknown, locked, used up, all the same from outside. `expired`: ask for a new code or challenge.
`unavailable`, `busy`: not judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One look at a factor: during a sign-in, or while a person adds one in their account."""

    request: Request
    flow: str
    """Id of the login flow, or of the session for the account's pages: binds challenges to it."""
    now: int
    """Microseconds."""
    person: Person | None = None
    """Who the login is about; None before anybody was identified."""
    username: str = ""
    """The name typed at identifier-first. Nobody has shown to be that person, who may not exist: see `Named`."""
    proven: bool = False
    """The person has passed a factor already, in this login or in the session whose account pages these are."""
    state: State = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    """`authenticatorParams` of a script for this factor."""

    @property
    def tenant(self) -> TenantConfiguration:
        return self.request.tenant


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A factor was chosen: what to remember, what to write (a mail in the outbox)."""

    state: State = field(default_factory=dict)
    writes: Writes | None = None
    error: Refusal | None = None
    passed: "Verified | None" = None
    """There is nothing to ask: the factor is passed already (`SessionExecutor` below the limit)."""
    over: bool = False
    """Asked for too often: the factor cannot be passed in this login any more, and its step has failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A name was given, and nothing shown. The login goes on in the same way whether it is somebody's or not: the
    driver keeps `username` for the attempts of the next steps, and counts the step as passed without methods."""

    username: str
    person: Person | None = None
    """Whose name it is, for scripts. Not proven: `Attempt.person` stays None until a factor says who it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """It was this person, shown by these methods (`amr`, RFC 8176 §2)."""

    person: Person
    amr: tuple[str, ...]
    writes: Writes | None = None
    counters: tuple[str, ...] = ()
    """Counters of failed tries that this success clears."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    error: Refusal
    state: State | None = None
    """None: as it was."""
    writes: Writes | None = None
    over: bool = False
    """Wrong too often: the factor cannot be passed in this login any more, and its step has failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptField:
    """One value that a person gives, for sign-in as JSON (wso2-contracts §1.6)."""

    name: str
    type: Literal["STRING", "INTEGER"] = "STRING"
    confidential: bool = False
    display_name: str = ""
    i18n_key: str = ""


class Authenticator(Protocol):
    """A factor of sign-in. Every method may ask the database and stores, none inside a transaction."""

    name: str
    """`BasicAuthenticator`, `totp`, …"""
    kinds: Kinds
    """What a success shows; two different kinds make a sign-in multi-factor. A passkey with user verification: two."""
    identifies: bool
    """Finds out by itself who it is; the others need a person."""
    template: str
    """Of its page, below `themes/base/templates/`."""
    fields: tuple[PromptField, ...]

    async def usable(self, attempt: Attempt) -> bool:
        """Whether this person could pass it now: enrolled, has an address to send to, …"""
        ...

    async def begin(self, attempt: Attempt) -> Begun:
        """It was chosen, or its code or challenge is asked for once more (resend, reload after expiry)."""
        ...

    async def page(self, attempt: Attempt) -> dict[str, Any]:
        """What its template shows beside what every page has. Changes nothing."""
        ...

    async def verify(self, attempt: Attempt, answer: Mapping[str, str]) -> Verified | Named | Rejected:
        """Judge what came back: the posted form, or the params of sign-in as JSON.

        Failures that lock are counted at once, not by `writes`: they count however the flow's own race ends.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """A factor that a person has added."""

    id: str
    authenticator: str
    label: str
    created_at: int
    last_used_at: int | None = None


class Enrollable(Authenticator, Protocol):
    """A factor that people add themselves: in their account, or during a sign-in that asks for it."""

    enrol_template: str

    async def begin_enrolment(self, attempt: Attempt) -> Begun: ...

    async def enrolment_page(self, attempt: Attempt) -> dict[str, Any]: ...

    async def enrol(self, attempt: Attempt, answer: Mapping[str, str]) -> Verified | Rejected:
        """Proved once and kept (`writes`); the proof counts as passing the factor."""
        ...


def enrollable(authenticator: Authenticator) -> "Enrollable | None":
    return authenticator if hasattr(authenticator, "enrol") else None  # type: ignore[return-value]


class Factors(Protocol):
    """Every factor of this server by name."""

    def __getitem__(self, name: str) -> Authenticator: ...

    def get(self, name: str) -> Authenticator | None: ...


BASIC = "BasicAuthenticator"
IDENTIFIER = "IdentifierExecutor"
TOTP = "totp"
PASSKEY = "FIDOAuthenticator"
EMAIL_CODE = "email-otp-authenticator"
RECOVERY_CODE = "backup-code-authenticator"
SESSION_LIMIT = "SessionExecutor"
FACTOR_NAMES = (BASIC, IDENTIFIER, TOTP, PASSKEY, EMAIL_CODE, RECOVERY_CODE, SESSION_LIMIT)
