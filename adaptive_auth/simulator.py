"""A whole login with a script, without a server: every answer comes out of what is given."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from adaptive_auth.evaluation import (
    Asked,
    Diverged,
    Effect,
    Evaluation,
    Facts,
    Failed,
    Finished,
    JournalEntry,
    Limited,
    Operation,
    Refused,
)
from adaptive_auth.given import STEPS, Attempt, Given
from adaptive_auth.local_time import local_time
from adaptive_auth.replay import Engine, evaluate_now
from adaptive_auth.script import FILE, Script

Verdict = Literal["done", "denied", "error", "limit"]


@dataclass(frozen=True, slots=True)
class Simulation:
    """`steps`: the number of each attempt, in order. `error`: message, line and column of an error or limit.

    `end` is what the script's last run came to: it has the details of a refusal.
    """

    verdict: Verdict
    steps: tuple[int, ...]
    effects: tuple[Effect, ...]
    log: tuple[str, ...]
    error: dict[str, Any] | None
    end: Evaluation | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "verdict": self.verdict,
            "steps": list(self.steps),
            "effects": list(self.effects),
            "log": list(self.log),
            "error": self.error,
        }


class _NoAnswer(Exception):
    """The script asks what nobody has given an answer to."""


def simulate(engine: Engine, script: Script, given: Given) -> Simulation:
    """The login, from its request to its end."""
    script = Script(script.source, {**script.libraries, **given.libraries})
    world = _World(given)
    facts = _facts(given)
    journal: list[JournalEntry] = []
    effects: tuple[Effect, ...] = ()
    while True:
        result = evaluate_now(engine, script, facts, journal)
        effects = max(effects, result.effects, key=len)
        log = tuple(line.text for line in result.logs)
        if not isinstance(result, Asked):
            return Simulation(_verdict(result), tuple(world.tried), effects, log, _error(result), result)
        try:
            for operation in result.operations:
                journal.append({"key": operation.key, "value": world.answer(operation), "at": given.now})
        except _NoAnswer as problem:
            return Simulation("error", tuple(world.tried), effects, log, _error_of(str(problem)))


def _verdict(result: Evaluation) -> Verdict:
    match result:
        case Finished():
            return "done"
        case Refused():
            return "denied"
        case Limited():
            return "limit"
    return "error"


def _error(result: Evaluation) -> dict[str, Any] | None:
    match result:
        case Failed(message=message, line=line, column=column, file=file):
            return _error_of(message, line, column, file)
        case Limited(limit=limit, message=message):
            return _error_of(f"{limit}: {message}")
        case Diverged():
            return _error_of("the script asks for something else when it runs again")
    return None


def _error_of(
    message: str, line: int | None = None, column: int | None = None, file: str | None = None
) -> dict[str, Any]:
    error = {"message": message, "line": line, "column": column}
    return error if file in (None, FILE) else {**error, "file": file}


def _facts(given: Given) -> Facts:
    every = {number: ("BasicAuthenticator",) if number == 1 else ("totp",) for number in range(1, STEPS + 1)}
    return Facts(
        application=given.application,
        tenant=given.tenant,
        request=_request(given, given.params),
        started=given.now,
        seed="simulation",
        steps=given.authenticators or every,
        requested_acr=given.acr,
        secrets=given.secrets,
        scopes=given.scopes,
        authorization_details=given.authorization_details,
    )


def _request(given: Given, params: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "ip": given.ip,
        "headers": {name.lower(): value for name, value in given.headers.items()},
        "params": {name: value if isinstance(value, list) else [value] for name, value in params.items()},
        "cookies": {name: {"value": value} for name, value in given.cookies.items()},
    }


_ROLES = ("hasAnyOfTheRoles", "hasAnyOfTheRolesV2", "isAnyOfTheRolesAssignedToUser")
_DEFAULTS: dict[str, Any] = {
    "remoteClaims": {},
    "sessionClaims": {},
    "assignUserRoles": True,
    "assignUserRolesV2": True,
    "removeUserRoles": True,
    "removeUserRolesV2": True,
    "terminateUserSession": True,
    "killSession": True,
    "doAssociationWithLocalUser": True,
    "removeAssociatedLocalUser": True,
    "updateUserPassword": True,
    "getUserSessions": [],
}
"""Answers where nothing is given. Other questions have to be answered: a test that guesses proves nothing."""


@dataclass
class _World:
    given: Given
    tried: list[int] = field(default_factory=list)
    """The step of each attempt."""
    _attempts: dict[int, int] = field(default_factory=dict)

    def answer(self, operation: Operation) -> Any:
        arguments = operation.arguments
        match operation.kind:
            case "step":
                return self._step(arguments["step"], retry=arguments["retry"])
            case "prompt":
                return self._prompt(arguments["template"])
            case "http":
                return self._http(arguments["method"], arguments["url"])
            case kind:
                return self._question(kind, arguments)

    def _step(self, number: int, *, retry: bool) -> dict[str, Any]:
        """One attempt; where the page itself offers another try, as many as are listed."""
        listed = self.given.steps.get(number, (Attempt(),))
        while True:
            position = self._attempts.get(number, 0)
            self._attempts[number] = position + 1
            self.tried.append(number)
            attempt = listed[min(position, len(listed) - 1)]
            if attempt.outcome == "fail" and retry and position + 1 < len(listed):
                continue
            return self._ended(number, attempt)

    def _ended(self, number: int, attempt: Attempt) -> dict[str, Any]:
        offered = self.given.authenticators.get(number) or (("BasicAuthenticator",) if number == 1 else ("totp",))
        params = self.given.params if attempt.params is None else attempt.params
        named = attempt.outcome == "ok" or attempt.user is not None
        return {
            "ok": attempt.outcome == "ok",
            "aborted": attempt.outcome == "abort",
            "subject": self._subject(attempt.user or {}) if named else None,
            "authenticator": attempt.authenticator or offered[0],
            "idp": "LOCAL",
            "data": None,
            "request": _request(self.given, params),
        }

    def _subject(self, changes: Any) -> dict[str, Any]:
        user = {"username": "user", "domain": "PRIMARY", "tenant": self.given.tenant, **self.given.user, **changes}
        return {"id": user["username"], "identifier": user["username"], **user}

    def _prompt(self, template: str) -> dict[str, Any]:
        answer = self.given.answers.get(template, {})
        if not isinstance(answer, dict) or not answer.keys() <= {"ok", "params"}:
            raise _NoAnswer(f"given.answers.{template}: the answer of a page is an object of ok and params")
        params = answer.get("params", self.given.params)
        return {"ok": answer.get("ok", True), "request": _request(self.given, params)}

    def _http(self, method: str, url: str) -> dict[str, Any]:
        parts = urlsplit(url)
        for target in (url, parts.netloc + parts.path, parts.netloc):
            if f"{method} {target}" in self.given.http:
                return _http_answer(self.given.http[f"{method} {target}"])
        return {"ok": False, "timeout": False, "status": None, "data": None}

    def _question(self, kind: str, arguments: dict[str, Any]) -> Any:
        if kind in self.given.answers:
            return self.given.answers[kind]
        if kind in _ROLES:
            return not set(arguments["roles"]).isdisjoint(self.given.roles)
        match kind:
            case "isMemberOfAnyOfGroups":
                return not set(arguments["groups"]).isdisjoint(self.given.groups)
            case "claims":
                return dict(self.given.claims)
            case "roles":
                return list(self.given.roles)
            case "getNetwork":
                return {"ip": arguments["ip"]}
            case "getCookieValue":
                return arguments["value"]
            case "getLocalTime":
                return self._local_time(arguments)
        if kind in _DEFAULTS:
            return _DEFAULTS[kind]
        raise _NoAnswer(f"the script asks {kind}: give its answer in given.answers.{kind}")

    def _local_time(self, arguments: dict[str, Any]) -> dict[str, int]:
        try:
            return local_time(arguments["zone"], arguments["at"])
        except ValueError as problem:
            raise _NoAnswer(str(problem)) from None


def _http_answer(described: Any) -> dict[str, Any]:
    if isinstance(described, dict) and described.keys() <= {"status", "timeout", "data"}:
        if described.get("timeout") is True:
            return {"ok": False, "timeout": True, "status": None, "data": None}
        status = described.get("status")
        if type(status) is int:
            return {"ok": 200 <= status < 300, "timeout": False, "status": status, "data": described.get("data")}
    return {"ok": True, "timeout": False, "status": 200, "data": described}
