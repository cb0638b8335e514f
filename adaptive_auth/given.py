"""What a simulated login is given: the person, the browser and the world around a script, read from JSON."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

CLAIMS = "http://wso2.org/claims/"
"""What stands before a claim's short name."""

DEFAULT_NOW = 1_767_268_800_000
"""2026-01-01T12:00:00Z: without `now` it is always the same moment, so that a test gives the same result every day."""

STEPS = 20
"""A simulated application has so many steps, unless `authenticators` names them."""

Outcome = Literal["ok", "fail", "abort"]


class GivenError(ValueError):
    """Not what a simulation can be given; the text names the member and says what it takes."""


@dataclass(frozen=True, slots=True)
class Attempt:
    outcome: Outcome = "ok"
    authenticator: str | None = None
    user: Mapping[str, Any] | None = None
    params: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """Every member may be left out: then the person passes every step, is in no role or group and has no claims."""

    user: Mapping[str, Any] = field(default_factory=dict)
    """`username`, `domain`, `tenant`, `id`, `identifier`."""
    roles: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    claims: Mapping[str, str] = field(default_factory=dict)
    """By URI or short name (`emailaddress`)."""
    ip: str = "192.0.2.1"
    headers: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    cookies: Mapping[str, str] = field(default_factory=dict)
    http: Mapping[str, Any] = field(default_factory=dict)
    """`"POST risk.example"`, `"POST risk.example/path"` or `"GET https://risk.example/x?y=1"`: JSON of a 200 answer,
    `{"status": 500}`, `{"status": 200, "data": …}` or `{"timeout": true}`. A call that is not named fails."""
    steps: Mapping[int, tuple[Attempt, ...]] = field(default_factory=dict)
    """`"ok"`, `"fail"`, `"abort"`, `{"outcome", "authenticator", "user", "params"}` or a list of these: one for each
    attempt, the last for all that follow."""
    authenticators: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    """The steps of the application and what each offers."""
    now: int = DEFAULT_NOW
    """ISO 8601 or epoch milliseconds."""
    application: str = "application"
    tenant: str = "carbon.super"
    acr: tuple[str, ...] = ()
    """Requested acr values."""
    scopes: tuple[str, ...] = ()
    authorization_details: tuple[Mapping[str, Any], ...] = ()
    secrets: tuple[str, ...] = ()
    """Names."""
    answers: Mapping[str, Any] = field(default_factory=dict)
    """Answers of other questions by the function's name; of pages by the page's name: `{"params": …}`."""
    libraries: Mapping[str, str] = field(default_factory=dict)


def read_given(content: Any) -> Given:
    """From parsed JSON. Raises GivenError."""
    if not isinstance(content, dict):
        raise GivenError("given: must be a JSON object")
    unknown = sorted(content.keys() - _READERS.keys())
    if unknown:
        raise GivenError(f"given: there is no member {unknown[0]!r}; there are {', '.join(sorted(_READERS))}")
    return Given(**{name: _READERS[name](f"given.{name}", value) for name, value in content.items()})


def _map(place: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise GivenError(f"{place}: must be an object")
    return value


def _texts(place: str, value: Any) -> tuple[str, ...]:
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not all(isinstance(item, str) for item in listed):
        raise GivenError(f"{place}: must be a list of texts")
    return tuple(listed)


def _text(place: str, value: Any) -> str:
    if not isinstance(value, str):
        raise GivenError(f"{place}: must be a text")
    return value


def _text_map(place: str, value: Any) -> dict[str, str]:
    return {name: _text(f"{place}.{name}", item) for name, item in _map(place, value).items()}


def _claims(place: str, value: Any) -> dict[str, str]:
    return {
        name if ":" in name else CLAIMS + name: item
        if isinstance(item, str)
        else _number_as_text(f"{place}.{name}", item)
        for name, item in _map(place, value).items()
    }


def _number_as_text(place: str, value: Any) -> str:
    if type(value) not in (int, float):
        raise GivenError(f"{place}: must be a text")
    return str(value)


def _user(place: str, value: Any) -> dict[str, Any]:
    members = {"username", "domain", "tenant", "id", "identifier"}
    user = _text_map(place, value)
    if not user.keys() <= members:
        raise GivenError(f"{place}: its members are {', '.join(sorted(members))}")
    return user


def _moment(place: str, value: Any) -> int:
    if type(value) is int:
        return value
    try:
        moment = datetime.fromisoformat(_text(place, value))
    except ValueError:
        raise GivenError(f"{place}: must be ISO 8601, such as 2026-03-01T09:30:00Z, or epoch milliseconds") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def _details(place: str, value: Any) -> tuple[dict[str, Any], ...]:
    if not isinstance(value, list):
        raise GivenError(f"{place}: must be a list of objects")
    return tuple(_map(place, item) for item in value)


def _number(place: str, name: str) -> int:
    if not name.isascii() or not name.isdecimal() or not 1 <= int(name) <= STEPS:
        raise GivenError(f"{place}: {name!r} is no step; steps are named by number, 1 to {STEPS}")
    return int(name)


def _offers(place: str, value: Any) -> dict[int, tuple[str, ...]]:
    return {_number(place, name): _texts(f"{place}.{name}", item) for name, item in _map(place, value).items()}


def _steps(place: str, value: Any) -> dict[int, tuple[Attempt, ...]]:
    return {_number(place, name): _attempts(f"{place}.{name}", item) for name, item in _map(place, value).items()}


def _attempts(place: str, value: Any) -> tuple[Attempt, ...]:
    listed = value if isinstance(value, list) else [value]
    if not listed:
        raise GivenError(f"{place}: must name at least one attempt")
    return tuple(_attempt(place, item) for item in listed)


def _attempt(place: str, value: Any) -> Attempt:
    described = {"outcome": value} if isinstance(value, str) else value
    if not isinstance(described, dict) or not described.keys() <= {"outcome", "authenticator", "user", "params"}:
        raise GivenError(f"{place}: an attempt is ok, fail, abort or an object of outcome, authenticator, user, params")
    outcome = described.get("outcome", "ok")
    if outcome not in ("ok", "fail", "abort"):
        raise GivenError(f"{place}: {outcome!r} is no outcome; there are ok, fail and abort")
    authenticator = described.get("authenticator")
    return Attempt(
        outcome,
        None if authenticator is None else _text(f"{place}.authenticator", authenticator),
        _user(f"{place}.user", described["user"]) if "user" in described else None,
        _map(f"{place}.params", described["params"]) if "params" in described else None,
    )


_READERS: dict[str, Callable[[str, Any], Any]] = {
    "user": _user,
    "roles": _texts,
    "groups": _texts,
    "claims": _claims,
    "ip": _text,
    "headers": _text_map,
    "params": _map,
    "cookies": _text_map,
    "http": _map,
    "steps": _steps,
    "authenticators": _offers,
    "now": _moment,
    "application": _text,
    "tenant": _text,
    "acr": _texts,
    "scopes": _texts,
    "authorization_details": _details,
    "secrets": _texts,
    "answers": _map,
    "libraries": _text_map,
}
