"""What a run of a sign-in script is given, and what can come of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict

Effect = dict[str, Any]
"""`{"kind": …}` and the members that `shapes.EFFECTS` lists for that kind."""


class JournalEntry(TypedDict):
    """One answer. `key`: the operation's; `value`: JSON, by kind; `at`: epoch milliseconds."""

    key: str
    value: Any
    at: int


Journal = Sequence[JournalEntry]
"""In the order in which things were asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known when a login begins, and stays the same through it.

    `request`: `{ip, headers, params, cookies}` of the first request, with names of headers in lower case, a list of
    texts for each parameter and `{"value": text}` for each cookie; `params` are the parameters of the authorization
    request, also where they were pushed. `started`: epoch milliseconds. `seed`: the flow's id; it decides Math.random.
    `steps`: the authenticators that each configured step offers. `secrets`: names, never values. `scopes` and
    `authorization_details` (RFC 9396 §2): what the application asks for.
    """

    application: str
    tenant: str
    request: Mapping[str, Any]
    started: int
    seed: str
    steps: Mapping[int, tuple[str, ...]]
    requested_acr: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    authorization_details: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """A step, a page, an HTTP call or a question. `key` identifies it in the journal."""

    kind: str
    arguments: dict[str, Any]
    key: str


@dataclass(frozen=True, slots=True)
class LogLine:
    level: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Result:
    """`effects`: all of the login so far, in order; a later run gives the same ones first."""

    effects: tuple[Effect, ...] = ()
    logs: tuple[LogLine, ...] = ()
    taken: tuple[int, ...] = ()
    """Of a lenient run: the places in the journal of the answers that it took, in the order in which it asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked(_Result):
    """Answer these, append an entry for each in this order, and evaluate again. More than one only for HTTP calls."""

    operations: tuple[Operation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished(_Result):
    """The script lets the person in. `subject_step` named who it is, `attribute_step` whose claims are given."""

    acr: str | None
    subject_step: int
    attribute_step: int


Reason = Literal["script", "step_failed", "aborted", "prompt_failed", "http_failed", "nobody_identified"]
"""`script`: it called `fail`, `deny` or `sendError`. The others are ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused(_Result):
    """`oauth_error` goes to the application with `code`, `message`, `uri`; `error_page` shows or redirects to `url`."""

    kind: Literal["oauth_error", "error_page"]
    reason: Reason
    code: str = "access_denied"
    message: str | None = None
    uri: str | None = None
    url: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed(_Result):
    """An error in the script, or an answer that is none: the login is denied. Lines and columns count from 1."""

    message: str
    line: int | None = None
    column: int | None = None
    file: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limited(_Result):
    """A limit ended the run: the login is denied."""

    limit: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Diverged(_Result):
    """The script asked for something else than the journal holds: not the script that began. The login is denied."""

    asked: str | None
    recorded: str | None


Evaluation = Asked | Finished | Refused | Failed | Limited | Diverged
