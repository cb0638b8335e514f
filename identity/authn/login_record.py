"""What a flow's row keeps beside the protocol's request, sealed: how to greet the person, what they have shown, what a
script has asked and heard, and what is asked of them now."""

from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from adaptive_auth.journal import Entry
from identity.domain.tenants import TenantId
from identity.secrets import Sealer


@dataclass(frozen=True, slots=True)
class ConsentQuestion:
    """What the consent page asks about."""

    scope: str
    """Each scope may be left out by the person; one that stands for requested claims was perhaps not asked for."""
    details: str = ""
    """JSON of `authorization_details` (RFC 9396), allowed or refused as a whole."""
    resources: str = ""
    """The resource indicators that it is for, space-separated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """What the person is asked now: one step by one of several factors, or a form of the script."""

    kind: Literal["step", "prompt"]
    step: int = 0
    """As configured, from 1; 0 for a prompt."""
    authenticators: tuple[str, ...] = ()
    """Those that this person can use, in the order of the step."""
    chosen: str = ""
    """Whose page is shown; empty: the page that asks which."""
    enrolling: bool = False
    """`chosen` is being added, since the person has none of the step's factors yet."""
    states: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What each factor keeps, by its name."""
    retry: bool = True
    """A wrong answer shows the page again; otherwise it ends the step, and the script says what is next."""
    failures: int = 0
    """Wrong answers to this step so far."""
    parameters: dict[str, dict[str, str]] = field(default_factory=dict)
    """`authenticatorParams` of the script by factor; those for all of them under `common`."""
    template: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    key: str = ""
    """The script's question that the answer belongs to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One entry of a script's journal: what it asked and was told; `at` is milliseconds."""

    key: str
    value: Any
    at: int
    secret: tuple[str, ...] = ()
    """Fields of a form whose values nobody keeps when the login has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Denial:
    """Why nobody gets in. `reason` is for administrators; the rest goes to the application or onto a page."""

    reason: str
    kind: Literal["access_denied", "oauth_error", "error_page"] = "access_denied"
    code: str = "access_denied"
    message: str = ""
    uri: str = ""
    parameters: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptState:
    """A scripted login, as far as it has come. With `script` and the facts the journal decides everything."""

    script: str
    """Hash of the pinned version."""
    journal: tuple[Answer, ...] = ()
    http_begun: int = -1
    """Place in the journal of the HTTP call that was begun and whose answer is not here: after a crash it may have been
    sent, so it is only sent again where that does no harm."""
    http_begun_at: int = 0
    effects: int = 0
    """How many effects were handed on already."""
    log: tuple[str, ...] = ()
    last: dict[str, Any] = field(default_factory=dict)
    """The effects and verdict of the last run, for the trace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginRecord:
    application_host: str
    application: str = ""
    """Its client id; empty for our own pages."""
    form_action: tuple[str, ...] = ()
    """CSP sources that the last form of the flow may lead to: the redirect address's origin."""
    login_hint: str = ""
    ui_locales: str = ""
    choose_account: bool = False
    """Show the account chooser first (`prompt=select_account`)."""
    reauthenticate: bool = False
    """The running session does not answer the request (`prompt=login`, `max_age`): choosing it asks everything anew."""
    silent: bool = False
    """Nobody may be asked (`prompt=none`): no factor begins but the limit of sessions, and no code is sent."""
    trace: str = ""
    """The trace id of the whole login."""
    steps: tuple[tuple[str, ...], ...] = ()
    """The steps as they were when the login began: factors that satisfy each."""
    wanted_acr: str = ""
    """One more step is asked for where the others do not reach this; a script is told of it instead."""
    accepted_acrs: tuple[str, ...] = ()
    """Levels that the request is content with, too, where the person has nothing to reach the wanted one with."""
    required_acr: str = ""
    """Below this nobody gets in, whatever a script says."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What a script is told about the login and the request that began it; kept without one too, so that a first
    script can be tried on logins that had none."""
    script: ScriptState | None = None
    shadow: str = ""
    """Hash of the candidate script that is compared at the end."""
    entries: tuple[Entry, ...] = ()
    subject: str = ""
    """Who the login is about, once a factor has said so."""
    typed_name: str = ""
    """What was typed where the identifier comes first."""
    pending: Pending | None = None
    verdict: Literal["", "done", "denied"] = ""
    denial: Denial | None = None
    acr: str = ""
    """What the script chose to say (`context.selectedAcr`)."""
    claims: dict[str, str] = field(default_factory=dict)
    """What the script has set for this sign-in, by our names, once it has ended."""
    remember: bool = False
    know_device: bool = False
    """The end of the login makes this browser a known one."""
    started_at: int = 0
    question: ConsentQuestion | None = None
    """What the consent page asks about, once it is due."""
    allowed_scope: str | None = None
    """What the person allowed on the consent page; None until asked."""
    undecided: bool = False
    """The request came by POST and has not been looked at with the browser's cookies yet."""
    denied: bool = False
    """The person refused on the consent page."""
    native: bool = False
    """The application signs the person in by JSON: no browser stands behind the flow, and no page goes on with it."""


def seal_record(sealer: Sealer, tenant: TenantId, flow: str, record: LoginRecord) -> bytes:
    return sealer.seal(msgspec.json.encode(record), _context(tenant, flow))


def open_record(sealer: Sealer, tenant: TenantId, flow: str, sealed: bytes) -> LoginRecord:
    return msgspec.json.decode(sealer.open(sealed, _context(tenant, flow)), type=LoginRecord)


def _context(tenant: TenantId, flow: str) -> bytes:
    return f"login-flow:{tenant}:{flow}".encode()
